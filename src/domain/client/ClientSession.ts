/**
 * The client's side of a session (sections 3 and 4): what it has sent and not seen acknowledged, what has arrived and
 * not been taken, its subscriptions, and the answer to each packet of the server. It outlives connections: `opened` and
 * `closed` tell it of them.
 *
 * Synchronous and deterministic: packets leave through `send`, which is only called while a connection is open, and time
 * is an argument. Whoever asks for something gives a function that is called once, with what came of it.
 */
import { type Message, type MessageProperties, never, remainingSeconds } from "../Message.ts"
import { size as encodedSize } from "../packet/Encoder.ts"
import type {
  ConnAck,
  Packet,
  ProtocolVersion,
  PubRec,
  Publish,
  QoS,
  SubAck,
  Subscribe,
  SubscriptionRequest,
  UnsubAck,
  Unsubscribe
} from "../packet/Packet.ts"
import type { PublishProperties, SubscribeProperties, UnsubscribeProperties } from "../packet/Property.ts"
import { ReasonCode } from "../packet/ReasonCode.ts"
import * as Outbound from "../session/Outbound.ts"
import { ClientError, type ClientErrorReason, invalid } from "./ClientError.ts"

/** A message to be published. */
export interface OutgoingMessage {
  readonly topic: string
  readonly payload: Uint8Array
  readonly qos: QoS
  readonly retain: boolean
  /** MQTT 5.0 only. A topic alias goes out beside the topic, where the server allows it. */
  readonly properties?: Omit<PublishProperties, "subscriptionIdentifiers">
}

/** How the server took a message over: 0x00 or 0x10 (no matching subscribers), or from 0x80 on, that it did not. */
export interface Acknowledgement {
  readonly reasonCode: number
  readonly reasonString?: string
}

/** Called once with what came of a request. */
export type Settle<A> = (outcome: A | ClientError) => void

/** A message that has arrived, under the topic that its alias stood for. */
export type ReceivedMessage = Publish

type Subscriptions = Subscribe["subscriptions"]
type Filters = Unsubscribe["filters"]

/** `isRepeated`: asked for by ourselves, of a server that had lost the session. */
type Request =
  | { readonly packet: Subscribe; readonly isRepeated: boolean; readonly settle: Settle<SubAck> }
  | { readonly packet: Unsubscribe; readonly isRepeated: false; readonly settle: Settle<UnsubAck> }

interface Unsent {
  readonly message: Message
  readonly settle: Settle<Acknowledgement>
}

interface Arrived {
  readonly message: ReceivedMessage
  /** Whether the server waits for our PUBACK or PUBREC. */
  readonly isOwed: boolean
}

/** The message as it is kept until it is acknowledged. */
const kept = ({ topic, payload, qos, retain, properties }: OutgoingMessage, now: number): Message => {
  if (properties === undefined) return { topic, payload, qos, retain, expiresAt: never, publisher: "" }
  const { messageExpiryInterval, ...others } = properties
  const expiresAt = messageExpiryInterval === undefined ? never : now + messageExpiryInterval * 1000
  return { topic, payload, qos, retain, expiresAt, publisher: "", properties: others }
}

/** What the server's CONNACK allows (section 3.2.2.3); what it leaves out is allowed. */
interface Allowed {
  readonly maximumPacketSize: number
  readonly maximumQoS: QoS
  readonly retain: boolean
  readonly topicAliasMaximum: number
}

const everything: Allowed = { maximumPacketSize: Infinity, maximumQoS: 2, retain: true, topicAliasMaximum: 0 }

const allowedBy = ({ properties }: ConnAck): Allowed => ({
  maximumPacketSize: properties?.maximumPacketSize ?? Infinity,
  maximumQoS: properties?.maximumQoS ?? 2,
  retain: properties?.retainAvailable !== 0,
  topicAliasMaximum: properties?.topicAliasMaximum ?? 0
})

/** What a PUBLISH costs beside topic and payload, roughly, in bytes. */
const publishOverhead = 16

const success: Acknowledgement = { reasonCode: 0 }

const failed = (reason: ClientErrorReason) => new ClientError({ reason })

