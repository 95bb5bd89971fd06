import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import * as TopicNames from "../../../src/domain/packet/TopicNames.ts"

describe("the table of Topic Names", () => {
  it("knows a name by its bytes, wherever they lie", () => {
    const topics = TopicNames.make()
    topics.add(Buffer.from("a/b"), 0, 3, "a/b")
    assert.strictEqual(topics.get(Buffer.from("--a/b--"), 2, 5), "a/b")
    assert.isUndefined(topics.get(Buffer.from("a/c"), 0, 3))
    assert.isUndefined(topics.get(Buffer.from("a/b"), 0, 2))
  })

  it("is cleared when it is full", () => {
    const topics = TopicNames.make(10)
    for (let i = 0; i < 25; i++) topics.add(Buffer.from(`topic ${i}`), 0, Buffer.byteLength(`topic ${i}`), `topic ${i}`)
    assert.isAtMost(topics.size, 10)
    assert.strictEqual(topics.get(Buffer.from("topic 24"), 0, 8), "topic 24")
    assert.isUndefined(topics.get(Buffer.from("topic 0"), 0, 7))
  })

  it("is cleared when long names have used its bytes up", () => {
    const topics = TopicNames.make(100)
    for (let i = 0; i < 100; i++) {
      const name = `${i}`.padStart(200, "x")
      topics.add(Buffer.from(name), 0, 200, name)
      assert.isAtMost(topics.size, 32)
    }
  })

  it("does not keep a name of more than 256 bytes", () => {
    const topics = TopicNames.make()
    topics.add(Buffer.alloc(257, "x"), 0, 257, "x".repeat(257))
    assert.strictEqual(topics.size, 0)
  })

  it.prop(
    "gives for any bytes the name that was kept for them, or none",
    [Arbitrary.array(Arbitrary.schema(Schema.String), { maxLength: 40 })],
    ([names]) => {
      const topics = TopicNames.make(8)
      for (const name of names) {
        const bytes = Buffer.from(name)
        const known = topics.get(bytes, 0, bytes.length)
        if (known !== undefined) assert.strictEqual(known, bytes.toString())
        else topics.add(bytes, 0, bytes.length, bytes.toString())
      }
    }
  )
})
