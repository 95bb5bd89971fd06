/** `mqttzoo sim shrink`: the same failure with less in it. */
import { Console, Effect, FileSystem, Option } from "effect"
import type { Plan } from "../../domain/simulation/Plan.ts"
import { planAsText, sizeText, violationText } from "../../domain/simulation/Rendering.ts"
import { shrink } from "../../domain/simulation/Shrinking.ts"
import { render } from "../../domain/simulation/StoredPlan.ts"
import { meaningOf } from "../../layers/SystemError.ts"
import { unusable } from "../CommandFailure.ts"
import type { Single } from "./Plans.ts"
import { commandLine, printLines, simulated } from "./Simulated.ts"

/** How far to go, and where to put what is left. */
export interface ShrinkOptions {
  /** Runs at most. */
  readonly runs: number
  readonly out: Option.Option<string>
}

const write = (path: string, text: string) =>
  FileSystem.FileSystem.use((files) => files.writeFileString(path, text)).pipe(
    Effect.mapError((error) => unusable(`cannot write ${path}: ${meaningOf(error.reason.cause ?? error)}`))
  )

/** Makes the plan smaller as long as it breaks the promise that it breaks first. */
export const runShrink = Effect.fnUntraced(function* ({ plan, name }: Single, { runs, out }: ShrinkOptions) {
  const [first] = (yield* simulated(plan)).violations
  if (first === undefined) return yield* unusable(`${name} breaks no promise: there is nothing to shrink`)
  yield* Console.error(`${name} breaks ${first.promise}: ${sizeText(plan)}`)
  const shrinking = shrink(plan, runs)
  let smallest: Plan = plan
  let tried = 0
  let step = shrinking.next()
  while (step.done !== true) {
    const { plan: candidate, change } = step.value
    const { violations } = yield* simulated(candidate)
    tried++
    const fails = violations.some(({ promise }) => promise === first.promise)
    if (fails) {
      smallest = candidate
      yield* Console.error(`run ${tried}: ${change}: ${sizeText(candidate)}`)
    }
    step = shrinking.next(fails)
  }
  const { violations } = yield* simulated(smallest)
  const left = [
    `left after ${tried} runs:`,
    ...planAsText(smallest),
    ...violations.map((violation) => `broken    ${violationText(violation)}`)
  ]
  if (Option.isNone(out)) {
    yield* Console.error(left.join("\n"))
    return yield* Console.log(render(smallest))
  }
  yield* write(out.value, `${render(smallest)}\n`)
  yield* printLines([...left, `show it:  ${commandLine("--plan", out.value, "--trace")}`])
})
