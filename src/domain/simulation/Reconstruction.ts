/** From a history to its {@link Account}, in one pass. */
import type { Connect, Packet, Publish, Subscribe, Unsubscribe } from "../packet/Packet.ts"
import type {
  Account,
  BrokerLife,
  Connection,
  Delivery,
  FaultSpan,
  Publication,
  Sending,
  SentPacket,
  Session,
  Subscription
} from "./Account.ts"
import { makeBrokerClock } from "./BrokerClock.ts"
import type { Event, History } from "./History.ts"
import { decode, nameOf } from "./Payload.ts"
import {
  connectAnswered,
  connectSent,
  finishSessions,
  makeSessionHistory,
  type SessionHistory
} from "./SessionHistory.ts"
import { makeMatcher, partsOf } from "./TopicMatching.ts"

/** What is remembered of a connection only while the history is read. */
interface Reading {
  readonly connection: Connection
  /** Topic by alias, as the client set them, and as the broker did. */
  readonly aliasesSent: Map<number, string>
  readonly aliasesReceived: Map<number, string>
  /** What was sent and waits for its answer, by packet identifier. */
  readonly sendings: Map<number, { readonly publication: Publication; readonly sending: Sending }>
  readonly subscribes: Map<number, ReadonlyArray<Subscription>>
  readonly unsubscribes: Map<number, SentPacket<Unsubscribe>>
  /** Deliveries that wait for the client's answer, by packet identifier. */
  readonly deliveries: Map<number, Delivery>
  /** SUBSCRIBE and UNSUBSCRIBE that were sent before the CONNACK came. */
  early: Array<SentPacket<Subscribe> | SentPacket<Unsubscribe>>
  /** Whether the broker has sent DISCONNECT. */
  isDismissed: boolean
}

/** What is remembered of a session only while the history is read. */
interface SessionReading {
  /** Subscriptions that may hold, by filter. */
  readonly holding: Map<string, Array<Subscription>>
  /** QoS 2 deliveries that wait for PUBREL, by packet identifier. */
  readonly unreleased: Map<number, Delivery>
}

const isSent = <T extends Packet["_tag"]>(sent: SentPacket, tag: T): sent is SentPacket<Extract<Packet, { _tag: T }>> =>
  sent.packet._tag === tag

/** Bytes of a PUBLISH beyond its topic, payload and properties of any length. */
const publishOverhead = 64

/** An upper bound for the bytes that a message takes on its way to a subscriber. */
const bytesOf = ({ payload, properties }: Publish, topic: string): number => {
  let bytes = publishOverhead + Buffer.byteLength(topic) + payload.length
  if (properties === undefined) return bytes
  bytes += Buffer.byteLength(properties.contentType ?? "") + Buffer.byteLength(properties.responseTopic ?? "")
  bytes += properties.correlationData?.length ?? 0
  for (const [name, value] of properties.userProperties ?? []) {
    bytes += 5 + Buffer.byteLength(name) + Buffer.byteLength(value)
  }
  return bytes
}

/** The topic of a PUBLISH, its alias resolved and remembered (section 3.3.2.3.4). */
const topicOf = ({ topic, properties }: Publish, aliases: Map<number, string>): string | undefined => {
  const alias = properties?.topicAlias
  if (alias === undefined) return topic
  if (topic !== "") aliases.set(alias, topic)
  return aliases.get(alias)
}

class Reader {
  readonly connections = new Map<number, Reading>()
  readonly connectionsOf = new Map<string, Array<Connection>>()
  readonly sessionsOf = new Map<string, SessionHistory>()
  readonly sessions: Array<Session> = []
  readonly sessionReadings = new Map<Session, SessionReading>()
  readonly publications = new Map<string, Publication>()
  readonly clears: Array<Publication> = []
  readonly wills = new Map<string, Connection>()
  readonly deliveries: Array<Delivery> = []
  readonly brokers: Array<BrokerLife> = []
  readonly faults: Array<FaultSpan> = []
  readonly phases: Array<Extract<Event, { _tag: "Phase" }>> = []
  readonly clock
  readonly isOmniscient: boolean

  constructor(history: History) {
    const jumps = history.flatMap((event) =>
      event._tag === "ClockJumped" ? [{ at: event.at, micros: event.millis * 1000 }] : []
    )
    const starts = history.flatMap((event) => (event._tag === "Started" ? [event.at] : []))
    this.clock = makeBrokerClock(jumps, starts)
    this.isOmniscient = history.some(({ _tag }) => _tag === "Taken")
  }

