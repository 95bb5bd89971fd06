/** `mqttzoo sim` of one seed or of a stored plan. */
import { Console, Effect, Schema } from "effect"
import { OutcomeJson, outcomeOf } from "../../domain/simulation/Outcome.ts"
import { promises } from "../../domain/simulation/Promises.ts"
import { historyAsJson, historyAsText, summary } from "../../domain/simulation/Rendering.ts"
import type { Single } from "./Plans.ts"
import { found, printLines, simulated } from "./Simulated.ts"

/** What to print of the run. */
export interface Shown {
  readonly trace: boolean
  readonly json: boolean
}

const encode = Schema.encodeSync(OutcomeJson)

/** Runs the plan and prints what happened; fails with 1 if a promise was broken. */
export const runSingle = Effect.fnUntraced(function* ({ plan }: Single, { trace, json }: Shown) {
  const run = yield* simulated(plan)
  if (json) {
    yield* trace ? printLines(historyAsJson(run.history)) : Console.log(encode(outcomeOf(run)))
  } else {
    yield* printLines([...(trace ? [...historyAsText(run.history), ""] : []), ...summary(run, Object.keys(promises))])
  }
  if (run.violations.length > 0) return yield* found
})
