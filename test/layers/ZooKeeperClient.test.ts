import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Logger, Option, type Scope, Stream } from "effect"
import type { Server } from "../../src/domain/zookeeper/ConnectString.ts"
import { set } from "../../src/domain/zookeeper/Znode.ts"
import * as ZooKeeperClient from "../../src/layers/ZooKeeperClient.ts"
import type { Session, ZooKeeper, ZooKeeperError } from "../../src/services/ZooKeeper.ts"
import { type Asked, ScriptedServer, types } from "../ensemble/ScriptedServer.ts"

const empty = new Uint8Array(0)
const sessionTimeoutMillis = 600

const scripted = (react: (asked: Asked) => void): Effect.Effect<ScriptedServer, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(() => ScriptedServer.start(react)),
    (server) => Effect.promise(() => server.dispose())
  )

const at = ({ port }: { readonly port: number }): Server => ({ host: "127.0.0.1", port })

const connect = (
  ...servers: ReadonlyArray<{ readonly port: number }>
): Effect.Effect<ZooKeeper["Service"], ZooKeeperError, Scope.Scope> =>
  ZooKeeperClient.make({ ensemble: { servers: servers.map(at), chroot: "" }, sessionTimeoutMillis })

const live = (sentence: string, program: Effect.Effect<void, unknown, Scope.Scope>) =>
  it.live(sentence, () => Effect.provide(program, Logger.layer([])))

const until = (zk: ZooKeeper["Service"], state: Session["state"]) =>
  zk.sessionChanges.pipe(
    Stream.filter((session) => session.state === state),
    Stream.runHead,
    Effect.map(Option.getOrThrow)
  )

const reasonOf = <A>(effect: Effect.Effect<A, ZooKeeperError>) =>
  Effect.map(Effect.flip(effect), ({ reason }) => reason)

/** Answers a request for children as a server without any does. */
const noChildren = Buffer.alloc(4 + 68)

// The numbers are those of what node-zookeeper-client does on its own connections.
describe("a client whose server fails", () => {
  live(
    "leaves a server that says nothing more within two thirds of the session timeout (2)",
    Effect.gen(function* () {
      const server = yield* scripted(() => {})
      const zk = yield* connect(server)
      server.isMute = true
      const begun = performance.now()
      const asked = yield* Effect.forkChild(reasonOf(zk.get("/a")))
      yield* until(zk, "Suspended")
      assert.isBelow(performance.now() - begun, sessionTimeoutMillis)
      assert.deepStrictEqual(yield* Fiber.join(asked), { _tag: "ConnectionLoss" })
      server.isMute = false
      assert.strictEqual((yield* until(zk, "Connected")).generation, 1)
    })
  )

  live(
    "leaves a server that answers pings and not a request within the session timeout",
    Effect.gen(function* () {
      const server = yield* scripted(() => {})
      const zk = yield* connect(server)
      const begun = performance.now()
      assert.deepStrictEqual(yield* reasonOf(zk.get("/a")), { _tag: "ConnectionLoss" })
      assert.isAbove(performance.now() - begun, sessionTimeoutMillis / 2)
      assert.isBelow(performance.now() - begun, 3 * sessionTimeoutMillis)
    })
  )

  live(
    "tries the next server when one takes the connection and does not greet (3)",
    Effect.gen(function* () {
      const mute = yield* scripted(() => {})
      mute.isMute = true
      const good = yield* scripted(({ answer }) => answer(0, noChildren))
      const zk = yield* connect(mute, good)
      // After the good one comes the mute one.
      good.reset()
      yield* until(zk, "Suspended")
      yield* until(zk, "Connected")
      assert.isAtLeast(mute.accepted, 1)
      assert.deepStrictEqual(yield* zk.children("/"), [])
    })
  )

  live(
    "is not disturbed by a reply that was cut in the middle (4), and has sent nothing twice (12)",
    Effect.gen(function* () {
      let isFirst = true
      const server = yield* scripted(({ answer, socket }) => {
        if (!isFirst) return answer(0, noChildren)
        isFirst = false
        socket.end(Buffer.from("00000080000000010000", "hex"))
      })
      const zk = yield* connect(server)
      assert.deepStrictEqual(yield* reasonOf(zk.create("/a", empty)), { _tag: "ConnectionLoss" })
      yield* until(zk, "Connected")
      assert.deepStrictEqual(yield* zk.children("/"), [])
      assert.strictEqual(server.seen.filter((type) => type === types.create2).length, 1)
    })
  )

  for (const code of [-121, -125, -127, -6, -9999]) {
    live(
      `answers with the error code ${code} that it does not know (5)`,
      Effect.gen(function* () {
        const server = yield* scripted(({ answer }) => answer(code))
        const zk = yield* connect(server)
        assert.deepStrictEqual(yield* reasonOf(zk.create("/a", empty)), { _tag: "Unknown", code })
        assert.deepStrictEqual(yield* reasonOf(zk.get("/a")), { _tag: "Unknown", code })
        assert.deepStrictEqual(yield* reasonOf(zk.multi([set("/a", empty), set("/b", empty)])), {
          _tag: "Unknown",
          code
        })
        assert.strictEqual((yield* zk.session).state, "Connected")
      })
    )
  }

  for (const [what, packet] of [
    ["a session that has moved (5)", (asked: Asked) => asked.answer(-118)],
    ["a reply that is too short", (asked: Asked) => asked.answer(0, Buffer.alloc(3))],
    ["a vector without an end", (asked: Asked) => asked.answer(0, Buffer.from("7fffffff", "hex"))],
    ["a string longer than its packet", (asked: Asked) => asked.answer(0, Buffer.from("0000000100ffffff41", "hex"))],
    ["a packet of negative length", (asked: Asked) => void asked.socket.write(Buffer.from("ffffffff", "hex"))],
    ["a packet of 2 GiB", (asked: Asked) => void asked.socket.write(Buffer.from("7fffffff00", "hex"))],
    [
      "an answer to another request",
      (asked: Asked) => void asked.socket.write(Buffer.from(`00000010${"00".repeat(16)}`, "hex"))
    ]
  ] as const) {
    live(
      `ends the connection, and nothing else, at ${what}`,
      Effect.gen(function* () {
        let isFirst = true
        const server = yield* scripted((asked) => {
          if (isFirst) packet(asked)
          else asked.answer(0, noChildren)
          isFirst = false
        })
        const zk = yield* connect(server)
        assert.deepStrictEqual(yield* reasonOf(zk.children("/")), { _tag: "ConnectionLoss" })
        yield* until(zk, "Connected")
        assert.deepStrictEqual(yield* zk.children("/"), [])
        assert.strictEqual((yield* zk.session).generation, 1)
      })
    )
  }

  live(
    "is not connected any more where an operation fails for the connection, nor asks in a loop (6, 14)",
    Effect.gen(function* () {
      const server = yield* scripted(({ socket }) => socket.destroy())
      const zk = yield* connect(server)
      const failing = Effect.flatMap(reasonOf(zk.get("/a")), (reason) =>
        Effect.map(zk.session, ({ state }) => `${reason._tag} ${state}`)
      )
      const both = Effect.andThen(failing, failing)
      assert.strictEqual(yield* both, "Unavailable Suspended")
    })
  )

  live(
    "pings while events come in (7)",
    Effect.gen(function* () {
      const server = yield* scripted(() => {})
      const zk = yield* connect(server)
      const pings = () => server.seen.filter((type) => type === types.ping).length
      yield* Effect.repeat(
        Effect.andThen(
          Effect.sync(() => server.notify("/a")),
          Effect.sleep("10 millis")
        ),
        { until: () => pings() >= 4 }
      ).pipe(Effect.timeout(3 * sessionTimeoutMillis))
      assert.strictEqual((yield* zk.session).state, "Connected")
      assert.strictEqual(server.accepted, 1)
    })
  )

  live(
    "has 200 requests under way, and the others wait, also for the end (14)",
    Effect.gen(function* () {
      const underWay = yield* Deferred.make<void>()
      let asked = 0
      const server = yield* scripted(() => {
        if (++asked === 200) Deferred.doneUnsafe(underWay, Effect.void)
      })
      const zk = yield* connect(server)
      const fibers = yield* Effect.forEach(Array.from({ length: 1_000 }), () =>
        Effect.forkChild(reasonOf(zk.create("/a", empty)), { startImmediately: true })
      )
      yield* Deferred.await(underWay)
      server.reset()
      const reasons = (yield* Fiber.joinAll(fibers)).map(({ _tag }) => _tag)
      assert.strictEqual(asked, 200)
      assert.strictEqual(reasons.filter((tag) => tag === "ConnectionLoss").length, 200)
      assert.strictEqual(reasons.filter((tag) => tag === "Unavailable").length, 800)
    })
  )
})

