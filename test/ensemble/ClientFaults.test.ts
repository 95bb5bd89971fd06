import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Logger, Option, Queue, type Scope, Stream } from "effect"
import { afterAll, beforeAll } from "vitest"
import { set } from "../../src/domain/zookeeper/Znode.ts"
import * as ZooKeeperClient from "../../src/layers/ZooKeeperClient.ts"
import type { Session, ZooKeeper } from "../../src/services/ZooKeeper.ts"
import { Proxy } from "./Proxy.ts"
import { isSkipped, RealEnsemble, reason } from "./RealEnsemble.ts"

const empty = new Uint8Array(0)
const sessionTimeoutMillis = 3_000
/** A session that outlives a leader's election and a start of the servers. */
const longTimeoutMillis = 20_000

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (data: Uint8Array): string => new TextDecoder().decode(data)

const next = (zk: ZooKeeper["Service"], isIt: (session: Session) => boolean) =>
  zk.sessionChanges.pipe(Stream.filter(isIt), Stream.runHead, Effect.map(Option.getOrThrow))

const isConnected = ({ state }: Session): boolean => state === "Connected"
const isSuspended = ({ state }: Session): boolean => state === "Suspended"

/** Tries until there is a connection: for what is harmless twice. */
const persistently = <A, E extends { readonly _tag: string }>(effect: Effect.Effect<A, E>) =>
  Effect.retry(Effect.andThen(Effect.sleep("20 millis"), effect), { while: isPassing })

const isPassing = (error: unknown): boolean =>
  ["ConnectionLoss", "Unavailable", "SessionLost"].includes((error as { reason: { _tag: string } }).reason._tag)

