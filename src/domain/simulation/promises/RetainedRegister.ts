/**
 * The retained message of a topic is one register: all readers see the last write, or one that goes on at the same time
 * (docs/guarantees.md, 6; MQTT 5.0, sections 3.3.1.3 and 3.8.3.1).
 *
 * A write is a PUBLISH with RETAIN; one with an empty payload clears the register, and so does the expiry of what it
 * holds. A read is a SUBSCRIBE, whose retained messages come with RETAIN. A write begins when the broker may have had it,
 * and certainly has its effect when it is acknowledged. A Will is a write as well, of which nobody knows the time.
 *
 * Not seen: what a durable session is sent after the Bank has refused to pay for a retained message's copy; reads by a
 * session with Retain As Published, as far as they may be copies of live messages.
 */
import type {
  Account,
  Connection,
  Delivery,
  Promised,
  Publication,
  Sending,
  Session,
  Subscription
} from "../Account.ts"
import { keepsRetain, mayBeTaken, mayHold, takenFrom, writtenBy } from "../Entitlement.ts"
import type { Violation } from "../History.ts"
import { hasEnded, isStruck, seconds } from "./Circumstances.ts"

/** A value that a topic may have been given. */
interface Write {
  readonly name: string
  readonly isClear: boolean
  readonly client: string
  readonly bytes: number
  /** Seconds. */
  readonly expiry: number | undefined
  readonly publication: Publication | undefined
  /** It has no effect before. */
  readonly from: number
  /** It has had its effect by then; Infinity: nobody knows whether it ever has. */
  readonly by: number
  /** It has no effect any more after this, not even once more by a resend. Infinity: it may still. */
  readonly lastEffect: number
}

/** All writes to one topic. */
interface Register {
  readonly writes: Array<Write>
  readonly byName: Map<string, Write>
  /** The acknowledged ones in the order of `by`, each with the latest `from` of all up to it. */
  completed: ReadonlyArray<{ readonly write: Write; readonly latest: Write }>
}

/** By when a sending that was not answered has had its effect, or has none: its connection or its broker has ended. */
const overBy = (account: Account, { connection, at }: Sending): number => {
  let by = Infinity
  for (const { broker, ended } of account.brokers) {
    if (broker === connection.broker && ended !== undefined && ended.at >= at) by = Math.min(by, ended.at)
  }
  for (const { openedAt, connack } of account.connectionsOf.get(connection.client)!) {
    // A later connection of the client takes over [MQTT-3.1.4-3].
    if (openedAt > connection.openedAt && connack?.packet.reasonCode === 0) by = Math.min(by, connack.at)
  }
  return by
}

/** After which moment no effect of a publication's sendings can follow. */
const lastEffectOf = (account: Account, { qos, sendings }: Publication, firstDelivery: number | undefined): number => {
  const taken = sendings.filter((sending) => mayBeTaken(sending, account))
  const isOneMessage = taken.length === 1 || (qos === 2 && new Set(taken.map(({ exchange }) => exchange)).size === 1)
  const ends = taken.map((sending) => sending.answer?.at ?? overBy(account, sending))
  // What a broker had not written down when it died has its effect again when it is sent again.
  const isAgain = taken.length > 1 && hasEnded(account, taken[0]!.at, taken.at(-1)!.at)
  if (!isOneMessage || isAgain) return Math.max(-Infinity, ...ends)
  // What was answered or delivered has been retained: a broker does it all in one.
  return Math.min(firstDelivery ?? Infinity, ...taken.map(({ answer }) => answer?.at ?? Infinity), Math.max(...ends))
}

