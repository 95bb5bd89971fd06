/**
 * What a client and a server say to each other, as the packets of ZooKeeper's protocol, in the encoding of
 * node-zookeeper-client. Whatever cannot be decoded throws: the connection that it came by is of no use any more.
 */
import jute, {
  type Record,
  type Stat as StatRecord,
  type TransactionOperation
} from "node-zookeeper-client/lib/jute/index.js"
import {
  type CreateMode,
  isSequential,
  noSession,
  type Operation,
  type OperationResult,
  type SessionId,
  type Stat
} from "../../domain/zookeeper/Znode.ts"
import type { ZooKeeperReason } from "../../services/ZooKeeper.ts"
import type { Answer, Ask, Connect, Connected, Notification, Values } from "./Protocol.ts"

/** What proves to a server that a session is ours. */
export type Password = Buffer

/** The password that asks for a new session. */
export const noPassword: Password = Buffer.alloc(16)

/** The header of all that a server says but its first packet. */
export interface Header {
  readonly kind: "Notification" | "Ping" | "Reply"
  readonly xid: number
  readonly zxid: number
  /** 0 where nothing is wrong. */
  readonly code: number
}

/** The first packet of a connection. */
export const encodeConnect = ({ lastZxid, session, timeoutMillis }: Connect, password: Password): Buffer =>
  packet(
    null,
    new protocol.ConnectRequest(
      0,
      longOf(BigInt(lastZxid)),
      timeoutMillis,
      longOf(BigInt(session)),
      session === noSession ? noPassword : password
    )
  )

/** The first packet of a server. */
export const decodeConnected = (body: Buffer): { readonly connected: Connected; readonly password: Password } => {
  const response = new protocol.ConnectResponse()
  read(response, body, 0)
  const connected = {
    _tag: "Connected",
    session: sessionOf(response.sessionId),
    timeoutMillis: response.timeOut
  } as const
  return { connected, password: response.passwd ?? noPassword }
}

/** A request. Its paths are below the chroot, which is `/x`, or empty. */
export const encodeAsk = ({ xid, request }: Ask, chroot: string): Buffer => {
  switch (request._tag) {
    case "Get":
      return ask(xid, codes.GET_DATA, new protocol.GetDataRequest(below(chroot, request.path), request.watch))
    case "Exists":
      return ask(xid, codes.EXISTS, new protocol.ExistsRequest(below(chroot, request.path), request.watch))
    case "Children":
      return ask(xid, codes.GET_CHILDREN2, new protocol.GetChildren2Request(below(chroot, request.path), request.watch))
    case "Sync":
      // A path alone, too.
      return ask(xid, codes.SYNC, new protocol.GetACLRequest(below(chroot, request.path)))
    case "RemoveWatches":
      // A path and an int, too.
      return ask(xid, removeWatches, new protocol.CheckVersionRequest(below(chroot, request.path), anyWatch))
    case "Ping":
      return ask(xid, codes.PING, null)
    case "CloseSession":
      return ask(xid, codes.CLOSE_SESSION, null)
    case "Write":
      return encodeWrite(xid, request.operations, chroot)
  }
}

/** The header of a packet that is not the first; {@link decodeAnswer} and {@link decodeNotification} read the rest. */
export const decodeHeader = (body: Buffer): Header => {
  const header = new protocol.ReplyHeader()
  read(header, body, 0)
  const { xid, err: code } = header
  const kind = xid === jute.XID_NOTIFICATION ? "Notification" : xid === jute.XID_PING ? "Ping" : "Reply"
  return { kind, xid, zxid: numberOf(header.zxid), code }
}

/** What a watch has seen; nothing where the packet tells of something else. */
export const decodeNotification = (body: Buffer, chroot: string): Notification | undefined => {
  const event = new protocol.WatcherEvent()
  read(event, body, headerBytes)
  const type = eventTypes[event.type]
  return type === undefined ? undefined : { _tag: "Notification", type, path: above(chroot, event.path) }
}

