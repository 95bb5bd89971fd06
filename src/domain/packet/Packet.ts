/**
 * The 15 control packets of MQTT 3.1.1 and 5.0 (section 3 of either specification) as plain tagged objects.
 *
 * One shape serves both versions: what only MQTT 5.0 has (`properties`, most reason codes) is absent from a packet of
 * 3.1.1, and its codec neither reads nor writes it. `Decoder.ts` and `Encoder.ts` are the wire format.
 */
import { Schema } from "effect"
import {
  AuthProperties,
  BinaryData,
  ConnAckProperties,
  ConnectProperties,
  DisconnectProperties,
  hasNoWildcard,
  PublishProperties,
  ReasonProperties,
  SubscribeProperties,
  TopicName,
  UnsubscribeProperties,
  Utf8String,
  WillProperties
} from "./Property.ts"
import { reasonCodeOf } from "./ReasonCode.ts"

/** The Protocol Level of a CONNECT: 3 is MQTT 3.1 ("MQIsdp"), 4 is 3.1.1, 5 is 5.0 (section 3.1.2.2). */
export const ProtocolVersion = Schema.Literals([3, 4, 5])
export type ProtocolVersion = typeof ProtocolVersion.Type

/** Quality of Service: at most once, at least once, exactly once (section 4.3). */
export const QoS = Schema.Literals([0, 1, 2])
export type QoS = typeof QoS.Type

/** A Packet Identifier in use: 1 to 65,535 (section 2.2.1). */
export const PacketId = Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 1, maximum: 0xffff })))

const UInt16 = Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 0, maximum: 0xffff })))

/** The Will of a CONNECT: what the server publishes when the connection ends badly (section 3.1.2.5). */
export const Will = Schema.Struct({
  topic: TopicName,
  payload: BinaryData,
  qos: QoS,
  retain: Schema.Boolean,
  properties: Schema.optionalKey(WillProperties)
})
export type Will = typeof Will.Type

/** CONNECT: a client asks for a connection (section 3.1). */
export const Connect = Schema.TaggedStruct("Connect", {
  protocolVersion: ProtocolVersion,
  clientId: Utf8String,
  /** Clean Start of MQTT 5.0, Clean Session of 3.1.1. */
  cleanStart: Schema.Boolean,
  /** Seconds; 0 is off. */
  keepAlive: UInt16,
  will: Schema.optionalKey(Will),
  username: Schema.optionalKey(Utf8String),
  password: Schema.optionalKey(BinaryData),
  properties: Schema.optionalKey(ConnectProperties)
})
export type Connect = typeof Connect.Type

/** CONNACK: the server's answer to a CONNECT (section 3.2). Its reason is a return code (0 to 5) in MQTT 3.1.1. */
export const ConnAck = Schema.TaggedStruct("ConnAck", {
  sessionPresent: Schema.Boolean,
  reasonCode: Schema.Union([reasonCodeOf("ConnAck"), Schema.Literals([1, 2, 3, 4, 5])]),
  properties: Schema.optionalKey(ConnAckProperties)
})
export type ConnAck = typeof ConnAck.Type

/** PUBLISH: an application message (section 3.3). */
export const Publish = Schema.TaggedStruct("Publish", {
  /** Empty only when a topic alias stands for it. */
  topic: Utf8String.pipe(Schema.check(hasNoWildcard)),
  payload: Schema.Uint8Array,
  qos: QoS,
  retain: Schema.Boolean,
  /** Redelivery of an earlier attempt; false at QoS 0. */
  dup: Schema.Boolean,
  /** 0 at QoS 0, 1 to 65,535 otherwise. */
  packetId: UInt16,
  properties: Schema.optionalKey(PublishProperties)
})
export type Publish = typeof Publish.Type

const acknowledgement = <Tag extends "PubAck" | "PubRec" | "PubRel" | "PubComp">(tag: Tag) =>
  Schema.TaggedStruct(tag, {
    packetId: PacketId,
    /** 0 in MQTT 3.1.1, which has none. */
    reasonCode: reasonCodeOf(tag),
    properties: Schema.optionalKey(ReasonProperties)
  })

/** PUBACK: a QoS 1 message has been taken over (section 3.4). */
export const PubAck = acknowledgement("PubAck")
export type PubAck = typeof PubAck.Type

