/**
 * The wire monitor: what a broker may send on one connection, packet by packet (MQTT 5.0, sections 3 and 4; 3.1.1 where
 * the client speaks it). Model clients send nothing but what is legal, so whoever is blamed, it is the broker.
 *
 * A connection is judged from the broker's end: what it had been handed when it wrote. Where the history does not say
 * that, it is judged from the client's end, which is milder: what the client had sent may not have arrived.
 */
import * as Encoder from "../../packet/Encoder.ts"
import type { ConnAck, Disconnect, Packet, PubAck, PubRec, Publish, SubAck, UnsubAck } from "../../packet/Packet.ts"
import type { Account, Connection, Promised, ReceivedPacket, SentPacket } from "../Account.ts"
import type { Violation } from "../History.ts"
import { partsOf } from "../TopicMatching.ts"

/** What a client asked for in a SUBSCRIBE. Sessions are not told apart here, so it may be long gone. */
interface Asked {
  readonly at: number
  readonly filter: string
  readonly identifier: number | undefined
  readonly wantsRetained: boolean
}

/** What a client did on all its connections. */
interface ClientMemory {
  readonly asked: Array<Asked>
  /** The PUBRECs that it sent, by packet identifier: PUBREL may come for them on a later connection of the session. */
  readonly pubRecs: Map<number, Array<{ readonly connection: number; readonly at: number }>>
}

const memoryOf = (connections: ReadonlyArray<Connection>): ClientMemory => {
  const memory: ClientMemory = { asked: [], pubRecs: new Map() }
  for (const { number, sent } of connections) {
    for (const { at, packet } of sent) {
      if (packet._tag === "Subscribe") {
        const identifier = packet.properties?.subscriptionIdentifier
        for (const { filter, retainAsPublished, retainHandling } of packet.subscriptions) {
          const wantsRetained = retainAsPublished || retainHandling !== 2
          memory.asked.push({ at, filter: partsOf(filter).inner, identifier, wantsRetained })
        }
      } else if (packet._tag === "PubRec" && packet.reasonCode < 0x80) {
        const same = memory.pubRecs.get(packet.packetId)
        if (same === undefined) memory.pubRecs.set(packet.packetId, [{ connection: number, at }])
        else same.push({ connection: number, at })
      }
    }
  }
  return memory
}

/** What the broker may say of a client that sends nothing but what is legal: not these. */
const blames: ReadonlySet<number> = new Set([0x80, 0x81, 0x82, 0x84, 0x85, 0x8f, 0x90, 0x93, 0x94])

/** The same for the CONNACK of MQTT 3.1.1: unacceptable protocol version, identifier rejected. */
const returnCodesThatBlame: ReadonlySet<number> = new Set([1, 2])

/** Microseconds in which a packet that has come may not have been looked at yet. */
const justTaken = 300_000

const hex = (code: number): string => `0x${code.toString(16).padStart(2, "0")}`

/** Takes one connection's packets in the order in which its broker took and wrote them. */
class Monitor {
  readonly violations: Array<Violation> = []
  readonly #account: Account
  readonly #connection: Connection
  readonly #memory: ClientMemory
  #phase: "silent" | "connecting" | "open" | "refused" | "ended" = "silent"
  #at = 0
  /** Receive Maximum, and what is left of it [MQTT-3.3.4-9]. */
  #receiveMaximum = 65_535
  #quota = 65_535
  #maximumPacketSize = Infinity
  #topicAliasMaximum = 0
  #wantsProblemInformation = true
  readonly #aliases = new Map<number, string>()
  /** Requests without an answer. */
  readonly #subscribes = new Map<number, { codes: ReadonlyArray<number> }>()
  readonly #unsubscribes = new Map<number, { filters: number }>()
  readonly #publishes: { readonly 1: Array<number>; readonly 2: Array<number> } = { 1: [], 2: [] }
  readonly #releases = new Set<number>()
  #pings = 0
  /** Exchanges of QoS 2 that this connection has seen the PUBREC of: the broker must know them at PUBREL. */
  readonly #owned = new Set<number>()
  /** What the broker has sent and the client has not finished: `publish`, or after its PUBREC `received`. */
  readonly #inFlight = new Map<number, { readonly qos: 1 | 2; stage: "publish" | "received" }>()
  /** Exchanges of earlier connections that PUBREL has come for. */
  readonly #resumed = new Set<number>()
  #isResumed = false
  /** PUBRECs that wait for their PUBREL, in their order. */
  readonly #pubRecs: Array<number> = []
  /** When the broker took packets. */
  readonly #takenAt: Array<number> = []

