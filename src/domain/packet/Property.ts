/**
 * Properties of MQTT 5.0 (section 2.2.2): their identifiers, their types on the wire, the packets that may carry
 * them, and the Schema of each packet's property set.
 *
 * A property that may appear once is a key of its packet's `properties`; User Property, and the Subscription
 * Identifiers of a PUBLISH, may appear many times and are arrays.
 */
import { Schema } from "effect"

/** How a property's value looks on the wire (section 1.5). */
type WireType =
  | "byte"
  | "twoByteInteger"
  | "fourByteInteger"
  | "variableByteInteger"
  | "utf8String"
  | "binaryData"
  | "utf8StringPair"

/** A place that carries properties: a packet's variable header, or the Will of a CONNECT. */
export type PropertyCarrier =
  | "Connect"
  | "Will"
  | "ConnAck"
  | "Publish"
  | "PubAck"
  | "PubRec"
  | "PubRel"
  | "PubComp"
  | "Subscribe"
  | "SubAck"
  | "Unsubscribe"
  | "UnsubAck"
  | "Disconnect"
  | "Auth"

/** What a value must be beyond its type on the wire: 0 or 1, not 0, or a Topic Name. */
type ValueRule = "zeroOrOne" | "notZero" | "topicName"

/** What the standard says of one property: table 2-4 of section 2.2.2.2. */
export interface PropertyDefinition {
  readonly id: number
  readonly name: string
  readonly type: WireType
  readonly rule?: ValueRule
  readonly carriers: ReadonlyArray<PropertyCarrier>
}

const responses = [
  "ConnAck",
  "PubAck",
  "PubRec",
  "PubRel",
  "PubComp",
  "SubAck",
  "UnsubAck",
  "Disconnect",
  "Auth"
] as const

/** All properties, by their identifiers: table 2-4. */
export const definitions = [
  { id: 0x01, name: "payloadFormatIndicator", type: "byte", rule: "zeroOrOne", carriers: ["Publish", "Will"] },
  { id: 0x02, name: "messageExpiryInterval", type: "fourByteInteger", carriers: ["Publish", "Will"] },
  { id: 0x03, name: "contentType", type: "utf8String", carriers: ["Publish", "Will"] },
  { id: 0x08, name: "responseTopic", type: "utf8String", rule: "topicName", carriers: ["Publish", "Will"] },
  { id: 0x09, name: "correlationData", type: "binaryData", carriers: ["Publish", "Will"] },
  {
    id: 0x0b,
    name: "subscriptionIdentifier",
    type: "variableByteInteger",
    rule: "notZero",
    carriers: ["Publish", "Subscribe"]
  },
  {
    id: 0x11,
    name: "sessionExpiryInterval",
    type: "fourByteInteger",
    carriers: ["Connect", "ConnAck", "Disconnect"]
  },
  { id: 0x12, name: "assignedClientIdentifier", type: "utf8String", carriers: ["ConnAck"] },
  { id: 0x13, name: "serverKeepAlive", type: "twoByteInteger", carriers: ["ConnAck"] },
  { id: 0x15, name: "authenticationMethod", type: "utf8String", carriers: ["Connect", "ConnAck", "Auth"] },
  { id: 0x16, name: "authenticationData", type: "binaryData", carriers: ["Connect", "ConnAck", "Auth"] },
  { id: 0x17, name: "requestProblemInformation", type: "byte", rule: "zeroOrOne", carriers: ["Connect"] },
  { id: 0x18, name: "willDelayInterval", type: "fourByteInteger", carriers: ["Will"] },
  { id: 0x19, name: "requestResponseInformation", type: "byte", rule: "zeroOrOne", carriers: ["Connect"] },
  { id: 0x1a, name: "responseInformation", type: "utf8String", carriers: ["ConnAck"] },
  { id: 0x1c, name: "serverReference", type: "utf8String", carriers: ["ConnAck", "Disconnect"] },
  { id: 0x1f, name: "reasonString", type: "utf8String", carriers: responses },
  { id: 0x21, name: "receiveMaximum", type: "twoByteInteger", rule: "notZero", carriers: ["Connect", "ConnAck"] },
  { id: 0x22, name: "topicAliasMaximum", type: "twoByteInteger", carriers: ["Connect", "ConnAck"] },
  { id: 0x23, name: "topicAlias", type: "twoByteInteger", rule: "notZero", carriers: ["Publish"] },
  { id: 0x24, name: "maximumQoS", type: "byte", rule: "zeroOrOne", carriers: ["ConnAck"] },
  { id: 0x25, name: "retainAvailable", type: "byte", rule: "zeroOrOne", carriers: ["ConnAck"] },
  {
    id: 0x26,
    name: "userProperties",
    type: "utf8StringPair",
    carriers: ["Connect", "Will", "Publish", "Subscribe", "Unsubscribe", ...responses]
  },
  { id: 0x27, name: "maximumPacketSize", type: "fourByteInteger", rule: "notZero", carriers: ["Connect", "ConnAck"] },
  { id: 0x28, name: "wildcardSubscriptionAvailable", type: "byte", rule: "zeroOrOne", carriers: ["ConnAck"] },
  { id: 0x29, name: "subscriptionIdentifiersAvailable", type: "byte", rule: "zeroOrOne", carriers: ["ConnAck"] },
  { id: 0x2a, name: "sharedSubscriptionAvailable", type: "byte", rule: "zeroOrOne", carriers: ["ConnAck"] }
] as const satisfies ReadonlyArray<PropertyDefinition>

