/**
 * The sending half of a session: messages of QoS 1 and 2 on their way to one receiver, from the moment they are
 * accepted for it until it has acknowledged them (section 4.3). A broker's session has one, and so has a client.
 *
 * It is one queue. Each message gets the next sequence number, and the number decides its Packet Identifier, so a
 * message keeps its identifier through every reconnect and restart without anyone writing it down
 * [MQTT-4.4.0-1]. Three marks move along the queue, head ≤ next ≤ ready ≤ tail:
 *
 *   head … next    sent on this connection, not yet finished (finished ones in between leave a hole)
 *   next … ready   may be sent
 *   ready … tail   accepted, but not yet safe on disk: must not be sent
 *
 * What is durable about it is the queue and each message's stage; `next`, `inFlight` and `window` belong to the
 * connection and start anew with `resume`.
 */
import { type Message, size } from "../Message.ts"

/** Where a message of QoS 1 or 2 stands between sender and receiver. */
export const Stage = {
  /** Not acknowledged at all: PUBLISH is to be sent, or sent again. */
  Publish: 0,
  /** QoS 2, PUBREC has come: only PUBREL is to be sent, or sent again. */
  Release: 1
} as const
export type Stage = (typeof Stage)[keyof typeof Stage]

/** One message on its way to one receiver. */
export interface Delivery {
  readonly message: Message
  readonly qos: 1 | 2
  /** The RETAIN flag to send. */
  readonly retain: boolean
  /** The identifiers of the subscriptions that it matched, undefined when none has one. */
  readonly subscriptionIdentifiers: ReadonlyArray<number> | undefined
  /** The shared subscription that chose this session, as its client wrote it: another member may take its place. */
  readonly share: string | undefined
  readonly packetId: number
  readonly sequence: number
  stage: Stage
}

export interface Outbound {
  /** A ring: sequence number `s` lies at `s & (ring.length - 1)`. Undefined until first used. */
  ring: Array<Delivery | undefined> | undefined
  head: number
  next: number
  ready: number
  tail: number
  /** All below have been sent at least once, on this connection or an earlier one: a resend sets DUP. */
  attempted: number
  /** Messages held. */
  size: number
  /** Bytes of the messages held, as `Message.size` has them. */
  bytes: number
  /** Sent on this connection and not finished. */
  inFlight: number
  /** The receiver's Receive Maximum, or our own limit where that is lower [MQTT-3.3.4-9]. */
  window: number
}

/** How many packet identifiers there are: 1 to 65,535 [MQTT-2.2.1-4]. */
export const identifiers = 65_535

/** The Packet Identifier of a sequence number. */
export const packetIdOf = (sequence: number): number => (sequence % identifiers) + 1

export const make = (window: number): Outbound => ({
  ring: undefined,
  head: 0,
  next: 0,
  ready: 0,
  tail: 0,
  attempted: 0,
  size: 0,
  bytes: 0,
  inFlight: 0,
  window
})

const firstRingLength = 8

const grown = (o: Outbound): Array<Delivery | undefined> => {
  const old = o.ring
  const ring = Array.from<Delivery | undefined>({ length: old === undefined ? firstRingLength : old.length * 2 })
  if (old !== undefined) {
    for (let s = o.head; s < o.tail; s++) ring[s & (ring.length - 1)] = old[s & (old.length - 1)]
  }
  o.ring = ring
  return ring
}

/** Accepts a message for the receiver. It may be sent once `markReady` has been called. */
export const offer = (
  o: Outbound,
  message: Message,
  qos: 1 | 2,
  retain: boolean,
  subscriptionIdentifiers: ReadonlyArray<number> | undefined,
  share?: string
): Delivery => {
  if (o.ring === undefined || o.tail - o.head === o.ring.length) grown(o)
  return put(o, message, qos, retain, subscriptionIdentifiers, o.tail++, Stage.Publish, share)
}

/** Puts a message with the same content in a delivery's place. */
export const replace = (o: Outbound, delivery: Delivery, message: Message): void => {
  o.ring![delivery.sequence & (o.ring!.length - 1)] = { ...delivery, message }
}

/** Lets everything below sequence number `upTo` be sent: what was accepted so far is as safe as it has to be. */
export const markReady = (o: Outbound, upTo: number): void => {
  if (upTo > o.ready) o.ready = upTo
}

const finish = (o: Outbound, delivery: Delivery): void => {
  const ring = o.ring!
  const mask = ring.length - 1
  ring[delivery.sequence & mask] = undefined
  o.size--
  o.bytes -= size(delivery.message)
  while (o.head < o.tail && ring[o.head & mask] === undefined) o.head++
  if (o.next < o.head) o.next = o.head
  if (o.ready < o.head) o.ready = o.head
}

