import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Fiber, Layer, Option, Queue, Stream } from "effect"
import { build } from "esbuild"
import { spawn } from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import * as Readline from "node:readline"
import { create, remove, set } from "../../src/domain/zookeeper/Znode.ts"
import * as StoreLmdb from "../../src/layers/StoreLmdb.ts"
import * as StoreMemory from "../../src/layers/StoreMemory.ts"
import * as ZooKeeperEmbedded from "../../src/layers/ZooKeeperEmbedded.ts"
import type { Store, StoreError } from "../../src/services/Store.ts"
import { ZooKeeper } from "../../src/services/ZooKeeper.ts"
import { subjectOf, zooKeeperContract } from "../contract/ZooKeeperContract.ts"

const maximumPacketBytes = 16 * 1024 * 1024
const empty = new Uint8Array(0)
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (data: Uint8Array): string => new TextDecoder().decode(data)

zooKeeperContract(
  "embedded",
  Effect.gen(function* () {
    const store = yield* Layer.build(StoreMemory.layer)
    const server = yield* Effect.provideContext(ZooKeeperEmbedded.makeServer, store)
    return subjectOf(ZooKeeperEmbedded.layerSession(server), maximumPacketBytes)
  })
)

/** A ZooKeeper over a store, until the scope ends. */
const start = (store: Layer.Layer<Store, StoreError>) =>
  Effect.map(Layer.build(Layer.fresh(Layer.provide(ZooKeeperEmbedded.layer(), store))), (context) =>
    Context.get(context, ZooKeeper)
  )

/** All znodes from a path on, with data and stat. */
const dump = (zk: ZooKeeper["Service"], path = "/"): Effect.Effect<ReadonlyArray<unknown>, unknown> =>
  Effect.gen(function* () {
    const { data, stat } = yield* zk.get(path)
    const znodes: Array<unknown> = [path, Buffer.from(data).toString("latin1"), stat]
    for (const name of yield* zk.children(path)) {
      znodes.push(...(yield* dump(zk, path === "/" ? `/${name}` : `${path}/${name}`)))
    }
    return znodes
  })

describe("embedded: restart", () => {
  it.effect("the tree is there again with all its stats, and the zxids go on", () =>
    Effect.gen(function* () {
      const store = StoreMemory.layerDisk(yield* StoreMemory.makeDisk)
      const first = yield* Effect.scoped(
        Effect.gen(function* () {
          const zk = yield* start(store)
          yield* zk.create("/a", bytes("1"))
          yield* zk.multi([create("/a/b", bytes("2")), create("/a/c", empty), set("/a", bytes("3"))])
          yield* zk.create("/a/n", empty, "PersistentSequential")
          yield* zk.delete("/a/c")
          yield* zk.create("/Grüße", new Uint8Array(100_000).fill(7))
          return yield* dump(zk)
        })
      )
      const zk = yield* start(store)
      assert.deepStrictEqual(yield* dump(zk), first)
      const { stat } = yield* zk.get("/Grüße")
      const created = yield* zk.create("/a/n", empty, "PersistentSequential")
      assert.strictEqual(created.path, "/a/n0000000003")
      assert.isAbove(created.stat.czxid, stat.czxid)
    })
  )

  it.effect("ephemerals of a process that ended without a word are gone", () =>
    Effect.gen(function* () {
      const disk = yield* StoreMemory.makeDisk
      const crashed = yield* Effect.scoped(
        Effect.gen(function* () {
          const zk = yield* start(StoreMemory.layerDisk(disk))
          yield* zk.create("/members", empty)
          yield* zk.create("/members/b0", empty, "Ephemeral")
          yield* zk.create("/members/b1", empty, "Ephemeral")
          return new Map(disk.entries)
        })
      )
      disk.entries.clear()
      for (const [key, value] of crashed) disk.entries.set(key, value)
      const zk = yield* start(StoreMemory.layerDisk(disk))
      assert.deepStrictEqual(yield* zk.children("/members"), [])
      assert.strictEqual((yield* zk.get("/members")).stat.cversion, 4)
    })
  )

  it.effect("a disk that cannot be written is told at the start, when something must be", () =>
    Effect.gen(function* () {
      const disk = yield* StoreMemory.makeDisk
      yield* Effect.scoped(
        Effect.gen(function* () {
          const zk = yield* start(StoreMemory.layerDisk(disk))
          yield* zk.create("/e", empty, "Ephemeral")
          yield* disk.failNextCommit({ _tag: "NoSpace" })
        })
      )
      yield* disk.failNextCommit({ _tag: "NoSpace" })
      const error = yield* Effect.flip(Effect.scoped(start(StoreMemory.layerDisk(disk))))
      assert.strictEqual(error.reason._tag, "NoSpace")
      const zk = yield* start(StoreMemory.layerDisk(disk))
      assert.deepStrictEqual(yield* zk.children("/"), [])
    })
  )

  it.effect("a tree that is not whole is refused", () =>
    Effect.gen(function* () {
      const disk = yield* StoreMemory.makeDisk
      yield* Effect.scoped(
        Effect.gen(function* () {
          const zk = yield* start(StoreMemory.layerDisk(disk))
          yield* zk.create("/a", empty)
          yield* zk.create("/a/b", empty)
        })
      )
      const [parent] = [...disk.entries.keys()].filter((key) => key.endsWith("1"))
      disk.entries.delete(parent!)
      const error = yield* Effect.flip(Effect.scoped(start(StoreMemory.layerDisk(disk))))
      assert.strictEqual(error.reason._tag, "Damaged")
    })
  )
})

