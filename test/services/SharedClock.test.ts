import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { SharedClock } from "../../src/services/SharedClock.ts"

/** A process whose wall clock and monotonic clock show what they are told to; in milliseconds. */
const clocks = Effect.gen(function* () {
  let wall = 1_000_000
  let monotonic = 0
  const clock = yield* Clock.Clock
  const { now } = yield* Effect.provide(SharedClock, SharedClock.layerLocal).pipe(
    Effect.provideService(Clock.Clock, {
      ...clock,
      currentTimeMillisUnsafe: () => wall,
      monotonicTimeNanosUnsafe: () => BigInt(monotonic) * 1_000_000n
    })
  )
  return {
    now,
    pass: (millis: number) => {
      wall += millis
      monotonic += millis
    },
    jump: (millis: number) => {
      wall += millis
    }
  }
})

describe("the clock of a broker that stands alone", () => {
  it.effect("shows the time of its process", () =>
    Effect.gen(function* () {
      const { now, pass } = yield* clocks
      assert.strictEqual(now(), 1_000_000)
      pass(500)
      assert.strictEqual(now(), 1_000_500)
    })
  )

  it.effect("goes on when the wall clock is set back", () =>
    Effect.gen(function* () {
      const { now, pass, jump } = yield* clocks
      jump(-600_000)
      assert.strictEqual(now(), 1_000_000)
      pass(500)
      assert.strictEqual(now(), 1_000_500)
    })
  )

  it.effect("follows when it is set forward, as after a sleep of the machine", () =>
    Effect.gen(function* () {
      const { now, pass, jump } = yield* clocks
      jump(600_000)
      pass(500)
      assert.strictEqual(now(), 1_600_500)
      jump(-600_000)
      pass(500)
      assert.strictEqual(now(), 1_601_000)
    })
  )
})