/** The answer to a request. */
export const decodeAnswer = (body: Buffer, { code }: Header, { request }: Ask, chroot: string): Answer => {
  if (code === sessionMoved) throw new Error("the session is with another server")
  const hasFailed = code !== 0
  switch (request._tag) {
    case "Get": {
      if (hasFailed) return failed(reasonOf(code))
      const response = new protocol.GetDataResponse()
      read(response, body, headerBytes)
      return done({ data: response.data ?? noData, stat: statOf(response.stat) })
    }
    case "Exists": {
      if (code === noNode) return done(undefined)
      if (hasFailed) return failed(reasonOf(code))
      const response = new protocol.ExistsResponse()
      read(response, body, headerBytes)
      return done(statOf(response.stat))
    }
    case "Children": {
      if (hasFailed) return failed(reasonOf(code))
      const response = new protocol.GetChildren2Response()
      read(response, body, headerBytes)
      return done({ names: [...response.children].sort(), stat: statOf(response.stat) })
    }
    case "Write":
      return decodeWrite(body, code, request.operations, chroot)
    case "Sync":
    case "RemoveWatches":
    case "Ping":
    case "CloseSession":
      return hasFailed ? failed(reasonOf(code)) : done(undefined)
  }
}

const codes = jute.OP_CODES
const { protocol } = jute
/** Types of requests that the library does not know. */
const create2 = 15
const removeWatches = 18
/** All kinds of watches of a path. */
const anyWatch = 3
/** xid, zxid and error code. */
const headerBytes = 16
const noData = Buffer.alloc(0)

const noNode = -101
const badVersion = -103
const sessionMoved = -118

/** The error codes of the protocol that have a reason of their own. */
const reasons: { readonly [code: number]: ZooKeeperReason } = {
  [-4]: { _tag: "ConnectionLoss" },
  [-8]: { _tag: "InvalidPath", why: "is refused by ZooKeeper" },
  [noNode]: { _tag: "NoNode" },
  [-108]: { _tag: "NoChildrenForEphemerals" },
  [-110]: { _tag: "NodeExists" },
  [-111]: { _tag: "NotEmpty" },
  [-112]: { _tag: "SessionLost" }
}

const eventTypes: { readonly [type: number]: Notification["type"] } = {
  1: "NodeCreated",
  2: "NodeDeleted",
  3: "NodeDataChanged",
  4: "NodeChildrenChanged"
}

const flags: { readonly [Mode in CreateMode]: number } = {
  Persistent: 0,
  Ephemeral: 1,
  PersistentSequential: 2,
  EphemeralSequential: 3
}

/** All permissions for everyone. */
const openAcl = new jute.data.ACL(31, new jute.data.Id("world", "anyone"))
const openAcls = [{ toRecord: () => openAcl }]

const packet = (header: Record | null, payload: Record | null): Buffer => new jute.Request(header, payload).toBuffer()

const ask = (xid: number, type: number, payload: Record | null): Buffer =>
  packet(new protocol.RequestHeader(xid, type), payload)

/** One operation goes alone, for the answer to a create has a stat then; several, and a check, go as a transaction. */
const encodeWrite = (xid: number, operations: ReadonlyArray<Operation>, chroot: string): Buffer => {
  const operation = operations.length === 1 ? operations[0]! : undefined
  const path = operation === undefined ? "" : pathOf(operation, chroot)
  switch (operation?._tag) {
    case "Create": {
      const { data, mode } = operation
      return ask(xid, create2, new protocol.CreateRequest(path, bufferOf(data), [openAcl], flags[mode]))
    }
    case "Delete":
      return ask(xid, codes.DELETE, new protocol.DeleteRequest(path, operation.version))
    case "Set":
      return ask(xid, codes.SET_DATA, new protocol.SetDataRequest(path, bufferOf(operation.data), operation.version))
    default:
      return ask(
        xid,
        codes.MULTI,
        new jute.TransactionRequest(operations.map((operation) => partOf(operation, chroot)))
      )
  }
}

/** An operation in a transaction, version 0 included: what is lost of it elsewhere in the library is not used. */
const partOf = (operation: Operation, chroot: string): TransactionOperation => {
  const path = pathOf(operation, chroot)
  switch (operation._tag) {
    case "Create":
      return { type: codes.CREATE, path, data: bufferOf(operation.data), acls: openAcls, mode: flags[operation.mode] }
    case "Delete":
      return { type: codes.DELETE, path, version: operation.version }
    case "Set":
      return { type: codes.SET_DATA, path, data: bufferOf(operation.data), version: operation.version }
    case "Check":
      return { type: codes.CHECK, path, version: operation.version }
  }
}

