import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as Payload from "../../../src/domain/simulation/Payload.ts"

const Id = Schema.Struct({
  publisher: Schema.Literals(["observer", "dying-3", "a/m1", "client.with_signs"]),
  kind: Schema.Literals(["m", "w"]),
  number: Schema.Natural
})
const Size = Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 0, maximum: 300 })))

describe("the payload of a message in a run", () => {
  it("is text that a person can read", () => {
    const payload = Payload.encode({ publisher: "dying-3", kind: "m", number: 17 }, 24)
    assert.match(Buffer.from(payload).toString(), /^dying-3\/m17 [0-9a-f]{1,8} \.*$/)
    assert.strictEqual(Payload.nameOf({ publisher: "dying-3", kind: "w", number: 2 }), "dying-3/w2")
  })

  it.prop("says which message it is, in as many bytes as it shall have", [Id, Size], ([id, bytes]) => {
    const payload = Payload.encode(id, bytes)
    assert.deepStrictEqual(Payload.decode(payload), id)
    const least = Payload.encode(id, 0).length
    assert.strictEqual(payload.length, Math.max(bytes, least))
  })

  it.prop("is not believed when a byte of it has changed", [Id, Schema.Natural], ([id, where]) => {
    const payload = Buffer.from(Payload.encode(id, 60))
    const at = where % payload.length
    payload[at] = payload[at]! ^ 0x01
    assert.isUndefined(Payload.decode(payload))
  })

  it("is not read from what others have written", () => {
    for (const text of ["", "hello", "a/m1", "a/m1 0", "a/x1 0 ", "a/m1 zz ..."]) {
      assert.isUndefined(Payload.decode(Buffer.from(text)))
    }
  })
})
