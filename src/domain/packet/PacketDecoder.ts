/** The variable header and payload of each control packet except PUBLISH (section 3), after its fixed header. */
import type {
  Auth,
  ConnAck,
  Connect,
  Disconnect,
  ProtocolVersion,
  PubAck,
  PubComp,
  PubRec,
  PubRel,
  QoS,
  RetainHandling,
  SubAck,
  Subscribe,
  SubscriptionRequest,
  Unsubscribe,
  UnsubAck,
  Will
} from "./Packet.ts"
import type { PacketReader } from "./PacketReader.ts"
import { checkTopicName, readProperties } from "./PropertyDecoder.ts"
import type { ReasonCodePacket } from "./ReasonCode.ts"
import { ReasonCode, reasonCodes, ReturnCode, SubscribeFailure } from "./ReasonCode.ts"

/** Reads the Protocol Name and the Protocol Level of a CONNECT (section 3.1.2.1), and returns the level. */
export const readProtocolLevel = (reader: PacketReader): number => {
  const name = reader.utf8String()
  const level = reader.byte()
  if (name !== (level === 3 ? "MQIsdp" : "MQTT")) {
    reader.refuse(ReasonCode.UnsupportedProtocolVersion, "MQTT-3.1.2-1", "the Protocol Name of the CONNECT is wrong")
  }
  return level
}

/** The version of a Protocol Level [MQTT-3.1.2-2]. */
export const versionOf = (reader: PacketReader, level: number): ProtocolVersion =>
  level === 3 || level === 4 || level === 5
    ? level
    : reader.refuse(
        ReasonCode.UnsupportedProtocolVersion,
        "MQTT-3.1.2-2",
        `there is no version of MQTT with Protocol Level ${level}`
      )

/** Reads a CONNECT from the Connect Flags on (section 3.1.2.3). */
export const readConnect = (reader: PacketReader): Connect => {
  const version = reader.version
  const flags = reader.byte()
  if ((flags & 1) !== 0) reader.malformed("MQTT-3.1.2-3", "the reserved bit of the Connect Flags is set")
  const hasWill = (flags & 0x04) !== 0
  const willQoS = (flags >> 3) & 3
  if (willQoS === 3) reader.malformed("MQTT-3.1.2-12", "the Will QoS is 3", "MQTT-3.1.2-14")
  if (!hasWill && willQoS !== 0)
    reader.malformed("MQTT-3.1.2-11", "there is a Will QoS without a Will", "MQTT-3.1.2-13")
  if (!hasWill && (flags & 0x20) !== 0) {
    reader.malformed("MQTT-3.1.2-13", "Will Retain is set without a Will", "MQTT-3.1.2-15")
  }
  const hasUsername = (flags & 0x80) !== 0
  const hasPassword = (flags & 0x40) !== 0
  if (version !== 5 && hasPassword && !hasUsername) {
    reader.malformed("MQTT-3.1.2-22", "there is a Password without a User Name")
  }
  const keepAlive = reader.twoByteInteger()
  const properties = version === 5 ? readProperties(reader, "Connect") : undefined
  const clientId = reader.utf8String()
  const will = hasWill ? readWill(reader, willQoS as QoS, (flags & 0x20) !== 0) : undefined
  const username = hasUsername ? reader.utf8String() : undefined
  const password = hasPassword ? reader.binaryData() : undefined
  reader.finish()
  return {
    _tag: "Connect",
    protocolVersion: version,
    clientId,
    cleanStart: (flags & 0x02) !== 0,
    keepAlive,
    ...(will === undefined ? undefined : { will }),
    ...(username === undefined ? undefined : { username }),
    ...(password === undefined ? undefined : { password }),
    ...(properties === undefined ? undefined : { properties })
  }
}

const readWill = (reader: PacketReader, qos: QoS, retain: boolean): Will => {
  const properties = reader.version === 5 ? readProperties(reader, "Will") : undefined
  const topic = reader.utf8String()
  checkTopicName(reader, topic, reader.version === 5 ? "MQTT-4.7.0-1" : "MQTT-4.7.1-1")
  const payload = reader.binaryData()
  const will = { topic, payload, qos, retain }
  return properties === undefined ? will : { ...will, properties }
}

