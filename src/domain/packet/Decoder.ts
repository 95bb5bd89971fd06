/**
 * The bytes of a connection to packets, one at a time, whatever the pieces in which they come (section 2).
 *
 * A packet that lies whole in a pushed chunk is decoded in place: its payload and binary properties are views of the
 * chunk. The bytes of a packet that is cut are gathered in a buffer of its own, which grows with what has come, never
 * with what the packet's length promises. The values of a CONNECT are views of a copy of that packet, because they are
 * kept as long as the connection and would keep the whole chunk with them.
 *
 * The decoder knows what a packet may be by itself. What depends on the session (a second CONNECT, packet identifiers,
 * topic aliases, receive maximum) is judged above it.
 */
import type { Packet, ProtocolVersion, Publish, QoS } from "./Packet.ts"
import {
  readAcknowledgement,
  readAuth,
  readConnAck,
  readConnect,
  readDisconnect,
  readProtocolLevel,
  readSubAck,
  readSubscribe,
  readUnsubAck,
  readUnsubscribe,
  versionOf
} from "./PacketDecoder.ts"
import { PacketReader } from "./PacketReader.ts"
import type { PublishProperties } from "./Property.ts"
import { checkTopicName, readProperties } from "./PropertyDecoder.ts"
import { ProtocolError } from "./ProtocolError.ts"
import { ReasonCode } from "./ReasonCode.ts"
import type { TopicNames } from "./TopicNames.ts"

interface Limits {
  /** Bytes of a whole packet with its fixed header; a longer one is refused from its length. */
  readonly maximumPacketSize: number
  /** The names that the broker has seen; without it every Topic Name is decoded anew. */
  readonly topics?: TopicNames
}

/**
 * `role` is the reader's: a server reads what clients send, which has to begin with a CONNECT unless `version` is
 * given; a client reads what servers send, in the version it has asked for.
 */
export type DecoderOptions =
  | (Limits & { readonly role: "server"; readonly version?: ProtocolVersion })
  | (Limits & { readonly role: "client"; readonly version: ProtocolVersion })

const nothing = Buffer.alloc(0)

/** Which first bytes of a packet, its type and flags (section 2.1), are right: 1 at their index. */
const firstBytes = (types: ReadonlyArray<number>, version: ProtocolVersion): Uint8Array => {
  const table = new Uint8Array(256)
  for (const type of types) {
    const first = type << 4
    if (type === 3) for (const flags of [0, 1, 2, 3, 4, 5, 10, 11, 12, 13]) table[first | flags] = 1
    else if (type === 6 || type === 8 || type === 10) {
      table[first | 2] = 1
      // MQTT 3.1 marks one of these that is sent again with DUP.
      if (version === 3) table[first | 10] = 1
    } else table[first] = 1
  }
  return table
}

/** Before a CONNECT there is nothing else. */
const fromAnyone = firstBytes([1], 5)
const fromClient = {
  3: firstBytes([1, 3, 4, 5, 6, 7, 8, 10, 12, 14], 3),
  4: firstBytes([1, 3, 4, 5, 6, 7, 8, 10, 12, 14], 4),
  5: firstBytes([1, 3, 4, 5, 6, 7, 8, 10, 12, 14, 15], 5)
}
const fromServer = {
  3: firstBytes([2, 3, 4, 5, 6, 7, 9, 11, 13], 3),
  4: firstBytes([2, 3, 4, 5, 6, 7, 9, 11, 13], 4),
  5: firstBytes([2, 3, 4, 5, 6, 7, 9, 11, 13, 14, 15], 5)
}

/** What says which flags a packet type has, where it is not [MQTT-2.1.3-1] alone. */
const flagStatements: { readonly [type: number]: string } = {
  6: "MQTT-3.6.1-1",
  8: "MQTT-3.8.1-1",
  10: "MQTT-3.10.1-1",
  14: "MQTT-3.14.1-1",
  15: "MQTT-3.15.1-1"
}

/** The decoder of one connection. */
export class Decoder {
  /** The version given, or that of the CONNECT as soon as it is read; the decoder alone sets it. */
  version: ProtocolVersion | undefined = undefined
  /** The Protocol Level that the CONNECT names, even if there is no such version. */
  protocolLevel: number | undefined = undefined
  /** Bytes of a whole packet with its fixed header; holds for packets whose length is read from now on. */
  maximumPacketSize: number

