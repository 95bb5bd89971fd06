import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Logger, Option, type Scope, Stream } from "effect"
import * as OneBroker from "../../src/layers/OneBroker.ts"
import * as ZooKeeperMemory from "../../src/layers/ZooKeeperMemory.ts"
import { ZooKeeper } from "../../src/services/ZooKeeper.ts"

const hold = (id: string, zooKeeper: ZooKeeper["Service"], patienceMillis = 10_000) =>
  Effect.provideService(OneBroker.hold({ id, patienceMillis }), ZooKeeper, zooKeeper)

/** Waits until the tree is held by this session. */
const heldBy = (zooKeeper: ZooKeeper["Service"], other: ZooKeeper["Service"]) =>
  Effect.flatMap(zooKeeper.session, ({ id }) =>
    other.watch("/broker").pipe(
      Stream.filter((znode) => Option.isSome(znode) && znode.value.stat.ephemeralOwner === id),
      Stream.runHead
    )
  )

const live = (sentence: string, program: Effect.Effect<void, unknown, Scope.Scope>) =>
  it.live(sentence, () => Effect.provide(program, Logger.layer([])))

describe("a tree for one broker", () => {
  live(
    "refuses a second one once a crash of the first would be over, and names the first",
    Effect.gen(function* () {
      const server = yield* ZooKeeperMemory.makeServer
      const first = yield* ZooKeeperMemory.connect(server)
      const second = yield* ZooKeeperMemory.connect(server)
      yield* hold("b1", first.zooKeeper)
      const begun = performance.now()
      const error = yield* Effect.flip(hold("b2", second.zooKeeper, 100))
      assert.isAtLeast(performance.now() - begun, 99)
      assert.deepStrictEqual(error, new OneBroker.AnotherBroker({ id: "b1" }))
    })
  )

  live(
    "takes a second one as soon as the session of the first is over",
    Effect.gen(function* () {
      const server = yield* ZooKeeperMemory.makeServer
      const second = yield* ZooKeeperMemory.connect(server)
      const waiting = yield* Effect.scoped(
        Effect.gen(function* () {
          const first = yield* ZooKeeperMemory.connect(server)
          yield* hold("b1", first.zooKeeper)
          return yield* Effect.forkDetach(Effect.scoped(hold("b2", second.zooKeeper)), { startImmediately: true })
        })
      )
      yield* Fiber.join(waiting)
      const { data } = yield* second.zooKeeper.get("/broker")
      assert.strictEqual(Buffer.from(data).toString(), "b2")
    })
  )

  live(
    "is taken again by the next session of the same broker",
    Effect.gen(function* () {
      const server = yield* ZooKeeperMemory.makeServer
      const { zooKeeper, faults } = yield* ZooKeeperMemory.connect(server)
      const other = yield* ZooKeeperMemory.connect(server)
      yield* hold("b1", zooKeeper)
      yield* faults.expire
      assert.strictEqual((yield* zooKeeper.session).generation, 2)
      yield* heldBy(zooKeeper, other.zooKeeper)
    })
  )

  live(
    "is given up by a broker whose session was over, when another has taken it meanwhile",
    Effect.gen(function* () {
      const server = yield* ZooKeeperMemory.makeServer
      const first = yield* ZooKeeperMemory.connect(server)
      const second = yield* ZooKeeperMemory.connect(server)
      const isTaken = yield* Effect.forkChild(Effect.flip(yield* hold("b1", first.zooKeeper)))
      yield* first.faults.suspend
      yield* first.faults.expire
      yield* hold("b2", second.zooKeeper)
      assert.isUndefined(isTaken.pollUnsafe())
      yield* first.faults.resume
      assert.strictEqual((yield* Fiber.join(isTaken)).reason._tag, "SessionLost")
    })
  )
})
