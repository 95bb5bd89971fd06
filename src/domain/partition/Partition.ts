/**
 * A partition: the durable sessions, and the Wills, of all client identifiers that hash to it. Its state is a fold of
 * `apply` over its journal's records and nothing else; whoever wants a change writes a record.
 *
 * `apply` works in place, for one owner, and is deterministic: the same records give the same state.
 */
import { fnv1a } from "../Hash.ts"
import { type Message, never, size } from "../Message.ts"
import type { Will } from "../packet/Packet.ts"
import * as Outbound from "../session/Outbound.ts"
import * as Session from "../session/Session.ts"
import type { Subscription } from "../session/Subscription.ts"
import type { Record, Target } from "./Record.ts"

/** A session that outlives its connection. */
export interface DurableSession extends Session.Session {
  /** Whether a connection holds it, as far as the journal knows. */
  connected: boolean
  /** When it ends unless a connection claims it before; `never` while connected. Milliseconds of the shared clock. */
  expiresAt: number
}

/** A Will whose connection has not ended well yet. */
export interface ArmedWill {
  readonly will: Will
  /** When it is published; `never` while its connection lives. */
  dueAt: number
}

export interface Partition {
  readonly sessions: Map<string, DurableSession>
  readonly wills: Map<string, ArmedWill>
  /** Credit that the queued messages take. */
  charge: number
  /** What one stored record costs on top of its bytes. */
  readonly recordCost: number
}

export const make = (recordCost: number): Partition => ({
  sessions: new Map(),
  wills: new Map(),
  charge: 0,
  recordCost
})

/** The partition that a client identifier belongs to. */
export const of = (clientId: string, partitions: number): number => fnv1a(clientId) % partitions

/** The credit that a message takes in the queue of one session. */
export const cost = (message: Message, recordCost: number): number => recordCost + size(message)

/** A fold knows no connection; each connection sets its own window when it resumes the session. */
const noWindow = 0

const newSession = (clientId: string, expiryInterval: number): DurableSession => ({
  ...Session.make(clientId, expiryInterval, noWindow),
  connected: true,
  expiresAt: never
})

/** Takes a delivery out of its session's queue and gives its credit back. */
export const complete = (partition: Partition, session: DurableSession, delivery: Outbound.Delivery): void => {
  Outbound.complete(session.outbound, delivery)
  partition.charge -= cost(delivery.message, partition.recordCost)
}

const end = (partition: Partition, clientId: string): void => {
  const session = partition.sessions.get(clientId)
  if (session === undefined) return
  for (const delivery of Outbound.deliveries(session.outbound)) {
    partition.charge -= cost(delivery.message, partition.recordCost)
  }
  partition.sessions.delete(clientId)
}

const enqueue = (partition: Partition, message: Message, target: Target): void => {
  const session = partition.sessions.get(target.clientId)
  if (session === undefined) return
  Outbound.offer(session.outbound, message, target.qos, target.retain, target.identifiers, target.share)
  partition.charge += cost(message, partition.recordCost)
}

