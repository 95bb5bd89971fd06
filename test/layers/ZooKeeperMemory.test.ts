import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Option, Queue, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as ZooKeeperMemory from "../../src/layers/ZooKeeperMemory.ts"
import { ZooKeeper, type ZooKeeperError } from "../../src/services/ZooKeeper.ts"
import { subjectOf, zooKeeperContract } from "../contract/ZooKeeperContract.ts"

zooKeeperContract(
  "in memory",
  Effect.map(ZooKeeperMemory.makeServer, (server) => subjectOf(ZooKeeperMemory.layerSession(server), 1_048_575))
)

const empty = new Uint8Array(0)

/** A server with two sessions: one to be hurt, one that looks on. */
const setUp = Effect.gen(function* () {
  const server = yield* ZooKeeperMemory.makeServer
  const { zooKeeper: zk, faults } = yield* ZooKeeperMemory.connect(server)
  const { zooKeeper: other } = yield* ZooKeeperMemory.connect(server)
  return { server, zk, faults, other }
})

const reasonOf = <A>(effect: Effect.Effect<A, ZooKeeperError>) =>
  Effect.map(Effect.flip(effect), (error) => error.reason._tag)

describe("in memory: faults", () => {
  it.effect("an expired session loses its ephemerals, and the next generation follows", () =>
    Effect.gen(function* () {
      const { zk, faults, other } = yield* setUp
      yield* zk.create("/e", empty, "Ephemeral")
      const before = yield* zk.session
      const states = yield* zk.sessionChanges.pipe(
        Stream.takeUntil(({ generation, state }) => generation === 2 && state === "Connected"),
        Stream.map(({ generation, state }) => `${generation} ${state}`),
        Stream.runCollect,
        Effect.forkChild({ startImmediately: true })
      )
      yield* faults.expire
      assert.deepStrictEqual(yield* other.exists("/e"), Option.none())
      const after = yield* zk.session
      assert.strictEqual(after.generation, 2)
      assert.strictEqual(after.state, "Connected")
      assert.notStrictEqual(after.id, before.id)
      assert.deepStrictEqual(yield* Fiber.join(states), ["1 Connected", "1 Lost", "2 Connecting", "2 Connected"])
      assert.strictEqual((yield* zk.create("/e", empty, "Ephemeral")).stat.ephemeralOwner, after.id)
    })
  )

  it.effect("a session that the server ends from its side is lost just so", () =>
    Effect.gen(function* () {
      const { server, zk, other } = yield* setUp
      yield* zk.create("/e", empty, "Ephemeral")
      yield* server.closeSession((yield* zk.session).id)
      yield* zk.sessionChanges.pipe(
        Stream.takeUntil(({ generation, state }) => generation === 2 && state === "Connected"),
        Stream.runDrain
      )
      assert.deepStrictEqual(yield* other.exists("/e"), Option.none())
    })
  )

  it.effect("while suspended nothing is sent, and the same session goes on afterwards", () =>
    Effect.gen(function* () {
      const { zk, faults, other } = yield* setUp
      yield* zk.create("/e", empty, "Ephemeral")
      const { id } = yield* zk.session
      yield* faults.suspend
      assert.strictEqual((yield* zk.session).state, "Suspended")
      assert.strictEqual(yield* reasonOf(zk.create("/x", empty)), "Unavailable")
      assert.strictEqual(yield* reasonOf(zk.get("/e")), "Unavailable")
      assert.isTrue(Option.isSome(yield* other.exists("/e")))
      yield* faults.resume
      assert.deepStrictEqual(yield* zk.session, { id, generation: 1, state: "Connected" })
      assert.deepStrictEqual(yield* zk.exists("/x"), Option.none())
    })
  )

  it.effect("a session that expires while suspended learns it when it is back", () =>
    Effect.gen(function* () {
      const { zk, faults, other } = yield* setUp
      yield* zk.create("/e", empty, "Ephemeral")
      yield* faults.suspend
      yield* faults.expire
      assert.deepStrictEqual(yield* other.exists("/e"), Option.none())
      assert.strictEqual((yield* zk.session).state, "Suspended")
      yield* faults.resume
      const session = yield* zk.sessionChanges.pipe(
        Stream.filter(({ state }) => state === "Connected"),
        Stream.runHead
      )
      assert.strictEqual(Option.getOrThrow(session).generation, 2)
    })
  )

  it.effect("what is under way when the connection is cut has an unknown outcome", () =>
    Effect.gen(function* () {
      const { zk, faults, other } = yield* setUp
      const write = yield* Effect.forkChild(reasonOf(zk.create("/a", empty)), { startImmediately: true })
      yield* faults.suspend
      assert.strictEqual(yield* Fiber.join(write), "ConnectionLoss")
      yield* other.sync("/a")
      assert.isTrue(Option.isSome(yield* other.exists("/a")))
    })
  )

  it.effect("a lost reply and a lost request look the same, and only one was applied", () =>
    Effect.gen(function* () {
      const { zk, faults, other } = yield* setUp
      yield* faults.loseNextReply
      assert.strictEqual(yield* reasonOf(zk.create("/applied", empty)), "ConnectionLoss")
      yield* faults.loseNextRequest
      assert.strictEqual(yield* reasonOf(zk.create("/lost", empty)), "ConnectionLoss")
      yield* zk.create("/next", empty)
      assert.deepStrictEqual(yield* other.children("/"), ["applied", "next"])
    })
  )

  it.effect("a watch waits while suspended and shows the latest afterwards, also to the next session", () =>
    Effect.gen(function* () {
      const { zk, faults, other } = yield* setUp
      const seen = yield* Queue.unbounded<number>()
      yield* zk.watch("/a").pipe(
        Stream.runForEach((znode) => Queue.offer(seen, Option.isSome(znode) ? znode.value.stat.version : -1)),
        Effect.forkScoped
      )
      assert.strictEqual(yield* Queue.take(seen), -1)
      yield* faults.suspend
      yield* other.create("/a", empty)
      yield* other.set("/a", empty)
      yield* other.set("/a", empty)
      for (let turn = 0; turn < 20; turn++) yield* Effect.yieldNow
      assert.strictEqual(yield* Queue.size(seen), 0)
      yield* faults.resume
      assert.strictEqual(yield* Queue.take(seen), 2)
      yield* faults.suspend
      yield* faults.expire
      yield* other.set("/a", empty)
      yield* faults.resume
      assert.strictEqual(yield* Queue.take(seen), 3)
    })
  )

  it.effect("a watch whose reader is gone is removed", () =>
    Effect.gen(function* () {
      const { server, zk } = yield* setUp
      yield* Stream.runHead(zk.watch("/a"))
      yield* Stream.runHead(zk.watchChildren("/"))
      const fiber = yield* Effect.forkChild(Stream.runDrain(zk.watch("/a")), { startImmediately: true })
      assert.strictEqual(server.watchCount(), 1)
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(server.watchCount(), 0)
    })
  )

  it.effect("a closed layer removes its watches, leaves no session and takes no more requests", () =>
    Effect.gen(function* () {
      const { server } = yield* setUp
      const [closed, id] = yield* Effect.scoped(
        Effect.gen(function* () {
          const { zooKeeper } = yield* ZooKeeperMemory.connect(server)
          yield* Effect.forkDetach(Stream.runDrain(zooKeeper.watch("/a")), { startImmediately: true })
          assert.strictEqual(server.watchCount(), 1)
          return [zooKeeper, (yield* zooKeeper.session).id] as const
        })
      )
      for (let turn = 0; turn < 20; turn++) yield* Effect.yieldNow
      assert.strictEqual(server.watchCount(), 0)
      assert.isFalse(server.isOpen(id))
      assert.strictEqual(yield* reasonOf(closed.create("/a", empty)), "Unavailable")
    })
  )

  it.effect("the time of a write is that of the server's clock", () =>
    Effect.gen(function* () {
      const { zk } = yield* setUp
      yield* TestClock.setTime(1_000_000)
      const { stat } = yield* zk.create("/a", empty)
      yield* TestClock.adjust("3 seconds")
      const second = yield* zk.set("/a", empty)
      assert.deepStrictEqual([stat.ctime, stat.mtime, second.ctime, second.mtime], [1e6, 1e6, 1e6, 1_003_000])
    })
  )
})

it.effect("a layer alone has a server of its own", () =>
  Effect.gen(function* () {
    const use = Effect.gen(function* () {
      const zk = yield* ZooKeeper
      yield* zk.create("/a", empty)
      return yield* zk.children("/")
    }).pipe(Effect.provide(ZooKeeperMemory.layer))
    assert.deepStrictEqual(yield* use, ["a"])
    assert.deepStrictEqual(yield* use, ["a"])
  })
)
