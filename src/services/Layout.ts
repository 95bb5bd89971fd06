/** Where in ZooKeeper what is kept, and the step that makes sure that it is there. */
import { Effect, Schema } from "effect"
import * as Znode from "../domain/zookeeper/Znode.ts"
import { ZooKeeper, type ZooKeeperError } from "./ZooKeeper.ts"

/** The layout that this version writes. */
export const layoutVersion = 1

const root = "/mqttzoo"
const version = `${root}/version`
const members = `${root}/members`
const partitions = `${root}/partitions`
const topics = `${root}/topics`

export const bank = `${root}/bank`
const leases = `${bank}/leases`

/** What a broker has drawn from the Bank, and spent. */
export const lease = (id: string): string => `${leases}/${id}`

/**
 * Retained messages lie in buckets, so that no znode has too many children to list: five million fit. Each is a read
 * when a broker starts.
 */
export const topicBuckets = 64

export const topicBucket = (bucket: number): string => `${topics}/${bucket.toString(16).padStart(2, "0")}`

const partition = (index: number): string => `${partitions}/${index}`

/** Its version is the partition's epoch: the fencing token that every write of an owner checks. */
export const epoch = (index: number): string => `${partition(index)}/epoch`

export const log = (index: number): string => `${partition(index)}/log`

export const segment = (index: number, sequence: number): string =>
  `${log(index)}/${sequence.toString().padStart(12, "0")}`

/** Names the snapshot that holds; its children are the pieces of that one and perhaps of one that was cut short. */
export const snapshot = (index: number): string => `${partition(index)}/snapshot`

export const snapshotPiece = (index: number, generation: number, piece: number): string =>
  `${snapshot(index)}/${generation}-${piece.toString().padStart(6, "0")}`

/** What is in ZooKeeper was written by a version, or under settings, that this broker cannot work with. */
export class LayoutMismatch extends Schema.TaggedError<LayoutMismatch>()("LayoutMismatch", {
  path: Schema.String,
  found: Schema.String,
  expected: Schema.String
}) {
  override get message() {
    return `${this.path} is ${this.found}, this broker needs ${this.expected}`
  }
}

const empty = new Uint8Array()
const text = (s: string): Uint8Array => Buffer.from(s)

/** What the cluster was founded with: it cannot change later, since client identifiers are dealt out by it. */
const Version = Schema.fromJsonString(Schema.Struct({ layout: Schema.Natural, partitions: Schema.Natural }))

/** Makes the layout if there is none, and otherwise checks that it is one that this broker knows. */
export const ensure = Effect.fn("Layout.ensure")(function* (
  count: number
): Effect.fn.Return<void, ZooKeeperError | LayoutMismatch, ZooKeeper> {
  const zookeeper = yield* ZooKeeper
  const expected = yield* Effect.orDie(Schema.encodeEffect(Version)({ layout: layoutVersion, partitions: count }))
  const operations = [
    ...[root, members, topics, partitions, bank, leases].map((path) => Znode.create(path, empty)),
    ...Array.from({ length: topicBuckets }, (_, i) => Znode.create(topicBucket(i), empty)),
    ...Array.from({ length: count }, (_, i) =>
      [partition(i), epoch(i), log(i), snapshot(i)].map((path) => Znode.create(path, empty))
    ).flat(),
    // Last, so that a reader who sees it sees the rest.
    Znode.create(version, text(expected))
  ]
  yield* zookeeper
    .multi(operations)
    .pipe(
      Effect.catchTag("ZooKeeperError", (error) =>
        error.reason._tag === "NodeExists" ? Effect.void : Effect.fail(error)
      )
    )
  const found = Buffer.from((yield* zookeeper.get(version)).data).toString()
  if (found !== expected) return yield* new LayoutMismatch({ path: version, found, expected })
})
