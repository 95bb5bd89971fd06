import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as Quantity from "../../../src/domain/config/Quantity.ts"

describe("a duration", () => {
  const read = (text: string) => Quantity.parse(text, Quantity.durationUnits)

  it("is read with any spelling of its unit", () => {
    const spellings: ReadonlyArray<readonly [string, number]> = [
      ["500 ms", 500],
      ["500ms", 500],
      ["1 millisecond", 1],
      ["10 seconds", 10_000],
      ["10s", 10_000],
      ["1.5 min", 90_000],
      ["2 m", 120_000],
      ["1 hour", 3_600_000],
      ["7 days", 604_800_000],
      ["0 seconds", 0]
    ]
    for (const [text, milliseconds] of spellings) assert.strictEqual(read(text), milliseconds, text)
  })

  it("is refused without a unit, with an unknown one, negative, or with a part of a millisecond", () => {
    for (const text of [
      "10",
      "",
      "s",
      "10 parsecs",
      "-1 s",
      "0.5 ms",
      " 1 s",
      "1 s ",
      "1  s",
      "1e3 s",
      "99999999999 days"
    ]) {
      assert.isUndefined(read(text), text)
    }
  })

  it("is written in the largest unit that holds it", () => {
    assert.strictEqual(Quantity.formatDuration(0), "0 seconds")
    assert.strictEqual(Quantity.formatDuration(1), "1 millisecond")
    assert.strictEqual(Quantity.formatDuration(1_500), "1500 milliseconds")
    assert.strictEqual(Quantity.formatDuration(90_000), "90 seconds")
    assert.strictEqual(Quantity.formatDuration(3_600_000), "1 hour")
    assert.strictEqual(Quantity.formatDuration(604_800_000), "7 days")
  })

  it.prop("is read as it was written", [Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1e12 }))], ([n]) =>
    assert.strictEqual(read(Quantity.formatDuration(n)), n)
  )
})

describe("a size", () => {
  const read = (text: string) => Quantity.parse(text, Quantity.sizeUnits)

  it("counts KiB by 1,024 and kB by 1,000", () => {
    assert.strictEqual(read("64 KiB"), 65_536)
    assert.strictEqual(read("64kB"), 64_000)
    assert.strictEqual(read("1.5 MiB"), 1_572_864)
    assert.strictEqual(read("1 GiB"), 1_073_741_824)
    assert.strictEqual(read("17 B"), 17)
  })

  it("is refused when it is no whole number of bytes or has another unit", () => {
    for (const text of ["1 mib", "1 KB", "1.5 B", "1 bit", "64", "99999999 TiB"]) assert.isUndefined(read(text), text)
  })

  it("is written in the largest binary unit that holds it", () => {
    assert.strictEqual(Quantity.formatSize(0), "0 B")
    assert.strictEqual(Quantity.formatSize(1_000), "1000 B")
    assert.strictEqual(Quantity.formatSize(65_536), "64 KiB")
    assert.strictEqual(Quantity.formatSize(1_048_576), "1 MiB")
  })

  it.prop("is read as it was written", [Schema.Natural.check(Schema.isLessThan(1e15))], ([n]) =>
    assert.strictEqual(read(Quantity.formatSize(n)), n)
  )
})
