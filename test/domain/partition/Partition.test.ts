import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { never } from "../../../src/domain/Message.ts"
import * as Partition from "../../../src/domain/partition/Partition.ts"
import * as Record from "../../../src/domain/partition/Record.ts"
import * as Outbound from "../../../src/domain/session/Outbound.ts"
import { neverExpires } from "../../../src/domain/session/Session.ts"
import type { Subscription } from "../../../src/domain/session/Subscription.ts"
import { messageOf } from "../messages.ts"

const recordCost = 64

const fold = (records: Iterable<Record.Record>): Partition.Partition => {
  const partition = Partition.make(recordCost)
  for (const record of records) Partition.apply(partition, record)
  return partition
}

const subscription = (filter: string, qos: 0 | 1 | 2 = 1): Subscription => ({
  filter,
  qos,
  noLocal: false,
  retainAsPublished: false,
  retainHandling: 0
})

const opened = (clientId: string, cleanStart = false): Record.Record => ({
  _tag: "Opened",
  clientId,
  cleanStart,
  expiryInterval: 60
})

const queued = (payload: string, ...clients: ReadonlyArray<string>): Record.Record => ({
  _tag: "Queued",
  message: messageOf(payload),
  targets: clients.map((clientId) => ({ clientId, qos: 1, retain: false }))
})

/** All of a partition that outlives its broker, as plain data. */
const stateOf = (partition: Partition.Partition) => ({
  charge: partition.charge,
  wills: [...partition.wills],
  sessions: Array.from(partition.sessions.values(), (session) => ({
    clientId: session.clientId,
    connected: session.connected,
    expiresAt: session.expiresAt,
    expiryInterval: session.expiryInterval,
    subscriptions: [...session.subscriptions],
    received: [...session.received],
    head: session.outbound.head,
    tail: session.outbound.tail,
    attempted: session.outbound.attempted,
    size: session.outbound.size,
    bytes: session.outbound.bytes,
    deliveries: [...Outbound.deliveries(session.outbound)]
  }))
})

const chargeOf = (partition: Partition.Partition): number => {
  let charge = 0
  for (const { outbound } of partition.sessions.values()) {
    for (const { message } of Outbound.deliveries(outbound)) charge += Partition.cost(message, recordCost)
  }
  return charge
}

