/**
 * From a seed to a plan. Each part is drawn from a stream of its own, so that an option changes only what it is about.
 */
import { faultsOf, isApplicable } from "./FaultPlanning.ts"
import type { FaultName, Plan, Policy } from "./Plan.ts"
import { RandomStream } from "./RandomStream.ts"
import { clientsOf } from "./Workload.ts"

/** What is not left to the seed. */
export interface PlanOptions {
  /** At least 1; otherwise 1. */
  readonly brokers?: number
  /** At least 1, the observer included; otherwise 2 to 12. */
  readonly clients?: number
  /** The kinds of faults that strike, as far as they can; otherwise a random subset of all kinds. */
  readonly faults?: ReadonlyArray<FaultName>
  /** Seconds in which faults strike, at least 1; otherwise 20 to 60. */
  readonly seconds?: number
}

const kibibyte = 1_024
const mebibyte = 1_048_576
const gibibyte = 1_073_741_824

/** Either store, half of the seeds each; but that which the chosen faults can strike if it is only one. */
const storeOf = (random: RandomStream, faults: ReadonlyArray<FaultName> | undefined): Plan["store"] => {
  const [store, other] = random.chance(0.5) ? (["embedded", "ensemble"] as const) : (["ensemble", "embedded"] as const)
  if (faults === undefined || faults.some((name) => isApplicable(name, store))) return store
  return faults.length === 0 ? store : other
}

/** Mostly a random walk; priorities find what needs one task to be starved; a few seeds behave. */
const policyOf = (random: RandomStream): Policy => {
  const drawn = random.float()
  if (drawn < 0.6) return "random"
  return drawn < 0.95 ? "priorities" : "fifo"
}

const scheduleOf = (random: RandomStream): Plan["schedule"] => ({
  policy: policyOf(random),
  preemption: random.pick([0, 0.002, 0.02, 0.1])
})

const networkOf = (random: RandomStream): Plan["network"] => ({
  latencyMicros: random.pick([random.between(100, 500), random.between(100, 5_000)]),
  segmentation: random.pick([0, 0.1, 0.5])
})

const clocksOf = (random: RandomStream): Plan["clocks"] => {
  const skew = random.pick([0, 1_000, 60_000, 86_400_000])
  return {
    driftPpm: random.chance(0.7) ? random.between(-10_000, 10_000) : 0,
    skewMillis: random.between(-skew, skew)
  }
}

/** The broker's defaults, but for some that are so small that clients run into them. */
const limitsOf = (random: RandomStream): Plan["limits"] => {
  const small = (minimum: number, maximum: number, usual: number): number =>
    random.chance(0.25) ? random.between(minimum, maximum) : usual
  return {
    partitions: random.pick([1, 4, 16]),
    capital: random.chance(0.1) ? mebibyte : gibibyte,
    receiveMaximum: small(2, 64, 1_024),
    maximumInflight: small(1, 32, 256),
    queueMessages: small(2, 30, 100_000),
    outboxBytes: small(kibibyte, 8 * kibibyte, mebibyte)
  }
}

/** The plan of a seed. The same seed and options give the same plan; options are taken as they are. */
export const planOf = (seed: number, options: PlanOptions = {}): Plan => {
  const random = new RandomStream(seed, "plan")
  const brokers = options.brokers ?? 1
  const seconds = options.seconds ?? random.split("seconds").between(20, 60)
  const count = options.clients ?? random.split("count").between(2, 12)
  const store = storeOf(random.split("store"), options.faults)
  const limits = limitsOf(random.split("limits"))
  const clients = clientsOf(random.split("clients"), count, seconds, limits.capital === mebibyte)
  return {
    seed,
    seconds,
    brokers,
    store,
    schedule: scheduleOf(random.split("schedule")),
    network: networkOf(random.split("network")),
    clocks: clocksOf(random.split("clocks")),
    limits,
    clients,
    faults: faultsOf(random.split("faults"), seconds, { store, brokers, clients }, options.faults)
  }
}
