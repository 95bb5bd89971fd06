import { assert, it } from "@effect/vitest"
import { converted, isoMicroseconds, isoTime } from "../../../src/domain/format/Moment.ts"

const at = (epochMillis: number, offsetMinutes = 0) => ({ epochMillis, nanos: 5_000, offsetMinutes, zone: () => "X" })

it("a wall clock that is not UTC's shows its own day and offset", () => {
  const evening = Date.UTC(2026, 11, 31, 23, 30)
  assert.strictEqual(isoTime(at(evening, 60)), "2027-01-01T00:30:00+0100")
  assert.strictEqual(isoTime(at(evening, -570)), "2026-12-31T14:00:00-0930")
  assert.strictEqual(isoMicroseconds(at(evening, 60)), "2027-01-01T00:30:00.000005Z+0100")
})

it("weeks at a year's end are counted as ISO 8601 says", () => {
  const weeks = [
    [2026, 0, 1, "2026-W01"],
    [2027, 0, 1, "2026-W53"],
    [2027, 0, 4, "2027-W01"],
    [2024, 11, 30, "2025-W01"],
    [2021, 0, 3, "2020-W53"]
  ] as const
  for (const [year, month, day, week] of weeks) {
    const moment = at(Date.UTC(year, month, day))
    assert.strictEqual(`${converted("G", moment)}-W${converted("V", moment)}`, week)
  }
})

it("hours before noon are AM, and midnight is twelve", () => {
  const midnight = at(Date.UTC(2026, 0, 1))
  assert.strictEqual(converted("r", midnight), "12:00:00 AM")
  assert.strictEqual(converted("l", midnight), "12")
})
