import { assert, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import * as StoreMemory from "../../src/layers/StoreMemory.ts"
import { storeContract } from "../contract/StoreContract.ts"

storeContract("in memory", Effect.map(StoreMemory.makeDisk, StoreMemory.layerDisk))

it.effect("a commit that is told to fail stores nothing, and the next one is well", () =>
  Effect.gen(function* () {
    const disk = yield* StoreMemory.makeDisk
    yield* disk.failNextCommit({ _tag: "NoSpace" })
    const error = yield* Effect.flip(disk.store.commit([{ key: "a", value: new Uint8Array(1) }]))
    assert.deepStrictEqual(error.reason, { _tag: "NoSpace" })
    assert.strictEqual(disk.entries.size, 0)
    yield* disk.store.commit([{ key: "a", value: new Uint8Array(1) }])
    assert.deepStrictEqual([...disk.entries.keys()], ["a"])
    assert.strictEqual(disk.commits(), 1)
  })
)

it.effect("commits that are held store nothing until they are released", () =>
  Effect.gen(function* () {
    const disk = yield* StoreMemory.makeDisk
    yield* disk.hold
    const fiber = yield* Effect.forkChild(disk.store.commit([{ key: "a", value: new Uint8Array(1) }]), {
      startImmediately: true
    })
    assert.strictEqual(disk.entries.size, 0)
    yield* disk.release
    yield* Fiber.join(fiber)
    assert.strictEqual(disk.entries.size, 1)
  })
)
