import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Option, Queue, type Scope, Stream } from "effect"
import { set } from "../../../src/domain/zookeeper/Znode.ts"
import type { Dial } from "../../../src/layers/zookeeper/Client.ts"
import type { ClientMessage, ServerMessage } from "../../../src/layers/zookeeper/Protocol.ts"
import * as ZooKeeperSimulated from "../../../src/layers/simulation/zookeeper/ZooKeeperSimulated.ts"
import * as Service from "../../../src/layers/zookeeper/Service.ts"
import type { Session, ZooKeeper, ZooKeeperError } from "../../../src/services/ZooKeeper.ts"
import { subjectOf, zooKeeperContractIn } from "../../contract/ZooKeeperContract.ts"
import { maximumPacketBytes, sessionTimeoutMillis, World } from "./ZooKeeperWorld.ts"

/** One schedule of each kind. */
const schedules = [
  { seed: 1, policy: "fifo", preemption: 0 },
  { seed: 2, policy: "random", preemption: 0.02 },
  { seed: 3, policy: "priorities", preemption: 0.1 }
] as const

zooKeeperContractIn("simulated", (sentence, program) =>
  it.each(schedules)(`${sentence} ($policy)`, (schedule) => {
    const world = new World(schedule)
    const layer = ZooKeeperSimulated.layer(world.network, world.process("broker-1"), {
      servers: world.ensemble.hosts,
      sessionTimeoutMillis
    })
    assert.doesNotThrow(() => world.run("broker-1", program(subjectOf(layer, maximumPacketBytes))))
  })
)

const empty = new Uint8Array(0)
const seeds = [1, 2, 3, 4, 5, 6, 7, 8]

const reasonOf = <A>(effect: Effect.Effect<A, ZooKeeperError>) =>
  Effect.map(Effect.flip(effect), (error) => error.reason._tag)

const untilSession = (zk: ZooKeeper["Service"], isIt: (session: Session) => boolean) =>
  zk.sessionChanges.pipe(Stream.filter(isIt), Stream.runHead, Effect.map(Option.getOrThrow))

const isConnected = ({ state }: Session): boolean => state === "Connected"
const isSuspended = ({ state }: Session): boolean => state === "Suspended"

/** Collects how the session stands, from now until it is connected under a generation. */
const statesUntil = (zk: ZooKeeper["Service"], generation: number) =>
  zk.sessionChanges.pipe(
    Stream.takeUntil((session) => session.generation === generation && session.state === "Connected"),
    Stream.map((session) => `${session.generation} ${session.state}`),
    Stream.runCollect,
    Effect.forkChild({ startImmediately: true })
  )

/** A property of programs of a host, for several schedules. */
const property = (sentence: string, program: (world: World) => Effect.Effect<void, unknown, Scope.Scope>) =>
  it.each(seeds)(`${sentence} (seed %i)`, (seed) => {
    const world = new World({ seed, preemption: seed % 2 === 0 ? 0.05 : 0 })
    assert.doesNotThrow(() => world.run("broker-1", program(world)))
  })

