/**
 * Apache ZooKeeper as the broker uses it. Its layers (in memory, embedded with a disk, a client of an ensemble) pass
 * one contract suite, `test/contract/ZooKeeperContract.ts`.
 */
import { Context, type Effect, type Option, Schema, type Stream } from "effect"
import {
  type CreateMode,
  type Operation,
  type OperationResult,
  Refusal,
  SessionId,
  type Stat,
  type Znode
} from "../domain/zookeeper/Znode.ts"

/** The request is larger than a packet may be. It was not sent. */
export const TooLarge = Schema.TaggedStruct("TooLarge", { bytes: Schema.Natural, maximumBytes: Schema.Natural })
/** The connection went away before the reply came: **the write may or may not have happened**. */
export const ConnectionLoss = Schema.TaggedStruct("ConnectionLoss", {})
/** The session has ended, and with it all its ephemeral znodes. The write has not happened. */
export const SessionLost = Schema.TaggedStruct("SessionLost", {})
/** ZooKeeper cannot be asked now, for the reason given. The write has not happened. */
export const Unavailable = Schema.TaggedStruct("Unavailable", { why: Schema.String })
/** What ZooKeeper keeps its data in has failed, and asking again will not help. The write has not happened. */
export const Broken = Schema.TaggedStruct("Broken", { why: Schema.String })
/** An error code of the server that none of the other reasons stands for. */
export const Unknown = Schema.TaggedStruct("Unknown", { code: Schema.Int })

/** Why an operation failed. */
export const ZooKeeperReason = Schema.Union([
  ...Refusal.members,
  TooLarge,
  ConnectionLoss,
  SessionLost,
  Unavailable,
  Broken,
  Unknown
])
export type ZooKeeperReason = typeof ZooKeeperReason.Type

/** The one error of {@link ZooKeeper}. */
export class ZooKeeperError extends Schema.TaggedError<ZooKeeperError>()("ZooKeeperError", {
  reason: ZooKeeperReason,
  /** The path of the operation that failed. */
  path: Schema.String,
  /** In a multi, the index of the operation that failed; absent when the whole failed. */
  operation: Schema.optionalKey(Schema.Natural)
}) {
  override get message(): string {
    const at = this.operation === undefined ? this.path : `${this.path} (operation ${this.operation} of a multi)`
    return `${at}: ${describe(this.reason)}`
  }
}

/** How the session stands: Suspended is without a connection and perhaps over, Lost is over for certain. */
export const SessionState = Schema.Literals(["Connecting", "Connected", "Suspended", "Lost"])
export type SessionState = typeof SessionState.Type

/**
 * The session that owns our ephemeral znodes. When one is lost, a new one follows under the next generation: an owner
 * of ephemerals compares the generation to know whether they are still there.
 */
export const Session = Schema.Struct({
  id: SessionId,
  /** 1 for the first session, one more for each that follows. */
  generation: Schema.Natural,
  state: SessionState
})
export type Session = typeof Session.Type

/**
 * The operations of ZooKeeper within one session, which ends with the layer's scope.
 *
 * Versions are optional and default to any. Data handed in is kept and data handed out is shared: neither is to be
 * written to afterwards. The writes of one fiber take effect in its order, and its reads see them. All paths are
 * checked before anything is sent, so an InvalidPath comes before any other refusal. `ConnectionLoss` leaves it open
 * whether a write happened: `sync`, then read, before deciding.
 */
export class ZooKeeper extends Context.Service<
  ZooKeeper,
  {
    /** Creates a znode, persistent by default. The path in the answer carries the number of a sequential one. */
    readonly create: (
      path: string,
      data: Uint8Array,
      mode?: CreateMode
    ) => Effect.Effect<{ readonly path: string; readonly stat: Stat }, ZooKeeperError>

    /** Deletes a znode without children. */
    readonly delete: (path: string, version?: number) => Effect.Effect<void, ZooKeeperError>

    /** Replaces the data of a znode. `mtime` of the answer is the server's clock at the write. */
    readonly set: (path: string, data: Uint8Array, version?: number) => Effect.Effect<Stat, ZooKeeperError>

    /** Data and stat of a znode; NoNode where there is none. */
    readonly get: (path: string) => Effect.Effect<Znode, ZooKeeperError>

    /** The stat of a znode, none where there is none. */
    readonly exists: (path: string) => Effect.Effect<Option.Option<Stat>, ZooKeeperError>

    /** The names of the children, sorted by code unit; NoNode where there is no such znode. */
    readonly children: (path: string) => Effect.Effect<ReadonlyArray<string>, ZooKeeperError>

    /**
     * All operations in one transaction, or none: an operation sees those before it, and the error names the first
     * that fails. The results stand in the order of the operations.
     */
    readonly multi: (
      operations: ReadonlyArray<Operation>
    ) => Effect.Effect<ReadonlyArray<OperationResult>, ZooKeeperError>

    /** Afterwards, reads see every write that anyone had confirmed before. Needed after ConnectionLoss, too. */
    readonly sync: (path: string) => Effect.Effect<void, ZooKeeperError>

    /**
     * A znode as it is now and after each change of its data, its creation and its deletion (none). A burst of changes
     * may come as one, the latest never stays away. While the connection is gone it waits, and looks again with the
     * next one or with the next session. Changes of the children alone are not seen. It fails only with InvalidPath,
     * and ends with the layer.
     */
    readonly watch: (path: string) => Stream.Stream<Option.Option<Znode>, ZooKeeperError>

    /** The names of a znode's children, sorted, in the same manner as `watch`; empty while there is no such znode. */
    readonly watchChildren: (path: string) => Stream.Stream<ReadonlyArray<string>, ZooKeeperError>

    /** The session as it stands. */
    readonly session: Effect.Effect<Session>

    /** The session as it stands and after each change, Lost included. */
    readonly sessionChanges: Stream.Stream<Session>
  }
>()("mqttzoo/services/ZooKeeper") {}

const describe = (reason: ZooKeeperReason): string => {
  switch (reason._tag) {
    case "NoNode":
      return "there is no such znode"
    case "NodeExists":
      return "the znode exists"
    case "BadVersion":
      return `the znode is not at version ${reason.expected}`
    case "NotEmpty":
      return "the znode has children"
    case "NoChildrenForEphemerals":
      return "an ephemeral znode cannot have children"
    case "InvalidPath":
      return `the path ${reason.why}`
    case "TooLarge":
      return `a packet of ${reason.bytes} bytes is larger than ${reason.maximumBytes}`
    case "ConnectionLoss":
      return "the connection was lost before the reply: the outcome is unknown"
    case "SessionLost":
      return "the session is over"
    case "Unavailable":
    case "Broken":
      return reason.why
    case "Unknown":
      return `ZooKeeper answered with error code ${reason.code}`
  }
}
