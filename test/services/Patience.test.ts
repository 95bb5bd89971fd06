import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import * as ZooKeeperMemory from "../../src/layers/ZooKeeperMemory.ts"
import { Bank } from "../../src/services/Bank.ts"
import { Configuration } from "../../src/services/Configuration.ts"
import { patiently } from "../../src/services/Patience.ts"
import { SharedClock } from "../../src/services/SharedClock.ts"
import { ZooKeeper, ZooKeeperError, type ZooKeeperReason } from "../../src/services/ZooKeeper.ts"

/** Fails for these reasons, one after the other, and then succeeds with how often it was tried. */
const failing = (...reasons: ReadonlyArray<ZooKeeperReason>) => {
  let tries = 0
  return Effect.suspend(() => {
    const reason = reasons[tries++]
    return reason === undefined ? Effect.succeed(tries) : Effect.fail(new ZooKeeperError({ reason, path: "/" }))
  })
}

describe("a broker is patient with ZooKeeper", () => {
  it.effect("when it is away", () =>
    Effect.gen(function* () {
      const trying = yield* Effect.forkChild(
        patiently(
          "it is away",
          failing({ _tag: "ConnectionLoss" }, { _tag: "Unavailable", why: "away" }, { _tag: "SessionLost" })
        ),
        { startImmediately: true }
      )
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* Fiber.join(trying), 4)
    })
  )

  it.effect("but not with an answer", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(patiently("it is away", failing({ _tag: "NoNode" })))
      assert.strictEqual(error.reason._tag, "NoNode")
    })
  )

  it.effect("and starts when it is there again", () =>
    Effect.gen(function* () {
      const server = yield* ZooKeeperMemory.makeServer
      const { zooKeeper, faults } = yield* ZooKeeperMemory.connect(server)
      yield* faults.suspend
      const free = Effect.map(Bank, ({ free }) => free()).pipe(
        Effect.provide(Layer.provide(Bank.layer, SharedClock.layerLocal)),
        Effect.provide(Configuration.layer({ partitions: 1, bank: { capital: "1 MiB" } })),
        Effect.provideService(ZooKeeper, zooKeeper)
      )
      const starting = yield* Effect.forkChild(free, { startImmediately: true })
      yield* TestClock.adjust("1 minute")
      assert.isUndefined(starting.pollUnsafe())
      yield* faults.resume
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* Fiber.join(starting), 1024 * 1024)
    })
  )
})
