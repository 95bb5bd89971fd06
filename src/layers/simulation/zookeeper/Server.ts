/**
 * One server of a simulated ensemble, as its clients see it: it answers reads from its own replica, passes writes on to
 * the leader, and answers each connection's requests in their order.
 */
import { noSession, packetBytes, type SessionId } from "../../../domain/zookeeper/Znode.ts"
import type { Kernel } from "../Kernel.ts"
import type { End, Handlers } from "../Network.ts"
import type { Process } from "../Process.ts"
import type { Answer, Connect } from "../../zookeeper/Protocol.ts"
import { nothing, read } from "./Answers.ts"
import type { Ask, Message, Request } from "./Requests.ts"
import { Replica, type Transaction } from "./Replica.ts"
import { WatchTable } from "./WatchTable.ts"

/** A client's connection to a server. */
export class Connection {
  readonly end: End<Message>
  /** The session that it serves; undefined until it has been accepted. */
  session: SessionId | undefined
  /** Requests without an answer, in their order. */
  readonly waiting: Array<Ask> = []
  isOpen = true
  /** Whether it has asked for a session. */
  hasAsked = false

  constructor(end: End<Message>) {
    this.end = end
  }

  /** The host of the client. */
  get host(): string {
    return this.end.peer.host
  }
}

/** What a server needs the leader for. Answers come later, in the order of the leader. */
export interface Leader {
  readonly openSession: (server: Server, connection: Connection, timeoutMillis: number) => void
  readonly revalidate: (server: Server, connection: Connection, connect: Connect, timeoutMillis: number) => void
  /** Gives a write or the end of a session its place in the order. */
  readonly order: (server: Server, connection: Connection, ask: Ask) => void
  readonly sync: (server: Server, connection: Connection, ask: Ask) => void
}

/** A transaction as the servers hold it: with the connection that waits for its answer. */
export interface Entry extends Transaction {
  readonly origin: { readonly connection: Connection; readonly xid: number } | undefined
}

/** What a server is told from outside. */
export interface ServerOptions {
  readonly kernel: Kernel
  readonly process: Process
  readonly leader: Leader
  /** Bounds of the session timeouts that are granted, in milliseconds. */
  readonly minimumTimeoutMillis: number
  readonly maximumTimeoutMillis: number
  /** The largest request in bytes (`jute.maxbuffer`); a larger one costs the client its connection. */
  readonly maximumPacketBytes: number
  /** Whether the reply to a write is to be lost now. */
  readonly losesReply: () => boolean
  /** How many transactions are committed, whether this server has applied them or not. */
  readonly committed: () => number
}

export class Server {
  readonly process: Process
  readonly replica = new Replica()
  readonly watches = new WatchTable<Connection>()
  /** Sessions that have been heard of since the leader was last told. */
  readonly touched = new Set<SessionId>()
  /** How many transactions are on its disk: all that it has applied, and those that it has acknowledged beyond. */
  logged = 0
  /** Whether it follows the leader, or is it, and takes clients. */
  isServing = false
  readonly #options: ServerOptions
  readonly #connections = new Set<Connection>()

  constructor(options: ServerOptions) {
    this.#options = options
    this.process = options.process
  }

  /** Takes a client's connection. */
  accept(end: End<Message>): Handlers<Message> {
    const connection = new Connection(end)
    this.#connections.add(connection)
    return {
      message: (message) => this.#receive(connection, message),
      closed: () => this.drop(connection)
    }
  }

