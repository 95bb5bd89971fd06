import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import * as DataDirectory from "../../src/layers/DataDirectory.ts"

const temporary = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "mqttzoo-"))),
  (directory) => Effect.sync(() => fs.rmSync(directory, { recursive: true }))
)

describe("the data directory", () => {
  it.effect("is made with its parents, and may be there already", () =>
    Effect.gen(function* () {
      const directory = path.join(yield* temporary, "a", "b")
      yield* DataDirectory.prepare(directory)
      yield* DataDirectory.prepare(directory)
      assert.isTrue(fs.statSync(directory).isDirectory())
    })
  )

  it.effect("is refused when it is a file, or lies below one", () =>
    Effect.gen(function* () {
      const file = path.join(yield* temporary, "file")
      fs.writeFileSync(file, "")
      const error = yield* Effect.flip(DataDirectory.prepare(file))
      assert.strictEqual(error.message, `cannot keep data in ${file}: there is a file of that name`)
      const below = yield* Effect.flip(DataDirectory.prepare(`${file}/data`))
      assert.strictEqual(below.message, `cannot keep data in ${file}/data: a part of the path is not a directory`)
    })
  )

  it.effect("is refused when nothing can be made in it", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(DataDirectory.prepare("/proc/mqttzoo"))
      assert.match(error.message, /^cannot keep data in \/proc\/mqttzoo: [^\n]+$/)
    })
  )
})
