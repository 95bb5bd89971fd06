import { assert, describe, it } from "@effect/vitest"
import * as Encoder from "../../../src/domain/packet/Encoder.ts"
import type { Packet, Publish } from "../../../src/domain/packet/Packet.ts"
import { arbitraryPacket } from "./ArbitraryPacket.ts"
import { bytes } from "./Bytes.ts"

const lastFrame = (writer: Encoder.Writer) => writer.buffer.subarray(writer.start, writer.offset)
const publish = (qos: 0 | 1 | 2, payload: Buffer): Publish => ({
  _tag: "Publish",
  topic: "é/b",
  payload,
  qos,
  retain: true,
  dup: false,
  packetId: qos === 0 ? 0 : 0x0102
})

describe("a writer", () => {
  it("has no slab before its first frame", () => {
    assert.strictEqual(Encoder.makeWriter().buffer.length, 0)
  })

  it.prop(
    "appends the frames that encode makes, each whole in one slab",
    [arbitraryPacket(5), arbitraryPacket(5), arbitraryPacket(5)],
    (packets) => {
      const writer = Encoder.makeWriter(64)
      const frames = packets.map((packet) => {
        Encoder.write(writer, packet, 5)
        return lastFrame(writer)
      })
      assert.deepStrictEqual(
        frames,
        packets.map((packet) => Encoder.encode(packet, 5))
      )
    }
  )

  it("leaves the frames of a slab that was full as they are", () => {
    const writer = Encoder.makeWriter(16)
    Encoder.writeAck(writer, "PubAck", 1, 0, 4)
    const first = lastFrame(writer)
    for (let id = 2; id < 20; id++) Encoder.writeAck(writer, "PubComp", id, 0, 4)
    assert.deepStrictEqual(first, bytes(0x40, 2, 0, 1))
    assert.deepStrictEqual(lastFrame(writer), bytes(0x70, 2, 0, 19))
  })

  it("gives a frame that is longer than a slab one of its own", () => {
    const writer = Encoder.makeWriter(16)
    const packet = publish(0, Buffer.alloc(100))
    Encoder.write(writer, packet, 4)
    assert.deepStrictEqual(lastFrame(writer), Encoder.encode(packet, 4))
    Encoder.write(writer, { _tag: "PingResp" }, 4)
    assert.deepStrictEqual(lastFrame(writer), bytes(0xd0, 0))
  })
})

describe("an acknowledgement written by its fields", () => {
  for (const type of ["PubAck", "PubRec", "PubRel", "PubComp"] as const) {
    for (const version of [4, 5] as const) {
      it(`is the ${type} that encode makes, version ${version}`, () => {
        for (const reasonCode of [0, 0x92] as const) {
          const writer = Encoder.makeWriter()
          Encoder.writeAck(writer, type, 0xfffe, reasonCode, version)
          const packet = { _tag: type, packetId: 0xfffe, reasonCode } as Packet
          assert.deepStrictEqual(lastFrame(writer), Encoder.encode(packet, version))
        }
      })
    }
  }
})

describe("the header of a PUBLISH", () => {
  for (const version of [4, 5] as const) {
    it(`is its frame without the payload, version ${version}`, () => {
      for (const qos of [0, 1, 2] as const) {
        for (const size of [0, 1, 130, 20_000, 3_000_000]) {
          const packet = publish(qos, Buffer.alloc(size))
          const writer = Encoder.makeWriter()
          Encoder.writePublishHeader(writer, packet, version)
          const frame = Encoder.encode(packet, version)
          assert.deepStrictEqual(lastFrame(writer), frame.subarray(0, frame.length - size))
        }
      }
    })
  }
})

describe("a copy of a PUBLISH", () => {
  it("has its own Packet Identifier and DUP, and nothing else of its own", () => {
    for (const version of [4, 5] as const) {
      for (const size of [0, 200, 20_000]) {
        const packet = publish(1, Buffer.alloc(size, 9))
        const source = Buffer.concat([Buffer.alloc(7), Encoder.encode(packet, version)])
        const at = Encoder.packetIdOffset(source, 7)
        assert.strictEqual(source.readUInt16BE(at), 0x0102)
        const writer = Encoder.makeWriter()
        Encoder.writePublishCopy(writer, source, 7, source.length, at, 0xabcd, true)
        const again: Publish = { ...packet, packetId: 0xabcd, dup: true }
        assert.deepStrictEqual(lastFrame(writer), Encoder.encode(again, version))
        Encoder.writePublishCopy(
          writer,
          writer.buffer,
          writer.start,
          writer.offset,
          at - 7 + writer.start,
          0x0102,
          false
        )
        assert.deepStrictEqual(lastFrame(writer), Encoder.encode(packet, version))
      }
    }
  })
})

describe("what no reader could take apart", () => {
  it("is not written: a string of more than 65,535 bytes", () => {
    const packet: Packet = { ...publish(0, Buffer.alloc(0)), topic: "é".repeat(32_768) }
    assert.throws(() => Encoder.encode(packet, 4), /65536 bytes/)
  })

  it("is not written: binary data of more than 65,535 bytes", () => {
    const properties = { correlationData: Buffer.alloc(65_536) }
    assert.throws(() => Encoder.encode({ ...publish(0, Buffer.alloc(0)), properties }, 5), /65536 bytes/)
  })

  it("is not written: a packet of more than 268,435,455 bytes", () => {
    const header = { ...publish(0, Buffer.alloc(0)), payload: { length: 268_435_455 } }
    assert.throws(() => Encoder.writePublishHeader(Encoder.makeWriter(), header, 4), /longer than MQTT allows/)
  })
})

it("a Property Length of two and of three bytes is written before its properties", () => {
  for (const size of [130, 20_000]) {
    const packet: Packet = {
      _tag: "PubAck",
      packetId: 1,
      reasonCode: 0x80,
      properties: { reasonString: "r".repeat(size) }
    }
    const length = size + 3
    const lengthBytes =
      length < 0x4000
        ? [(length & 0x7f) | 0x80, length >> 7]
        : [(length & 0x7f) | 0x80, ((length >> 7) & 0x7f) | 0x80, length >> 14]
    const body = bytes(0, 1, 0x80, lengthBytes, 0x1f, size >> 8, size & 0xff, "r".repeat(size))
    assert.deepStrictEqual(Encoder.encode(packet, 5).subarray(-body.length), body)
  }
})
