/**
 * After UNSUBACK no later publish arrives (docs/guarantees.md, 5): nor by a subscription whose options were replaced.
 *
 * Not seen: a message that was sent before the UNSUBACK came; it may have been on its way.
 */
import type { Promised } from "../Account.ts"
import { entitling, sourceOf, writtenBy } from "../Entitlement.ts"
import type { Violation } from "../History.ts"

export const unsubscribed: Promised = (account) => {
  const violations: Array<Violation> = []
  for (const delivery of account.deliveries) {
    const { session, topic, at, name, connection } = delivery
    if (session === undefined || session.isUncertain || topic === undefined || topic.startsWith("$")) continue
    const source = sourceOf(account, delivery)
    if (source === undefined) continue
    const by = writtenBy(delivery)
    if (entitling(account, session, source, by).length > 0) continue
    const ended = account.matching(session, source.topic).findLast(({ sentAt }) => sentAt <= by)
    if (ended === undefined) continue
    violations.push({
      promise: "after-unsubscribe",
      at,
      detail:
        `${session.client} (connection ${connection.number}) got ${name}, which the broker had at ${source.from} µs at ` +
        `the earliest, but UNSUBACK for ${ended.filter} had come at ${ended.endsBy} µs`
    })
  }
  return violations
}
