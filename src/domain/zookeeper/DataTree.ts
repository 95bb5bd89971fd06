/**
 * ZooKeeper's replicated state machine: the tree of znodes, and what each transaction does to it.
 *
 * It follows the server of ZooKeeper 3.8 in every answer. It is deterministic: the same transactions with the same
 * zxids and times give the same tree. It changes the tree in place, and each change can be undone until the next one.
 *
 * It does not check paths (`Path.ts`), number transactions, know which sessions live, keep watches or write to a disk.
 */
import { nameOf, parentOf, root } from "./Path.ts"
import {
  anyVersion,
  type CreateMode,
  isEphemeral,
  isSequential,
  noSession,
  type Operation,
  type OperationResult,
  type Refusal,
  type SessionId,
  type Stat
} from "./Znode.ts"

/** A znode within the tree. The fields are those of {@link Stat}, save for `creates`. */
export interface Node {
  readonly path: string
  /** Counts the znodes ever created in this tree: parents have smaller ones than their children. The root has 0. */
  readonly serial: number
  readonly parent: Node | undefined
  /** By name. Absent until there is a first child: most znodes are leaves, and an empty Map is as big as one. */
  children: Map<string, Node> | undefined
  readonly czxid: number
  readonly ctime: number
  readonly ephemeralOwner: SessionId
  data: Uint8Array
  mzxid: number
  mtime: number
  version: number
  pzxid: number
  /** How many children were ever created: the number of the next sequential one, and what cversion is made of. */
  creates: number
}

/** A tree of znodes. `nodes` holds the znodes by path, `ephemerals` those of each session. */
export interface DataTree {
  readonly root: Node
  readonly nodes: Map<string, Node>
  readonly ephemerals: Map<SessionId, Set<Node>>
  nextSerial: number
}

/** What is applied at once: the operations of one session, or the end of a session. */
export type Transaction =
  | { readonly _tag: "Multi"; readonly session: SessionId; readonly operations: ReadonlyArray<Operation> }
  | { readonly _tag: "CloseSession"; readonly session: SessionId }

/** An event as ZooKeeper reports it to watches, with the znode that it happened to. */
export interface Event {
  readonly type: "NodeCreated" | "NodeDeleted" | "NodeDataChanged" | "NodeChildrenChanged"
  readonly node: Node
}

/** A transaction that was applied. `undo` takes it back, and only the latest one that still stands may be. */
export interface Applied {
  readonly _tag: "Applied"
  readonly results: ReadonlyArray<OperationResult>
  readonly events: ReadonlyArray<Event>
  readonly undo: () => void
}

/** A transaction that changed nothing, because the operation at this index was refused. */
export interface Refused {
  readonly _tag: "Refused"
  readonly refusal: Refusal
  readonly path: string
  readonly operation: number
}

/** A tree with nothing but the root. */
export const make = (): DataTree => {
  const node: Node = {
    path: root,
    serial: 0,
    parent: undefined,
    children: undefined,
    czxid: 0,
    ctime: 0,
    ephemeralOwner: noSession,
    data: new Uint8Array(0),
    mzxid: 0,
    mtime: 0,
    version: 0,
    pzxid: 0,
    creates: 0
  }
  return { root: node, nodes: new Map([[root, node]]), ephemerals: new Map(), nextSerial: 1 }
}

/** The stat of a znode as clients see it. */
export const statOf = (node: Node): Stat => ({
  czxid: node.czxid,
  mzxid: node.mzxid,
  pzxid: node.pzxid,
  ctime: node.ctime,
  mtime: node.mtime,
  version: node.version,
  // The server counts creates only, and adds the deletes when it is asked.
  cversion: node.creates * 2 - childCountOf(node),
  aversion: 0,
  ephemeralOwner: node.ephemeralOwner,
  dataLength: node.data.length,
  numChildren: childCountOf(node)
})