const registersOf = (account: Account): ReadonlyMap<string, Register> => {
  const firstDeliveries = new Map<string, number>()
  for (const delivery of account.deliveries) {
    const { name } = delivery
    if (name === undefined) continue
    const at = writtenBy(delivery)
    if ((firstDeliveries.get(name) ?? Infinity) > at) firstDeliveries.set(name, at)
  }
  const registers = new Map<string, Register>()
  const add = (topic: string, write: Write): void => {
    let register = registers.get(topic)
    if (register === undefined) registers.set(topic, (register = { writes: [], byName: new Map(), completed: [] }))
    register.writes.push(write)
    register.byName.set(write.name, write)
  }
  for (const publication of [...account.publications.values(), ...account.clears]) {
    const { retain, topic, id, name, client, bytes, expiry } = publication
    const from = takenFrom(account, publication)
    if (!retain || topic === undefined || from === Infinity) continue
    const by = publication.acknowledgedAt ?? Infinity
    const lastEffect = lastEffectOf(account, publication, firstDeliveries.get(name))
    add(topic, { name, isClear: id === undefined, client, bytes, expiry, publication, from, by, lastEffect })
  }
  for (const [name, { client, connect }] of account.wills) {
    const { topic, retain, payload, properties } = connect!.packet.will!
    if (!retain) continue
    add(topic, {
      name,
      isClear: false,
      client,
      bytes: topic.length + payload.length + 64,
      expiry: properties?.messageExpiryInterval,
      publication: undefined,
      from: connect!.at,
      by: Infinity,
      lastEffect: firstDeliveries.get(name) ?? Infinity
    })
  }
  for (const register of registers.values()) {
    let latest: Write | undefined
    register.completed = register.writes
      .filter(({ by }) => by < Infinity)
      .toSorted((a, b) => a.by - b.by)
      .map((write) => {
        if (latest === undefined || write.from > latest.from) latest = write
        return { write, latest }
      })
  }
  return registers
}

/** Of the writes that were complete before a moment, the one that began last. */
const latestCompleted = ({ completed }: Register, before: number): Write | undefined => {
  let low = 0
  let high = completed.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (completed[middle]!.write.by < before) low = middle + 1
    else high = middle
  }
  return completed[low - 1]?.latest
}

/** A value that came to a subscriber, and the SUBSCRIBE that it may have come of, the earliest of them. */
interface Read {
  readonly delivery: Delivery
  readonly write: Write
  readonly subscription: Subscription
}

const asksForRetained = ({ group, options }: Subscription): boolean =>
  group === undefined && options.retainHandling !== 2

/** Whether the subscription certainly was there already, so that Retain Handling 1 brings nothing. */
const isRepeated = (subscription: Subscription, all: ReadonlyArray<Subscription>): boolean =>
  subscription.options.retainHandling === 1 &&
  all.some((other) => {
    const { filter, acknowledgedAt, endsFrom, reasonCode } = other
    if (other === subscription || filter !== subscription.filter || (reasonCode ?? 0x80) >= 0x80) return false
    // The SUBSCRIBE that is judged is itself what may end the older one's options.
    return acknowledgedAt !== undefined && acknowledgedAt < subscription.sentAt && endsFrom >= subscription.sentAt
  })

const describe = ({ delivery: { connection, at, topic }, write }: Read): string =>
  `${connection.client} (connection ${connection.number}) read ${write.name} of ${topic} at ${seconds(at)}`

/** Finds out which deliveries are reads, and which of them nobody has asked for. */
const readsOf = (
  account: Account,
  session: Session,
  registers: ReadonlyMap<string, Register>,
  violations: Array<Violation>
): ReadonlyArray<Read> => {
  const reads: Array<Read> = []
  /** How many retained messages have come, by topic and by whether their QoS is 0; by topic alone. */
  const counts = new Map<string, number>()
  const count = (key: string): number => {
    const before = counts.get(key) ?? 0
    counts.set(key, before + 1)
    return before
  }
  for (const delivery of session.deliveries) {
    const { packet, topic, at, name, connection } = delivery
    if (!packet.retain || topic === undefined || packet.dup) continue
    const where = `${connection.client} (connection ${connection.number}) got ${name ?? "an empty payload"} on ${topic}`
    const matching = account.matching(session, topic)
    if (packet.payload.length === 0) {
      if (matching.some(keepsRetain)) continue
      const detail = `${where} as retained: nothing is kept of an empty payload [MQTT-3.3.1-6, 3.3.1-7]`
      violations.push({ promise: "retained-empty", at, detail })
      continue
    }
    const write = name === undefined ? undefined : registers.get(topic)?.byName.get(name)
    if (write === undefined) {
      const isKnown = name !== undefined && (account.publications.has(name) || account.wills.has(name))
      const detail = `${where} as retained, though it was not sent to be retained there [MQTT-3.3.1-8]`
      if (isKnown) violations.push({ promise: "retained-unasked", at, detail })
      continue
    }
    const by = writtenBy(delivery)
    if (matching.some((one) => keepsRetain(one) && mayHold(one, write.from, Math.min(write.lastEffect, by)))) continue
    const asking = matching.filter((one) => asksForRetained(one) && one.sentAt <= by && !isRepeated(one, matching))
    const isQoS0 = packet.qos === 0
    // Each class of messages keeps its order, so the n-th of them came of the n-th SUBSCRIBE at the earliest.
    const earliest = asking[count(`${topic} ${isQoS0}`)]
    const onConnection = isQoS0 ? asking.find((one) => one.connection === connection) : undefined
    if (earliest === undefined || count(topic) >= asking.length) {
      const detail = `${where} as retained, once more than the ${asking.length} SUBSCRIBEs that asked for it [MQTT-3.3.1-10, 3.3.1-11]`
      violations.push({ promise: "retain-handling", at, detail })
      continue
    }
    const subscription = onConnection !== undefined && onConnection.sentAt > earliest.sentAt ? onConnection : earliest
    reads.push({ delivery, write, subscription })
  }
  return reads
}

