/**
 * The disk of a simulated machine, and the `Store` on it. A commit is first written to the cache of the operating system
 * and then synced, and only then confirmed: the end of the process undoes what was not written, a power cut also what
 * was not synced. A batch is there whole or not at all, as in the store that brokers use.
 */
import { Effect, Layer } from "effect"
import type { RandomStream } from "../../domain/simulation/RandomStream.ts"
import { type Change, Store, StoreError, type StoreReason } from "../../services/Store.ts"
import type { Kernel } from "./Kernel.ts"
import type { Process } from "./Process.ts"

/** How a disk is at present. */
export type Condition = "sound" | "full" | "failing" | "slow"

/** What a key held before a batch changed it. */
interface Before {
  readonly key: string
  readonly value: Uint8Array | undefined
}

/** Microseconds that writing, and syncing, take at least and at most. */
const writeMicros = [20, 500] as const
const syncMicros = [200, 4_000] as const
const slowSyncMicros = [200_000, 3_000_000] as const

export class Disk {
  condition: Condition = "sound"
  readonly #kernel: Kernel
  readonly #random: RandomStream
  readonly #entries = new Map<string, Uint8Array>()
  /** How to undo the batches that are written and not synced, oldest first. */
  #unsynced: Array<ReadonlyArray<Before>> = []
  /** The disk does one thing after the other. */
  #busyUntil = 0

  constructor(kernel: Kernel, name: string) {
    this.#kernel = kernel
    this.#random = kernel.stream(`disk ${name}`)
  }

  /** The store of a process that runs on the disk's machine. */
  layer(process: Process): Layer.Layer<Store> {
    return Layer.succeed(
      Store,
      Store.of({
        directory: "(simulated)",
        load: Effect.sync(() =>
          [...this.#entries]
            .map(([key, value]) => ({ key, value }))
            // Keys are ASCII, so that this is the order of their bytes.
            .sort((a, b) => (a.key < b.key ? -1 : 1))
        ),
        commit: (changes) =>
          Effect.uninterruptible(
            Effect.callback<void, StoreError>((resume) =>
              this.#commit(process, changes, (reason) =>
                resume(
                  reason === undefined ? Effect.void : Effect.fail(new StoreError({ directory: "(simulated)", reason }))
                )
              )
            )
          )
      })
    )
  }

  /** The machine loses power: of what was not synced, only some of the oldest batches are there. */
  losePower(): void {
    const kept = this.#random.below(this.#unsynced.length + 1)
    if (kept < this.#unsynced.length) this.#kernel.reach("disk.forgot")
    for (let at = this.#unsynced.length - 1; at >= kept; at--) this.#restore(this.#unsynced[at]!)
    this.#unsynced = []
  }

  #commit(process: Process, changes: ReadonlyArray<Change>, done: (reason?: StoreReason) => void): void {
    const { condition } = this
    const written = Math.max(this.#busyUntil, this.#kernel.now) + this.#between(writeMicros)
    const synced = written + this.#between(condition === "slow" ? slowSyncMicros : syncMicros)
    this.#busyUntil = synced
    const later = (time: number, run: () => void, owner?: Process) =>
      this.#kernel.later(time - this.#kernel.now, run, owner)
    if (condition === "full" || condition === "failing") {
      this.#kernel.reach(`disk.${condition}`)
      const reason: StoreReason =
        condition === "full" ? { _tag: "NoSpace" } : { _tag: "InputOutput", why: "input/output error" }
      later(written, () => done(reason), process)
      return
    }
    const { incarnation } = process
    later(
      written,
      () => {
        const before = this.#apply(changes)
        this.#unsynced.push(before)
        // The machine goes on with it, whether or not the process is still there.
        later(synced, () => {
          const at = this.#unsynced.indexOf(before)
          if (at < 0) return
          this.#unsynced.splice(0, at + 1)
          if (!process.runs(incarnation)) this.#kernel.reach("disk.synced-after-death")
          else later(synced, () => done(), process)
        })
      },
      process
    )
  }

  #apply(changes: ReadonlyArray<Change>): ReadonlyArray<Before> {
    return changes.map(({ key, value }) => {
      const before = { key, value: this.#entries.get(key) }
      this.#set(key, value)
      return before
    })
  }

  #restore(before: ReadonlyArray<Before>): void {
    for (let at = before.length - 1; at >= 0; at--) this.#set(before[at]!.key, before[at]!.value)
  }

  #set(key: string, value: Uint8Array | undefined): void {
    if (value === undefined) this.#entries.delete(key)
    else this.#entries.set(key, value)
  }

  #between([least, most]: readonly [number, number]): number {
    return this.#random.between(least, most)
  }
}