/** Reads a CONNACK (section 3.2). */
export const readConnAck = (reader: PacketReader): ConnAck => {
  const flags = reader.byte()
  if (flags > 1)
    reader.malformed("MQTT-3.2.2-1", "a reserved bit of the Connect Acknowledge Flags is set", "section 3.2.2.1")
  const code = reader.byte()
  if (reader.version === 5) checkReasonCode(reader, "ConnAck", code, "MQTT-3.2.2-8")
  else if (code > ReturnCode.NotAuthorized)
    reader.protocolError("section 3.2.2.3", "a return code of CONNACK is unknown")
  if (flags === 1 && code !== 0) {
    reader.protocolError("MQTT-3.2.2-6", "a CONNACK that refuses says Session Present", "MQTT-3.2.2-4")
  }
  const properties = reader.version === 5 ? readProperties(reader, "ConnAck") : undefined
  reader.finish()
  const packet = { _tag: "ConnAck", sessionPresent: flags === 1, reasonCode: code as ConnAck["reasonCode"] } as const
  return properties === undefined ? packet : { ...packet, properties }
}

type Acknowledgement = PubAck | PubRec | PubRel | PubComp

const acknowledgementStatements = {
  PubAck: "MQTT-3.4.2-1",
  PubRec: "MQTT-3.5.2-1",
  PubRel: "MQTT-3.6.2-1",
  PubComp: "MQTT-3.7.2-1"
} as const

/** Reads a PUBACK, PUBREC, PUBREL or PUBCOMP (sections 3.4 to 3.7). */
export const readAcknowledgement = (reader: PacketReader, tag: Acknowledgement["_tag"]): Acknowledgement => {
  const packetId = reader.packetId()
  let reasonCode = 0
  let properties: PubAck["properties"]
  if (reader.version === 5 && reader.hasMore) {
    reasonCode = reader.byte()
    checkReasonCode(reader, tag, reasonCode, acknowledgementStatements[tag])
    if (reader.hasMore) properties = readProperties(reader, tag)
  }
  reader.finish()
  const packet = { _tag: tag, packetId, reasonCode } as Acknowledgement
  return properties === undefined ? packet : { ...packet, properties }
}

/** Reads a SUBSCRIBE (section 3.8). */
export const readSubscribe = (reader: PacketReader): Subscribe => {
  const packetId = reader.packetId()
  const properties = reader.version === 5 ? readProperties(reader, "Subscribe") : undefined
  if (!reader.hasMore) reader.protocolError("MQTT-3.8.3-2", "a SUBSCRIBE has no subscription", "MQTT-3.8.3-3")
  const first = readSubscription(reader)
  const subscriptions: [SubscriptionRequest, ...Array<SubscriptionRequest>] = [first]
  while (reader.hasMore) subscriptions.push(readSubscription(reader))
  const packet = { _tag: "Subscribe", packetId, subscriptions } as const
  return properties === undefined ? packet : { ...packet, properties }
}

const readSubscription = (reader: PacketReader): SubscriptionRequest => {
  const filter = reader.utf8String()
  const options = reader.byte()
  const reserved = reader.version === 5 ? 0xc0 : 0xfc
  if ((options & reserved) !== 0) {
    reader.malformed("MQTT-3.8.3-5", "a reserved bit of the Subscription Options is set", "MQTT-3.8.3-4")
  }
  const qos = options & 3
  if (qos === 3) reader.protocolError("section 3.8.3.1", "a subscription asks for QoS 3", "MQTT-3.8.3-4")
  const noLocal = (options & 0x04) !== 0
  if (noLocal && filter.startsWith("$share/")) {
    reader.protocolError("MQTT-3.8.3-4", "a shared subscription has the No Local option")
  }
  const retainHandling = options >> 4
  if (retainHandling === 3) reader.protocolError("section 3.8.3.1", "the Retain Handling of a subscription is 3")
  return {
    filter,
    qos: qos as QoS,
    noLocal,
    retainAsPublished: (options & 0x08) !== 0,
    retainHandling: retainHandling as RetainHandling
  }
}