  constructor(account: Account, connection: Connection, memory: ClientMemory) {
    this.#account = account
    this.#connection = connection
    this.#memory = memory
  }

  #break(promise: string, detail: string): void {
    const { number, client, broker } = this.#connection
    this.violations.push({ promise, at: this.#at, detail: `${broker} to ${client} (connection ${number}): ${detail}` })
  }

  /** The client's packet has come. */
  take({ packet, at, takenAt }: SentPacket): void {
    this.#takenAt.push(takenAt ?? at)
    switch (packet._tag) {
      case "Connect": {
        this.#phase = "connecting"
        const { properties } = packet
        this.#receiveMaximum = properties?.receiveMaximum ?? 65_535
        this.#quota = this.#receiveMaximum
        this.#maximumPacketSize = properties?.maximumPacketSize ?? Infinity
        this.#topicAliasMaximum = properties?.topicAliasMaximum ?? 0
        this.#wantsProblemInformation = properties?.requestProblemInformation !== 0
        return
      }
      case "Subscribe":
        this.#subscribes.set(packet.packetId, { codes: packet.subscriptions.map(({ qos }) => qos) })
        return
      case "Unsubscribe":
        this.#unsubscribes.set(packet.packetId, { filters: packet.filters.length })
        return
      case "Publish":
        if (packet.qos > 0) this.#publishes[packet.qos as 1 | 2].push(packet.packetId)
        return
      case "PubRel":
        this.#releases.add(packet.packetId)
        return
      case "PubAck":
        this.#finish(packet.packetId)
        return
      case "PubRec":
        this.#takePubRec(packet)
        return
      case "PubComp":
        this.#finish(packet.packetId)
        return
      case "PingReq":
        this.#pings++
        return
      default:
    }
  }

  #finish(packetId: number): void {
    this.#inFlight.delete(packetId)
    this.#quota = Math.min(this.#receiveMaximum, this.#quota + 1)
  }

