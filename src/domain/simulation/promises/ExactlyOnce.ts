/**
 * QoS 2 is exactly once, QoS 1 at least once with DUP on a resend, QoS 0 at most once (docs/guarantees.md, 2), counted
 * in each session.
 *
 * Not seen: one copy too many that carries RETAIN and may have been a retained message's; a copy too many in a session
 * that got the message by several ways (a shared subscription and another one).
 */
import type { Account, Connection, Delivery, Promised, Publication, Session } from "../Account.ts"
import { entitling, keepsRetain, messagesOf, retainedReads, sourceOf, writtenBy } from "../Entitlement.ts"
import type { Violation } from "../History.ts"

/**
 * Whether the delivery is a new message by the receiver's rule: a QoS 2 packet identifier is known until PUBREL, and
 * means the same message until then (section 4.3.3).
 */
const newAtQoS2 = (deliveries: ReadonlyArray<Delivery>): ReadonlyArray<Delivery> => {
  const known = new Map<number, Delivery>()
  return deliveries.filter((delivery) => {
    const { packetId } = delivery.packet
    const earlier = known.get(packetId)
    known.set(packetId, delivery)
    return earlier === undefined || earlier.releasedAt !== undefined || earlier.name !== delivery.name
  })
}

/** How many ways lead a message into a session: its own subscriptions are one, each shared one is another. */
const waysInto = (account: Account, session: Session, delivery: Delivery): number => {
  const source = sourceOf(account, delivery)
  if (source === undefined) return 1
  const subscriptions = entitling(account, session, source, writtenBy(delivery))
  const groups = new Set(subscriptions.map(({ group }) => group))
  return Math.max(1, groups.size)
}

/** How many copies of a message a session may get as new, of those whose RETAIN flag is the last one's. */
const allowedCopies = (account: Account, publication: Publication, last: Delivery, session: Session): number => {
  const by = writtenBy(last)
  const live = messagesOf(account, publication, by) * waysInto(account, session, last)
  if (!last.packet.retain) return live
  const source = sourceOf(account, last)
  if (source === undefined) return live
  const reads = retainedReads(account, session, source.topic, by)
  return entitling(account, session, source, by).some(keepsRetain) ? live + reads : reads
}

const promiseOf = { 0: "at-most-once-doubled", 1: "dup-unset", 2: "exactly-once-doubled" } as const

const countCopies = (account: Account, session: Session): ReadonlyArray<Violation> => {
  const violations: Array<Violation> = []
  const heard = session.deliveries.filter(({ isHeard, publication }) => isHeard && publication !== undefined)
  const fresh = [
    ...heard.filter(({ packet: { qos, dup } }) => qos === 0 || (qos === 1 && !dup)),
    ...newAtQoS2(heard.filter(({ packet }) => packet.qos === 2))
  ]
  const copies = new Map<string, Array<Delivery>>()
  for (const delivery of fresh) {
    const { qos, retain } = delivery.packet
    const key = `${delivery.name} ${qos} ${retain}`
    const others = copies.get(key)
    if (others === undefined) copies.set(key, [delivery])
    else others.push(delivery)
  }
  for (const same of copies.values()) {
    const last = same.at(-1)!
    if (same.length === 1 || session.isUncertain) continue
    const allowed = allowedCopies(account, last.publication!, last, session)
    if (same.length <= allowed) continue
    const { packet, name, at, connection } = last
    violations.push({
      promise: promiseOf[packet.qos],
      at,
      detail:
        `${session.client} (connection ${connection.number}) got ${name} ${same.length} times as new at QoS ${packet.qos} ` +
        `in session ${session.number}, ${allowed} are right; before at ${same.at(-2)!.at} µs`
    })
  }
  return violations
}

/** Why a PUBLISH with DUP cannot be a resend; undefined: it may be one. */
const objection = (account: Account, { connection, session, publication }: Delivery): string | undefined => {
  const connack = connection.connack
  if (connack === undefined || session === undefined || session.isUncertain) return undefined
  if (publication !== undefined && publication.firstSentAt > (connack.writtenAt ?? connack.at)) {
    return "was first published after this connection's CONNACK"
  }
  const mayHaveHad = (other: Connection): boolean =>
    other.number < connection.number &&
    (other.session === session || (other.session === undefined && other.connect !== undefined))
  const earlier = account.connectionsOf.get(connection.client)!.filter(mayHaveHad)
  if (earlier.length === 0) return "comes on the first connection of its session"
  return undefined
}

const checkDup = (account: Account, session: Session): ReadonlyArray<Violation> => {
  const violations: Array<Violation> = []
  /** Connection, packet identifier and message of what was received. */
  const received = new Set<string>()
  for (const delivery of session.deliveries) {
    const { packet, connection, at, name } = delivery
    if (packet.qos === 0) {
      if (packet.dup) {
        const detail = `${name} to ${session.client} (connection ${connection.number}) has DUP at QoS 0 [MQTT-3.3.1-2]`
        violations.push({ promise: "dup-set", at, detail })
      }
      continue
    }
    if (!packet.dup) {
      received.add(`${connection.number} ${packet.packetId} ${name}`)
      continue
    }
    const where = `${name} with DUP to ${session.client} (connection ${connection.number}, identifier ${packet.packetId})`
    const reason = objection(account, delivery)
    if (reason !== undefined) violations.push({ promise: "dup-set", at, detail: `${where} ${reason} [MQTT-3.3.1-1]` })
    const key = `${connection.number} ${packet.packetId} ${name}`
    if (received.has(key)) {
      // [MQTT-4.4.0-1]: a resend belongs to a new connection.
      violations.push({ promise: "resent-on-connection", at, detail: `${where} came on this connection before` })
    }
    received.add(key)
  }
  return violations
}

export const exactlyOnce: Promised = (account) =>
  account.sessions.flatMap((session) => [...countCopies(account, session), ...checkDup(account, session)])
