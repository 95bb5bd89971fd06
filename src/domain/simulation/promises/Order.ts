/**
 * Messages of one publisher on one topic at one QoS arrive in order (docs/guarantees.md, 3; section 4.6): in each
 * session the first receptions come in the order of the first sendings.
 *
 * Not seen: the place of what carries RETAIN, or may have come by a shared subscription, or was sent more than once and
 * may have come by a later sending alone, or expires and comes with DUP.
 */
import type { Account, Delivery, Promised, Session } from "../Account.ts"
import { entitling, holds, messagesOf, sourceOf, writtenBy } from "../Entitlement.ts"
import type { Violation } from "../History.ts"
import { isRoomShort } from "./Room.ts"

/** Whether the place of a delivery in the order is known, so that it must not come after a later message. */
const hasPlace = (account: Account, session: Session, delivery: Delivery): boolean => {
  const { publication, packet } = delivery
  const source = sourceOf(account, delivery)
  if (publication === undefined || source === undefined) return false
  // What expired in the queue is passed over, but counts as perhaps sent after a crash, and then comes late (guarantee 4).
  if (packet.dup && publication.expiry !== undefined) return false
  const by = writtenBy(delivery)
  const subscriptions = entitling(account, session, source, by)
  if (subscriptions.some(({ group }) => group !== undefined)) return false
  // The first sending may have found no room.
  if (publication.sendings.length > 1 && isRoomShort(account, publication.firstSentAt, by)) return false
  if (messagesOf(account, publication, by) <= 1) return true
  // Of several messages to the broker the first one may have found no subscription, no connection, or expired.
  const isQueued = packet.qos > 0 && publication.expiry === undefined
  return isQueued && subscriptions.some((subscription) => holds(subscription, publication.firstSentAt, by))
}

export const order: Promised = (account) => {
  const violations: Array<Violation> = []
  const places = new Map(Array.from(account.publications.keys(), (name, place) => [name, place]))
  for (const session of account.sessions) {
    if (session.isUncertain) continue
    const seen = new Set<string>()
    const latest = new Map<string, Delivery>()
    for (const delivery of session.deliveries) {
      const { publication, packet, isHeard, at, topic, connection } = delivery
      if (publication === undefined || !isHeard || packet.retain) continue
      const { name, client, qos } = publication
      if (seen.has(name)) continue
      seen.add(name)
      const key = `${client} ${qos} ${packet.qos} ${topic}`
      const before = latest.get(key)
      if (before === undefined || places.get(before.name!)! < places.get(name)!) {
        latest.set(key, delivery)
        continue
      }
      if (!hasPlace(account, session, delivery)) continue
      violations.push({
        promise: "out-of-order",
        at,
        detail:
          `${session.client} (connection ${connection.number}) got ${name} on ${topic} at QoS ${packet.qos} after ` +
          `${before.name}, which was published later and came at ${before.at} µs`
      })
    }
  }
  return violations
}
