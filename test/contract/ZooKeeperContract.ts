/**
 * What every layer of the ZooKeeper service does, as a suite over a factory of layers.
 *
 * A layer under test needs a server with an empty tree (for an ensemble: a chroot of its own). Tests wait for what they
 * mean, never for a time, so the suite runs against a server on a network as well.
 */
import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Fiber, Layer, Option, Queue, Schema, type Scope, Stream } from "effect"
import {
  check,
  create,
  type Operation,
  packetBytes,
  remove,
  set,
  type Znode
} from "../../src/domain/zookeeper/Znode.ts"
import { Stat } from "../../src/domain/zookeeper/Znode.ts"
import { ZooKeeper, type ZooKeeperError, type ZooKeeperReason } from "../../src/services/ZooKeeper.ts"

/** A server that the suite can open sessions with, each of which ends with its scope. */
export interface Subject {
  readonly connect: Effect.Effect<ZooKeeper["Service"], never, Scope.Scope>
  /** The largest request that the server takes, in bytes. */
  readonly maximumPacketBytes: number
  /** What stands before each path in a packet; nothing by default. */
  readonly chroot?: string
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (data: Uint8Array): string => new TextDecoder().decode(data)
const empty = new Uint8Array(0)

const reasonOf = <A>(effect: Effect.Effect<A, ZooKeeperError>): Effect.Effect<ZooKeeperReason["_tag"], A> =>
  Effect.map(Effect.flip(effect), (error) => error.reason._tag)

/** Puts what a stream emits into a queue, for as long as the scope lasts. */
const observe = <A>(stream: Stream.Stream<A, ZooKeeperError>) =>
  Effect.gen(function* () {
    const seen = yield* Queue.unbounded<A>()
    const fiber = yield* Effect.forkScoped(Stream.runForEach(stream, (value) => Queue.offer(seen, value)))
    return { fiber, seen, until: (isIt: (value: A) => boolean) => takeUntil(seen, isIt) }
  })

const takeUntil = <A>(seen: Queue.Queue<A>, isIt: (value: A) => boolean): Effect.Effect<A> =>
  Effect.repeat(Queue.take(seen), { until: isIt })

const holds =
  (expected: string) =>
  (znode: Option.Option<Znode>): boolean =>
    Option.isSome(znode) && text(znode.value.data) === expected

/** Declares a test whose body is a program that needs a server of its own, and says how it is run. */
export type Declare = (
  sentence: string,
  program: (subject: Subject) => Effect.Effect<void, unknown, Scope.Scope>
) => void

/** Runs the suite. Each test gets a server of its own from `makeSubject`. */
export const zooKeeperContract = (name: string, makeSubject: Effect.Effect<Subject, unknown, Scope.Scope>): void =>
  zooKeeperContractIn(name, (sentence, program) => it.effect(sentence, () => Effect.flatMap(makeSubject, program)))

/** The suite in a world of its own: `declare` makes the server, and runs the program where the server is. */
export const zooKeeperContractIn = (name: string, declare: Declare): void => {
  const test = (
    sentence: string,
    body: (zooKeeper: ZooKeeper["Service"], subject: Subject) => Effect.Effect<unknown, unknown, Scope.Scope>
  ) =>
    declare(sentence, (subject) =>
      Effect.flatMap(subject.connect, (zooKeeper) => Effect.asVoid(body(zooKeeper, subject)))
    )

  describe(`${name}: znodes`, () => {
    test("a created znode holds its data and the first stat", (zk) =>
      Effect.gen(function* () {
        const created = yield* zk.create("/a", bytes("one"))
        assert.strictEqual(created.path, "/a")
        const { data, stat } = yield* zk.get("/a")
        assert.strictEqual(text(data), "one")
        assert.deepStrictEqual(stat, created.stat)
        assert.isTrue(Schema.is(Stat)(stat))
        assert.isAbove(stat.czxid, 0)
        assert.deepStrictEqual(stat, {
          czxid: stat.czxid,
          mzxid: stat.czxid,
          pzxid: stat.czxid,
          ctime: stat.ctime,
          mtime: stat.ctime,
          version: 0,
          cversion: 0,
          aversion: 0,
          ephemeralOwner: "0x0",
          dataLength: 3,
          numChildren: 0
        } as Stat)
      }))

    test("a znode may hold no data", (zk) =>
      Effect.gen(function* () {
        yield* zk.create("/a", empty)
        const { data, stat } = yield* zk.get("/a")
        assert.strictEqual(data.length, 0)
        assert.strictEqual(stat.dataLength, 0)
      }))

    test("setting the data raises version and mzxid and nothing else", (zk) =>
      Effect.gen(function* () {
        const { stat: first } = yield* zk.create("/a", bytes("one"))
        const second = yield* zk.set("/a", bytes("three"))
        assert.strictEqual(text((yield* zk.get("/a")).data), "three")
        assert.isAbove(second.mzxid, first.mzxid)
        assert.isAtLeast(second.mtime, first.mtime)
        const { mzxid, mtime } = second
        assert.deepStrictEqual(second, { ...first, version: 1, mzxid, mtime, dataLength: 5 })
      }))

    test("creating and deleting children raises the parent's cversion and pzxid", (zk) =>
      Effect.gen(function* () {
        const { stat: before } = yield* zk.create("/a", empty)
        const { stat: child } = yield* zk.create("/a/b", empty)
        yield* zk.create("/a/c", empty)
        yield* zk.delete("/a/b")
        const { stat: after } = yield* zk.get("/a")
        assert.strictEqual(after.cversion, 3)
        assert.strictEqual(after.numChildren, 1)
        assert.isAbove(after.pzxid, child.czxid)
        assert.deepStrictEqual(after, { ...before, cversion: 3, numChildren: 1, pzxid: after.pzxid })
      }))

    test("a znode needs a parent and does not replace another", (zk) =>
      Effect.gen(function* () {
        assert.strictEqual(yield* reasonOf(zk.create("/a/b", empty)), "NoNode")
        yield* zk.create("/a", empty)
        assert.strictEqual(yield* reasonOf(zk.create("/a", bytes("new"))), "NodeExists")
        assert.strictEqual((yield* zk.get("/a")).data.length, 0)
      }))

    test("what does not exist cannot be read, set or deleted", (zk) =>
      Effect.gen(function* () {
        assert.strictEqual(yield* reasonOf(zk.get("/a")), "NoNode")
        assert.strictEqual(yield* reasonOf(zk.set("/a", empty)), "NoNode")
        assert.strictEqual(yield* reasonOf(zk.delete("/a")), "NoNode")
        assert.strictEqual(yield* reasonOf(zk.children("/a")), "NoNode")
        assert.deepStrictEqual(yield* zk.exists("/a"), Option.none())
      }))

    test("a version that is not the present one is refused", (zk) =>
      Effect.gen(function* () {
        yield* zk.create("/a", empty)
        assert.strictEqual(yield* reasonOf(zk.set("/a", empty, 1)), "BadVersion")
        assert.strictEqual(yield* reasonOf(zk.set("/a", empty, -2)), "BadVersion")
        assert.strictEqual((yield* zk.set("/a", empty, 0)).version, 1)
        assert.strictEqual(yield* reasonOf(zk.delete("/a", 0)), "BadVersion")
        yield* zk.delete("/a", 1)
        assert.deepStrictEqual(yield* zk.exists("/a"), Option.none())
      }))

    test("an error names the path and what was expected", (zk) =>
      Effect.gen(function* () {
        yield* zk.create("/a", empty)
        const error = yield* Effect.flip(zk.set("/a", empty, 7))
        assert.strictEqual(error.path, "/a")
        assert.isUndefined(error.operation)
        assert.deepStrictEqual(error.reason, { _tag: "BadVersion", expected: 7 })
        assert.include(error.message, "/a")
      }))

    test("a znode with children is not deleted, and the version is looked at first", (zk) =>
      Effect.gen(function* () {
        yield* zk.create("/a", empty)
        yield* zk.create("/a/b", empty)
        assert.strictEqual(yield* reasonOf(zk.delete("/a")), "NotEmpty")
        assert.strictEqual(yield* reasonOf(zk.delete("/a", 3)), "BadVersion")
      }))

    test("the root exists and stays", (zk) =>
      Effect.gen(function* () {
        assert.isTrue(Option.isSome(yield* zk.exists("/")))
        assert.strictEqual(yield* reasonOf(zk.delete("/")), "InvalidPath")
        assert.strictEqual(yield* reasonOf(zk.create("/", empty)), "NodeExists")
      }))

    test("children come sorted, and only the direct ones", (zk) =>
      Effect.gen(function* () {
        for (const path of ["/a", "/a/c", "/a/b", "/a/b/x", "/a/B"]) yield* zk.create(path, empty)
        assert.deepStrictEqual(yield* zk.children("/a"), ["B", "b", "c"])
        assert.deepStrictEqual(yield* zk.children("/a/c"), [])
      }))

    test("a path is checked before anything is asked", (zk) =>
      Effect.gen(function* () {
        for (const path of ["", "a", "/a/", "//a", "/a/./b", "/..", "/a\u0000", "/\u{1F600}", "/\u0085"]) {
          assert.strictEqual(yield* reasonOf(zk.create(path, empty)), "InvalidPath", JSON.stringify(path))
          assert.strictEqual(yield* reasonOf(zk.get(path)), "InvalidPath", JSON.stringify(path))
        }
        assert.strictEqual((yield* zk.create("/.a..", empty)).path, "/.a..")
        assert.strictEqual((yield* zk.create("/Grüße 世界", bytes("1"))).path, "/Grüße 世界")
        assert.strictEqual(text((yield* zk.get("/Grüße 世界")).data), "1")
      }))

    test("a zxid grows with each write, and a znode created again is another", (zk) =>
      Effect.gen(function* () {
        const { stat: first } = yield* zk.create("/a", empty)
        yield* zk.set("/a", empty)
        yield* zk.delete("/a")
        const { stat: second } = yield* zk.create("/a", empty)
        assert.isAbove(second.czxid, first.czxid + 1)
        assert.strictEqual(second.version, 0)
      }))

    test("a packet larger than the limit is refused, one of exactly the limit is not", (zk, {
      maximumPacketBytes,
      chroot
    }) =>
      Effect.gen(function* () {
        const overhead = packetBytes([set("/a", empty)], chroot)
        yield* zk.create("/a", empty)
        const data = new Uint8Array(maximumPacketBytes - overhead)
        assert.strictEqual((yield* zk.set("/a", data)).dataLength, data.length)
        const error = yield* Effect.flip(zk.set("/a", new Uint8Array(data.length + 1)))
        assert.deepStrictEqual(error.reason, {
          _tag: "TooLarge",
          bytes: maximumPacketBytes + 1,
          maximumBytes: maximumPacketBytes
        })
        const half = new Uint8Array(maximumPacketBytes / 2)
        assert.strictEqual(yield* reasonOf(zk.multi([set("/a", half), set("/a", half)])), "TooLarge")
        assert.strictEqual((yield* zk.get("/a")).stat.version, 1)
      }))
  })

  describe(`${name}: sequential znodes`, () => {
    test("they are numbered by the children ever created, deleted ones too", (zk) =>
      Effect.gen(function* () {
        yield* zk.create("/a", empty)
        assert.strictEqual((yield* zk.create("/a/n-", empty, "PersistentSequential")).path, "/a/n-0000000000")
        yield* zk.create("/a/other", empty)
        assert.strictEqual((yield* zk.create("/a/m-", empty, "PersistentSequential")).path, "/a/m-0000000002")
        yield* zk.delete("/a/m-0000000002")
        assert.strictEqual((yield* zk.create("/a/n-", empty, "EphemeralSequential")).path, "/a/n-0000000003")
        assert.deepStrictEqual(yield* zk.children("/a"), ["n-0000000000", "n-0000000003", "other"])
      }))

    test("a number alone may be the name", (zk) =>
      Effect.gen(function* () {
        yield* zk.create("/a", empty)
        assert.strictEqual((yield* zk.create("/a/", empty, "PersistentSequential")).path, "/a/0000000000")
        assert.strictEqual(yield* reasonOf(zk.create("/a//", empty, "PersistentSequential")), "InvalidPath")
      }))

    test("those of one multi follow each other", (zk) =>
      Effect.gen(function* () {
        yield* zk.create("/a", empty)
        const next = create("/a/n", empty, "PersistentSequential")
        const results = yield* zk.multi([next, next, create("/a/x", empty), next])
        assert.deepStrictEqual(
          results.map((result) => (result._tag === "Create" ? result.path : result._tag)),
          ["/a/n0000000000", "/a/n0000000001", "/a/x", "/a/n0000000003"]
        )
      }))
  })

  describe(`${name}: multi`, () => {
    test("all operations happen at once, each seeing those before it", (zk) =>
      Effect.gen(function* () {
        const results = yield* zk.multi([
          create("/a", bytes("1")),
          create("/a/b", bytes("2")),
          check("/a", 0),
          set("/a", bytes("3"), 0),
          check("/a", 1),
          remove("/a/b", 0)
        ])
        assert.deepStrictEqual(
          results.map((result) => result._tag),
          ["Create", "Create", "Check", "Set", "Check", "Delete"]
        )
        const { data, stat } = yield* zk.get("/a")
        assert.strictEqual(text(data), "3")
        assert.strictEqual(stat.mzxid, stat.czxid)
        assert.strictEqual(stat.cversion, 2)
        const last = results[3]!
        assert.strictEqual(last._tag === "Set" ? last.stat.version : -1, 1)
      }))

    test("nothing happens when one fails, and the error names the first that did", (zk) =>
      Effect.gen(function* () {
        yield* zk.create("/a", bytes("1"))
        const { stat: root } = yield* zk.get("/")
        const error = yield* Effect.flip(
          zk.multi([create("/b", empty), set("/a", bytes("2")), remove("/b"), check("/a", 0), remove("/c")])
        )
        assert.strictEqual(error.operation, 3)
        assert.strictEqual(error.path, "/a")
        assert.strictEqual(error.reason._tag, "BadVersion")
        const { data, stat } = yield* zk.get("/a")
        assert.strictEqual(text(data), "1")
        assert.strictEqual(stat.version, 0)
        assert.deepStrictEqual((yield* zk.get("/")).stat, root)
        assert.deepStrictEqual(yield* zk.exists("/b"), Option.none())
      }))

    test("each kind of refusal names its operation", (zk) =>
      Effect.gen(function* () {
        yield* zk.create("/a", empty)
        yield* zk.create("/a/b", empty)
        yield* zk.create("/e", empty, "Ephemeral")
        const refusals: ReadonlyArray<readonly [Operation, ZooKeeperReason["_tag"]]> = [
          [create("/x/y", empty), "NoNode"],
          [create("/a", empty), "NodeExists"],
          [create("/e/x", empty), "NoChildrenForEphemerals"],
          [create("/x/", empty), "InvalidPath"],
          [set("/x", empty), "NoNode"],
          [set("/a", empty, 3), "BadVersion"],
          [remove("/x"), "NoNode"],
          [remove("/a"), "NotEmpty"],
          [check("/x"), "NoNode"],
          [check("/a", 3), "BadVersion"]
        ]
        for (const [operation, tag] of refusals) {
          const error = yield* Effect.flip(zk.multi([check("/a"), check("/a", 0), operation]))
          assert.deepStrictEqual([error.reason._tag, error.operation, error.path], [tag, 2, operation.path])
        }
      }))

    test("a multi of nothing succeeds with nothing", (zk) =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* zk.multi([]), [])
      }))

