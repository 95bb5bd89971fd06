import { assert, describe, it } from "vitest"
import { makeBrokerClock } from "../../../src/domain/simulation/BrokerClock.ts"

const second = 1_000_000

describe("the clock of a broker", () => {
  it("runs up to 1 % fast or slow", () => {
    const clock = makeBrokerClock([], [0])
    assert.strictEqual(clock.atMost(second, 101 * second), 101 * second)
    assert.strictEqual(clock.atLeast(second, 101 * second), 99 * second)
    assert.strictEqual(clock.earliest(second, 101 * second), 101 * second)
  })

  it("follows a jump ahead", () => {
    const clock = makeBrokerClock([{ at: 5 * second, micros: 50 * second }], [0])
    assert.isAtLeast(clock.atMost(4 * second, 6 * second), 52 * second)
    assert.isBelow(clock.atMost(6 * second, 8 * second), 3 * second)
    assert.strictEqual(clock.earliest(4 * second, 40 * second), 5 * second)
  })

  it("goes on after a jump back", () => {
    const clock = makeBrokerClock([{ at: 5 * second, micros: -50 * second }], [0])
    assert.isAbove(clock.atLeast(4 * second, 6 * second), 1.9 * second)
  })

  it("may have gone back when the broker starts after a jump back", () => {
    const clock = makeBrokerClock([{ at: 5 * second, micros: -50 * second }], [0, 10 * second])
    assert.isAbove(clock.atLeast(4 * second, 9 * second), 4.9 * second)
    assert.isBelow(clock.atLeast(4 * second, 11 * second), 0)
    assert.isAbove(clock.atLeast(10.1 * second, 12 * second), 1.8 * second)
  })
})
