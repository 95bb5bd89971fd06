/**
 * A Will is published exactly once when its connection ends without goodbye, not before its delay, and never otherwise
 * (docs/guarantees.md, 7; MQTT 5.0, sections 3.1.2.5, 3.1.3.2.2 and 3.14.4).
 *
 * That a Will was published is seen by those who received it; that it was not, by a client whose durable session had
 * subscribed to its topic and was served to the end of the history. Without such a client nothing is missed.
 *
 * Not seen: a QoS 0 Will that is lost; one that is missing while the broker refuses messages for want of room; a Will
 * that is doubled at QoS 0, or to a transient session, by a crash right after its publication.
 */
import type { Account, BrokerLife, Connection, Delivery, Promised, Session } from "../Account.ts"
import { grantedQoS, holds, keepsRetain, writtenBy } from "../Entitlement.ts"
import type { Violation } from "../History.ts"
import { hasEnded, isStruck, seconds } from "./Circumstances.ts"
import { type Served, servedAtEnd } from "./Horizon.ts"
import { isRoomShort } from "./Room.ts"

const second = 1_000_000

/** Microseconds until what a broker was handed is read and durable, when nothing hinders it. */
const durableLimit = 15 * second

/** Microseconds until a Will that is due has been published, when nothing hinders it. */
const publishingLimit = 2 * second

/** Microseconds that a broker that ends gives its clients, at most. */
const graceTime = 10 * second

/** Microseconds for which a broker may leave unread what a client has sent that published much. */
const heldLimit = 15 * second

/** A Will, and the connection that it was given with. */
interface Armed {
  readonly name: string
  readonly connection: Connection
  /** In the order in which they were written. */
  readonly deliveries: ReadonlyArray<Delivery>
  /**
   * Microseconds between the end of the connection and the publication, at least and at most: the delay, or the
   * session's expiry, which a DISCONNECT may have changed if it was heard.
   */
  readonly delay: number
  readonly longestDelay: number
}

const isConfirmed = ({ connack }: Connection): boolean => connack?.packet.reasonCode === 0
const confirmedAt = ({ connack }: Connection): number => connack!.writtenAt ?? connack!.at
const nameOf = ({ client, number }: Connection): string => `connection ${number} of ${client}`

/** When the broker had the DISCONNECT; undefined: there was none, or it never came. */
const goodbyeAt = ({ disconnect }: Connection, { isOmniscient }: Account): number | undefined =>
  disconnect === undefined ? undefined : isOmniscient ? disconnect.takenAt : disconnect.at

/** The bounds of an {@link Armed} Will's delay. */
const delaysOf = (connection: Connection, { isOmniscient }: Account): readonly [least: number, most: number] => {
  const { version, connect, connack, disconnect } = connection
  const { will, properties } = connect!.packet
  if (version !== 5) return [0, 0]
  const agreed = connack?.packet.properties?.sessionExpiryInterval ?? properties?.sessionExpiryInterval ?? 0
  const isHeard = disconnect !== undefined && (!isOmniscient || disconnect.takenAt !== undefined)
  const last =
    isHeard && disconnect.packet._tag === "Disconnect" ? disconnect.packet.properties?.sessionExpiryInterval : undefined
  const asked = will!.properties?.willDelayInterval ?? 0
  const expiries = [agreed, last ?? agreed]
  return [Math.min(asked, ...expiries) * second, Math.min(asked, Math.max(...expiries)) * second]
}

/** Until when the connection was certainly alive for its broker. */
const livedUntil = ({ sent, received }: Connection, { isOmniscient }: Account): number => {
  let until = 0
  let pongs = 0
  for (const { packet, writtenAt } of received) {
    if (packet._tag === "PingResp") pongs++
    if (isOmniscient && packet._tag !== "Disconnect") until = Math.max(until, writtenAt ?? 0)
  }
  if (isOmniscient) return until
  // A PINGREQ that was answered was sent on a living connection.
  for (const { packet, at } of sent) {
    if (packet._tag !== "PingReq") continue
    if (pongs-- === 0) break
    until = at
  }
  return until
}

/** Whether the broker has heard of other connections of the client between two moments. */
const otherConnects = (account: Account, { client, number }: Connection): ReadonlyArray<Connection> =>
  account.connectionsOf.get(client)!.filter((other) => other.number !== number && other.connect !== undefined)

const readAt = ({ connect }: Connection, { isOmniscient }: Account): number =>
  connect!.takenAt ?? (isOmniscient ? Infinity : connect!.at)