  /** Closes a connection, after what was sent; its watches go with it. */
  drop(connection: Connection): void {
    if (this.#forget(connection)) connection.end.close()
  }

  /** It has lost the leader: no client is served until it has found the next. */
  stopServing(): void {
    this.isServing = false
    for (const connection of this.#connections) this.drop(connection)
  }

  /** The process has died: its connections are gone already. */
  forgetAll(): void {
    this.isServing = false
    this.touched.clear()
    for (const connection of this.#connections) this.#forget(connection)
  }

  /** Applies a committed transaction: tells the watches, then the client that waits for it. */
  apply(entry: Entry): void {
    const { events, answer } = this.replica.apply(entry)
    for (const event of events) {
      const { type, node } = event
      for (const { end } of this.watches.fire(event)) end.send({ _tag: "Notification", type, path: node.path })
    }
    const { origin } = entry
    if (origin !== undefined && this.#connections.has(origin.connection)) {
      if (entry.change._tag === "OpenSession")
        this.accepted(origin.connection, entry.session, entry.change.timeoutMillis)
      else if (this.#options.losesReply()) this.#lose(origin.connection)
      else this.settle(origin.connection, origin.xid, answer, entry.zxid)
    }
    if (entry.change._tag === "CloseSession") this.#dropSession(entry.session)
  }

  /** The leader has let a connection have its session; `0x0`: the session is over. */
  accepted(connection: Connection, session: SessionId, timeoutMillis: number): void {
    if (!connection.isOpen) return
    connection.end.send({ _tag: "Connected", session, timeoutMillis })
    if (session === noSession) {
      this.drop(connection)
      return
    }
    connection.session = session
    this.#answerReads(connection)
  }

  /** Answers the request that a connection has waited for, and what stands behind it. */
  settle(connection: Connection, xid: number, answer: Answer, zxid = this.replica.zxid): void {
    if (!connection.isOpen) return
    const first = connection.waiting.shift()
    if (first?.xid !== xid) throw new Error(`request ${xid} was answered before ${first?.xid}`)
    connection.end.send({ _tag: "Reply", xid, zxid, answer })
    this.#answerReads(connection)
  }

  #receive(connection: Connection, message: Message): void {
    if (!connection.isOpen) return
    if (!this.isServing) this.drop(connection)
    else if (message._tag === "Connect" && !connection.hasAsked) this.#connect(connection, message)
    else if (message._tag === "Ask" && connection.session !== undefined) this.#ask(connection, message)
    else this.drop(connection)
  }

  #connect(connection: Connection, connect: Connect): void {
    const { kernel, leader, minimumTimeoutMillis, maximumTimeoutMillis } = this.#options
    if (connect.lastZxid > this.replica.zxid) {
      kernel.reach("zookeeper.refused-behind")
      this.drop(connection)
      return
    }
    connection.hasAsked = true
    const timeout = Math.min(maximumTimeoutMillis, Math.max(minimumTimeoutMillis, connect.timeoutMillis))
    if (connect.session === noSession) {
      leader.openSession(this, connection, timeout)
      return
    }
    this.#dropSession(connect.session)
    leader.revalidate(this, connection, connect, timeout)
  }

  #ask(connection: Connection, ask: Ask): void {
    const { leader, maximumPacketBytes } = this.#options
    const { request } = ask
    this.touched.add(connection.session!)
    if (request._tag === "Write" && packetBytes(request.operations) > maximumPacketBytes) {
      this.drop(connection)
      return
    }
    connection.waiting.push(ask)
    if (request._tag === "Write" || request._tag === "CloseSession") leader.order(this, connection, ask)
    else if (request._tag === "Sync") leader.sync(this, connection, ask)
    else this.#answerReads(connection)
  }

  /** Answers what this server can answer alone, up to the first request that the leader has to. */
  #answerReads(connection: Connection): void {
    const { waiting } = connection
    while (connection.isOpen && waiting.length > 0) {
      const { xid, request } = waiting[0]!
      const answer = this.#answer(connection, request)
      if (answer === undefined) return
      waiting.shift()
      connection.end.send({ _tag: "Reply", xid, zxid: this.replica.zxid, answer })
    }
  }

  #answer(connection: Connection, request: Request): Answer | undefined {
    switch (request._tag) {
      case "Get":
      case "Exists":
      case "Children": {
        if (this.replica.applied < this.#options.committed()) this.#options.kernel.reach("zookeeper.stale-read")
        const { answer, exists } = read(this.replica.tree, request)
        if (request.watch && (exists || request._tag === "Exists")) {
          this.watches.watchOnce(connection, request.path, request._tag === "Children" ? "children" : "data")
        }
        return answer
      }
      case "SetWatches":
        this.#setWatches(connection, request)
        return nothing
      case "AddWatch":
        this.watches.watchAlways(connection, request.path, request.mode)
        return nothing
      case "RemoveWatches":
        return this.watches.remove(connection, request.path) ? nothing : noWatcher
      case "Ping":
        return nothing
      default:
        return undefined
    }
  }

  /** One-shot watches that would have fired after the zxid fire now; all others are set. */
  #setWatches(connection: Connection, request: Extract<Request, { _tag: "SetWatches" }>): void {
    const { relativeZxid, watches } = request
    const { nodes } = this.replica.tree
    const notify = (type: "NodeCreated" | "NodeDeleted" | "NodeDataChanged" | "NodeChildrenChanged", path: string) => {
      this.#options.kernel.reach("zookeeper.missed-event")
      connection.end.send({ _tag: "Notification", type, path })
    }
    for (const path of watches.data) {
      const node = nodes.get(path)
      if (node === undefined) notify("NodeDeleted", path)
      else if (node.mzxid > relativeZxid) notify("NodeDataChanged", path)
      else this.watches.watchOnce(connection, path, "data")
    }
    for (const path of watches.absent) {
      if (nodes.has(path)) notify("NodeCreated", path)
      else this.watches.watchOnce(connection, path, "data")
    }
    for (const path of watches.children) {
      const node = nodes.get(path)
      if (node === undefined) notify("NodeDeleted", path)
      else if (node.pzxid > relativeZxid) notify("NodeChildrenChanged", path)
      else this.watches.watchOnce(connection, path, "children")
    }
    for (const path of watches.persistent) this.watches.watchAlways(connection, path, "persistent")
    for (const path of watches.recursive) this.watches.watchAlways(connection, path, "recursive")
  }

  #dropSession(session: SessionId): void {
    for (const connection of this.#connections) if (connection.session === session) this.drop(connection)
  }

  /** The connection breaks off before the reply. */
  #lose(connection: Connection): void {
    this.#options.kernel.reach("zookeeper.reply-lost")
    if (!this.#forget(connection)) return
    connection.end.reset()
  }

  #forget(connection: Connection): boolean {
    if (!connection.isOpen) return false
    connection.isOpen = false
    this.#connections.delete(connection)
    this.watches.forget(connection)
    return true
  }
}

/** `NOWATCHER` of ZooKeeper. */
const noWatcher: Answer = { _tag: "Failed", reason: { _tag: "Unknown", code: -121 } }