  read(event: Event): void {
    switch (event._tag) {
      case "Opened":
        return this.opened(event)
      case "Sent":
        return this.sent(event)
      case "Taken":
        return this.taken(event)
      case "Received":
        return this.received(event)
      case "Closed": {
        const reading = this.connections.get(event.connection)
        if (reading !== undefined) reading.connection.closed ??= event
        return
      }
      case "Started":
        this.brokers.push({
          broker: event.broker,
          startedAt: event.at,
          queueMessages: event.queueMessages ?? Infinity,
          readyAt: undefined,
          ended: undefined
        })
        return
      case "Ready":
        this.lifeOf(event.broker).readyAt ??= event.at
        return
      case "Ended":
        this.lifeOf(event.broker).ended ??= event
        return
      case "Struck":
        this.faults.push({ struck: event, liftedAt: undefined })
        return
      case "Lifted": {
        const wanted = JSON.stringify(event.fault)
        const span = this.faults.find((one) => {
          return one.liftedAt === undefined && JSON.stringify(one.struck.fault) === wanted
        })
        if (span !== undefined) span.liftedAt = event.at
        return
      }
      case "Phase":
        this.phases.push(event)
        return
      default:
        return
    }
  }

  /** The broker's process that runs now, or the last one. */
  lifeOf(broker: string): BrokerLife {
    const known = this.brokers.findLast((life) => life.broker === broker)
    if (known !== undefined) return known
    const life: BrokerLife = {
      broker,
      startedAt: 0,
      queueMessages: Infinity,
      readyAt: undefined,
      ended: undefined
    }
    this.brokers.push(life)
    return life
  }

  opened(event: Extract<Event, { _tag: "Opened" }>): void {
    const connection: Connection = {
      number: event.connection,
      client: event.client,
      broker: event.broker,
      version: event.version,
      openedAt: event.at,
      sent: [],
      received: [],
      connect: undefined,
      willId: undefined,
      connack: undefined,
      disconnect: undefined,
      closed: undefined,
      session: undefined,
      aliveUntil: event.at
    }
    this.connections.set(event.connection, {
      connection,
      aliasesSent: new Map(),
      aliasesReceived: new Map(),
      sendings: new Map(),
      subscribes: new Map(),
      unsubscribes: new Map(),
      deliveries: new Map(),
      early: [],
      isDismissed: false
    })
    const others = this.connectionsOf.get(event.client)
    if (others === undefined) this.connectionsOf.set(event.client, [connection])
    else others.push(connection)
  }

  sent(event: Extract<Event, { _tag: "Sent" }>): void {
    const reading = this.connections.get(event.connection)
    if (reading === undefined) return
    const { connection } = reading
    const sent: SentPacket = { at: event.at, index: event.index, packet: event.packet, takenAt: undefined }
    connection.sent.push(sent)
    if (isSent(sent, "Connect")) this.connect(connection, sent)
    else if (isSent(sent, "Publish")) this.publish(reading, sent)
    else if (isSent(sent, "Subscribe")) this.subscribe(reading, sent)
    else if (isSent(sent, "Unsubscribe")) this.unsubscribe(reading, sent)
    else if (isSent(sent, "Disconnect")) connection.disconnect = sent
    else if (isSent(sent, "PubAck") || isSent(sent, "PubRec")) {
      const delivery = reading.deliveries.get(sent.packet.packetId)
      if (delivery !== undefined) delivery.answer ??= sent
    }
  }

  taken(event: Extract<Event, { _tag: "Taken" }>): void {
    const connection = this.connections.get(event.connection)?.connection
    if (connection === undefined) return
    const sent = connection.sent[event.index] ?? connection.sent.find(({ index }) => index === event.index)
    if (sent !== undefined) sent.takenAt ??= event.at
    connection.aliveUntil = Math.max(connection.aliveUntil, event.at)
  }