const acknowledgementOf = (reasonCode: number, reasonString: string | undefined): Acknowledgement =>
  reasonString === undefined ? (reasonCode === 0 ? success : { reasonCode }) : { reasonCode, reasonString }

export class ClientSession {
  readonly #version: ProtocolVersion
  readonly #send: (packet: Packet) => void
  /** Our own limit to what is in flight; the server's Receive Maximum lowers it. */
  readonly #sendMaximum: number

  readonly #outbound = Outbound.make(0)
  /** Who waits for a message of the outbound queue, by its sequence number. */
  readonly #publications = new Map<number, Settle<Acknowledgement>>()
  /** Messages of QoS 0 that are still to be written, from `#nextUnsent` on. */
  #unsent: Array<Unsent> = []
  #nextUnsent = 0
  /** SUBSCRIBE and UNSUBSCRIBE without an answer, by packet identifier. */
  readonly #requests = new Map<number, Request>()
  /** Granted subscriptions, to be asked for again when the server has lost the session. */
  readonly #subscriptions = new Map<string, { readonly request: SubscriptionRequest; readonly identifier?: number }>()
  /** Packet identifiers of QoS 2 messages that were taken and not yet released [MQTT-4.3.3-10]. */
  readonly #received = new Set<number>()
  #inbox: Array<Arrived> = []

  #isOpen = false
  #allowed = everything
  /** Topics by the alias that the server gave them on this connection. */
  #aliases: Array<string | undefined> = []
  #aliasMaximum = 0

  constructor(options: {
    readonly version: ProtocolVersion
    readonly sendMaximum: number
    readonly send: (packet: Packet) => void
  }) {
    this.#version = options.version
    this.#sendMaximum = options.sendMaximum
    this.#send = options.send
  }

  /** Messages that have arrived and wait to be taken. */
  get waiting(): number {
    return this.#inbox.length
  }

