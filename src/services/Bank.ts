/**
 * The Bank: what may be stored is limited by credit. This broker's lease is kept in memory, where charging costs
 * nothing, and written to its znode by the very transaction that stores or removes what was paid for.
 */
import { Context, Effect, Layer, Schema } from "effect"
import { Capital, draw, Lease, noLease, resize, returnUnspent, spend, unspent } from "../domain/bank/Ledger.ts"
import * as Znode from "../domain/zookeeper/Znode.ts"
import { Configuration } from "./Configuration.ts"
import * as Layout from "./Layout.ts"
import { ZooKeeper, type ZooKeeperError } from "./ZooKeeper.ts"

const CapitalJson = Schema.fromJsonString(Capital)
/** A lease as its znode holds it. Each broker that takes the lease over counts its `incarnation` up. */
const StoredLease = Schema.fromJsonString(Schema.Struct({ ...Lease.fields, incarnation: Schema.Natural }))
const decodeLease = (data: Uint8Array) => Schema.decodeEffect(StoredLease)(Buffer.from(data).toString())

export class Bank extends Context.Service<
  Bank,
  {
    /** Credit that can still be spent. */
    readonly free: () => number
    /** Books what a change costs; below 0 it is a refund. Whoever charges has asked `free` before. */
    readonly charge: (amount: number) => void
    /** Sets what is spent: once, when everything stored has been read. */
    readonly opened: (spent: number) => void
    /**
     * The operation that writes the lease with a further `amount` spent, for the transaction that stores what was
     * bought. It expects the version that the last one left, so the znode's version tells whether it happened.
     */
    readonly write: (amount: number) => Znode.Operation
    /** The transaction with the last `write` has happened. */
    readonly written: (amount: number) => void
    /**
     * Whether the transaction with the last `write` has happened, when its reply was lost: asked of ZooKeeper. What a
     * successor of this broker made of the lease does not count: the lease is its own by then.
     */
    readonly hasHappened: Effect.Effect<boolean, ZooKeeperError>
  }
>()("mqttzoo/services/Bank") {
  /** One broker that owns all partitions holds the whole capital as its lease. */
  static readonly layer = Layer.effect(
    Bank,
    Effect.gen(function* () {
      const { config } = yield* Configuration
      const zookeeper = yield* ZooKeeper
      yield* Layout.ensure(config.partitions)
      const path = Layout.lease(config.id)

      const capitalBytes = (yield* zookeeper.get(Layout.bank)).data
      const before: Capital =
        capitalBytes.length === 0
          ? { capital: 0, free: 0 }
          : yield* Schema.decodeEffect(CapitalJson)(Buffer.from(capitalBytes).toString())
      const found = yield* Effect.option(zookeeper.get(path))
      const leaseBefore = found._tag === "None" ? { ...noLease, incarnation: 0 } : yield* decodeLease(found.value.data)
      const incarnation = leaseBefore.incarnation + 1
      const encodeLease = (lease: Lease): Uint8Array =>
        Buffer.from(Schema.encodeSync(StoredLease)({ ...lease, incarnation }))

      const [returned, kept] = returnUnspent(before, leaseBefore, unspent(leaseBefore))
      const [capital, drawn] = draw(resize(returned, config.bank.capital), kept, Number.MAX_SAFE_INTEGER)
      yield* zookeeper.multi([
        Znode.set(Layout.bank, Buffer.from(yield* Schema.encodeEffect(CapitalJson)(capital))),
        found._tag === "None" ? Znode.create(path, encodeLease(drawn)) : Znode.set(path, encodeLease(drawn))
      ])

      let version = found._tag === "None" ? 0 : found.value.stat.version + 1
      // What is booked in memory runs ahead of what the znode says by the changes that are on their way.
      let booked = drawn
      let stored = drawn
      return Bank.of({
        free: () => unspent(booked),
        charge: (amount) => {
          booked = spend(booked, amount)
        },
        opened: (spent) => {
          booked = { drawn: Math.max(drawn.drawn, spent), spent }
          stored = booked
        },
        write: (amount) => Znode.set(path, encodeLease(spend(stored, amount)), version),
        written: (amount) => {
          stored = spend(stored, amount)
          version++
        },
        hasHappened: Effect.gen(function* () {
          yield* zookeeper.sync(path)
          const { data, stat } = yield* zookeeper.get(path)
          return stat.version > version && (yield* Effect.orDie(decodeLease(data))).incarnation === incarnation
        })
      })
    })
  )
}