  /** What holds the bytes of the packet that `next` returned last, from `frameStart` to before `frameEnd`. */
  frame: Buffer = nothing
  frameStart = 0
  frameEnd = 0

  private readonly isServer: boolean
  private rightFirstBytes: Uint8Array = fromAnyone
  private readonly topics: TopicNames | undefined

  /** The chunk being read and where its unread bytes begin. */
  private chunk: Buffer = nothing
  private position = 0
  /** Chunks pushed before the one being read was used up, from `nextWaiting` on. */
  private waiting: Array<Buffer> | undefined = undefined
  private nextWaiting = 0

  /** The first `partialLength` bytes of a packet that is cut, `partialSize` long, or 0 while its length is cut too. */
  private partial: Buffer = nothing
  private partialLength = 0
  private partialSize = 0

  /** Where the variable header of the packet measured last begins. */
  private bodyStart = 0
  private error: ProtocolError | undefined = undefined

  constructor(options: DecoderOptions) {
    this.isServer = options.role === "server"
    if (options.version !== undefined) this.setVersion(options.version)
    this.maximumPacketSize = options.maximumPacketSize
    this.topics = options.topics
  }

  /** Takes bytes that follow those pushed before. They may not change afterwards: packets are views of them. */
  push(chunk: Buffer): void {
    if (this.error !== undefined) return
    if (this.waiting !== undefined) this.waiting.push(chunk)
    else if (this.position < this.chunk.length) this.waiting = [chunk]
    else {
      this.chunk = chunk
      this.position = 0
    }
  }

  /** The next packet; undefined when its bytes have not all come; an error for good once there is one. */
  next(): Packet | ProtocolError | undefined {
    if (this.error !== undefined) return this.error
    try {
      return this.advance()
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      this.error = error
      this.release()
      return error
    }
  }

  private advance(): Packet | undefined {
    do {
      const chunk = this.chunk
      const start = this.position
      if (this.partialLength === 0) {
        const size = this.measure(chunk, start, chunk.length)
        if (size !== 0 && start + size <= chunk.length) {
          this.position = start + size
          this.frame = chunk
          this.frameStart = start
          this.frameEnd = start + size
          return this.decode()
        }
      }
      if (this.gather()) {
        this.frame = this.partial
        this.frameStart = 0
        this.frameEnd = this.partialSize
        this.partial = nothing
        this.partialLength = 0
        this.partialSize = 0
        return this.decode()
      }
    } while (this.nextChunk())
    return undefined
  }

  /** Goes on to the next waiting chunk. Without one, lets go of the buffers read: an idle connection holds none. */
  private nextChunk(): boolean {
    const waiting = this.waiting
    this.position = 0
    this.frame = nothing
    this.frameStart = 0
    this.frameEnd = 0
    if (waiting === undefined) {
      this.chunk = nothing
      return false
    }
    this.chunk = waiting[this.nextWaiting++]!
    if (this.nextWaiting === waiting.length) {
      this.waiting = undefined
      this.nextWaiting = 0
    }
    return true
  }

  private release(): void {
    this.chunk = nothing
    this.position = 0
    this.waiting = undefined
    this.nextWaiting = 0
    this.partial = nothing
    this.partialLength = 0
  }

  /**
   * The size of the packet at `start`, 0 while its fixed header is cut. Sets where its variable header begins. Refuses
   * it by its first byte and its length, before the rest has come.
   */
  private measure(buffer: Buffer, start: number, end: number): number {
    if (start >= end) return 0
    const first = buffer[start]!
    if (this.rightFirstBytes[first] === 0) this.refuseFirstByte(first)
    let length = 0
    for (let i = 0; i < 4; i++) {
      const at = start + 1 + i
      if (at >= end) return 0
      const byte = buffer[at]!
      length |= (byte & 0x7f) << (7 * i)
      if (byte < 0x80) {
        if (byte === 0 && i > 0) {
          this.refuse(
            ReasonCode.MalformedPacket,
            "MQTT-1.5.5-1",
            "the Remaining Length has more bytes than it needs",
            "section 2.2.3"
          )
        }
        const size = at + 1 - start + length
        if (size > this.maximumPacketSize) {
          this.refuse(
            ReasonCode.PacketTooLarge,
            this.isServer ? "MQTT-3.2.2-15" : "MQTT-3.1.2-24",
            `a packet of ${size} bytes is longer than the maximum of ${this.maximumPacketSize}`,
            "section 2.2.3"
          )
        }
        this.bodyStart = at + 1
        return size
      }
    }
    return this.refuse(
      ReasonCode.MalformedPacket,
      "section 1.5.5",
      "the Remaining Length has more than four bytes",
      "section 2.2.3"
    )
  }

