import { assert, it } from "@effect/vitest"
import { Schema } from "effect"
import { LineSplitter } from "../../../src/domain/format/Lines.ts"

const linesOf = (chunks: ReadonlyArray<string>): ReadonlyArray<string> => {
  const splitter = new LineSplitter()
  const lines = chunks.flatMap((chunk) => splitter.push(Buffer.from(chunk)))
  return [...lines, ...splitter.end()].map((line) => Buffer.from(line).toString())
}

it("lines are found wherever the chunks are cut", () => {
  assert.deepStrictEqual(linesOf(["a", "b\n", "\nc", "", "d\ne"]), ["ab", "", "cd", "e"])
})

it("a text without an end of line is one line, and nothing is none", () => {
  assert.deepStrictEqual(linesOf(["a"]), ["a"])
  assert.deepStrictEqual(linesOf(["a\n"]), ["a"])
  assert.deepStrictEqual(linesOf([]), [])
})

it.prop(
  "chunks make the same lines as the whole",
  [Schema.Array(Schema.Literals(["a", "bc", "\n", "é\n", ""]))],
  ([chunks]) => {
    const whole = chunks.join("")
    const expected = whole.split("\n")
    if (expected.at(-1) === "") expected.pop()
    assert.deepStrictEqual(linesOf(chunks), expected)
  }
)
