import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Kernel } from "../../../src/layers/simulation/Kernel.ts"
import { poisoned, SimulationLeak } from "../../../src/layers/simulation/Poison.ts"
import { type End, Process } from "../../../src/layers/simulation/Process.ts"

/** What a program of a simulated process comes to. */
const endOf = (program: Effect.Effect<unknown, unknown>): End | undefined => {
  const kernel = new Kernel({ seed: 1, policy: "fifo", preemption: 0 })
  const process = new Process(kernel, "process")
  let end: End | undefined
  process.start(program, {
    ended: (how) => {
      end = how
    },
    logged: () => {}
  })
  poisoned(() => kernel.run(() => end !== undefined, 60_000_000))
  return end
}

const failureOf = (end: End | undefined): unknown => {
  const reason = end?.how === "failed" ? end.cause.reasons[0] : undefined
  return reason?._tag === "Die" ? reason.defect : undefined
}

const leaks: ReadonlyArray<readonly [what: string, program: Effect.Effect<unknown, unknown>]> = [
  ["Date.now", Effect.sync(() => Date.now())],
  ["new Date()", Effect.sync(() => new Date())],
  ["Math.random", Effect.sync(() => Math.random())],
  ["performance.now", Effect.sync(() => performance.now())],
  ["process.hrtime", Effect.sync(() => process.hrtime())],
  ["process.nextTick", Effect.sync(() => process.nextTick(() => {}))],
  ["setTimeout", Effect.sync(() => setTimeout(() => {}, 0))],
  ["setInterval", Effect.sync(() => setInterval(() => {}, 1000))],
  ["setImmediate", Effect.sync(() => setImmediate(() => {}))],
  ["queueMicrotask", Effect.sync(() => queueMicrotask(() => {}))],
  ["crypto.getRandomValues", Effect.sync(() => globalThis.crypto.getRandomValues(new Uint8Array(1)))],
  ["crypto.randomUUID", Effect.sync(() => globalThis.crypto.randomUUID())],
  ["fetch", Effect.sync(() => void fetch("http://127.0.0.1"))],
  ["Promise.then", Effect.promise(() => Promise.resolve(1))]
]

describe("a simulated run", () => {
  it.each(leaks)("names %s as a leak", (what, program) => {
    const defect = failureOf(endOf(program))
    assert.instanceOf(defect, SimulationLeak)
    assert.include((defect as SimulationLeak).message, what)
  })

  it("puts everything back when it is over, also when it throws", () => {
    const before = [Date, Math.random, setTimeout, Promise.prototype.then, performance.now]
    assert.throws(() =>
      poisoned(() => {
        throw new Error("over")
      })
    )
    assert.deepStrictEqual([Date, Math.random, setTimeout, Promise.prototype.then, performance.now], before)
    assert.isAbove(Date.now(), 0)
  })

  it("lets dates be made of numbers", () => {
    assert.strictEqual(
      poisoned(() => new Date(0).toISOString()),
      "1970-01-01T00:00:00.000Z"
    )
  })
})
