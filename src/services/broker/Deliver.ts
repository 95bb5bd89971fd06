/**
 * From a message to its receivers: who gets it, at which QoS, now or later (sections 3.3.4 and 4.3). The hot path of
 * the broker: plain calls, no effects.
 */
import { Result } from "effect"
import * as Encoder from "../../domain/packet/Encoder.ts"
import type { QoS } from "../../domain/packet/Packet.ts"
import { detached, type Message } from "../../domain/Message.ts"
import type { Target } from "../../domain/partition/Record.ts"
import * as Outbound from "../../domain/session/Outbound.ts"
import { parseTopicFilter } from "../../domain/topic/TopicFilter.ts"
import type { TopicName } from "../../domain/topic/TopicName.ts"
import type { Change } from "../Partitions.ts"
import type { Destination, Destinations, Subscriber } from "../Router.ts"
import { caughtUp, isBehind, isWriteLong, mustDrop } from "./BackPressure.ts"
import { type BrokerState, send, sendWritten } from "./BrokerState.ts"
import type { Connection } from "./Connection.ts"
import { Encodings, packetOf, propertiesOf } from "./Encodings.ts"

/** Payloads from this size on are sent from where they lie, behind a header of their own; in bytes. */
const copiedPayload = 4 * 1024

/** The destinations of a message, each shared subscription replaced by the member that it chose. */
export const audienceOf = (b: BrokerState, topic: TopicName, publisher: string): ReadonlyArray<Destination> => {
  const { direct, shared } = b.router.destinations(topic)
  return shared.length === 0 ? direct : withShared(b, direct, shared, publisher)
}

const withShared = (
  b: BrokerState,
  direct: Destinations["direct"],
  shared: Destinations["shared"],
  publisher: string
): ReadonlyArray<Destination> => {
  const all = [...direct]
  for (const route of shared) {
    const chosen = b.router.choose(route, publisher)
    if (chosen !== undefined) all.push(chosen)
  }
  return all
}

/**
 * The credit that a message takes in the queues of durable sessions; Infinity when one of them has no room. Nothing that
 * was accepted is dropped to make room, so what there is no room or no credit for is refused as a whole.
 */
export const queueingCost = (b: BrokerState, message: Message, audience: ReadonlyArray<Destination>): number => {
  if (message.qos === 0) return 0
  let cost = 0
  for (const { subscriber, qos } of audience) {
    if (!subscriber.durable || qos === 0) continue
    if (isFull(b, subscriber)) return Infinity
    cost += b.partitions.cost(message, b.config.bank.recordCost)
  }
  return cost
}

const isFull = (b: BrokerState, { session: { outbound } }: Subscriber): boolean =>
  outbound.size >= b.limits.queueMessages || outbound.bytes >= b.limits.queueBytes

/**
 * Sends the message on its way to its audience. `publisher` is the publisher's own session, for No Local. Transient
 * sessions have it when this returns; for durable ones, and for `changes`, which become durable with it or not at all,
 * `committed` is called later. Returns whether there is such a later.
 */
export const deliver = (
  b: BrokerState,
  encodings: Encodings,
  audience: ReadonlyArray<Destination>,
  publisher: Subscriber | undefined,
  changes: ReadonlyArray<Change> | undefined,
  committed: () => void
): boolean => {
  const message = encodings.message!
  let durable: Array<Destination> | undefined
  for (let i = 0; i < audience.length; i++) {
    let destination = audience[i]!
    if (destination.subscriber === publisher) {
      if (destination.own === undefined) continue
      destination = destination.own
    }
    const qos = (message.qos < destination.qos ? message.qos : destination.qos) as QoS
    if (qos === 0) deliverAtMostOnce(b, encodings, destination)
    else if (destination.subscriber.durable) (durable ??= []).push(destination)
    else deliverToTransient(b, encodings, destination, qos)
  }
  if (durable === undefined && changes === undefined) return false
  const queueing: Queueing = { changes: changes === undefined ? [] : [...changes], places: [] }
  if (durable !== undefined) addQueueing(b, queueing, detached(message), durable)
  queue(b, queueing, committed)
  return true
}

/**
 * Delivers a message together with changes that note that it is done: the Packet Identifier of a QoS 2 message, or the
 * end of a Will. Who needs no journal gets it when those are durable: if the broker crashed before, it would come
 * again, and nobody may get it twice [MQTT-4.3.3-10].
 */