/** The moment before which the Will cannot be published by right. */
const dueFrom = (account: Account, { connection, delay }: Armed): number => {
  const lived = livedUntil(connection, account)
  let due = delay === 0 ? lived : account.clock.earliest(lived, delay)
  // The session that a connection with Clean Start discards has come to its end [MQTT-3.1.3-9].
  for (const other of otherConnects(account, connection)) {
    if (!other.connect!.packet.cleanStart) continue
    const at = account.isOmniscient ? readAt(other, account) : other.connect!.at
    if (at >= lived) due = Math.min(due, at)
  }
  return due
}

const judgeEarly = (account: Account, armed: Armed): Violation | undefined => {
  const { name, connection, deliveries, delay } = armed
  const published = writtenBy(deliveries[0]!)
  const due = dueFrom(account, armed)
  if (published >= due) return undefined
  const lived = seconds(livedUntil(connection, account))
  const detail = `${name} was published by ${seconds(published)}, though ${nameOf(connection)} lived until ${lived} and the delay is ${seconds(delay)} [MQTT-3.1.3-9]`
  return { promise: "will-early", at: published, detail }
}

/** The session went on before the delay had passed: the Will must not be published any more. */
const judgeCancelled = (account: Account, armed: Armed): Violation | undefined => {
  const { name, connection, deliveries, delay } = armed
  if (delay === 0) return undefined
  const due = dueFrom(account, armed)
  const heir = otherConnects(account, connection).find(
    (other) =>
      isConfirmed(other) &&
      other.number > connection.number &&
      !other.connect!.packet.cleanStart &&
      other.session === connection.session &&
      other.connack!.packet.sessionPresent &&
      confirmedAt(other) < due
  )
  const last = deliveries.findLast(({ packet }) => !packet.dup)
  // A DISCONNECT may have been heard, and have shortened the session, though nobody knows.
  if (heir === undefined || connection.session === undefined || last === undefined) return undefined
  if (connection.session.isUncertain || connection.session.doubts.length > 0) return undefined
  const detail = `${name} was published, though ${nameOf(heir)} went on with the session at ${seconds(confirmedAt(heir))}, before ${seconds(due)} [MQTT-3.1.3-9]`
  return { promise: "will-not-cancelled", at: last.at, detail }
}

/** Whether the broker may have ended the connection before it came to the DISCONNECT that it was handed. */
const mayHaveEndedBefore = (account: Account, connection: Connection, goodbye: number): boolean => {
  const { connect, connack, closed, received, sent } = connection
  if (closed?.by !== "client" || received.some(({ packet }) => packet._tag === "Disconnect")) return true
  if (
    otherConnects(account, connection).some(
      (other) => readAt(other, account) <= goodbye && other.openedAt > connection.openedAt
    )
  ) {
    return true
  }
  const answered = new Set(
    received.map(({ packet }) => ("packetId" in packet ? `${packet._tag} ${packet.packetId}` : ""))
  )
  let last = connect!.takenAt ?? connect!.at
  const keepAlive = (connack?.packet.properties?.serverKeepAlive ?? connect!.packet.keepAlive) * second
  for (const { packet, takenAt, at } of sent) {
    // What is refused to MQTT 3.1.1 ends the connection, after a time in which it is not read.
    const answer = packet._tag === "Publish" && packet.qos > 0 ? (packet.qos === 1 ? "PubAck" : "PubRec") : undefined
    if (answer !== undefined && !answered.has(`${answer} ${(packet as { packetId: number }).packetId}`)) return true
    const now = takenAt ?? at
    if (keepAlive > 0 && account.clock.atMost(last, now) >= 1.5 * keepAlive) return true
    last = now
  }
  return false
}

/** The client has said goodbye with reason 0x00: its Will is forgotten [MQTT-3.1.2-10, 3.14.4-3]. */
const judgeGoodbye = (account: Account, { name, connection, deliveries }: Armed): Violation | undefined => {
  const { disconnect, broker } = connection
  if (disconnect?.packet._tag !== "Disconnect" || disconnect.packet.reasonCode !== 0) return undefined
  const goodbye = account.isOmniscient ? disconnect.takenAt : undefined
  const first = deliveries[0]!
  if (goodbye === undefined || mayHaveEndedBefore(account, connection, goodbye)) return undefined
  // A process that dies may not have noted the goodbye yet.
  const death = account.brokers.find((life) => life.broker === broker && (life.ended?.at ?? -1) >= goodbye)?.ended?.at
  const isForgotten =
    death === undefined ||
    death > writtenBy(first) ||
    (death - goodbye > durableLimit && !isStruck(account, goodbye, death - 1))
  if (!isForgotten || writtenBy(first) < goodbye) return undefined
  const detail = `${name} was published by ${seconds(writtenBy(first))}, though ${nameOf(connection)} had ended by DISCONNECT with 0x00, which the broker had at ${seconds(goodbye)} [MQTT-3.14.4-3]`
  return { promise: "will-after-disconnect", at: first.at, detail }
}