const decodeWrite = (body: Buffer, code: number, operations: ReadonlyArray<Operation>, chroot: string): Answer => {
  const operation = operations.length === 1 && operations[0]!._tag !== "Check" ? operations[0]! : undefined
  if (code !== 0 && (operation !== undefined || body.length === headerBytes)) {
    const reason = reasonOf(code, operation)
    return operation === undefined ? failed(reason) : { _tag: "Failed", reason, operation: 0 }
  }
  switch (operation?._tag) {
    case "Create": {
      const created = new protocol.CreateResponse()
      const stat = new jute.data.Stat()
      read(stat, body, read(created, body, headerBytes))
      return done([{ _tag: "Create", path: above(chroot, created.path), stat: statOf(stat) }])
    }
    case "Set": {
      const response = new protocol.SetDataResponse()
      read(response, body, headerBytes)
      return done([{ _tag: "Set", stat: statOf(response.stat) }])
    }
    case "Delete":
      return done([{ _tag: "Delete" }])
    default:
      return decodeTransaction(body, operations, chroot)
  }
}

const decodeTransaction = (body: Buffer, operations: ReadonlyArray<Operation>, chroot: string): Answer => {
  const response = new jute.TransactionResponse()
  read(response, body, headerBytes)
  const { results } = response
  if (results.length !== operations.length)
    throw new Error("a transaction is answered with too many results or too few")
  // Those before the one that has failed have the code 0.
  const at = results.findIndex(({ err }) => err !== undefined && err !== 0)
  if (at !== -1) {
    return { _tag: "Failed", reason: reasonOf(results[at]!.err!, operations[at]!), operation: at }
  }
  return done(
    results.map(({ path, stat }, at): OperationResult => {
      const { _tag } = operations[at]!
      if (_tag === "Create" && path !== undefined) return { _tag, path: above(chroot, path) }
      if (_tag === "Set" && stat !== undefined) return { _tag, stat: statOf(stat) }
      if (_tag === "Delete" || _tag === "Check") return { _tag }
      throw new Error("a transaction is answered with the results of another")
    })
  )
}

/** Reads a record, and returns where it ends. */
const read = (record: Record, body: Buffer, offset: number): number => {
  const end = offset + record.deserialize(body, offset)
  if (end > body.length) throw new Error("the packet ends early")
  return end
}

const done = (value: Values[keyof Values]): Answer => ({ _tag: "Done", value })
const failed = (reason: ZooKeeperReason): Answer => ({ _tag: "Failed", reason })

const reasonOf = (code: number, operation?: Operation): ZooKeeperReason => {
  if (code === badVersion && operation !== undefined && operation._tag !== "Create") {
    return { _tag: "BadVersion", expected: operation.version }
  }
  return reasons[code] ?? { _tag: "Unknown", code }
}

const pathOf = (operation: Operation, chroot: string): string =>
  // The server completes the path of a sequential create, so the root's slash counts.
  operation._tag === "Create" && isSequential(operation.mode) ? chroot + operation.path : below(chroot, operation.path)

/** A path of ours as the server has it. */
const below = (chroot: string, path: string): string => (chroot !== "" && path === "/" ? chroot : chroot + path)

/** A path of the server as we have it. */
const above = (chroot: string, path: string): string => {
  if (!path.startsWith(chroot)) throw new Error(`the path ${path} is not below ${chroot}`)
  return path.length === chroot.length ? "/" : path.slice(chroot.length)
}

const bufferOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

const longOf = (value: bigint): Buffer => {
  const bytes = Buffer.allocUnsafe(8)
  bytes.writeBigInt64BE(BigInt.asIntN(64, value))
  return bytes
}

const numberOf = (long: Buffer): number => long.readInt32BE(0) * 0x1_0000_0000 + long.readUInt32BE(4)

const sessionOf = (long: Buffer): SessionId => `0x${long.readBigUInt64BE().toString(16)}` as SessionId

const statOf = (stat: StatRecord): Stat => ({
  czxid: numberOf(stat.czxid),
  mzxid: numberOf(stat.mzxid),
  pzxid: numberOf(stat.pzxid),
  ctime: numberOf(stat.ctime),
  mtime: numberOf(stat.mtime),
  version: stat.version,
  cversion: stat.cversion,
  aversion: stat.aversion,
  ephemeralOwner: sessionOf(stat.ephemeralOwner),
  dataLength: stat.dataLength,
  numChildren: stat.numChildren
})
