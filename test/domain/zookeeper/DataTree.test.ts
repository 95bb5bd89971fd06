import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as DataTree from "../../../src/domain/zookeeper/DataTree.ts"
import { parentOf } from "../../../src/domain/zookeeper/Path.ts"
import {
  CreateMode,
  isEphemeral,
  isSequential,
  type Operation,
  type SessionId,
  type Stat
} from "../../../src/domain/zookeeper/Znode.ts"
import * as ZnodeRecord from "../../../src/domain/zookeeper/ZnodeRecord.ts"

const path = Schema.Literals(["/", "/a", "/b", "/a/a", "/a/b", "/a/a/a", "/a/b/0000000000", "/b/c"])
const version = Schema.Literals([-1, -1, -1, 0, 1, 2])
const data = Schema.Uint8Array
const operation = Schema.Union([
  Schema.TaggedStruct("Create", { path, data, mode: CreateMode }),
  Schema.TaggedStruct("Create", { path, data, mode: Schema.Literals(["Persistent"]) }),
  Schema.TaggedStruct("Delete", { path, version }),
  Schema.TaggedStruct("Set", { path, data, version }),
  Schema.TaggedStruct("Check", { path, version })
])
const session = Schema.Literals(["0x1", "0x2"]).pipe(Schema.brand("SessionId"))
const transaction = Schema.Union([
  Schema.TaggedStruct("Multi", { session, operations: Schema.Array(operation) }),
  Schema.TaggedStruct("Multi", { session, operations: Schema.Tuple([operation]) }),
  Schema.TaggedStruct("Multi", { session, operations: Schema.Tuple([operation]) }),
  Schema.TaggedStruct("CloseSession", { session })
])
const history = Schema.Array(transaction).pipe(Schema.check(Schema.isMaxLength(40)))

/** The same machine, written for clarity only: a map, copied before each transaction. */
interface Model {
  readonly znodes: ReadonlyMap<string, ModelNode>
}
interface ModelNode {
  readonly data: Uint8Array
  readonly version: number
  readonly czxid: number
  readonly mzxid: number
  readonly pzxid: number
  readonly ctime: number
  readonly mtime: number
  readonly owner: SessionId
  readonly created: number
  readonly deleted: number
}

const emptyModel: Model = {
  znodes: new Map([["/", { ...blank("0x0" as SessionId, 0, 0), data: new Uint8Array(0) }]])
}

function blank(owner: SessionId, zxid: number, time: number): Omit<ModelNode, "data"> {
  const times = { ctime: time, mtime: time }
  return { version: 0, czxid: zxid, mzxid: zxid, pzxid: zxid, ...times, owner, created: 0, deleted: 0 }
}

const childrenIn = (znodes: ReadonlyMap<string, ModelNode>, parent: string): ReadonlyArray<string> =>
  [...znodes.keys()].filter((child) => child !== "/" && parentOf(child) === parent)

const applyToModel = (
  model: Model,
  { session, ...rest }: DataTree.Transaction,
  zxid: number,
  time: number
): { readonly model: Model; readonly refused?: readonly [string, number] } => {
  const znodes = new Map(model.znodes)
  const remove = (at: string) => {
    znodes.delete(at)
    const parent = znodes.get(parentOf(at))!
    znodes.set(parentOf(at), { ...parent, pzxid: zxid, deleted: parent.deleted + 1 })
  }
  const step = (op: Operation): string | undefined => {
    const present = znodes.get(op.path)
    if (op._tag === "Create") {
      const parentPath = parentOf(op.path)
      const parent = znodes.get(parentPath)
      if (parent === undefined) return "NoNode"
      const number = isSequential(op.mode) ? `000000000${parent.created}`.slice(-10) : ""
      if (znodes.has(op.path + number)) return "NodeExists"
      if (parent.owner !== "0x0") return "NoChildrenForEphemerals"
      const owner = isEphemeral(op.mode) ? session : ("0x0" as SessionId)
      znodes.set(op.path + number, { ...blank(owner, zxid, time), data: op.data })
      znodes.set(parentPath, { ...parent, pzxid: zxid, created: parent.created + 1 })
      return undefined
    }
    if (present === undefined) return "NoNode"
    if (op._tag === "Delete" && op.path === "/") return "InvalidPath"
    if (op.version !== -1 && op.version !== present.version) return "BadVersion"
    if (op._tag === "Delete") {
      if (childrenIn(znodes, op.path).length > 0) return "NotEmpty"
      remove(op.path)
    } else if (op._tag === "Set") {
      znodes.set(op.path, { ...present, data: op.data, version: present.version + 1, mzxid: zxid, mtime: time })
    }
    return undefined
  }
  if (rest._tag === "CloseSession") {
    for (const [at, { owner }] of model.znodes) if (owner === session) remove(at)
    return { model: { znodes } }
  }
  for (let at = 0; at < rest.operations.length; at++) {
    const refusal = step(rest.operations[at]!)
    if (refusal !== undefined) return { model, refused: [refusal, at] }
  }
  return { model: { znodes } }
}

const dumpModel = ({ znodes }: Model): Record<string, readonly [Uint8Array, Stat]> =>
  Object.fromEntries(
    [...znodes].sort(byPath).map(([at, node]) => {
      const { data, owner, created, deleted, ...kept } = node
      const numChildren = childrenIn(znodes, at).length
      const counted = { cversion: created + deleted, aversion: 0, dataLength: data.length, numChildren }
      return [at, [data, { ...kept, ...counted, ephemeralOwner: owner }]]
    })
  )

const dump = (tree: DataTree.DataTree): Record<string, readonly [Uint8Array, Stat]> =>
  Object.fromEntries([...tree.nodes].sort(byPath).map(([at, node]) => [at, [node.data, DataTree.statOf(node)]]))