    test("a check of version 0 is a check, not any version", (zk) =>
      Effect.gen(function* () {
        yield* zk.create("/a", empty)
        yield* zk.set("/a", empty)
        assert.strictEqual(yield* reasonOf(zk.multi([check("/a", 0)])), "BadVersion")
        assert.strictEqual(yield* reasonOf(zk.multi([set("/a", empty, 0)])), "BadVersion")
        assert.strictEqual(yield* reasonOf(zk.multi([remove("/a", 0)])), "BadVersion")
      }))

    test("writes that compete for a version are won by one each", (zk, { connect }) =>
      Effect.gen(function* () {
        const other = yield* connect
        yield* zk.create("/a", bytes("0"))
        const bump = (session: ZooKeeper["Service"]) =>
          Effect.gen(function* () {
            yield* session.sync("/a")
            const { data, stat } = yield* session.get("/a")
            yield* session.set("/a", bytes(String(Number(text(data)) + 1)), stat.version)
          }).pipe(Effect.retry({ while: (error) => error.reason._tag === "BadVersion" }))
        yield* Effect.all([zk, other, zk, other, zk, other, zk, other].map(bump), { concurrency: "unbounded" })
        // The last write may be the other session's, by another server.
        yield* zk.sync("/a")
        const { data, stat } = yield* zk.get("/a")
        assert.strictEqual(text(data), "8")
        assert.strictEqual(stat.version, 8)
      }))

