/**
 * A tree of znodes as the records of a key-value store: one a znode, and one for the last zxid.
 *
 * The key of a znode is its serial, not its path: keys stay short whatever the path, and in their order each parent
 * comes before its children.
 *
 * A znode's record: czxid, mzxid, pzxid, ctime, mtime, creates as 64-bit floats (all are whole numbers below 2^53),
 * version as a 32-bit integer, the session that owns it (1 byte of length, then ASCII), the path (4 bytes of length,
 * then UTF-8), the data. Numbers are big-endian.
 */
import { Result, Schema } from "effect"
import type { Node } from "./DataTree.ts"
import type { SessionId } from "./Znode.ts"

/** A record is not one of ours, or damaged. */
export class BadRecord extends Schema.TaggedError<BadRecord>()("BadRecord", {
  key: Schema.String,
  why: Schema.String
}) {
  override get message(): string {
    return `record ${this.key} ${this.why}`
  }
}

/** The key of the record that holds the last zxid. It comes before those of the znodes. */
export const zxidKey = "0/zxid"

/** The key of the record of the znode with this serial. */
export const keyOf = (serial: number): string => `n/${serial.toString(36).padStart(serialDigits, "0")}`

/** The record of a znode, without its key. */
export const encodeNode = (node: Node): Uint8Array => {
  const ownerBytes = node.ephemeralOwner.length
  const pathBytes = Buffer.byteLength(node.path)
  const record = Buffer.allocUnsafe(fixedBytes + ownerBytes + pathBytes + node.data.length)
  let at = record.writeDoubleBE(node.czxid, 0)
  at = record.writeDoubleBE(node.mzxid, at)
  at = record.writeDoubleBE(node.pzxid, at)
  at = record.writeDoubleBE(node.ctime, at)
  at = record.writeDoubleBE(node.mtime, at)
  at = record.writeDoubleBE(node.creates, at)
  at = record.writeInt32BE(node.version, at)
  at = record.writeUInt8(ownerBytes, at)
  at += record.write(node.ephemeralOwner, at, "latin1")
  at = record.writeUInt32BE(pathBytes, at)
  at += record.write(node.path, at, "utf8")
  record.set(node.data, at)
  return record
}

/** What {@link encodeNode} made, as `DataTree.restore` takes it. The data is a view of the record. */
export const decodeNode = (
  key: string,
  record: Uint8Array
): Result.Result<Omit<Node, "parent" | "children">, BadRecord> => {
  const serial = Number.parseInt(key.slice(2), 36)
  if (keyOf(serial) !== key) return Result.fail(new BadRecord({ key, why: "is not a znode's" }))
  const bytes = Buffer.from(record.buffer, record.byteOffset, record.length)
  const ownerAt = numbersBytes + 1
  if (bytes.length < fixedBytes) return Result.fail(new BadRecord({ key, why: "is too short" }))
  const pathLengthAt = ownerAt + bytes.readUInt8(numbersBytes)
  if (bytes.length < pathLengthAt + 4) return Result.fail(new BadRecord({ key, why: "is too short" }))
  const pathAt = pathLengthAt + 4
  const dataAt = pathAt + bytes.readUInt32BE(pathLengthAt)
  if (bytes.length < dataAt) return Result.fail(new BadRecord({ key, why: "is too short" }))
  return Result.succeed({
    serial,
    czxid: bytes.readDoubleBE(0),
    mzxid: bytes.readDoubleBE(8),
    pzxid: bytes.readDoubleBE(16),
    ctime: bytes.readDoubleBE(24),
    mtime: bytes.readDoubleBE(32),
    creates: bytes.readDoubleBE(40),
    version: bytes.readInt32BE(48),
    ephemeralOwner: bytes.toString("latin1", ownerAt, pathLengthAt) as SessionId,
    path: bytes.toString("utf8", pathAt, dataAt),
    data: bytes.subarray(dataAt)
  })
}

/** The value of {@link zxidKey}. */
export const encodeZxid = (zxid: number): Uint8Array => {
  const record = Buffer.allocUnsafe(8)
  record.writeDoubleBE(zxid)
  return record
}

/** What {@link encodeZxid} made. */
export const decodeZxid = (record: Uint8Array): Result.Result<number, BadRecord> =>
  record.length === 8
    ? Result.succeed(Buffer.from(record.buffer, record.byteOffset, 8).readDoubleBE())
    : Result.fail(new BadRecord({ key: zxidKey, why: "does not have 8 bytes" }))

/** Enough for 2^53 in base 36. */
const serialDigits = 11
/** Six 64-bit floats and a 32-bit integer. */
const numbersBytes = 6 * 8 + 4
/** What each record has, even without an owner, a path and data. */
const fixedBytes = numbersBytes + 1 + 4
