/**
 * How much time can have passed by a broker's clock between two moments of a run. Brokers' clocks run up to 1 % fast or
 * slow, and jump. A broker that runs follows a jump ahead and ignores one back; a broker that starts takes the time as
 * it finds it.
 */

/** By how much a broker's clock may run fast or slow. */
const drift = 0.01

/** Bounds for the time that has passed by a broker's clock, in microseconds. */
export interface BrokerClock {
  /** At most so much has passed from one moment to another. */
  readonly atMost: (from: number, to: number) => number
  /** At least so much has passed from one moment to another; below 0 where the clock may have gone back. */
  readonly atLeast: (from: number, to: number) => number
  /** The first moment at which so much may have passed since another one. */
  readonly earliest: (from: number, elapsed: number) => number
}

/** A change of a clock: when, and by how many microseconds. */
export interface Jump {
  readonly at: number
  readonly micros: number
}

/**
 * The clock that these jumps disturb, in the order of their times, of a broker that was started at these moments. Those
 * of all brokers together: a bound for each.
 */
export const makeBrokerClock = (jumps: ReadonlyArray<Jump>, starts: ReadonlyArray<number>): BrokerClock => {
  const ahead = jumps.filter(({ micros }) => micros > 0)
  const back = jumps.filter(({ micros }) => micros < 0)
  return {
    atMost: (from, to) => {
      let elapsed = (to - from) * (1 + drift)
      for (const { at, micros } of ahead) if (at >= from && at <= to) elapsed += micros
      return elapsed
    },
    atLeast: (from, to) => {
      let elapsed = (to - from) * (1 - drift)
      const lastStart = starts.findLast((at) => at <= to) ?? -Infinity
      if (lastStart < from) return elapsed
      // A jump back before `from` counts as well: a broker that ran may have ignored it until then.
      for (const { at, micros } of back) if (at <= lastStart) elapsed += micros
      return elapsed
    },
    earliest: (from, elapsed) => {
      let left = elapsed
      let since = from
      for (const { at, micros } of ahead) {
        if (at < from) continue
        const passed = (at - since) * (1 + drift)
        if (passed >= left) break
        left -= passed + micros
        since = at
        if (left <= 0) return at
      }
      return since + left / (1 + drift)
    }
  }
}