  /** The server has accepted a connection, on which it may use so many topic aliases. */
  opened(connAck: ConnAck, aliasMaximum: number): void {
    this.#isOpen = true
    this.#allowed = allowedBy(connAck)
    this.#aliases = []
    this.#aliasMaximum = aliasMaximum
    const isResumed = connAck.sessionPresent
    if (isResumed) {
      // What was not acknowledged comes again.
      this.#inbox = this.#inbox.filter(({ isOwed }) => !isOwed)
    } else {
      this.#received.clear()
      this.#inbox = this.#inbox.map(({ message }) => ({ message, isOwed: false }))
      this.#beginAgain()
    }
    const receiveMaximum = connAck.properties?.receiveMaximum ?? 65_535
    Outbound.resume(this.#outbound, Math.min(this.#sendMaximum, receiveMaximum))
    // Older wishes first: what is still unanswered may change them.
    const unanswered = [...this.#requests.values()].filter(({ isRepeated }) => isResumed || !isRepeated)
    if (!isResumed) this.#resubscribe()
    for (const { packet } of unanswered) this.#send(packet)
  }

  /** The connection is gone. */
  closed(): void {
    this.#isOpen = false
  }

  /**
   * The server knows nothing of the session: what it had not taken over is a new message to it, and what it had
   * released is delivered.
   */
  #beginAgain(): void {
    for (const delivery of Outbound.deliveries(this.#outbound)) {
      if (delivery.stage === Outbound.Stage.Release) this.#complete(delivery, success)
    }
    this.#outbound.attempted = this.#outbound.head
  }

  #resubscribe(): void {
    for (const [packetId, { isRepeated }] of this.#requests) if (isRepeated) this.#requests.delete(packetId)
    const byIdentifier = new Map<number | undefined, Array<SubscriptionRequest>>()
    for (const { request, identifier } of this.#subscriptions.values()) {
      const requests = byIdentifier.get(identifier)
      if (requests === undefined) byIdentifier.set(identifier, [request])
      else requests.push(request)
    }
    for (const [identifier, [first, ...others]] of byIdentifier) {
      const properties = identifier === undefined ? undefined : { subscriptionIdentifier: identifier }
      this.#send(this.#request([first!, ...others], properties, true, () => {}))
    }
  }

  /** Accepts a message; `settle` is called when it is written (QoS 0), or acknowledged. */
  publish(outgoing: OutgoingMessage, now: number, settle: Settle<Acknowledgement>): void {
    const message = kept(outgoing, now)
    const { qos } = message
    if (qos === 0) {
      this.#unsent.push({ message, settle })
      return
    }
    const delivery = Outbound.offer(this.#outbound, message, qos, message.retain, undefined)
    Outbound.markReady(this.#outbound, delivery.sequence + 1)
    this.#publications.set(delivery.sequence, settle)
  }

  /**
   * Sends of what has been accepted as much as the server's Receive Maximum and `room`, in bytes, allow. What is left is
   * sent when an acknowledgement or more room has come; true when it was the room that ran out.
   */
  pump(now: number, room: number): boolean {
    if (!this.#isOpen) return false
    let left = this.#sendUnsent(now, room)
    const outbound = this.#outbound
    while (left > 0 && !this.#isTakenByRequest(outbound.next)) {
      const delivery = Outbound.next(outbound, now, (expired) => this.#expire(expired))
      if (delivery === undefined) return false
      if (delivery.stage === Outbound.Stage.Release) {
        this.#send({ _tag: "PubRel", packetId: delivery.packetId, reasonCode: 0 })
        continue
      }
      const packet = this.#packetOf(delivery.message, delivery.packetId, Outbound.isResend(outbound, delivery), now)
      const objection = this.#objection(packet)
      if (objection !== undefined) {
        this.#complete(delivery, invalid(objection))
        continue
      }
      this.#send(packet)
      left -= packet.payload.length + packet.topic.length + publishOverhead
    }
    return left <= 0
  }

  /** Sends messages of QoS 0 and returns the room that is left. */
  #sendUnsent(now: number, room: number): number {
    let left = room
    while (left > 0 && this.#nextUnsent < this.#unsent.length) {
      const { message, settle } = this.#unsent[this.#nextUnsent++]!
      if (message.expiresAt <= now) {
        settle(failed({ _tag: "Expired", topic: message.topic }))
        continue
      }
      const packet = this.#packetOf(message, 0, false, now)
      const objection = this.#objection(packet)
      if (objection !== undefined) {
        settle(invalid(objection))
        continue
      }
      this.#send(packet)
      left -= packet.payload.length + packet.topic.length + publishOverhead
      settle(success)
    }
    if (this.#nextUnsent === this.#unsent.length && this.#nextUnsent > 0) {
      this.#unsent = []
      this.#nextUnsent = 0
    }
    return left
  }

  #packetOf(
    { topic, payload, qos, retain, expiresAt, properties }: Message,
    packetId: number,
    dup: boolean,
    now: number
  ): Publish {
    if (this.#version !== 5 || (properties === undefined && expiresAt === never)) {
      return { _tag: "Publish", topic, payload, qos, retain, dup, packetId }
    }
    const { topicAlias, ...others }: MessageProperties & { readonly topicAlias?: number } = properties ?? {}
    return {
      _tag: "Publish",
      topic,
      payload,
      qos,
      retain,
      dup,
      packetId,
      properties: {
        ...others,
        ...(topicAlias !== undefined && topicAlias <= this.#allowed.topicAliasMaximum && { topicAlias }),
        ...(expiresAt !== never && {
          messageExpiryInterval: remainingSeconds({ topic, payload, qos, retain, expiresAt, publisher: "" }, now)
        })
      }
    }
  }

  /** Why the server would not take this PUBLISH, by what its CONNACK said. */
  #objection(packet: Publish): string | undefined {
    const { maximumPacketSize, maximumQoS, retain } = this.#allowed
    if (packet.qos > maximumQoS) return `the server supports no QoS above ${maximumQoS}`
    if (packet.retain && !retain) return "the server does not support retained messages"
    if (maximumPacketSize === Infinity) return undefined
    const bytes = encodedSize(packet, this.#version)
    return bytes <= maximumPacketSize
      ? undefined
      : `the message makes a packet of ${bytes} bytes, and the server takes ${maximumPacketSize} at most`
  }

  #expire(delivery: Outbound.Delivery): void {
    this.#complete(delivery, failed({ _tag: "Expired", topic: delivery.message.topic }))
  }

  #complete(delivery: Outbound.Delivery, outcome: Acknowledgement | ClientError): void {
    Outbound.complete(this.#outbound, delivery)
    const settle = this.#publications.get(delivery.sequence)
    this.#publications.delete(delivery.sequence)
    settle?.(outcome)
  }

  /**
   * Asks for subscriptions; the outcome is the SUBACK, with a code for each, in order. They are asked for again whenever
   * the server has lost the session.
   */
  subscribe(subscriptions: Subscriptions, properties: SubscribeProperties | undefined, settle: Settle<SubAck>): void {
    this.#sendRequest(this.#request(subscriptions, properties, false, settle))
  }

  #request(
    subscriptions: Subscriptions,
    properties: SubscribeProperties | undefined,
    isRepeated: boolean,
    settle: Settle<SubAck>
  ): Subscribe {
    const packetId = this.#freePacketId()
    const packet: Subscribe = {
      _tag: "Subscribe",
      packetId,
      subscriptions,
      ...(properties !== undefined && { properties })
    }
    this.#requests.set(packetId, { packet, isRepeated, settle })
    return packet
  }

  /** Ends subscriptions; the outcome is the UNSUBACK. */
  unsubscribe(filters: Filters, properties: UnsubscribeProperties | undefined, settle: Settle<UnsubAck>): void {
    const packetId = this.#freePacketId()
    const packet: Unsubscribe = {
      _tag: "Unsubscribe",
      packetId,
      filters,
      ...(properties !== undefined && { properties })
    }
    this.#requests.set(packetId, { packet, isRepeated: false, settle })
    for (const filter of filters) this.#subscriptions.delete(filter)
    this.#sendRequest(packet)
  }

  #sendRequest(packet: Subscribe | Unsubscribe): void {
    if (this.#isOpen) this.#send(packet)
  }

  /** An identifier behind those of the messages in flight, which go upwards [MQTT-2.2.1-3]. */
  #freePacketId(): number {
    let sequence = this.#outbound.head + Outbound.identifiers - 1
    while (this.#isTakenByRequest(sequence)) sequence--
    return Outbound.packetIdOf(sequence)
  }

  #isTakenByRequest(sequence: number): boolean {
    return this.#requests.size > 0 && this.#requests.has(Outbound.packetIdOf(sequence))
  }

  /** Handles a packet of an open connection; the outcome is why the connection has to be closed, if it has. */
  receive(packet: Packet): string | undefined {
    switch (packet._tag) {
      case "Publish":
        return this.#receivePublish(packet)
      case "PubAck":
        return this.#acknowledged(packet.packetId, 1, packet.reasonCode, packet.properties?.reasonString)
      case "PubRec":
        return this.#receivePubRec(packet)
      case "PubRel": {
        const reasonCode = this.#received.delete(packet.packetId)
          ? ReasonCode.Success
          : ReasonCode.PacketIdentifierNotFound
        this.#send({ _tag: "PubComp", packetId: packet.packetId, reasonCode })
        return undefined
      }
      case "PubComp":
        return this.#acknowledged(packet.packetId, 2, 0, undefined)
      case "SubAck":
        return this.#receiveSubAck(packet)
      case "UnsubAck": {
        const request = this.#requests.get(packet.packetId)
        if (request?.packet._tag !== "Unsubscribe") return "an UNSUBACK that answers nothing"
        this.#requests.delete(packet.packetId)
        ;(request as { readonly settle: Settle<UnsubAck> }).settle(packet)
        return undefined
      }
      case "PingResp":
        return undefined
      default:
        return `${packet._tag} was not expected`
    }
  }

  #receivePublish(packet: Publish): string | undefined {
    const topic = this.#topicOf(packet)
    if (topic === undefined) return "a topic alias that is not set, or above the maximum"
    const { qos, packetId } = packet
    if (qos === 2 && this.#received.has(packetId)) {
      this.#send({ _tag: "PubRec", packetId, reasonCode: 0 })
      return undefined
    }
    this.#inbox.push({ message: topic === packet.topic ? packet : { ...packet, topic }, isOwed: qos > 0 })
    return undefined
  }

  #topicOf({ topic, properties }: Publish): string | undefined {
    const alias = properties?.topicAlias
    if (alias === undefined) return topic
    if (alias > this.#aliasMaximum) return undefined
    if (topic === "") return this.#aliases[alias]
    this.#aliases[alias] = topic
    return topic
  }

  #receivePubRec({ packetId, reasonCode, properties }: PubRec): string | undefined {
    const delivery = Outbound.find(this.#outbound, packetId)
    if (delivery === undefined) {
      this.#send({ _tag: "PubRel", packetId, reasonCode: ReasonCode.PacketIdentifierNotFound })
      return undefined
    }
    if (delivery.qos !== 2) return "a PUBREC for a message of QoS 1"
    if (reasonCode >= 0x80) {
      this.#complete(delivery, acknowledgementOf(reasonCode, properties?.reasonString))
      return undefined
    }
    Outbound.release(delivery)
    this.#send({ _tag: "PubRel", packetId, reasonCode: 0 })
    return undefined
  }

  #acknowledged(
    packetId: number,
    qos: 1 | 2,
    reasonCode: number,
    reasonString: string | undefined
  ): string | undefined {
    const delivery = Outbound.find(this.#outbound, packetId)
    // Acknowledged twice: there is nothing to answer.
    if (delivery === undefined) return undefined
    if (delivery.qos !== qos) return "an acknowledgement that does not fit the QoS of the message"
    this.#complete(delivery, acknowledgementOf(reasonCode, reasonString))
    return undefined
  }

  #receiveSubAck(packet: SubAck): string | undefined {
    const request = this.#requests.get(packet.packetId)
    if (request?.packet._tag !== "Subscribe") return "a SUBACK that answers nothing"
    const { subscriptions, properties } = request.packet
    if (subscriptions.length !== packet.reasonCodes.length) {
      return `a SUBACK with ${packet.reasonCodes.length} codes for ${subscriptions.length} subscriptions`
    }
    this.#requests.delete(packet.packetId)
    const identifier = properties?.subscriptionIdentifier
    for (const [index, code] of packet.reasonCodes.entries()) {
      const subscription = subscriptions[index]!
      if (code >= 0x80) this.#subscriptions.delete(subscription.filter)
      else {
        // Asked for again, it shall not bring the retained messages a second time to those who want them once.
        const request =
          subscription.retainHandling === 1 ? { ...subscription, retainHandling: 2 as const } : subscription
        this.#subscriptions.set(subscription.filter, { request, ...(identifier !== undefined && { identifier }) })
      }
    }
    ;(request as { readonly settle: Settle<SubAck> }).settle(packet)
    return undefined
  }

