/**
 * Publishers that outrun their receivers are not read until those catch up, so that memory stays bounded without a
 * message lost. Nobody is waited for longer than `patienceMillis` without progress.
 */
import type { Message } from "../../domain/Message.ts"
import { ReasonCode } from "../../domain/packet/ReasonCode.ts"
import type { Destination } from "../Router.ts"
import { type BrokerState, hold, log } from "./BrokerState.ts"
import type { Connection } from "./Connection.ts"

/** How long a receiver may stand still before nobody waits for it any more, in milliseconds. */
const patienceMillis = 10_000

/** Why a connection is ended whose transient session has more waiting than it will ever take. */
export const slowClient = { reasonCode: ReasonCode.QuotaExceeded, detail: "too much is waiting for the client" }

/** Whether so much waits for a connected receiver that its publishers should wait, too. */
export const isBehind = (b: BrokerState, c: Connection): boolean => isWriteLong(b, c) || isQueueLong(b, c)

/** Whether the connection has more to send, or more in its socket, than should become much more. */
export const isWriteLong = (b: BrokerState, c: Connection): boolean =>
  c.isCongested || (c.outbox !== undefined && c.outbox.bytes > b.limits.outboxBytes / 2)

/** A QoS 0 message to a receiver with more than this many times `limits.outbox.bytes` in its socket is dropped. */
const outboxesWaitedFor = 4

/** Whether so much is in the receiver's socket that a QoS 0 message to it is dropped. */
export const mustDrop = (b: BrokerState, c: Connection): boolean =>
  c.socket.buffered() > b.limits.outboxBytes * (c.isGivenUp ? 1 : outboxesWaitedFor)

const isQueueLong = (b: BrokerState, c: Connection): boolean => {
  const outbound = c.subscriber?.session.outbound
  return outbound !== undefined && (outbound.size > b.limits.outboxMessages || outbound.bytes > b.limits.outboxBytes)
}

/**
 * Holds the publisher of a message that met a receiver that is behind. A QoS 0 receiver that keeps up frees it from
 * waiting for those that do not: they lose messages instead.
 */
export const holdFor = (
  b: BrokerState,
  publisher: Connection,
  message: Message,
  audience: ReadonlyArray<Destination>
): void => {
  let slow: Connection | undefined
  for (const { subscriber, qos } of audience) {
    const c = subscriber.connection
    if (c === undefined || c === publisher) continue
    if (!isBehind(b, c)) {
      if (qos === 0 || message.qos === 0) return
    } else if (!c.isGivenUp) {
      slow ??= c
    }
  }
  if (slow === undefined) return
  if (slow.holding === undefined) {
    slow.holding = new Set()
    slow.heldSince = b.now
    slow.heldAt = slow.subscriber!.session.outbound.head
    b.slow.add(slow)
  }
  if (slow.holding.has(publisher)) return
  slow.holding.add(publisher)
  hold(publisher)
  log(b, "Debug", "the publisher is held until its receivers catch up", publisher)
}

/** Lets the publishers go on that were held for this receiver, at the end of the pass. */
export const releaseHeld = (b: BrokerState, c: Connection): void => {
  if (c.holding === undefined) return
  for (const publisher of c.holding) b.released.push(publisher)
  c.holding = undefined
  b.slow.delete(c)
}

/** To be called when a receiver has made progress: releases its publishers if that was enough. */
export const caughtUp = (b: BrokerState, c: Connection): void => {
  if ((c.holding === undefined && !c.isGivenUp) || isBehind(b, c)) return
  c.isGivenUp = false
  releaseHeld(b, c)
}

/**
 * Gives up waiting for receivers that have stood still for too long. From a transient session's queue nothing may be
 * dropped, so if that is what is long the session ends; a durable one goes on queueing as if its client were away.
 */
export const losePatience = (b: BrokerState): void => {
  for (const c of b.slow) {
    const { session, durable } = c.subscriber!
    if (session.outbound.head !== c.heldAt) {
      c.heldAt = session.outbound.head
      c.heldSince = b.now
    } else if (b.now - c.heldSince >= patienceMillis) {
      c.isGivenUp = true
      releaseHeld(b, c)
      if (!durable && isQueueLong(b, c)) b.tooSlow.add(c)
    }
  }
}
