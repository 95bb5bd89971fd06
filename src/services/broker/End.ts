/**
 * The end of a connection, and what follows for its Will and its session (sections 3.1.2.5, 3.14 and 4.1).
 */
import * as Encoder from "../../domain/packet/Encoder.ts"
import { ReasonCode, reasonCodes } from "../../domain/packet/ReasonCode.ts"
import type { Disconnect, Packet } from "../../domain/packet/Packet.ts"
import { fromWill, type Message, never } from "../../domain/Message.ts"
import * as Session from "../../domain/session/Session.ts"
import { parseTopicFilter } from "../../domain/topic/TopicFilter.ts"
import type { TopicName } from "../../domain/topic/TopicName.ts"
import { Result } from "effect"
import type { Change } from "../Partitions.ts"
import type { Subscriber } from "../Router.ts"
import { releaseHeld } from "./BackPressure.ts"
import { type BrokerState, flushConnection, log, sendWritten, whenDurable } from "./BrokerState.ts"
import { type Connection, Phase } from "./Connection.ts"
import { audienceOf, deliverOnce, handOn, queueingCost, queue, type Queueing } from "./Deliver.ts"
import { Encodings } from "./Encodings.ts"

/** Why the server ends a connection: a reason code of MQTT 5.0, and words for the log and the Reason String. */
export interface Ending {
  readonly reasonCode: ReasonCode | number
  readonly detail: string
}

/** How long a closing connection may take to hear our last word, in milliseconds. */
const lastWordMillis = 2_000

/**
 * Ends a connection from our side: DISCONNECT to a client of MQTT 5.0 that is connected, then the close. Before its
 * CONNACK a client may be sent nothing else [MQTT-3.2.0-1].
 */
export const endConnection = (b: BrokerState, c: Connection, ending: Ending): void => {
  if (c.phase === Phase.Closed) return
  if (c.version === 5 && c.phase === Phase.Open) {
    const codes: ReadonlyArray<number> = reasonCodes.Disconnect
    const reasonCode = codes.includes(ending.reasonCode) ? ending.reasonCode : ReasonCode.UnspecifiedError
    const packet: Disconnect = {
      _tag: "Disconnect",
      reasonCode: reasonCode as Disconnect["reasonCode"],
      properties: { reasonString: ending.detail }
    }
    sendFitting(b, c, packet, { _tag: "Disconnect", reasonCode: packet.reasonCode })
  }
  log(b, "Debug", `connection ended: ${ending.detail}`, c, { reasonCode: ending.reasonCode })
  closeConnection(b, c, { isGraceful: false })
}

/** Sends the packet if the client takes one so large, or else the smaller one, or nothing [MQTT-3.1.2-24]. */
export const sendFitting = (b: BrokerState, c: Connection, packet: Packet, smaller: Packet): void => {
  const version = c.version === 0 ? 5 : c.version
  const fitting = [packet, smaller].find((one) => Encoder.size(one, version) <= c.maximumPacketSize)
  if (fitting === undefined) return
  Encoder.write(b.replies, fitting, version)
  sendWritten(b, c, b.replies)
}

/** Sends what there is to be sent, closes, and does what the end of a connection brings. */
export const closeConnection = (b: BrokerState, c: Connection, how: { readonly isGraceful: boolean }): void => {
  if (c.phase === Phase.Closed) return
  flushConnection(b, c)
  const changesBefore = b.journal.appended()
  connectionClosed(b, c, how)
  const close = (): void => c.socket.end(lastWordMillis, lastWordMillis)
  // To a client that said goodbye the close is the answer: its Will must be forgotten for good by then.
  if (how.isGraceful && b.journal.appended() !== changesBefore) whenDurable(b, close)
  else close()
}

/**
 * The connection is over, whoever ended it. `isGraceful`: by DISCONNECT with reason 0x00, which takes the Will with it
 * [MQTT-3.14.4-3].
 */