  /** Takes up to `limit` of the messages that wait, oldest first, and acknowledges them. */
  take(limit: number): ReadonlyArray<ReceivedMessage> {
    const arrived = limit >= this.#inbox.length ? this.#inbox : this.#inbox.slice(0, limit)
    this.#inbox = limit >= this.#inbox.length ? [] : this.#inbox.slice(limit)
    return arrived.map(({ message, isOwed }) => {
      if (isOwed) this.#acknowledge(message)
      return message
    })
  }

  /** Without a connection there is no acknowledgement: the server sends the message again, and QoS 2 knows it then. */
  #acknowledge({ qos, packetId }: ReceivedMessage): void {
    if (qos === 2) this.#received.add(packetId)
    if (!this.#isOpen) return
    this.#send({ _tag: qos === 1 ? "PubAck" : "PubRec", packetId, reasonCode: 0 })
  }

  /** It is all over: everyone who waits gets the error. */
  fail(error: ClientError): void {
    this.#isOpen = false
    const publications = [...this.#publications.values(), ...this.#unsent.slice(this.#nextUnsent).map((u) => u.settle)]
    const requests = [...this.#requests.values()]
    this.#publications.clear()
    this.#unsent = []
    this.#nextUnsent = 0
    this.#requests.clear()
    for (const settle of publications) settle(error)
    for (const { settle } of requests) settle(error)
  }
}

/** The error of a request that the server refused. */
export const rejected = (
  packet: "PUBLISH" | "SUBSCRIBE" | "UNSUBSCRIBE",
  { reasonCode, reasonString }: Acknowledgement
): ClientError =>
  failed({ _tag: "Rejected", packet, code: reasonCode, ...(reasonString !== undefined && { reasonString }) })
