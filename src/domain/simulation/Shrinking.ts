/**
 * Makes a plan that breaks a promise smaller, so that what is left is what matters: fewer faults, clients and actions,
 * a shorter run, a calmer world. Delta debugging: ever smaller parts are left out, and stay out where the run still fails.
 */
import type { Action, ClientPlan, Fault, Plan } from "./Plan.ts"

/** A plan to try. */
export interface Candidate {
  readonly plan: Plan
  /** What is less or calmer than in the smallest plan so far. */
  readonly change: string
}

/** Gives plans to try and is told whether each still fails; returns the smallest that does. */
export type Shrinking = Generator<Candidate, Plan, boolean>

/** A part of the search: it is told how each candidate went. */
type Pass = Generator<Candidate, void, boolean>

/** The world at its calmest: the first task that is ready runs, and the broker has its default limits. */
const calm = {
  schedule: { policy: "fifo", preemption: 0 },
  network: { latencyMicros: 200, segmentation: 0 },
  clocks: { driftPpm: 0, skewMillis: 0 },
  limits: {
    partitions: 64,
    capital: 1_073_741_824,
    receiveMaximum: 1_024,
    maximumInflight: 256,
    queueMessages: 100_000,
    outboxBytes: 1_048_576
  }
} as const satisfies Partial<Plan>

/** The shortest duration that is tried, in milliseconds. */
const shortest = 10

/** The search: the smallest plan so far, and how many runs it may still take. */
class Search {
  plan: Plan
  #runsLeft: number

  constructor(plan: Plan, runs: number) {
    this.plan = plan
    this.#runsLeft = runs
  }

  get isOver(): boolean {
    return this.#runsLeft <= 0
  }

  /** Tries a plan and keeps it if it fails. */
  *keeps(plan: Plan, change: string): Generator<Candidate, boolean, boolean> {
    if (this.isOver) return false
    this.#runsLeft--
    const fails = yield { plan, change }
    if (fails) this.plan = plan
    return fails
  }
}

/** Leaves out parts of a list: all of it, halves, quarters, down to single items. */
function* fewer<A>(
  search: Search,
  items: ReadonlyArray<A>,
  what: string,
  planWith: (items: ReadonlyArray<A>) => Plan
): Pass {
  let kept = items
  for (let size = kept.length; size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    let from = 0
    while (from < kept.length) {
      const rest = [...kept.slice(0, from), ...kept.slice(from + size)]
      const change = `without ${kept.length - rest.length} of ${kept.length} ${what}`
      if (yield* search.keeps(planWith(rest), change)) kept = rest
      else from += size
    }
  }
}

/** Ends the chaos earlier; what would come after its end is left out. */
function* shorter(search: Search): Pass {
  for (const factor of [0.5, 0.75, 0.9]) {
    let seconds = Math.floor(search.plan.seconds * factor)
    while (seconds >= 1 && seconds < search.plan.seconds) {
      const isBefore = ({ at }: { readonly at: number }): boolean => at < seconds * 1_000
      const plan: Plan = {
        ...search.plan,
        seconds,
        clients: search.plan.clients.map((client) => ({ ...client, actions: client.actions.filter(isBefore) })),
        faults: search.plan.faults.filter(isBefore)
      }
      if (!(yield* search.keeps(plan, `${seconds} s of chaos`))) break
      seconds = Math.floor(seconds * factor)
    }
  }
}

function* fewerFaults(search: Search): Pass {
  yield* fewer(search, search.plan.faults, "faults", (faults) => ({ ...search.plan, faults }))
}

/** The first client is the observer, who stays. */
function* fewerClients(search: Search): Pass {
  const [observer, ...others] = search.plan.clients
  if (observer === undefined) return
  yield* fewer(search, others, "clients", (kept) => ({ ...search.plan, clients: [observer, ...kept] }))
}

const withClient = (plan: Plan, index: number, client: ClientPlan): Plan => ({
  ...plan,
  clients: plan.clients.map((before, at) => (at === index ? client : before))
})

/** What the observer needs to see everything. */
const isObserving = ({ _tag }: Action): boolean => _tag === "Online" || _tag === "Subscribe"

function* fewerActions(search: Search): Pass {
  for (let index = 0; index < search.plan.clients.length; index++) {
    const client = search.plan.clients[index]!
    const mayGo = (action: Action): boolean => index > 0 || !isObserving(action)
    const candidates = client.actions.filter(mayGo)
    yield* fewer(search, candidates, `actions of ${client.name}`, (kept) => {
      const left = new Set(kept)
      const actions = client.actions.filter((action) => !mayGo(action) || left.has(action))
      return withClient(search.plan, index, { ...client, actions })
    })
  }
}

const withFault = (plan: Plan, index: number, fault: Fault): Plan => ({
  ...plan,
  faults: plan.faults.map((before, at) => (at === index ? fault : before))
})

/** Makes something last as short as it can, or half as long again and again. */
function* shorterDuration(search: Search, duration: number, what: string, planWith: (millis: number) => Plan): Pass {
  if (duration <= shortest) return
  if (yield* search.keeps(planWith(shortest), `${what} for ${shortest} ms`)) return
  let half = Math.floor(duration / 2)
  while (half > shortest && (yield* search.keeps(planWith(half), `${what} for ${half} ms`))) half = Math.floor(half / 2)
}

/** Shortens the faults, and the times in which clients do not read. */
function* shorterDurations(search: Search): Pass {
  for (const [index, fault] of search.plan.faults.entries()) {
    if (!("duration" in fault)) continue
    yield* shorterDuration(search, fault.duration, fault._tag, (duration) =>
      withFault(search.plan, index, { ...fault, duration })
    )
  }
  for (const [index, { name, actions }] of search.plan.clients.entries()) {
    for (const [at, action] of actions.entries()) {
      if (action._tag !== "Stall") continue
      yield* shorterDuration(search, action.duration, `stall of ${name}`, (duration) => {
        const client = search.plan.clients[index]!
        const stall: Action = { ...action, duration }
        return withClient(search.plan, index, { ...client, actions: client.actions.with(at, stall) })
      })
    }
  }
}

/** Gives each part of the world its calm values: all at once, or those that it can have. */
function* calmer(search: Search): Pass {
  for (const part of ["schedule", "network", "clocks", "limits"] as const) {
    const differing = Object.entries(calm[part]).filter(
      ([name, value]) => Object.entries(search.plan[part]).find(([key]) => key === name)?.[1] !== value
    )
    yield* fewer(search, differing, `unusual values of the ${part}`, (kept) => {
      const unusual = new Set(kept.map(([name]) => name))
      const values = Object.entries(search.plan[part]).filter(([name]) => unusual.has(name))
      return { ...search.plan, [part]: { ...calm[part], ...Object.fromEntries(values) } }
    })
  }
}

const passes = [shorter, fewerFaults, fewerClients, fewerActions, shorterDurations, calmer]

/**
 * Looks for the smallest plan that fails as this one does, in so many runs at most. All passes are repeated until none
 * finds anything to leave out.
 */
export function* shrink(plan: Plan, runs: number): Shrinking {
  const search = new Search(plan, runs)
  let before: Plan
  do {
    before = search.plan
    for (const pass of passes) yield* pass(search)
  } while (search.plan !== before && !search.isOver)
  return search.plan
}
