/**
 * The rare paths that a history shows by itself: what clients and observers saw is enough to know that they were taken.
 * What happens out of sight (a disk that forgets, a reply of ZooKeeper's that is lost) the simulated world counts.
 *
 * These are counts for people, not judgements: where the history leaves it open, a path was not reached.
 */
import type { ConnAck, Connect, Packet, Publish, Subscribe } from "../packet/Packet.ts"
import type { Event, History } from "./History.ts"
import { decode, nameOf } from "./Payload.ts"
import { isMatch, partsOf } from "./TopicMatching.ts"

/** A PUBLISH of a client, QoS 1 or 2, that has no PUBACK or PUBREC yet. */
interface Unanswered {
  readonly name: string | undefined
  readonly topic: string
  /** Seconds; undefined: it does not expire. */
  readonly expiry: number | undefined
  isTaken: boolean
  /** The broker died when it had been handed the message. */
  isCutOff: boolean
}

interface Connection {
  readonly client: Client
  readonly broker: Broker
  readonly version: string
  connect: Connect | undefined
  connack: ConnAck | undefined
  confirmedAt: number
  /** When the process died that the session's connection before this one had; undefined: it did not. */
  crashedAt: number | undefined
  closed: Extract<Event, { _tag: "Closed" }> | undefined
  subscribedAt: number
  /** By packet identifier. */
  readonly unanswered: Map<number, Unanswered>
  /** The same that were not taken yet, by the index of their PUBLISH. */
  readonly untaken: Map<number, Unanswered>
  /** How many messages of the client's are under way: until PUBACK, or PUBCOMP. */
  sending: number
  /** Packet identifiers of messages to the client: until PUBACK, or PUBCOMP. */
  readonly receiving: Set<number>
  /** The filters of SUBSCRIBEs without an answer, by packet identifier. */
  readonly subscribes: Map<number, ReadonlyArray<string>>
  readonly pubRecsReceived: Set<number>
  readonly pubRecsSent: Set<number>
  readonly aliases: Map<number, string>
  diedWithBroker: boolean
  /** The client was back before the delay of this connection's Will was over. */
  wasBackInTime: boolean
  isWillPublished: boolean
}

interface Client {
  readonly open: Set<Connection>
  /** The last one with a CONNACK that says yes. */
  confirmed: Connection | undefined
  /** The filters with a SUBACK. */
  readonly filters: Set<string>
  /** All that it has ever asked for. */
  readonly asked: Set<string>
  keepsRetain: boolean
  /** When messages expire that were accepted for its session while it was away, in microseconds. */
  readonly waiting: Map<string, number>
  /** Those of them that had expired when it came back. */
  readonly expired: Set<string>
}

interface Broker {
  isReady: boolean
  /** When it was killed, or lost power, last. */
  crashedAt: number | undefined
}

const second = 1_000_000

/** Whether the session that a CONNECT asks for outlives its connection. */
const isDurable = ({ protocolVersion, cleanStart, properties }: Connect): boolean =>
  protocolVersion === 5 ? (properties?.sessionExpiryInterval ?? 0) > 0 : !cleanStart

/** Which message a payload is, if it says so. */
const messageOf = ({ payload }: Publish): string | undefined => {
  const id = decode(payload)
  return id === undefined ? undefined : nameOf(id)
}

/** Whether all that a client can get it gets as the member of one group. */
const isOnlyShared = ({ asked }: Client): boolean => {
  if (asked.size !== 1) return false
  for (const filter of asked) if (!filter.startsWith("$share/")) return false
  return true
}

const hex = (code: number): string => `0x${code.toString(16)}`

class Watcher {
  readonly reached = new Map<string, number>()
  readonly #connections = new Map<number, Connection>()
  readonly #clients = new Map<string, Client>()
  readonly #brokers = new Map<string, Broker>()
  /** Connections by the names of their Wills, and the topics of all Wills. */
  readonly #wills = new Map<string, Connection>()
  readonly #willTopics = new Set<string>()
  /** When messages were acknowledged, by name; and when retained ones were sent. */
  readonly #acknowledgedAt = new Map<string, number>()
  readonly #retainedAt = new Map<string, number>()
  /** Messages that were sent more than once. */
  readonly #repeated = new Set<string>()
  /** Who got a message as the member of a group, by group and message. */
  readonly #members = new Map<string, Client>()
  #actingFaults = 0
  #isHealedLate = false

