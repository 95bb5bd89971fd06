/** The data representations of section 1.5, read one after another from the bytes of one packet. */
import type { ProtocolVersion } from "./Packet.ts"
import { ProtocolError } from "./ProtocolError.ts"
import { ReasonCode } from "./ReasonCode.ts"
import * as Utf8 from "./Utf8.ts"

/**
 * A position in the bytes of a packet. Reading past `end`, or what is not well-formed, throws a `ProtocolError`; the
 * decoder catches it and nobody else sees it thrown.
 */
export class PacketReader {
  readonly buffer: Buffer
  position: number
  /** Where the packet, or the part of it being read, ends. */
  end: number
  version: ProtocolVersion

  constructor(buffer: Buffer, position: number, end: number, version: ProtocolVersion) {
    this.buffer = buffer
    this.position = position
    this.end = end
    this.version = version
  }

  get hasMore(): boolean {
    return this.position < this.end
  }

  byte(): number {
    if (this.position >= this.end) this.cutOff("section 1.5.1")
    return this.buffer[this.position++]!
  }

  twoByteInteger(): number {
    const at = this.position
    if (at + 2 > this.end) this.cutOff("section 1.5.2")
    this.position = at + 2
    return (this.buffer[at]! << 8) | this.buffer[at + 1]!
  }

  fourByteInteger(): number {
    const at = this.position
    if (at + 4 > this.end) this.cutOff("section 1.5.3")
    this.position = at + 4
    return this.buffer.readUInt32BE(at)
  }

  /** In the fewest bytes possible [MQTT-1.5.5-1], four at most. */
  variableByteInteger(): number {
    let value = 0
    for (let shift = 0; shift <= 21; shift += 7) {
      const byte = this.byte()
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) {
        if (byte === 0 && shift > 0)
          this.malformed("MQTT-1.5.5-1", "a Variable Byte Integer has more bytes than it needs")
        return value
      }
    }
    return this.malformed("section 1.5.5", "a Variable Byte Integer has more than four bytes")
  }

  utf8String(): string {
    const length = this.twoByteInteger()
    const start = this.position
    const end = start + length
    if (end > this.end) this.cutOff("section 1.5.4")
    this.position = end
    const text = Utf8.decode(this.buffer, start, end)
    return text === undefined ? this.illFormed(start, end) : text
  }

  /** A view of the packet's bytes. */
  binaryData(): Buffer {
    const length = this.twoByteInteger()
    const start = this.position
    if (start + length > this.end) this.cutOff("section 1.5.6")
    this.position = start + length
    return this.buffer.subarray(start, start + length)
  }

  /** A Packet Identifier: not 0. */
  packetId(): number {
    const id = this.twoByteInteger()
    if (id === 0) this.zeroPacketId()
    return id
  }

  /** Refuses bytes after the last field. */
  finish(): void {
    if (this.position !== this.end) this.malformed("section 2.1.4", "bytes follow the last field of the packet")
  }

  zeroPacketId(): never {
    return this.protocolError("MQTT-2.2.1-3", "the Packet Identifier is 0", "MQTT-2.3.1-1")
  }

  illFormed(start: number, end: number): never {
    const hasNull = this.buffer.subarray(start, end).includes(0)
    return hasNull
      ? this.malformed("MQTT-1.5.4-2", "a string contains U+0000", "MQTT-1.4.0-2")
      : this.malformed("MQTT-1.5.4-1", "a string is not well-formed UTF-8", "MQTT-1.4.0-1")
  }

  cutOff(section: string): never {
    return this.malformed(section, "the packet ends within a field")
  }

  /** Refuses a Malformed Packet. `statement311` is the statement of MQTT 3.1.1 where it is another. */
  malformed(statement: string, detail: string, statement311?: string): never {
    return this.refuse(ReasonCode.MalformedPacket, statement, detail, statement311)
  }

  /** Refuses a Protocol Error. `statement311` is the statement of MQTT 3.1.1 where it is another. */
  protocolError(statement: string, detail: string, statement311?: string): never {
    return this.refuse(ReasonCode.ProtocolError, statement, detail, statement311)
  }

  /** Refuses the packet. `statement311` is the statement of MQTT 3.1.1 where it is another. */
  refuse(reasonCode: ReasonCode, statement: string, detail: string, statement311 = statement): never {
    throw new ProtocolError({
      reasonCode,
      statement: this.version === 5 ? statement : `3.1.1:${statement311}`,
      detail
    })
  }
}
