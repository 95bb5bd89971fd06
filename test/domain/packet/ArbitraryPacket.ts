/** Generators of packets that a version of MQTT can express, from the Schemas and the rules between their fields. */
import { Arbitrary } from "effect"
import type { ProtocolVersion } from "../../../src/domain/packet/Packet.ts"
import { Packet } from "../../../src/domain/packet/Packet.ts"

/** True when a server's decoder can read the packet; else a client's does. */
export const isFromClient = (packet: Packet): boolean =>
  packet._tag === "Connect" ||
  packet._tag === "Subscribe" ||
  packet._tag === "Unsubscribe" ||
  packet._tag === "PingReq" ||
  packet._tag === "Disconnect"

const without = <P extends object>(value: P, key: string): P =>
  Object.fromEntries(Object.entries(value).filter(([name]) => name !== key)) as P

/** Drops an empty property set, which the wire cannot tell from none, and Authentication Data without a method. */
const settle = <P extends { readonly properties?: object }>(packet: P): P => {
  const { properties } = packet
  if (properties === undefined) return packet
  const kept = "authenticationMethod" in properties ? properties : without(properties, "authenticationData")
  return Object.keys(kept).length === 0 ? without(packet, "properties") : { ...packet, properties: kept }
}

/** The nearest packet that MQTT 5.0 can express. */
const inVersion5 = (packet: Packet): Packet => {
  const settled = settle(packet as Packet & { readonly properties?: object }) as Packet
  switch (settled._tag) {
    case "Connect":
      return { ...settled, protocolVersion: 5, ...(settled.will === undefined ? {} : { will: settle(settled.will) }) }
    case "ConnAck":
      return settled.reasonCode > 0 && settled.reasonCode < 0x80
        ? { ...settled, sessionPresent: false, reasonCode: 0x80 }
        : { ...settled, sessionPresent: settled.sessionPresent && settled.reasonCode === 0 }
    case "Publish":
      return {
        ...settled,
        topic: settled.topic === "" && settled.properties?.topicAlias === undefined ? "a" : settled.topic,
        dup: settled.dup && settled.qos > 0,
        packetId: settled.qos === 0 ? 0 : settled.packetId || 1
      }
    case "Subscribe": {
      const [first, ...others] = settled.subscriptions.map((each) => ({
        ...each,
        noLocal: each.noLocal && !each.filter.startsWith("$share/")
      }))
      return { ...settled, subscriptions: [first!, ...others] }
    }
    default:
      return settled
  }
}

/** The nearest packet that MQTT 3.1 or 3.1.1 can express. */
const inVersion3 = (packet: Packet, version: 3 | 4): Packet => {
  const settled = without(inVersion5(packet), "properties")
  switch (settled._tag) {
    case "Connect": {
      const { password, will, ...rest } = settled
      return {
        ...rest,
        protocolVersion: version,
        ...(will === undefined ? {} : { will: without(will, "properties") }),
        ...(password === undefined || rest.username === undefined ? {} : { password })
      }
    }
    case "ConnAck":
      return packet._tag === "ConnAck" && packet.reasonCode <= 5
        ? {
            ...settled,
            sessionPresent: packet.sessionPresent && packet.reasonCode === 0,
            reasonCode: packet.reasonCode
          }
        : { ...settled, sessionPresent: false, reasonCode: 3 }
    case "Publish":
      return { ...settled, topic: settled.topic || "a" }
    case "PubAck":
    case "PubRec":
    case "PubRel":
    case "PubComp":
    case "Disconnect":
      return { ...settled, reasonCode: 0 }
    case "Subscribe": {
      const [first, ...others] = settled.subscriptions.map((each) => ({
        ...each,
        noLocal: false,
        retainAsPublished: false,
        retainHandling: 0 as const
      }))
      return { ...settled, subscriptions: [first!, ...others] }
    }
    case "SubAck": {
      const [first, ...others] = settled.reasonCodes.map((code) => (code > 2 ? 0x80 : code))
      return { ...settled, reasonCodes: [first!, ...others] }
    }
    case "UnsubAck":
      return { ...settled, reasonCodes: [] }
    case "Auth":
      return { _tag: "PingReq" }
    default:
      return settled
  }
}

/** Packets that the version can express. */
export const arbitraryPacket = (version: ProtocolVersion): Arbitrary.Arbitrary<Packet> =>
  Arbitrary.schema(Packet).pipe(
    Arbitrary.map((packet) => (version === 5 ? inVersion5(packet) : inVersion3(packet, version)))
  )
