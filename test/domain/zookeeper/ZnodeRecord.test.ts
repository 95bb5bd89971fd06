import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import * as DataTree from "../../../src/domain/zookeeper/DataTree.ts"
import { packetBytes, type SessionId } from "../../../src/domain/zookeeper/Znode.ts"
import * as ZnodeRecord from "../../../src/domain/zookeeper/ZnodeRecord.ts"

const tree = DataTree.make()
DataTree.apply(
  tree,
  {
    _tag: "Multi",
    session: "0x1f" as SessionId,
    operations: [{ _tag: "Create", path: "/ä", data: new Uint8Array([9, 8]), mode: "Ephemeral" }]
  },
  3,
  1000
)
const node = tree.nodes.get("/ä")!

describe("the record of a znode", () => {
  it("is numbers, owner, path and data", () => {
    const hex = Buffer.from(ZnodeRecord.encodeNode(node)).toString("hex")
    assert.strictEqual(
      hex,
      "4008000000000000" + // czxid 3
        "4008000000000000" + // mzxid 3
        "4008000000000000" + // pzxid 3
        "408f400000000000" + // ctime 1000
        "408f400000000000" + // mtime 1000
        "0000000000000000" + // no children created
        "00000000" + // version 0
        "04" + // bytes of the owner
        "30783166" + // 0x1f
        "00000003" + // bytes of the path
        "2fc3a4" + // /ä
        "0908" // data
    )
  })

  it("has a key that sorts by serial", () => {
    const keys = [0, 1, 35, 36, 1_000_000, 2 ** 53 - 1].map(ZnodeRecord.keyOf)
    assert.strictEqual(keys[0], "n/00000000000")
    assert.strictEqual(keys[5], "n/2gosa7pa2gv")
    assert.deepStrictEqual([...keys].sort(), keys)
  })

  it("is refused when it is cut off", () => {
    const whole = ZnodeRecord.encodeNode(node)
    const key = ZnodeRecord.keyOf(1)
    for (let length = 0; length < whole.length - 2; length++) {
      assert.isTrue(Result.isFailure(ZnodeRecord.decodeNode(key, whole.subarray(0, length))), `${length} bytes`)
    }
    assert.isTrue(Result.isSuccess(ZnodeRecord.decodeNode(key, whole)))
  })

  it("is refused under a key that is not a znode's", () => {
    for (const key of ["", "n/", "n/1", "x/00000000001", "n/0000000000!", "n/00000000001 "]) {
      assert.isTrue(Result.isFailure(ZnodeRecord.decodeNode(key, ZnodeRecord.encodeNode(node))), key)
    }
  })
})

describe("the record of the zxid", () => {
  it("holds any number below 2^53", () => {
    for (const zxid of [0, 1, 2 ** 32, 2 ** 53 - 1]) {
      assert.deepStrictEqual(ZnodeRecord.decodeZxid(ZnodeRecord.encodeZxid(zxid)), Result.succeed(zxid))
    }
    assert.isTrue(Result.isFailure(ZnodeRecord.decodeZxid(new Uint8Array(7))))
  })
})

describe("a packet", () => {
  it("is as large as ZooKeeper's own encoding of it", () => {
    assert.strictEqual(packetBytes([]), 8 + 9)
    const operations = [
      { _tag: "Create", path: "/ä", data: new Uint8Array(5), mode: "Persistent" },
      { _tag: "Set", path: "/a", data: new Uint8Array(5), version: 1 },
      { _tag: "Delete", path: "/a", version: 1 },
      { _tag: "Check", path: "/a", version: 1 }
    ] as const
    const create = 9 + (4 + 3) + (4 + 5) + 27 + 4
    const set = 9 + (4 + 2) + (4 + 5) + 4
    const remove = 9 + (4 + 2) + 4
    assert.strictEqual(packetBytes(operations), 8 + create + set + 2 * remove + 9)
  })
})
