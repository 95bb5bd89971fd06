/**
 * The Store in memory, for tests: a disk that outlives the layers which use it, and whose commits can fail or be held.
 */
import { Effect, Latch, Layer, Semaphore } from "effect"
import { type Change, maximumKeyBytes, Store, StoreError, type StoreReason } from "../services/Store.ts"

/** A disk in memory. */
export interface Disk {
  readonly entries: Map<string, Uint8Array>
  /** Fails the next commit for this reason, and with it nothing of its batch is stored. */
  readonly failNextCommit: (reason: StoreReason) => Effect.Effect<void>
  /** Commits wait from now on, */
  readonly hold: Effect.Effect<void>
  /** until they may go on. */
  readonly release: Effect.Effect<void>
  /** How many batches were stored. */
  readonly commits: () => number
  readonly store: Store["Service"]
}

/** A new, empty disk. */
export const makeDisk: Effect.Effect<Disk> = Effect.gen(function* () {
  const entries = new Map<string, Uint8Array>()
  const gate = yield* Latch.make(true)
  const order = yield* Semaphore.make(1)
  let failure: StoreReason | undefined
  let commits = 0

  const write = (changes: ReadonlyArray<Change>): Effect.Effect<void, StoreError> =>
    Effect.suspend(() => {
      const reason = failure ?? badKeyOf(changes)
      failure = undefined
      if (reason !== undefined) return Effect.fail(new StoreError({ directory, reason }))
      for (const { key, value } of changes) {
        if (value === undefined) entries.delete(key)
        else entries.set(key, value)
      }
      commits += 1
      return Effect.void
    })

  return {
    entries,
    failNextCommit: (reason) => Effect.sync(() => void (failure = reason)),
    hold: Effect.sync(() => void gate.closeUnsafe()),
    release: Effect.sync(() => void gate.openUnsafe()),
    commits: () => commits,
    store: Store.of({
      directory,
      load: Effect.sync(() =>
        [...entries]
          .map(([key, value]) => ({ key, value }))
          .sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)))
      ),
      commit: (changes) => order.withPermit(Effect.andThen(gate.await, write(changes))).pipe(Effect.uninterruptible)
    })
  }
})

/** A store on a disk that was made before, and stays. */
export const layerDisk = (disk: Disk): Layer.Layer<Store> => Layer.succeed(Store, disk.store)

/** A store on a disk of its own. */
export const layer: Layer.Layer<Store> = Layer.effect(
  Store,
  Effect.map(makeDisk, (disk) => disk.store)
)

const directory = "(memory)"

const badKeyOf = (changes: ReadonlyArray<Change>): StoreReason | undefined => {
  for (const { key } of changes) {
    const bytes = Buffer.byteLength(key)
    if (bytes === 0 || bytes > maximumKeyBytes) return { _tag: "BadKey", bytes }
  }
  return undefined
}
