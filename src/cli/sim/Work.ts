/** What the commands do with their flags. It needs the whole broker, and is loaded by those who run it only. */
import { Effect, Option } from "effect"
import { availableParallelism } from "node:os"
import { unusable } from "../CommandFailure.ts"
import type { PlanFlagValues } from "./PlanFlags.ts"
import { plansOf, singleOf } from "./Plans.ts"
import { runSeeds } from "./Seeds.ts"
import { runShrink, type ShrinkOptions } from "./Shrink.ts"
import { runSingle, type Shown } from "./Single.ts"
import { runTwice } from "./Twice.ts"

/** Fewer seeds than these are not worth a second process. */
const seedsForWorker = 50

interface Seed extends PlanFlagValues {
  readonly seed: Option.Option<number>
}

/** What the flags of `mqttzoo sim` parse to. */
export interface SimFlagValues extends Seed, Shown {
  readonly from: Option.Option<number>
  readonly count: Option.Option<number>
  readonly step: number
  readonly "keep-going": boolean
  readonly workers: Option.Option<number>
}

/** `mqttzoo sim`: one plan, or many seeds. */
export const sim = Effect.fnUntraced(function* (values: SimFlagValues) {
  if (Option.isSome(values.seed) || Option.isSome(values.plan)) {
    if (Option.isSome(values.from) || Option.isSome(values.count)) {
      return yield* unusable("give --from and --count, or one seed, or one plan")
    }
    return yield* runSingle(yield* singleOf(values, values.seed), values)
  }
  if (values.trace) return yield* unusable("--trace shows one run: give --seed or --plan with it")
  const plans = yield* plansOf(values)
  const [from, count] = [Option.getOrElse(values.from, () => 1), Option.getOrElse(values.count, () => 1_000)]
  if (!Number.isSafeInteger(from + (count - 1) * values.step)) {
    return yield* unusable(`there are no ${count} seeds from ${from} on`)
  }
  const workers = Option.getOrElse(values.workers, () =>
    Math.min(availableParallelism(), Math.floor(count / seedsForWorker))
  )
  return yield* runSeeds({
    plans,
    from,
    count,
    step: values.step,
    keepGoing: values["keep-going"],
    json: values.json,
    workers: Math.min(workers, count)
  })
})

/** `mqttzoo sim shrink`. */
export const shrink = Effect.fnUntraced(function* (values: Seed & ShrinkOptions) {
  return yield* runShrink(yield* singleOf(values, values.seed), values)
})

/** `mqttzoo sim twice`. */
export const twice = Effect.fnUntraced(function* (values: Seed) {
  return yield* runTwice(yield* singleOf(values, values.seed))
})
