import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import * as Znode from "../../src/domain/zookeeper/Znode.ts"
import * as ZooKeeperMemory from "../../src/layers/ZooKeeperMemory.ts"
import type { Server } from "../../src/layers/ZooKeeperServer.ts"
import { Bank } from "../../src/services/Bank.ts"
import { Configuration } from "../../src/services/Configuration.ts"
import * as Layout from "../../src/services/Layout.ts"
import { SharedClock } from "../../src/services/SharedClock.ts"
import { ZooKeeper } from "../../src/services/ZooKeeper.ts"

const mebibyte = 1_048_576

const open = Effect.fnUntraced(function* (server: Server, capital = 1) {
  const { zooKeeper, faults } = yield* ZooKeeperMemory.connect(server)
  const services = yield* Layer.build(
    Bank.layer.pipe(
      Layer.provideMerge(SharedClock.layerLocal),
      Layer.provide(Configuration.layer({ partitions: 1, bank: { capital: `${capital} MiB` } })),
      Layer.provide(Layer.succeed(ZooKeeper, zooKeeper))
    )
  )
  const bank = Context.get(services, Bank)
  const read = (path: string) => Effect.map(zooKeeper.get(path), ({ data }) => JSON.parse(Buffer.from(data).toString()))
  return {
    bank,
    clock: Context.get(services, SharedClock),
    zooKeeper,
    faults,
    lease: read(Layout.lease("mqttzoo")),
    capital: read(Layout.bank),
    /** Stores something for this price, as the journal does. */
    store: (price: number) =>
      Effect.gen(function* () {
        bank.charge(price)
        yield* zooKeeper.multi([bank.write(price)])
        bank.written(price)
      })
  }
})

describe("the Bank", () => {
  it.effect("gives the whole capital to the one broker, and writes each charge to its lease", () =>
    Effect.gen(function* () {
      const server = yield* ZooKeeperMemory.makeServer
      const { bank, lease, capital, store } = yield* open(server)
      bank.opened(0)
      assert.strictEqual(bank.free(), mebibyte)
      assert.deepStrictEqual(yield* capital, { capital: mebibyte, free: 0 })
      let spent = 0
      for (const price of [100, 5_000, -100, 0, -4_000]) {
        yield* store(price)
        spent += price
        assert.deepInclude(yield* lease, { drawn: mebibyte, spent })
        assert.strictEqual(bank.free(), mebibyte - spent)
      }
    })
  )

  it.effect("counts what is on its way as spent", () =>
    Effect.gen(function* () {
      const { bank, lease } = yield* open(yield* ZooKeeperMemory.makeServer)
      bank.opened(0)
      bank.charge(1_000)
      assert.strictEqual(bank.free(), mebibyte - 1_000)
      assert.deepInclude(yield* lease, { spent: 0 })
    })
  )

  it.effect("goes by what is stored, not by what the lease says, when it opens again", () =>
    Effect.gen(function* () {
      const server = yield* ZooKeeperMemory.makeServer
      const first = yield* open(server)
      first.bank.opened(0)
      yield* first.store(5_000)
      const second = yield* open(server)
      second.bank.opened(3_000)
      assert.strictEqual(second.bank.free(), mebibyte - 3_000)
      yield* second.store(0)
      assert.deepInclude(yield* second.lease, { drawn: mebibyte, spent: 3_000 })
    })
  )

  it.effect("takes more capital at once, and less as far as it is not spent", () =>
    Effect.gen(function* () {
      const server = yield* ZooKeeperMemory.makeServer
      const first = yield* open(server)
      first.bank.opened(0)
      yield* first.store(mebibyte)
      assert.strictEqual(first.bank.free(), 0)
      const larger = yield* open(server, 3)
      larger.bank.opened(mebibyte)
      assert.strictEqual(larger.bank.free(), 2 * mebibyte)
      yield* larger.store(mebibyte)
      const smaller = yield* open(server, 1)
      smaller.bank.opened(2 * mebibyte)
      assert.strictEqual(smaller.bank.free(), 0)
      assert.deepStrictEqual(yield* smaller.capital, { capital: 2 * mebibyte, free: 0 })
      yield* smaller.store(-2 * mebibyte)
      const last = yield* open(server, 1)
      last.bank.opened(0)
      assert.strictEqual(last.bank.free(), mebibyte)
      assert.deepStrictEqual(yield* last.capital, { capital: mebibyte, free: 0 })
    })
  )

  it.effect("knows whether a write with a lost reply has happened, until somebody else has the lease", () =>
    Effect.gen(function* () {
      const server = yield* ZooKeeperMemory.makeServer
      const { bank, zooKeeper, faults } = yield* open(server)
      bank.opened(0)
      assert.isFalse(yield* bank.hasHappened)
      yield* faults.loseNextRequest
      yield* Effect.flip(zooKeeper.multi([bank.write(1)]))
      assert.isFalse(yield* bank.hasHappened)
      yield* faults.loseNextReply
      yield* Effect.flip(zooKeeper.multi([bank.write(1)]))
      assert.isTrue(yield* bank.hasHappened)
      yield* open(server)
      assert.isFalse(yield* bank.hasHappened)
    })
  )

  it.effect("does not let a transaction of its predecessor through", () =>
    Effect.gen(function* () {
      const server = yield* ZooKeeperMemory.makeServer
      const first = yield* open(server)
      first.bank.opened(0)
      yield* open(server)
      const error = yield* Effect.flip(
        first.zooKeeper.multi([first.bank.write(1), Znode.create("/mqttzoo/late", new Uint8Array())])
      )
      assert.strictEqual(error.reason._tag, "BadVersion")
    })
  )

  it.effect("does not let the shared clock go back when the wall clock was set back before the next start", () =>
    Effect.gen(function* () {
      const server = yield* ZooKeeperMemory.makeServer
      yield* TestClock.setTime(5_000_000)
      const first = yield* open(server)
      yield* TestClock.adjust("10 seconds")
      yield* first.store(1)
      yield* TestClock.setTime(1_000_000)
      const second = yield* open(server)
      assert.strictEqual(second.clock.now(), 5_010_000)
    })
  )
})