describe("simulated: sessions under faults", () => {
  property("an expired session is lost, and the next generation follows", (world) =>
    Effect.gen(function* () {
      const zk = yield* world.connect("broker-1")
      yield* zk.create("/e", empty, "Ephemeral")
      const states = yield* statesUntil(zk, 2)
      world.ensemble.expire("broker-1")
      const seen = yield* Fiber.join(states)
      assert.deepStrictEqual(seen.slice(-3), ["1 Lost", "2 Connecting", "2 Connected"])
      assert.deepStrictEqual(yield* zk.exists("/e"), Option.none())
      const { stat } = yield* zk.create("/e", empty, "Ephemeral")
      assert.strictEqual(stat.ephemeralOwner, (yield* zk.session).id)
      assert.strictEqual(world.ensemble.view().sessions, 1)
    })
  )

  property("while there is no leader nothing is sent, and the same session goes on afterwards", (world) =>
    Effect.gen(function* () {
      const zk = yield* world.connect("broker-1")
      yield* zk.create("/e", empty, "Ephemeral")
      const { id } = yield* zk.session
      world.ensemble.loseLeader(sessionTimeoutMillis * 2 * 1000)
      yield* untilSession(zk, isSuspended)
      assert.strictEqual(yield* reasonOf(zk.create("/x", empty)), "Unavailable")
      assert.strictEqual(yield* reasonOf(zk.get("/e")), "Unavailable")
      const { generation, id: later } = yield* untilSession(zk, isConnected)
      assert.deepStrictEqual([generation, later], [1, id])
      assert.isTrue(Option.isSome(yield* zk.exists("/e")))
      assert.deepStrictEqual(yield* zk.exists("/x"), Option.none())
    })
  )

  property("a server that stands still is given up after two thirds of the timeout, and the session moves", (world) =>
    Effect.gen(function* () {
      const { ensemble, kernel } = world
      // A follower, of which the others need not take notice before the client does.
      const follower = (ensemble.leader! + 1) % 3
      const others = ensemble.hosts.filter((_, at) => at !== follower)
      for (const host of others) world.network.cut("broker-1", host)
      const zk = yield* world.connect("broker-1")
      for (const host of others) world.network.mend("broker-1", host)
      const { id } = yield* zk.session
      const began = kernel.now
      ensemble.pause(follower)
      yield* untilSession(zk, isSuspended)
      const given = (kernel.now - began) / 1000
      assert.isAtMost(given, (2 / 3) * sessionTimeoutMillis + 1)
      assert.isAtLeast(given, (1 / 3) * sessionTimeoutMillis - 1)
      ensemble.heal()
      assert.strictEqual((yield* untilSession(zk, isConnected)).id, id)
    })
  )

  property("a lost reply leaves the outcome unknown, and the write has happened", (world) =>
    Effect.gen(function* () {
      const zk = yield* world.connect("broker-1")
      world.ensemble.loseReplies(1)
      assert.strictEqual(yield* reasonOf(zk.create("/a", empty)), "ConnectionLoss")
      world.ensemble.loseReplies(0)
      assert.strictEqual((yield* zk.session).state, "Suspended")
      yield* untilSession(zk, isConnected)
      yield* zk.sync("/")
      assert.isTrue(Option.isSome(yield* zk.exists("/a")))
    })
  )

  property("without a quorum nothing is acknowledged, and all goes on when there is one again", (world) =>
    Effect.gen(function* () {
      const { ensemble } = world
      const zk = yield* world.connect("broker-1")
      const { id } = yield* zk.session
      ensemble.kill(0)
      ensemble.kill(1)
      yield* untilSession(zk, isSuspended)
      yield* Effect.sleep("20 seconds")
      assert.strictEqual(yield* reasonOf(zk.create("/a", empty)), "Unavailable")
      assert.isFalse(ensemble.view().hasLeader)
      ensemble.restart(1)
      assert.strictEqual((yield* untilSession(zk, isConnected)).id, id)
      yield* zk.create("/a", empty)
      ensemble.restart(0)
      ensemble.kill(2)
      yield* Effect.sleep("5 seconds")
      yield* untilSession(zk, isConnected)
      yield* zk.sync("/")
      assert.isTrue(Option.isSome(yield* zk.exists("/a")))
    })
  )

  property("a session that comes back to a server that lags finds what was committed before, without a sync", (world) =>
    Effect.gen(function* () {
      const { ensemble, network } = world
      const lagging = ensemble.hosts[2]!
      const other = yield* world.connect("broker-1", ensemble.hosts.slice(0, 2))
      const zk = yield* world.connect("broker-1", [lagging])
      ensemble.lag(2, 500_000)
      yield* other.create("/a", empty)
      assert.deepStrictEqual(yield* zk.exists("/a"), Option.none())
      network.resetAll("broker-1", lagging)
      yield* untilSession(zk, isSuspended)
      yield* untilSession(zk, isConnected)
      assert.isTrue(Option.isSome(yield* zk.exists("/a")))
    })
  )

  property(
    "a request that is too large for the server costs the connection, and what was under way is unknown",
    (world) =>
      Effect.gen(function* () {
        const dial = ZooKeeperSimulated.dialOver(world.network, world.process("broker-1"))
        const options = { servers: world.ensemble.hosts, sessionTimeoutMillis, maximumPacketBytes: 10_000_000 }
        const zk = yield* Service.make(dial, options)
        yield* zk.create("/a", empty)
        const tooLarge = new Uint8Array(maximumPacketBytes)
        assert.strictEqual(yield* reasonOf(zk.multi([set("/a", tooLarge)])), "ConnectionLoss")
        yield* untilSession(zk, isConnected)
        assert.strictEqual((yield* zk.get("/a")).stat.version, 0)
      })
  )

  property("of a thousand requests at once, two hundred are under way and the others wait", (world) =>
    Effect.gen(function* () {
      const dial = ZooKeeperSimulated.dialOver(world.network, world.process("broker-1"))
      let underWay = 0
      let most = 0
      const counting: Dial = (server, handlers) => {
        const message = (received: ServerMessage) => {
          if (received._tag === "Reply") underWay--
          handlers.message(received)
        }
        const wire = dial(server, { ...handlers, message })
        const send = (message: ClientMessage) => {
          if (message._tag === "Ask") most = Math.max(most, ++underWay)
          wire.send(message)
        }
        return { ...wire, send }
      }
      const zk = yield* Service.make(counting, { servers: world.ensemble.hosts, sessionTimeoutMillis })
      yield* zk.create("/p", empty)
      const paths = Array.from({ length: 1000 }, (_, at) => `/p/${at}`)
      yield* Effect.forEach(paths, (path) => zk.create(path, empty), { concurrency: "unbounded" })
      assert.strictEqual((yield* zk.children("/p")).length, 1000)
      assert.strictEqual(most, 200)
    })
  )

  property("a closed session leaves nothing, nor does a watch whose reader is gone", (world) =>
    Effect.gen(function* () {
      const { ensemble } = world
      const zk = yield* world.connect("broker-1")
      yield* Effect.scoped(
        Effect.gen(function* () {
          const other = yield* world.connect("broker-1")
          yield* other.create("/e", empty, "Ephemeral")
          yield* Stream.runHead(other.watch("/e"))
          yield* Stream.runHead(other.watchChildren("/"))
          const seen = yield* Queue.unbounded<unknown>()
          yield* Effect.forkScoped(Stream.runForEach(other.watch("/x"), (value) => Queue.offer(seen, value)))
          yield* Queue.take(seen)
          yield* other.sync("/")
          assert.strictEqual(ensemble.view().watches, 1)
          assert.strictEqual(ensemble.view().sessions, 2)
        })
      )
      yield* zk.sync("/")
      const { sessions, watches, znodes } = ensemble.view()
      assert.deepStrictEqual({ sessions, watches, znodes }, { sessions: 1, watches: 0, znodes: 1 })
    })
  )

  it.each(seeds)("a session whose process dies without a word ends after its timeout, not before (seed %i)", (seed) => {
    const world = new World({ seed })
    world.start(
      "broker-1",
      Effect.gen(function* () {
        const zk = yield* world.connect("broker-1")
        yield* zk.create("/e", empty, "Ephemeral")
        return yield* Effect.never
      })
    )
    world.pass(20)
    const hasEphemeral = () => world.ensemble.committedTree().nodes.has("/e")
    assert.isTrue(hasEphemeral())
    world.process("broker-1").crash(seed % 2 === 0 ? "power" : "kill")
    // Its last word was a ping, a third of the timeout ago at most.
    world.pass((sessionTimeoutMillis / 1000) * (2 / 3))
    assert.isTrue(hasEphemeral())
    world.pass((sessionTimeoutMillis / 1000) * (1 / 3) + 1)
    assert.isFalse(hasEphemeral())
    assert.strictEqual(world.ensemble.view().sessions, 0)
  })
})