describe("embedded: commits", () => {
  it.effect("nobody sees a write before it is durable", () =>
    Effect.gen(function* () {
      const disk = yield* StoreMemory.makeDisk
      const zk = yield* start(StoreMemory.layerDisk(disk))
      yield* zk.create("/a", bytes("old"))
      const seen = yield* Queue.unbounded<string>()
      yield* zk.watch("/a").pipe(
        Stream.runForEach((znode) => Queue.offer(seen, text(Option.getOrThrow(znode).data))),
        Effect.forkScoped
      )
      assert.strictEqual(yield* Queue.take(seen), "old")
      yield* disk.hold
      const write = yield* Effect.forkChild(zk.set("/a", bytes("new")), { startImmediately: true })
      const read = yield* Effect.forkChild(zk.get("/a"), { startImmediately: true })
      for (let turn = 0; turn < 20; turn++) yield* Effect.yieldNow
      assert.isUndefined(write.pollUnsafe())
      assert.isUndefined(read.pollUnsafe())
      assert.strictEqual(yield* Queue.size(seen), 0)
      yield* disk.release
      yield* Fiber.join(write)
      assert.strictEqual(text((yield* Fiber.join(read)).data), "new")
      assert.strictEqual(yield* Queue.take(seen), "new")
    })
  )

  it.effect("writes that arrive during a commit share the next one", () =>
    Effect.gen(function* () {
      const disk = yield* StoreMemory.makeDisk
      const zk = yield* start(StoreMemory.layerDisk(disk))
      yield* zk.create("/a", empty)
      const before = disk.commits()
      yield* disk.hold
      const fibers = yield* Effect.forEach(Array.from({ length: 100 }), (_, at) =>
        Effect.forkChild(zk.create(`/a/${at}`, empty), { startImmediately: true })
      )
      for (let turn = 0; turn < 20; turn++) yield* Effect.yieldNow
      yield* disk.release
      yield* Fiber.joinAll(fibers)
      assert.strictEqual((yield* zk.children("/a")).length, 100)
      assert.isAtMost(disk.commits() - before, 2)
    })
  )

  it.effect("a commit that fails undoes its whole batch, and the next one is well", () =>
    Effect.gen(function* () {
      const disk = yield* StoreMemory.makeDisk
      const zk = yield* start(StoreMemory.layerDisk(disk))
      yield* zk.multi([create("/a", bytes("1")), create("/a/b", empty), create("/e", empty, "Ephemeral")])
      const before = yield* dump(zk)
      yield* disk.failNextCommit({ _tag: "NoSpace" })
      const error = yield* Effect.flip(
        zk.multi([set("/a", bytes("2")), remove("/a/b"), create("/c", empty), remove("/e"), remove("/a")])
      )
      assert.strictEqual(error.reason._tag, "Unavailable")
      assert.include(error.message, "full")
      assert.deepStrictEqual(yield* dump(zk), before)
      assert.strictEqual((yield* zk.set("/a", bytes("3"), 0)).version, 1)
    })
  )

  it.effect("a disk that fails for good is told apart from one that is full", () =>
    Effect.gen(function* () {
      const disk = yield* StoreMemory.makeDisk
      const zk = yield* start(StoreMemory.layerDisk(disk))
      yield* disk.failNextCommit({ _tag: "InputOutput", why: "EIO" })
      const error = yield* Effect.flip(zk.create("/a", empty))
      assert.strictEqual(error.reason._tag, "Broken")
      assert.include(error.message, "EIO")
    })
  )

  it.effect("a write that is refused, and a check, need no commit", () =>
    Effect.gen(function* () {
      const disk = yield* StoreMemory.makeDisk
      const zk = yield* start(StoreMemory.layerDisk(disk))
      yield* zk.create("/a", empty)
      const before = disk.commits()
      yield* Effect.flip(zk.create("/a", empty))
      yield* zk.multi([])
      assert.strictEqual(disk.commits(), before)
    })
  )
})

