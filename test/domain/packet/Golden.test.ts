import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as Decoder from "../../../src/domain/packet/Decoder.ts"
import * as Encoder from "../../../src/domain/packet/Encoder.ts"
import { Packet } from "../../../src/domain/packet/Packet.ts"
import { definitions } from "../../../src/domain/packet/Property.ts"
import { bytes, plain } from "./Bytes.ts"
import { goldenPackets } from "./GoldenPackets.ts"

const decode = (role: "server" | "client", version: 3 | 4 | 5, frame: Buffer) => {
  const decoder = Decoder.make({ role, version, maximumPacketSize: 1024 })
  decoder.push(frame)
  return decoder.next()
}

describe("the bytes on the wire", () => {
  for (const { name, version, role, packet, bytes } of goldenPackets) {
    it(`of ${name} are those of the specification, version ${version}`, () => {
      assert.deepStrictEqual(plain(decode(role, version, bytes)), plain(packet))
      assert.strictEqual(Encoder.encode(packet, version).toString("hex"), bytes.toString("hex"))
      assert.isTrue(Schema.is(Packet)(packet))
    })
  }

  it("are shown for every packet and every property", () => {
    const seen = new Set(goldenPackets.map((each) => each.packet._tag))
    assert.strictEqual(seen.size, 15)
    const shown = JSON.stringify(goldenPackets)
    for (const { name } of definitions) assert.include(shown, name)
  })
})

describe("what may be left out or written in another way is read all the same:", () => {
  it("an acknowledgement with the reason code and properties of a plain success", () => {
    const expected = { _tag: "PubAck", packetId: 1, reasonCode: 0 }
    assert.deepStrictEqual<unknown>(decode("server", 5, bytes(0x40, 3, 0, 1, 0)), expected)
    assert.deepStrictEqual<unknown>(decode("server", 5, bytes(0x40, 4, 0, 1, 0, 0)), expected)
  })
  it("a DISCONNECT and an AUTH with a reason code alone, or with no properties", () => {
    for (const rest of [
      [1, 0],
      [2, 0, 0]
    ]) {
      assert.deepStrictEqual<unknown>(decode("server", 5, bytes(0xe0, ...rest)), { _tag: "Disconnect", reasonCode: 0 })
      assert.deepStrictEqual<unknown>(decode("client", 5, bytes(0xf0, ...rest)), { _tag: "Auth", reasonCode: 0 })
    }
  })
  it("a PUBREL, SUBSCRIBE or UNSUBSCRIBE of MQTT 3.1 that is sent again, marked with DUP", () => {
    assert.deepStrictEqual<unknown>(decode("server", 3, bytes(0x6a, 2, 0, 1)), {
      _tag: "PubRel",
      packetId: 1,
      reasonCode: 0
    })
    assert.deepInclude(decode("server", 3, bytes(0x8a, 6, 0, 1, 0, 1, "a", 0)), { _tag: "Subscribe", packetId: 1 })
    assert.deepInclude(decode("server", 3, bytes(0xaa, 5, 0, 1, 0, 1, "a")), { _tag: "Unsubscribe", packetId: 1 })
  })
  it("properties in any order, a User Property among them", () => {
    const properties = [0x26, 0, 1, "b", 0, 0, 0x1f, 0, 1, "r", 0x26, 0, 1, "a", 0, 0]
    assert.deepStrictEqual<unknown>(decode("server", 5, bytes(0x40, 20, 0, 1, 0x80, 16, ...properties)), {
      _tag: "PubAck",
      packetId: 1,
      reasonCode: 0x80,
      properties: {
        userProperties: [
          ["b", ""],
          ["a", ""]
        ],
        reasonString: "r"
      }
    })
  })
})
