/** What remains of a run when its history is thrown away: enough to count it, and to compare it with another. */
import { Schema } from "effect"
import { Violation } from "./History.ts"

export const Outcome = Schema.Struct({
  seed: Schema.Natural,
  /** 16 hex digits over everything that happened. */
  hash: Schema.String,
  simulatedMillis: Schema.Natural,
  violations: Schema.Array(Violation),
  /** How often each rare path was reached, by name, in the order of the names. */
  reached: Schema.Record(Schema.String, Schema.Natural)
})
export type Outcome = typeof Outcome.Type

/** An outcome as a line of JSON, both ways. The same run gives the same line. */
export const OutcomeJson = Schema.fromJsonString(Outcome)

/** The outcome of a run. */
export const outcomeOf = (run: {
  readonly plan: { readonly seed: number }
  readonly hash: string
  readonly simulatedMillis: number
  readonly violations: ReadonlyArray<Violation>
  readonly reached: ReadonlyMap<string, number>
}): Outcome => ({
  seed: run.plan.seed,
  hash: run.hash,
  simulatedMillis: Math.round(run.simulatedMillis),
  violations: run.violations,
  reached: Object.fromEntries([...run.reached].sort(([a], [b]) => (a < b ? -1 : 1)))
})