const byPath = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]) => (a < b ? -1 : 1)

/** Runs a history and shows each step to `see`; a zxid and a second for each transaction. */
const run = (
  transactions: ReadonlyArray<DataTree.Transaction>,
  see: (tree: DataTree.DataTree, outcome: DataTree.Applied | DataTree.Refused, at: number) => void = () => {}
): DataTree.DataTree => {
  const tree = DataTree.make()
  transactions.forEach((each, at) => see(tree, DataTree.apply(tree, each, at + 1, (at + 1) * 1000), at))
  return tree
}

describe("the tree", () => {
  it.prop(
    "does what the model does, and refuses what it refuses",
    [history],
    ([transactions]) => {
      let model = emptyModel
      run(transactions, (tree, outcome, at) => {
        const expected = applyToModel(model, transactions[at]!, at + 1, (at + 1) * 1000)
        model = expected.model
        const refused = outcome._tag === "Refused" ? [outcome.refusal._tag, outcome.operation] : undefined
        assert.deepStrictEqual(refused, expected.refused as typeof refused)
        assert.deepStrictEqual(dump(tree), dumpModel(model))
      })
    },
    { arbitrary: { runs: 300 } }
  )

  it.prop(
    "is whole after each transaction",
    [history],
    ([transactions]) => {
      run(transactions, (tree) => {
        let ephemerals = 0
        for (const [at, node] of tree.nodes) {
          assert.strictEqual(node.path, at)
          for (const [name, child] of node.children ?? []) {
            assert.strictEqual(tree.nodes.get(at === "/" ? `/${name}` : `${at}/${name}`), child)
            assert.strictEqual(child.parent, node)
            assert.isAbove(child.serial, node.serial)
            assert.strictEqual(node.ephemeralOwner, "0x0")
          }
          if (node.parent !== undefined) assert.strictEqual(tree.nodes.get(node.parent.path), node.parent)
          if (node.ephemeralOwner === "0x0") continue
          ephemerals += 1
          assert.isTrue(tree.ephemerals.get(node.ephemeralOwner)?.has(node))
        }
        assert.strictEqual(
          [...tree.ephemerals.values()].reduce((sum, set) => sum + set.size, 0),
          ephemerals
        )
      })
    },
    { arbitrary: { runs: 200 } }
  )

  it.prop(
    "is as before when a transaction is undone",
    [history, transaction],
    ([transactions, last]) => {
      const tree = run(transactions)
      const before = dump(tree)
      const serial = tree.nextSerial
      const outcome = DataTree.apply(tree, last, 1000, 1_000_000)
      if (outcome._tag === "Applied") outcome.undo()
      assert.deepStrictEqual(dump(tree), before)
      assert.strictEqual(tree.nextSerial, serial)
      const again = run(transactions)
      DataTree.apply(tree, last, 1001, 1_000_001)
      DataTree.apply(again, last, 1001, 1_000_001)
      assert.deepStrictEqual(dump(tree), dump(again))
    },
    { arbitrary: { runs: 200 } }
  )

  it.prop(
    "tells of every znode that changed",
    [history],
    ([transactions]) => {
      let before: Record<string, unknown> = dump(DataTree.make())
      run(transactions, (tree, outcome) => {
        const after = dump(tree)
        const told = new Set(outcome._tag === "Applied" ? outcome.events.map(({ node }) => node.path) : [])
        for (const at of new Set([...Object.keys(before), ...Object.keys(after)])) {
          if (told.has(at)) continue
          assert.deepStrictEqual(after[at] as unknown, before[at])
        }
        before = after
      })
    },
    { arbitrary: { runs: 200 } }
  )

  it.prop(
    "comes back from its records as it was, parents first",
    [history],
    ([transactions]) => {
      const tree = run(transactions)
      const records = [...tree.nodes.values()]
        .map((node) => [ZnodeRecord.keyOf(node.serial), ZnodeRecord.encodeNode(node)] as const)
        .sort(([a], [b]) => (a < b ? -1 : 1))
      const restored = DataTree.make()
      for (const [key, record] of records) {
        const node = ZnodeRecord.decodeNode(key, record)
        assert.strictEqual(node._tag, "Success")
        if (node._tag === "Success") assert.isTrue(DataTree.restore(restored, node.success))
      }
      assert.deepStrictEqual(plain(dump(restored)), plain(dump(tree)))
      assert.deepStrictEqual([...restored.ephemerals.keys()].sort(), [...tree.ephemerals.keys()].sort())
    },
    { arbitrary: { runs: 200 } }
  )

  it("removes a session's ephemerals in the order in which they were created", () => {
    const tree = DataTree.make()
    const owner = "0x1" as SessionId
    const make = (at: string): Operation => ({ _tag: "Create", path: at, data: new Uint8Array(0), mode: "Ephemeral" })
    const operations = ["/c", "/a", "/b"].map(make)
    DataTree.apply(tree, { _tag: "Multi", session: owner, operations }, 1, 1)
    const outcome = DataTree.apply(tree, { _tag: "CloseSession", session: owner }, 2, 2)
    assert.deepStrictEqual(
      outcome._tag === "Applied" ? outcome.events.map(({ type, node }) => `${type} ${node.path}`) : [],
      ["/c", "/a", "/b"].flatMap((at) => [`NodeDeleted ${at}`, "NodeChildrenChanged /"])
    )
  })
})

/** Without the difference between a Buffer and a Uint8Array. */
const plain = (dumped: ReturnType<typeof dump>) =>
  Object.entries(dumped).map(([at, [data, stat]]) => [at, [...data], stat])
