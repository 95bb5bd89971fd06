import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import { fnv1a } from "../../src/domain/Hash.ts"
import type { Message } from "../../src/domain/Message.ts"
import { TopicFilter } from "../../src/domain/topic/TopicFilter.ts"
import * as ZooKeeperMemory from "../../src/layers/ZooKeeperMemory.ts"
import type { Server } from "../../src/layers/ZooKeeperServer.ts"
import { Bank } from "../../src/services/Bank.ts"
import { Configuration } from "../../src/services/Configuration.ts"
import { Journal } from "../../src/services/Journal.ts"
import * as Layout from "../../src/services/Layout.ts"
import { Passes } from "../../src/services/Passes.ts"
import { Retained } from "../../src/services/Retained.ts"
import { SharedClock } from "../../src/services/SharedClock.ts"
import { ZooKeeper } from "../../src/services/ZooKeeper.ts"
import { messageOf } from "../domain/messages.ts"

const limits = { retained: { payload: "1 KiB", messages: 5 } }
const capital = 1_048_576

const open = Effect.fnUntraced(function* (server: Server) {
  const scope = yield* Effect.acquireRelease(Scope.make(), (made) => Scope.close(made, Exit.void))
  const { zooKeeper } = yield* Scope.provide(scope)(ZooKeeperMemory.connect(server))
  const services = yield* Layer.buildWithScope(
    Retained.layer.pipe(
      Layer.provideMerge(Journal.layer),
      Layer.provideMerge(Bank.layer),
      Layer.provideMerge(Passes.layer),
      Layer.provide(SharedClock.layerLocal),
      Layer.provide(Configuration.layer({ partitions: 1, bank: { capital: "1 MiB" }, limits })),
      Layer.provide(Layer.succeed(ZooKeeper, zooKeeper))
    ),
    scope
  )
  const retained = Context.get(services, Retained)
  const bank = Context.get(services, Bank)
  const passes = Context.get(services, Passes)
  bank.opened(retained.charge())
  yield* Effect.forkChild(Effect.forever(Effect.map(passes.take, (work) => work.forEach((run) => run()))), {
    startImmediately: true
  })
  const found = (filter: string, now = 0): ReadonlyArray<string> => {
    const seen: Array<string> = []
    retained.matching(Schema.decodeSync(TopicFilter)(filter), now, ({ topic, payload }) => {
      seen.push(`${topic}=${Buffer.from(payload).toString()}`)
    })
    return seen.sort()
  }
  const topics = Effect.gen(function* () {
    let count = 0
    for (let bucket = 0; bucket < Layout.topicBuckets; bucket++) {
      count += (yield* zooKeeper.children(Layout.topicBucket(bucket))).length
    }
    return count
  })
  return { retained, bank, found, topics, flushed: Context.get(services, Journal).flushed }
})

const message = (topic: string, payload: string, more: Partial<Message> = {}): Message =>
  messageOf(payload, { topic, retain: true, ...more })

const noted = (): void => {}

/** Two topics whose hashes are equal. */
const colliding = ((): readonly [string, string] => {
  const seen = new Map<number, string>()
  for (let i = 0; ; i++) {
    const topic = `topic/${i}`
    const other = seen.get(fnv1a(topic))
    if (other !== undefined) return [other, topic]
    seen.set(fnv1a(topic), topic)
  }
})()

