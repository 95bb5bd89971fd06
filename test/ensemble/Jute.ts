/**
 * ZooKeeper's wire protocol (3.8, `zookeeper.jute`): the requests that scripts make, their replies, watch events.
 * Big-endian; strings, buffers and vectors carry their length in 4 bytes, -1 for none.
 */
import type { Operation, SessionId, Stat } from "../../src/domain/zookeeper/Znode.ts"
import type { EventType, MultiResult, Reply, Request } from "./Script.ts"

/** The xids of what is no answer to a request of the client's own. */
export const xids = { event: -1, ping: -2, setWatches: -8 } as const

/** What the server says before anything else; a session of 0 is over. */
export interface Connected {
  readonly session: bigint
  readonly password: Buffer
}

/** The header of all else that the server says. */
export interface Header {
  readonly xid: number
  readonly zxid: bigint
  readonly error: number
}

const types = {
  /** A multi answers so to each create. */
  create: 1,
  create2: 15,
  delete: 2,
  exists: 3,
  getData: 4,
  setData: 5,
  getChildren: 8,
  sync: 9,
  ping: 11,
  check: 13,
  multi: 14,
  close: -11,
  setWatches2: 105,
  addWatch: 106,
  error: -1
} as const

const flags = { Persistent: 0, Ephemeral: 1, PersistentSequential: 2, EphemeralSequential: 3 } as const

const eventTypes: Record<number, EventType> = {
  1: "NodeCreated",
  2: "NodeDeleted",
  3: "NodeDataChanged",
  4: "NodeChildrenChanged"
}

const errors: Record<number, Extract<Reply, { _tag: "Failed" }>["error"]> = {
  [-101]: "NoNode",
  [-103]: "BadVersion",
  [-108]: "NoChildrenForEphemerals",
  [-110]: "NodeExists",
  [-111]: "NotEmpty"
}

const int = (value: number): Buffer => {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeInt32BE(value)
  return bytes
}
const long = (value: bigint): Buffer => {
  const bytes = Buffer.allocUnsafe(8)
  bytes.writeBigInt64BE(value)
  return bytes
}
const bool = (value: boolean): Buffer => Buffer.of(value ? 1 : 0)
const buffer = (value: Uint8Array): Buffer => Buffer.concat([int(value.length), value])
const string = (value: string): Buffer => buffer(Buffer.from(value))
const vector = (values: ReadonlyArray<string> = []): Buffer =>
  Buffer.concat([int(values.length), ...values.map(string)])

/** All permissions for everyone. */
const openAcl = Buffer.concat([int(1), int(31), string("world"), string("anyone")])

/** A packet with its length. */
export const frame = (...parts: ReadonlyArray<Buffer>): Buffer => buffer(Buffer.concat(parts))

/** The first packet of a connection; a session of 0 asks for a new one. */
export const connectPacket = (lastZxidSeen: bigint, timeout: number, session: bigint, password: Buffer): Buffer =>
  frame(int(0), long(lastZxidSeen), int(timeout), long(session), buffer(password), bool(false))

export const pingPacket = frame(int(xids.ping), int(types.ping))

/** A request as a packet. `atPath` maps a path of the script to one of the server; `since` is for SetWatches. */
export const requestPacket = (
  xid: number,
  request: Request,
  since: bigint,
  atPath: (path: string) => string
): Buffer => {
  const watching = (type: number, path: string, watch: boolean) =>
    frame(int(xid), int(type), string(atPath(path)), bool(watch))
  switch (request._tag) {
    case "Get":
      return watching(types.getData, request.path, request.watch)
    case "Exists":
      return watching(types.exists, request.path, request.watch)
    case "Children":
      return watching(types.getChildren, request.path, request.watch)
    case "Sync":
      return frame(int(xid), int(types.sync), string(atPath(request.path)))
    case "AddWatch":
      return frame(int(xid), int(types.addWatch), string(atPath(request.path)), int(request.recursive ? 1 : 0))
    case "SetWatches": {
      const { data, exist, child, persistent, recursive } = request.watches
      const lists = [data, exist, child, persistent, recursive].map((paths) => vector(paths?.map(atPath)))
      return frame(int(xids.setWatches), int(types.setWatches2), long(since), ...lists)
    }
    case "Multi": {
      const end = [int(-1), bool(true), int(-1)]
      const operations = request.operations.flatMap((operation) => {
        const { type, body } = encodeOperation(operation, atPath)
        return [int(type), bool(false), int(-1), body]
      })
      return frame(int(xid), int(types.multi), ...operations, ...end)
    }
    case "Close":
      return frame(int(xid), int(types.close))
    default: {
      const { type, body } = encodeOperation(request, atPath)
      return frame(int(xid), int(type), body)
    }
  }
}

