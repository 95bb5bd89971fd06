/** What strikes in a run: which kinds of faults a seed knows, when they strike, whom, and for how long. */
import { brokerHost, clientHost, FaultName, serverHost, type ClientPlan, type Fault, type Plan } from "./Plan.ts"
import type { RandomStream } from "./RandomStream.ts"
import { observerName } from "./Workload.ts"

/** Milliseconds. */
const shortest = 50
const longest = 20_000

const most = 12

/** The servers of a ZooKeeper ensemble. */
const servers = 3

/** Where faults can strike. */
export interface Targets {
  readonly store: Plan["store"]
  readonly brokers: number
  readonly clients: ReadonlyArray<ClientPlan>
}

const onlyEnsemble: ReadonlyArray<FaultName> = ["expire", "lose-reply", "lag", "leader", "server"]
const onlyEmbedded: ReadonlyArray<FaultName> = ["disk"]

/** Whether a kind of fault can strike brokers with that store. */
export const isApplicable = (name: FaultName, store: Plan["store"]): boolean =>
  !(store === "embedded" ? onlyEnsemble : onlyEmbedded).includes(name)

/** The kinds that a seed knows: those that were chosen, or a random subset, of one seed in eight an empty one. */
const kindsOf = (random: RandomStream, store: Plan["store"], chosen: ReadonlyArray<FaultName> | undefined) => {
  const isQuiet = random.split("quiet").chance(0.125)
  return FaultName.literals.filter((name) => {
    if (!isApplicable(name, store)) return false
    if (chosen !== undefined) return chosen.includes(name)
    return !isQuiet && random.split(name).chance(0.4)
  })
}

/** Half of all faults are short, the others may take long. */
const durationOf = (random: RandomStream): number =>
  Math.min(longest, shortest + Math.round(random.exponential(random.chance(0.5) ? 400 : 5_000)))

/** Two hosts that talk to each other: the broker, and a client or a ZooKeeper server, in either order. */
const pairOf = (random: RandomStream, { store, brokers, clients }: Targets) => {
  const broker = brokerHost(random.below(brokers))
  const isServer = store === "ensemble" && random.chance(0.5)
  const client = random.chance(0.25) ? observerName : random.pick(clients).name
  const other = isServer ? serverHost(random.below(servers)) : clientHost(client)
  return random.chance(0.5) ? { from: broker, to: other } : { from: other, to: broker }
}

const faultOf = (random: RandomStream, _tag: FaultName, at: number, targets: Targets): Fault => {
  const broker = brokerHost(random.below(targets.brokers))
  const duration = durationOf(random)
  switch (_tag) {
    case "crash":
    case "power":
    case "stop":
    case "pause":
      return { _tag, at, duration, broker }
    case "cut":
      return { _tag, at, duration, ...pairOf(random, targets), oneWay: random.chance(0.4) }
    case "reset":
      return { _tag, at, ...pairOf(random, targets) }
    case "slow":
      return { _tag, at, duration, ...pairOf(random, targets), factor: random.between(2, 200) }
    case "expire":
      return { _tag, at, broker }
    case "lose-reply":
      return { _tag, at, duration, percent: random.between(5, 60) }
    case "lag":
      return { _tag, at, duration, server: random.below(servers), millis: random.between(10, 2_000) }
    case "leader":
      return { _tag, at, duration }
    case "server":
      return { _tag, at, duration, server: random.below(servers), quorum: random.chance(0.25) }
    case "disk":
      return { _tag, at, duration, broker, how: random.pick(["full", "failing", "slow", "slow"] as const) }
    case "clock": {
      const size = random.pick([100, 2_000, 60_000, 3_600_000])
      return { _tag, at, broker, millis: random.between(-size, size) }
    }
  }
}

const endOf = (fault: Fault): number => ("duration" in fault ? fault.at + fault.duration : fault.at)

/** Whether it ends a process in the midst of what it does. */
const isSudden = (kind: FaultName): boolean => kind === "crash" || kind === "power"

/** How long after an action a fault strikes that is meant to strike what it has set off, in milliseconds at most. */
const aftermath = 8

/**
 * When a fault strikes: at any time, soon after the start, close to another one, or right after something that a client
 * does (`acts` are the times of that), before it is on a disk. The last two are where what is rare is found.
 */
const momentOf = (
  random: RandomStream,
  others: ReadonlyArray<Fault>,
  acts: ReadonlyArray<number> | undefined,
  end: number
): number => {
  if (acts !== undefined) return Math.min(random.pick(acts) + random.between(0, aftermath), end - 1)
  if (others.length > 0 && random.chance(0.35)) {
    const other = random.pick(others)
    const at = random.chance(0.5) ? endOf(other) + random.between(0, 400) : random.between(other.at, endOf(other))
    return Math.min(at, end - 1)
  }
  return random.chance(0.1) ? random.below(Math.min(3_000, end)) : random.below(end)
}

/** When the clients do what, kind by kind: there are many more publications than anything else. */
const actsOf = (clients: ReadonlyArray<ClientPlan>): ReadonlyArray<ReadonlyArray<number>> => {
  const times = new Map<string, Array<number>>()
  for (const { actions } of clients) {
    for (const { _tag, at } of actions) {
      const same = times.get(_tag)
      if (same === undefined) times.set(_tag, [at])
      else same.push(at)
    }
  }
  return [...times.values()]
}

/** Whether a fault strikes a process that another one has just ended. */
const strikesNothing = (fault: Fault, other: Fault): boolean => {
  if (other._tag !== "crash" && other._tag !== "power") return false
  if (fault._tag !== "crash" && fault._tag !== "power" && fault._tag !== "stop" && fault._tag !== "pause") return false
  return fault.broker === other.broker && fault.at >= other.at && fault.at <= endOf(other)
}

/**
 * The faults of a run of so many seconds, in the order of their times: at most 12, of the kinds that were chosen and
 * can strike there, or of a random subset of all kinds. They may go on after the end of the chaos; the run ends them.
 */
export const faultsOf = (
  random: RandomStream,
  seconds: number,
  targets: Targets,
  chosen: ReadonlyArray<FaultName> | undefined
): ReadonlyArray<Fault> => {
  const kinds = kindsOf(random, targets.store, chosen)
  if (kinds.length === 0) return []
  const faults: Array<Fault> = []
  const acts = actsOf(targets.clients)
  const count = random.split("count").between(1, most)
  for (let i = 0; i < count; i++) {
    const stream = random.split(`${i}`)
    const kind = stream.pick(kinds)
    const aimed = acts.length > 0 && stream.chance(isSudden(kind) ? 0.6 : 0.3) ? stream.pick(acts) : undefined
    const at = momentOf(stream, faults, aimed, seconds * 1_000)
    const fault = faultOf(stream, kind, at, targets)
    const isIdle = faults.some((other) => strikesNothing(fault, other) || strikesNothing(other, fault))
    if (!isIdle) faults.push(fault)
  }
  return faults.toSorted((a, b) => a.at - b.at)
}