  received(event: Extract<Event, { _tag: "Received" }>): void {
    const reading = this.connections.get(event.connection)
    if (reading === undefined) return
    const { connection } = reading
    const { at, writtenAt, packet } = event
    connection.received.push({ at, writtenAt, packet })
    if (writtenAt !== undefined) connection.aliveUntil = Math.max(connection.aliveUntil, writtenAt)
    switch (packet._tag) {
      case "ConnAck":
        if (connection.connack !== undefined || connection.connect === undefined) return
        connection.connack = { at, writtenAt, packet }
        return this.connack(reading, at)
      case "PubAck":
      case "PubRec": {
        const waiting = reading.sendings.get(packet.packetId)
        if (waiting === undefined || waiting.sending.answer !== undefined) return
        waiting.sending.answer = { at, writtenAt, reasonCode: packet.reasonCode }
        if (packet.reasonCode >= 0x80) waiting.publication.isRefused = true
        else waiting.publication.acknowledgedAt ??= at
        return
      }
      case "SubAck":
        return this.suback(reading, at, packet.packetId, packet.reasonCodes)
      case "UnsubAck":
        return this.unsuback(reading, at, packet.packetId, packet.reasonCodes)
      case "PubRel": {
        if (connection.session === undefined || !this.isHeard(reading)) return
        const { unreleased } = this.sessionReadings.get(connection.session)!
        const delivery = unreleased.get(packet.packetId)
        if (delivery !== undefined) delivery.releasedAt ??= at
        unreleased.delete(packet.packetId)
        return
      }
      case "Publish":
        return this.delivered(reading, at, writtenAt, packet)
      case "Disconnect":
        reading.isDismissed = true
        return
      default:
        return
    }
  }

  connect(connection: Connection, sent: SentPacket<Connect>): void {
    if (connection.connect !== undefined) return
    connection.connect = sent
    connection.aliveUntil = Math.max(connection.aliveUntil, sent.at)
    const { will } = sent.packet
    if (will !== undefined) {
      connection.willId = decode(will.payload)
      if (connection.willId !== undefined) this.wills.set(nameOf(connection.willId), connection)
    }
    connectSent(this.sessionHistory(connection.client), connection)
  }

  sessionHistory(client: string): SessionHistory {
    let sessions = this.sessionsOf.get(client)
    if (sessions === undefined) this.sessionsOf.set(client, (sessions = makeSessionHistory()))
    return sessions
  }

  connack(reading: Reading, at: number): void {
    const { connection } = reading
    const sessions = this.sessionHistory(connection.client)
    if (connection.connack!.packet.reasonCode !== 0) {
      sessions.unanswered = sessions.unanswered.filter((one) => one !== connection)
      return
    }
    const session = connectAnswered(sessions, connection, at, this.clock, this.isOmniscient)
    connection.session = session
    if (!this.sessionReadings.has(session)) {
      this.sessions.push(session)
      this.sessionReadings.set(session, { holding: new Map(), unreleased: new Map() })
    }
    // Whatever was subscribed to before a doubt may be gone since.
    for (const doubt of session.doubts) {
      for (const subscription of session.subscriptions) {
        if (subscription.sentAt < doubt) subscription.endsFrom = Math.min(subscription.endsFrom, doubt)
      }
    }
    const { early } = reading
    reading.early = []
    for (const sent of early) {
      if (isSent(sent, "Subscribe")) this.subscribe(reading, sent)
      else this.unsubscribe(reading, sent as SentPacket<Unsubscribe>)
    }
  }

  subscribe(reading: Reading, sent: SentPacket<Subscribe>): void {
    const { connection } = reading
    const { session } = connection
    if (session === undefined) {
      reading.early.push(sent)
      return
    }
    const { holding } = this.sessionReadings.get(session)!
    const made = sent.packet.subscriptions.map((options): Subscription => {
      const { filter } = options
      const subscription: Subscription = {
        session,
        connection,
        filter,
        ...partsOf(filter),
        options,
        identifier: sent.packet.properties?.subscriptionIdentifier,
        sentAt: sent.at,
        acknowledgedAt: undefined,
        reasonCode: undefined,
        endsFrom: Infinity,
        endsBy: Infinity,
        unsubscribedFrom: Infinity
      }
      const others = holding.get(filter) ?? []
      for (const other of others) other.endsFrom = Math.min(other.endsFrom, sent.at)
      holding.set(filter, [...others, subscription])
      session.subscriptions.push(subscription)
      return subscription
    })
    reading.subscribes.set(sent.packet.packetId, made)
  }