/** A value that another one had certainly taken the place of, or that had expired, before it was asked for. */
const judgeAge = (account: Account, read: Read, register: Register): Violation | undefined => {
  const { delivery, write, subscription } = read
  const { at } = delivery
  const newer = latestCompleted(register, subscription.sentAt)
  if (newer !== undefined && newer.from > write.lastEffect) {
    const since = `${newer.name} had taken its place by ${seconds(newer.by)}, before SUBSCRIBE at ${seconds(subscription.sentAt)}`
    return newer.isClear
      ? { promise: "retained-resurrected", at, detail: `${describe(read)}, but ${since}` }
      : { promise: "retained-stale", at, detail: `${describe(read)}, but ${since}` }
  }
  if (write.expiry === undefined || write.lastEffect === Infinity || write.publication === undefined) return undefined
  const age = account.clock.atLeast(write.lastEffect, subscription.sentAt)
  if (age <= write.expiry * 1_000_000) return undefined
  const detail = `${describe(read)}, ${seconds(age)} after it was written with an expiry of ${write.expiry} s [MQTT-3.3.2-5]`
  return { promise: "retained-resurrected", at, detail }
}

/** Of two reads one after the other the second one sees no older value than the first one. */
const judgeInversions = (account: Account, reads: ReadonlyArray<Read>, violations: Array<Violation>): void => {
  const first = reads.toSorted((a, b) => a.delivery.at - b.delivery.at)
  const second = reads.toSorted((a, b) => a.subscription.sentAt - b.subscription.sentAt)
  let place = 0
  let latest: Read | undefined
  for (const read of second) {
    while (place < first.length && first[place]!.delivery.at < read.subscription.sentAt) {
      const earlier = first[place++]!
      if (latest === undefined || earlier.write.from > latest.write.from) latest = earlier
    }
    if (latest === undefined || latest.write.from <= read.write.lastEffect) continue
    // A value that was read and not acknowledged may be lost with its broker.
    const isKept = latest.write.by < read.subscription.sentAt
    if (!isKept && hasEnded(account, latest.write.from, read.delivery.at)) continue
    const detail = `${describe(read)}, but ${describe(latest)}, which is newer, before SUBSCRIBE at ${seconds(read.subscription.sentAt)}`
    violations.push({ promise: "retained-inversion", at: read.delivery.at, detail })
  }
}

/** Microseconds after the SUBACK in which a retained message has to come, and which a run is quiet at its end. */
const readLimit = 4_900_000

/** The write that certainly stands when the SUBSCRIBE is handled: some value is there. Undefined: perhaps none is. */
const standing = (register: Register, from: number, to: number): Write | undefined => {
  const latest = latestCompleted(register, from)
  if (latest === undefined) return undefined
  const isPossible = (write: Write): boolean => write.from <= to && write.lastEffect >= latest.from
  const isSolid = ({ isClear, expiry }: Write): boolean => !isClear && expiry === undefined
  return register.writes.filter(isPossible).every(isSolid) ? latest : undefined
}

