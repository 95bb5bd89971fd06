import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import * as DataDirectory from "../../src/layers/DataDirectory.ts"

describe("the data directory", () => {
  let root: string

  beforeEach(() => {
    root = fs.mkdtempSync(path.join(os.tmpdir(), "mqttzoo-"))
  })

  afterEach(() => fs.rmSync(root, { recursive: true }))

  it("is made with its parents, and the topmost of them is known", () => {
    assert.strictEqual(DataDirectory.make(path.join(root, "a", "b", "c")), path.join(root, "a"))
    assert.isTrue(fs.statSync(path.join(root, "a", "b", "c")).isDirectory())
    assert.strictEqual(DataDirectory.make(path.join(root, "a", "d")), path.join(root, "a", "d"))
  })

  it("may be there already", () => {
    assert.isUndefined(DataDirectory.make(root))
  })

  it("is refused where there is a file, or below one", () => {
    const file = path.join(root, "file")
    fs.writeFileSync(file, "")
    assert.throws(() => DataDirectory.make(file), /EEXIST/)
    assert.throws(() => DataDirectory.make(path.join(file, "data")), /ENOTDIR/)
  })

  it("is refused where the system makes no directories, without a hang", { skip: process.platform !== "linux" }, () => {
    assert.throws(() => DataDirectory.make("/proc/mqttzoo"), /ENOENT/)
  })
})