  #takePubRec({ packetId, reasonCode }: PubRec): void {
    if (reasonCode >= 0x80) {
      this.#finish(packetId)
      return
    }
    this.#pubRecs.push(packetId)
    const exchange = this.#inFlight.get(packetId)
    if (exchange !== undefined) exchange.stage = "received"
  }

  /** The broker has written a packet. */
  written({ packet, at, writtenAt }: ReceivedPacket): void {
    this.#at = writtenAt ?? at
    if (!this.#isInTurn(packet)) return
    this.#judgeForm(packet)
    switch (packet._tag) {
      case "ConnAck":
        return this.#connAck(packet)
      case "Publish":
        return this.#publish(packet)
      case "PubAck":
        return this.#answerPublish(packet, 1)
      case "PubRec":
        return this.#answerPublish(packet, 2)
      case "PubRel":
        return this.#pubRel(packet.packetId, packet.reasonCode)
      case "PubComp":
        return this.#pubComp(packet.packetId, packet.reasonCode)
      case "SubAck":
        return this.#subAck(packet)
      case "UnsubAck":
        return this.#unsubAck(packet)
      case "PingResp":
        if (this.#pings === 0) this.#break("wire-unasked", "PINGRESP without a PINGREQ (section 3.13)")
        else this.#pings--
        return
      case "Disconnect":
        return this.#disconnect(packet)
      default:
        // Clients alone send these (table 2-1), and AUTH needs a method in the CONNECT [MQTT-4.12.0-6].
        this.#break("wire-direction", `${packet._tag} is not for a server to send`)
    }
  }

  /** Whether the broker may send anything at all now. */
  #isInTurn(packet: Packet): boolean {
    const name = packet._tag
    switch (this.#phase) {
      case "silent":
        this.#break("wire-connack", `${name} before the CONNECT (section 3.1)`)
        return false
      case "connecting":
        if (name === "ConnAck") return true
        this.#break("wire-connack", `${name} before CONNACK [MQTT-3.2.0-1]`)
        return false
      case "open":
        if (name !== "ConnAck") return true
        this.#break("wire-connack", "a second CONNACK [MQTT-3.2.0-2]")
        return false
      case "refused":
        this.#break("wire-connack", `${name} after a CONNACK that refuses [MQTT-3.2.2-7]`)
        return false
      case "ended":
        this.#break("wire-after-disconnect", `${name} after DISCONNECT [MQTT-3.14.4-1]`)
        return false
    }
  }

  /** Size, properties and reason codes, which any packet may have wrong. */
  #judgeForm(packet: Packet): void {
    const { version } = this.#connection
    const name = packet._tag
    const size = Encoder.size(packet, version)
    if (size > this.#maximumPacketSize) {
      const limit = this.#maximumPacketSize
      this.#break("maximum-packet-size", `${name} of ${size} bytes, ${limit} are allowed [MQTT-3.1.2-24]`)
    }
    if (!("properties" in packet) || packet.properties === undefined) return
    if (version !== 5) {
      this.#break("wire-properties", `${name} with properties, which MQTT ${version} does not have (section 2.2.2)`)
      return
    }
    if (this.#wantsProblemInformation || name === "Publish" || name === "ConnAck" || name === "Disconnect") return
    const { reasonString, userProperties } = packet.properties as Record<string, unknown>
    if (reasonString === undefined && userProperties === undefined) return
    this.#break("wire-properties", `${name} explains itself to a client that wants no explanation [MQTT-3.1.2-29]`)
  }

  #connAck({ reasonCode, sessionPresent }: ConnAck): void {
    this.#phase = reasonCode === 0 ? "open" : "refused"
    const { version } = this.#connection
    const isOfVersion = version === 5 ? reasonCode === 0 || reasonCode >= 0x80 : reasonCode <= 5
    if (!isOfVersion) {
      this.#break("wire-reason-code", `CONNACK with ${hex(reasonCode)}, unknown to MQTT ${version} [MQTT-3.2.2-8]`)
    }
    if (reasonCode !== 0 && sessionPresent) {
      this.#break("wire-connack", `CONNACK refuses with ${hex(reasonCode)} and has Session Present [MQTT-3.2.2-6]`)
    }
    if ((version === 5 ? blames : returnCodesThatBlame).has(reasonCode)) {
      this.#break("blamed-client", `CONNACK with ${hex(reasonCode)}`)
    }
    // MQTT 3.1 cannot say whether there was a session.
    this.#isResumed = reasonCode === 0 && (sessionPresent || version === 3)
  }

  #publish(packet: Publish): void {
    const { qos, dup, packetId } = packet
    const topic = this.#topicOf(packet)
    if (topic !== undefined) this.#judgeSubscription(packet, topic)
    if (qos === 0) {
      if (dup) this.#break("dup-on-qos0", "PUBLISH of QoS 0 with DUP [MQTT-3.3.1-2]")
      return
    }
    const same = this.#inFlight.get(packetId)
    if (same !== undefined) {
      const stage = same.stage === "publish" ? "not acknowledged" : "not completed"
      this.#break("packet-id-in-flight", `PUBLISH with identifier ${packetId}, which is ${stage} [MQTT-2.2.1-4]`)
    }
    this.#inFlight.set(packetId, { qos, stage: "publish" })
    if (this.#quota === 0) {
      const limit = this.#receiveMaximum
      this.#break("receive-maximum", `PUBLISH ${packetId} over the Receive Maximum of ${limit} [MQTT-3.3.4-9]`)
    } else {
      this.#quota--
    }
  }

  /** The topic, with its alias resolved. */
  #topicOf({ topic, properties }: Publish): string | undefined {
    const alias = properties?.topicAlias
    if (alias === undefined) {
      if (topic === "") this.#break("topic-alias", "PUBLISH without topic and alias (section 3.3.2.1)")
      return topic === "" ? undefined : topic
    }
    if (alias === 0 || alias > this.#topicAliasMaximum) {
      const limit = this.#topicAliasMaximum
      this.#break("topic-alias", `alias ${alias} where the client allows ${limit} [MQTT-3.1.2-26, 3.3.2-8]`)
    }
    if (topic !== "") {
      this.#aliases.set(alias, topic)
      return topic
    }
    const known = this.#aliases.get(alias)
    if (known === undefined) this.#break("topic-alias", `alias ${alias} was never given a topic (section 3.3.2.3.4)`)
    return known
  }

  /** What only a subscription of this client can have brought about. */
  #judgeSubscription({ retain, properties }: Publish, topic: string): void {
    const matches = ({ filter, at }: Asked): boolean => at <= this.#at && this.#account.isMatch(filter, topic)
    const { asked } = this.#memory
    if (retain && !asked.some((one) => one.wantsRetained && matches(one))) {
      this.#break(
        "retain-flag",
        `PUBLISH to ${topic} with RETAIN, though no subscription asked for it [MQTT-3.3.1-11, 3.3.1-12]`
      )
    }
    for (const identifier of properties?.subscriptionIdentifiers ?? []) {
      if (asked.some((one) => one.identifier === identifier && matches(one))) continue
      this.#break(
        "subscription-identifier",
        `PUBLISH to ${topic} with the Subscription Identifier ${identifier} of no such subscription [MQTT-3.3.4-3]`
      )
    }
  }

  #judgeReasonCode({ _tag, reasonCode }: Extract<Packet, { reasonCode: number }>): void {
    const { version } = this.#connection
    if (version === 5 || reasonCode === 0) return
    this.#break("wire-reason-code", `${_tag} with ${hex(reasonCode)}, which MQTT ${version} does not have`)
  }

  #answerPublish(packet: PubAck | PubRec, qos: 1 | 2): void {
    this.#judgeReasonCode(packet)
    const { _tag, packetId, reasonCode } = packet
    const open = this.#publishes[qos]
    const place = open.indexOf(packetId)
    if (place < 0) {
      this.#break("wire-unasked", `${_tag} ${packetId} without a PUBLISH of QoS ${qos} (section 4.3)`)
      return
    }
    if (place > 0) {
      const statement = qos === 1 ? "MQTT-4.6.0-2" : "MQTT-4.6.0-3"
      this.#break(
        "wire-answer-order",
        `${_tag} ${packetId} before that of ${open[0]!}, which came first [${statement}]`
      )
    }
    open.splice(place, 1)
    if (qos === 2 && reasonCode < 0x80) this.#owned.add(packetId)
  }

  #pubRel(packetId: number, reasonCode: number): void {
    this.#judgeReasonCode({ _tag: "PubRel", packetId, reasonCode: reasonCode as 0 })
    const place = this.#pubRecs.indexOf(packetId)
    if (place < 0) {
      if (this.#inFlight.has(packetId) || this.#resumed.has(packetId) || !this.#isOfEarlierConnection(packetId)) {
        this.#break("wire-unasked", `PUBREL ${packetId} without a PUBREC [MQTT-4.3.3-4, 4.4.0-1]`)
      }
      this.#resumed.add(packetId)
      return
    }
    if (place > 0) {
      const first = this.#pubRecs[0]!
      this.#break(
        "wire-answer-order",
        `PUBREL ${packetId} before that of ${first}, whose PUBREC came first [MQTT-4.6.0-4]`
      )
    }
    this.#pubRecs.splice(place, 1)
    if (reasonCode !== 0 && this.#inFlight.get(packetId)?.stage === "received") {
      this.#break("exchange-forgotten", `PUBREL ${packetId} with ${hex(reasonCode)} for a PUBLISH of this connection`)
    }
  }

  #isOfEarlierConnection(packetId: number): boolean {
    if (!this.#isResumed) return false
    const pubRecs = this.#memory.pubRecs.get(packetId) ?? []
    return pubRecs.some(({ connection, at }) => connection !== this.#connection.number && at <= this.#at)
  }

  #pubComp(packetId: number, reasonCode: number): void {
    this.#judgeReasonCode({ _tag: "PubComp", packetId, reasonCode: reasonCode as 0 })
    const isOwned = this.#owned.delete(packetId)
    if (!this.#releases.delete(packetId)) {
      this.#break("wire-unasked", `PUBCOMP ${packetId} without a PUBREL [MQTT-4.3.3-11]`)
      return
    }
    if (reasonCode !== 0 && isOwned) {
      this.#break("exchange-forgotten", `PUBCOMP ${packetId} with ${hex(reasonCode)}, but PUBREC was sent before`)
    }
  }

  #subAck({ packetId, reasonCodes }: SubAck): void {
    const request = this.#subscribes.get(packetId)
    if (request === undefined) {
      this.#break("wire-unasked", `SUBACK ${packetId} without a SUBSCRIBE [MQTT-3.8.4-2]`)
      return
    }
    this.#subscribes.delete(packetId)
    const { codes } = request
    if (codes.length !== reasonCodes.length) {
      const count = reasonCodes.length
      this.#break("wire-codes", `SUBACK ${packetId} has ${count} codes for ${codes.length} filters [MQTT-3.8.4-6]`)
    }
    for (const [i, code] of reasonCodes.entries()) {
      if (this.#connection.version !== 5 && code > 2 && code !== 0x80) {
        this.#break("wire-reason-code", `SUBACK ${packetId} with ${hex(code)} [MQTT-3.9.3-2 of 3.1.1]`)
      } else if (code < 0x80 && code > (codes[i] ?? 2)) {
        this.#break(
          "wire-codes",
          `SUBACK ${packetId} grants QoS ${code} where ${codes[i]!} was asked for (section 3.9.3)`
        )
      }
    }
  }

  #unsubAck({ packetId, reasonCodes }: UnsubAck): void {
    const request = this.#unsubscribes.get(packetId)
    if (request === undefined) {
      this.#break("wire-unasked", `UNSUBACK ${packetId} without an UNSUBSCRIBE [MQTT-3.10.4-4]`)
      return
    }
    this.#unsubscribes.delete(packetId)
    const expected = this.#connection.version === 5 ? request.filters : 0
    if (reasonCodes.length === expected) return
    this.#break("wire-codes", `UNSUBACK ${packetId} has ${reasonCodes.length} codes, not ${expected} [MQTT-3.11.3-1]`)
  }

  #disconnect({ reasonCode }: Disconnect): void {
    this.#phase = "ended"
    if (this.#connection.version !== 5) {
      this.#break("wire-direction", "DISCONNECT to a client of MQTT 3.1.1 (section 3.14 of 3.1.1)")
      return
    }
    if (reasonCode === 0x04) this.#break("wire-reason-code", "DISCONNECT with 0x04, a client's (section 3.14.2.1)")
    if (blames.has(reasonCode)) this.#break("blamed-client", `DISCONNECT with ${hex(reasonCode)}`)
    if (reasonCode === 0x8d) this.#judgeKeepAlive()
  }

  /** A broker may lose patience after one and a half times the Keep Alive, not before [MQTT-3.1.2-22]. */
  #judgeKeepAlive(): void {
    const { connect, connack } = this.#connection
    // A broker that was paused may look at its clock before it looks at what has come meanwhile.
    const last = this.#takenAt.findLast((taken) => taken <= this.#at - justTaken)
    if (connect === undefined || last === undefined || !this.#account.isOmniscient) return
    const keepAlive = connack?.packet.properties?.serverKeepAlive ?? connect.packet.keepAlive
    const passed = this.#account.clock.atMost(last, this.#at)
    if (keepAlive > 0 && passed >= keepAlive * 1_500_000) return
    const seconds = (passed / 1_000_000).toFixed(3)
    const detail = `DISCONNECT for its Keep Alive of ${keepAlive} s, ${seconds} s after its last packet [MQTT-3.1.2-22]`
    this.#break("keep-alive", detail)
  }
}