/** PUBREC: a QoS 2 message has been taken over, step 1 (section 3.5). */
export const PubRec = acknowledgement("PubRec")
export type PubRec = typeof PubRec.Type

/** PUBREL: the packet identifier may be forgotten, step 2 (section 3.6). */
export const PubRel = acknowledgement("PubRel")
export type PubRel = typeof PubRel.Type

/** PUBCOMP: the packet identifier is forgotten, step 3 (section 3.7). */
export const PubComp = acknowledgement("PubComp")
export type PubComp = typeof PubComp.Type

/** When a subscription sends retained messages: at each subscribe, only at a new one, never (section 3.8.3.1). */
export const RetainHandling = Schema.Literals([0, 1, 2])
export type RetainHandling = typeof RetainHandling.Type

/** One topic filter of a SUBSCRIBE with its options (section 3.8.3.1). MQTT 3.1.1 has the QoS alone. */
export const SubscriptionRequest = Schema.Struct({
  filter: Utf8String,
  qos: QoS,
  noLocal: Schema.Boolean,
  retainAsPublished: Schema.Boolean,
  retainHandling: RetainHandling
})
export type SubscriptionRequest = typeof SubscriptionRequest.Type

/** SUBSCRIBE (section 3.8). At least one subscription [MQTT-3.8.3-2]. */
export const Subscribe = Schema.TaggedStruct("Subscribe", {
  packetId: PacketId,
  subscriptions: Schema.NonEmptyArray(SubscriptionRequest),
  properties: Schema.optionalKey(SubscribeProperties)
})
export type Subscribe = typeof Subscribe.Type

/** SUBACK: one reason code per subscription, in order (section 3.9). */
export const SubAck = Schema.TaggedStruct("SubAck", {
  packetId: PacketId,
  reasonCodes: Schema.NonEmptyArray(reasonCodeOf("SubAck")),
  properties: Schema.optionalKey(ReasonProperties)
})
export type SubAck = typeof SubAck.Type

/** UNSUBSCRIBE (section 3.10). At least one filter [MQTT-3.10.3-2]. */
export const Unsubscribe = Schema.TaggedStruct("Unsubscribe", {
  packetId: PacketId,
  filters: Schema.NonEmptyArray(Utf8String),
  properties: Schema.optionalKey(UnsubscribeProperties)
})
export type Unsubscribe = typeof Unsubscribe.Type

/** UNSUBACK: one reason code per filter, in order; none in MQTT 3.1.1 (section 3.11). */
export const UnsubAck = Schema.TaggedStruct("UnsubAck", {
  packetId: PacketId,
  reasonCodes: Schema.Array(reasonCodeOf("UnsubAck")),
  properties: Schema.optionalKey(ReasonProperties)
})
export type UnsubAck = typeof UnsubAck.Type

/** PINGREQ (section 3.12). */
export const PingReq = Schema.TaggedStruct("PingReq", {})
export type PingReq = typeof PingReq.Type

/** PINGRESP (section 3.13). */
export const PingResp = Schema.TaggedStruct("PingResp", {})
export type PingResp = typeof PingResp.Type

/** DISCONNECT: the last packet of a connection (section 3.14). Its reason is 0 in MQTT 3.1.1, which has none. */
export const Disconnect = Schema.TaggedStruct("Disconnect", {
  reasonCode: reasonCodeOf("Disconnect"),
  properties: Schema.optionalKey(DisconnectProperties)
})
export type Disconnect = typeof Disconnect.Type

/** AUTH: a step of enhanced authentication; MQTT 5.0 only (section 3.15). */
export const Auth = Schema.TaggedStruct("Auth", {
  reasonCode: reasonCodeOf("Auth"),
  properties: Schema.optionalKey(AuthProperties)
})
export type Auth = typeof Auth.Type

/** Any control packet. */
export const Packet = Schema.Union([
  Connect,
  ConnAck,
  Publish,
  PubAck,
  PubRec,
  PubRel,
  PubComp,
  Subscribe,
  SubAck,
  Unsubscribe,
  UnsubAck,
  PingReq,
  PingResp,
  Disconnect,
  Auth
]).pipe(Schema.toTaggedUnion("_tag"))
export type Packet = typeof Packet.Type
