import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import * as Decoder from "../../../src/domain/packet/Decoder.ts"
import * as Encoder from "../../../src/domain/packet/Encoder.ts"
import type { Packet } from "../../../src/domain/packet/Packet.ts"
import { ProtocolError } from "../../../src/domain/packet/ProtocolError.ts"
import * as TopicNames from "../../../src/domain/packet/TopicNames.ts"
import { arbitraryPacket, isFromClient } from "./ArbitraryPacket.ts"
import { bytes, plain } from "./Bytes.ts"

const connect: Packet = { _tag: "Connect", protocolVersion: 5, clientId: "c", cleanStart: true, keepAlive: 0 }
const publish = (payload: Buffer, topic = "a/b"): Packet => ({
  _tag: "Publish",
  topic,
  payload,
  qos: 0,
  retain: false,
  dup: false,
  packetId: 0
})
const server = (options: { topics?: TopicNames.TopicNames; maximumPacketSize?: number } = {}) =>
  Decoder.make({ role: "server", version: 5, maximumPacketSize: 2_000_000, ...options })

/** All that `next` gives until it needs more bytes. */
const drain = (decoder: Decoder.Decoder): Array<Packet | ProtocolError> => {
  const packets: Array<Packet | ProtocolError> = []
  for (let next = decoder.next(); next !== undefined; next = decoder.next()) {
    packets.push(next)
    if (next._tag === "ProtocolError") break
  }
  return packets
}

const clientPackets = Arbitrary.array(
  arbitraryPacket(5).pipe(Arbitrary.map((packet) => (isFromClient(packet) ? packet : publish(Buffer.from("p"))))),
  { maxLength: 8 }
)
const cuts = Arbitrary.array(
  Arbitrary.schema(Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 0, maximum: 20 })))),
  {
    minLength: 1,
    maxLength: 10
  }
)

describe("a stream of packets", () => {
  it.prop("gives the same packets however it is cut", [clientPackets, cuts], ([packets, sizes]) => {
    const stream = Buffer.concat(packets.map((packet) => Encoder.encode(packet, 5)))
    const decoder = server()
    const decoded: Array<unknown> = []
    for (let at = 0, i = 0; at < stream.length; i++) {
      const end = at + (sizes[i % sizes.length]! || 1)
      decoder.push(stream.subarray(at, end))
      decoded.push(...drain(decoder))
      at = end
    }
    assert.deepStrictEqual(plain(decoded), plain(packets))
  })

  it.prop(
    "gives the same packets when its pieces are pushed before the first is asked for",
    [clientPackets, cuts],
    ([packets, sizes]) => {
      const stream = Buffer.concat(packets.map((packet) => Encoder.encode(packet, 5)))
      const decoder = server()
      for (let at = 0, i = 0; at < stream.length; i++) {
        const end = at + (sizes[i % sizes.length]! || 1)
        decoder.push(stream.subarray(at, end))
        at = end
      }
      assert.deepStrictEqual(plain(drain(decoder)), plain(packets))
    }
  )

  it.prop("gives the same packets when pieces are pushed between them", [clientPackets, cuts], ([packets, sizes]) => {
    const stream = Buffer.concat(packets.map((packet) => Encoder.encode(packet, 5)))
    const decoder = server()
    const decoded: Array<unknown> = []
    for (let at = 0, i = 0; at < stream.length; i++) {
      const end = at + (sizes[i % sizes.length]! || 1)
      decoder.push(stream.subarray(at, end))
      if (i % 3 === 2) decoded.push(decoder.next())
      at = end
    }
    decoded.push(...drain(decoder))
    assert.deepStrictEqual(plain(decoded.filter((each) => each !== undefined)), plain(packets))
  })

  it("keeps its order when a piece is pushed just after a packet that ends with its chunk", () => {
    const decoder = server()
    decoder.push(bytes(0xc0, 0))
    decoder.push(bytes(0x40, 2))
    assert.deepStrictEqual(decoder.next(), { _tag: "PingReq" })
    decoder.push(bytes(0, 1))
    assert.deepStrictEqual(drain(decoder), [{ _tag: "PubAck", packetId: 1, reasonCode: 0 }])
  })

  it("may come as empty chunks", () => {
    const decoder = server()
    decoder.push(Buffer.alloc(0))
    assert.isUndefined(decoder.next())
    decoder.push(bytes(0xc0))
    decoder.push(Buffer.alloc(0))
    assert.isUndefined(decoder.next())
    decoder.push(Buffer.alloc(0))
    decoder.push(bytes(0))
    assert.deepStrictEqual(drain(decoder), [{ _tag: "PingReq" }])
  })

  it("of one packet of 1 MB in single bytes is read in time that grows with its length", () => {
    const frame = Encoder.encode(publish(Buffer.alloc(1_000_000, 7)), 5)
    const decoder = server()
    for (let at = 0; at < frame.length - 1; at++) {
      decoder.push(frame.subarray(at, at + 1))
      if (decoder.next() !== undefined) assert.fail("a packet before its last byte")
    }
    decoder.push(frame.subarray(frame.length - 1))
    const packet = decoder.next()
    assert.isTrue(packet?._tag === "Publish" && Buffer.alloc(1_000_000, 7).equals(packet.payload))
  })
})

