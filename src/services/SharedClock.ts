/**
 * The time that all brokers of a cluster agree on. Every expiry is reckoned with it: of messages, sessions, Wills and
 * retained messages.
 */
import { Clock, Context, Effect, Layer } from "effect"

export class SharedClock extends Context.Service<
  SharedClock,
  {
    /** Milliseconds since 1970. Synchronous, since a pass asks it once and works with the answer. */
    readonly now: () => number
    /** What others, or this broker before it was started again, have reckoned with: it is at least so late. */
    readonly atLeast: (millis: number) => void
  }
>()("mqttzoo/services/SharedClock") {
  /**
   * The clock of this process: for one broker alone, which has nobody to disagree with. It follows the wall clock when
   * that is set forward. When that is set back it goes on as it went: going back, or standing still until the wall clock
   * has caught up, would leave every deadline waiting.
   */
  static readonly layerLocal = Layer.effect(
    SharedClock,
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      const elapsed = () => Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n)
      let beginning = -Infinity
      const now = (): number => {
        const sinceStart = elapsed()
        beginning = Math.max(beginning, clock.currentTimeMillisUnsafe() - sinceStart)
        return beginning + sinceStart
      }
      now()
      return SharedClock.of({
        now,
        atLeast: (millis) => {
          beginning = Math.max(beginning, millis - elapsed())
        }
      })
    })
  )
}
