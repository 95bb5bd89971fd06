import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import { Lease } from "../../src/domain/bank/Ledger.ts"
import * as Record from "../../src/domain/partition/Record.ts"
import * as Znode from "../../src/domain/zookeeper/Znode.ts"
import * as ZooKeeperMemory from "../../src/layers/ZooKeeperMemory.ts"
import type { Server } from "../../src/layers/ZooKeeperServer.ts"
import { Bank } from "../../src/services/Bank.ts"
import { Configuration } from "../../src/services/Configuration.ts"
import { cut, Journal, segmentBytes, type Unit } from "../../src/services/Journal.ts"
import * as Layout from "../../src/services/Layout.ts"
import { Passes } from "../../src/services/Passes.ts"
import { SharedClock } from "../../src/services/SharedClock.ts"
import { ZooKeeper } from "../../src/services/ZooKeeper.ts"

const settings = { partitions: 2, bank: { capital: "1 MiB" } }

/** Opens a journal by a session of its own, with a pass running, and takes partition 0 over. */
const open = Effect.fnUntraced(function* (
  server: Server,
  intercept: (zooKeeper: ZooKeeper["Service"]) => ZooKeeper["Service"] = (zooKeeper) => zooKeeper
) {
  const scope = yield* Effect.acquireRelease(Scope.make(), (made) => Scope.close(made, Exit.void))
  const { zooKeeper, faults } = yield* Scope.provide(scope)(ZooKeeperMemory.connect(server))
  const services = yield* Layer.buildWithScope(
    Journal.layer.pipe(
      Layer.provideMerge(Bank.layer),
      Layer.provide(SharedClock.layerLocal),
      Layer.provideMerge(Passes.layer),
      Layer.provide(Configuration.layer(settings)),
      Layer.provide(Layer.succeed(ZooKeeper, intercept(zooKeeper)))
    ),
    scope
  )
  const journal = Context.get(services, Journal)
  const bank = Context.get(services, Bank)
  const passes = Context.get(services, Passes)
  const records = yield* journal.open(0)
  bank.opened(0)
  yield* Effect.forkChild(Effect.forever(Effect.map(passes.take, (work) => work.forEach((run) => run()))), {
    startImmediately: true
  })
  return { journal, bank, zooKeeper, faults, records, close: Scope.close(scope, Exit.void) }
})

const received = (packetId: number, clientId = "a"): Record.Record => ({ _tag: "Received", clientId, packetId })

const unit = (partition: number, records: ReadonlyArray<Record.Record>, more: Partial<Unit> = {}): Unit => ({
  entries: records.map((record) => ({ partition, record: Record.encode(record) })),
  charge: 0,
  committed: () => {},
  ...more
})

const packetIds = (records: ReadonlyArray<Record.Record>) =>
  records.map((record) => ("packetId" in record ? record.packetId : 0))

const spentIn = Effect.fnUntraced(function* (zooKeeper: ZooKeeper["Service"]) {
  const { data } = yield* zooKeeper.get(Layout.lease("mqttzoo"))
  return (yield* Schema.decodeEffect(Schema.fromJsonString(Lease))(Buffer.from(data).toString())).spent
})

/** Lets every fiber that can run do so. */
const settle = Effect.gen(function* () {
  for (let turn = 0; turn < 100; turn++) yield* Effect.yieldNow
})