  /** Moves bytes of the chunk to the packet that is cut; true when it is whole. */
  private gather(): boolean {
    const chunk = this.chunk
    while (this.partialSize === 0) {
      if (this.position >= chunk.length) return false
      if (this.partialLength === 0) this.partial = Buffer.allocUnsafe(8)
      this.partial[this.partialLength++] = chunk[this.position++]!
      this.partialSize = this.measure(this.partial, 0, this.partialLength)
    }
    const available = Math.min(this.partialSize - this.partialLength, chunk.length - this.position)
    const length = this.partialLength + available
    if (length > this.partial.length) {
      const larger = Buffer.allocUnsafe(Math.min(this.partialSize, Math.max(length, this.partialLength * 2)))
      this.partial.copy(larger, 0, 0, this.partialLength)
      this.partial = larger
    }
    chunk.copy(this.partial, this.partialLength, this.position, this.position + available)
    this.position += available
    this.partialLength = length
    return length === this.partialSize
  }

  private refuseFirstByte(first: number): never {
    const type = first >> 4
    if (this.version === undefined && type !== 1) {
      this.refuse(ReasonCode.ProtocolError, "MQTT-3.1.0-1", "the first packet is not a CONNECT")
    }
    if (type === 0 || (type === 15 && this.version !== 5)) {
      this.refuse(ReasonCode.MalformedPacket, "section 2.1.2", `the packet type ${type} is reserved`, "section 2.2.1")
    }
    if (!this.rightFirstBytes.subarray(type << 4, (type + 1) << 4).includes(1)) {
      const peer = this.isServer ? "client" : "server"
      this.refuse(
        ReasonCode.ProtocolError,
        "section 2.1.2",
        `a ${peer} may not send packet type ${type}`,
        "section 2.2.1"
      )
    }
    if (type !== 3) {
      const statement = flagStatements[type] ?? "MQTT-2.1.3-1"
      this.refuse(ReasonCode.MalformedPacket, statement, `the flags of packet type ${type} are wrong`, "MQTT-2.2.2-2")
    }
    return (first & 0x06) === 0x06
      ? this.refuse(ReasonCode.MalformedPacket, "MQTT-3.3.1-4", "the QoS of a PUBLISH is 3")
      : this.refuse(ReasonCode.MalformedPacket, "MQTT-3.3.1-2", "DUP is set in a PUBLISH of QoS 0")
  }

  /** Decodes the packet in `frame`. */
  private decode(): Packet {
    const first = this.frame[this.frameStart]!
    switch (first >> 4) {
      case 3:
        return this.decodePublish(first)
      case 4:
        return this.decodeAcknowledgement("PubAck")
      case 5:
        return this.decodeAcknowledgement("PubRec")
      case 6:
        return this.decodeAcknowledgement("PubRel")
      case 7:
        return this.decodeAcknowledgement("PubComp")
      case 1:
        return this.decodeConnect()
      case 2:
        return readConnAck(this.reader())
      case 8:
        return readSubscribe(this.reader())
      case 9:
        return readSubAck(this.reader())
      case 10:
        return readUnsubscribe(this.reader())
      case 11:
        return readUnsubAck(this.reader())
      case 12:
        this.reader().finish()
        return { _tag: "PingReq" }
      case 13:
        this.reader().finish()
        return { _tag: "PingResp" }
      case 14:
        return readDisconnect(this.reader(), !this.isServer)
      default:
        return readAuth(this.reader())
    }
  }

  private reader(position = this.bodyStart): PacketReader {
    return new PacketReader(this.frame, position, this.frameEnd, this.version ?? 5)
  }

  private setVersion(version: ProtocolVersion): void {
    this.version = version
    this.rightFirstBytes = (this.isServer ? fromClient : fromServer)[version]
  }