const Byte01 = Schema.Literals([0, 1])
const TwoByteInteger = Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 0, maximum: 0xffff })))
const NonZeroTwoByteInteger = Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 1, maximum: 0xffff })))
const FourByteInteger = Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 0, maximum: 0xffff_ffff })))
const NonZeroFourByteInteger = Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 1, maximum: 0xffff_ffff })))

/** A Subscription Identifier: 1 to 268,435,455 (section 3.8.2.1.2). */
export const SubscriptionIdentifier = Schema.Int.pipe(
  Schema.check(Schema.isBetween({ minimum: 1, maximum: 268_435_455 }))
)

const isLoneSurrogate = /\p{Surrogate}/u

/** A UTF-8 Encoded String: at most 65,535 bytes, no U+0000, no lone surrogate (section 1.5.4). */
export const Utf8String = Schema.String.pipe(
  Schema.check(
    Schema.makeFilter((s: string) => !s.includes("\0") || "contains U+0000"),
    Schema.makeFilter((s: string) => !isLoneSurrogate.test(s) || "contains a lone surrogate"),
    Schema.makeFilter((s: string) => Buffer.byteLength(s) <= 0xffff || "is longer than 65535 bytes in UTF-8")
  )
)

/** A check: a Topic Name has no wildcard [MQTT-4.7.0-1]. */
export const hasNoWildcard = Schema.makeFilter((topic: string) => !/[+#]/.test(topic) || "contains a wildcard")

/** A Topic Name: not empty, without wildcards [MQTT-4.7.0-1, 4.7.3-1]. */
export const TopicName = Utf8String.pipe(Schema.check(Schema.isNonEmpty(), hasNoWildcard))

/** Binary Data: at most 65,535 bytes (section 1.5.6). */
export const BinaryData = Schema.Uint8Array.pipe(
  Schema.check(Schema.makeFilter((b: Uint8Array) => b.length <= 0xffff || "is longer than 65535 bytes"))
)

/** Name and value pairs whose meaning only the application knows; order is kept (section 3.1.2.11.8 and others). */
export const UserProperties = Schema.Array(Schema.Tuple([Utf8String, Utf8String])).pipe(
  Schema.check(Schema.makeFilter((pairs: ReadonlyArray<unknown>) => pairs.length > 0 || "is empty: leave it out"))
)

const userProperties = { userProperties: Schema.optionalKey(UserProperties) }
const reason = { reasonString: Schema.optionalKey(Utf8String), ...userProperties }

const publication = {
  payloadFormatIndicator: Schema.optionalKey(Byte01),
  messageExpiryInterval: Schema.optionalKey(FourByteInteger),
  contentType: Schema.optionalKey(Utf8String),
  responseTopic: Schema.optionalKey(TopicName),
  correlationData: Schema.optionalKey(BinaryData),
  ...userProperties
}

/** Properties of a CONNECT (section 3.1.2.11). */
export const ConnectProperties = Schema.Struct({
  sessionExpiryInterval: Schema.optionalKey(FourByteInteger),
  receiveMaximum: Schema.optionalKey(NonZeroTwoByteInteger),
  maximumPacketSize: Schema.optionalKey(NonZeroFourByteInteger),
  topicAliasMaximum: Schema.optionalKey(TwoByteInteger),
  requestResponseInformation: Schema.optionalKey(Byte01),
  requestProblemInformation: Schema.optionalKey(Byte01),
  authenticationMethod: Schema.optionalKey(Utf8String),
  authenticationData: Schema.optionalKey(BinaryData),
  ...userProperties
})
export type ConnectProperties = typeof ConnectProperties.Type

/** Properties of the Will in a CONNECT (section 3.1.3.2). */
export const WillProperties = Schema.Struct({
  willDelayInterval: Schema.optionalKey(FourByteInteger),
  ...publication
})
export type WillProperties = typeof WillProperties.Type

/** Properties of a CONNACK (section 3.2.2.3). */
export const ConnAckProperties = Schema.Struct({
  sessionExpiryInterval: Schema.optionalKey(FourByteInteger),
  receiveMaximum: Schema.optionalKey(NonZeroTwoByteInteger),
  maximumQoS: Schema.optionalKey(Byte01),
  retainAvailable: Schema.optionalKey(Byte01),
  maximumPacketSize: Schema.optionalKey(NonZeroFourByteInteger),
  assignedClientIdentifier: Schema.optionalKey(Utf8String),
  topicAliasMaximum: Schema.optionalKey(TwoByteInteger),
  wildcardSubscriptionAvailable: Schema.optionalKey(Byte01),
  subscriptionIdentifiersAvailable: Schema.optionalKey(Byte01),
  sharedSubscriptionAvailable: Schema.optionalKey(Byte01),
  serverKeepAlive: Schema.optionalKey(TwoByteInteger),
  responseInformation: Schema.optionalKey(Utf8String),
  serverReference: Schema.optionalKey(Utf8String),
  authenticationMethod: Schema.optionalKey(Utf8String),
  authenticationData: Schema.optionalKey(BinaryData),
  ...reason
})
export type ConnAckProperties = typeof ConnAckProperties.Type

/** Properties of a PUBLISH (section 3.3.2.3). */
export const PublishProperties = Schema.Struct({
  ...publication,
  topicAlias: Schema.optionalKey(NonZeroTwoByteInteger),
  subscriptionIdentifiers: Schema.optionalKey(
    Schema.Array(SubscriptionIdentifier).pipe(
      Schema.check(Schema.makeFilter((ids: ReadonlyArray<number>) => ids.length > 0 || "is empty: leave it out"))
    )
  )
})
export type PublishProperties = typeof PublishProperties.Type

/** Properties of PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK and UNSUBACK (sections 3.4.2.2 and following). */
export const ReasonProperties = Schema.Struct(reason)
export type ReasonProperties = typeof ReasonProperties.Type

/** Properties of a SUBSCRIBE (section 3.8.2.1). */
export const SubscribeProperties = Schema.Struct({
  subscriptionIdentifier: Schema.optionalKey(SubscriptionIdentifier),
  ...userProperties
})
export type SubscribeProperties = typeof SubscribeProperties.Type

/** Properties of an UNSUBSCRIBE (section 3.10.2.1). */
export const UnsubscribeProperties = Schema.Struct(userProperties)
export type UnsubscribeProperties = typeof UnsubscribeProperties.Type

/** Properties of a DISCONNECT (section 3.14.2.2). */
export const DisconnectProperties = Schema.Struct({
  sessionExpiryInterval: Schema.optionalKey(FourByteInteger),
  serverReference: Schema.optionalKey(Utf8String),
  ...reason
})
export type DisconnectProperties = typeof DisconnectProperties.Type

/** Properties of an AUTH (section 3.15.2.2). */
export const AuthProperties = Schema.Struct({
  authenticationMethod: Schema.optionalKey(Utf8String),
  authenticationData: Schema.optionalKey(BinaryData),
  ...reason
})
export type AuthProperties = typeof AuthProperties.Type
