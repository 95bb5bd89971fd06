/**
 * Packets to bytes (section 3), the inverse of `Decoder.ts`.
 *
 * MQTT 3.1.1 has no properties and few reason codes: for its connections properties are left out, and the codes are
 * written as they are; to choose codes that the version has is the caller's part. What MQTT 5.0 lets out (reason code
 * and properties of a plain success) is left out.
 *
 * A packet has to satisfy its Schema. What could not be read back at all, a string over 65,535 bytes or a packet over
 * 268,435,455, throws a RangeError.
 */
import type { Connect, Packet, ProtocolVersion, Publish, SubscriptionRequest } from "./Packet.ts"
import {
  binaryDataSize,
  propertiesLength,
  utf8StringSize,
  variableByteIntegerSize,
  writeBinaryData,
  writeProperties,
  writeUtf8String,
  writeVariableByteInteger
} from "./PropertyEncoder.ts"

/**
 * Appends frames to a slab. A slab that is full is replaced by a new one and never written again, so that views of its
 * frames stay valid. The frame written last is `buffer` from `start` to before `offset`.
 */
export interface Writer {
  buffer: Buffer
  start: number
  offset: number
  /** Bytes of a slab; a longer frame gets a slab of its own. */
  readonly slabSize: number
}

const nothing = Buffer.alloc(0)

/** A writer. Its first slab is made with its first frame. */
export const makeWriter = (slabSize = 65_536): Writer => ({ buffer: nothing, start: 0, offset: 0, slabSize })

/** Makes room for a frame of `size` bytes, begins it at the returned offset and counts it as written. */
const allot = (writer: Writer, size: number): number => {
  if (writer.offset + size > writer.buffer.length) {
    writer.buffer = Buffer.allocUnsafeSlow(Math.max(writer.slabSize, size))
    writer.offset = 0
  }
  const start = writer.offset
  writer.start = start
  writer.offset = start + size
  return start
}

/** The largest Remaining Length (section 2.1.4). */
const maximumRemainingLength = 268_435_455

const frameSize = (remainingLength: number): number => {
  if (remainingLength > maximumRemainingLength) {
    throw new RangeError(`a packet of ${remainingLength} bytes is longer than MQTT allows`)
  }
  return 1 + variableByteIntegerSize(remainingLength) + remainingLength
}

/** The bytes of the packet's frame. */
export const size = (packet: Packet, version: ProtocolVersion): number => frameSize(bodyLength(packet, version))

/** The packet's frame in a buffer of its own. */
export const encode = (packet: Packet, version: ProtocolVersion): Buffer => {
  const length = bodyLength(packet, version)
  const buffer = Buffer.allocUnsafe(frameSize(length))
  writeFrame(buffer, 0, packet, version, length)
  return buffer
}

/** Appends the packet's frame. */
export const write = (writer: Writer, packet: Packet, version: ProtocolVersion): void => {
  const length = bodyLength(packet, version)
  const start = allot(writer, frameSize(length))
  writeFrame(writer.buffer, start, packet, version, length)
}

/** What the header of a PUBLISH is made of: the packet, or its fields with the length of a payload kept elsewhere. */
export interface PublishHeader extends Omit<Publish, "_tag" | "payload"> {
  readonly payload: { readonly length: number }
}

/** Appends the frame of a PUBLISH up to its payload, which is sent from where it lies. */
export const writePublishHeader = (writer: Writer, publish: PublishHeader, version: ProtocolVersion): void => {
  const length = publishLength(publish, version)
  const start = allot(writer, frameSize(length) - publish.payload.length)
  writePublishTo(writer.buffer, start, publish, version, length)
}

/** Where the Packet Identifier lies in a frame of a PUBLISH of QoS 1 or 2, which begins at `start`. */
export const packetIdOffset = (buffer: Buffer, start: number): number => {
  let at = start + 1
  while (buffer[at]! >= 0x80) at++
  return at + 3 + ((buffer[at + 1]! << 8) | buffer[at + 2]!)
}

/**
 * Appends a copy of a frame of a PUBLISH of QoS 1 or 2, with another Packet Identifier, which lies at `idOffset` of
 * `source` as `packetIdOffset` says, and with the given DUP.
 */
export const writePublishCopy = (
  writer: Writer,
  source: Buffer,
  sourceStart: number,
  sourceEnd: number,
  idOffset: number,
  packetId: number,
  dup: boolean
): void => {
  const start = allot(writer, sourceEnd - sourceStart)
  const buffer = writer.buffer
  source.copy(buffer, start, sourceStart, sourceEnd)
  buffer[start] = dup ? buffer[start]! | 0x08 : buffer[start]! & 0xf7
  const at = start + idOffset - sourceStart
  buffer[at] = packetId >>> 8
  buffer[at + 1] = packetId
}

