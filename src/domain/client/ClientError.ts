/** Why a client could not do what it was asked, one error with a reason for each case. */
import { Schema } from "effect"
import { ProtocolVersion } from "../packet/Packet.ts"
import { connAckPhrase, reasonPhrase } from "./ReasonPhrase.ts"

const ReasonString = Schema.optionalKey(Schema.String)

/** No network connection could be opened. */
export const Unreachable = Schema.TaggedStruct("Unreachable", {
  /** `host:port`. */
  address: Schema.String,
  detail: Schema.String
})

/** The server's CONNACK refuses the connection (section 3.2.2.2). */
export const Refused = Schema.TaggedStruct("Refused", {
  /** A reason code of MQTT 5.0, or a return code of 3.1.1 (1 to 5): `version` tells. */
  code: Schema.Int,
  version: ProtocolVersion,
  reasonString: ReasonString
})

/** The connection has ended, without our doing. */
export const ConnectionClosed = Schema.TaggedStruct("ConnectionClosed", {
  /** Of the server's DISCONNECT; absent when it sent none. */
  code: Schema.optionalKey(Schema.Int),
  reasonString: ReasonString
})

/** The server did not answer in time. */
export const Timeout = Schema.TaggedStruct("Timeout", {
  /** The packet that did not come. */
  awaited: Schema.Literals(["CONNACK", "PINGRESP"]),
  millis: Schema.Finite
})

/** The server sent what it may not send; the connection was closed for it (section 4.13). */
export const ProtocolViolation = Schema.TaggedStruct("ProtocolViolation", { detail: Schema.String })

/** The server's PUBACK, PUBREC, SUBACK or UNSUBACK refuses the request. */
export const Rejected = Schema.TaggedStruct("Rejected", {
  packet: Schema.Literals(["PUBLISH", "SUBSCRIBE", "UNSUBSCRIBE"]),
  code: Schema.Int,
  reasonString: ReasonString
})

/** What was asked is against the rules of MQTT, or against what the server has said that it supports. */
export const Invalid = Schema.TaggedStruct("Invalid", { detail: Schema.String })

/** The message's Message Expiry Interval passed before it could be sent. */
export const Expired = Schema.TaggedStruct("Expired", { topic: Schema.String })

/** The client has been disconnected by `disconnect`, or by the end of its scope. */
export const Disconnected = Schema.TaggedStruct("Disconnected", {})

/** All reasons, by their tags. */
export const ClientErrorReason = Schema.Union([
  Unreachable,
  Refused,
  ConnectionClosed,
  Timeout,
  ProtocolViolation,
  Rejected,
  Invalid,
  Expired,
  Disconnected
]).pipe(Schema.toTaggedUnion("_tag"))
export type ClientErrorReason = typeof ClientErrorReason.Type

/** A server's own words, made safe to print: it chose them. */
const quoted = (reasonString: string | undefined): string =>
  reasonString === undefined ? "" : `: ${JSON.stringify(reasonString)}`

const messageOf = (reason: ClientErrorReason): string => {
  switch (reason._tag) {
    case "Unreachable":
      return `cannot connect to ${reason.address}: ${reason.detail}`
    case "Refused":
      return `the server refused the connection: ${connAckPhrase(reason.code, reason.version)}${quoted(reason.reasonString)}`
    case "ConnectionClosed":
      return reason.code === undefined
        ? "the connection was lost"
        : `the server ended the connection: ${reasonPhrase(reason.code)}${quoted(reason.reasonString)}`
    case "Timeout":
      return `the server sent no ${reason.awaited} within ${reason.millis / 1000} s`
    case "ProtocolViolation":
      return `the server broke the protocol: ${reason.detail}`
    case "Rejected":
      return `the server refused the ${reason.packet}: ${reasonPhrase(reason.code)}${quoted(reason.reasonString)}`
    case "Invalid":
      return reason.detail
    case "Expired":
      return `the message for ${JSON.stringify(reason.topic)} expired before it could be sent`
    case "Disconnected":
      return "the client is disconnected"
  }
}

/** A client's error; `reason._tag` says which. */
export class ClientError extends Schema.TaggedError<ClientError>()("ClientError", { reason: ClientErrorReason }) {
  override get message() {
    return messageOf(this.reason)
  }
}

/** An error with `Invalid` as its reason. */
export const invalid = (detail: string): ClientError => new ClientError({ reason: { _tag: "Invalid", detail } })

/** Codes of CONNACK and DISCONNECT after which the same attempt may succeed later, here or at another server. */
const transientCodes: ReadonlySet<number> = new Set([
  0x00, 0x80, 0x83, 0x88, 0x89, 0x8b, 0x8d, 0x93, 0x96, 0x97, 0x9c, 0x9d, 0x9f, 0xa0
])

/** Whether a lost or failed connection is worth another attempt: not so when the server has said no for good. */
export const isTransient = ({ reason }: ClientError): boolean => {
  switch (reason._tag) {
    case "Unreachable":
    case "Timeout":
      return true
    case "Refused":
      return reason.version === 5 ? transientCodes.has(reason.code) : reason.code === 3
    case "ConnectionClosed":
      return reason.code === undefined || transientCodes.has(reason.code)
    default:
      return false
  }
}
