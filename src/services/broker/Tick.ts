/** What falls due with time: keep-alives, sessions, Wills, and whoever has waited long enough. */
import { ReasonCode } from "../../domain/packet/ReasonCode.ts"
import * as Outbound from "../../domain/session/Outbound.ts"
import { losePatience } from "./BackPressure.ts"
import { type BrokerState, log } from "./BrokerState.ts"
import { type Connection, Phase } from "./Connection.ts"
import { finish } from "./Deliver.ts"
import type { Encodings } from "./Encodings.ts"
import { closeConnection, endConnection, endSession, publishWill } from "./End.ts"
import { retryRefused } from "./Publish.ts"

/** How often the broker looks at the clock, in milliseconds: the resolution of every deadline. */
export const tickMillis = 250

/** A tick that comes so much later than the last one, in milliseconds, shows that the broker stood still, or its clock jumped. */
const standstillMillis = 2_000

export const tick = (b: BrokerState, encodings: Encodings): void => {
  if (b.now - b.tickedAt > standstillMillis) b.awakeSince = b.now
  b.tickedAt = b.now
  for (const c of b.deadlines.advance(b.now)) deadline(b, c)
  for (const clientId of b.sessionEnds.advance(b.now)) sessionEnd(b, clientId)
  for (const clientId of b.willsDue.advance(b.now)) publishWill(b, clientId)
  b.retained.sweep(b.now)
  retryRefused(b, encodings)
  losePatience(b)
}

const deadline = (b: BrokerState, c: Connection): void => {
  if (c.phase === Phase.AwaitingConnect) {
    log(b, "Debug", "no CONNECT has come in time", c)
    closeConnection(b, c, { isGraceful: false })
    return
  }
  // Whom we do not read from cannot show that it is alive, nor could anybody while we stood still.
  const since = c.holds > 0 ? b.now : Math.max(c.lastReceived, b.awakeSince)
  const at = since + c.keepAliveMillis
  if (at > b.now) b.deadlines.set(c, at)
  else endConnection(b, c, { reasonCode: ReasonCode.KeepAliveTimeout, detail: "nothing has come for too long" })
}

const sessionEnd = (b: BrokerState, clientId: string): void => {
  const subscriber = b.subscribers.get(clientId)
  if (subscriber === undefined || subscriber.connection !== undefined) return
  endSession(b, subscriber)
  // A Will's delay ends with its session [MQTT-3.1.3-9].
  publishWill(b, clientId)
}

/** Gives the credit back of what has expired in the queues of clients that are away. */
export const expireQueues = (b: BrokerState): void => {
  for (const subscriber of b.subscribers.values()) {
    if (subscriber.connection !== undefined) continue
    Outbound.expireAll(subscriber.session.outbound, b.now, (expired) => finish(b, subscriber, expired, () => {}))
  }
}