describe("a packet in one chunk", () => {
  it("is a view of the chunk, not a copy", () => {
    const chunk = Encoder.encode(publish(Buffer.from("before")), 5)
    const decoder = server()
    decoder.push(chunk)
    const packet = decoder.next()
    chunk.write("behind", chunk.length - 6)
    assert.isTrue(packet?._tag === "Publish" && Buffer.from(packet.payload).toString() === "behind")
  })

  it("has its whole frame at hand until the next is asked for", () => {
    const first = Encoder.encode(publish(Buffer.from("first")), 5)
    const second = Encoder.encode(publish(Buffer.from("second")), 5)
    const stream = Buffer.concat([first, second])
    for (const size of [stream.length, 3]) {
      const decoder = server()
      const frames: Array<Buffer> = []
      for (let at = 0; at < stream.length; at += size) {
        decoder.push(stream.subarray(at, at + size))
        while (decoder.next() !== undefined) {
          frames.push(Buffer.from(decoder.frame.subarray(decoder.frameStart, decoder.frameEnd)))
        }
        assert.strictEqual(decoder.frame.length, 0)
      }
      assert.deepStrictEqual(frames, [first, second])
    }
  })

  it("of CONNECT does not keep the chunk it came in", () => {
    const chunk = Buffer.concat([
      Encoder.encode(
        { ...connect, will: { topic: "w", payload: Buffer.from("x"), qos: 0, retain: false } } as Packet,
        5
      ),
      Buffer.alloc(100_000)
    ])
    const decoder = Decoder.make({ role: "server", maximumPacketSize: 1000 })
    decoder.push(chunk)
    const packet = decoder.next()
    assert.isTrue(packet?._tag === "Connect" && packet.will!.payload.buffer !== chunk.buffer)
  })
})

describe("the version of a connection", () => {
  it("is that of its CONNECT", () => {
    const decoder = Decoder.make({ role: "server", maximumPacketSize: 1000 })
    assert.isUndefined(decoder.version)
    decoder.push(Encoder.encode(connect, 5))
    assert.deepStrictEqual(decoder.next(), connect)
    assert.strictEqual(decoder.version, 5)
    assert.strictEqual(decoder.protocolLevel, 5)
  })

  it("is known when the rest of the CONNECT is malformed", () => {
    const decoder = Decoder.make({ role: "server", maximumPacketSize: 1000 })
    decoder.push(bytes(0x10, 7, 0, 4, "MQTT", 5))
    assert.instanceOf(decoder.next(), ProtocolError)
    assert.strictEqual(decoder.version, 5)
  })

  it("is undefined when there is no such version, whose level is known all the same", () => {
    const decoder = Decoder.make({ role: "server", maximumPacketSize: 1000 })
    decoder.push(bytes(0x10, 7, 0, 4, "MQTT", 6))
    assert.instanceOf(decoder.next(), ProtocolError)
    assert.isUndefined(decoder.version)
    assert.strictEqual(decoder.protocolLevel, 6)
  })

  it("stays when a second CONNECT names another", () => {
    const decoder = Decoder.make({ role: "server", maximumPacketSize: 1000 })
    decoder.push(Buffer.concat([Encoder.encode(connect, 5), Encoder.encode(connect, 4)]))
    assert.deepStrictEqual(drain(decoder), [connect, { ...connect, protocolVersion: 4 } as Packet])
    assert.strictEqual(decoder.version, 5)
  })
})

describe("an error", () => {
  it("comes after the packets before it, and for good", () => {
    const decoder = server()
    decoder.push(bytes(0xc0, 0, 0xc1, 0, 0xc0, 0))
    assert.deepStrictEqual(decoder.next(), { _tag: "PingReq" })
    const error = decoder.next()
    assert.instanceOf(error, ProtocolError)
    decoder.push(bytes(0xc0, 0))
    assert.strictEqual(decoder.next(), error)
  })

  it("comes as soon as the length is too much, whatever its piece", () => {
    const decoder = server({ maximumPacketSize: 100 })
    decoder.push(bytes(0x30))
    assert.isUndefined(decoder.next())
    decoder.push(bytes(99))
    const error = decoder.next()
    assert.isTrue(error?._tag === "ProtocolError" && error.reasonCode === 0x95)
  })

  it("does not come at the maximum itself", () => {
    const decoder = server({ maximumPacketSize: 100 })
    decoder.push(Encoder.encode(publish(Buffer.alloc(92)), 5))
    assert.strictEqual(decoder.next()?._tag, "Publish")
    assert.strictEqual(decoder.frameEnd, 0 + 100)
  })

  it("follows a maximum that is set later", () => {
    const decoder = server()
    decoder.push(
      Buffer.concat([Encoder.encode(publish(Buffer.alloc(93)), 5), Encoder.encode(publish(Buffer.alloc(93)), 5)])
    )
    assert.strictEqual(decoder.next()?._tag, "Publish")
    decoder.maximumPacketSize = 100
    assert.strictEqual(decoder.next()?._tag, "ProtocolError")
  })
})

describe("a Topic Name that is known", () => {
  it("is the same as when it is decoded anew", () => {
    const topics = TopicNames.make()
    const names = ["a", "a/b", "é", "\ufeffa", "x".repeat(300), "a", "é", "$SYS/a"]
    const decoder = server({ topics })
    const decoded = names.map((name) => {
      decoder.push(Encoder.encode(publish(Buffer.alloc(0), name), 5))
      const packet = decoder.next()
      return packet?._tag === "Publish" ? packet.topic : packet
    })
    assert.deepStrictEqual(decoded, names)
    assert.strictEqual(topics.size, 5)
  })

  it("is never one that was refused", () => {
    const topics = TopicNames.make()
    for (const name of ["#", "a/+", "\0"]) {
      for (const attempt of [1, 2]) {
        const decoder = server({ topics })
        decoder.push(bytes(0x30, 3 + name.length, 0, name.length, name, 0))
        assert.strictEqual(decoder.next()?._tag, "ProtocolError", `attempt ${attempt} of ${name}`)
      }
    }
    assert.strictEqual(topics.size, 0)
  })
})
