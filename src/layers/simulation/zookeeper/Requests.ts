/** What a simulated server understands: what our client asks for, and the watches of other clients. */
import type * as Protocol from "../../zookeeper/Protocol.ts"

/** How a persistent watch looks: at one znode and its children, or at a whole subtree (its znodes, not their lists). */
export type WatchMode = "persistent" | "recursive"

/** The one-shot watches to set again after a reconnect, and the persistent ones, all by path. */
export interface Watches {
  /** Of znodes that existed. */
  readonly data: ReadonlyArray<string>
  /** Of znodes that did not. */
  readonly absent: ReadonlyArray<string>
  readonly children: ReadonlyArray<string>
  readonly persistent: ReadonlyArray<string>
  readonly recursive: ReadonlyArray<string>
}

export type Request =
  | Protocol.Request
  /** Fires at once what has changed after the zxid. Persistent watches are set again, and do not hear what they missed. */
  | { readonly _tag: "SetWatches"; readonly relativeZxid: number; readonly watches: Watches }
  | { readonly _tag: "AddWatch"; readonly path: string; readonly mode: WatchMode }

/** A request with its number. */
export interface Ask {
  readonly _tag: "Ask"
  readonly xid: number
  readonly request: Request
}

/** What a channel between a client and a server carries. */
export type Message = Protocol.Connect | Ask | Protocol.ServerMessage
