/**
 * No acknowledged message is lost, and a subscription is seen (docs/guarantees.md, 1 and 5): what was acknowledged to
 * its publisher reaches every session that was subscribed before it was sent, and that lives and is connected when the
 * history ends.
 *
 * Not seen: a loss in a session that ended, or whose end the history leaves open; a loss of what has since expired.
 */
import type { Account, Promised, Publication, Session, Subscription } from "../Account.ts"
import { grantedQoS } from "../Entitlement.ts"
import type { Violation } from "../History.ts"
import { type Served, servedAtEnd } from "./Horizon.ts"

/** A subscription identifier takes at most this many bytes in a PUBLISH. */
const identifierBytes = 5

/** Whether a message may have expired by then, however fast the broker's clock ran. */
export const mayBeExpired = ({ clock }: Account, { expiry, firstSentAt }: Publication, by: number): boolean =>
  expiry !== undefined && clock.atMost(firstSentAt, by) >= expiry * 1_000_000

/** Whether a message may be larger than some connection of the session takes [MQTT-3.1.2-25]. */
export const mayBeTooLarge = ({ connections, subscriptions }: Session, { bytes }: Publication): boolean => {
  const size = bytes + identifierBytes * subscriptions.length
  return connections.some(({ connect }) => size > (connect!.packet.properties?.maximumPacketSize ?? Infinity))
}

/** Whether a subscription, or what took its place under the same filter, holds until then and grants QoS 1 or 2. */
export const lasts = (account: Account, subscription: Subscription, topic: string, until: number): boolean => {
  // With UNSUBSCRIBE the broker may stop at any moment.
  if (subscription.unsubscribedFrom <= until || grantedQoS(subscription) === 0) return false
  if (subscription.session.doubts.some((doubt) => doubt >= subscription.sentAt)) return false
  return account.matching(subscription.session, topic).every(
    (other) =>
      other.filter !== subscription.filter ||
      other.sentAt < subscription.sentAt ||
      other.sentAt > until ||
      // What took its place may have been given up meanwhile.
      (other.unsubscribedFrom > until &&
        grantedQoS(other) > 0 &&
        other.options.noLocal === subscription.options.noLocal)
  )
}

/** Whether the session's subscriptions make the message owed to it. */
const isSubscribed = (account: Account, { session, horizon }: Served, publication: Publication): boolean => {
  const topic = publication.topic!
  return account.matching(session, topic).some((subscription) => {
    // What a shared subscription chooses is told by SharedGroups.
    if (subscription.group !== undefined) return false
    if (subscription.acknowledgedAt === undefined || subscription.acknowledgedAt > publication.firstSentAt) return false
    if (subscription.endsBy < publication.firstSentAt) return false
    // No Local: not to the publisher itself [MQTT-3.8.3-3].
    if (subscription.options.noLocal && session.client === publication.client) return false
    return lasts(account, subscription, topic, horizon)
  })
}

/** The publications that are owed to someone until then. */
export const owedPublications = (account: Account): ReadonlyArray<Publication> =>
  Array.from(account.publications.values()).filter(
    ({ qos, topic, acknowledgedAt }) =>
      qos > 0 &&
      acknowledgedAt !== undefined &&
      // Topics that begin with $ are the server's own: it may acknowledge and forget.
      topic !== undefined &&
      !topic.startsWith("$")
  )

export const acknowledged: Promised = (account) => {
  const violations: Array<Violation> = []
  const owed = owedPublications(account)
  for (const session of account.sessions) {
    const served = servedAtEnd(account, session)
    if (served === undefined || session.subscriptions.length === 0) continue
    const heard = new Set(
      session.deliveries.flatMap(({ isHeard, name }) => (isHeard && name !== undefined ? [name] : []))
    )
    for (const publication of owed) {
      if (heard.has(publication.name) || publication.acknowledgedAt! > served.until) continue
      if (mayBeExpired(account, publication, served.horizon) || mayBeTooLarge(session, publication)) continue
      if (!isSubscribed(account, served, publication)) continue
      const { name, topic, qos, acknowledgedAt } = publication
      violations.push({
        promise: "acknowledged-lost",
        at: acknowledgedAt!,
        detail:
          `${name} (${topic}, QoS ${qos}) was acknowledged at ${acknowledgedAt} µs and never reached ${session.client}, ` +
          `whose session ${session.number} was subscribed and is connected (connection ${served.connection.number})`
      })
    }
  }
  return violations
}