    test("the writes of one fiber take effect in its order", (zk, { connect }) =>
      Effect.gen(function* () {
        const other = yield* connect
        yield* zk.create("/a", empty)
        for (let at = 0; at < 50; at++) yield* zk.set("/a", bytes(String(at)), at)
        yield* other.sync("/a")
        assert.strictEqual(text((yield* other.get("/a")).data), "49")
      }))
  })

  describe(`${name}: sessions`, () => {
    test("the first session is connected and of generation 1", (zk) =>
      Effect.gen(function* () {
        const { id, generation, state } = yield* zk.session
        assert.match(id, /^0x[0-9a-f]+$/)
        assert.strictEqual(generation, 1)
        assert.strictEqual(state, "Connected")
      }))

    test("an ephemeral belongs to its session and has no children", (zk, { connect }) =>
      Effect.gen(function* () {
        const other = yield* connect
        const { stat } = yield* zk.create("/e", empty, "Ephemeral")
        assert.strictEqual(stat.ephemeralOwner, (yield* zk.session).id)
        assert.notStrictEqual((yield* other.session).id, (yield* zk.session).id)
        assert.strictEqual(yield* reasonOf(zk.create("/e/x", empty)), "NoChildrenForEphemerals")
      }))

    test("its ephemerals go with the session, others stay", (zk, { connect }) =>
      Effect.gen(function* () {
        yield* zk.create("/kept", empty, "Ephemeral")
        yield* Effect.scoped(
          Effect.gen(function* () {
            const other = yield* connect
            yield* other.create("/persistent", empty)
            yield* other.create("/persistent/e1", empty, "Ephemeral")
            yield* other.create("/e2", empty, "EphemeralSequential")
          })
        )
        yield* zk.sync("/")
        assert.deepStrictEqual(yield* zk.children("/"), ["kept", "persistent"])
        assert.deepStrictEqual(yield* zk.children("/persistent"), [])
      }))

    test("anyone may delete an ephemeral, and its end is no error then", (zk, { connect }) =>
      Effect.gen(function* () {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const other = yield* connect
            yield* other.create("/e", empty, "Ephemeral")
            yield* zk.sync("/e")
            yield* zk.delete("/e")
            yield* zk.create("/e", empty)
          })
        )
        assert.isTrue(Option.isSome(yield* zk.exists("/e")))
      }))

    test("the changes of a session begin with its state and end with the layer", (_, { connect }) =>
      Effect.gen(function* () {
        const begun = yield* Deferred.make<void>()
        const states = yield* Effect.scoped(
          Effect.gen(function* () {
            const other = yield* connect
            const fiber = yield* other.sessionChanges.pipe(
              Stream.tap(() => Deferred.succeed(begun, undefined)),
              Stream.map(({ state }) => state),
              Stream.runCollect,
              Effect.forkDetach
            )
            yield* Deferred.await(begun)
            return fiber
          })
        )
        assert.deepStrictEqual(yield* Fiber.join(states), ["Connected", "Lost"])
      }))
  })

  describe(`${name}: watches`, () => {
    test("a watch shows a znode from before its birth until after its death", (zk, { connect }) =>
      Effect.gen(function* () {
        const other = yield* connect
        const watch = yield* observe(other.watch("/a"))
        assert.deepStrictEqual(yield* Queue.take(watch.seen), Option.none())
        yield* zk.create("/a", bytes("1"))
        yield* watch.until(holds("1"))
        yield* zk.set("/a", bytes("2"))
        const second = yield* watch.until(holds("2"))
        assert.strictEqual(Option.getOrThrow(second).stat.version, 1)
        yield* zk.delete("/a")
        yield* watch.until(Option.isNone)
        yield* zk.create("/a", bytes("3"))
        yield* watch.until(holds("3"))
      }))

    test("a watch begins with what is there", (zk) =>
      Effect.gen(function* () {
        yield* zk.create("/a", bytes("1"))
        const first = yield* Stream.runHead(zk.watch("/a"))
        assert.isTrue(Option.isSome(first) && holds("1")(first.value))
      }))

    test("a burst of changes never hides the last one", (zk) =>
      Effect.gen(function* () {
        yield* zk.create("/a", bytes("0"))
        const watch = yield* observe(zk.watch("/a"))
        yield* watch.until(holds("0"))
        for (let at = 1; at <= 200; at++) yield* zk.set("/a", bytes(String(at)))
        yield* watch.until(holds("200"))
      }))

    test("a watch sees the changes of a multi", (zk) =>
      Effect.gen(function* () {
        const watch = yield* observe(zk.watch("/a"))
        const names = yield* observe(zk.watchChildren("/a"))
        yield* zk.multi([create("/a", bytes("1")), create("/a/b", empty), set("/a", bytes("2"))])
        yield* watch.until(holds("2"))
        assert.deepStrictEqual(yield* names.until((list) => list.length > 0), ["b"])
      }))

    test("a watch does not show what happens to others, nor to children", (zk) =>
      Effect.gen(function* () {
        yield* zk.create("/a", bytes("1"))
        const watch = yield* observe(zk.watch("/a"))
        yield* watch.until(holds("1"))
        yield* zk.create("/a/b", empty)
        yield* zk.create("/b", empty)
        yield* zk.set("/b", bytes("x"))
        yield* zk.set("/a", bytes("2"))
        assert.isTrue(holds("2")(yield* Queue.take(watch.seen)))
      }))

    test("a watch of children shows the names, and none while there is no parent", (zk, { connect }) =>
      Effect.gen(function* () {
        const other = yield* connect
        const names = yield* observe(other.watchChildren("/a"))
        assert.deepStrictEqual(yield* Queue.take(names.seen), [])
        yield* zk.create("/a", empty)
        yield* zk.create("/a/c", empty)
        yield* names.until((list) => list.join() === "c")
        yield* zk.create("/a/b", empty)
        yield* names.until((list) => list.join() === "b,c")
        yield* zk.set("/a/b", bytes("x"))
        yield* zk.delete("/a/c")
        yield* names.until((list) => list.join() === "b")
        yield* zk.delete("/a/b")
        yield* zk.delete("/a")
        yield* names.until((list) => list.length === 0)
      }))

    test("a watch of children sees an ephemeral go with its session", (zk, { connect }) =>
      Effect.gen(function* () {
        yield* zk.create("/members", empty)
        const names = yield* observe(zk.watchChildren("/members"))
        yield* Effect.scoped(
          Effect.gen(function* () {
            const other = yield* connect
            yield* other.create("/members/b1", empty, "Ephemeral")
            yield* names.until((list) => list.join() === "b1")
          })
        )
        yield* names.until((list) => list.length === 0)
      }))

    test("a slow watcher skips to the latest", (zk) =>
      Effect.gen(function* () {
        yield* zk.create("/a", bytes("0"))
        const first = yield* Deferred.make<void>()
        const mayGoOn = yield* Deferred.make<void>()
        const fiber = yield* zk.watch("/a").pipe(
          Stream.tap(() => Effect.andThen(Deferred.succeed(first, undefined), Deferred.await(mayGoOn))),
          Stream.takeUntil(holds("100")),
          Stream.runCollect,
          Effect.forkChild
        )
        yield* Deferred.await(first)
        for (let at = 1; at <= 100; at++) yield* zk.set("/a", bytes(String(at)))
        yield* zk.sync("/a")
        yield* Deferred.succeed(mayGoOn, undefined)
        const seen = yield* Fiber.join(fiber)
        assert.isBelow(seen.length, 100)
        assert.isTrue(holds("100")(seen.at(-1)!))
      }))

    test("a watch of what is no path fails", (zk) =>
      Effect.gen(function* () {
        assert.strictEqual(yield* reasonOf(Stream.runDrain(zk.watch("a"))), "InvalidPath")
        assert.strictEqual(yield* reasonOf(Stream.runDrain(zk.watchChildren("/a/"))), "InvalidPath")
      }))

    test("a watch ends with the layer", (zk, { connect }) =>
      Effect.gen(function* () {
        yield* zk.create("/a", bytes("1"))
        const begun = yield* Deferred.make<void>()
        const fiber = yield* Effect.scoped(
          Effect.gen(function* () {
            const other = yield* connect
            const running = yield* other.watch("/a").pipe(
              Stream.tap(() => Deferred.succeed(begun, undefined)),
              Stream.runCollect,
              Effect.forkDetach
            )
            yield* Deferred.await(begun)
            return running
          })
        )
        assert.strictEqual((yield* Fiber.join(fiber)).length, 1)
      }))
  })
}

/** A {@link Subject} whose sessions come from a layer. */
export const subjectOf = (layer: Layer.Layer<ZooKeeper, unknown>, maximumPacketBytes: number): Subject => ({
  maximumPacketBytes,
  connect: Layer.build(Layer.fresh(layer)).pipe(
    Effect.map((context) => Context.get(context, ZooKeeper)),
    Effect.orDie
  )
})