export const deliverOnce = (
  b: BrokerState,
  encodings: Encodings,
  audience: ReadonlyArray<Destination>,
  publisher: Subscriber | undefined,
  changes: ReadonlyArray<Change>,
  committed: () => void
): void => {
  const queued: Array<Destination> = []
  const others: Array<Destination> = []
  for (const destination of audience) {
    const meant = destination.subscriber === publisher ? destination.own : destination
    if (meant === undefined) continue
    if (meant.subscriber.durable && meant.qos > 0) queued.push(meant)
    else others.push(meant)
  }
  if (others.length === 0) {
    deliver(b, encodings, queued, undefined, changes, committed)
    return
  }
  const message = detached(encodings.message!)
  deliver(b, encodings, queued, undefined, changes, () => {
    const present = others.flatMap((destination) => stillThere(b, destination, message.publisher) ?? [])
    const later = new Encodings(b.frames)
    later.begin(message, b.now)
    const isExpired = message.expiresAt <= b.now
    if (!deliver(b, later, isExpired ? [] : present, undefined, undefined, committed)) committed()
  })
}

/** The destination, unless its session has ended meanwhile; then another member, if it was one of a shared group. */
const stillThere = (b: BrokerState, destination: Destination, publisher: string): Destination | undefined => {
  const { subscriber, share } = destination
  if (b.subscribers.get(subscriber.session.clientId) === subscriber) return destination
  return share === undefined ? undefined : anotherMember(b, share, publisher)
}

/** The RETAIN flag of a message that is forwarded to a subscription that stood before it came [MQTT-3.3.1-12]. */
const retainFlag = (message: Message, destination: Destination): boolean =>
  message.retain && destination.retainAsPublished

const deliverAtMostOnce = (b: BrokerState, encodings: Encodings, destination: Destination): void => {
  const c = destination.subscriber.connection
  if (c === undefined) return
  if (isWriteLong(b, c)) {
    b.sawCongestion = true
    if (mustDrop(b, c)) {
      b.counts.droppedQoS0++
      return
    }
  }
  const message = encodings.message!
  const retain = retainFlag(message, destination)
  const isVersion5 = c.version === 5
  if (isVersion5 && (destination.identifiers !== undefined || c.aliasesAllowed > 0)) {
    sendPublish(b, c, message, 0, retain, false, 0, destination.identifiers)
    return
  }
  encodings.select(isVersion5, 0, retain)
  if (encodings.end - encodings.start > c.maximumPacketSize) b.counts.droppedTooLarge++
  else send(b, c, encodings.buffer, encodings.start, encodings.end)
}

const deliverToTransient = (b: BrokerState, encodings: Encodings, destination: Destination, qos: 1 | 2): void => {
  const { subscriber, identifiers } = destination
  const message = encodings.message!
  const { outbound } = subscriber.session
  if (isFull(b, subscriber)) {
    // A transient session that loses a message has lost its meaning. It ends after the pass: others are being served.
    b.counts.refused++
    if (subscriber.connection !== undefined) b.tooSlow.add(subscriber.connection)
    return
  }
  const retain = retainFlag(message, destination)
  const delivery = Outbound.offer(outbound, message, qos, retain, identifiers, destination.share)
  Outbound.markReady(outbound, delivery.sequence + 1)
  pump(b, subscriber, encodings)
  if (delivery.sequence < outbound.next) return
  // What has to wait must not keep the whole chunk that it came in.
  Outbound.replace(outbound, delivery, detached(message))
  b.sawCongestion = true
}

/** A session that a record queues a message for, and up to where its queue may be sent when that is durable. */
interface Place {
  readonly subscriber: Subscriber
  upTo: number
}

/** The records that queue a message for durable sessions, and the sessions. */
export interface Queueing {
  readonly changes: Array<Change>
  readonly places: Array<Place>
}

