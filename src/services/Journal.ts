/**
 * The partitions' logs in ZooKeeper, written by group commit: while one transaction is under way the next gathers, so
 * under load a transaction carries thousands of records and one `fsync` pays for all of them.
 *
 * A log is a row of segments, a znode each, behind a snapshot. Every transaction checks the epoch of the partitions
 * that it writes to, so a broker that has lost one of them writes nothing any more.
 */
import { Context, Effect, Fiber, Layer, Result, Schema } from "effect"
import * as Record from "../domain/partition/Record.ts"
import * as Znode from "../domain/zookeeper/Znode.ts"
import { Bank } from "./Bank.ts"
import { Configuration } from "./Configuration.ts"
import * as Layout from "./Layout.ts"
import { Passes } from "./Passes.ts"
import { patiently } from "./Patience.ts"
import * as ReadyList from "./ReadyList.ts"
import { supervised } from "./Supervision.ts"
import { ZooKeeper, type ZooKeeperError } from "./ZooKeeper.ts"

/** An encoded record and the partition whose log it belongs to. */
export interface Entry {
  readonly partition: number
  readonly record: Uint8Array
}

/** What one transaction must store whole: it is never cut in two. */
export interface Unit {
  readonly entries: ReadonlyArray<Entry>
  /** Further changes for the same transaction. */
  readonly operations?: ReadonlyArray<Znode.Operation>
  /** The credit that is spent by it; below 0, given back. */
  readonly charge: number
  /** Called in a pass, once it is durable; in the order of the appends. */
  readonly committed: () => void
}

/** A snapshot that takes the place of all that was appended to its partition before. */
interface Compaction {
  readonly partition: number
  readonly pieces: ReadonlyArray<Uint8Array>
  readonly committed: () => void
}

type Item = Unit | Compaction

/** A partition's log in ZooKeeper cannot be read. */
export class JournalCorrupt extends Schema.TaggedError<JournalCorrupt>()("JournalCorrupt", {
  path: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `${this.path} cannot be read: ${this.detail}`
  }
}

/** How much of a transaction's packet the journal fills before it starts another, in bytes. */
const transactionBytes = 900_000

/** How large a segment, and a piece of a snapshot, may grow before another is begun, in bytes. */
export const segmentBytes = 64 * 1024

/** Which snapshot of a partition holds, and the last segment that it contains. */
const SnapshotInfo = Schema.fromJsonString(Schema.Struct({ generation: Schema.Natural, upTo: Schema.Int }))

interface Log {
  /** The number of the next segment. */
  next: number
  /** Segments that are in ZooKeeper, oldest first. */
  segments: Array<number>
  /** Bytes in them. */
  bytes: number
  generation: number
  pieces: number
  epoch: number
}

const emptyLog = (): Log => ({ next: 0, segments: [], bytes: 0, generation: 0, pieces: 0, epoch: 0 })

export class Journal extends Context.Service<
  Journal,
  {
    /** Takes the partition over from whoever owned it, and gives what its log says, in order. */
    readonly open: (partition: number) => Effect.Effect<ReadonlyArray<Record.Record>, ZooKeeperError | JournalCorrupt>
    /** Appends a unit to the next transaction. */
    readonly append: (unit: Unit) => void
    /**
     * Puts a snapshot, cut in pieces, in the place of everything appended to the partition so far; `committed` is
     * called in a pass when it is.
     */
    readonly compact: (partition: number, pieces: ReadonlyArray<Uint8Array>, committed: () => void) => void
    /** Bytes in the partition's log, its snapshot not counted. */
    readonly logBytes: (partition: number) => number
    /** How many units have been appended ever. */
    readonly appended: () => number
    /** Bytes appended that are not durable yet. */
    readonly pendingBytes: () => number
    /** Waits until all that was appended before is durable. */
    readonly flushed: Effect.Effect<void>
    /** Fails when the journal cannot be written any more: a fenced broker must stop acting as owner. */
    readonly failure: Effect.Effect<never, ZooKeeperError>
  }
