/**
 * Shared subscriptions: each message goes to one member of the group, and to another one only when that member's session
 * ended before it acknowledged (docs/guarantees.md, 10; MQTT 5.0, section 4.8.2).
 *
 * Not seen: a copy too many in a session that another subscription, too, brings the message; a message that was lost
 * with a session that ended in a crash or on its broker's word, or that waits in one that may have ended.
 */
import type { Account, Delivery, Promised, Publication, Session, Subscription } from "../Account.ts"
import { entitling, grantedQoS, holds, mayHold, messagesOf, type Source, sourceOf, writtenBy } from "../Entitlement.ts"
import type { Violation } from "../History.ts"
import { lasts, mayBeExpired, mayBeTooLarge, owedPublications } from "./Acknowledged.ts"
import { hasEnded } from "./Circumstances.ts"
import { type Served, servedAtEnd } from "./Horizon.ts"

/** The one group by which a session can have got the message; undefined: there is none, or more than one way. */
const onlyGroup = (account: Account, session: Session, source: Source, by: number): string | undefined => {
  const groups = new Set(entitling(account, session, source, by).map(({ group }) => group))
  return groups.size === 1 ? Array.from(groups)[0] : undefined
}

/** Whether the group may have given a delivered message to another member: this one may not have acknowledged in time. */
const mayMoveOn = (account: Account, { packet, answer, connection, session, at }: Delivery): boolean => {
  // What was begun at QoS 2 stays where it is [MQTT-4.8.2-5].
  if (packet.qos === 2 || session === undefined) return false
  const taken = account.isOmniscient ? (answer?.takenAt ?? Infinity) : Infinity
  const hasCrashed = hasEnded(account, at, account.endsAt)
  // A crash may take the acknowledgement with it, though the broker had it.
  if (taken < Infinity && !hasCrashed) return session.endsFrom <= taken
  const hasSessionEnded = session.endsFrom < Infinity || session.doubts.some((doubt) => doubt >= at)
  return hasSessionEnded || hasCrashed || connection.closed !== undefined
}

const doubled = (account: Account): ReadonlyArray<Violation> => {
  const copies = new Map<string, { readonly publication: Publication; readonly first: Map<Session, Delivery> }>()
  for (const delivery of account.deliveries) {
    const { session, publication, isHeard, packet } = delivery
    if (session === undefined || session.isUncertain || publication === undefined || !isHeard) continue
    if (publication.qos === 0 || packet.qos === 0) continue
    const source = sourceOf(account, delivery)
    if (source === undefined) continue
    const group = onlyGroup(account, session, source, writtenBy(delivery))
    if (group === undefined) continue
    const key = `${group} ${publication.name}`
    const known = copies.get(key)
    if (known === undefined) copies.set(key, { publication, first: new Map([[session, delivery]]) })
    else if (!known.first.has(session)) known.first.set(session, delivery)
  }
  const violations: Array<Violation> = []
  for (const [key, { publication, first }] of copies) {
    if (first.size < 2) continue
    // In the order in which the broker wrote them: by slow connections they may have come in another one.
    const deliveries = Array.from(first.values()).sort((a, b) => writtenBy(a) - writtenBy(b))
    const last = deliveries.at(-1)!
    // A broker that crashed before it noted the identifier of a QoS 2 message takes the next sending for a new one.
    const sent = Math.max(messagesOf(account, publication, writtenBy(last)), publication.sendings.length)
    const former = account.isOmniscient ? deliveries.slice(0, -1) : deliveries
    const moved = former.filter((delivery) => mayMoveOn(account, delivery)).length
    if (first.size <= sent + moved) continue
    const members = deliveries.map(({ connection, at }) => `${connection.client} at ${at} µs`).join(", ")
    violations.push({
      promise: "shared-doubled",
      at: last.at,
      detail: `${key} went to ${members}; ${sent} sendings of it, ${moved} members that it may have left`
    })
  }
  return violations
}

/** Whether a message that was given to this member may have been lost with it, or may wait in it. */
const mayKeep = (account: Account, session: Session, publication: Publication, { horizon }: Served): boolean => {
  const from = publication.firstSentAt
  if (servedAtEnd(account, session) !== undefined) return false
  if (session.isUncertain || session.doubts.length > 0) return true
  const last = session.connections.at(-1)!
  // A session that certainly ended before the end hands on what it had: not one of QoS 2 whose sending had begun, not
  // what a crash took, nor what the broker itself gave up.
  if (session.endsBy > horizon) return true
  return (
    publication.qos === 2 ||
    hasEnded(account, from, horizon) ||
    session.connections.some(({ received }) => received.some(({ packet }) => packet._tag === "Disconnect")) ||
    last.disconnect === undefined
  )
}

const isGroupOf =
  (group: string) =>
  (subscription: Subscription): boolean =>
    subscription.group === group

/** Whether a message that nobody of the group got is certainly lost, as this member was there to take it. */
const isLost = (
  account: Account,
  served: Served,
  subscription: Subscription,
  publication: Publication,
  members: ReadonlyArray<Session>
): boolean => {
  const { session, horizon } = served
  const topic = publication.topic!
  if (subscription.acknowledgedAt === undefined || subscription.acknowledgedAt > publication.firstSentAt) return false
  if (subscription.endsBy < publication.firstSentAt || !lasts(account, subscription, topic, horizon)) return false
  if (mayBeTooLarge(session, publication)) return false
  return members.every((member) => {
    const theirs = account
      .matching(member, topic)
      .filter(isGroupOf(subscription.group!))
      .filter((one) => mayHold(one, publication.firstSentAt, horizon))
    if (theirs.length === 0 || member === session) return true
    // A member that has unsubscribed, wants QoS 0 or no large packets may have been chosen, and got nothing for good.
    if (theirs.some((one) => grantedQoS(one) === 0) || mayBeTooLarge(member, publication)) return false
    if (!theirs.some((one) => holds(one, publication.firstSentAt, Math.min(horizon, member.endsFrom)))) return false
    return !mayKeep(account, member, publication, served)
  })
}

const lost = (account: Account): ReadonlyArray<Violation> => {
  const members = account.sessions.filter(({ subscriptions }) => subscriptions.some(({ group }) => group !== undefined))
  const got = new Set<string>()
  for (const { session, name, isHeard } of account.deliveries) {
    if (session !== undefined && name !== undefined && isHeard) got.add(`${session.client}/${session.number} ${name}`)
  }
  const violations = new Map<string, Violation>()
  for (const session of members) {
    const served = servedAtEnd(account, session)
    if (served === undefined) continue
    for (const publication of owedPublications(account)) {
      if (publication.acknowledgedAt! > served.until || mayBeExpired(account, publication, served.horizon)) continue
      for (const subscription of account.matching(session, publication.topic!)) {
        if (subscription.group === undefined) continue
        const key = `${subscription.group} ${publication.name}`
        if (violations.has(key)) continue
        // By whichever subscription it came: a member that has it counts as the one that was chosen.
        if (members.some((member) => got.has(`${member.client}/${member.number} ${publication.name}`))) continue
        if (!isLost(account, served, subscription, publication, members)) continue
        violations.set(key, {
          promise: "shared-lost",
          at: publication.acknowledgedAt!,
          detail: `${publication.name} was acknowledged and reached no member of ${subscription.group}, ${session.client} is there`
        })
      }
    }
  }
  return Array.from(violations.values())
}

export const sharedGroups: Promised = (account) => [...doubled(account), ...lost(account)]
