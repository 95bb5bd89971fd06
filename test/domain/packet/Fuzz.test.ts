import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import * as Decoder from "../../../src/domain/packet/Decoder.ts"
import * as Encoder from "../../../src/domain/packet/Encoder.ts"
import { Packet } from "../../../src/domain/packet/Packet.ts"
import type { ProtocolVersion } from "../../../src/domain/packet/Packet.ts"
import { ProtocolError } from "../../../src/domain/packet/ProtocolError.ts"
import * as TopicNames from "../../../src/domain/packet/TopicNames.ts"
import { arbitraryPacket } from "./ArbitraryPacket.ts"
import { bytes, plain } from "./Bytes.ts"
import { goldenPackets } from "./GoldenPackets.ts"

const isPacket = Schema.is(Packet)
const topics = TopicNames.make(50)

/** Every decoder that may meet the bytes: a server's before and after a CONNECT, and a client's. */
const decoders = (): ReadonlyArray<Decoder.Decoder> => [
  Decoder.make({ role: "server", maximumPacketSize: 100_000, topics }),
  ...([3, 4, 5] as const).flatMap((version) => [
    Decoder.make({ role: "server", version, maximumPacketSize: 100_000, topics }),
    Decoder.make({ role: "client", version, maximumPacketSize: 100_000 })
  ])
]

/**
 * Reads the bytes to their end. Every packet has to satisfy its Schema, and be the same when it is written and read
 * again; after an error there is nothing but that error.
 */
const readAll = (decoder: Decoder.Decoder, role: "server" | "client", stream: Buffer): void => {
  decoder.push(stream)
  for (;;) {
    const next = decoder.next()
    if (next === undefined) return
    if (next._tag === "ProtocolError") {
      assert.instanceOf(next, ProtocolError)
      assert.match(next.statement, /^(3\.1\.1:)?(MQTT-\d+\.\d+\.\d+-\d+|section \d[\d.]*)$/)
      assert.isAtLeast(next.reasonCode, 0x80)
      assert.strictEqual(decoder.next(), next)
      return
    }
    assert.isTrue(isPacket(next), JSON.stringify(next))
    const version = next._tag === "Connect" ? next.protocolVersion : decoder.version!
    const again = Decoder.make({ role, version, maximumPacketSize: 200_000 })
    again.push(Encoder.encode(next, version))
    assert.deepStrictEqual(plain(again.next()), plain(next))
  }
}

const readByAll = (stream: Buffer): void => {
  decoders().forEach((decoder, i) => readAll(decoder, i === 0 || i % 2 === 1 ? "server" : "client", stream))
}

const byte = Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 0, maximum: 255 })))
const position = Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 0, maximum: 9999 })))

/** What befalls the bytes of a packet on their way. */
const mutations = Arbitrary.array(
  Arbitrary.all([
    Arbitrary.schema(Schema.Literals(["set", "flip", "insert", "remove", "cut"])),
    Arbitrary.schema(position),
    Arbitrary.schema(byte)
  ]),
  { minLength: 1, maxLength: 4 }
)
type Mutation = readonly ["set" | "flip" | "insert" | "remove" | "cut", number, number]

const mutate = (frame: Buffer, changes: ReadonlyArray<Mutation>): Buffer => {
  let result = Buffer.from(frame)
  for (const [kind, position, byte] of changes) {
    if (result.length === 0) return result
    const at = position % result.length
    if (kind === "set") result[at] = byte
    else if (kind === "flip") result[at] = result[at]! ^ (1 << (byte % 8))
    else if (kind === "insert") result = Buffer.concat([result.subarray(0, at), Buffer.of(byte), result.subarray(at)])
    else if (kind === "remove") result = Buffer.concat([result.subarray(0, at), result.subarray(at + 1)])
    else result = result.subarray(0, at)
  }
  return result
}

/** The bytes with a Remaining Length that is right again, so that a change is met within the packet. */
const withLength = (frame: Buffer): Buffer => {
  let body = 1
  while (body < 5 && frame[body]! >= 0x80) body++
  const rest = frame.subarray(body + 1)
  const length: Array<number> = []
  for (let left = rest.length; length.length === 0 || left > 0; left >>>= 7)
    length.push((left & 0x7f) | (left > 0x7f ? 0x80 : 0))
  return Buffer.concat([frame.subarray(0, 1), bytes(length), rest])
}

describe("bytes from anywhere are packets or one error:", () => {
  it.prop(
    "random bytes",
    [Arbitrary.array(Arbitrary.schema(byte), { maxLength: 60 })],
    ([stream]) => readByAll(Buffer.from(stream)),
    { arbitrary: { runs: 500 } }
  )

  it.prop(
    "random bytes behind a right fixed header",
    [Arbitrary.schema(byte), Arbitrary.array(Arbitrary.schema(byte), { maxLength: 40 })],
    ([first, body]) => readByAll(bytes(first, body.length, body)),
    { arbitrary: { runs: 1000 } }
  )

  for (const version of [4, 5] as const satisfies ReadonlyArray<ProtocolVersion>) {
    it.prop(
      `packets of version ${version} with bytes changed, added and lost`,
      [arbitraryPacket(version), mutations],
      ([packet, changes]) => {
        const mutated = mutate(Encoder.encode(packet, version), changes)
        readByAll(mutated)
        readByAll(withLength(mutated))
      },
      { arbitrary: { runs: 500 } }
    )
  }

  it.prop(
    "the golden packets with bytes changed, added and lost",
    [Arbitrary.schema(position), mutations],
    ([index, changes]) => {
      const { bytes } = goldenPackets[index % goldenPackets.length]!
      readByAll(withLength(mutate(bytes, changes)))
    },
    { arbitrary: { runs: 1000 } }
  )

  it("every golden packet with every bit turned", () => {
    let read = 0
    for (const { bytes: frame, role, version } of goldenPackets) {
      for (let bit = 0; bit < Math.min(frame.length, 120) * 8; bit++) {
        const turned = Buffer.from(frame)
        turned[bit >> 3] = turned[bit >> 3]! ^ (1 << (bit & 7))
        readAll(Decoder.make({ role, version, maximumPacketSize: 100_000 }), role, turned)
        read++
      }
    }
    assert.isAbove(read, 5000)
  })

  it("every golden packet cut at every byte, whose length is right", () => {
    let read = 0
    for (const { bytes: frame, role, version } of goldenPackets) {
      for (let length = 2; length < Math.min(frame.length, 120); length++) {
        const cut = withLength(frame.subarray(0, length))
        readAll(Decoder.make({ role, version, maximumPacketSize: 100_000 }), role, cut)
        read++
      }
    }
    assert.isAbove(read, 500)
  })
})
