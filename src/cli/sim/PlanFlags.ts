/** The flags that say what to simulate, for every command that simulates. `Plans.ts` makes plans of them. */
import { Option } from "effect"
import { Flag } from "effect/cli"
import { FaultName, maximumBrokers } from "../../domain/simulation/Plan.ts"
import { wholeNumber } from "../ClientFlags.ts"

/** What a run may have at most, so that it fits into memory. */
const maximum = { clients: 1_000, seconds: 86_400 }

/** Reads a seed, as a flag or an argument has it. */
export const seedOf = (text: string): Option.Option<number> => {
  const seed = /^\d+$/.test(text) ? Number(text) : NaN
  return Number.isSafeInteger(seed) ? Option.some(seed) : Option.none()
}

/** What a seed has to be. */
export const seedRule = `a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`

/** A flag for a seed. */
export const seedFlag = (name: string, description: string) =>
  Flag.String(name).pipe(
    Flag.filterMap(seedOf, () => seedRule),
    Flag.withMetavar("SEED"),
    Flag.withDescription(description),
    Flag.optional
  )

/** The flags that change what a seed stands for. */
export const planFlags = {
  brokers: Flag.Int("brokers").pipe(
    Flag.filter(
      (count) => count >= 1 && count <= maximumBrokers,
      () => `${maximumBrokers}, more cannot be simulated so far`
    ),
    Flag.withMetavar("COUNT"),
    Flag.withDescription(`Brokers, ${maximumBrokers} at most so far (1)`),
    Flag.optional
  ),
  clients: wholeNumber("clients", "COUNT", 1, maximum.clients, "Clients (the seed decides)").pipe(Flag.optional),
  faults: Flag.String("faults").pipe(
    Flag.withMetavar("NAMES"),
    Flag.withDescription(`Only these faults, or none (the seed decides): ${FaultName.literals.join(",")}`),
    Flag.optional
  ),
  seconds: wholeNumber("seconds", "SECONDS", 1, maximum.seconds, "How long faults may strike (the seed decides)").pipe(
    Flag.optional
  ),
  plan: Flag.Path("plan").pipe(
    Flag.withMetavar("FILE"),
    Flag.withDescription("Run this plan, as shrink writes it"),
    Flag.optional
  )
}

/** What the flags of `planFlags` parse to. */
export interface PlanFlagValues {
  readonly brokers: Option.Option<number>
  readonly clients: Option.Option<number>
  readonly faults: Option.Option<string>
  readonly seconds: Option.Option<number>
  readonly plan: Option.Option<string>
}
