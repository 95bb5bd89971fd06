/** `mqttzoo sim twice`: whether the same plan gives the same history. */
import { Console, Effect } from "effect"
import { historyAsText } from "../../domain/simulation/Rendering.ts"
import type { Single } from "./Plans.ts"
import { found, printLines, simulated } from "./Simulated.ts"

/** Lines before the first that differs, which are the same in both. */
const linesBefore = 5

/** Runs the plan twice, with another seed between the two, and fails with 1 where they differ. */
export const runTwice = Effect.fnUntraced(function* ({ plan }: Single) {
  const first = yield* simulated(plan)
  // What one run leaves behind in this process would show in the next.
  yield* simulated({ ...plan, seed: plan.seed === 0 ? 1 : plan.seed - 1 })
  const second = yield* simulated(plan)
  const [one, other] = [historyAsText(first.history), historyAsText(second.history)]
  const end = Math.max(one.length, other.length)
  let at = 0
  while (at < end && one[at] === other[at]) at++
  if (at < end) {
    yield* printLines([
      ...one.slice(Math.max(0, at - linesBefore), at).map((line) => `  ${line}`),
      `1 ${one[at] ?? "(the end)"}`,
      `2 ${other[at] ?? "(the end)"}`,
      `line ${at + 1} is the first that differs`
    ])
    return yield* found
  }
  if (first.hash !== second.hash) {
    yield* printLines([`the ${end} lines are the same, but what led to them is not: ${first.hash}, ${second.hash}`])
    return yield* found
  }
  yield* Console.log(`the same twice: ${end} lines, ${first.hash}`)
})
