/** A message as a JSON object, with the keys of mosquitto_sub's `%j` and `%J`. */
import { Option } from "effect"
import type { Publish } from "../packet/Packet.ts"
import type { PublishProperties } from "../packet/Property.ts"
import { isoMicroseconds, type Moment } from "./Moment.ts"

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8")

/** A JSON text's members, each already JSON: names may come twice, as user properties do. */
type Members = ReadonlyArray<readonly [name: string, json: string]>

const object = (members: Members): string =>
  `{${members.map(([name, json]) => `${JSON.stringify(name)}:${json}`).join(",")}}`

const propertyMembers = (properties: PublishProperties): Members => {
  const members: Array<readonly [string, string]> = []
  const add = (name: string, value: unknown) => {
    if (value !== undefined) members.push([name, JSON.stringify(value)])
  }
  if (properties.userProperties !== undefined) {
    members.push([
      "user-properties",
      object(properties.userProperties.map(([name, value]) => [name, JSON.stringify(value)]))
    ])
  }
  add("content-type", properties.contentType)
  if (properties.correlationData !== undefined) add("correlation-data", textOf(properties.correlationData))
  add("response-topic", properties.responseTopic)
  add("payload-format-indicator", properties.payloadFormatIndicator)
  add("message-expiry-interval", properties.messageExpiryInterval)
  const identifiers = properties.subscriptionIdentifiers
  add("subscription-identifier", identifiers?.length === 1 ? identifiers[0] : identifiers)
  add("topic-alias", properties.topicAlias)
  return members
}

/** White space between the tokens of a JSON text, or a string, which has to stay. */
const spaceOrString = /("(?:[^"\\]|\\.)*")|\s+/g

/** A JSON text without white space; its numbers stay as they were written. None when it is not JSON. */
const minified = (text: string): Option.Option<string> => {
  try {
    JSON.parse(text)
  } catch {
    return Option.none()
  }
  return Option.some(text.replaceAll(spaceOrString, (_, string: string | undefined) => string ?? ""))
}

/** The tokens that change the line in a pretty JSON text, empty lists and objects, and strings. */
const tokens = /"(?:[^"\\]|\\.)*"|\{\}|\[\]|[{}[\],:]/g

/** A JSON text without white space, made readable: a member a line, indented with tabs. */
const prettied = (json: string): string => {
  let depth = 0
  const line = () => `\n${"\t".repeat(depth)}`
  return json.replaceAll(tokens, (token) => {
    switch (token) {
      case "{":
      case "[":
        depth++
        return token + line()
      case "}":
      case "]":
        depth--
        return line() + token
      case ",":
        return token + line()
      case ":":
        return ": "
      default:
        return token
    }
  })
}

/** Whether the payload goes in as a string, or as the JSON that it has to be. */
export type PayloadAs = "text" | "json"

/** The message as a JSON text; none when its payload should be JSON and is not. An empty payload is null. */
export const messageJson = (
  { topic, qos, retain, payload, packetId, properties }: Publish,
  moment: Moment,
  payloadAs: PayloadAs,
  isPretty: boolean
): Option.Option<string> => {
  const text = textOf(payload)
  const value =
    payload.length === 0
      ? Option.some("null")
      : payloadAs === "json"
        ? minified(text)
        : Option.some(JSON.stringify(text))
  return Option.map(value, (json) => {
    const members: Array<readonly [string, string]> = [
      ["tst", JSON.stringify(isoMicroseconds(moment))],
      ["topic", JSON.stringify(topic)],
      ["qos", String(qos)],
      ["retain", retain ? "1" : "0"],
      ["payloadlen", String(payload.length)]
    ]
    if (qos > 0) members.push(["mid", String(packetId)])
    if (properties !== undefined) members.push(["properties", object(propertyMembers(properties))])
    members.push(["payload", json])
    return isPretty ? prettied(object(members)) : object(members)
  })
}
