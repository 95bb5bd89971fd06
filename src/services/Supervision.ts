/** What every fiber that is forked and left alone is wrapped in: in Effect its failure would otherwise be silent. */
import { Cause, Effect } from "effect"

/** Logs why the effect ended, unless it was interrupted. */
export const supervised = <A, E, R>(name: string, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  effect.pipe(
    Effect.tapCause((cause) =>
      Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.logError(`${name} has failed`, cause)
    )
  )
