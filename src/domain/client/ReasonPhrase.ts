/** Reason codes in words, for people (section 2.4 of MQTT 5.0, section 3.2.2.3 of 3.1.1). */
import type { ProtocolVersion } from "../packet/Packet.ts"

const phrases: ReadonlyMap<number, string> = new Map([
  [0x00, "success"],
  [0x04, "disconnect with will message"],
  [0x10, "no matching subscribers"],
  [0x11, "no subscription existed"],
  [0x18, "continue authentication"],
  [0x19, "re-authenticate"],
  [0x80, "unspecified error"],
  [0x81, "malformed packet"],
  [0x82, "protocol error"],
  [0x83, "implementation specific error"],
  [0x84, "unsupported protocol version"],
  [0x85, "client identifier not valid"],
  [0x86, "bad user name or password"],
  [0x87, "not authorized"],
  [0x88, "server unavailable"],
  [0x89, "server busy"],
  [0x8a, "banned"],
  [0x8b, "server shutting down"],
  [0x8c, "bad authentication method"],
  [0x8d, "keep alive timeout"],
  [0x8e, "session taken over"],
  [0x8f, "topic filter invalid"],
  [0x90, "topic name invalid"],
  [0x91, "packet identifier in use"],
  [0x92, "packet identifier not found"],
  [0x93, "receive maximum exceeded"],
  [0x94, "topic alias invalid"],
  [0x95, "packet too large"],
  [0x96, "message rate too high"],
  [0x97, "quota exceeded"],
  [0x98, "administrative action"],
  [0x99, "payload format invalid"],
  [0x9a, "retain not supported"],
  [0x9b, "QoS not supported"],
  [0x9c, "use another server"],
  [0x9d, "server moved"],
  [0x9e, "shared subscriptions not supported"],
  [0x9f, "connection rate exceeded"],
  [0xa0, "maximum connect time"],
  [0xa1, "subscription identifiers not supported"],
  [0xa2, "wildcard subscriptions not supported"]
])

const returnPhrases: ReadonlyMap<number, string> = new Map([
  [1, "unacceptable protocol version"],
  [2, "client identifier rejected"],
  [3, "server unavailable"],
  [4, "bad user name or password"],
  [5, "not authorized"]
])

const hex = (code: number): string => `0x${code.toString(16).padStart(2, "0")}`

/** A reason code of MQTT 5.0 with its number: `not authorized (0x87)`. */
export const reasonPhrase = (code: number): string => {
  const phrase = phrases.get(code)
  return phrase === undefined ? `reason code ${hex(code)}` : `${phrase} (${hex(code)})`
}

/** The code of a CONNACK, which is a return code before MQTT 5.0: `not authorized (5)`. */
export const connAckPhrase = (code: number, version: ProtocolVersion): string => {
  if (version === 5) return reasonPhrase(code)
  const phrase = returnPhrases.get(code)
  return phrase === undefined ? `return code ${code}` : `${phrase} (${code})`
}
