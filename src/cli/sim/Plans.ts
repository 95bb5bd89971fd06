/** What the flags mean: the plans to run. What is wrong with them ends the command with 2. */
import { Effect, FileSystem, Option, Result, Schema } from "effect"
import { FaultName, type Plan } from "../../domain/simulation/Plan.ts"
import { type PlanOptions, planOf } from "../../domain/simulation/Planning.ts"
import { parse } from "../../domain/simulation/StoredPlan.ts"
import { meaningOf } from "../../layers/SystemError.ts"
import { type CommandFailure, unusable } from "../CommandFailure.ts"
import type { PlanFlagValues } from "./PlanFlags.ts"

/** The plans of seeds. */
export interface Plans {
  readonly of: (seed: number) => Plan
  /** Whether a seed stands for what it does without any flags. */
  readonly isDefault: boolean
  /** The flags that make the same plans, to be given to another command. */
  readonly args: ReadonlyArray<string>
}

/** The names, or the first that is none. */
const faultsOf = (given: string): Result.Result<ReadonlyArray<FaultName>, string> => {
  if (given.trim() === "none") return Result.succeed([])
  const names = given.split(",").map((name) => name.trim())
  const unknown = names.find((name) => !Schema.is(FaultName)(name))
  return unknown === undefined
    ? Result.succeed(names as ReadonlyArray<FaultName>)
    : Result.fail(`unknown fault ${JSON.stringify(unknown)}; there are ${FaultName.literals.join(", ")}, or none`)
}

const storedPlan = (path: string): Effect.Effect<Plan, CommandFailure, FileSystem.FileSystem> =>
  FileSystem.FileSystem.use((files) => files.readFileString(path)).pipe(
    Effect.mapError((error) => unusable(`cannot read ${path}: ${meaningOf(error.reason.cause ?? error)}`)),
    Effect.flatMap((text) =>
      Effect.mapError(Effect.fromResult(parse(text)), ({ message }) =>
        unusable(`${path} is no plan that can run: ${message}`)
      )
    )
  )

/** The plans that the flags make of seeds. */
export const plansOf = Effect.fnUntraced(function* (values: PlanFlagValues) {
  const faults = yield* Option.match(values.faults, {
    onNone: () => Effect.succeed(undefined),
    onSome: (given) => Effect.mapError(Effect.fromResult(faultsOf(given)), unusable)
  })
  const options: PlanOptions = {
    ...(Option.isSome(values.brokers) && { brokers: values.brokers.value }),
    ...(Option.isSome(values.clients) && { clients: values.clients.value }),
    ...(faults !== undefined && { faults }),
    ...(Option.isSome(values.seconds) && { seconds: values.seconds.value })
  }
  const args = Object.entries({ ...options, faults: faults?.length === 0 ? ["none"] : faults }).flatMap(
    ([name, value]) => (value === undefined ? [] : [`--${name}`, String(value)])
  )
  const plans: Plans = { of: (seed) => planOf(seed, options), isDefault: args.length === 0, args }
  return plans
})

/** A single plan, and where it is from: `seed 4711`, or the name of its file. */
export interface Single {
  readonly plan: Plan
  readonly name: string
}

/** The one plan that is meant, by a seed or by a file. */
export const singleOf = Effect.fnUntraced(function* (values: PlanFlagValues, seed: Option.Option<number>) {
  const plans = yield* plansOf(values)
  if (Option.isNone(values.plan)) {
    if (Option.isNone(seed)) return yield* unusable("give a seed, or --plan")
    const single: Single = { plan: plans.of(seed.value), name: `seed ${seed.value}` }
    return single
  }
  if (Option.isSome(seed) || !plans.isDefault) {
    return yield* unusable("--plan is a whole plan: give no seed with it, nor what else makes a plan")
  }
  const single: Single = { plan: yield* storedPlan(values.plan.value), name: values.plan.value }
  return single
})