/** One step of a connection: the broker took a packet, or wrote one. */
interface Step {
  readonly time: number
  readonly sent?: SentPacket
  readonly received?: ReceivedPacket
}

/** The steps of each connection, by its number. */
const stepsOf = ({ history, connections, connection, isOmniscient }: Account): ReadonlyMap<number, Array<Step>> => {
  const steps = new Map(connections.map(({ number }): [number, Array<Step>] => [number, []]))
  const places = new Map(connections.map(({ number }) => [number, { sent: 0, received: 0 }]))
  for (const event of history) {
    if (event._tag !== "Sent" && event._tag !== "Received" && event._tag !== "Taken") continue
    const { sent, received } = connection(event.connection) ?? { sent: [], received: [] }
    const place = places.get(event.connection)
    if (place === undefined) continue
    if (event._tag === "Received") {
      const packet = received[place.received++]!
      steps.get(event.connection)!.push({ time: packet.writtenAt ?? packet.at, received: packet })
    } else if (event._tag === (isOmniscient ? "Taken" : "Sent")) {
      // Packets are taken in the order in which they were sent.
      steps.get(event.connection)!.push({ time: event.at, sent: sent[place.sent++]! })
    }
  }
  // What was written is received later: sorting brings it to its place, and leaves alone what happened at the same time.
  for (const each of steps.values()) each.sort((a, b) => a.time - b.time)
  return steps
}