const encodeOperation = (
  operation: Operation,
  atPath: (path: string) => string
): { readonly type: number; readonly body: Buffer } => {
  const path = string(atPath(operation.path))
  switch (operation._tag) {
    case "Create":
      return {
        type: types.create2,
        body: Buffer.concat([path, buffer(operation.data), openAcl, int(flags[operation.mode])])
      }
    case "Delete":
      return { type: types.delete, body: Buffer.concat([path, int(operation.version)]) }
    case "Set":
      return { type: types.setData, body: Buffer.concat([path, buffer(operation.data), int(operation.version)]) }
    case "Check":
      return { type: types.check, body: Buffer.concat([path, int(operation.version)]) }
  }
}

/** The session's id as ZooKeeper prints it. */
export const sessionId = (session: bigint): SessionId => `0x${BigInt.asUintN(64, session).toString(16)}` as SessionId

/** Reads one packet from its begin to its end. */
export class Reader {
  readonly #bytes: Buffer
  readonly #fromPath: (path: string) => string
  #at = 0

  /** `fromPath` maps a path of the server to one of the script. */
  constructor(bytes: Buffer, fromPath: (path: string) => string) {
    this.#bytes = bytes
    this.#fromPath = fromPath
  }

  connected(): Connected {
    this.#at = 8
    return { session: this.#long(), password: this.#buffer() }
  }

  header(): Header {
    return { xid: this.#int(), zxid: this.#long(), error: this.#int() }
  }

  event(): { readonly type: EventType; readonly path: string } {
    const type = eventTypes[this.#int()]
    if (type === undefined) throw new Error(`an unknown event: ${this.#bytes.toString("hex")}`)
    this.#int()
    return { type, path: this.#path() }
  }

  reply(request: Request, { error }: Header): Reply {
    if (request._tag === "Multi") return this.#multi()
    if (error !== 0) return { _tag: "Failed", error: errors[error] ?? `code ${error}` }
    switch (request._tag) {
      case "Get": {
        const data = this.#buffer()
        return { _tag: "Get", data, stat: this.#stat() }
      }
      case "Exists":
        return { _tag: "Exists", stat: this.#stat() }
      case "Children":
        return { _tag: "Children", names: this.#names() }
      case "Create":
        return { _tag: "Create", path: this.#path(), stat: this.#stat() }
      case "Set":
        return { _tag: "Set", stat: this.#stat() }
      default:
        return { _tag: request._tag }
    }
  }

  #multi(): Reply {
    const results: Array<MultiResult> = []
    let failed: Reply | undefined
    for (let at = 0; ; at++) {
      const type = this.#int()
      const isDone = this.#bytes[this.#at++] !== 0
      this.#at += 4
      if (isDone) return failed ?? { _tag: "Multi", results }
      if (type === types.error) {
        const error = this.#int()
        // What comes before the failed one has code 0, what comes after it another code of its own.
        if (error !== 0) failed ??= { _tag: "Failed", error: errors[error] ?? `code ${error}`, operation: at }
      } else if (type === types.create) results.push({ _tag: "Create", path: this.#path() })
      else if (type === types.setData) results.push({ _tag: "Set", stat: this.#stat() })
      else results.push({ _tag: type === types.delete ? "Delete" : "Check" })
    }
  }

  #int(): number {
    this.#at += 4
    return this.#bytes.readInt32BE(this.#at - 4)
  }

  #long(): bigint {
    this.#at += 8
    return this.#bytes.readBigInt64BE(this.#at - 8)
  }

  #buffer(): Buffer {
    const length = Math.max(0, this.#int())
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }

  #path(): string {
    return this.#fromPath(this.#buffer().toString())
  }

  #names(): ReadonlyArray<string> {
    return Array.from({ length: this.#int() }, () => this.#buffer().toString()).sort()
  }

  #stat(): Stat {
    const czxid = Number(this.#long())
    const mzxid = Number(this.#long())
    const ctime = Number(this.#long())
    const mtime = Number(this.#long())
    const version = this.#int()
    const cversion = this.#int()
    const aversion = this.#int()
    const ephemeralOwner = sessionId(this.#long())
    const dataLength = this.#int()
    const numChildren = this.#int()
    const pzxid = Number(this.#long())
    return { czxid, mzxid, pzxid, ctime, mtime, version, cversion, aversion, ephemeralOwner, dataLength, numChildren }
  }
}
