import { setTimeout as sleep } from "node:timers/promises"
import { cpuMicroseconds } from "../proc.ts"
import type { LoadOrder, LoadResult } from "./scenario.ts"

interface Reading {
  readonly microseconds: number
  readonly broker: number
  readonly self: number
  readonly count: number
}

const read = (pid: number, count: number): Reading => {
  const { user, system } = process.cpuUsage()
  return { microseconds: performance.now() * 1000, broker: cpuMicroseconds(pid), self: user + system, count }
}

/** A stretch of time in which something is counted, with what it cost the broker and the generator. */
export class Measurement {
  private readonly pid: number
  private readonly counter: () => number
  private readonly first: Reading

  /** Begins now; `counter` says how many there were so far. */
  constructor(pid: number, counter: () => number) {
    this.pid = pid
    this.counter = counter
    this.first = read(pid, counter())
  }

  /** Ends now: the rate a second, and the costs. */
  end(): Omit<LoadResult, "problems" | "brokerMicroseconds"> & { readonly brokerMicroseconds: number } {
    const last = read(this.pid, this.counter())
    const elapsed = last.microseconds - this.first.microseconds
    const count = last.count - this.first.count
    return {
      value: (count * 1e6) / elapsed,
      brokerMicroseconds: (last.broker - this.first.broker) / count,
      generatorShare: (last.self - this.first.self) / elapsed
    }
  }
}

/** Lets the load run for the order's warm-up and then measures for its `seconds`. */
export const measureLoad = async (order: LoadOrder, counter: () => number): Promise<Omit<LoadResult, "problems">> => {
  await sleep(order.warmupSeconds * 1000)
  const measurement = new Measurement(order.pid, counter)
  await sleep(order.seconds * 1000)
  return measurement.end()
}

/** Waits until `isDone`, or until the count has stood still for five seconds. */
export const settle = async (isDone: () => boolean, counter: () => number): Promise<void> => {
  let count = counter()
  let changed = performance.now()
  while (!isDone() && performance.now() - changed < 5000) {
    await sleep(5)
    const now = counter()
    if (now !== count) changed = performance.now()
    count = now
  }
}
