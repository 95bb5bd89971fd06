/**
 * An application message as a broker holds it: what a PUBLISH said, without what belonged to the connection it came by
 * (packet identifier, topic alias, DUP). Immutable, and shared by everyone who waits for it.
 */
import { Schema } from "effect"
import { QoS } from "./packet/Packet.ts"
import type { Publish, Will } from "./packet/Packet.ts"
import { BinaryData, UserProperties, Utf8String } from "./packet/Property.ts"
import type { PublishProperties } from "./packet/Property.ts"
import { propertiesLength } from "./packet/PropertyEncoder.ts"

/** A time that never comes, where milliseconds of the shared clock are expected. */
export const never = Number.MAX_SAFE_INTEGER

/** The properties that a server forwards unaltered (section 3.3.2.3). Message Expiry travels as `expiresAt`. */
export const MessageProperties = Schema.Struct({
  payloadFormatIndicator: Schema.optionalKey(Schema.Literals([0, 1])),
  contentType: Schema.optionalKey(Utf8String),
  responseTopic: Schema.optionalKey(Utf8String),
  correlationData: Schema.optionalKey(BinaryData),
  userProperties: Schema.optionalKey(UserProperties)
})
export type MessageProperties = typeof MessageProperties.Type

export const Message = Schema.Struct({
  topic: Schema.String,
  payload: Schema.Uint8Array,
  qos: QoS,
  retain: Schema.Boolean,
  /** Milliseconds of the shared clock, or `never`. */
  expiresAt: Schema.Int,
  /** The client identifier of the publisher: No Local and hash-by-publisher look at it. */
  publisher: Schema.String,
  properties: Schema.optionalKey(MessageProperties)
})
export type Message = typeof Message.Type

const forwarded = (properties: PublishProperties): MessageProperties | undefined => {
  const { payloadFormatIndicator, contentType, responseTopic, correlationData, userProperties } = properties
  if (
    payloadFormatIndicator === undefined &&
    contentType === undefined &&
    responseTopic === undefined &&
    correlationData === undefined &&
    userProperties === undefined
  ) {
    return undefined
  }
  return {
    ...(payloadFormatIndicator !== undefined && { payloadFormatIndicator }),
    ...(contentType !== undefined && { contentType }),
    ...(responseTopic !== undefined && { responseTopic }),
    ...(correlationData !== undefined && { correlationData }),
    ...(userProperties !== undefined && { userProperties })
  }
}

/** When a message that arrives `now` expires: after its Message Expiry Interval in seconds [MQTT-3.3.2-5]. */
const expiryOf = (interval: number | undefined, now: number): number =>
  interval === undefined ? never : now + interval * 1000

/** The message of a PUBLISH that arrived `now` from `publisher`, under the topic that its alias resolved to. */
export const fromPublish = (packet: Publish, topic: string, publisher: string, now: number): Message => {
  const { payload, qos, retain, properties } = packet
  if (properties === undefined) return { topic, payload, qos, retain, expiresAt: never, publisher }
  const expiresAt = expiryOf(properties.messageExpiryInterval, now)
  const kept = forwarded(properties)
  return kept === undefined
    ? { topic, payload, qos, retain, expiresAt, publisher }
    : { topic, payload, qos, retain, expiresAt, publisher, properties: kept }
}

/** The message of a Will that is published `now` (section 3.1.3.2: its expiry counts from its publication). */
export const fromWill = (will: Will, publisher: string, now: number): Message =>
  fromPublish(
    {
      _tag: "Publish",
      topic: will.topic,
      payload: will.payload,
      qos: will.qos,
      retain: will.retain,
      dup: false,
      packetId: 0,
      ...(will.properties !== undefined && { properties: will.properties })
    },
    will.topic,
    publisher,
    now
  )

/** The same message with bytes of its own, so that keeping it does not keep the read buffer that it arrived in. */
export const detached = (message: Message): Message => {
  const { payload, properties } = message
  return {
    ...message,
    payload: new Uint8Array(payload),
    ...(properties?.correlationData !== undefined && {
      properties: { ...properties, correlationData: new Uint8Array(properties.correlationData) }
    })
  }
}

/** The bytes that keeping a message takes: topic, payload and properties. Limits and credit are reckoned with it. */
export const size = ({ topic, payload, properties }: Message): number =>
  topic.length + payload.length + (properties === undefined ? 0 : propertiesLength(properties))

/** Whole seconds that remain until the message expires at `now`, for its Message Expiry Interval [MQTT-3.3.2-6]. */
export const remainingSeconds = (message: Message, now: number): number =>
  Math.max(0, Math.ceil((message.expiresAt - now) / 1000))
