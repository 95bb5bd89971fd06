/**
 * What a partition's journal holds: one record per change to a durable session or to a Will, in the order in which the
 * changes happened. `Partition.apply` folds them into the partition's state; a snapshot is a sequence of the
 * `Restored…` records, so recovery is one and the same fold.
 */
import { Result, Schema } from "effect"
import { SchemaBinary } from "effect/encoding"
import { Message } from "../Message.ts"
import { PacketId, Will } from "../packet/Packet.ts"
import { SubscriptionIdentifier } from "../packet/Property.ts"
import { Subscription } from "../session/Subscription.ts"

/** Milliseconds of the shared clock. */
const Time = Schema.Int

const of = <Tag extends string, Fields extends Schema.Struct.Fields>(tag: Tag, fields: Fields) =>
  Schema.TaggedStruct(tag, { clientId: Schema.String, ...fields })

/** A connection has claimed the session: it is resumed, or made anew when there is none or `cleanStart` is set. */
export const Opened = of("Opened", { cleanStart: Schema.Boolean, expiryInterval: Schema.Int })

/** The session's connection has ended; everything below sequence number `attempted` may have reached the client. */
export const Closed = of("Closed", { at: Time, expiryInterval: Schema.Int, attempted: Schema.Int })

/** The session is over: it expired, or a clean start discarded it. */
export const Ended = of("Ended", {})

export const Subscribed = of("Subscribed", { subscriptions: Schema.Array(Subscription) })

export const Unsubscribed = of("Unsubscribed", { filters: Schema.Array(Schema.String) })

/** One session that a message was accepted for, and how it is to be sent there. */
export const Target = Schema.Struct({
  clientId: Schema.String,
  qos: Schema.Literals([1, 2]),
  retain: Schema.Boolean,
  identifiers: Schema.optionalKey(Schema.Array(SubscriptionIdentifier)),
  /** The shared subscription that chose the session, as its client wrote it. */
  share: Schema.optionalKey(Schema.String)
})
export type Target = typeof Target.Type

/** A message was accepted for these sessions of the partition. */
export const Queued = Schema.TaggedStruct("Queued", { message: Message, targets: Schema.Array(Target) })

/** The client has finished with a delivery: PUBACK, PUBCOMP, or a PUBREC that refuses it. */
export const Completed = of("Completed", { sequence: Schema.Int })

/** The client has taken over a QoS 2 delivery (PUBREC): only PUBREL remains. */
export const Released = of("Released", { sequence: Schema.Int })

/** A QoS 2 message of the client was taken over: its packet identifier is in use until PUBREL. */
export const Received = of("Received", { packetId: PacketId })

/** PUBREL has come: the packet identifier may be used anew. */
export const Forgotten = of("Forgotten", { packetId: PacketId })

/** The client's connection has a Will: it is published when the connection ends badly, a broker's crash included. */
export const WillArmed = of("WillArmed", { will: Will })

/** The connection has ended badly: the Will is due at this time unless the client comes back before. */
export const WillScheduled = of("WillScheduled", { dueAt: Time })

/** The Will is gone: published, or not wanted any more. */
export const WillCleared = of("WillCleared", {})

/** Snapshot: a session without its subscriptions, which `Subscribed` records bring, and without its queue. */
export const RestoredSession = of("RestoredSession", {
  expiryInterval: Schema.Int,
  connected: Schema.Boolean,
  expiresAt: Time,
  received: Schema.Array(PacketId),
  head: Schema.Int,
  tail: Schema.Int,
  attempted: Schema.Int
})

/** Snapshot: a message and its places in the queues of sessions restored before. */
export const RestoredMessage = Schema.TaggedStruct("RestoredMessage", {
  message: Message,
  deliveries: Schema.Array(Schema.Struct({ ...Target.fields, sequence: Schema.Int, stage: Schema.Literals([0, 1]) }))
})

/** Snapshot: a Will, and when it is due (`never` while its connection lives). */
export const RestoredWill = of("RestoredWill", { will: Will, dueAt: Time })

export const Record = Schema.Union([
  Opened,
  Closed,
  Ended,
  Subscribed,
  Unsubscribed,
  Queued,
  Completed,
  Released,
  Received,
  Forgotten,
  WillArmed,
  WillScheduled,
  WillCleared,
  RestoredSession,
  RestoredMessage,
  RestoredWill
]).pipe(Schema.toTaggedUnion("_tag"))
export type Record = typeof Record.Type

const Bytes = SchemaBinary.toCodec(Record)

/** One record as bytes: compact, and readable by a neighbouring version that knows more or fewer fields. */
export const encode: (record: Record) => Uint8Array = Schema.encodeSync(Bytes)

/** A segment of a journal, or a piece of a snapshot, that cannot be read: what, and where in it. */
export class CorruptSegment extends Schema.TaggedError<CorruptSegment>()("CorruptSegment", {
  offset: Schema.Int,
  detail: Schema.String
}) {
  override get message() {
    return `record at byte ${this.offset}: ${this.detail}`
  }
}

const lengthBytes = 4

/** Records one after the other, each behind its length in four bytes: the content of one znode. */
export const join = (records: ReadonlyArray<Uint8Array>): Uint8Array => {
  const out = Buffer.allocUnsafe(records.reduce((sum, record) => sum + lengthBytes + record.length, 0))
  let at = 0
  for (const record of records) {
    at = out.writeUInt32BE(record.length, at)
    out.set(record, at)
    at += record.length
  }
  return out
}

/** How many bytes a record takes in a segment. */
export const joinedSize = (record: Uint8Array): number => lengthBytes + record.length

const decodeResult = Schema.decodeUnknownResult(Bytes)

/** The records of a segment, in order. */
export const split = (segment: Uint8Array): Result.Result<ReadonlyArray<Record>, CorruptSegment> => {
  const bytes = Buffer.from(segment.buffer, segment.byteOffset, segment.length)
  const records: Array<Record> = []
  let at = 0
  while (at < bytes.length) {
    const start = at + lengthBytes
    const end = start <= bytes.length ? start + bytes.readUInt32BE(at) : Infinity
    if (end > bytes.length) return Result.fail(new CorruptSegment({ offset: at, detail: "cut short" }))
    const record = decodeResult(bytes.subarray(start, end))
    if (Result.isFailure(record)) {
      return Result.fail(new CorruptSegment({ offset: at, detail: record.failure.message }))
    }
    records.push(record.success)
    at = end
  }
  return Result.succeed(records)
}
