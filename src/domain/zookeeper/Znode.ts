/**
 * What a ZooKeeper stores and what can be asked of it: stats, operations and their results, as plain data.
 */
import { Schema } from "effect"

/** The id of a session as ZooKeeper prints it, `0x` and lower-case hexadecimal. */
export const SessionId = Schema.String.pipe(Schema.check(Schema.isPattern(/^0x[0-9a-f]+$/)), Schema.brand("SessionId"))
export type SessionId = typeof SessionId.Type

/** The `ephemeralOwner` of a persistent znode. */
export const noSession = "0x0" as SessionId

/**
 * The metadata of a znode ("ZooKeeper Stat Structure" in the Programmer's Guide).
 *
 * A zxid is the number of a transaction in the one total order of all writes. The real one has 64 bits, an election's
 * epoch in the upper half; it fits into a number for the first two million elections.
 */
export const Stat = Schema.Struct({
  /** The zxid that created the znode: different for each incarnation of a path. */
  czxid: Schema.Natural,
  /** The zxid of the last change of the data. */
  mzxid: Schema.Natural,
  /** The zxid of the last change of the children, or of the creation. */
  pzxid: Schema.Natural,
  /** The server's clock at the creation, in milliseconds since 1970. */
  ctime: Schema.Int,
  /** The server's clock at the last change of the data, in milliseconds since 1970. */
  mtime: Schema.Int,
  /** How often the data was set. */
  version: Schema.Int,
  /** How often a child was created or deleted. */
  cversion: Schema.Int,
  /** How often the access list was changed: always 0, as we do not change any. */
  aversion: Schema.Int,
  /** The session that the znode ends with, `0x0` for a persistent znode. */
  ephemeralOwner: SessionId,
  /** Bytes of data. */
  dataLength: Schema.Natural,
  numChildren: Schema.Natural
})
export type Stat = typeof Stat.Type

/** A znode as it is read. Its data is shared with the tree: not to be written to. */
export const Znode = Schema.Struct({ data: Schema.Uint8Array, stat: Stat })
export type Znode = typeof Znode.Type

/** How long a znode lives, and whether the server completes its name with a number of 10 digits. */
export const CreateMode = Schema.Literals(["Persistent", "Ephemeral", "PersistentSequential", "EphemeralSequential"])
export type CreateMode = typeof CreateMode.Type

export const isSequential = (mode: CreateMode): boolean =>
  mode === "PersistentSequential" || mode === "EphemeralSequential"

export const isEphemeral = (mode: CreateMode): boolean => mode === "Ephemeral" || mode === "EphemeralSequential"

/** The expected version that fits every version. */
export const anyVersion = -1

/** Creates a znode whose parent exists. */
export const Create = Schema.TaggedStruct("Create", {
  path: Schema.String,
  data: Schema.Uint8Array,
  mode: CreateMode
})
/** Deletes a znode that has no children. */
export const Delete = Schema.TaggedStruct("Delete", { path: Schema.String, version: Schema.Int })
/** Replaces the data of a znode. */
export const Set = Schema.TaggedStruct("Set", { path: Schema.String, data: Schema.Uint8Array, version: Schema.Int })
/** Changes nothing, and fails where the version of a znode is not the expected one. */
export const Check = Schema.TaggedStruct("Check", { path: Schema.String, version: Schema.Int })

/** One operation of a transaction. The data is kept, not copied: it is not to be written to afterwards. */
export const Operation = Schema.Union([Create, Delete, Set, Check])
export type Operation = typeof Operation.Type

/**
 * What the operation with the same tag answers. `path` of a sequential create carries its number. A real server gives
 * no stat for a create among other operations.
 */
export const OperationResult = Schema.Union([
  Schema.TaggedStruct("Create", { path: Schema.String, stat: Schema.optionalKey(Stat) }),
  Schema.TaggedStruct("Delete", {}),
  Schema.TaggedStruct("Set", { stat: Stat }),
  Schema.TaggedStruct("Check", {})
])
export type OperationResult = typeof OperationResult.Type

/** {@link Create}, persistent unless said otherwise. */
export const create = (path: string, data: Uint8Array, mode: CreateMode = "Persistent"): Operation => ({
  _tag: "Create",
  path,
  data,
  mode
})

/** {@link Delete}, of any version unless said otherwise. */
export const remove = (path: string, version: number = anyVersion): Operation => ({ _tag: "Delete", path, version })

/** {@link Set}, of any version unless said otherwise. */
export const set = (path: string, data: Uint8Array, version: number = anyVersion): Operation => ({
  _tag: "Set",
  path,
  data,
  version
})

/** {@link Check}: with no version it demands only that the znode exists. */
export const check = (path: string, version: number = anyVersion): Operation => ({ _tag: "Check", path, version })

/** The znode, or the parent of one to be created, does not exist. */
export const NoNode = Schema.TaggedStruct("NoNode", {})
/** The znode to be created exists. */
export const NodeExists = Schema.TaggedStruct("NodeExists", {})
/** The znode has another version than the expected one. */
export const BadVersion = Schema.TaggedStruct("BadVersion", { expected: Schema.Int })
/** The znode to be deleted has children. */
export const NotEmpty = Schema.TaggedStruct("NotEmpty", {})
/** The parent is ephemeral and cannot have children. */
export const NoChildrenForEphemerals = Schema.TaggedStruct("NoChildrenForEphemerals", {})
/** The string is no path of a znode, or the path cannot be used so (deleting the root). */
export const InvalidPath = Schema.TaggedStruct("InvalidPath", { why: Schema.String })

/** Why the tree refuses an operation. */
export const Refusal = Schema.Union([NoNode, NodeExists, BadVersion, NotEmpty, NoChildrenForEphemerals, InvalidPath])
export type Refusal = typeof Refusal.Type

/**
 * The size of the packet that carries a transaction to a ZooKeeper server, in bytes: what its limit on packets
 * (`jute.maxbuffer`, 1,048,575 by default) is compared with. The chroot is what stands before each path there.
 */
export const packetBytes = (operations: ReadonlyArray<Operation>, chroot = ""): number => {
  const chrootBytes = Buffer.byteLength(chroot)
  let bytes = requestHeaderBytes + multiHeaderBytes
  for (const operation of operations) {
    bytes += multiHeaderBytes + lengthBytes + chrootBytes + Buffer.byteLength(operation.path)
    switch (operation._tag) {
      case "Create":
        bytes += lengthBytes + operation.data.length + openAclBytes + flagsBytes
        break
      case "Set":
        bytes += lengthBytes + operation.data.length + versionBytes
        break
      default:
        bytes += versionBytes
    }
  }
  return bytes
}

const lengthBytes = 4
const versionBytes = 4
const flagsBytes = 4
/** xid and type. */
const requestHeaderBytes = 8
/** Type, done and error: before each operation and once at the end. */
const multiHeaderBytes = 9
/** One entry with all permissions for `world`, `anyone`. */
const openAclBytes = 4 + 4 + (4 + 5) + (4 + 6)