  private decodeConnect(): Packet {
    const body = Buffer.from(this.frame.subarray(this.bodyStart, this.frameEnd))
    const reader = new PacketReader(body, 0, body.length, 5)
    const level = readProtocolLevel(reader)
    // The version of a connection is that of its first CONNECT; a second one is refused above, in that version.
    const isFirst = this.version === undefined
    if (isFirst) this.protocolLevel = level
    reader.version = versionOf(reader, level)
    if (isFirst) this.setVersion(reader.version)
    return readConnect(reader)
  }

  private decodeAcknowledgement(tag: "PubAck" | "PubRec" | "PubRel" | "PubComp"): Packet {
    const at = this.bodyStart
    if (this.frameEnd - at !== 2) return readAcknowledgement(this.reader(), tag)
    const packetId = (this.frame[at]! << 8) | this.frame[at + 1]!
    if (packetId === 0) this.reader().zeroPacketId()
    return { _tag: tag, packetId, reasonCode: 0 }
  }

  private decodePublish(first: number): Publish {
    const buffer = this.frame
    const end = this.frameEnd
    const topicStart = this.bodyStart + 2
    if (topicStart > end) this.reader().cutOff("section 1.5.4")
    const topicEnd = topicStart + ((buffer[topicStart - 2]! << 8) | buffer[topicStart - 1]!)
    if (topicEnd > end) this.reader().cutOff("section 1.5.4")
    let at = topicEnd
    const topic = topicEnd === topicStart ? "" : this.topicName(buffer, topicStart, topicEnd)
    const qos = ((first >> 1) & 3) as QoS
    const retain = (first & 1) === 1
    const dup = (first & 8) === 8
    let packetId = 0
    if (qos !== 0) {
      if (at + 2 > end) this.reader().cutOff("section 2.2.1")
      packetId = (buffer[at]! << 8) | buffer[at + 1]!
      if (packetId === 0) this.zeroPacketId()
      at += 2
    }
    let properties: PublishProperties | undefined
    if (this.version === 5) {
      if (at < end && buffer[at] === 0) at++
      else {
        const reader = this.reader(at)
        properties = this.publishProperties(reader)
        at = reader.position
      }
    }
    if (topic === "") this.checkAlias(properties)
    // Half the cost of `buffer.subarray`, which is most of the cost of decoding a small packet.
    const payload = new Uint8Array(buffer.buffer, buffer.byteOffset + at, end - at)
    return properties === undefined
      ? { _tag: "Publish", topic, payload, qos, retain, dup, packetId }
      : { _tag: "Publish", topic, payload, qos, retain, dup, packetId, properties }
  }

  private topicName(buffer: Buffer, start: number, end: number): string {
    const topics = this.topics
    if (topics !== undefined) {
      const known = topics.get(buffer, start, end)
      if (known !== undefined) return known
    }
    const reader = this.reader(start - 2)
    const name = reader.utf8String()
    checkTopicName(reader, name, "MQTT-3.3.2-2")
    if (topics !== undefined) topics.add(buffer, start, end, name)
    return name
  }

  private zeroPacketId(): never {
    return this.refuse(
      ReasonCode.ProtocolError,
      this.isServer ? "MQTT-2.2.1-3" : "MQTT-2.2.1-4",
      "the Packet Identifier of a PUBLISH is 0",
      "MQTT-2.3.1-1"
    )
  }

  private publishProperties(reader: PacketReader): PublishProperties | undefined {
    const properties = readProperties(reader, "Publish")
    if (this.isServer && properties?.subscriptionIdentifiers !== undefined) {
      this.refuse(ReasonCode.ProtocolError, "MQTT-3.3.4-6", "the client's PUBLISH has a Subscription Identifier")
    }
    return properties
  }

  private checkAlias(properties: PublishProperties | undefined): void {
    if (properties?.topicAlias !== undefined) return
    this.refuse(
      ReasonCode.ProtocolError,
      "section 3.3.2.1",
      "the Topic Name is empty, and there is no Topic Alias",
      "MQTT-4.7.3-1"
    )
  }

  private refuse(reasonCode: ReasonCode, statement: string, detail: string, statement311?: string): never {
    return this.reader().refuse(reasonCode, statement, detail, statement311)
  }
}

/** A decoder at the start of a connection. */
export const make = (options: DecoderOptions): Decoder => new Decoder(options)
