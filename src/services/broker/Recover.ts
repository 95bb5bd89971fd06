/** A broker's first act: what the journal says becomes sessions, routes and deadlines again. */
import { never } from "../../domain/Message.ts"
import * as Outbound from "../../domain/session/Outbound.ts"
import * as Session from "../../domain/session/Session.ts"
import type { Subscriber } from "../Router.ts"
import type { BrokerState } from "./BrokerState.ts"
import { route } from "./Connect.ts"
import { publishWill } from "./End.ts"

/** Brings back what outlived the last broker. Its connections died with it, so their ends are dealt with now. */
export const recover = (b: BrokerState): void => {
  let spent = b.retained.charge()
  for (const [index, partition] of b.partitions.all.entries()) {
    spent += partition.charge
    for (const session of partition.sessions.values()) {
      const { clientId, expiryInterval, outbound } = session
      const subscriber: Subscriber = { session, durable: true, connection: undefined }
      b.subscribers.set(clientId, subscriber)
      route(b, subscriber)
      // What the journal gave back is durable.
      Outbound.markReady(outbound, outbound.tail)
      if (session.connected) {
        // What had been sent when the broker ended nobody knows: all of it may have been.
        const attempted = outbound.tail
        b.partitions.change(
          [{ partition: index, record: { _tag: "Closed", clientId, at: b.now, expiryInterval, attempted } }],
          () => {}
        )
      }
      const at = session.expiresAt
      if (at !== never) b.sessionEnds.set(clientId, at)
    }
  }
  b.bank.opened(spent)
  for (const [index, partition] of b.partitions.all.entries()) {
    for (const [clientId, { will, dueAt }] of partition.wills) {
      if (dueAt !== never) {
        b.willsDue.set(clientId, dueAt)
        continue
      }
      const expiryInterval = partition.sessions.get(clientId)?.expiryInterval ?? 0
      const delay = Math.min(will.properties?.willDelayInterval ?? 0, expiryInterval)
      if (delay === 0) {
        publishWill(b, clientId)
        continue
      }
      const due = b.now + Math.min(delay, Session.neverExpires) * 1000
      b.partitions.change([{ partition: index, record: { _tag: "WillScheduled", clientId, dueAt: due } }], () => {})
      b.willsDue.set(clientId, due)
    }
  }
}
