import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber, Queue, Random } from "effect"
import { Kernel } from "../../../src/layers/simulation/Kernel.ts"
import { poisoned } from "../../../src/layers/simulation/Poison.ts"
import { type End, Process } from "../../../src/layers/simulation/Process.ts"

const second = 1_000_000

interface Started {
  readonly kernel: Kernel
  readonly process: Process
  readonly ends: ReadonlyArray<End>
  readonly logs: ReadonlyArray<string>
  /** Lets so much virtual time pass. */
  readonly pass: (micros: number) => void
}

const start = (program: Effect.Effect<unknown, unknown>, seed = 1, preemption = 0.1): Started => {
  const kernel = new Kernel({ seed, policy: "random", preemption })
  const process = new Process(kernel, "process")
  const ends: Array<End> = []
  const logs: Array<string> = []
  process.start(program, {
    ended: (end) => ends.push(end),
    logged: (level, message) => logs.push(`${level} ${message}`)
  })
  const pass = (micros: number) => void poisoned(() => kernel.run(() => false, kernel.now + micros))
  return { kernel, process, ends, logs, pass }
}

describe("a simulated process", () => {
  it("sleeps in virtual time", () => {
    let woke = 0
    const { kernel, pass } = start(
      Effect.andThen(
        Effect.sleep("1 hour"),
        Effect.sync(() => {
          woke = kernel.now
        })
      )
    )
    pass(3_599 * second)
    assert.strictEqual(woke, 0)
    pass(2 * second)
    assert.approximately(woke, 3_600 * second, 1000)
  })

  it("has clocks that run fast, and a wall clock that jumps while monotonic time does not", () => {
    const seen: Array<readonly [wall: number, monotonic: bigint]> = []
    const look = Effect.gen(function* () {
      seen.push([yield* Clock.currentTimeMillis, yield* Clock.monotonicTimeNanos])
    })
    const { process, pass } = start(Effect.forever(Effect.andThen(look, Effect.sleep("1 second"))))
    process.driftPpm = 10_000
    pass(second / 2)
    process.skewMillis = -60_000
    pass(second)
    const [[wallBefore, before], [wallAfter, after]] = seen as [(typeof seen)[0], (typeof seen)[0]]
    assert.approximately(wallAfter - wallBefore, -59_000, 5)
    assert.approximately(Number(after - before) / 1e9, 1, 0.001)
  })

  it("runs no finalizer when it is killed, and nothing else any more", () => {
    let finalized = 0
    let beats = 0
    const { process, ends, pass } = start(
      Effect.sync(() => void beats++).pipe(
        Effect.andThen(Effect.sleep("100 millis")),
        Effect.forever,
        Effect.ensuring(Effect.sync(() => void finalized++))
      )
    )
    pass(second)
    const before = beats
    assert.isAbove(before, 5)
    process.crash("kill")
    pass(second)
    assert.strictEqual(beats, before)
    assert.strictEqual(finalized, 0)
    assert.deepStrictEqual(ends, [{ how: "kill" }])
  })

  it("runs its finalizers when it is told to stop", () => {
    let finalized = 0
    const { process, ends, pass } = start(Effect.never.pipe(Effect.ensuring(Effect.sync(() => void finalized++))))
    pass(second)
    process.stop()
    pass(second)
    assert.strictEqual(finalized, 1)
    assert.deepStrictEqual(ends, [{ how: "stopped" }])
  })

  it("does nothing while it is paused, and then what it has missed, in order", () => {
    const seen: Array<number> = []
    const { kernel, process, pass } = start(Effect.never)
    process.pause()
    for (let i = 0; i < 20; i++) kernel.later(i * 1000, () => seen.push(i), process)
    pass(second)
    assert.deepStrictEqual(seen, [])
    process.resume()
    pass(1)
    assert.deepStrictEqual(
      seen,
      Array.from({ length: 20 }, (_, i) => i)
    )
  })

  it("keeps what a former incarnation had under way from the next one", () => {
    const seen: Array<string> = []
    const { kernel, process, pass } = start(Effect.never)
    kernel.later(second, () => seen.push("former"), process)
    process.crash("kill")
    process.start(Effect.never, { ended: () => {}, logged: () => {} })
    kernel.later(second, () => seen.push("present"), process)
    pass(2 * second)
    assert.deepStrictEqual(seen, ["present"])
  })

  it("tells how it failed, and what it has logged", () => {
    const { ends, logs, pass } = start(Effect.andThen(Effect.logError("oh"), Effect.fail("no")))
    pass(second)
    assert.deepStrictEqual(logs, ["Error oh"])
    assert.strictEqual(ends[0]!.how, "failed")
  })

  it("has random numbers of its own, the same for the same seed", () => {
    const draw = (seed: number): ReadonlyArray<number> => {
      const drawn: Array<number> = []
      start(Effect.map(Random.next, (n) => drawn.push(n)).pipe(Effect.repeat({ times: 5 })), seed).pass(second)
      return drawn
    }
    assert.deepStrictEqual(draw(7), draw(7))
    assert.notDeepEqual(draw(7), draw(8))
  })
})

/** Counts to ten by reading first and writing later: another that counts, too, may come in between. */
const racing = (counter: { value: number }) =>
  Effect.sync(() => counter.value).pipe(
    Effect.flatMap((before) => Effect.sync(() => void (counter.value = before + 1))),
    Effect.repeat({ times: 9 })
  )

describe("the kernel", () => {
  it("finds races inside a process by pre-emption, and only by it", () => {
    const lost = (preemption: number): number =>
      Array.from({ length: 30 }, (_, seed) => {
        const counter = { value: 0 }
        const { pass } = start(
          Effect.gen(function* () {
            const fibers = yield* Effect.all([Effect.forkChild(racing(counter)), Effect.forkChild(racing(counter))])
            yield* Fiber.joinAll(fibers)
          }),
          seed,
          preemption
        )
        pass(second)
        return counter.value < 20 ? 1 : 0
      }).reduce((sum: number, n) => sum + n, 0)
    assert.strictEqual(lost(0), 0)
    assert.isAbove(lost(0.1), 5)
  })

  it("orders what is ready by the seed", () => {
    const orderOf = (seed: number): string => {
      const order: Array<string> = []
      const { pass } = start(
        Effect.gen(function* () {
          const queue = yield* Queue.unbounded<string>()
          for (const name of ["a", "b", "c", "d"]) {
            yield* Effect.forkChild(Effect.andThen(Effect.yieldNow, Queue.offer(queue, name)))
          }
          for (let i = 0; i < 4; i++) order.push(yield* Queue.take(queue))
        }),
        seed
      )
      pass(second)
      return order.join("")
    }
    const orders = Array.from({ length: 20 }, (_, seed) => orderOf(seed))
    assert.isAbove(new Set(orders).size, 5)
    assert.deepStrictEqual(
      Array.from({ length: 20 }, (_, seed) => orderOf(seed)),
      orders
    )
  })

  it("says that it is stuck when nothing is left to do", () => {
    const { kernel } = start(Effect.never)
    assert.strictEqual(
      poisoned(() => kernel.run(() => false, 60 * second)),
      "stuck"
    )
  })
})