/** Adds what queues the message for these destinations; it must not be a view of a chunk any more. */
const addQueueing = (
  b: BrokerState,
  { changes, places }: Queueing,
  message: Message,
  destinations: ReadonlyArray<Destination>
): void => {
  const byPartition = new Map<number, Array<Target>>()
  for (const destination of destinations) {
    const { subscriber, identifiers, share } = destination
    const target: Target = {
      clientId: subscriber.session.clientId,
      qos: Math.min(message.qos, destination.qos) as 1 | 2,
      retain: retainFlag(message, destination),
      ...(identifiers !== undefined && { identifiers }),
      ...(share !== undefined && { share })
    }
    const partition = b.partitions.of(target.clientId)
    const targets = byPartition.get(partition)
    if (targets === undefined) byPartition.set(partition, [target])
    else targets.push(target)
    places.push({ subscriber, upTo: 0 })
  }
  for (const [partition, targets] of byPartition) {
    changes.push({ partition, record: { _tag: "Queued", message, targets } })
  }
}

/** Makes the changes, as one, and sends what they queue when they are durable. */
export const queue = (b: BrokerState, { changes, places }: Queueing, committed: () => void): void => {
  b.partitions.change(changes, () => {
    for (const { subscriber, upTo } of places) {
      Outbound.markReady(subscriber.session.outbound, upTo)
      pump(b, subscriber)
    }
    committed()
  })
  for (const place of places) {
    const { connection, session } = place.subscriber
    place.upTo = session.outbound.tail
    if (connection !== undefined && isBehind(b, connection)) b.sawCongestion = true
  }
}

/**
 * What a shared subscription had chosen a session for goes to another member when the session ends before the client has
 * acknowledged it (section 4.8.2). A QoS 2 message whose sending had begun does not [MQTT-4.8.2-5]. Transient members
 * have it when this returns, what queues it for durable ones is returned.
 */
export const handOn = (b: BrokerState, encodings: Encodings, { session }: Subscriber): Queueing => {
  const queueing: Queueing = { changes: [], places: [] }
  for (const { share, message, qos, sequence } of Outbound.deliveries(session.outbound)) {
    if (share === undefined || (qos === 2 && sequence < session.outbound.attempted)) continue
    if (message.expiresAt <= b.now) continue
    const member = anotherMember(b, share, message.publisher)
    if (member === undefined) continue
    if (member.subscriber.durable && member.qos > 0) {
      addQueueing(b, queueing, message, [member])
    } else {
      encodings.begin(message, b.now)
      deliver(b, encodings, [member], undefined, undefined, noted)
    }
  }
  return queueing
}

/** A member of a shared subscription for a message whose first one has gone. */
const anotherMember = (b: BrokerState, share: string, publisher: string): Destination | undefined => {
  const parsed = parseTopicFilter(share)
  return Result.isSuccess(parsed) ? b.router.chooseAgain(parsed.success, publisher) : undefined
}

/** Queues a message for one session alone: a retained one for its new subscription. */
export const deliverToOne = (
  b: BrokerState,
  subscriber: Subscriber,
  message: Message,
  qos: QoS,
  identifiers: ReadonlyArray<number> | undefined
): void => {
  if (qos === 0) {
    const c = subscriber.connection
    if (c !== undefined) sendPublish(b, c, message, 0, true, false, 0, identifiers)
    return
  }
  if (!subscriber.durable) {
    const { outbound } = subscriber.session
    Outbound.markReady(outbound, Outbound.offer(outbound, message, qos, true, identifiers).sequence + 1)
    pump(b, subscriber)
    return
  }
  const { clientId, outbound } = subscriber.session
  const target: Target = { clientId, qos, retain: true, ...(identifiers !== undefined && { identifiers }) }
  let upTo = 0
  b.partitions.change(
    [{ partition: b.partitions.of(clientId), record: { _tag: "Queued", message, targets: [target] } }],
    () => {
      Outbound.markReady(outbound, upTo)
      pump(b, subscriber)
    }
  )
  upTo = outbound.tail
}

/** Sends what the session's window, and its connection, have room for. `encodings` may hold the latest message. */
export const pump = (b: BrokerState, subscriber: Subscriber, encodings?: Encodings): void => {
  const c = subscriber.connection
  if (c === undefined) return
  const { outbound } = subscriber.session
  while (outbound.next < outbound.ready && !c.isCongested) {
    const delivery = Outbound.next(outbound, b.now, (expired) => finish(b, subscriber, expired, noted))
    if (delivery === undefined) break
    transmit(b, c, subscriber, delivery, encodings)
  }
  caughtUp(b, c)
}

const noted = (): void => {}