  suback(reading: Reading, at: number, packetId: number, reasonCodes: ReadonlyArray<number>): void {
    const made = reading.subscribes.get(packetId)
    if (made === undefined) return
    reading.subscribes.delete(packetId)
    for (const [i, subscription] of made.entries()) {
      const reasonCode = reasonCodes[i]
      if (reasonCode === undefined) continue
      const { holding } = this.sessionReadings.get(subscription.session)!
      const others = holding.get(subscription.filter) ?? []
      subscription.acknowledgedAt = at
      subscription.reasonCode = reasonCode
      if (reasonCode >= 0x80) {
        subscription.endsFrom = subscription.sentAt
        subscription.endsBy = subscription.sentAt
        holding.set(
          subscription.filter,
          others.filter((other) => other !== subscription)
        )
        continue
      }
      const place = others.indexOf(subscription)
      for (const older of others.slice(0, place)) older.endsBy = Math.min(older.endsBy, at)
      holding.set(subscription.filter, others.slice(Math.max(0, place)))
    }
  }

  unsubscribe(reading: Reading, sent: SentPacket<Unsubscribe>): void {
    const { session } = reading.connection
    if (session === undefined) {
      reading.early.push(sent)
      return
    }
    const { holding } = this.sessionReadings.get(session)!
    for (const filter of sent.packet.filters) {
      for (const subscription of holding.get(filter) ?? []) {
        subscription.endsFrom = Math.min(subscription.endsFrom, sent.at)
        subscription.unsubscribedFrom = Math.min(subscription.unsubscribedFrom, sent.at)
      }
    }
    reading.unsubscribes.set(sent.packet.packetId, sent)
  }

  unsuback(reading: Reading, at: number, packetId: number, reasonCodes: ReadonlyArray<number>): void {
    const sent = reading.unsubscribes.get(packetId)
    const { session } = reading.connection
    if (sent === undefined || session === undefined) return
    reading.unsubscribes.delete(packetId)
    const { holding } = this.sessionReadings.get(session)!
    for (const [i, filter] of sent.packet.filters.entries()) {
      // MQTT 3.1.1 has no reason codes: UNSUBACK says that it is done.
      if ((reasonCodes[i] ?? 0) >= 0x80) continue
      const others = holding.get(filter) ?? []
      // Packets of a connection are handled in order, so what was sent before is what is gone.
      const gone = others.filter(({ unsubscribedFrom }) => unsubscribedFrom <= sent.at)
      for (const subscription of gone) subscription.endsBy = Math.min(subscription.endsBy, at)
      holding.set(
        filter,
        others.filter((other) => !gone.includes(other))
      )
    }
  }

  publish(reading: Reading, sent: SentPacket<Publish>): void {
    const { connection } = reading
    const { packet } = sent
    const topic = topicOf(packet, reading.aliasesSent)
    const publication = this.publicationOf(connection, sent, topic)
    if (publication === undefined) return
    const sending: Sending = {
      connection,
      sent,
      at: sent.at,
      answer: undefined,
      exchange: exchangeOf(publication, connection, packet)
    }
    publication.sendings.push(sending)
    if (packet.qos > 0) reading.sendings.set(packet.packetId, { publication, sending })
  }

  /** The publication that a PUBLISH belongs to. Undefined: its payload is none that can be told from others. */
  publicationOf(connection: Connection, sent: SentPacket<Publish>, topic: string | undefined): Publication | undefined {
    const { packet, at } = sent
    const id = packet.payload.length === 0 ? undefined : decode(packet.payload)
    if (id === undefined && packet.payload.length > 0) return undefined
    const { client } = connection
    const name = id === undefined ? `${client}/clear${connection.number}.${sent.index}` : nameOf(id)
    const known =
      id !== undefined
        ? this.publications.get(name)
        : packet.dup
          ? this.repeatedClear(client, packet, topic)
          : undefined
    if (known !== undefined) return known
    const publication: Publication = {
      id,
      name,
      client,
      topic,
      qos: packet.qos,
      retain: packet.retain,
      expiry: packet.properties?.messageExpiryInterval,
      bytes: bytesOf(packet, topic ?? ""),
      sendings: [],
      firstSentAt: at,
      acknowledgedAt: undefined,
      isRefused: false
    }
    if (id === undefined) this.clears.push(publication)
    else this.publications.set(name, publication)
    return publication
  }