const acknowledgementFirstBytes = { PubAck: 0x40, PubRec: 0x50, PubRel: 0x62, PubComp: 0x70 } as const

/** Appends an acknowledgement without properties; its reason code goes to MQTT 5.0 alone, and only when it is not 0. */
export const writeAck = (
  writer: Writer,
  type: keyof typeof acknowledgementFirstBytes,
  packetId: number,
  reasonCode: number,
  version: ProtocolVersion
): void => {
  const hasCode = version === 5 && reasonCode !== 0
  const at = allot(writer, hasCode ? 5 : 4)
  const buffer = writer.buffer
  buffer[at] = acknowledgementFirstBytes[type]
  buffer[at + 1] = hasCode ? 3 : 2
  buffer[at + 2] = packetId >>> 8
  buffer[at + 3] = packetId
  if (hasCode) buffer[at + 4] = reasonCode
}

/** The bytes of the properties with the Property Length; none in MQTT 3.1.1. */
const propertiesSize = (properties: object | undefined, version: ProtocolVersion): number => {
  if (version !== 5) return 0
  const length = propertiesLength(properties)
  return variableByteIntegerSize(length) + length
}

/** The bytes of a reason code with the properties after it; none for a success without properties. */
const reasonSize = (reasonCode: number, properties: object | undefined, version: ProtocolVersion): number => {
  if (version !== 5) return 0
  const length = propertiesLength(properties)
  if (length === 0) return reasonCode === 0 ? 0 : 1
  return 1 + variableByteIntegerSize(length) + length
}

const publishLength = (publish: PublishHeader, version: ProtocolVersion): number =>
  utf8StringSize(publish.topic) +
  (publish.qos === 0 ? 0 : 2) +
  (version !== 5 ? 0 : publish.properties === undefined ? 1 : propertiesSize(publish.properties, version)) +
  publish.payload.length

const connectLength = (connect: Connect, version: ProtocolVersion): number => {
  const { will, username, password } = connect
  let length =
    (version === 3 ? 12 : 10) + propertiesSize(connect.properties, version) + utf8StringSize(connect.clientId)
  if (will !== undefined) {
    length += propertiesSize(will.properties, version) + utf8StringSize(will.topic) + binaryDataSize(will.payload)
  }
  if (username !== undefined) length += utf8StringSize(username)
  if (password !== undefined) length += binaryDataSize(password)
  return length
}

/** The Remaining Length of the packet (section 2.1.4). */
const bodyLength = (packet: Packet, version: ProtocolVersion): number => {
  switch (packet._tag) {
    case "Publish":
      return publishLength(packet, version)
    case "PubAck":
    case "PubRec":
    case "PubRel":
    case "PubComp":
      return 2 + reasonSize(packet.reasonCode, packet.properties, version)
    case "Connect":
      return connectLength(packet, version)
    case "ConnAck":
      return 2 + propertiesSize(packet.properties, version)
    case "Subscribe": {
      let length = 2 + propertiesSize(packet.properties, version)
      for (const subscription of packet.subscriptions) length += utf8StringSize(subscription.filter) + 1
      return length
    }
    case "SubAck":
      return 2 + propertiesSize(packet.properties, version) + packet.reasonCodes.length
    case "Unsubscribe": {
      let length = 2 + propertiesSize(packet.properties, version)
      for (const filter of packet.filters) length += utf8StringSize(filter)
      return length
    }
    case "UnsubAck":
      return version === 5 ? 2 + propertiesSize(packet.properties, version) + packet.reasonCodes.length : 2
    case "Disconnect":
      return reasonSize(packet.reasonCode, packet.properties, version)
    case "Auth":
      return authLength(packet)
    case "PingReq":
    case "PingResp":
      return 0
  }
}

/** An AUTH has both reason code and properties or neither (section 3.15.2.1). */
const authLength = (packet: { readonly reasonCode: number; readonly properties?: object }): number => {
  const length = propertiesLength(packet.properties)
  return packet.reasonCode === 0 && length === 0 ? 0 : 1 + variableByteIntegerSize(length) + length
}

const firstBytes = {
  Connect: 0x10,
  ConnAck: 0x20,
  ...acknowledgementFirstBytes,
  Subscribe: 0x82,
  SubAck: 0x90,
  Unsubscribe: 0xa2,
  UnsubAck: 0xb0,
  PingReq: 0xc0,
  PingResp: 0xd0,
  Disconnect: 0xe0,
  Auth: 0xf0
} as const