/** Whether a delivery of a Will to this session is a publication of it, and not what was retained of it. */
const isLive = (account: Account, session: Session, delivery: Delivery, { connection }: Armed): boolean => {
  if (!delivery.packet.retain) return true
  const matching = account.matching(session, delivery.topic!)
  // Only what was subscribed to before it can be told: no retained message can have come of it.
  return matching.every((one) => keepsRetain(one) && one.sentAt < connection.connect!.at)
}

const judgeTwice = (account: Account, armed: Armed): ReadonlyArray<Violation> => {
  const violations: Array<Violation> = []
  const { name, deliveries } = armed
  for (const session of new Set(deliveries.map((delivery) => delivery.session))) {
    if (session === undefined || session.isUncertain) continue
    const fresh = deliveries.filter(
      (one) => one.session === session && !one.packet.dup && isLive(account, session, one, armed)
    )
    const [first, second] = [fresh[0], fresh.at(-1)]
    if (first === undefined || second === undefined || fresh.length < 2) continue
    const ways = new Set(account.matching(session, first.topic!).map(({ filter }) => filter)).size
    if (fresh.length <= ways) continue
    // At QoS 0, and to transient sessions, it is sent before it is durable that it was.
    const isAtOnce = first.packet.qos === 0 || !isDurable(session)
    if (isAtOnce && hasEnded(account, writtenBy(first), writtenBy(second))) continue
    const times = fresh.map((one) => seconds(writtenBy(one))).join(", ")
    const detail = `${session.client} got ${name} ${fresh.length} times as new, at ${times}`
    violations.push({ promise: "will-twice", at: second.at, detail })
  }
  return violations
}

/** The first moment by which so much has certainly passed for the broker; not before another one, if it is given. */
const passedBy = (account: Account, from: number, micros: number, notBefore = 0): number => {
  let at = Math.max(notBefore, from + micros)
  while (at < account.endsAt) {
    const missing = micros - account.clock.atLeast(from, at)
    if (missing <= 0) return at
    at += Math.max(1_000, missing)
  }
  return Infinity
}

/** When the broker certainly had noticed that the connection is over; Infinity: nobody knows. */
const endedBy = (account: Account, connection: Connection): number => {
  const { closed, connect, connack, openedAt, broker, sent } = connection
  let by = Infinity
  if (closed !== undefined) {
    const held = sent.some(({ packet }) => packet._tag === "Publish") ? heldLimit : 0
    const isDisturbed = isStruck(account, closed.at - second, closed.at + publishingLimit + held)
    const from = isDisturbed ? Math.max(closed.at, account.phaseAt("healed") ?? Infinity) : closed.at
    const isTold = closed.by !== "silence" && (closed.by !== "reset" || !isDisturbed)
    if (isTold) by = Math.min(by, from + publishingLimit + held)
    // A half-open connection is noticed by its Keep Alive [MQTT-3.1.2-22].
    const keepAlive = connack!.packet.properties?.serverKeepAlive ?? connect!.packet.keepAlive
    if (keepAlive > 0 && from < Infinity)
      by = Math.min(by, passedBy(account, from, keepAlive * 1.5 * second + held) + second)
  }
  for (const other of otherConnects(account, connection)) {
    if (isConfirmed(other) && other.openedAt > openedAt) by = Math.min(by, confirmedAt(other))
  }
  for (const life of account.brokers) {
    if (life.broker === broker && life.startedAt > openedAt) by = Math.min(by, life.readyAt ?? Infinity)
  }
  return by
}

/** Until when a broker could write down what it does: one that ends over a failure is given time for its clients. */
const ableUntil = ({ ended }: BrokerLife): number =>
  ended === undefined ? Infinity : ended.how === "failed" ? ended.at - graceTime : ended.at

/** By when a Will has certainly been published whose connection had certainly ended; a broker's restart is waited for. */
const dueBy = (account: Account, { connection, longestDelay }: Armed, ended: number): number => {
  const lives = account.brokers.filter(({ broker }) => broker === connection.broker)
  let due = passedBy(account, ended, longestDelay)
  let isSettled = false
  while (!isSettled && due < Infinity) {
    const before = due
    for (const { startedAt, readyAt } of lives) {
      if (startedAt < connection.openedAt || startedAt > due) continue
      // What was not durable when a broker died begins anew.
      due = Math.max(due, readyAt === undefined ? Infinity : passedBy(account, readyAt, longestDelay))
    }
    // While there is no broker nothing is published, and its clock may have been set back meanwhile.
    const isUp = lives.some((life) => (life.readyAt ?? Infinity) <= due && ableUntil(life) > due)
    if (lives.length > 0 && !isUp) {
      const readyAt = lives.find(({ startedAt }) => startedAt > due)?.readyAt
      due = readyAt === undefined ? Infinity : passedBy(account, ended, longestDelay, readyAt)
    }
    for (const { struck, liftedAt } of account.faults) {
      if (struck.at <= due + publishingLimit)
        due = Math.max(due, liftedAt ?? ("duration" in struck.fault ? Infinity : 0))
    }
    isSettled = due === before
  }
  return due + publishingLimit
}