/** The names of a znode's children, sorted by code unit. */
export const childrenOf = (node: Node): ReadonlyArray<string> =>
  node.children === undefined ? [] : [...node.children.keys()].sort()

/**
 * Applies a transaction under its zxid, at the server's time in milliseconds. The operations of a multi see those
 * before them, and all take effect or none.
 */
export const apply = (tree: DataTree, transaction: Transaction, zxid: number, time: number): Applied | Refused => {
  const results: Array<OperationResult> = []
  const events: Array<Event> = []
  const undos: Array<() => void> = []
  const undo = () => {
    for (let at = undos.length - 1; at >= 0; at--) undos[at]!()
  }
  const change: Change = { tree, session: transaction.session, zxid, time, events, undos }
  if (transaction._tag === "CloseSession") {
    closeSession(change)
    return { _tag: "Applied", results, events, undo }
  }
  const operations = transaction.operations
  for (let at = 0; at < operations.length; at++) {
    const operation = operations[at]!
    const result = applyOperation(change, operation)
    if (isRefusal(result)) {
      undo()
      return { _tag: "Refused", refusal: result, path: operation.path, operation: at }
    }
    results.push(result)
  }
  return { _tag: "Applied", results, events, undo }
}

/** Puts a znode of a stored tree back. False, and nothing done, when its parent was not restored before it. */
export const restore = (tree: DataTree, stored: Omit<Node, "parent" | "children">): boolean => {
  if (stored.path === root) {
    const { data, mzxid, mtime, version, pzxid, creates } = stored
    Object.assign(tree.root, { data, mzxid, mtime, version, pzxid, creates })
  } else {
    const parent = tree.nodes.get(parentOf(stored.path))
    if (parent === undefined) return false
    attach(tree, { ...stored, parent, children: undefined })
  }
  tree.nextSerial = Math.max(tree.nextSerial, stored.serial + 1)
  return true
}

interface Change {
  readonly tree: DataTree
  readonly session: SessionId
  readonly zxid: number
  readonly time: number
  readonly events: Array<Event>
  readonly undos: Array<() => void>
}

const childCountOf = (node: Node): number => node.children?.size ?? 0

const isRefusal = (result: OperationResult | Refusal): result is Refusal =>
  result._tag !== "Create" && result._tag !== "Delete" && result._tag !== "Set" && result._tag !== "Check"

const applyOperation = (change: Change, operation: Operation): OperationResult | Refusal => {
  switch (operation._tag) {
    case "Create":
      return createNode(change, operation.path, operation.data, operation.mode)
    case "Delete":
      return deleteNode(change, operation.path, operation.version)
    case "Set":
      return setData(change, operation.path, operation.data, operation.version)
    case "Check":
      return checkVersion(change, operation.path, operation.version)
  }
}

const createNode = (
  change: Change,
  requestedPath: string,
  data: Uint8Array,
  mode: CreateMode
): OperationResult | Refusal => {
  const { tree, zxid, time, events, undos } = change
  const parent = tree.nodes.get(parentOf(requestedPath))
  if (parent === undefined) return noNode
  const path = isSequential(mode) ? `${requestedPath}${String(parent.creates).padStart(10, "0")}` : requestedPath
  if (tree.nodes.has(path)) return nodeExists
  if (parent.ephemeralOwner !== noSession) return noChildrenForEphemerals
  const node: Node = {
    path,
    serial: tree.nextSerial,
    parent,
    children: undefined,
    czxid: zxid,
    ctime: time,
    ephemeralOwner: isEphemeral(mode) ? change.session : noSession,
    data,
    mzxid: zxid,
    mtime: time,
    version: 0,
    pzxid: zxid,
    creates: 0
  }
  const parentPzxid = parent.pzxid
  tree.nextSerial += 1
  attach(tree, node)
  parent.creates += 1
  parent.pzxid = zxid
  undos.push(() => {
    detach(tree, node)
    parent.creates -= 1
    parent.pzxid = parentPzxid
    tree.nextSerial -= 1
  })
  events.push({ type: "NodeCreated", node }, { type: "NodeChildrenChanged", node: parent })
  return { _tag: "Create", path, stat: statOf(node) }
}