  /** The publication that a PUBLISH with DUP and an empty payload repeats. */
  repeatedClear(client: string, { packetId }: Publish, topic: string | undefined): Publication | undefined {
    return this.clears.findLast(
      (clear) =>
        clear.client === client && clear.topic === topic && clear.sendings.at(-1)!.sent.packet.packetId === packetId
    )
  }

  /** Whether the client takes notice of what comes on this connection. */
  isHeard({ connection, isDismissed }: Reading): boolean {
    return this.connectionsOf.get(connection.client)!.at(-1) === connection && !isDismissed
  }

  delivered(reading: Reading, at: number, writtenAt: number | undefined, packet: Publish): void {
    const { connection } = reading
    const { session } = connection
    const id = decode(packet.payload)
    const delivery: Delivery = {
      at,
      writtenAt,
      order: this.deliveries.length,
      connection,
      session,
      isHeard: this.isHeard(reading),
      packet,
      topic: topicOf(packet, reading.aliasesReceived),
      id,
      name: id === undefined ? undefined : nameOf(id),
      publication: undefined,
      answer: undefined,
      releasedAt: undefined
    }
    this.deliveries.push(delivery)
    session?.deliveries.push(delivery)
    if (packet.qos > 0) reading.deliveries.set(packet.packetId, delivery)
    // What comes late on an older connection does not take the place of what its successor has brought.
    if (packet.qos === 2 && session !== undefined && delivery.isHeard) {
      this.sessionReadings.get(session)!.unreleased.set(packet.packetId, delivery)
    }
  }
}

/** The number of the exchange that the next sending belongs to. */
const exchangeOf = (
  publication: Publication,
  connection: Connection,
  { packetId, dup: isRepeated }: Publish
): number => {
  const last = publication.sendings.at(-1)
  if (last === undefined) return 0
  const { session } = connection
  const isSame =
    publication.qos === 2 &&
    session !== undefined &&
    last.connection.session === session &&
    !session.isUncertain &&
    !session.doubts.some((doubt) => doubt >= last.at) &&
    last.sent.packet.packetId === packetId &&
    // A repeated PUBLISH has DUP; one that was refused, or answered and begun anew, is another exchange.
    (last.answer === undefined || (isRepeated && last.answer.reasonCode < 0x80))
  return isSame ? last.exchange : last.exchange + 1
}

/** Finds the subscriptions that match a topic, and remembers them. */
const makeMatching = (isMatch: Account["isMatch"]): Account["matching"] => {
  const bySession = new Map<Session, Map<string, ReadonlyArray<Subscription>>>()
  return (session, topic) => {
    let byTopic = bySession.get(session)
    if (byTopic === undefined) bySession.set(session, (byTopic = new Map()))
    let found = byTopic.get(topic)
    if (found === undefined) {
      found = session.subscriptions.filter(({ inner, reasonCode }) => {
        return (reasonCode === undefined || reasonCode < 0x80) && isMatch(inner, topic)
      })
      byTopic.set(topic, found)
    }
    return found
  }
}

/** Reads a history. Near-linear in its length. */
export const reconstruct = (history: History): Account => {
  const reader = new Reader(history)
  for (const event of history) reader.read(event)
  const { clock, isOmniscient, brokers, publications } = reader
  const isBrokerEnded = ({ broker, openedAt }: Connection): boolean =>
    brokers.some((life) => life.broker === broker && life.ended !== undefined && life.ended.at >= openedAt)
  for (const sessions of reader.sessionsOf.values()) {
    finishSessions(sessions, clock, isOmniscient, (one) => one.closed !== undefined || isBrokerEnded(one))
  }
  for (const delivery of reader.deliveries) {
    if (delivery.name !== undefined) delivery.publication = publications.get(delivery.name)
  }
  const { phases } = reader
  const isMatch = makeMatcher()
  return {
    history,
    connections: Array.from(reader.connections.values(), ({ connection }) => connection),
    connection: (number) => reader.connections.get(number)?.connection,
    connectionsOf: reader.connectionsOf,
    sessions: reader.sessions,
    publications,
    clears: reader.clears,
    wills: reader.wills,
    deliveries: reader.deliveries,
    brokers,
    faults: reader.faults,
    phases,
    phaseAt: (phase) => phases.find((one) => one.phase === phase)?.at,
    clock,
    isOmniscient,
    endsAt: history.at(-1)?.at ?? 0,
    matching: makeMatching(isMatch),
    isMatch
  }
}
