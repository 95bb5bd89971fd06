/** The codec against an independent one, npm's mqtt-packet, in both directions. */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary } from "effect"
import * as mqttPacket from "mqtt-packet"
import * as Decoder from "../../../src/domain/packet/Decoder.ts"
import * as Encoder from "../../../src/domain/packet/Encoder.ts"
import type { Packet, ProtocolVersion } from "../../../src/domain/packet/Packet.ts"
import { arbitraryPacket, isFromClient } from "./ArbitraryPacket.ts"
import { plain } from "./Bytes.ts"

type Fields = Record<string, unknown>

const flags = new Set([
  "payloadFormatIndicator",
  "requestProblemInformation",
  "requestResponseInformation",
  "retainAvailable",
  "wildcardSubscriptionAvailable",
  "subscriptionIdentifiersAvailable",
  "sharedSubscriptionAvailable"
])

/** User Properties as mqtt-packet has them: by name, several values of a name as an array. */
const grouped = (pairs: ReadonlyArray<readonly [string, string]>): Fields => {
  const byName = new Map<string, Array<string>>()
  for (const [name, value] of pairs) byName.set(name, [...(byName.get(name) ?? []), value])
  return Object.fromEntries([...byName].map(([name, values]) => [name, values.length === 1 ? values[0] : values]))
}

const theirProperties = (properties: object | undefined): Fields => {
  if (properties === undefined) return {}
  const theirs: Fields = {}
  for (const [name, value] of Object.entries(properties)) {
    if (name === "userProperties") theirs[name] = grouped(value)
    else if (name === "subscriptionIdentifiers")
      theirs["subscriptionIdentifier"] = value.length === 1 ? value[0] : value
    else if (flags.has(name)) theirs[name] = value === 1
    else theirs[name] = value instanceof Uint8Array ? Buffer.from(value) : value
  }
  return { properties: theirs }
}

/** The packet as mqtt-packet has it. */
const theirs = (packet: Packet, version: ProtocolVersion): Fields => {
  const properties = theirProperties("properties" in packet ? packet.properties : undefined)
  const reason = "reasonCode" in packet && version === 5 ? { reasonCode: packet.reasonCode } : {}
  switch (packet._tag) {
    case "Connect": {
      const { will, username, password } = packet
      return {
        cmd: "connect",
        protocolId: version === 3 ? "MQIsdp" : "MQTT",
        protocolVersion: version,
        clean: packet.cleanStart,
        clientId: packet.clientId,
        keepalive: packet.keepAlive,
        ...(username === undefined ? {} : { username }),
        ...(password === undefined ? {} : { password: Buffer.from(password) }),
        ...(will === undefined
          ? {}
          : {
              will: {
                topic: will.topic,
                payload: Buffer.from(will.payload),
                qos: will.qos,
                retain: will.retain,
                ...theirProperties(will.properties)
              }
            }),
        ...properties
      }
    }
    case "ConnAck":
      return {
        cmd: "connack",
        sessionPresent: packet.sessionPresent,
        ...(version === 5 ? reason : { returnCode: packet.reasonCode }),
        ...properties
      }
    case "Publish":
      return {
        cmd: "publish",
        topic: packet.topic,
        payload: Buffer.from(packet.payload),
        qos: packet.qos,
        retain: packet.retain,
        dup: packet.dup,
        ...(packet.qos === 0 ? {} : { messageId: packet.packetId }),
        ...properties
      }
    case "Subscribe":
      return {
        cmd: "subscribe",
        messageId: packet.packetId,
        subscriptions: packet.subscriptions.map(({ filter, qos, noLocal, retainAsPublished, retainHandling }) =>
          version === 5
            ? { topic: filter, qos, nl: noLocal, rap: retainAsPublished, rh: retainHandling }
            : { topic: filter, qos }
        ),
        ...properties
      }
    case "SubAck":
      return { cmd: "suback", messageId: packet.packetId, granted: packet.reasonCodes, ...properties }
    case "Unsubscribe":
      return { cmd: "unsubscribe", messageId: packet.packetId, unsubscriptions: packet.filters, ...properties }
    case "UnsubAck":
      return {
        cmd: "unsuback",
        messageId: packet.packetId,
        ...(version === 5 ? { granted: packet.reasonCodes } : {}),
        ...properties
      }
    case "PubAck":
    case "PubRec":
    case "PubRel":
    case "PubComp":
      return { cmd: packet._tag.toLowerCase(), messageId: packet.packetId, ...reason, ...properties }
    case "Disconnect":
      return { cmd: "disconnect", ...reason, ...properties }
    case "Auth":
      return { cmd: "auth", ...reason, ...properties }
    case "PingReq":
    case "PingResp":
      return { cmd: packet._tag.toLowerCase() }
  }
}

