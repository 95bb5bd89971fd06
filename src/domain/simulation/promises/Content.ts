/**
 * What is delivered is what was published: the message, its topic, its QoS, its subscription identifiers; to a session
 * that asked for it (sections 3.3.1.2, 3.3.2.3.8, 3.3.4 and 3.8.3.1).
 *
 * Not seen: other properties and the bytes that fill a payload up; which of several copies of an empty payload it was.
 */
import type { Account, Delivery, Promised, Session, Subscription } from "../Account.ts"
import { entitling, grantedQoS, holds, mayBeTaken, type Source, sourceOf, writtenBy } from "../Entitlement.ts"
import type { Violation } from "../History.ts"

/** What is wrong: the promise that is broken, and words. */
type Complaint = readonly [promise: string, detail: string]

/** An empty payload names no message: somebody has published one on this topic, or not. */
const complaintOfEmpty = (account: Account, { topic, at }: Delivery): Complaint | undefined => {
  const isKnown = account.clears.some((clear) => clear.topic === topic && clear.firstSentAt <= at)
  return isKnown ? undefined : ["from-nowhere", "an empty payload that nobody has published on this topic"]
}

const complaintOfSource = (account: Account, delivery: Delivery, source: Source): Complaint | undefined => {
  const by = writtenBy(delivery)
  if (delivery.topic !== source.topic) return ["wrong-topic", `it was published on ${source.topic}`]
  if (source.from > by) return ["from-nowhere", "the broker had not got it"]
  const { publication } = source
  if (publication === undefined) return undefined
  const taken = publication.sendings.filter((sending) => mayBeTaken(sending, account, by))
  const isRefused = taken.every(({ answer }) => answer !== undefined && answer.reasonCode >= 0x80)
  return isRefused ? ["refused-delivered", "its publisher was told that it is refused"] : undefined
}

/** Of subscriptions that may have chosen the message, the complaint about its QoS [MQTT-3.3.5-1]. */
const complaintOfQoS = (
  delivery: Delivery,
  source: Source,
  possible: ReadonlyArray<Subscription>,
  certain: ReadonlyArray<Subscription>
): Complaint | undefined => {
  const { qos, retain } = delivery.packet
  const highest = Math.min(source.qos, Math.max(...possible.map(grantedQoS)))
  if (qos > highest) return ["wrong-qos", `QoS ${qos}, at most ${highest} was published and granted`]
  // A retained message goes by the one subscription that asked for it, a shared one by its own.
  if (retain || certain.length === 0 || possible.some(({ group }) => group !== undefined)) return undefined
  const lowest = Math.min(source.qos, Math.max(...certain.map(grantedQoS)))
  return qos < lowest ? ["wrong-qos", `QoS ${qos}, ${lowest} was published and granted`] : undefined
}

const complaintOfIdentifiers = (
  delivery: Delivery,
  possible: ReadonlyArray<Subscription>,
  certain: ReadonlyArray<Subscription>
): Complaint | undefined => {
  const { packet, connection } = delivery
  const identifiers = packet.properties?.subscriptionIdentifiers ?? []
  for (const identifier of identifiers) {
    if (!possible.some((subscription) => subscription.identifier === identifier)) {
      return ["wrong-identifier", `Subscription Identifier ${identifier} of no subscription that matches`]
    }
  }
  if (packet.retain || connection.version !== 5 || possible.some(({ group }) => group !== undefined)) return undefined
  for (const { identifier, filter } of certain) {
    if (identifier !== undefined && !identifiers.includes(identifier)) {
      return ["wrong-identifier", `without Subscription Identifier ${identifier} of ${filter} [MQTT-3.3.4-3]`]
    }
  }
  return undefined
}

const complaintOfSubscriptions = (
  account: Account,
  delivery: Delivery,
  session: Session,
  source: Source
): Complaint | undefined => {
  const by = writtenBy(delivery)
  const possible = entitling(account, session, source, by)
  if (possible.length === 0) {
    // What was subscribed to before is told by Unsubscribed.
    const hasEver = account.matching(session, source.topic).some(({ sentAt }) => sentAt <= by)
    return hasEver ? undefined : ["from-nowhere", "no subscription of the session matches"]
  }
  // A Will is published for a client, and not by a connection of it.
  const isOwn = source.publication !== undefined && source.client === session.client && !delivery.packet.retain
  const allowed = isOwn ? possible.filter(({ options }) => !options.noLocal) : possible
  if (allowed.length === 0) return ["no-local-ignored", "it is the client's own, and No Local is set [MQTT-3.8.3-3]"]
  const certain = allowed.filter((subscription) => holds(subscription, source.from, by))
  return complaintOfQoS(delivery, source, allowed, certain) ?? complaintOfIdentifiers(delivery, allowed, certain)
}

const complaintOf = (account: Account, delivery: Delivery): Complaint | undefined => {
  const { packet, topic, id, session } = delivery
  // What the server itself publishes below $ is its own affair.
  if (topic === undefined || topic.startsWith("$")) return undefined
  if (packet.payload.length === 0) return complaintOfEmpty(account, delivery)
  if (id === undefined) return ["content-broken", "a payload that nobody has published"]
  const source = sourceOf(account, delivery)
  if (source === undefined) return ["from-nowhere", "nobody has published it"]
  return (
    complaintOfSource(account, delivery, source) ??
    (session === undefined || session.isUncertain
      ? undefined
      : complaintOfSubscriptions(account, delivery, session, source))
  )
}

export const content: Promised = (account) => {
  const violations: Array<Violation> = []
  for (const delivery of account.deliveries) {
    const complaint = complaintOf(account, delivery)
    if (complaint === undefined) continue
    const [promise, detail] = complaint
    const { at, name, topic, connection } = delivery
    const what = `${name ?? "a message"} on ${topic} to ${connection.client} (connection ${connection.number})`
    violations.push({ promise, at, detail: `${what}: ${detail}` })
  }
  return violations
}
