/**
 * The rare paths that many seeds together have to reach: a run in which nothing was wrong says little when nothing that
 * is hard has happened in it.
 */

export interface Probe {
  /** A name that does not change: `takeover-while-sending`. */
  readonly name: string
  /** What happens there, for people. */
  readonly description: string
}

/** All of them, in the order in which they are shown. */
export const probes: ReadonlyArray<Probe> = []

/** So many seeds of the default plan reach every probe. */
export const seedsForAll = 1_000

/** How often something was reached over many seeds. */
export interface Reached {
  /** The seeds that have reached it. */
  readonly seeds: number
  /** How often, all seeds together. */
  readonly times: number
}

/** Adds what one seed has reached to what the seeds before it have. */
export const added = (
  all: ReadonlyMap<string, Reached>,
  one: Iterable<readonly [name: string, times: number]>
): ReadonlyMap<string, Reached> => {
  const sum = new Map(all)
  for (const [name, times] of one) {
    if (times === 0) continue
    const before = sum.get(name)
    sum.set(name, { seeds: (before?.seeds ?? 0) + 1, times: (before?.times ?? 0) + times })
  }
  return sum
}

/** The probes that were not reached. */
export const unreached = (
  reached: ReadonlyMap<string, Reached>,
  wanted: ReadonlyArray<Probe> = probes
): ReadonlyArray<Probe> => wanted.filter(({ name }) => !reached.has(name))