/** By when the retained messages of a subscription have certainly come; undefined: that cannot be said. */
const readBy = (account: Account, subscription: Subscription): number | undefined => {
  const { connection, acknowledgedAt, options, reasonCode } = subscription
  const { connect, closed, session, received } = connection
  if (acknowledgedAt === undefined || (reasonCode ?? 0x80) >= 0x80 || session === undefined) return undefined
  const until = acknowledgedAt + readLimit
  if (options.qos === 0 && account.isOmniscient) {
    // What was written later has come: nothing that was written before it is still on its way.
    const later = received.find(({ writtenAt = 0 }) => writtenAt >= until)
    if (later !== undefined && !isStruck(account, subscription.sentAt, until)) return later.at
  }
  // At other times the client may be slow to read and to acknowledge.
  const healedAt = account.phaseAt("healed")
  const end = account.phases.length === 0 ? account.endsAt : (account.phaseAt("cleared") ?? 0)
  if (account.phases.length > 0 && (healedAt === undefined || acknowledgedAt < healedAt)) return undefined
  if (until > end || (closed?.at ?? Infinity) < end || isStruck(account, acknowledgedAt, end)) return undefined
  // The copy for a durable session has to be paid for, and without credit there is none.
  const isDurable =
    connection.version === 5
      ? (connect!.packet.properties?.sessionExpiryInterval ?? 0) > 0 || session.connections.length > 1
      : !connect!.packet.cleanStart
  return options.qos === 0 || !isDurable ? end : undefined
}

/** A retained message that certainly stood, and did not come to who asked for it. */
const judgeMissing = (
  account: Account,
  session: Session,
  registers: ReadonlyMap<string, Register>,
  violations: Array<Violation>
): void => {
  if (session.isUncertain || session.doubts.length > 0) return
  for (const subscription of session.subscriptions) {
    const { group, options, inner, sentAt, acknowledgedAt, connection } = subscription
    if (group !== undefined || options.retainHandling === 2) continue
    const until = readBy(account, subscription)
    if (until === undefined) continue
    const others = session.subscriptions.filter((one) => one !== subscription && one.filter === subscription.filter)
    if (options.retainHandling === 1 && others.some(({ endsBy }) => endsBy >= sentAt)) continue
    for (const [topic, register] of registers) {
      if (!account.isMatch(inner, topic)) continue
      const write = standing(register, sentAt, acknowledgedAt!)
      if (write === undefined || isTooLarge(connection, register)) continue
      if (options.noLocal && register.writes.some(({ client }) => client === session.client)) continue
      const isThere = session.deliveries.some(
        (one) => one.topic === topic && one.packet.retain && one.at >= sentAt && one.at <= until
      )
      if (isThere) continue
      const detail = `${session.client} (connection ${connection.number}) subscribed to ${subscription.filter} at ${seconds(sentAt)} and did not get ${write.name} of ${topic}, acknowledged at ${seconds(write.by)} [MQTT-3.3.1-9]`
      violations.push({ promise: "retained-lost", at: until, detail })
    }
  }
}

const isTooLarge = ({ connect }: Connection, { writes }: Register): boolean => {
  const maximum = connect!.packet.properties?.maximumPacketSize ?? Infinity
  return writes.some(({ bytes }) => bytes + 64 > maximum)
}

/**
 * Promises: `retained-stale`, `retained-resurrected`, `retained-inversion`, `retained-lost`, `retained-empty`,
 * `retained-unasked`, `retain-handling`.
 */
export const retainedRegister: Promised = (account) => {
  const violations: Array<Violation> = []
  const registers = registersOf(account)
  const readsByTopic = new Map<string, Array<Read>>()
  for (const session of account.sessions) {
    judgeMissing(account, session, registers, violations)
    if (session.isUncertain || session.doubts.length > 0) continue
    for (const read of readsOf(account, session, registers, violations)) {
      const topic = read.delivery.topic!
      const violation = judgeAge(account, read, registers.get(topic)!)
      if (violation !== undefined) violations.push(violation)
      const others = readsByTopic.get(topic)
      if (others === undefined) readsByTopic.set(topic, [read])
      else others.push(read)
    }
  }
  for (const reads of readsByTopic.values()) judgeInversions(account, reads, violations)
  return violations
}