describe("a client that ends", () => {
  live(
    "before there is a server, ends at once (11)",
    Effect.gen(function* () {
      const gone = yield* Effect.scoped(scripted(() => {}))
      const opening = yield* Effect.forkChild(Effect.scoped(connect(gone)), { startImmediately: true })
      yield* Fiber.interrupt(opening)
      const mute = yield* scripted(() => {})
      mute.isMute = true
      const waiting = yield* Effect.forkChild(Effect.scoped(connect(mute)), { startImmediately: true })
      yield* Effect.repeat(Effect.sleep("5 millis"), { until: () => mute.accepted > 0 })
      yield* Fiber.interrupt(waiting)
      assert.isUndefined(mute.seen[0])
    })
  )

  live(
    "by an interruption closes its session, too",
    Effect.gen(function* () {
      const isOpen = yield* Deferred.make<void>()
      const server = yield* scripted(() => {})
      const opened = Effect.andThen(connect(server), Deferred.succeed(isOpen, undefined))
      const fiber = yield* Effect.forkChild(Effect.scoped(Effect.andThen(opened, Effect.never)))
      yield* Deferred.await(isOpen)
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(server.seen.at(-1), types.close)
    })
  )

  live(
    "answers whoever still waits, and closes its session (11)",
    Effect.gen(function* () {
      const hasCome = yield* Deferred.make<void>()
      const server = yield* scripted(() => void Deferred.doneUnsafe(hasCome, Effect.void))
      const asked = yield* Effect.scoped(
        Effect.gen(function* () {
          const zk = yield* connect(server)
          const fiber = yield* Effect.forkDetach(reasonOf(zk.get("/a")), { startImmediately: true })
          yield* Deferred.await(hasCome)
          return fiber
        })
      )
      assert.deepStrictEqual(yield* Fiber.join(asked), { _tag: "ConnectionLoss" })
      assert.strictEqual(server.seen.at(-1), types.close)
    })
  )
})