  #reach(probe: string): void {
    this.reached.set(probe, (this.reached.get(probe) ?? 0) + 1)
  }

  watch(event: Event): void {
    switch (event._tag) {
      case "Opened":
        return this.#opened(event)
      case "Sent": {
        const connection = this.#connections.get(event.connection)
        if (connection !== undefined) this.#sent(connection, event.packet, event.at, event.index)
        return
      }
      case "Taken": {
        const untaken = this.#connections.get(event.connection)?.untaken
        const one = untaken?.get(event.index)
        if (one === undefined) return
        one.isTaken = true
        untaken!.delete(event.index)
        return
      }
      case "Received": {
        const connection = this.#connections.get(event.connection)
        if (connection !== undefined) this.#received(connection, event.packet, event.at)
        return
      }
      case "Closed": {
        const connection = this.#connections.get(event.connection)
        if (connection === undefined) return
        connection.closed = event
        connection.client.open.delete(connection)
        return
      }
      case "Started":
        this.#broker(event.broker).isReady = false
        return
      case "Ready":
        this.#broker(event.broker).isReady = true
        return
      case "Ended":
        return this.#ended(event)
      case "Struck":
        if ("duration" in event.fault) this.#actingFaults++
        return
      case "Lifted":
        this.#actingFaults--
        return
      case "Phase":
        if (event.phase === "healed") this.#isHealedLate = this.#actingFaults > 0
        if (event.phase === "cleared" && this.#isHealedLate) this.#reach("run.healed-while-struck")
        return
      default:
        return
    }
  }

  /** What can be told only when all is seen. */
  finish(): void {
    for (const { unanswered, wasBackInTime, isWillPublished } of this.#connections.values()) {
      for (const { isCutOff } of unanswered.values()) if (isCutOff) this.#reach("exchange.crash-before-acknowledgement")
      if (wasBackInTime && !isWillPublished) this.#reach("will.delayed-and-cancelled")
    }
    for (const client of this.#clients.values()) this.#sessionOver(client)
  }

  #client(name: string): Client {
    let client = this.#clients.get(name)
    if (client === undefined) {
      client = {
        open: new Set(),
        confirmed: undefined,
        filters: new Set(),
        asked: new Set(),
        keepsRetain: false,
        waiting: new Map(),
        expired: new Set()
      }
      this.#clients.set(name, client)
    }
    return client
  }

  #broker(name: string): Broker {
    let broker = this.#brokers.get(name)
    if (broker === undefined) this.#brokers.set(name, (broker = { isReady: true, crashedAt: undefined }))
    return broker
  }

  #opened(event: Extract<Event, { _tag: "Opened" }>): void {
    const client = this.#client(event.client)
    const connection: Connection = {
      client,
      broker: this.#broker(event.broker),
      version: event.version === 5 ? "5" : "3.1.1",
      connect: undefined,
      connack: undefined,
      confirmedAt: event.at,
      crashedAt: undefined,
      closed: undefined,
      subscribedAt: -1,
      unanswered: new Map(),
      untaken: new Map(),
      sending: 0,
      receiving: new Set(),
      subscribes: new Map(),
      pubRecsReceived: new Set(),
      pubRecsSent: new Set(),
      aliases: new Map(),
      diedWithBroker: false,
      wasBackInTime: false,
      isWillPublished: false
    }
    client.open.add(connection)
    this.#connections.set(event.connection, connection)
  }

  #ended({ broker: name, how, at }: Extract<Event, { _tag: "Ended" }>): void {
    const broker = this.#broker(name)
    if (!broker.isReady) this.#reach("broker.ended-while-starting")
    broker.isReady = false
    if (how !== "kill" && how !== "power") return
    broker.crashedAt = at
    for (const client of this.#clients.values()) {
      for (const connection of client.open) {
        if (connection.broker !== broker) continue
        connection.diedWithBroker = connection.connack !== undefined
        for (const one of connection.unanswered.values()) one.isCutOff = one.isTaken
      }
    }
  }

  #sent(connection: Connection, packet: Packet, at: number, index: number): void {
    switch (packet._tag) {
      case "Connect": {
        connection.connect = packet
        if (packet.will === undefined) return
        const id = decode(packet.will.payload)
        if (id !== undefined) this.#wills.set(nameOf(id), connection)
        this.#willTopics.add(packet.will.topic)
        return
      }
      case "Publish":
        return this.#published(connection, packet, at, index)
      case "Subscribe":
        return this.#asked(connection, packet, at)
      case "Unsubscribe":
        for (const filter of packet.filters) connection.client.filters.delete(filter)
        return
      case "PubRec":
        connection.pubRecsSent.add(packet.packetId)
        if (packet.reasonCode >= 0x80) connection.receiving.delete(packet.packetId)
        return
      case "PubRel":
        // Without a PUBREC on this connection it is for one that came on an earlier one.
        if (connection.pubRecsReceived.delete(packet.packetId)) return
        connection.sending++
        this.#reach("exchange.pubrel-resent-by-client")
        if (connection.crashedAt !== undefined) this.#reach("exchange.released-after-crash")
        return
      case "PubAck":
      case "PubComp":
        connection.receiving.delete(packet.packetId)
        return
      default:
        return
    }
  }

  #asked(connection: Connection, { packetId, subscriptions }: Subscribe, at: number): void {
    const { client, subscribes } = connection
    subscribes.set(
      packetId,
      subscriptions.map(({ filter }) => filter)
    )
    for (const { filter, retainAsPublished } of subscriptions) {
      client.asked.add(filter)
      if (retainAsPublished) client.keepsRetain = true
    }
    connection.subscribedAt = at
  }

  #published(connection: Connection, packet: Publish, at: number, index: number): void {
    const { qos, retain, dup, packetId, properties } = packet
    const alias = properties?.topicAlias
    if (alias !== undefined && packet.topic !== "") connection.aliases.set(alias, packet.topic)
    if (packet.topic === "") this.#reach("alias.used-by-client")
    const name = qos > 0 || retain ? messageOf(packet) : undefined
    if (retain && name !== undefined && !this.#retainedAt.has(name)) this.#retainedAt.set(name, at)
    if (qos === 0) return
    if (dup) {
      this.#reach("exchange.publish-resent-by-client")
      if (name !== undefined) this.#repeated.add(name)
    }
    const topic = packet.topic === "" ? (connection.aliases.get(alias!) ?? "") : packet.topic
    const expiry = properties?.messageExpiryInterval
    const one: Unanswered = { name, topic, expiry, isTaken: false, isCutOff: false }
    connection.unanswered.set(packetId, one)
    connection.untaken.set(index, one)
    connection.sending++
    if (connection.sending === connection.connack?.properties?.receiveMaximum) {
      this.#reach("flow.receive-maximum-of-broker")
    }
  }

  #received(connection: Connection, packet: Packet, at: number): void {
    switch (packet._tag) {
      case "ConnAck":
        return this.#answered(connection, packet, at)
      case "Publish":
        return this.#delivered(connection, packet, at)
      case "PubAck":
      case "PubRec": {
        const one = connection.unanswered.get(packet.packetId)
        connection.unanswered.delete(packet.packetId)
        if (packet.reasonCode === 0x97) this.#reach("flow.refused-for-room")
        if (packet._tag === "PubRec" && packet.reasonCode < 0x80) connection.pubRecsReceived.add(packet.packetId)
        else connection.sending--
        if (one !== undefined && packet.reasonCode < 0x80) this.#acknowledged(one, at)
        return
      }
      case "PubComp":
        connection.sending--
        return
      case "PubRel":
        if (connection.pubRecsSent.delete(packet.packetId)) return
        connection.receiving.add(packet.packetId)
        this.#reach("exchange.pubrel-resent-by-broker")
        if (connection.crashedAt !== undefined) this.#reach("exchange.released-after-crash")
        return
      case "SubAck":
        connection.subscribes.get(packet.packetId)?.forEach((filter, i) => {
          if ((packet.reasonCodes[i] ?? 0x80) < 0x80) connection.client.filters.add(filter)
        })
        return
      case "Disconnect":
        return this.#reach(`disconnect.${hex(packet.reasonCode)}`)
      default:
        return
    }
  }

  #answered(connection: Connection, connack: ConnAck, at: number): void {
    const { client, connect, broker, version } = connection
    if (connack.reasonCode !== 0) return this.#reach(`client.refused-${version}`)
    this.#reach(`client.served-${version}`)
    connection.connack = connack
    connection.confirmedAt = at
    const isUnfinished = ({ unanswered, receiving }: Connection) => unanswered.size + receiving.size > 0
    for (const older of client.open) {
      if (older !== connection && isUnfinished(older)) this.#reach("session.taken-over-in-flight")
    }
    const last = client.confirmed
    client.confirmed = connection
    if (connack.sessionPresent && last !== undefined) {
      if (broker.crashedAt !== undefined && broker.crashedAt > last.confirmedAt) {
        connection.crashedAt = broker.crashedAt
        this.#reach("session.resumed-after-crash")
      }
      this.#cameBack(client, last, at)
      return
    }
    const wasDurable = last?.connect !== undefined && isDurable(last.connect)
    if (wasDurable && connect?.cleanStart === false) this.#reach("session.expired-while-away")
    this.#sessionOver(client)
  }

  /** What has not come by now never comes. */
  #sessionOver({ filters, waiting, expired }: Client): void {
    for (const _ of expired) this.#reach("session.message-expired-in-queue")
    filters.clear()
    waiting.clear()
    expired.clear()
  }

  /** A session goes on. */
  #cameBack({ waiting, expired }: Client, last: Connection, at: number): void {
    for (const [name, expiresAt] of waiting) {
      if (expiresAt >= at) continue
      waiting.delete(name)
      expired.add(name)
    }
    const delay = last.connect?.will?.properties?.willDelayInterval ?? 0
    const { closed } = last
    if (delay === 0 || closed === undefined || closed.by === "client" || closed.by === "broker") return
    last.wasBackInTime = at < closed.at + delay * second
  }

  #acknowledged({ name, topic, expiry }: Unanswered, at: number): void {
    if (name === undefined) return
    this.#acknowledgedAt.set(name, at)
    if (expiry === undefined) return
    for (const { open, confirmed, filters, waiting } of this.#clients.values()) {
      if (open.size > 0 || confirmed?.connect === undefined || !isDurable(confirmed.connect)) continue
      const isSubscribed = [...filters].some((filter) => {
        const { inner, group } = partsOf(filter)
        return group === undefined && isMatch(inner, topic)
      })
      if (isSubscribed) waiting.set(name, at + expiry * second)
    }
  }

  #delivered(connection: Connection, packet: Publish, at: number): void {
    const { client, receiving, connect, crashedAt } = connection
    const { qos, dup, retain, packetId, topic } = packet
    if (topic === "") this.#reach("alias.used-by-broker")
    if (dup) this.#reach("exchange.publish-resent-by-broker")
    if (qos > 0) {
      receiving.add(packetId)
      if (receiving.size === connect?.properties?.receiveMaximum) this.#reach("flow.receive-maximum-of-client")
    }
    const isShared = qos > 0 && isOnlyShared(client)
    const mayBeWill = topic === "" || this.#willTopics.has(topic)
    const isAwaited = client.waiting.size + client.expired.size > 0
    // To read what a payload says costs more than all the rest.
    if (!isShared && !mayBeWill && !isAwaited && !retain && crashedAt === undefined) return
    const name = messageOf(packet)
    if (name === undefined) return
    client.waiting.delete(name)
    client.expired.delete(name)
    const will = this.#wills.get(name)
    if (will !== undefined) return this.#willPublished(will, at)
    if (retain) this.#retainedRead(connection, name)
    else if (crashedAt !== undefined && (this.#acknowledgedAt.get(name) ?? Infinity) < crashedAt) {
      this.#reach("session.message-survived-crash")
    }
    if (isShared) this.#shared(client, name)
  }

  #willPublished(connection: Connection, at: number): void {
    if (connection.isWillPublished) return
    connection.isWillPublished = true
    if (connection.diedWithBroker) this.#reach("will.after-crash")
    const delay = connection.connect?.will?.properties?.willDelayInterval ?? 0
    if (delay > 0 && connection.closed !== undefined && at >= connection.closed.at + delay * second) {
      this.#reach("will.after-delay")
    }
  }

  #retainedRead({ client, broker, subscribedAt }: Connection, name: string): void {
    const { crashedAt } = broker
    // A live message has RETAIN only for those who asked for that.
    if (client.keepsRetain || crashedAt === undefined || subscribedAt < crashedAt) return
    if ((this.#retainedAt.get(name) ?? Infinity) < crashedAt) this.#reach("retained.read-after-crash")
  }

  #shared(client: Client, name: string): void {
    if (this.#repeated.has(name)) return
    const key = `${[...client.asked][0]!} ${name}`
    const member = this.#members.get(key)
    if (member !== undefined && member !== client) this.#reach("shared.moved-to-another-member")
    this.#members.set(key, client)
  }
}

/** How often a history shows each rare path, by the names of `Probes.ts` and some more. A pure function, one pass. */
export const probesOf = (history: History): ReadonlyMap<string, number> => {
  const watcher = new Watcher()
  for (const event of history) watcher.watch(event)
  watcher.finish()
  return watcher.reached
}
