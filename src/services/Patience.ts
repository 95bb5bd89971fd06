/** What a broker does while ZooKeeper is away: it waits, and tries again. */
import { Effect, Schedule } from "effect"
import type { ZooKeeperError } from "./ZooKeeper.ts"

/**
 * Whether trying again may help: the request is sound, and ZooKeeper was only not there. After a ConnectionLoss it may
 * have happened, so whoever tries again has to be able to tell, or to bear it.
 */
const isPassing = (error: { readonly _tag: string }): boolean => {
  if (error._tag !== "ZooKeeperError") return false
  const { reason } = error as ZooKeeperError
  return reason._tag === "Unavailable" || reason._tag === "ConnectionLoss" || reason._tag === "SessionLost"
}

const schedule = Schedule.min([Schedule.exponential("50 millis"), Schedule.spaced("2 seconds")])

/** Tries again for as long as it fails only because ZooKeeper is away; `problem` is what the log says then. */
export const patiently = <A, E extends { readonly _tag: string; readonly message: string }, R>(
  problem: string,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  effect.pipe(
    Effect.tapError((error) => (isPassing(error) ? Effect.logWarning(problem, error.message) : Effect.void)),
    Effect.retry({ while: isPassing, schedule })
  )
