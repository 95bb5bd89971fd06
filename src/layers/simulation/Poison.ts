/* oxlint-disable no-restricted-globals -- what it takes away it has to name */
/**
 * While a simulation runs, every source of time, chance and turns that is not the simulation's own throws. A promise or
 * a timer that leaks in would leave the hash of the run as it is; only this names it.
 */

/** Something in a simulated run has asked the real world. */
export class SimulationLeak extends Error {
  override readonly name = "SimulationLeak"

  constructor(what: string) {
    super(`${what} was used inside a simulated run`)
  }
}

interface Target {
  readonly object: object
  readonly key: string
  readonly name: string
}

const functions: ReadonlyArray<Target> = [
  { object: Math, key: "random", name: "Math.random" },
  { object: performance, key: "now", name: "performance.now" },
  { object: process, key: "hrtime", name: "process.hrtime" },
  { object: process, key: "nextTick", name: "process.nextTick" },
  { object: process, key: "uptime", name: "process.uptime" },
  { object: globalThis.crypto, key: "getRandomValues", name: "crypto.getRandomValues" },
  { object: globalThis.crypto, key: "randomUUID", name: "crypto.randomUUID" },
  { object: Promise.prototype, key: "then", name: "Promise.then" },
  ...["setTimeout", "setInterval", "setImmediate", "queueMicrotask", "fetch"].map((key) => ({
    object: globalThis,
    key,
    name: key
  }))
]

/** Replaces a property and returns how to put it back as it was. */
const replace = (object: object, key: string, value: unknown): (() => void) => {
  const before = Object.getOwnPropertyDescriptor(object, key)
  Object.defineProperty(object, key, { value, configurable: true, writable: true })
  return () => {
    if (before === undefined) Reflect.deleteProperty(object, key)
    else Object.defineProperty(object, key, before)
  }
}

const poisonDate = (): (() => void) => {
  const RealDate = globalThis.Date
  const PoisonedDate = new Proxy(RealDate, {
    construct: (target, args, newTarget) => {
      if (args.length === 0) throw new SimulationLeak("new Date()")
      return Reflect.construct(target, args, newTarget) as object
    },
    apply: () => {
      throw new SimulationLeak("Date()")
    },
    get: (target, key, receiver) => {
      if (key !== "now") return Reflect.get(target, key, receiver) as unknown
      return () => {
        throw new SimulationLeak("Date.now")
      }
    }
  })
  return replace(globalThis, "Date", PoisonedDate)
}

/** Runs something with the real world out of reach, and puts everything back. */
export const poisoned = <A>(run: () => A): A => {
  const restores = functions.map(({ object, key, name }) =>
    replace(object, key, () => {
      throw new SimulationLeak(name)
    })
  )
  restores.push(poisonDate())
  try {
    return run()
  } finally {
    for (const restore of restores.reverse()) restore()
  }
}