/** Records as a journal has them: small ones, about three clients, so that they meet. */
const Client = Schema.Literals(["a", "b", "c"])
const Sequence = Schema.Literals([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
const Will = Schema.Struct({
  topic: Schema.Literal("wills"),
  payload: Schema.Uint8Array,
  qos: Schema.Literals([0, 1, 2]),
  retain: Schema.Boolean
})
const Message = Schema.Struct({
  topic: Schema.Literals(["t", "t/u"]),
  payload: Schema.Uint8Array,
  qos: Schema.Literals([1, 2]),
  retain: Schema.Boolean,
  expiresAt: Schema.Literals([never, 1_000]),
  publisher: Client,
  properties: Schema.optionalKey(Schema.Struct({ contentType: Schema.Literals(["", "text"]) }))
})
const JournalRecord = Schema.Union([
  Schema.TaggedStruct("Opened", {
    clientId: Client,
    cleanStart: Schema.Boolean,
    expiryInterval: Schema.Literals([0, 60, neverExpires])
  }),
  Schema.TaggedStruct("Closed", {
    clientId: Client,
    at: Schema.Literals([0, 500]),
    expiryInterval: Schema.Literals([0, 60, neverExpires]),
    attempted: Sequence
  }),
  Schema.TaggedStruct("Ended", { clientId: Client }),
  Schema.TaggedStruct("Subscribed", {
    clientId: Client,
    subscriptions: Schema.Array(
      Schema.Struct({
        filter: Schema.Literals(["t", "t/#", "$share/g/t"]),
        qos: Schema.Literals([0, 1, 2]),
        noLocal: Schema.Boolean,
        retainAsPublished: Schema.Boolean,
        retainHandling: Schema.Literals([0, 1, 2]),
        identifier: Schema.optionalKey(Schema.Literals([1, 2]))
      })
    )
  }),
  Schema.TaggedStruct("Unsubscribed", { clientId: Client, filters: Schema.Array(Schema.Literals(["t", "t/#"])) }),
  Schema.TaggedStruct("Queued", {
    message: Message,
    targets: Schema.Array(
      Schema.Struct({
        clientId: Client,
        qos: Schema.Literals([1, 2]),
        retain: Schema.Boolean,
        identifiers: Schema.optionalKey(Schema.Array(Schema.Literals([1, 2])))
      })
    )
  }),
  Schema.TaggedStruct("Completed", { clientId: Client, sequence: Sequence }),
  Schema.TaggedStruct("Released", { clientId: Client, sequence: Sequence }),
  Schema.TaggedStruct("Received", { clientId: Client, packetId: Schema.Literals([1, 2, 65_535]) }),
  Schema.TaggedStruct("Forgotten", { clientId: Client, packetId: Schema.Literals([1, 2, 65_535]) }),
  Schema.TaggedStruct("WillArmed", { clientId: Client, will: Will }),
  Schema.TaggedStruct("WillScheduled", { clientId: Client, dueAt: Schema.Literals([7_000]) }),
  Schema.TaggedStruct("WillCleared", { clientId: Client })
])
/** Most histories begin with sessions to act upon. */
const History = Schema.Array(JournalRecord).pipe(Schema.check(Schema.isMaxLength(80)))
const beginning = ["a", "b"].map((clientId) => opened(clientId))

describe("a partition", () => {
  it("knows a session from its opening to its end, and nothing of it afterwards", () => {
    const partition = fold([
      opened("a"),
      { _tag: "Subscribed", clientId: "a", subscriptions: [subscription("t"), subscription("u")] },
      { _tag: "Unsubscribed", clientId: "a", filters: ["t"] },
      queued("1", "a"),
      { _tag: "Received", clientId: "a", packetId: 9 }
    ])
    const session = partition.sessions.get("a")!
    assert.deepStrictEqual([...session.subscriptions.keys()], ["u"])
    assert.deepStrictEqual([...session.received], [9])
    assert.strictEqual(partition.charge, recordCost + 2)
    Partition.apply(partition, { _tag: "Ended", clientId: "a" })
    assert.deepStrictEqual(stateOf(partition), stateOf(Partition.make(recordCost)))
  })

  it("keeps a session that is resumed, and begins anew with a clean start", () => {
    const resumed = fold([opened("a"), queued("1", "a"), opened("a")])
    assert.strictEqual(resumed.sessions.get("a")!.outbound.size, 1)
    const anew = fold([opened("a"), queued("1", "a"), opened("a", true)])
    assert.strictEqual(anew.sessions.get("a")!.outbound.size, 0)
    assert.strictEqual(anew.charge, 0)
  })

  it("counts the expiry of a session from the end of its connection", () => {
    const closed = (expiryInterval: number): Record.Record => ({
      _tag: "Closed",
      clientId: "a",
      at: 1_000,
      expiryInterval,
      attempted: 0
    })
    assert.strictEqual(fold([opened("a"), closed(60)]).sessions.get("a")!.expiresAt, 61_000)
    assert.strictEqual(fold([opened("a"), closed(neverExpires)]).sessions.get("a")!.expiresAt, never)
    assert.strictEqual(fold([opened("a"), closed(60), opened("a")]).sessions.get("a")!.expiresAt, never)
  })

  it("charges for the properties of a message as for its payload", () => {
    const plain = messageOf("x")
    const heavy = messageOf("x", { properties: { userProperties: [["k", "v".repeat(1000)]] } })
    assert.isAtLeast(Partition.cost(heavy, 0) - Partition.cost(plain, 0), 1001)
  })

  it("writes a message that many wait for once in a snapshot, and no record without bound", () => {
    const clients = Array.from({ length: 1_000 }, (_, i) => `client ${i}`)
    const filters = Array.from({ length: 100 }, (_, i) => subscription(`${"x".repeat(1_000)}/${i}`))
    const partition = fold([
      ...clients.map((clientId) => opened(clientId)),
      queued("y".repeat(1_000), ...clients),
      { _tag: "Subscribed", clientId: "client 0", subscriptions: filters }
    ])
    const records = [...Partition.snapshot(partition)]
    assert.isAtMost(records.filter(({ _tag }) => _tag === "RestoredMessage").length, 4)
    for (const record of records) assert.isBelow(Record.encode(record).length, 32_768)
    assert.deepStrictEqual(stateOf(fold(records)), stateOf(partition))
  })

  it.prop(
    "is what its records say, however they were written down and read",
    [History],
    ([history]) => {
      const records: ReadonlyArray<Record.Record> = [...beginning, ...history]
      const live = fold(records)
      const read = Record.split(Record.join(records.map(Record.encode)))
      assert.strictEqual(read._tag, "Success")
      assert.deepStrictEqual(stateOf(fold(read._tag === "Success" ? read.success : [])), stateOf(live))
    },
    { arbitrary: { runs: 200 } }
  )

  it.prop(
    "is the same after a snapshot, and stays so when history goes on",
    [History, History],
    ([before, after]) => {
      const live = fold([...beginning, ...before])
      const copy = fold(Partition.snapshot(live))
      assert.deepStrictEqual(stateOf(copy), stateOf(live))
      for (const record of after) {
        Partition.apply(live, record)
        Partition.apply(copy, record)
      }
      assert.deepStrictEqual(stateOf(copy), stateOf(live))
    },
    { arbitrary: { runs: 200 } }
  )

  it.prop(
    "charges at every moment what its queues cost, and nothing when all sessions are gone",
    [History],
    ([history]) => {
      const partition = fold(beginning)
      for (const record of history) {
        Partition.apply(partition, record)
        assert.strictEqual(partition.charge, chargeOf(partition))
      }
      for (const clientId of ["a", "b", "c"]) Partition.apply(partition, { _tag: "Ended", clientId })
      assert.strictEqual(partition.charge, 0)
      assert.strictEqual(partition.sessions.size, 0)
    },
    { arbitrary: { runs: 200 } }
  )
})
