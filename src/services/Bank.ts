/**
 * The Bank: what may be stored is limited by credit. This broker's lease is kept in memory, where charging costs
 * nothing, and written to its znode by the very transaction that stores or removes what was paid for.
 */
import { Context, Effect, Layer, Option, Schema } from "effect"
import { Capital, draw, Lease, noLease, resize, returnUnspent, spend, unspent } from "../domain/bank/Ledger.ts"
import * as Znode from "../domain/zookeeper/Znode.ts"
import { Configuration } from "./Configuration.ts"
import * as Layout from "./Layout.ts"
import { patiently } from "./Patience.ts"
import { SharedClock } from "./SharedClock.ts"
import { ZooKeeper, type ZooKeeperError } from "./ZooKeeper.ts"

const CapitalJson = Schema.fromJsonString(Capital)
/**
 * A lease as its znode holds it. Each broker that takes the lease over counts its `incarnation` up. `at` is when it was
 * written, in milliseconds of the shared clock: what is stored expires by that clock, which must not go back when the
 * wall clock has been set back before the next start.
 */
const StoredLease = Schema.fromJsonString(
  Schema.Struct({ ...Lease.fields, incarnation: Schema.Natural, at: Schema.Int })
)
const decodeStored = Schema.decodeEffect(StoredLease)
const decodeLease = (data: Uint8Array) => decodeStored(Buffer.from(data).toString())

/** Not by the schema: it is written with each transaction, and all of its fields are JSON as they are. */
const encodeLease = ({ drawn, spent }: Lease, incarnation: number, at: number): Uint8Array =>
  Buffer.from(JSON.stringify({ drawn, spent, incarnation, at } satisfies typeof StoredLease.Type))

/** Somebody else has written in between. */
const isOvertaken = (error: { readonly _tag: string }): boolean =>
  error._tag === "ZooKeeperError" && ["BadVersion", "NodeExists"].includes((error as ZooKeeperError).reason._tag)

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
      const clock = yield* SharedClock
      yield* patiently("ZooKeeper cannot be prepared", Layout.ensure(config.partitions))
      const path = Layout.lease(config.id)

      const takeLease = Effect.gen(function* () {
        yield* zookeeper.sync(path)
        const capitalBefore = yield* zookeeper.get(Layout.bank)
        const before: Capital =
          capitalBefore.data.length === 0
            ? { capital: 0, free: 0 }
            : yield* Schema.decodeEffect(CapitalJson)(Buffer.from(capitalBefore.data).toString())
        const found = Option.isSome(yield* zookeeper.exists(path)) ? yield* zookeeper.get(path) : undefined
        const leaseBefore = found === undefined ? { ...noLease, incarnation: 0, at: 0 } : yield* decodeLease(found.data)
        const incarnation = leaseBefore.incarnation + 1
        clock.atLeast(leaseBefore.at)

        const [returned, kept] = returnUnspent(before, leaseBefore, unspent(leaseBefore))
        const [capital, drawn] = draw(resize(returned, config.bank.capital), kept, Number.MAX_SAFE_INTEGER)
        const lease = encodeLease(drawn, incarnation, clock.now())
        const capitalAfter = Buffer.from(yield* Schema.encodeEffect(CapitalJson)(capital))
        yield* zookeeper.multi([
          Znode.set(Layout.bank, capitalAfter, capitalBefore.stat.version),
          found === undefined ? Znode.create(path, lease) : Znode.set(path, lease, found.stat.version)
        ])
        const version = found === undefined ? 0 : found.stat.version + 1
        return { incarnation, drawn, version }
      })
      const taken = yield* patiently(
        "the Bank cannot be read",
        // What a predecessor had sent may arrive only now.
        Effect.retry(takeLease, { while: isOvertaken, times: 10 })
      )
      const { incarnation, drawn } = taken
      let { version } = taken
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
        write: (amount) => Znode.set(path, encodeLease(spend(stored, amount), incarnation, clock.now()), version),
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
