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
  }
>()("mqttzoo/services/SharedClock") {
  /** The clock of this process: for one broker alone, which has nobody to disagree with. It never goes back. */
  static readonly layerLocal = Layer.effect(
    SharedClock,
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      let latest = 0
      return SharedClock.of({
        now: () => {
          latest = Math.max(latest, clock.currentTimeMillisUnsafe())
          return latest
        }
      })
    })
  )
}