const deleteNode = (change: Change, path: string, version: number): OperationResult | Refusal => {
  const node = change.tree.nodes.get(path)
  if (node === undefined) return noNode
  if (node.parent === undefined) return rootStays
  if (version !== anyVersion && version !== node.version) return badVersion(version)
  if (childCountOf(node) > 0) return notEmpty
  removeNode(change, node, node.parent)
  return deleted
}

const setData = (change: Change, path: string, data: Uint8Array, version: number): OperationResult | Refusal => {
  const node = change.tree.nodes.get(path)
  if (node === undefined) return noNode
  if (version !== anyVersion && version !== node.version) return badVersion(version)
  const before = { data: node.data, version: node.version, mzxid: node.mzxid, mtime: node.mtime }
  node.data = data
  node.version += 1
  node.mzxid = change.zxid
  node.mtime = change.time
  change.undos.push(() => {
    node.data = before.data
    node.version = before.version
    node.mzxid = before.mzxid
    node.mtime = before.mtime
  })
  change.events.push({ type: "NodeDataChanged", node })
  return { _tag: "Set", stat: statOf(node) }
}

const checkVersion = (change: Change, path: string, version: number): OperationResult | Refusal => {
  const node = change.tree.nodes.get(path)
  if (node === undefined) return noNode
  if (version !== anyVersion && version !== node.version) return badVersion(version)
  return checked
}

const closeSession = (change: Change): void => {
  const ephemerals = change.tree.ephemerals.get(change.session)
  if (ephemerals === undefined) return
  // In the order of creation, so that the events do not depend on what was undone in between.
  const nodes = [...ephemerals].sort((a, b) => a.serial - b.serial)
  for (const node of nodes) removeNode(change, node, node.parent!)
}

const removeNode = (change: Change, node: Node, parent: Node): void => {
  const { tree, zxid, events, undos } = change
  const parentPzxid = parent.pzxid
  detach(tree, node)
  parent.pzxid = zxid
  undos.push(() => {
    attach(tree, node)
    parent.pzxid = parentPzxid
  })
  events.push({ type: "NodeDeleted", node }, { type: "NodeChildrenChanged", node: parent })
}

const attach = (tree: DataTree, node: Node): void => {
  tree.nodes.set(node.path, node)
  const parent = node.parent!
  parent.children ??= new Map()
  parent.children.set(nameOf(node.path), node)
  if (node.ephemeralOwner === noSession) return
  const ephemerals = tree.ephemerals.get(node.ephemeralOwner)
  if (ephemerals === undefined) tree.ephemerals.set(node.ephemeralOwner, new Set([node]))
  else ephemerals.add(node)
}

const detach = (tree: DataTree, node: Node): void => {
  tree.nodes.delete(node.path)
  node.parent!.children!.delete(nameOf(node.path))
  if (node.ephemeralOwner === noSession) return
  const ephemerals = tree.ephemerals.get(node.ephemeralOwner)!
  ephemerals.delete(node)
  if (ephemerals.size === 0) tree.ephemerals.delete(node.ephemeralOwner)
}

const noNode: Refusal = { _tag: "NoNode" }
const nodeExists: Refusal = { _tag: "NodeExists" }
const notEmpty: Refusal = { _tag: "NotEmpty" }
const noChildrenForEphemerals: Refusal = { _tag: "NoChildrenForEphemerals" }
const rootStays: Refusal = { _tag: "InvalidPath", why: "is the root, which cannot be deleted" }
const badVersion = (expected: number): Refusal => ({ _tag: "BadVersion", expected })
const deleted: OperationResult = { _tag: "Delete" }
const checked: OperationResult = { _tag: "Check" }
