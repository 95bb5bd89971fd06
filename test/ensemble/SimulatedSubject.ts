/** A simulated ensemble as the subject of one script. Its clients speak the protocol themselves. */
import { noSession, type SessionId } from "../../src/domain/zookeeper/Znode.ts"
import { Kernel } from "../../src/layers/simulation/Kernel.ts"
import { type End, Network } from "../../src/layers/simulation/Network.ts"
import { clientPort, Ensemble } from "../../src/layers/simulation/zookeeper/Ensemble.ts"
import type * as Requests from "../../src/layers/simulation/zookeeper/Requests.ts"
import type * as Protocol from "../../src/layers/zookeeper/Protocol.ts"
import type { Subject } from "./Runner.ts"
import type { Observation, Reply, Request, Role } from "./Script.ts"

/** What clients of one session share. */
interface Session {
  id: SessionId
  readonly timeout: number
  lastZxid: number
}

/** Seconds of virtual time that nobody waits longer than. */
const patience = 60

/** After so long all servers have applied what was committed, as they have on real ones before the next step. */
const replicationMicros = 200_000

class Client {
  readonly observations: Array<Observation> = []
  readonly session: Session
  /** What the session had seen before this connection. */
  readonly #formerZxid: number
  readonly #kernel: Kernel
  #end: End<Requests.Message> | undefined
  #isOver = false
  #xid = 0
  readonly #asked: Array<Request | undefined> = []

  constructor(kernel: Kernel, network: Network, host: string, server: string, session: Session, lastZxid: number) {
    this.#kernel = kernel
    this.session = session
    this.#formerZxid = session.lastZxid
    network.dial<Requests.Message>(host, server, clientPort, (end) => {
      if (this.#isOver) end?.reset()
      else if (end === undefined) this.#ended()
      else {
        this.#end = end
        end.attach({ message: (message) => this.#received(message), closed: () => this.#ended() })
        end.send({ _tag: "Connect", session: session.id, timeoutMillis: session.timeout, lastZxid })
      }
    })
  }

  send(requests: ReadonlyArray<Request>): void {
    for (const request of requests) this.#ask(this.#requestOf(request), request)
  }

  drop(): void {
    this.#isOver = true
    this.#end?.reset()
  }

  #ask(request: Requests.Request, asked: Request | undefined): void {
    this.#asked.push(asked)
    this.#end?.send({ _tag: "Ask", xid: ++this.#xid, request })
  }

  #keepAlive(): void {
    this.#kernel.later((this.session.timeout * 1000) / 3, () => {
      if (this.#isOver) return
      this.#ask({ _tag: "Ping" }, undefined)
      this.#keepAlive()
    })
  }

  #received(message: Requests.Message): void {
    if (this.#isOver) return
    switch (message._tag) {
      case "Connected":
        if (message.session === noSession) {
          this.observations.push({ _tag: "Expired" })
          break
        }
        this.session.id = message.session
        this.observations.push({ _tag: "Connected", session: message.session })
        this.#keepAlive()
        break
      case "Notification":
        this.observations.push({ _tag: "Event", type: message.type, path: message.path })
        break
      case "Reply": {
        this.session.lastZxid = Math.max(this.session.lastZxid, message.zxid)
        const asked = this.#asked.shift()
        if (asked !== undefined) this.observations.push({ _tag: "Replied", reply: replyOf(asked, message.answer) })
        break
      }
      default:
        throw new Error(`a client was sent ${message._tag}`)
    }
  }

  #ended(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#end?.close()
    this.observations.push({ _tag: "Disconnected" })
  }

  #requestOf(request: Request): Requests.Request {
    switch (request._tag) {
      case "Create":
      case "Delete":
      case "Set":
        return { _tag: "Write", operations: [request] }
      case "Multi":
        return { _tag: "Write", operations: request.operations }
      case "AddWatch":
        return { _tag: "AddWatch", path: request.path, mode: request.recursive ? "recursive" : "persistent" }
      case "SetWatches": {
        const { data = [], exist: absent = [], child: children = [], persistent = [], recursive = [] } = request.watches
        const watches = { data, absent, children, persistent, recursive }
        return { _tag: "SetWatches", relativeZxid: this.#formerZxid, watches }
      }
      case "Close":
        return { _tag: "CloseSession" }
      default:
        return request
    }
  }
}

const replyOf = (asked: Request, answer: Protocol.Answer): Reply => {
  if (answer._tag === "Failed") {
    const { reason, operation } = answer
    const error = reason._tag === "Unknown" ? (`code ${reason.code}` as const) : reason._tag
    return asked._tag === "Multi" && operation !== undefined
      ? { _tag: "Failed", error, operation }
      : { _tag: "Failed", error }
  }
  const value = answer.value as never
  switch (asked._tag) {
    case "Create":
    case "Delete":
    case "Set":
      return (value as Protocol.Values["Write"])[0]!
    case "Multi":
      return { _tag: "Multi", results: value }
    case "Get":
      return { _tag: "Get", ...(value as Protocol.Values["Get"]) }
    case "Exists": {
      const stat = value as Protocol.Values["Exists"]
      return stat === undefined ? { _tag: "Failed", error: "NoNode" } : { _tag: "Exists", stat }
    }
    case "Children":
      return { _tag: "Children", names: (value as Protocol.Values["Children"]).names }
    default:
      return { _tag: asked._tag }
  }
}

/** An ensemble with an empty tree and no clients; the seed decides delays and who leads. */
export const makeSubject = (seed: number): Subject => {
  const kernel = new Kernel({ seed, policy: "random", preemption: 0 })
  const network = new Network(kernel, { latencyMicros: 300 })
  const ensemble = new Ensemble(kernel, network)
  const leader = ensemble.leader!
  const [first, second] = ensemble.hosts.flatMap((_, at) => (at === leader ? [] : [at]))
  const servers: Record<Role, number> = { leader, first: first!, second: second! }
  const clients = new Map<string, Client>()

  const clientOf = (name: string): Client => {
    const client = clients.get(name)
    if (client === undefined) throw new Error(`there is no client ${name}`)
    return client
  }
  const connect = (name: string, at: Role, session: Session, lastZxid: number) => {
    clients.get(name)?.drop()
    clients.set(name, new Client(kernel, network, name, ensemble.hosts[servers[at]]!, session, lastZxid))
  }

  return {
    now: () => kernel.now / 1000,
    elapse: (milliseconds) => {
      kernel.run(() => false, kernel.now + milliseconds * 1000)
    },
    open: (name, at, timeout) => connect(name, at, { id: noSession, timeout, lastZxid: 0 }, 0),
    attach: (name, former, at, fromFuture) => {
      // A server that is behind by chance may refuse the client, which is no rule that a script wants to show.
      kernel.run(() => false, kernel.now + replicationMicros)
      const { session } = clientOf(former)
      connect(name, at, session, fromFuture ? Number.MAX_SAFE_INTEGER : session.lastZxid)
    },
    send: (name, requests) => clientOf(name).send(requests),
    drop: (name) => clientOf(name).drop(),
    next: (name) => {
      const { observations } = clientOf(name)
      kernel.run(() => observations.length > 0, kernel.now + patience * 1e6)
      const observation = observations.shift()
      if (observation === undefined) throw new Error(`${name} waits for ever`)
      return observation
    },
    hasNext: (name) => clientOf(name).observations.length > 0,
    fault: (fault, at) => ensemble[fault](servers[at])
  }
}