/** Applies one record. A record about a session that is gone changes nothing. */
export const apply = (partition: Partition, record: Record): void => {
  switch (record._tag) {
    case "Opened": {
      const existing = partition.sessions.get(record.clientId)
      if (existing === undefined || record.cleanStart) {
        end(partition, record.clientId)
        partition.sessions.set(record.clientId, newSession(record.clientId, record.expiryInterval))
      } else {
        existing.connected = true
        existing.expiresAt = never
        existing.expiryInterval = record.expiryInterval
      }
      return
    }
    case "Closed": {
      const session = partition.sessions.get(record.clientId)
      if (session === undefined) return
      session.connected = false
      session.expiryInterval = record.expiryInterval
      session.expiresAt = Session.expiresAt(record.expiryInterval, record.at)
      session.outbound.attempted = record.attempted
      return
    }
    case "Ended":
      return end(partition, record.clientId)
    case "Subscribed": {
      const session = partition.sessions.get(record.clientId)
      for (const subscription of record.subscriptions) session?.subscriptions.set(subscription.filter, subscription)
      return
    }
    case "Unsubscribed": {
      const session = partition.sessions.get(record.clientId)
      for (const filter of record.filters) session?.subscriptions.delete(filter)
      return
    }
    case "Queued": {
      for (const target of record.targets) enqueue(partition, record.message, target)
      return
    }
    case "Completed": {
      const session = partition.sessions.get(record.clientId)
      const delivery = session && Outbound.at(session.outbound, record.sequence)
      if (delivery !== undefined) complete(partition, session!, delivery)
      return
    }
    case "Released": {
      const session = partition.sessions.get(record.clientId)
      const delivery = session && Outbound.at(session.outbound, record.sequence)
      if (delivery !== undefined) Outbound.release(delivery)
      return
    }
    case "Received":
      return void partition.sessions.get(record.clientId)?.received.add(record.packetId)
    case "Forgotten":
      return void partition.sessions.get(record.clientId)?.received.delete(record.packetId)
    case "WillArmed":
      return void partition.wills.set(record.clientId, { will: record.will, dueAt: never })
    case "WillScheduled": {
      const armed = partition.wills.get(record.clientId)
      if (armed !== undefined) armed.dueAt = record.dueAt
      return
    }
    case "WillCleared":
      return void partition.wills.delete(record.clientId)
    case "RestoredSession": {
      const outbound = Outbound.restore(record, noWindow)
      partition.sessions.set(record.clientId, {
        clientId: record.clientId,
        subscriptions: new Map(),
        outbound,
        received: new Set(record.received),
        expiryInterval: record.expiryInterval,
        connected: record.connected,
        expiresAt: record.expiresAt
      })
      return
    }
    case "RestoredMessage": {
      for (const { clientId, sequence, qos, retain, identifiers, share, stage } of record.deliveries) {
        const session = partition.sessions.get(clientId)
        if (session === undefined) continue
        Outbound.put(session.outbound, record.message, qos, retain, identifiers, sequence, stage, share)
        partition.charge += cost(record.message, partition.recordCost)
      }
      return
    }
    case "RestoredWill":
      return void partition.wills.set(record.clientId, { will: record.will, dueAt: record.dueAt })
  }
}

/** A snapshot's record carries no more subscriptions than make this many characters of filters, or one. */
const filtersPerRecord = 16_384

/** A snapshot's record carries no more places of a message than this; the message is repeated in the next. */
const placesPerRecord = 256

/** Cuts a session's subscriptions so that no record becomes too long for its znode. */
function* inParts(subscriptions: Iterable<Subscription>): Generator<ReadonlyArray<Subscription>> {
  let part: Array<Subscription> = []
  let characters = 0
  for (const subscription of subscriptions) {
    characters += subscription.filter.length
    if (characters > filtersPerRecord && part.length > 0) {
      yield part
      part = []
      characters = subscription.filter.length
    }
    part.push(subscription)
  }
  if (part.length > 0) yield part
}

/**
 * The records that make a new partition equal to this one. A message that many sessions wait for is not written once
 * for each; but no record grows with what a client may pile up, since each has to fit a znode.
 */
export function* snapshot(partition: Partition): Generator<Record> {
  const waiting = new Map<Message, Array<{ readonly clientId: string; readonly delivery: Outbound.Delivery }>>()
  for (const session of partition.sessions.values()) {
    const { clientId, outbound } = session
    yield {
      _tag: "RestoredSession",
      clientId,
      expiryInterval: session.expiryInterval,
      connected: session.connected,
      expiresAt: session.expiresAt,
      received: [...session.received],
      head: outbound.head,
      tail: outbound.tail,
      attempted: outbound.attempted
    }
    for (const subscriptions of inParts(session.subscriptions.values())) {
      yield { _tag: "Subscribed", clientId, subscriptions }
    }
    for (const delivery of Outbound.deliveries(outbound)) {
      const places = waiting.get(delivery.message)
      if (places === undefined) waiting.set(delivery.message, [{ clientId, delivery }])
      else places.push({ clientId, delivery })
    }
  }
  for (const [message, places] of waiting) {
    const deliveries = places.map(
      ({ clientId, delivery: { qos, retain, subscriptionIdentifiers, share, sequence, stage } }) => ({
        clientId,
        qos,
        retain,
        ...(subscriptionIdentifiers !== undefined && { identifiers: subscriptionIdentifiers }),
        ...(share !== undefined && { share }),
        sequence,
        stage
      })
    )
    for (let i = 0; i < deliveries.length; i += placesPerRecord) {
      yield { _tag: "RestoredMessage", message, deliveries: deliveries.slice(i, i + placesPerRecord) }
    }
  }
  for (const [clientId, { will, dueAt }] of partition.wills) {
    yield { _tag: "RestoredWill", clientId, will, dueAt }
  }
}
