/** SUBSCRIBE and UNSUBSCRIBE (sections 3.8 to 3.11), and the retained messages that a new subscription brings. */
import { Result } from "effect"
import * as Encoder from "../../domain/packet/Encoder.ts"
import type { QoS, SubAck, Subscribe, SubscriptionRequest, UnsubAck, Unsubscribe } from "../../domain/packet/Packet.ts"
import { ReasonCode, SubscribeFailure } from "../../domain/packet/ReasonCode.ts"
import type { Record } from "../../domain/partition/Record.ts"
import type { Subscription } from "../../domain/session/Subscription.ts"
import { type ParsedTopicFilter, parseTopicFilter } from "../../domain/topic/TopicFilter.ts"
import type { Subscriber } from "../Router.ts"
import { type BrokerState, log, sendWritten } from "./BrokerState.ts"
import { type Connection, Phase } from "./Connection.ts"
import { deliverToOne } from "./Deliver.ts"
import { endConnection } from "./End.ts"

type SubscribeCode = SubAck["reasonCodes"][number]

/** A filter that was granted: what to route, and whether its retained messages are wanted. */
interface Granted {
  readonly parsed: ParsedTopicFilter
  readonly subscription: Subscription
  readonly isNew: boolean
}

/** Which rule of section 4.7 or 4.8 a filter breaks, in words; undefined: none. */
const brokenRule = (filter: string): string | undefined => {
  const parsed = parseTopicFilter(filter)
  return Result.isFailure(parsed) ? parsed.failure.message : undefined
}

const isDefined = <A>(value: A | undefined): value is A => value !== undefined

export const handleSubscribe = (b: BrokerState, c: Connection, packet: Subscribe): void => {
  const subscriber = c.subscriber!
  const { session, durable } = subscriber
  const identifier = packet.properties?.subscriptionIdentifier
  const granted: Array<Granted> = []
  const isTooMany = packet.subscriptions.length > b.limits.maximumFiltersPerSubscribe
  const malformed = packet.subscriptions.map(({ filter }) => brokenRule(filter)).find(isDefined)
  if (malformed !== undefined) {
    endConnection(b, c, { reasonCode: ReasonCode.TopicFilterInvalid, detail: malformed })
    return
  }

  const grant = (request: SubscriptionRequest): SubscribeCode => {
    const parsed = parseTopicFilter(request.filter, b.limits.maximumTopicLevels)
    if (Result.isFailure(parsed)) {
      log(b, "Debug", parsed.failure.message, c)
      return ReasonCode.TopicFilterInvalid
    }
    const isNew = !session.subscriptions.has(request.filter)
    if (isTooMany || (isNew && session.subscriptions.size >= b.limits.maximumSubscriptionsPerClient)) {
      return ReasonCode.QuotaExceeded
    }
    const subscription: Subscription = { ...request, ...(identifier !== undefined && { identifier }) }
    granted.push({ parsed: parsed.success, subscription, isNew })
    // At once, so that the next filter of this packet is counted with it; the journal's record says the same.
    session.subscriptions.set(request.filter, subscription)
    b.router.subscribe(subscriber, parsed.success, subscription)
    return request.qos
  }

  const [first, ...others] = packet.subscriptions
  const codes: SubAck["reasonCodes"] = [grant(first), ...others.map(grant)]
  const acknowledge = (): void => {
    if (c.phase === Phase.Open) writeSubAck(b, c, packet.packetId, codes)
  }
  if (durable && granted.length > 0) {
    const record: Record = {
      _tag: "Subscribed",
      clientId: session.clientId,
      subscriptions: granted.map(({ subscription }) => subscription)
    }
    b.partitions.change([{ partition: b.partitions.of(session.clientId), record }], acknowledge)
  } else {
    acknowledge()
  }
  for (const one of granted) sendRetained(b, subscriber, one)
}

const writeSubAck = (b: BrokerState, c: Connection, packetId: number, codes: SubAck["reasonCodes"]): void => {
  const version = c.version as 3 | 4 | 5
  const [first, ...others] = codes
  // MQTT 3.1.1 has one code for all failures [MQTT-3.9.3-2].
  const ofVersion = (code: SubscribeCode): SubscribeCode => (version === 5 || code < 0x80 ? code : SubscribeFailure)
  Encoder.write(
    b.replies,
    { _tag: "SubAck", packetId, reasonCodes: [ofVersion(first), ...others.map(ofVersion)] },
    version
  )
  sendWritten(b, c, b.replies)
}

/** The retained messages of a new subscription [MQTT-3.3.1-9, -10, -11]; a shared one gets none (section 4.8.2). */
const sendRetained = (b: BrokerState, subscriber: Subscriber, { parsed, subscription, isNew }: Granted): void => {
  const { retainHandling, noLocal, identifier } = subscription
  if (parsed.group !== undefined || retainHandling === 2 || (retainHandling === 1 && !isNew)) return
  const identifiers = identifier === undefined ? undefined : [identifier]
  b.retained.matching(parsed.filter, b.now, (message) => {
    if (noLocal && message.publisher === subscriber.session.clientId) return
    const qos = Math.min(message.qos, subscription.qos) as QoS
    if (qos > 0 && subscriber.durable && b.partitions.cost(message, b.config.bank.recordCost) > b.bank.free()) {
      // It stays where it is; only this copy cannot be paid for.
      b.counts.refused++
      return
    }
    deliverToOne(b, subscriber, message, qos, identifiers)
  })
}

export const handleUnsubscribe = (b: BrokerState, c: Connection, packet: Unsubscribe): void => {
  const subscriber = c.subscriber!
  const { session, durable } = subscriber
  const malformed = packet.filters.map(brokenRule).find(isDefined)
  if (malformed !== undefined) {
    endConnection(b, c, { reasonCode: ReasonCode.TopicFilterInvalid, detail: malformed })
    return
  }
  const removed: Array<string> = []
  const codes = packet.filters.map((filter): UnsubAck["reasonCodes"][number] => {
    if (!session.subscriptions.delete(filter)) return ReasonCode.NoSubscriptionExisted
    removed.push(filter)
    const parsed = parseTopicFilter(filter)
    if (Result.isSuccess(parsed)) b.router.unsubscribe(subscriber, parsed.success)
    return ReasonCode.Success
  })
  const acknowledge = (): void => {
    if (c.phase !== Phase.Open) return
    Encoder.write(
      b.replies,
      { _tag: "UnsubAck", packetId: packet.packetId, reasonCodes: codes },
      c.version as 3 | 4 | 5
    )
    sendWritten(b, c, b.replies)
  }
  if (!durable || removed.length === 0) {
    acknowledge()
    return
  }
  const record: Record = { _tag: "Unsubscribed", clientId: session.clientId, filters: removed }
  b.partitions.change([{ partition: b.partitions.of(session.clientId), record }], acknowledge)
}