const transmit = (
  b: BrokerState,
  c: Connection,
  subscriber: Subscriber,
  delivery: Outbound.Delivery,
  encodings: Encodings | undefined
): void => {
  const { message, packetId, qos, retain, subscriptionIdentifiers } = delivery
  const version = c.version as 3 | 4 | 5
  if (delivery.stage === Outbound.Stage.Release) {
    Encoder.writeAck(b.replies, "PubRel", packetId, 0, version)
    sendWritten(b, c, b.replies)
    return
  }
  const dup = Outbound.isResend(subscriber.session.outbound, delivery)
  const isVersion5 = version === 5
  if (
    encodings?.message !== message ||
    (isVersion5 && (subscriptionIdentifiers !== undefined || c.aliasesAllowed > 0)) ||
    message.payload.length >= copiedPayload
  ) {
    if (sendPublish(b, c, message, qos, retain, dup, packetId, subscriptionIdentifiers)) return
  } else {
    encodings.select(isVersion5, qos, retain)
    if (encodings.end - encodings.start <= c.maximumPacketSize) {
      const { buffer, start, end, idOffset } = encodings
      Encoder.writePublishCopy(b.frames, buffer, start, end, idOffset, packetId, dup)
      sendWritten(b, c, b.frames)
      return
    }
    b.counts.droppedTooLarge++
  }
  // Too large for this client: as if it had been sent and acknowledged [MQTT-3.1.2-25].
  finish(b, subscriber, delivery, noted)
}

/** Encodes one PUBLISH for one connection. False: it is larger than the client takes, and is not sent. */
const sendPublish = (
  b: BrokerState,
  c: Connection,
  message: Message,
  qos: QoS,
  retain: boolean,
  dup: boolean,
  packetId: number,
  identifiers: ReadonlyArray<number> | undefined
): boolean => {
  const version = c.version as 3 | 4 | 5
  if (version !== 5) {
    write(b, c, packetOf(message, message.topic, qos, retain, dup, packetId, undefined), version)
    return true
  }
  const full = packetOf(message, message.topic, qos, retain, dup, packetId, propertiesOf(message, b.now, identifiers))
  if (c.maximumPacketSize !== Infinity && Encoder.size(full, version) > c.maximumPacketSize) {
    b.counts.droppedTooLarge++
    return false
  }
  if (c.aliasesAllowed === 0) {
    write(b, c, full, version)
    return true
  }
  const known = c.aliasesGiven?.get(message.topic)
  const alias = known ?? giveAlias(c, message.topic)
  const topic = known === undefined ? message.topic : ""
  const aliased = packetOf(message, topic, qos, retain, dup, packetId, propertiesOf(message, b.now, identifiers, alias))
  // The first use of an alias is longer than no alias.
  const fits = Encoder.size(aliased, version) <= c.maximumPacketSize
  if (!fits && known === undefined) c.aliasesGiven?.delete(message.topic)
  write(b, c, fits ? aliased : full, version)
  return true
}

/** The next free alias for a topic, or undefined when all that the client allows are given. */
const giveAlias = (c: Connection, topic: string): number | undefined => {
  const given = (c.aliasesGiven ??= new Map())
  if (given.size >= c.aliasesAllowed) return undefined
  const alias = given.size + 1
  given.set(topic, alias)
  return alias
}

const write = (b: BrokerState, c: Connection, packet: ReturnType<typeof packetOf>, version: 3 | 4 | 5): void => {
  const { payload } = packet
  if (payload.length < copiedPayload) {
    Encoder.write(b.frames, packet, version)
    sendWritten(b, c, b.frames)
    return
  }
  Encoder.writePublishHeader(b.frames, packet, version)
  sendWritten(b, c, b.frames)
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.length)
  send(b, c, bytes, 0, bytes.length)
}

/** The receiver is done with a delivery, or it has expired: it leaves the queue, through the journal if need be. */
export const finish = (
  b: BrokerState,
  subscriber: Subscriber,
  delivery: Outbound.Delivery,
  committed: () => void
): void => {
  if (!subscriber.durable) {
    Outbound.complete(subscriber.session.outbound, delivery)
    return
  }
  const { clientId } = subscriber.session
  const record = { _tag: "Completed", clientId, sequence: delivery.sequence } as const
  b.partitions.change([{ partition: b.partitions.of(clientId), record }], committed)
}
