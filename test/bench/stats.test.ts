import { assert, describe, it } from "@effect/vitest"
import { figure, median, ratio, table } from "../../bench/stats.ts"

describe("the benchmark's figures", () => {
  it("takes the middle value as median, or the mean of the middle two", () => {
    assert.strictEqual(median([9, 1, 5]), 5)
    assert.strictEqual(median([9, 1, 5, 7]), 6)
    assert.isNaN(median([]))
  })

  it("says how many times better a broker is, whichever way is better", () => {
    assert.strictEqual(ratio(300, 100, "higher"), 3)
    assert.strictEqual(ratio(2, 8, "lower"), 4)
  })

  it("prints figures with three significant digits or more", () => {
    assert.deepStrictEqual([1234567, 123.4, 45.67, 4.567, 0.4567, Number.NaN].map(figure), [
      "1,234,567",
      "123",
      "45.7",
      "4.57",
      "0.457",
      "–"
    ])
  })

  it("pads the columns of a table", () => {
    assert.strictEqual(
      table(["row", "broker", "median"], [["connecting", "a", "1"]]),
      ["| row        | broker | median |", "| ---------- | ------ | -----: |", "| connecting | a      |      1 |"].join(
        "\n"
      )
    )
  })
})