/**
 * Promises: `garbled`, `wire-connack`, `wire-after-disconnect`, `wire-direction`, `wire-unasked`, `wire-answer-order`,
 * `wire-codes`, `wire-reason-code`, `wire-properties`, `packet-id-in-flight`, `receive-maximum`, `maximum-packet-size`,
 * `topic-alias`, `dup-on-qos0`, `subscription-identifier`, `retain-flag`, `exchange-forgotten`, `keep-alive`,
 * `blamed-client`.
 */
export const wireMonitor: Promised = (account) => {
  const violations: Array<Violation> = []
  const memories = new Map<string, ClientMemory>()
  const steps = stepsOf(account)
  for (const connection of account.connections) {
    let memory = memories.get(connection.client)
    if (memory === undefined) {
      memory = memoryOf(account.connectionsOf.get(connection.client)!)
      memories.set(connection.client, memory)
    }
    const monitor = new Monitor(account, connection, memory)
    for (const { sent, received } of steps.get(connection.number)!) {
      if (sent !== undefined) monitor.take(sent)
      else if (received !== undefined) monitor.written(received)
    }
    violations.push(...monitor.violations)
  }
  for (const event of account.history) {
    if (event._tag !== "Garbled") continue
    const detail = `connection ${event.connection} received what is no packet of a server: ${event.detail}`
    violations.push({ promise: "garbled", at: event.at, detail })
  }
  return violations
}