/** Properties without empty values of User Properties, of which mqtt-packet loses the first. */
const filled = <P extends { readonly userProperties?: ReadonlyArray<readonly [string, string]> }>(properties: P): P =>
  properties.userProperties === undefined
    ? properties
    : { ...properties, userProperties: properties.userProperties.map(([name, value]) => [name, value || "v"]) }

/**
 * The packet without what mqtt-packet does not do: a CONNECT without Client Identifier or with a Password alone, an AUTH
 * of length 0, an UNSUBACK of MQTT 5.0 without reason codes, User Properties with empty values.
 */
const within = (given: Packet, version: ProtocolVersion): Packet => {
  const packet =
    "properties" in given && given.properties !== undefined
      ? ({ ...given, properties: filled(given.properties) } as Packet)
      : given
  if (packet._tag === "Connect") {
    const { will, username, password } = packet
    const properties = will?.properties === undefined ? {} : { properties: filled(will.properties) }
    return {
      ...packet,
      clientId: packet.clientId || "c",
      ...(username === undefined && password === undefined ? {} : { username: username || "u" }),
      ...(will === undefined ? {} : { will: { ...will, ...properties } })
    }
  }
  if (packet._tag === "Auth" && packet.properties === undefined) return { ...packet, reasonCode: 0x18 }
  if (packet._tag === "UnsubAck" && version === 5 && packet.reasonCodes.length === 0)
    return { ...packet, reasonCodes: [0] }
  return packet
}

const common = (version: ProtocolVersion): Arbitrary.Arbitrary<Packet> =>
  arbitraryPacket(version).pipe(Arbitrary.map((packet) => within(packet, version)))

/** The packet with its User Properties grouped, and an empty property set left out: what mqtt-packet keeps of it. */
const comparable = (value: unknown): unknown => {
  if (value instanceof Uint8Array || Array.isArray(value) || typeof value !== "object" || value === null)
    return plain(value)
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [name, name === "userProperties" ? grouped(each) : comparable(each)])
  )
}

const parse = (frame: Buffer, version: ProtocolVersion): unknown => {
  const parser = mqttPacket.parser({ protocolVersion: version })
  const packets: Array<unknown> = []
  parser.on("packet", (packet) => packets.push(packet))
  parser.on("error", (error) => packets.push(error))
  parser.parse(frame)
  assert.strictEqual(packets.length, 1)
  return packets[0]
}

const decode = (frame: Buffer, packet: Packet, version: ProtocolVersion) => {
  const decoder = Decoder.make({ role: isFromClient(packet) ? "server" : "client", version, maximumPacketSize: 1e6 })
  decoder.push(frame)
  return decoder.next()
}

describe("mqtt-packet", () => {
  for (const version of [3, 4, 5] as const) {
    it.prop(
      `reads what we write, version ${version}`,
      [common(version)],
      ([packet]) => {
        const read = parse(Encoder.encode(packet, version), version) as Fields
        for (const [name, value] of Object.entries(theirs(packet, version))) {
          assert.deepStrictEqual(plain(read[name]), plain(value), `${packet._tag} ${name}`)
        }
      },
      { arbitrary: { runs: 500 } }
    )

    it.prop(
      `writes what we read, version ${version}`,
      [common(version)],
      ([packet]) => {
        const frame = mqttPacket.generate(theirs(packet, version) as never, { protocolVersion: version })
        assert.deepStrictEqual(comparable(decode(frame, packet, version)), comparable(packet))
      },
      { arbitrary: { runs: 500 } }
    )
  }
})