export const connectionClosed = (b: BrokerState, c: Connection, { isGraceful }: { isGraceful: boolean }): void => {
  if (c.phase === Phase.Closed) return
  c.phase = Phase.Closed
  b.connections.delete(c)
  b.deadlines.delete(c)
  b.refused.delete(c)
  b.heldByJournal.delete(c)
  releaseHeld(b, c)
  const { subscriber } = c
  if (subscriber === undefined) return
  if (b.clients.get(c.clientId) === c) b.clients.delete(c.clientId)
  subscriber.connection = undefined
  // Before the Will, so that the session's own subscriptions get it only when the session goes on.
  if (c.expiryInterval === 0) endSession(b, subscriber)
  else suspendSession(b, c, subscriber)
  if (c.willDelay !== undefined) willOf(b, c, isGraceful)
}

const willOf = (b: BrokerState, c: Connection, isGraceful: boolean): void => {
  const partition = b.partitions.of(c.clientId)
  const clear: Change = { partition, record: { _tag: "WillCleared", clientId: c.clientId } }
  if (isGraceful) {
    b.partitions.change([clear], () => {})
    return
  }
  // The Will waits for its delay or the session's end, whichever is first [MQTT-3.1.3-9].
  const delay = Math.min(c.willDelay!, c.expiryInterval)
  if (delay === 0) {
    publishWill(b, c.clientId)
    return
  }
  const dueAt = b.now + delay * 1000
  b.partitions.change([{ partition, record: { _tag: "WillScheduled", clientId: c.clientId, dueAt } }], () => {})
  b.willsDue.set(c.clientId, dueAt)
}

/** Publishes a Will and forgets it, in one: it is published exactly once. */
export const publishWill = (b: BrokerState, clientId: string): void => {
  b.willsDue.delete(clientId)
  const armed = b.partitions.will(clientId)
  if (armed === undefined) return
  const message = fromWill(armed.will, clientId, b.now)
  const clear: Change = { partition: b.partitions.of(clientId), record: { _tag: "WillCleared", clientId } }
  publish(b, message, [clear])
}

/** Publishes a message that no connection waits for the acknowledgement of, together with what its publication changes. */
const publish = (b: BrokerState, message: Message, changes: ReadonlyArray<Change>): void => {
  const audience = audienceOf(b, message.topic as TopicName, message.publisher)
  const cost = queueingCost(b, message, audience)
  const fits = cost <= b.bank.free()
  if (!fits) b.counts.refused++
  if (message.retain) {
    if (b.retained.refusal(message, fits ? cost : 0) === undefined) b.retained.put(message, () => {})
    else b.counts.refused++
  }
  const encodings = new Encodings(b.frames)
  encodings.begin(message, b.now)
  deliverOnce(b, encodings, fits ? audience : [], undefined, changes, () => {})
}

/** The session waits for its client, until it expires. */
const suspendSession = (b: BrokerState, c: Connection, subscriber: Subscriber): void => {
  const { clientId, outbound } = subscriber.session
  const { expiryInterval } = c
  b.partitions.change(
    [
      {
        partition: b.partitions.of(clientId),
        record: { _tag: "Closed", clientId, at: b.now, expiryInterval, attempted: outbound.attempted }
      }
    ],
    () => {}
  )
  const at = Session.expiresAt(expiryInterval, b.now)
  if (at !== never) b.sessionEnds.set(clientId, at)
}

/** The session is over: nothing is routed to it any more, and nothing of it is kept. */
export const endSession = (b: BrokerState, subscriber: Subscriber): void => {
  const { session, durable } = subscriber
  b.sessionEnds.delete(session.clientId)
  if (b.subscribers.get(session.clientId) === subscriber) b.subscribers.delete(session.clientId)
  for (const filter of session.subscriptions.keys()) {
    const parsed = parseTopicFilter(filter)
    if (Result.isSuccess(parsed)) b.router.unsubscribe(subscriber, parsed.success)
  }
  const queueing: Queueing =
    session.outbound.size === 0 ? { changes: [], places: [] } : handOn(b, new Encodings(b.frames), subscriber)
  if (durable) {
    const { clientId } = session
    queueing.changes.push({ partition: b.partitions.of(clientId), record: { _tag: "Ended", clientId } })
  }
  if (queueing.changes.length > 0) queue(b, queueing, () => {})
}