/** A Will that was due, and that a client did not get to which it was owed. */
const judgeLost = (account: Account, armed: Armed, served: ReadonlyArray<Served>): Violation | undefined => {
  const { name, connection, longestDelay } = armed
  const will = connection.connect!.packet.will!
  if (will.qos === 0 || will.properties?.messageExpiryInterval !== undefined) return undefined
  // A DISCONNECT that may have been heard may have taken the Will away.
  const { disconnect } = connection
  const isGoodbye = disconnect?.packet._tag === "Disconnect" && disconnect.packet.reasonCode === 0
  if (isGoodbye && goodbyeAt(connection, account) !== undefined) return undefined
  const ended = endedBy(account, connection)
  const due = ended === Infinity ? Infinity : dueBy(account, armed, ended)
  const lived = livedUntil(connection, account)
  // Who comes back before the delay is over takes the Will away.
  const isBack = (other: Connection): boolean => {
    const at = readAt(other, account)
    return other.openedAt > connection.openedAt && at >= lived && at <= due
  }
  if (due === Infinity || (longestDelay > 0 && otherConnects(account, connection).some(isBack))) return undefined
  for (const { session, until, horizon, connection: receiver } of served) {
    if (until < due || session.deliveries.some((one) => one.name === name)) continue
    const isOwed = account.matching(session, will.topic).some((subscription) => {
      const qos = grantedQoS(subscription)
      if (subscription.group !== undefined || qos === 0 || qos > 2 || subscription.options.noLocal) return false
      return holds(subscription, lived, horizon)
    })
    const maximum = receiver.connect!.packet.properties?.maximumPacketSize ?? Infinity
    if (!isOwed || maximum < 2 * will.topic.length + will.payload.length + 64) continue
    if (isRoomShort(account, lived, due)) continue
    const detail = `${name} was due by ${seconds(due)}, for ${nameOf(connection)} had ended without goodbye by ${seconds(ended)}; ${session.client} did not get it [MQTT-3.1.2-8]`
    return { promise: "will-lost", at: due, detail }
  }
  return undefined
}

const isDurable = ({ connections }: Session): boolean =>
  connections.every(({ version, connect }) =>
    version === 5 ? (connect!.packet.properties?.sessionExpiryInterval ?? 0) > 0 : !connect!.packet.cleanStart
  )

/**
 * Promises: `will-twice`, `will-early`, `will-not-cancelled`, `will-after-disconnect`, `will-of-refused`, `will-lost`.
 */
export const wills: Promised = (account) => {
  const violations: Array<Violation> = []
  const deliveriesOf = new Map<string, Array<Delivery>>()
  for (const delivery of account.deliveries) {
    if (delivery.id?.kind !== "w" || delivery.name === undefined) continue
    const others = deliveriesOf.get(delivery.name)
    if (others === undefined) deliveriesOf.set(delivery.name, [delivery])
    else others.push(delivery)
  }
  const served = account.sessions
    .filter((session) => isDurable(session) && session.doubts.length === 0)
    .flatMap((session) => servedAtEnd(account, session) ?? [])
  for (const [name, connection] of account.wills) {
    const deliveries = (deliveriesOf.get(name) ?? []).toSorted((a, b) => writtenBy(a) - writtenBy(b))
    const [delay, longestDelay] = delaysOf(connection, account)
    const armed: Armed = { name, connection, deliveries, delay, longestDelay }
    if (deliveries.length === 0) {
      const lost = isConfirmed(connection) ? judgeLost(account, armed, served) : undefined
      if (lost !== undefined) violations.push(lost)
      continue
    }
    violations.push(...judgeTwice(account, armed))
    const { connack } = connection
    if (connack !== undefined && connack.packet.reasonCode !== 0) {
      const detail = `${name} was published, though ${nameOf(connection)} was refused (section 3.1.2.5)`
      violations.push({ promise: "will-of-refused", at: deliveries[0]!.at, detail })
      continue
    }
    if (connack === undefined) continue
    for (const judge of [judgeGoodbye, judgeCancelled, judgeEarly]) {
      const violation = judge(account, armed)
      if (violation === undefined) continue
      violations.push(violation)
      break
    }
  }
  return violations
}
