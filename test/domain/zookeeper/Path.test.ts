import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { nameOf, parentOf, Path, refusalOf } from "../../../src/domain/zookeeper/Path.ts"

describe("a path of a znode", () => {
  const good = [
    "/",
    "/a",
    "/a/b",
    "/mqttzoo/topics/17/k.1",
    "/...",
    "/.a",
    "/a.",
    "/a..",
    "/ ",
    "/Grüße",
    "/世界",
    "/\uf900"
  ]
  for (const path of good) {
    it(`may be ${JSON.stringify(path)}`, () => {
      assert.isUndefined(refusalOf(path))
      assert.isTrue(Schema.is(Path)(path))
    })
  }

  const bad: ReadonlyArray<readonly [string, string]> = [
    ["", "is empty"],
    ["a", "does not begin with /"],
    ["a/b", "does not begin with /"],
    ["/a/", "ends with /"],
    ["//", "ends with /"],
    ["//a", "has an empty level"],
    ["/a//b", "has an empty level"],
    ["/.", "has a relative level (. or ..)"],
    ["/..", "has a relative level (. or ..)"],
    ["/a/./b", "has a relative level (. or ..)"],
    ["/a/../b", "has a relative level (. or ..)"],
    ["/a\u0000", "holds the character U+0000"],
    ["/\u0001", "holds the character U+0001"],
    ["/a\u001f", "holds the character U+001F"],
    ["/\u007f", "holds the character U+007F"],
    ["/\u009f", "holds the character U+009F"],
    ["/\ud83d\ude00", "holds the character U+D83D"],
    ["/\uf8ff", "holds the character U+F8FF"],
    ["/\ufff0", "holds the character U+FFF0"],
    ["/\uffff", "holds the character U+FFFF"]
  ]
  for (const [path, why] of bad) {
    it(`cannot be ${JSON.stringify(path)}`, () => {
      assert.strictEqual(refusalOf(path), why)
      assert.isFalse(Schema.is(Path)(path))
    })
  }

  it("is checked with its number when it is that of a sequential create", () => {
    assert.isUndefined(refusalOf("/a/", true))
    assert.isUndefined(refusalOf("/", true))
    assert.isUndefined(refusalOf("/a/.", true))
    assert.strictEqual(refusalOf("/a//", true), "has an empty level")
    assert.strictEqual(refusalOf("", true), "does not begin with /")
  })

  it("has a parent and a name", () => {
    assert.deepStrictEqual(["/", "/a", "/a/b", "/a/b/c"].map(parentOf), ["/", "/", "/a", "/a/b"])
    assert.deepStrictEqual(["/a", "/a/b", "/a/b/c d"].map(nameOf), ["a", "b", "c d"])
  })
})
