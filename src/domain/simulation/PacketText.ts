/**
 * Packets of a simulated run in words: one line each, with the message that a payload stands for in place of its bytes.
 */
import { connAckPhrase, reasonPhrase } from "../client/ReasonPhrase.ts"
import type { Packet, ProtocolVersion, Publish, Will } from "../packet/Packet.ts"
import * as Payload from "./Payload.ts"

/** The message that a payload stands for, or its length where it is none of ours. */
const payloadText = (payload: Uint8Array): string => {
  if (payload.length === 0) return "(empty)"
  const id = Payload.decode(payload)
  return id === undefined ? `(${payload.length} bytes)` : Payload.nameOf(id)
}

const valueText = (value: unknown): string => {
  if (value instanceof Uint8Array) return `(${value.length} bytes)`
  return typeof value === "string" ? JSON.stringify(value) : String(value)
}

/** The name of a property in the words of the specification: `message-expiry-interval`. */
const propertyName = (key: string): string => key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)

const propertyWords = (properties: object | undefined): ReadonlyArray<string> =>
  Object.entries(properties ?? {}).map(([key, value]) => `${propertyName(key)} ${valueText(value)}`)

/** The words for what holds. */
const flags = (named: Readonly<Record<string, boolean>>): ReadonlyArray<string> =>
  Object.entries(named).flatMap(([name, holds]) => (holds ? [name] : []))

const publishWords = ({ topic, payload, qos, retain, dup, packetId, properties }: Publish): ReadonlyArray<string> => [
  payloadText(payload),
  topic === "" ? '""' : topic,
  `qos ${qos}`,
  ...(qos > 0 ? [`id ${packetId}`] : []),
  ...flags({ dup, retain }),
  ...propertyWords(properties)
]

const willWords = ({ topic, payload, qos, retain, properties }: Will): string =>
  ["will", payloadText(payload), topic, `qos ${qos}`, ...flags({ retain }), ...propertyWords(properties)].join(" ")

const reasonWords = (code: number): ReadonlyArray<string> => (code === 0 ? [] : [reasonPhrase(code)])

const versionNames = { 3: "3.1", 4: "3.1.1", 5: "5.0" } as const

/** How people call a version: `3.1.1`. */
export const versionName = (version: ProtocolVersion): string => versionNames[version]

const words = (packet: Packet, version: ProtocolVersion): ReadonlyArray<string> => {
  switch (packet._tag) {
    case "Connect":
      return [
        versionName(packet.protocolVersion),
        packet.clientId === "" ? '""' : packet.clientId,
        ...flags({ "clean-start": packet.cleanStart }),
        `keep-alive ${packet.keepAlive}`,
        ...propertyWords(packet.properties),
        ...(packet.will === undefined ? [] : [willWords(packet.will)])
      ]
    case "ConnAck":
      return [
        ...(packet.reasonCode === 0 ? [] : [connAckPhrase(packet.reasonCode, version)]),
        ...flags({ "session-present": packet.sessionPresent }),
        ...propertyWords(packet.properties)
      ]
    case "Publish":
      return publishWords(packet)
    case "PubAck":
    case "PubRec":
    case "PubRel":
    case "PubComp":
      return [`id ${packet.packetId}`, ...reasonWords(packet.reasonCode), ...propertyWords(packet.properties)]
    case "Subscribe":
      return [
        `id ${packet.packetId}`,
        packet.subscriptions
          .map(({ filter, qos, noLocal, retainAsPublished, retainHandling }) =>
            [
              filter,
              `qos ${qos}`,
              ...flags({ "no-local": noLocal, "retain-as-published": retainAsPublished }),
              ...(retainHandling === 0 ? [] : [`retain-handling ${retainHandling}`])
            ].join(" ")
          )
          .join(", "),
        ...propertyWords(packet.properties)
      ]
    case "SubAck":
      return [
        `id ${packet.packetId}`,
        packet.reasonCodes.map((code) => (code < 3 ? `qos ${code}` : reasonPhrase(code))).join(", "),
        ...propertyWords(packet.properties)
      ]
    case "Unsubscribe":
      return [`id ${packet.packetId}`, packet.filters.join(", "), ...propertyWords(packet.properties)]
    case "UnsubAck":
      return [
        `id ${packet.packetId}`,
        ...(packet.reasonCodes.every((code) => code === 0) ? [] : [packet.reasonCodes.map(reasonPhrase).join(", ")]),
        ...propertyWords(packet.properties)
      ]
    case "PingReq":
    case "PingResp":
      return []
    case "Disconnect":
    case "Auth":
      return [...reasonWords(packet.reasonCode), ...propertyWords(packet.properties)]
  }
}

/** A packet of a connection of this version: `PUBLISH pub-1/m17 t/2 qos 2 id 5 dup`. */
export const packetText = (packet: Packet, version: ProtocolVersion): string =>
  [packet._tag.toUpperCase(), ...words(packet, version)].join(" ")

/** A packet that was shown before: `PUBLISH pub-1/m17`, `PUBACK id 5`. */
export const packetName = (packet: Packet): string => {
  const tag = packet._tag.toUpperCase()
  if (packet._tag === "Publish") return `${tag} ${payloadText(packet.payload)}`
  return "packetId" in packet ? `${tag} id ${packet.packetId}` : tag
}
