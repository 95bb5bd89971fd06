import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Result } from "effect"
import { Message } from "../../../src/domain/Message.ts"
import * as RetainedMessage from "../../../src/domain/retained/RetainedMessage.ts"
import { isWellFormed, messageOf } from "../messages.ts"

describe("a retained message", () => {
  it.prop(
    "comes back from its znode as it was",
    [Arbitrary.filter(Arbitrary.schema(Message), isWellFormed)],
    ([message]) => {
      assert.deepStrictEqual(RetainedMessage.decode(RetainedMessage.encode(message)), Result.succeed(message))
    }
  )

  it("that cannot be read says why", () => {
    const bytes = RetainedMessage.encode(messageOf("hello"))
    for (const bad of [new Uint8Array(), bytes.subarray(0, 5), Buffer.alloc(40, 0xff)]) {
      const read = RetainedMessage.decode(bad)
      assert.isTrue(Result.isFailure(read) && read.failure.length > 0)
    }
  })

  it("costs its znode and all of its bytes", () => {
    assert.strictEqual(RetainedMessage.cost(messageOf("hello"), 512), 518)
    const heavy = messageOf("hello", { properties: { userProperties: [["k", "v".repeat(100)]] } })
    assert.isAbove(RetainedMessage.cost(heavy, 512), 618)
  })
})