// Skipped only where ZooKeeper is not installed and CI is not set; the title says so.
describe.skipIf(isSkipped)(
  `the client under faults of three real ZooKeeper servers${reason}`,
  { timeout: 60_000 },
  () => {
    let ensemble: RealEnsemble
    let links: ReadonlyArray<Proxy>
    let chroots = 0

    beforeAll(async () => {
      ensemble = await RealEnsemble.start(3)
      links = await Promise.all([0, 1, 2].map((at) => Proxy.start(ensemble.portOf(at))))
    }, 90_000)

    afterAll(async () => {
      await Promise.all((links ?? []).map((link) => link.dispose()))
      await ensemble?.dispose()
    })

    /** Opens a session through the links. */
    const connect = (chroot: string, timeoutMillis = sessionTimeoutMillis, lastXid = 0) =>
      ZooKeeperClient.make({
        ensemble: { servers: links.map(({ port }) => ({ host: "127.0.0.1", port })), chroot },
        sessionTimeoutMillis: timeoutMillis,
        lastXid
      })

    /** The server that the only session is connected with. */
    const connected = (): number => links.findIndex(({ open }) => open > 0)

    const live = (sentence: string, program: (chroot: string) => Effect.Effect<void, unknown, Scope.Scope>) =>
      it.live(sentence, () =>
        program(`/faults/${++chroots}`).pipe(
          Effect.ensuring(
            Effect.promise(async () => {
              for (const link of links) link.become("whole")
              await ensemble.heal()
            })
          ),
          Effect.provide(Logger.layer([]))
        )
      )

    /** A session with an ephemeral and a watch goes through a fault that strikes its server, and keeps both. */
    const survives = (strike: (server: number) => Promise<void>, timeoutMillis?: number) => (chroot: string) =>
      Effect.gen(function* () {
        const zk = yield* connect(chroot, timeoutMillis)
        const before = yield* zk.session
        yield* zk.create("/e", bytes("0"), "Ephemeral")
        const seen = yield* Queue.unbounded<string>()
        yield* zk.watch("/e").pipe(
          Stream.runForEach((znode) =>
            Queue.offer(seen, Option.match(znode, { onNone: () => "", onSome: ({ data }) => text(data) }))
          ),
          Effect.forkScoped
        )
        assert.strictEqual(yield* Queue.take(seen), "0")
        yield* Effect.promise(() => strike(connected()))
        yield* next(zk, isSuspended)
        assert.strictEqual((yield* Effect.flip(zk.get("/e"))).reason._tag, "Unavailable")
        assert.deepStrictEqual(yield* next(zk, isConnected), before)
        yield* persistently(zk.set("/e", bytes("1")))
        yield* Effect.repeat(Queue.take(seen), { until: (value) => value === "1" })
        assert.strictEqual((yield* persistently(zk.get("/e"))).stat.ephemeralOwner, before.id)
      })

    /** The session's server is the leader: its links to the others are taken away until it is. */
    const atLeader = (strike: (leader: number) => Promise<void>) => (chroot: string) =>
      Effect.gen(function* () {
        const leader = yield* Effect.promise(() => ensemble.leader())
        links.forEach((link, at) => link.become(at === leader ? "whole" : "refused"))
        yield* survives(async (server) => {
          assert.strictEqual(server, leader)
          for (const link of links) link.become("whole")
          await strike(server)
        }, longTimeoutMillis / 2)(chroot)
      })

    live(
      "a killed server costs neither session nor ephemeral nor watch",
      survives((server) => ensemble.kill(server))
    )

    live(
      "a killed leader costs neither session nor ephemeral nor watch",
      atLeader((leader) => ensemble.kill(leader))
    )

    live(
      "a stopped server costs neither session nor ephemeral nor watch (2)",
      survives((server) => ensemble.pause(server))
    )

    live(
      "a stopped leader costs neither session nor ephemeral nor watch (2)",
      atLeader((leader) => ensemble.pause(leader))
    )

    live("a half-open link is left within two thirds of the timeout, and a mute server for the next (2, 3)", (chroot) =>
      Effect.gen(function* () {
        const zk = yield* connect(chroot)
        const before = yield* zk.session
        const at = connected()
        links[at]!.become("stalled")
        const begun = performance.now()
        const asked = yield* Effect.forkChild(Effect.flip(zk.create("/a", empty)), { startImmediately: true })
        yield* next(zk, isSuspended)
        assert.isBelow(performance.now() - begun, (2 / 3) * sessionTimeoutMillis + 500)
        assert.strictEqual((yield* Fiber.join(asked)).reason._tag, "ConnectionLoss")
        assert.deepStrictEqual(yield* next(zk, isConnected), before)
        assert.notStrictEqual(connected(), at)
      })
    )

    live("a reply that is cut in the middle loses what is under way, and nothing after it (4)", (chroot) =>
      Effect.gen(function* () {
        const zk = yield* connect(chroot)
        yield* zk.create("/a", new Uint8Array(50_000).fill(7))
        links[connected()]!.cutAfter(20_000)
        assert.strictEqual((yield* Effect.flip(zk.get("/a"))).reason._tag, "ConnectionLoss")
        yield* next(zk, isConnected)
        assert.deepStrictEqual(Buffer.from((yield* zk.get("/a")).data), Buffer.alloc(50_000, 7))
      })
    )

    live("an expired session is followed by the next generation, without its ephemerals (13)", (chroot) =>
      Effect.gen(function* () {
        const zk = yield* connect(chroot, 1_500)
        const other = yield* ZooKeeperClient.make({
          ensemble: { servers: [{ host: "127.0.0.1", port: ensemble.portOf(0) }], chroot },
          sessionTimeoutMillis
        })
        yield* zk.create("/members", empty)
        const names = yield* Queue.unbounded<string>()
        yield* zk.watchChildren("/members").pipe(
          Stream.runForEach((list) => Queue.offer(names, list.join())),
          Effect.forkScoped
        )
        yield* zk.create("/members/a", empty, "Ephemeral")
        yield* Effect.repeat(Queue.take(names), { until: (list) => list === "a" })
        const states = yield* zk.sessionChanges.pipe(
          Stream.takeUntil(({ generation, state }) => generation === 2 && state === "Connected"),
          Stream.map(({ generation, state }) => `${generation} ${state}`),
          Stream.runCollect,
          Effect.forkChild({ startImmediately: true })
        )
        for (const link of links) link.become("refused")
        yield* other.watchChildren("/members").pipe(
          Stream.takeUntil((list) => list.length === 0),
          Stream.runDrain
        )
        for (const link of links) link.become("whole")
        assert.deepStrictEqual(yield* Fiber.join(states), [
          "1 Connected",
          "1 Suspended",
          "1 Lost",
          "2 Connecting",
          "2 Connected"
        ])
        yield* Effect.repeat(Queue.take(names), { until: (list) => list === "" })
        const { stat } = yield* zk.create("/members/a", empty, "Ephemeral")
        assert.strictEqual(stat.ephemeralOwner, (yield* zk.session).id)
      })
    )

    const outage = (timeoutMillis: number) => (chroot: string) =>
      Effect.gen(function* () {
        const zk = yield* connect(chroot, timeoutMillis)
        const before = yield* zk.session
        yield* zk.create("/kept", bytes("1"))
        yield* zk.create("/e", empty, "Ephemeral")
        const isOver = yield* Effect.forkChild(next(zk, isSuspended), { startImmediately: true })
        yield* Effect.promise(() => Promise.all([0, 1, 2].map((at) => ensemble.kill(at))))
        yield* Fiber.join(isOver)
        const begun = performance.now()
        if (timeoutMillis < longTimeoutMillis) yield* Effect.sleep(timeoutMillis)
        yield* Effect.promise(() => ensemble.heal())
        yield* next(zk, isConnected)
        yield* persistently(zk.sync("/"))
        const after = yield* zk.session
        assert.strictEqual(text((yield* zk.get("/kept")).data), "1")
        const ephemeral = yield* zk.exists("/e")
        // The ensemble decides: with the generation stays the ephemeral.
        if (after.generation === before.generation) {
          assert.strictEqual(after.id, before.id)
          assert.strictEqual(Option.getOrThrow(ephemeral).ephemeralOwner, before.id)
        } else {
          assert.isBelow(timeoutMillis, longTimeoutMillis)
          assert.isAbove(performance.now() - begun, timeoutMillis)
        }
      })

    live("the loss of all servers for less than the timeout costs nothing", outage(longTimeoutMillis))

    live("the loss of all servers for longer costs the session at most", outage(1_500))

    live("a request that is too large disturbs none of those under way (9)", (chroot) =>
      Effect.gen(function* () {
        const zk = yield* connect(chroot)
        yield* zk.create("/a", empty)
        const small = yield* Effect.forEach(Array.from({ length: 300 }), () =>
          Effect.forkChild(zk.set("/a", new Uint8Array(1_000)), { startImmediately: true })
        )
        const half = new Uint8Array(524_288)
        const error = yield* Effect.flip(zk.multi([set("/a", half), set("/a", half)]))
        assert.strictEqual(error.reason._tag, "TooLarge")
        yield* Fiber.joinAll(small)
        assert.strictEqual((yield* zk.get("/a")).stat.version, 300)
      })
    )

    live("the numbers of requests begin again after 2^31 - 1 (10)", (chroot) =>
      Effect.gen(function* () {
        const zk = yield* connect(chroot, sessionTimeoutMillis, 2 ** 31 - 20)
        const before = connected()
        for (let at = 0; at < 40; at++) yield* zk.create(`/${at}`, empty)
        assert.strictEqual((yield* zk.children("/")).length, 40)
        assert.strictEqual(connected(), before)
      })
    )

    live("more watches than fit into one packet are set again after a gap (8)", (chroot) =>
      Effect.gen(function* () {
        const zk = yield* connect(chroot)
        const other = yield* ZooKeeperClient.make({
          ensemble: { servers: [{ host: "127.0.0.1", port: ensemble.portOf(0) }], chroot },
          sessionTimeoutMillis
        })
        const count = 4_000
        const pathOf = (at: number) => `/${String(at).padStart(300, "w")}`
        const seen = yield* Queue.unbounded<number>()
        yield* Effect.forEach(Array.from({ length: count }), (_, at) =>
          zk.watch(pathOf(at)).pipe(
            Stream.runForEach((znode) => Queue.offer(seen, Option.isSome(znode) ? at : -1)),
            Effect.forkScoped
          )
        )
        const all = (wanted: number) => Effect.repeat(Queue.take(seen), { times: wanted - 1 })
        yield* all(count)
        const gone = yield* Effect.forkChild(next(zk, isSuspended), { startImmediately: true })
        links[connected()]!.reset()
        yield* Fiber.join(gone)
        yield* next(zk, isConnected)
        for (const at of [0, 1_234, count - 1]) {
          yield* other.create(pathOf(at), empty)
          assert.strictEqual(yield* Effect.repeat(Queue.take(seen), { until: (value) => value >= 0 }), at)
        }
        assert.isTrue(isConnected(yield* zk.session))
      })
    )
  }
)
