import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { TimerWheel } from "../../../src/domain/time/TimerWheel.ts"

describe("a timer wheel", () => {
  it("is never early, and late by less than its resolution", () => {
    const wheel = new TimerWheel<string>(100, 0)
    wheel.set("a", 150)
    assert.deepStrictEqual(wheel.advance(150), [])
    assert.deepStrictEqual(wheel.advance(199), [])
    assert.deepStrictEqual(wheel.advance(200), ["a"])
    assert.strictEqual(wheel.size, 0)
  })

  it("forgets a deadline that is moved or taken away", () => {
    const wheel = new TimerWheel<string>(100, 0)
    wheel.set("a", 200)
    wheel.set("b", 200)
    wheel.set("a", 500)
    wheel.delete("b")
    wheel.delete("nobody")
    assert.deepStrictEqual(wheel.advance(400), [])
    assert.strictEqual(wheel.size, 1)
    assert.deepStrictEqual(wheel.advance(500), ["a"])
  })

  it("gives a deadline that has passed with the next step", () => {
    const wheel = new TimerWheel<string>(100, 1_000)
    wheel.set("late", 10)
    assert.deepStrictEqual(wheel.advance(1_099), [])
    assert.deepStrictEqual(wheel.advance(1_100), ["late"])
  })

  it("takes a leap of the clock in one step, in the order of the deadlines", () => {
    const wheel = new TimerWheel<string>(100, 0)
    wheel.set("second", 90_000_000)
    wheel.set("first", 1_000)
    wheel.set("third", 900_000_000_000)
    assert.deepStrictEqual(wheel.advance(800_000_000_000), ["first", "second"])
    assert.strictEqual(wheel.size, 1)
  })
})

const Step = Schema.Union([
  Schema.TaggedStruct("Set", {
    key: Schema.Literals(["a", "b", "c", "d"]),
    in: Schema.Literals([-50, 0, 1, 99, 100, 101, 5_000])
  }),
  Schema.TaggedStruct("Delete", { key: Schema.Literals(["a", "b", "c", "d"]) }),
  Schema.TaggedStruct("Advance", { by: Schema.Literals([0, 1, 50, 100, 250, 10_000]) })
])

it.prop("a timer wheel does what a list of deadlines does", [Schema.Array(Step)], ([steps]) => {
  const resolution = 100
  let now = 1_234
  let slot = Math.floor(now / resolution)
  const wheel = new TimerWheel<string>(resolution, now)
  const deadlines = new Map<string, number>()
  for (const step of steps) {
    if (step._tag === "Set") {
      wheel.set(step.key, now + step.in)
      deadlines.set(step.key, Math.max(Math.ceil((now + step.in) / resolution), slot + 1))
    } else if (step._tag === "Delete") {
      wheel.delete(step.key)
      deadlines.delete(step.key)
    } else {
      now += step.by
      slot = Math.floor(now / resolution)
      const due = [...deadlines].filter(([, at]) => at <= slot).map(([key]) => key)
      for (const key of due) deadlines.delete(key)
      assert.sameMembers([...wheel.advance(now)], due)
    }
    assert.strictEqual(wheel.size, deadlines.size)
  }
})
