import { assert, describe, it } from "@effect/vitest"
import * as Decoder from "../../../src/domain/packet/Decoder.ts"
import * as Encoder from "../../../src/domain/packet/Encoder.ts"
import type { Packet, ProtocolVersion } from "../../../src/domain/packet/Packet.ts"
import { arbitraryPacket, isFromClient } from "./ArbitraryPacket.ts"
import { plain } from "./Bytes.ts"

const decode = (bytes: Buffer, packet: Packet, version: ProtocolVersion) => {
  const decoder = Decoder.make({
    role: isFromClient(packet) ? "server" : "client",
    version,
    maximumPacketSize: 268_435_460
  })
  decoder.push(bytes)
  return decoder.next()
}

describe("a packet that is written", () => {
  for (const version of [3, 4, 5] as const) {
    it.prop(
      `is read back the same in version ${version}`,
      [arbitraryPacket(version)],
      ([packet]) => {
        const bytes = Encoder.encode(packet, version)
        assert.strictEqual(bytes.length, Encoder.size(packet, version))
        assert.deepStrictEqual(plain(decode(bytes, packet, version)), plain(packet))
      },
      { arbitrary: { runs: 1000 } }
    )
  }
})