/** Reads a SUBACK (section 3.9). */
export const readSubAck = (reader: PacketReader): SubAck => {
  const packetId = reader.packetId()
  const properties = reader.version === 5 ? readProperties(reader, "SubAck") : undefined
  if (!reader.hasMore) reader.protocolError("section 3.9.3", "a SUBACK has no reason code")
  const first = readSubAckCode(reader)
  const codes: [SubAck["reasonCodes"][0], ...Array<SubAck["reasonCodes"][0]>] = [first]
  while (reader.hasMore) codes.push(readSubAckCode(reader))
  const packet = { _tag: "SubAck", packetId, reasonCodes: codes } as const
  return properties === undefined ? packet : { ...packet, properties }
}

const readSubAckCode = (reader: PacketReader): SubAck["reasonCodes"][0] => {
  const code = reader.byte()
  if (reader.version === 5) checkReasonCode(reader, "SubAck", code, "MQTT-3.9.3-2")
  else if (code > 2 && code !== SubscribeFailure) {
    reader.protocolError("MQTT-3.9.3-2", "a return code of SUBACK is unknown")
  }
  return code as SubAck["reasonCodes"][0]
}

/** Reads an UNSUBSCRIBE (section 3.10). */
export const readUnsubscribe = (reader: PacketReader): Unsubscribe => {
  const packetId = reader.packetId()
  const properties = reader.version === 5 ? readProperties(reader, "Unsubscribe") : undefined
  if (!reader.hasMore) reader.protocolError("MQTT-3.10.3-2", "an UNSUBSCRIBE has no Topic Filter")
  const first = reader.utf8String()
  const filters: [string, ...Array<string>] = [first]
  while (reader.hasMore) filters.push(reader.utf8String())
  const packet = { _tag: "Unsubscribe", packetId, filters } as const
  return properties === undefined ? packet : { ...packet, properties }
}

/** Reads an UNSUBACK (section 3.11). */
export const readUnsubAck = (reader: PacketReader): UnsubAck => {
  const packetId = reader.packetId()
  const properties = reader.version === 5 ? readProperties(reader, "UnsubAck") : undefined
  const codes: Array<UnsubAck["reasonCodes"][number]> = []
  while (reader.version === 5 && reader.hasMore) {
    const code = reader.byte()
    checkReasonCode(reader, "UnsubAck", code, "MQTT-3.11.3-2")
    codes.push(code as UnsubAck["reasonCodes"][number])
  }
  reader.finish()
  const packet = { _tag: "UnsubAck", packetId, reasonCodes: codes } as const
  return properties === undefined ? packet : { ...packet, properties }
}

/** Reads a DISCONNECT (section 3.14). Of the server's, `fromServer`, MQTT 5.0 forbids a Session Expiry Interval. */
export const readDisconnect = (reader: PacketReader, fromServer: boolean): Disconnect => {
  let reasonCode = 0
  let properties: Disconnect["properties"]
  if (reader.version === 5 && reader.hasMore) {
    reasonCode = reader.byte()
    checkReasonCode(reader, "Disconnect", reasonCode, "MQTT-3.14.2-1")
    if (reader.hasMore) properties = readProperties(reader, "Disconnect")
    if (fromServer && properties?.sessionExpiryInterval !== undefined) {
      reader.protocolError("MQTT-3.14.2-2", "the server's DISCONNECT has a Session Expiry Interval")
    }
  }
  reader.finish()
  const packet = { _tag: "Disconnect", reasonCode: reasonCode as Disconnect["reasonCode"] } as const
  return properties === undefined ? packet : { ...packet, properties }
}

/** Reads an AUTH (section 3.15). */
export const readAuth = (reader: PacketReader): Auth => {
  let reasonCode = 0
  let properties: Auth["properties"]
  if (reader.hasMore) {
    reasonCode = reader.byte()
    checkReasonCode(reader, "Auth", reasonCode, "MQTT-3.15.2-1")
    if (reader.hasMore) properties = readProperties(reader, "Auth")
  }
  reader.finish()
  const packet = { _tag: "Auth", reasonCode: reasonCode as Auth["reasonCode"] } as const
  return properties === undefined ? packet : { ...packet, properties }
}

const checkReasonCode = (reader: PacketReader, packet: ReasonCodePacket, code: number, statement: string): void => {
  const known: ReadonlyArray<number> = reasonCodes[packet]
  if (!known.includes(code)) {
    reader.protocolError(statement, `a ${packet} has the reason code 0x${code.toString(16)}, which it may not have`)
  }
}