describe("the journal", () => {
  it.effect("gives back what was appended, in order, partition by partition", () =>
    Effect.gen(function* () {
      const server = yield* ZooKeeperMemory.makeServer
      const first = yield* open(server)
      for (let i = 1; i <= 5; i++) first.journal.append(unit(0, [received(i)]))
      first.journal.append(unit(1, [received(9)]))
      yield* first.journal.flushed
      const { records, journal } = yield* open(server)
      assert.deepStrictEqual(packetIds(records), [1, 2, 3, 4, 5])
      assert.deepStrictEqual(packetIds(yield* journal.open(1)), [9])
    })
  )

  it.effect(
    "writes what gathers while a transaction is under way in the next one, and tells in the order of the appends",
    () =>
      Effect.gen(function* () {
        const server = yield* ZooKeeperMemory.makeServer
        let transactions = 0
        const { journal } = yield* open(server, (zooKeeper) => ({
          ...zooKeeper,
          multi: (operations) => {
            transactions++
            return zooKeeper.multi(operations)
          }
        }))
        const before = transactions
        const told: Array<number> = []
        for (let i = 0; i < 1_000; i++) journal.append(unit(i % 2, [received(1)], { committed: () => told.push(i) }))
        assert.isAbove(journal.pendingBytes(), 0)
        yield* journal.flushed
        assert.deepStrictEqual(
          told,
          Array.from({ length: 1_000 }, (_, i) => i)
        )
        assert.isAtMost(transactions - before, 3)
        assert.strictEqual(journal.pendingBytes(), 0)
      })
  )

  it.effect("keeps the records and the further changes of a unit together, whatever its size", () =>
    Effect.gen(function* () {
      const server = yield* ZooKeeperMemory.makeServer
      const multis: Array<ReadonlyArray<Znode.Operation>> = []
      const { journal } = yield* open(server, (zooKeeper) => ({
        ...zooKeeper,
        multi: (operations) => {
          multis.push(operations)
          return zooKeeper.multi(operations)
        }
      }))
      yield* journal.flushed
      multis.length = 0
      const large = received(1, "x".repeat(300_000))
      for (let i = 0; i < 4; i++) {
        const mark = Znode.create(`/mark-${i}`, new Uint8Array())
        journal.append(unit(0, [large, received(i + 1)], { operations: [mark] }))
      }
      yield* journal.flushed
      for (const operations of multis) {
        const created = operations.filter(({ _tag }) => _tag === "Create")
        const marks = created.filter(({ path }) => path.startsWith("/mark")).length
        const records = created.flatMap((each) =>
          each._tag === "Create" && !each.path.startsWith("/mark") ? split(each.data) : []
        )
        assert.strictEqual(records.length, 2 * marks)
        assert.isAtMost(Znode.packetBytes(operations), 1_048_575)
      }
      assert.isAtLeast(multis.length, 2)
    })
  )

  it.effect("writes a unit once when the reply of its transaction is lost", () =>
    Effect.gen(function* () {
      const server = yield* ZooKeeperMemory.makeServer
      const first = yield* open(server)
      yield* first.journal.flushed
      let told = 0
      yield* first.faults.loseNextReply
      first.bank.charge(100)
      first.journal.append(unit(0, [received(1)], { charge: 100, committed: () => told++ }))
      yield* first.journal.flushed
      assert.strictEqual(told, 1)
      assert.strictEqual(yield* spentIn(first.zooKeeper), 100)
      assert.deepStrictEqual(packetIds((yield* open(server)).records), [1])
    })
  )

  it.effect("writes a unit again when its request is lost", () =>
    Effect.gen(function* () {
      const server = yield* ZooKeeperMemory.makeServer
      const first = yield* open(server)
      yield* first.journal.flushed
      let told = 0
      yield* first.faults.loseNextRequest
      first.journal.append(unit(0, [received(1)], { charge: 100, committed: () => told++ }))
      yield* settle
      assert.strictEqual(told, 0)
      yield* TestClock.adjust("1 second")
      yield* first.journal.flushed
      assert.strictEqual(told, 1)
      assert.strictEqual(yield* spentIn(first.zooKeeper), 100)
      assert.deepStrictEqual(packetIds((yield* open(server)).records), [1])
    })
  )

  it.effect("finds out what became of a transaction whose connection was cut, when it is back", () =>
    Effect.gen(function* () {
      const server = yield* ZooKeeperMemory.makeServer
      const first = yield* open(server)
      yield* first.journal.flushed
      yield* first.faults.loseNextReply
      const told: Array<number> = []
      first.journal.append(unit(0, [received(1)], { committed: () => told.push(1) }))
      yield* Effect.yieldNow
      yield* first.faults.suspend
      first.journal.append(unit(0, [received(2)], { committed: () => told.push(2) }))
      yield* TestClock.adjust("1 minute")
      yield* first.faults.resume
      yield* TestClock.adjust("2 seconds")
      yield* first.journal.flushed
      assert.deepStrictEqual(told, [1, 2])
      assert.deepStrictEqual(packetIds((yield* open(server)).records), [1, 2])
    })
  )

  it.effect("of a broker that has been replaced tells nobody anything, and fails", () =>
    Effect.gen(function* () {
      const server = yield* ZooKeeperMemory.makeServer
      const old = yield* open(server)
      yield* old.journal.flushed
      const next = yield* open(server)
      let told = 0
      old.journal.append(unit(0, [received(1)], { committed: () => told++ }))
      const error = yield* Effect.flip(old.journal.failure)
      assert.strictEqual(error.reason._tag, "BadVersion")
      yield* settle
      assert.strictEqual(told, 0)
      next.journal.append(unit(0, [received(2)]))
      yield* next.journal.flushed
      assert.deepStrictEqual(packetIds((yield* open(server)).records), [2])
    })
  )

  it.effect("does not take the lease of its successor for its own write when the outcome is unknown", () =>
    Effect.gen(function* () {
      const server = yield* ZooKeeperMemory.makeServer
      const old = yield* open(server)
      yield* old.journal.flushed
      yield* open(server)
      let told = 0
      yield* old.faults.loseNextRequest
      old.journal.append(unit(1, [received(1)], { committed: () => told++ }))
      const failed = yield* Effect.forkChild(Effect.flip(old.journal.failure), { startImmediately: true })
      yield* settle
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual((yield* Fiber.join(failed)).reason._tag, "BadVersion")
      assert.strictEqual(told, 0)
    })
  )

  it.effect("puts a snapshot in the place of what was appended before it, and of nothing after it", () =>
    Effect.gen(function* () {
      const server = yield* ZooKeeperMemory.makeServer
      const first = yield* open(server)
      for (let round = 0; round < 3; round++) {
        for (let i = 1; i <= 3; i++) first.journal.append(unit(0, [received(i)]))
        first.journal.compact(0, [...cut([Record.encode(received(100 + round))])], () => {})
        first.journal.append(unit(0, [received(50)]))
      }
      yield* first.journal.flushed
      const { records, zooKeeper } = yield* open(server)
      assert.deepStrictEqual(packetIds(records), [102, 50])
      assert.lengthOf(yield* zooKeeper.children(Layout.log(0)), 1)
      assert.lengthOf(yield* zooKeeper.children(Layout.snapshot(0)), 1)
    })
  )

  it.effect("can be read after a broker's end at any step of a compaction", () =>
    Effect.gen(function* () {
      const pieces = [1, 2, 3].map((n) => Record.join([Record.encode(received(1_000 + n))]))
      const outcomes = new Set<string>()
      for (let survivors = 0; ; survivors++) {
        const server = yield* ZooKeeperMemory.makeServer
        const first = yield* open(server)
        for (let i = 1; i <= 4; i++) {
          first.journal.append(unit(0, [received(i)]))
          yield* first.journal.flushed
        }
        first.journal.compact(0, pieces, () => {})
        yield* first.journal.flushed
        yield* first.close
        let left = Infinity
        const second = yield* open(server, (zooKeeper) => ({
          ...zooKeeper,
          multi: (operations) => Effect.suspend(() => (left-- > 0 ? zooKeeper.multi(operations) : Effect.never))
        }))
        assert.deepStrictEqual(packetIds(second.records), [1_001, 1_002, 1_003])
        for (let i = 5; i <= 7; i++) {
          second.journal.append(unit(0, [received(i)]))
          yield* second.journal.flushed
        }
        left = survivors
        let isDone = false
        second.journal.compact(0, pieces.slice(0, 2), () => {})
        second.journal.append(unit(0, [received(8)], { committed: () => (isDone = true) }))
        yield* settle
        const { records, zooKeeper } = yield* open(server)
        const ids = packetIds(records)
        outcomes.add(ids.join())
        assert.include(
          [[1_001, 1_002, 1_003, 5, 6, 7].join(), [1_001, 1_002].join(), [1_001, 1_002, 8].join()],
          ids.join()
        )
        const names = yield* zooKeeper.children(Layout.snapshot(0))
        assert.lengthOf(names, ids.includes(1_003) ? 3 : 2, "nothing is left lying about")
        if (isDone) break
      }
      assert.strictEqual(outcomes.size, 3)
    })
  )

  it.effect("names the znode that it cannot read", () =>
    Effect.gen(function* () {
      const server = yield* ZooKeeperMemory.makeServer
      const first = yield* open(server)
      yield* first.zooKeeper.create(Layout.segment(0, 0), Buffer.from("rubbish"))
      const error = yield* Effect.flip(first.journal.open(0))
      assert.deepInclude(error, { _tag: "JournalCorrupt", path: Layout.segment(0, 0) })
    })
  )
})

const split = (data: Uint8Array): ReadonlyArray<Record.Record> => {
  const read = Record.split(data)
  return read._tag === "Success" ? read.success : assert.fail(read.failure.message)
}

describe("cutting records into segments", () => {
  it("fills each up to its size, and gives a longer record one of its own", () => {
    const records = [10_000, 50_000, 6_000, 200_000, 1].map((length) => new Uint8Array(length))
    const lengths = [...cut(records)].map(({ length }) => length)
    assert.deepStrictEqual(lengths, [60_008, 6_004, 200_004, 5])
    assert.isAtMost(lengths[0]!, segmentBytes)
  })
})
