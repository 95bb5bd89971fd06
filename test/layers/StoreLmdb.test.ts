import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import * as StoreLmdb from "../../src/layers/StoreLmdb.ts"
import { storeContract } from "../contract/StoreContract.ts"

/** A directory that goes with the scope. */
const temporaryDirectory = Effect.acquireRelease(
  Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "mqttzoo-store-"))),
  (directory) => Effect.sync(() => Fs.rmSync(directory, { recursive: true, force: true }))
)

storeContract(
  "LMDB",
  Effect.map(temporaryDirectory, (directory) => StoreLmdb.layer(Path.join(directory, "new", "data")))
)

const openingError = (directory: string) => Effect.flip(Effect.scoped(Layer.build(StoreLmdb.layer(directory))))

it.live("a directory that is in use is refused, and free again afterwards", () =>
  Effect.gen(function* () {
    const directory = yield* temporaryDirectory
    yield* Effect.scoped(
      Effect.gen(function* () {
        yield* Layer.build(StoreLmdb.layer(directory))
        const error = yield* openingError(directory)
        assert.deepStrictEqual(error.reason, { _tag: "Locked" })
        assert.strictEqual(error.directory, directory)
        assert.include(error.message, directory)
      })
    )
    yield* Effect.scoped(Layer.build(StoreLmdb.layer(directory)))
    assert.deepStrictEqual(
      Fs.readdirSync(directory).filter((name) => name.endsWith(".sock")),
      []
    )
  })
)

it.live("of many that open a directory at once, one gets it", () =>
  Effect.gen(function* () {
    const directory = yield* temporaryDirectory
    const opened = yield* Effect.all(
      Array.from({ length: 8 }, () =>
        Layer.build(StoreLmdb.layer(directory)).pipe(
          Effect.match({ onFailure: (error) => error.reason._tag, onSuccess: () => "Opened" })
        )
      ),
      { concurrency: "unbounded" }
    )
    assert.deepStrictEqual(opened.filter((outcome) => outcome === "Opened").length, 1)
    assert.deepStrictEqual(opened.filter((outcome) => outcome === "Locked").length, 7)
  })
)

it.live("a directory with a long path can be locked", () =>
  Effect.gen(function* () {
    const directory = Path.join(yield* temporaryDirectory, "x".repeat(100), "y".repeat(100))
    yield* Layer.build(StoreLmdb.layer(directory))
    assert.deepStrictEqual((yield* openingError(directory)).reason, { _tag: "Locked" })
  })
)

it.live("a path that is a file is refused", () =>
  Effect.gen(function* () {
    const file = Path.join(yield* temporaryDirectory, "file")
    Fs.writeFileSync(file, "")
    assert.strictEqual((yield* openingError(file)).reason._tag, "NotADirectory")
    assert.strictEqual((yield* openingError(Path.join(file, "below"))).reason._tag, "NotADirectory")
  })
)

it.live("a file that LMDB did not write, or not to its end, is refused", () =>
  Effect.gen(function* () {
    const directory = yield* temporaryDirectory
    const file = Path.join(directory, "data.mdb")
    yield* Effect.scoped(Layer.build(StoreLmdb.layer(directory)))
    const whole = Fs.readFileSync(file)
    const wrong = [Buffer.alloc(20_000, "not a database"), Buffer.alloc(10), whole.subarray(0, 100)]
    for (const content of wrong) {
      Fs.writeFileSync(file, content)
      const error = yield* openingError(directory)
      assert.strictEqual(error.reason._tag, "Damaged")
      assert.include(error.message, directory)
    }
    Fs.writeFileSync(file, "")
    yield* Layer.build(StoreLmdb.layer(directory))
  })
)
