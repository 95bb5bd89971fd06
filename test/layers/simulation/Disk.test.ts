import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { Disk } from "../../../src/layers/simulation/Disk.ts"
import { Kernel } from "../../../src/layers/simulation/Kernel.ts"
import { Process } from "../../../src/layers/simulation/Process.ts"
import { Store, type StoreError } from "../../../src/services/Store.ts"

const second = 1_000_000
const seeds = Array.from({ length: 100 }, (_, seed) => seed)

/** A machine whose process commits the keys 0, 1, 2 …, one after the other, and notes what was confirmed. */
const machine = (seed: number) => {
  const kernel = new Kernel({ seed, policy: "random", preemption: 0 })
  const process = new Process(kernel, "machine")
  const disk = new Disk(kernel, "machine")
  const confirmed: Array<number> = []
  const failures: Array<string> = []
  const ignore = { ended: () => {}, logged: () => {} }
  const commitAll = Effect.gen(function* () {
    const store = yield* Store
    for (let key = 0; ; key++) {
      const exit = yield* Effect.exit(
        store.commit([
          { key: `${key}`, value: Buffer.from("1") },
          { key: `twin-${key}`, value: Buffer.from("1") }
        ])
      )
      if (Exit.isSuccess(exit)) confirmed.push(key)
      else failures.push((exit.cause.reasons[0] as { readonly error: StoreError }).error.reason._tag)
      if (Exit.isFailure(exit)) yield* Effect.sleep("10 millis")
    }
  })
  const pass = (micros: number) => void kernel.run(() => false, kernel.now + micros)
  const start = () => process.start(Effect.provide(commitAll, disk.layer(process)), ignore)
  /** What a process would find that starts now. */
  const load = (): ReadonlyArray<string> => {
    let keys: ReadonlyArray<string> = []
    const read = Effect.flatMap(Store, ({ load }) =>
      Effect.map(load, (entries) => {
        keys = entries.map(({ key }) => key)
      })
    )
    process.crash("kill")
    process.start(Effect.provide(read, disk.layer(process)), ignore)
    pass(second)
    return keys
  }
  return { kernel, process, disk, confirmed, failures, pass, start, load }
}

/** The keys of whole batches, and whether there is half a one. */
const batches = (keys: ReadonlyArray<string>): ReadonlyArray<number> => {
  const found = new Set(keys)
  const numbers = keys.filter((key) => !key.startsWith("twin")).map(Number)
  assert.strictEqual(keys.length, numbers.length * 2, "half a batch")
  for (const n of numbers) assert.isTrue(found.has(`twin-${n}`))
  return numbers.sort((a, b) => a - b)
}

describe("a simulated disk", () => {
  it.each(["kill", "power"] as const)("has what it has confirmed after %s, and no batch by half", (how) => {
    let more = 0
    for (const seed of seeds) {
      const { kernel, process, disk, confirmed, pass, start, load } = machine(seed)
      start()
      pass(kernel.stream("test").below(100_000) + 1)
      process.crash(how)
      if (how === "power") disk.losePower()
      const kept = batches(load())
      assert.includeMembers([...kept], confirmed)
      assert.isAtMost(kept.length, confirmed.length + 1)
      if (kept.length > confirmed.length) more++
    }
    assert.isAbove(more, 0, "a batch that nobody heard of may be there")
  })

  it("forgets what was not synced when power is lost", () => {
    const forgot = seeds.filter((seed) => {
      const { kernel, process, disk, pass, start } = machine(seed)
      start()
      pass(kernel.stream("test").below(100_000) + 1)
      process.crash("power")
      disk.losePower()
      return kernel.reached.has("disk.forgot")
    })
    assert.isAbove(forgot.length, 10)
  })

  it("says that it is full, or fails, and stores nothing then", () => {
    const { disk, confirmed, failures, pass, start, load } = machine(1)
    start()
    pass(second / 10)
    disk.condition = "full"
    pass(second / 10)
    const before = confirmed.length
    disk.condition = "failing"
    pass(second / 10)
    assert.strictEqual(confirmed.length, before)
    assert.sameMembers([...new Set(failures)], ["NoSpace", "InputOutput"])
    assert.strictEqual(batches(load()).length, before)
  })

  it("takes its time when it is slow", () => {
    const count = (condition: "sound" | "slow"): number => {
      const { disk, confirmed, pass, start } = machine(1)
      disk.condition = condition
      start()
      pass(10 * second)
      return confirmed.length
    }
    assert.isAbove(count("sound"), 1_000)
    assert.isBelow(count("slow"), 50)
  })
})