describe("retained messages", () => {
  it.effect("are the last one of each topic, for this broker and the next", () =>
    Effect.gen(function* () {
      const server = yield* ZooKeeperMemory.makeServer
      const first = yield* open(server)
      first.retained.put(message("a/b", "1"), noted)
      first.retained.put(message("a/c", "2"), noted)
      first.retained.put(message("a/b", "3"), noted)
      first.retained.put(message("x", "4"), noted)
      first.retained.put(message("x", ""), noted)
      assert.deepStrictEqual(first.found("#"), ["a/b=3", "a/c=2"])
      yield* first.flushed
      const second = yield* open(server)
      assert.deepStrictEqual(second.found("a/+"), ["a/b=3", "a/c=2"])
      assert.strictEqual(second.retained.count(), 2)
      assert.strictEqual(second.retained.charge(), first.retained.charge())
      assert.strictEqual(second.bank.free(), first.bank.free())
    })
  )

  it.effect("give back what an overwritten, a removed and an expired one had cost", () =>
    Effect.gen(function* () {
      const { retained, bank, found, topics, flushed } = yield* open(yield* ZooKeeperMemory.makeServer)
      retained.put(message("t", "x".repeat(500)), noted)
      const long = bank.free()
      retained.put(message("t", "x"), noted)
      assert.strictEqual(bank.free(), long + 499)
      retained.put(message("u", "y", { expiresAt: 5_000 }), noted)
      assert.deepStrictEqual(found("u", 4_999), ["u=y"])
      assert.deepStrictEqual(found("u", 5_000), [])
      yield* TestClock.adjust("5 seconds")
      retained.sweep(5_000)
      assert.strictEqual(retained.count(), 1)
      retained.put(message("t", ""), noted)
      retained.put(message("never/there", ""), noted)
      assert.strictEqual(bank.free(), capital)
      assert.strictEqual(retained.charge(), 0)
      yield* flushed
      assert.strictEqual(yield* topics, 0)
    })
  )

  it.effect("that are overwritten by one without expiry do not expire", () =>
    Effect.gen(function* () {
      const { retained, found } = yield* open(yield* ZooKeeperMemory.makeServer)
      retained.put(message("t", "short", { expiresAt: 5_000 }), noted)
      retained.put(message("t", "long"), noted)
      retained.sweep(60_000)
      assert.deepStrictEqual(found("t", 60_000), ["t=long"])
    })
  )

  it.effect("of topics with the same hash have a znode each, through any order of changes", () =>
    Effect.gen(function* () {
      const server = yield* ZooKeeperMemory.makeServer
      const [a, z] = colliding
      const first = yield* open(server)
      first.retained.put(message(a, "1"), noted)
      first.retained.put(message(z, "2"), noted)
      first.retained.put(message(a, ""), noted)
      first.retained.put(message(a, "3"), noted)
      yield* first.flushed
      const second = yield* open(server)
      assert.deepStrictEqual(second.found("#"), [`${a}=3`, `${z}=2`].sort())
      second.retained.put(message(a, ""), noted)
      second.retained.put(message(z, "4"), noted)
      yield* second.flushed
      const third = yield* open(server)
      assert.deepStrictEqual(third.found("#"), [`${z}=4`])
      assert.strictEqual(yield* third.topics, 1)
    })
  )

  it.effect("are limited in length, in number and by credit, but may always be removed", () =>
    Effect.gen(function* () {
      const { retained, bank } = yield* open(yield* ZooKeeperMemory.makeServer)
      assert.strictEqual(retained.refusal(message("t", "x".repeat(1_025)), 0), "PacketTooLarge")
      for (let i = 0; i < 5; i++) {
        assert.isUndefined(retained.refusal(message(`t/${i}`, "x"), 0))
        retained.put(message(`t/${i}`, "x"), noted)
      }
      assert.strictEqual(retained.refusal(message("t/5", "x"), 0), "QuotaExceeded")
      assert.isUndefined(retained.refusal(message("t/4", "longer"), 0))
      assert.strictEqual(retained.refusal(message("t/4", "longer"), bank.free()), "QuotaExceeded")
      bank.charge(bank.free())
      assert.strictEqual(retained.refusal(message("t/4", "longer"), 0), "QuotaExceeded")
      assert.isUndefined(retained.refusal(message("t/4", "y"), 0))
      assert.isUndefined(retained.refusal(message("t/4", ""), 0))
    })
  )

  it.effect("tell when they are durable, in order", () =>
    Effect.gen(function* () {
      const { retained, flushed } = yield* open(yield* ZooKeeperMemory.makeServer)
      const told: Array<number> = []
      for (const [n, payload] of ["a", "b", "", "", "c"].entries()) {
        retained.put(message("t", payload), () => told.push(n))
      }
      assert.deepStrictEqual(told, [])
      yield* flushed
      assert.deepStrictEqual(told, [0, 1, 2, 3, 4])
    })
  )
})