const writeFrame = (buffer: Buffer, start: number, packet: Packet, version: ProtocolVersion, length: number): void => {
  if (packet._tag === "Publish") {
    const at = writePublishTo(buffer, start, packet, version, length)
    buffer.set(packet.payload, at)
    return
  }
  buffer[start] = firstBytes[packet._tag]
  const body = writeVariableByteInteger(buffer, start + 1, length)
  switch (packet._tag) {
    case "PubAck":
    case "PubRec":
    case "PubRel":
    case "PubComp":
      writeReason(buffer, writePacketId(buffer, body, packet.packetId), packet, length - 2)
      return
    case "Connect":
      writeConnectTo(buffer, body, packet, version)
      return
    case "ConnAck":
      buffer[body] = packet.sessionPresent ? 1 : 0
      buffer[body + 1] = packet.reasonCode
      writePropertiesTo(buffer, body + 2, packet.properties, version)
      return
    case "Subscribe": {
      let at = writePropertiesTo(buffer, writePacketId(buffer, body, packet.packetId), packet.properties, version)
      for (const subscription of packet.subscriptions) {
        at = writeUtf8String(buffer, at, subscription.filter)
        buffer[at++] = version === 5 ? subscriptionOptions(subscription) : subscription.qos
      }
      return
    }
    case "SubAck": {
      let at = writePropertiesTo(buffer, writePacketId(buffer, body, packet.packetId), packet.properties, version)
      for (const code of packet.reasonCodes) buffer[at++] = code
      return
    }
    case "Unsubscribe": {
      let at = writePropertiesTo(buffer, writePacketId(buffer, body, packet.packetId), packet.properties, version)
      for (const filter of packet.filters) at = writeUtf8String(buffer, at, filter)
      return
    }
    case "UnsubAck": {
      let at = writePropertiesTo(buffer, writePacketId(buffer, body, packet.packetId), packet.properties, version)
      if (version === 5) for (const code of packet.reasonCodes) buffer[at++] = code
      return
    }
    case "Disconnect":
    case "Auth":
      writeReason(buffer, body, packet, length)
      return
    case "PingReq":
    case "PingResp":
  }
}

const writePacketId = (buffer: Buffer, at: number, packetId: number): number => {
  buffer[at] = packetId >>> 8
  buffer[at + 1] = packetId
  return at + 2
}

const writePropertiesTo = (
  buffer: Buffer,
  at: number,
  properties: object | undefined,
  version: ProtocolVersion
): number => (version === 5 ? writeProperties(buffer, at, properties) : at)

/** Writes a reason code and properties into the `length` bytes that are left for them. */
const writeReason = (
  buffer: Buffer,
  at: number,
  packet: { readonly reasonCode: number; readonly properties?: object },
  length: number
): void => {
  if (length === 0) return
  buffer[at] = packet.reasonCode
  if (length > 1) writeProperties(buffer, at + 1, packet.properties)
}

const subscriptionOptions = (subscription: SubscriptionRequest): number =>
  subscription.qos |
  (subscription.noLocal ? 0x04 : 0) |
  (subscription.retainAsPublished ? 0x08 : 0) |
  (subscription.retainHandling << 4)

/** Writes a PUBLISH, whose Remaining Length is `length`, and returns where its payload belongs. */
const writePublishTo = (
  buffer: Buffer,
  start: number,
  publish: PublishHeader,
  version: ProtocolVersion,
  length: number
): number => {
  buffer[start] = 0x30 | (publish.dup ? 0x08 : 0) | (publish.qos << 1) | (publish.retain ? 0x01 : 0)
  let at = writeVariableByteInteger(buffer, start + 1, length)
  at = writeUtf8String(buffer, at, publish.topic)
  if (publish.qos !== 0) at = writePacketId(buffer, at, publish.packetId)
  if (version !== 5) return at
  if (publish.properties !== undefined) return writePropertiesTo(buffer, at, publish.properties, version)
  buffer[at] = 0
  return at + 1
}

const writeConnectTo = (buffer: Buffer, body: number, connect: Connect, version: ProtocolVersion): void => {
  const { will, username, password } = connect
  let at = writeUtf8String(buffer, body, version === 3 ? "MQIsdp" : "MQTT")
  buffer[at++] = version
  buffer[at++] =
    (username === undefined ? 0 : 0x80) |
    (password === undefined ? 0 : 0x40) |
    (will === undefined ? 0 : 0x04 | (will.qos << 3) | (will.retain ? 0x20 : 0)) |
    (connect.cleanStart ? 0x02 : 0)
  at = buffer.writeUInt16BE(connect.keepAlive, at)
  at = writePropertiesTo(buffer, at, connect.properties, version)
  at = writeUtf8String(buffer, at, connect.clientId)
  if (will !== undefined) {
    at = writePropertiesTo(buffer, at, will.properties, version)
    at = writeUtf8String(buffer, at, will.topic)
    at = writeBinaryData(buffer, at, will.payload)
  }
  if (username !== undefined) at = writeUtf8String(buffer, at, username)
  if (password !== undefined) writeBinaryData(buffer, at, password)
}