>()("mqttzoo/services/Journal") {
  static readonly layer = Layer.effect(
    Journal,
    Effect.gen(function* () {
      const zookeeper = yield* ZooKeeper
      const bank = yield* Bank
      const passes = yield* Passes
      const { config } = yield* Configuration
      const logs = Array.from({ length: config.partitions }, emptyLog)
      const items = ReadyList.make<Item>()
      let pendingBytes = 0
      let appended = 0

      const readRecords = Effect.fnUntraced(function* (path: string) {
        const { data } = yield* zookeeper.get(path)
        const records = Record.split(data)
        if (Result.isFailure(records)) return yield* new JournalCorrupt({ path, detail: records.failure.message })
        return { records: records.success, bytes: data.length }
      })

      const openOnce = Effect.fn("Journal.open")(function* (partition: number) {
        const log = emptyLog()
        logs[partition] = log
        log.epoch = (yield* zookeeper.set(Layout.epoch(partition), new Uint8Array())).version
        const { data } = yield* zookeeper.get(Layout.snapshot(partition))
        const info =
          data.length === 0
            ? { generation: 0, upTo: -1 }
            : yield* Schema.decodeEffect(SnapshotInfo)(Buffer.from(data).toString()).pipe(
                Effect.mapError(
                  (error) => new JournalCorrupt({ path: Layout.snapshot(partition), detail: error.message })
                )
              )
        log.generation = info.generation
        const records: Array<Record.Record> = []
        const leftovers: Array<string> = []
        for (const piece of yield* zookeeper.children(Layout.snapshot(partition))) {
          const path = `${Layout.snapshot(partition)}/${piece}`
          if (!piece.startsWith(`${info.generation}-`)) {
            leftovers.push(path)
            continue
          }
          for (const record of (yield* readRecords(path)).records) records.push(record)
          log.pieces++
        }
        for (const name of yield* zookeeper.children(Layout.log(partition))) {
          const sequence = Number(name)
          const path = Layout.segment(partition, sequence)
          if (sequence <= info.upTo) {
            leftovers.push(path)
            continue
          }
          const segment = yield* readRecords(path)
          for (const record of segment.records) records.push(record)
          log.segments.push(sequence)
          log.bytes += segment.bytes
          log.next = sequence + 1
        }
        log.next = Math.max(log.next, info.upTo + 1)
        // What a compaction had replaced but not yet removed when its broker ended.
        yield* Effect.forEach(leftovers, (path) => zookeeper.delete(path), { discard: true })
        return records
      })
      const open = (partition: number) => patiently("the journal cannot be read", openOnce(partition))

      /** One transaction, until it has happened: an unknown outcome is looked up, an outage waited out. */
      const transact = (operations: ReadonlyArray<Znode.Operation>, charge: number) => {
        const attempt = zookeeper
          .multi([bank.write(charge), ...operations])
          .pipe(
            Effect.catchTag("ZooKeeperError", (error) =>
              error.reason._tag === "ConnectionLoss" || error.reason._tag === "BadVersion"
                ? Effect.flatMap(bank.hasHappened, (happened) => (happened ? Effect.void : Effect.fail(error)))
                : Effect.fail(error)
            )
          )
        return Effect.andThen(
          patiently("the journal cannot be written", attempt),
          Effect.sync(() => bank.written(charge))
        )
      }

      /** Turns units into one transaction: a segment or more for each partition that they touch. */
      const commitUnits = Effect.fnUntraced(function* (units: ReadonlyArray<Unit>) {
        const byPartition = new Map<number, Array<Uint8Array>>()
        let charge = 0
        const operations: Array<Znode.Operation> = []
        for (const unit of units) {
          charge += unit.charge
          for (const { partition, record } of unit.entries) {
            const records = byPartition.get(partition)
            if (records === undefined) byPartition.set(partition, [record])
            else records.push(record)
          }
          if (unit.operations !== undefined) operations.push(...unit.operations)
        }
        for (const [partition, records] of byPartition) {
          const log = logs[partition]!
          operations.push(Znode.check(Layout.epoch(partition), log.epoch))
          for (const segment of cut(records)) {
            operations.push(Znode.create(Layout.segment(partition, log.next), segment))
            log.segments.push(log.next++)
            log.bytes += segment.length
          }
        }
        yield* transact(operations, charge)
        for (const unit of units) pendingBytes -= bytesOf(unit)
        passes.add(() => {
          for (const unit of units) unit.committed()
        })
      })

      const commitCompaction = Effect.fnUntraced(function* ({ partition, pieces, committed }: Compaction) {
        const log = logs[partition]!
        const generation = log.generation + 1
        const upTo = log.next - 1
        const fence = Znode.check(Layout.epoch(partition), log.epoch)
        for (const [i, piece] of pieces.entries()) {
          yield* transact([fence, Znode.create(Layout.snapshotPiece(partition, generation, i), piece)], 0)
        }
        const info = Schema.encodeSync(SnapshotInfo)({ generation, upTo })
        yield* transact([fence, Znode.set(Layout.snapshot(partition), Buffer.from(info))], 0)
        // From here on the new snapshot holds; what it replaced is only in the way.
        const replaced = [
          ...log.segments.map((sequence) => Layout.segment(partition, sequence)),
          ...Array.from({ length: log.pieces }, (_, i) => Layout.snapshotPiece(partition, log.generation, i))
        ]
        for (let i = 0; i < replaced.length; i += deletesPerTransaction) {
          const some = replaced.slice(i, i + deletesPerTransaction)
          yield* transact([fence, ...some.map((path) => Znode.remove(path))], 0)
        }
        log.generation = generation
        log.pieces = pieces.length
        log.segments = []
        log.bytes = 0
        passes.add(committed)
      })

      const commit = Effect.fnUntraced(function* (taken: ReadonlyArray<Item>) {
        let units: Array<Unit> = []
        let bytes = 0
        for (const item of taken) {
          if ("pieces" in item) {
            if (units.length > 0) yield* commitUnits(units)
            units = []
            bytes = 0
            yield* commitCompaction(item)
            continue
          }
          const size = bytesOf(item)
          if (bytes + size > transactionBytes && units.length > 0) {
            yield* commitUnits(units)
            units = []
            bytes = 0
          }
          units.push(item)
          bytes += size
        }
        if (units.length > 0) yield* commitUnits(units)
      })

      const writer = yield* Effect.forkScoped(
        supervised("journal", Effect.forever(Effect.flatMap(items.take, commit))),
        { startImmediately: true }
      )

      const append = (unit: Unit): void => {
        appended++
        pendingBytes += bytesOf(unit)
        items.add(unit)
      }
      return Journal.of({
        open,
        append,
        compact: (partition, pieces, committed) => items.add({ partition, pieces, committed }),
        logBytes: (partition) => logs[partition]!.bytes,
        appended: () => appended,
        pendingBytes: () => pendingBytes,
        flushed: Effect.callback((resume) => append({ entries: [], charge: 0, committed: () => resume(Effect.void) })),
        failure: Fiber.join(writer)
      })
    })
  )
}

const deletesPerTransaction = 1_000

/** What a record adds to a transaction beside its own bytes, at most: a path and the heads of two operations. */
const entryOverhead = 128

const bytesOf = ({ entries, operations }: Unit): number =>
  entries.reduce((sum, { record }) => sum + record.length + entryOverhead, 0) +
  (operations === undefined ? 0 : Znode.packetBytes(operations))

/** Joins records into as few segments as their size allows. */
export function* cut(records: ReadonlyArray<Uint8Array>): Generator<Uint8Array> {
  let from = 0
  let bytes = 0
  for (let i = 0; i < records.length; i++) {
    const size = Record.joinedSize(records[i]!)
    if (bytes + size > segmentBytes && i > from) {
      yield Record.join(records.slice(from, i))
      from = i
      bytes = 0
    }
    bytes += size
  }
  yield Record.join(records.slice(from))
}