/** A message whose sending has begun is seen through: its receiver may know half of it. */
const isExpired = (o: Outbound, delivery: Delivery, now: number): boolean =>
  delivery.message.expiresAt <= now && delivery.sequence >= o.attempted

/**
 * The next thing to send, or undefined when there is none or the window is full. A delivery at stage Publish goes out
 * as a PUBLISH, with DUP when `isResend` says so; one at stage Release as a PUBREL. A message that expired before it
 * was ever sent is handed to `expire` instead, which must `complete` it [MQTT-3.3.2-5].
 */
export const next = (o: Outbound, now: number, expire: (delivery: Delivery) => void): Delivery | undefined => {
  while (o.next < o.ready && o.inFlight < o.window && o.next - o.head < identifiers) {
    const ring = o.ring!
    const delivery = ring[o.next & (ring.length - 1)]
    if (delivery === undefined) {
      o.next++
      continue
    }
    if (isExpired(o, delivery, now)) {
      expire(delivery)
      continue
    }
    o.next++
    o.inFlight++
    return delivery
  }
  return undefined
}

/** Whether this delivery was sent before: then its PUBLISH has DUP set [MQTT-3.3.1-1]. To be asked once per sending. */
export const isResend = (o: Outbound, delivery: Delivery): boolean => {
  if (delivery.sequence < o.attempted) return true
  o.attempted = delivery.sequence + 1
  return false
}

/** The delivery with this sequence number, or undefined when it is finished or was never there. */
export const at = (o: Outbound, sequence: number): Delivery | undefined =>
  o.ring === undefined || sequence < o.head || sequence >= o.tail ? undefined : o.ring[sequence & (o.ring.length - 1)]

/** The delivery in flight on this connection under a packet identifier that its receiver names, or undefined. */
export const find = (o: Outbound, packetId: number): Delivery | undefined => {
  const offset = (packetId - packetIdOf(o.head) + identifiers) % identifiers
  const sequence = o.head + offset
  return sequence < o.next ? at(o, sequence) : undefined
}

const isInFlight = (o: Outbound, delivery: Delivery): boolean => delivery.sequence < o.next

/** The receiver is done with the delivery: PUBACK, PUBCOMP, or a PUBREC that refuses it. */
export const complete = (o: Outbound, delivery: Delivery): void => {
  if (isInFlight(o, delivery)) o.inFlight--
  finish(o, delivery)
}

/** PUBREC has come: from now on only PUBREL is sent [MQTT-4.3.3-4]. */
export const release = (delivery: Delivery): void => {
  delivery.stage = Stage.Release
}

/** A new connection: everything unfinished is to be sent again, in the original order [MQTT-4.6.0-1]. */
export const resume = (o: Outbound, window: number): void => {
  o.next = o.head
  o.inFlight = 0
  o.window = window
}

/** Hands everything that expired before it was ever sent to `expire`, which must `complete` it. */
export const expireAll = (o: Outbound, now: number, expire: (delivery: Delivery) => void): void => {
  for (const delivery of deliveries(o)) {
    if (isExpired(o, delivery, now)) expire(delivery)
  }
}

/** The marks of a queue that outlive its connection. */
export interface Marks {
  readonly head: number
  readonly tail: number
  readonly attempted: number
}

/** A queue with these marks and nothing in it but holes, for `put` to fill; all of it is ready to be sent. */
export const restore = ({ head, tail, attempted }: Marks, window: number): Outbound => {
  const o = make(window)
  o.head = head
  o.tail = tail
  o.next = head
  o.ready = tail
  o.attempted = attempted
  if (tail > head) while (grown(o).length < tail - head);
  return o
}

/** Puts a delivery in its place of the ring; also back into the hole that `restore` left for it. */
export const put = (
  o: Outbound,
  message: Message,
  qos: 1 | 2,
  retain: boolean,
  subscriptionIdentifiers: ReadonlyArray<number> | undefined,
  sequence: number,
  stage: Stage,
  share?: string
): Delivery => {
  const delivery: Delivery = {
    message,
    qos,
    retain,
    subscriptionIdentifiers,
    share,
    packetId: packetIdOf(sequence),
    sequence,
    stage
  }
  o.ring![sequence & (o.ring!.length - 1)] = delivery
  o.size++
  o.bytes += size(message)
  return delivery
}

/** All deliveries held, oldest first. */
export function* deliveries(o: Outbound): Generator<Delivery> {
  for (let s = o.head; s < o.tail; s++) {
    const delivery = o.ring![s & (o.ring!.length - 1)]
    if (delivery !== undefined) yield delivery
  }
}
