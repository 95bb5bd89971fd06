/**
 * What a ZooKeeper client and a server say to each other: the meaning of ZooKeeper's protocol without its encoding.
 *
 * A client connects, and then sends requests with growing numbers. The server answers them in their order. What its
 * watches see comes in between, before any reply that shows the change.
 */
import type { Event } from "../../domain/zookeeper/DataTree.ts"
import type { Operation, OperationResult, SessionId, Stat, Znode } from "../../domain/zookeeper/Znode.ts"
import type { ZooKeeperReason } from "../../services/ZooKeeper.ts"

/** The first message of a client: it opens a session, or goes on with one. */
export interface Connect {
  readonly _tag: "Connect"
  /** The session to go on with; `0x0` for a new one. */
  readonly session: SessionId
  readonly timeoutMillis: number
  /** The highest zxid that the client has seen: a server that does not know it yet refuses the client. */
  readonly lastZxid: number
}

/**
 * What our client asks for once it is connected. It sets one-shot watches only, and sets them again by reading again:
 * so it misses nothing, and needs no packet that names all of them.
 */
export type Request =
  | { readonly _tag: "Write"; readonly operations: ReadonlyArray<Operation> }
  | { readonly _tag: "Get"; readonly path: string; readonly watch: boolean }
  | { readonly _tag: "Exists"; readonly path: string; readonly watch: boolean }
  | { readonly _tag: "Children"; readonly path: string; readonly watch: boolean }
  | { readonly _tag: "Sync"; readonly path: string }
  /** Removes all watches of a path that this connection has set. */
  | { readonly _tag: "RemoveWatches"; readonly path: string }
  | { readonly _tag: "Ping" }
  | { readonly _tag: "CloseSession" }

/** What a request with the tag is answered with. */
export interface Values {
  readonly Write: ReadonlyArray<OperationResult>
  readonly Get: Znode
  readonly Exists: Stat | undefined
  readonly Children: { readonly names: ReadonlyArray<string>; readonly stat: Stat }
  readonly Sync: undefined
  readonly RemoveWatches: undefined
  readonly Ping: undefined
  readonly CloseSession: undefined
}

/** A value, or why there is none; `operation` is the index of the one that a multi failed with. */
export type Answer =
  | { readonly _tag: "Done"; readonly value: Values[keyof Values] }
  | { readonly _tag: "Failed"; readonly reason: ZooKeeperReason; readonly operation?: number }

/** A request with its number. */
export interface Ask {
  readonly _tag: "Ask"
  readonly xid: number
  readonly request: Request
}

/** The answer to a Connect; with the session `0x0` the one that was asked for is over, and the server closes. */
export interface Connected {
  readonly _tag: "Connected"
  readonly session: SessionId
  /** The timeout that the server grants. */
  readonly timeoutMillis: number
}

/** The answer to the request with the number. */
export interface Reply {
  readonly _tag: "Reply"
  readonly xid: number
  /** The last transaction that the server had applied. */
  readonly zxid: number
  readonly answer: Answer
}

/** What a watch has seen. */
export interface Notification {
  readonly _tag: "Notification"
  readonly type: Event["type"]
  readonly path: string
}

export type ClientMessage = Connect | Ask
export type ServerMessage = Connected | Reply | Notification