/** A directory that goes with the scope. */
const temporaryDirectory = Effect.acquireRelease(
  Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "mqttzoo-embedded-"))),
  (directory) => Effect.sync(() => Fs.rmSync(directory, { recursive: true, force: true }))
)

/** A broker's worth of writes: 8 fibers, each putting its numbers in order; prints each that was confirmed. */
const childProgram = `
import { Effect, Layer } from "effect"
import * as Fs from "node:fs"
import { create, set } from "./src/domain/zookeeper/Znode.ts"
import * as StoreLmdb from "./src/layers/StoreLmdb.ts"
import * as ZooKeeperEmbedded from "./src/layers/ZooKeeperEmbedded.ts"
import { ZooKeeper } from "./src/services/ZooKeeper.ts"

const writer = (zk, name) => Effect.gen(function* () {
  yield* zk.create("/" + name, Buffer.from("-1"))
  yield* zk.create("/member-" + name, Buffer.alloc(0), "Ephemeral")
  for (let at = 0; ; at++) {
    yield* zk.multi([set("/" + name, Buffer.from(String(at)), at), create("/" + name + "/" + at, Buffer.alloc(2000, at))])
    Fs.writeSync(1, name + " " + at + "\\n")
  }
})
const program = Effect.gen(function* () {
  const zk = yield* ZooKeeper
  yield* Effect.all([..."abcdefgh"].map((name) => writer(zk, name)), { concurrency: "unbounded" })
})
Effect.runPromise(Effect.provide(program, Layer.provide(ZooKeeperEmbedded.layer(), StoreLmdb.layer(process.argv[2]))))
`

describe("embedded: kill -9", () => {
  it.live("what was confirmed is there, what was not is whole or absent, and the directory is free", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const data = Path.join(directory, "data")
      const script = Path.join(directory, "writer.mjs")
      // The native module cannot be bundled, and the script is not where Node would find it by name.
      const lmdb = Path.resolve("node_modules/lmdb/index.js")
      yield* Effect.promise(() =>
        build({
          stdin: { contents: childProgram, resolveDir: process.cwd(), loader: "js" },
          bundle: true,
          platform: "node",
          format: "esm",
          alias: { lmdb },
          external: [lmdb],
          outfile: script,
          logLevel: "error"
        })
      )
      const confirmed = new Map<string, number>()
      const child = yield* Effect.acquireRelease(
        Effect.sync(() => spawn(process.execPath, [script, data], { stdio: ["ignore", "pipe", "inherit"] })),
        (running) => Effect.sync(() => void running.kill("SIGKILL"))
      )
      const closed = yield* Deferred.make<string | null>()
      child.on("close", (_, signal) => Deferred.doneUnsafe(closed, Effect.succeed(signal)))
      yield* Effect.callback<void>((resume) => {
        let lines = 0
        Readline.createInterface({ input: child.stdout }).on("line", (line) => {
          const [name, at] = line.split(" ")
          confirmed.set(name!, Number(at))
          if (++lines === 200) resume(Effect.void)
        })
      })
      const refused = yield* Effect.flip(Effect.scoped(start(StoreLmdb.layer(data))))
      assert.deepStrictEqual(refused.reason, { _tag: "Locked" })
      child.kill("SIGKILL")
      assert.strictEqual(yield* Deferred.await(closed), "SIGKILL")
      assert.strictEqual(confirmed.size, 8)
      const zk = yield* start(StoreLmdb.layer(data))
      for (const [name, last] of confirmed) {
        const { data: value, stat } = yield* zk.get(`/${name}`)
        const stored = Number(text(value))
        assert.isAtLeast(stored, last)
        // Each writer has one multi under way, so at most one more than was printed is there, and all of it.
        assert.isAtMost(stored, last + 1)
        assert.strictEqual(stat.version, stored + 1)
        assert.strictEqual(stat.numChildren, stored + 1)
        const newest = yield* zk.get(`/${name}/${stored}`)
        assert.deepStrictEqual(Buffer.from(newest.data), Buffer.alloc(2000, stored))
        assert.deepStrictEqual(yield* zk.exists(`/member-${name}`), Option.none())
      }
    })
  )

  it.live("a tree on a disk is there again after a clean end", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const first = yield* Effect.scoped(
        Effect.gen(function* () {
          const zk = yield* start(StoreLmdb.layer(directory))
          const large = Array.from({ length: 40 }, (_, at) => create(`/big-${at}`, new Uint8Array(250_000).fill(at)))
          yield* zk.multi(large)
          yield* zk.create("/e", empty, "Ephemeral")
          yield* zk.delete("/e")
          return yield* dump(zk)
        })
      )
      const zk = yield* start(StoreLmdb.layer(directory))
      assert.deepStrictEqual(yield* dump(zk), first)
    })
  )
})
