/** Properties as bytes to their objects (section 2.2.2 of MQTT 5.0). */
import type { PacketReader } from "./PacketReader.ts"
import type {
  AuthProperties,
  ConnAckProperties,
  ConnectProperties,
  DisconnectProperties,
  PropertyCarrier,
  PropertyDefinition,
  PublishProperties,
  ReasonProperties,
  SubscribeProperties,
  UnsubscribeProperties,
  WillProperties
} from "./Property.ts"
import { definitions } from "./Property.ts"
import { ReasonCode } from "./ReasonCode.ts"

/** The property sets by what carries them. */
export interface PropertiesOf {
  Connect: ConnectProperties
  Will: WillProperties
  ConnAck: ConnAckProperties
  Publish: PublishProperties
  PubAck: ReasonProperties
  PubRec: ReasonProperties
  PubRel: ReasonProperties
  PubComp: ReasonProperties
  Subscribe: SubscribeProperties
  SubAck: ReasonProperties
  Unsubscribe: UnsubscribeProperties
  UnsubAck: ReasonProperties
  Disconnect: DisconnectProperties
  Auth: AuthProperties
}

/** The section on the properties of each carrier: what a broken rule without a number of its own is cited by. */
const sections: Record<PropertyCarrier, string> = {
  Connect: "section 3.1.2.11",
  Will: "section 3.1.3.2",
  ConnAck: "section 3.2.2.3",
  Publish: "section 3.3.2.3",
  PubAck: "section 3.4.2.2",
  PubRec: "section 3.5.2.2",
  PubRel: "section 3.6.2.2",
  PubComp: "section 3.7.2.2",
  Subscribe: "section 3.8.2.1",
  SubAck: "section 3.9.2.1",
  Unsubscribe: "section 3.10.2.1",
  UnsubAck: "section 3.11.2.1",
  Disconnect: "section 3.14.2.2",
  Auth: "section 3.15.2.2"
}

const byIdentifier: ReadonlyArray<PropertyDefinition | undefined> = Array.from({ length: 0x2b }, (_, id) =>
  definitions.find((definition) => definition.id === id)
)

type Value = string | number | Buffer | Array<number> | Array<readonly [string, string]>

/**
 * Reads a Property Length and the properties after it; undefined when there are none. Refuses a property that the
 * carrier may not have, one that comes twice, and a value out of its range.
 */
export const readProperties = <Carrier extends PropertyCarrier>(
  reader: PacketReader,
  carrier: Carrier
): PropertiesOf[Carrier] | undefined => {
  const length = reader.variableByteInteger()
  if (length === 0) return undefined
  const packetEnd = reader.end
  const end = reader.position + length
  if (end > packetEnd) reader.cutOff("section 2.2.2.1")
  reader.end = end
  const properties: Record<string, Value> = {}
  while (reader.position < end) {
    const id = reader.variableByteInteger()
    const definition = byIdentifier[id]
    if (definition === undefined)
      return reader.malformed("section 2.2.2.2", `there is no property 0x${id.toString(16)}`)
    if (!definition.carriers.includes(carrier)) {
      return reader.malformed(sections[carrier], `a ${carrier} has no property ${definition.name}`)
    }
    readProperty(reader, carrier, definition, properties)
  }
  reader.end = packetEnd
  if (properties["authenticationData"] !== undefined && properties["authenticationMethod"] === undefined) {
    reader.protocolError(sections[carrier], "Authentication Data comes without an Authentication Method")
  }
  return properties as PropertiesOf[Carrier]
}

const readProperty = (
  reader: PacketReader,
  carrier: PropertyCarrier,
  definition: PropertyDefinition,
  properties: Record<string, Value>
): void => {
  const name = definition.name
  if (definition.type === "utf8StringPair") {
    const pair = [reader.utf8String(), reader.utf8String()] as const
    const pairs = properties[name] as Array<readonly [string, string]> | undefined
    if (pairs === undefined) properties[name] = [pair]
    else pairs.push(pair)
    return
  }
  const value = readValue(reader, definition)
  if (definition.rule !== undefined) checkValue(reader, carrier, definition, value)
  if (carrier === "Publish" && name === "subscriptionIdentifier") {
    const identifiers = properties["subscriptionIdentifiers"] as Array<number> | undefined
    if (identifiers === undefined) properties["subscriptionIdentifiers"] = [value as number]
    else identifiers.push(value as number)
    return
  }
  if (properties[name] !== undefined) reader.protocolError(sections[carrier], `the property ${name} comes twice`)
  properties[name] = value
}

const readValue = (reader: PacketReader, definition: PropertyDefinition): number | string | Buffer => {
  switch (definition.type) {
    case "byte":
      return reader.byte()
    case "twoByteInteger":
      return reader.twoByteInteger()
    case "fourByteInteger":
      return reader.fourByteInteger()
    case "variableByteInteger":
      return reader.variableByteInteger()
    case "binaryData":
      return reader.binaryData()
    default:
      return reader.utf8String()
  }
}

const checkValue = (
  reader: PacketReader,
  carrier: PropertyCarrier,
  definition: PropertyDefinition,
  value: number | string | Buffer
): void => {
  switch (definition.rule) {
    case "zeroOrOne":
      if (value !== 0 && value !== 1) {
        reader.protocolError(sections[carrier], `the property ${definition.name} is neither 0 nor 1`)
      }
      return
    case "notZero":
      if (value !== 0) return
      if (definition.name === "topicAlias") {
        reader.refuse(ReasonCode.TopicAliasInvalid, "MQTT-3.3.2-8", "the Topic Alias is 0")
      }
      reader.protocolError(sections[carrier], `the property ${definition.name} is 0`)
      return
    case "topicName":
      checkTopicName(reader, value as string, "MQTT-3.3.2-14")
      return
    default:
  }
}

/** Refuses what is no Topic Name: empty [MQTT-4.7.3-1], or with a wildcard, which breaks `statement`. */
export const checkTopicName = (reader: PacketReader, name: string, statement: string): void => {
  if (name.length === 0) {
    reader.refuse(ReasonCode.TopicNameInvalid, "MQTT-4.7.3-1", "a Topic Name is empty")
  }
  if (name.includes("+") || name.includes("#")) {
    reader.refuse(ReasonCode.TopicNameInvalid, statement, "a Topic Name contains a wildcard")
  }
}
