/**
 * The partitions that this broker owns: durable sessions and Wills in memory, each change of which is a record in the
 * journal. A change takes effect in memory at once; whoever made it tells nobody before it is durable.
 */
import { Context, Effect, Layer } from "effect"
import * as Partition from "../domain/partition/Partition.ts"
import * as Record from "../domain/partition/Record.ts"
import { Bank } from "./Bank.ts"
import { Configuration } from "./Configuration.ts"
import * as Journal from "./Journal.ts"

/** A record and the partition that it is for. */
export interface Change {
  readonly partition: number
  readonly record: Record.Record
}

export class Partitions extends Context.Service<
  Partitions,
  {
    /** The partition of a client identifier. */
    readonly of: (clientId: string) => number
    readonly session: (clientId: string) => Partition.DurableSession | undefined
    readonly will: (clientId: string) => Partition.ArmedWill | undefined
    readonly all: ReadonlyArray<Partition.Partition>
    /** Applies the changes and appends them to the journal, as one; `committed` is called when they are durable. */
    readonly change: (changes: ReadonlyArray<Change>, committed: () => void) => void
    /** The credit that a message takes in one queue. */
    readonly cost: typeof Partition.cost
  }
>()("mqttzoo/services/Partitions") {
  static readonly layer = Layer.effect(
    Partitions,
    Effect.gen(function* () {
      const { config } = yield* Configuration
      const bank = yield* Bank
      const journal = yield* Journal.Journal
      const all = yield* Effect.forEach(Array.from({ length: config.partitions }).keys(), (index) =>
        Effect.map(journal.open(index), (records) => {
          const partition = Partition.make(config.bank.recordCost)
          for (const record of records) Partition.apply(partition, record)
          return partition
        })
      )
      const of = (clientId: string) => Partition.of(clientId, config.partitions)

      /** The log's size from which on a snapshot is worth its writing, and whether one is on its way. */
      const compaction = all.map(() => ({ from: smallestCompaction, isUnderWay: false }))

      const compact = (index: number): void => {
        const state = compaction[index]!
        const records = [...Partition.snapshot(all[index]!)].map(Record.encode)
        const pieces = records.length === 0 ? [] : [...Journal.cut(records)]
        const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0)
        state.from = Math.max(smallestCompaction, bytes * 2)
        state.isUnderWay = true
        journal.compact(index, pieces, () => {
          state.isUnderWay = false
        })
      }

      const change = (changes: ReadonlyArray<Change>, committed: () => void): void => {
        let charge = 0
        const entries = changes.map(({ partition: index, record }) => {
          const partition = all[index]!
          const before = partition.charge
          Partition.apply(partition, record)
          charge += partition.charge - before
          return { partition: index, record: Record.encode(record) }
        })
        if (charge !== 0) bank.charge(charge)
        journal.append({ entries, charge, committed })
        for (const { partition } of entries) {
          const { from, isUnderWay } = compaction[partition]!
          if (!isUnderWay && journal.logBytes(partition) > from) compact(partition)
        }
      }

      return Partitions.of({
        of,
        session: (clientId) => all[of(clientId)]!.sessions.get(clientId),
        will: (clientId) => all[of(clientId)]!.wills.get(clientId),
        all,
        change,
        cost: Partition.cost
      })
    })
  )
}

/** A log below this size is not worth a snapshot, in bytes. */
const smallestCompaction = 256 * 1024
