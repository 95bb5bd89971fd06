/**
 * A session is there for as long as it was agreed, and not longer (MQTT 5.0, sections 3.1.2.4, 3.1.2.11.2 and 4.1), and
 * goes on where it was left: what was not acknowledged is sent again, in its order (section 4.4).
 */
import type { Account, Connection, Delivery, Promised, Session } from "../Account.ts"
import type { Violation } from "../History.ts"
import { isStruck, isUp, seconds } from "./Circumstances.ts"

/**
 * Microseconds that a broker may be late with the end of a session; and where it may have left the DISCONNECT unread for
 * a while, because the client had published what others were slow to receive.
 */
const endingLimit = 1_500_000
const heldLimit = 15_000_000

/** Microseconds that a run is quiet, at the least, before its clients clear up. */
const quiet = 4_900_000

const neverExpires = 0xffff_ffff

const nameOf = ({ client, number }: Connection): string => `connection ${number} of ${client}`

/**
 * The Session Expiry Interval that a connection ended with, in seconds, when its DISCONNECT certainly was heard or never
 * sent.
 */
const expiryOf = ({ version, connect, connack, disconnect }: Connection): number => {
  const { cleanStart, properties } = connect!.packet
  if (version !== 5) return cleanStart ? 0 : neverExpires
  const last =
    disconnect?.packet._tag === "Disconnect" ? disconnect.packet.properties?.sessionExpiryInterval : undefined
  return last ?? connack?.packet.properties?.sessionExpiryInterval ?? properties?.sessionExpiryInterval ?? 0
}

/** When the broker certainly knew that the connection was over; undefined: that cannot be said. */
const heardEnd = ({ broker, disconnect, sent, closed, received }: Connection, account: Account): number | undefined => {
  // A broker that has not answered everything may not have come to the DISCONNECT yet.
  const answers = new Set(
    received.map(({ packet }) => ("packetId" in packet ? `${packet._tag} ${packet.packetId}` : ""))
  )
  const isWaiting = sent.some(({ packet }) => {
    if (packet._tag !== "Publish" || packet.qos === 0) return false
    return !answers.has(`${packet.qos === 1 ? "PubAck" : "PubRec"} ${packet.packetId}`)
  })
  if (isWaiting) return undefined
  if (disconnect !== undefined) return disconnect.takenAt
  if (closed?.by !== "broker") return undefined
  return isUp(account, broker, closed.at, closed.at) ? closed.at : undefined
}

/** Says why there cannot be a session for this CONNECT; undefined: there may be one. */
const whyOver = (account: Account, connection: Connection, earlier: ReadonlyArray<Connection>): string | undefined => {
  const asked = connection.connect!.at
  const last = earlier.findLast(({ connect }) => connect !== undefined)
  if (last === undefined) return account.isOmniscient ? "the client has never been here" : undefined
  // Any earlier connection whose CONNECT may still have been under way makes it uncertain.
  if (last.connack?.packet.reasonCode !== 0) return undefined
  if (earlier.some((one) => one.connect !== undefined && one.closed === undefined)) return undefined
  if (earlier.some((one) => one.connect !== undefined && one.connack === undefined)) return undefined
  const expiry = expiryOf(last)
  if (expiry === neverExpires) return undefined
  const end = heardEnd(last, account)
  if (end === undefined || isStruck(account, end, asked) || !isUp(account, connection.broker, end, asked))
    return undefined
  const isHeld = last.sent.some(
    ({ packet, at }) => packet._tag === "Publish" && packet.qos === 0 && at > end - heldLimit
  )
  const limit = isHeld ? heldLimit : endingLimit
  if (account.clock.atLeast(end, asked) < expiry * 1_000_000 + limit) return undefined
  return `${nameOf(last)} ended at ${seconds(end)} with a Session Expiry Interval of ${expiry} s`
}

const judgePresence = (account: Account, violations: Array<Violation>): void => {
  for (const connections of account.connectionsOf.values()) {
    for (const [i, connection] of connections.entries()) {
      const { connect, connack, version } = connection
      if (connect === undefined || connack === undefined || connack.packet.reasonCode !== 0 || version === 3) continue
      if (!connack.packet.sessionPresent) continue
      const { at } = connack
      if (connect.packet.cleanStart) {
        const detail = `${nameOf(connection)} began with Clean Start, and is told of a session [MQTT-3.2.2-2]`
        violations.push({ promise: "session-present-after-clean-start", at, detail })
        continue
      }
      const why = whyOver(account, connection, connections.slice(0, i))
      if (why === undefined) continue
      const detail = `${nameOf(connection)} was told at ${seconds(at)} that its session is there, but ${why} [MQTT-3.2.2-3]`
      violations.push({ promise: "session-undead", at, detail })
    }
  }
  for (const session of account.sessions) {
    if (!session.isLost) continue
    const last = session.connections.at(-1)!
    const detail = `the session of ${nameOf(last)} was gone at ${seconds(session.endsBy)}, though it had neither expired nor been ended [MQTT-3.1.2-5, 3.2.2-3]`
    violations.push({ promise: "session-lost", at: session.endsBy, detail })
  }
}

/** A PUBLISH of the broker with QoS 1 or 2, however often it was sent. */
interface Exchange {
  readonly order: number
  latest: Delivery
  isAnswered: boolean
}

const isSame = (a: Delivery, b: Delivery): boolean =>
  a.packet.qos === b.packet.qos && a.topic === b.topic && Buffer.compare(a.packet.payload, b.packet.payload) === 0

const describe = ({ name, topic, packet }: Delivery): string =>
  `${name ?? `a message to ${topic}`} (identifier ${packet.packetId})`

/** Whether everything that the session held had the time to reach this connection before the clients cleared up. */
const isLastingToTheEnd = (account: Account, { connack, closed }: Connection): boolean => {
  const clearedAt = account.phaseAt("cleared")
  if (clearedAt === undefined || account.phaseAt("healed") === undefined) return false
  return connack!.at <= clearedAt - quiet && (closed?.at ?? Infinity) >= clearedAt
}

const judgeResends = (account: Account, session: Session, violations: Array<Violation>): void => {
  const exchanges = new Map<number, Exchange>()
  const deliveriesOf = new Map<Connection, Array<Delivery>>(session.connections.map((one) => [one, []]))
  for (const delivery of session.deliveries) {
    if (delivery.packet.qos > 0) deliveriesOf.get(delivery.connection)?.push(delivery)
  }
  let orders = 0
  for (const [connection, deliveries] of deliveriesOf) {
    let lastOrder = -1
    for (const delivery of deliveries) {
      const { packetId, dup } = delivery.packet
      const { at } = delivery
      const former = exchanges.get(packetId)
      const isOlder = former !== undefined && former.latest.connection !== connection
      if (former === undefined || !isOlder || !isSame(former.latest, delivery)) {
        if (isOlder && !former.isAnswered && former.latest.publication?.expiry === undefined) {
          const detail = `${describe(delivery)} has the identifier of ${describe(former.latest)}, which ${session.client} has not acknowledged [MQTT-2.2.1-4, 4.4.0-1]`
          violations.push({ promise: "packet-id-reused", at, detail })
        }
        exchanges.set(packetId, { order: orders++, latest: delivery, isAnswered: delivery.answer !== undefined })
        continue
      }
      if (!dup && !former.isAnswered) {
        const detail = `${describe(delivery)} was sent again to ${nameOf(connection)} without DUP [MQTT-3.3.1-1]`
        violations.push({ promise: "resend-without-dup", at, detail })
      }
      if (former.order < lastOrder) {
        const detail = `${describe(delivery)} was sent again to ${nameOf(connection)} after what came after it [MQTT-4.6.0-1]`
        violations.push({ promise: "resend-order", at, detail })
      }
      lastOrder = Math.max(lastOrder, former.order)
      former.latest = delivery
      former.isAnswered ||= delivery.answer !== undefined
    }
    if (connection !== session.connections.at(-1) || !isLastingToTheEnd(account, connection)) continue
    const released = new Set(connection.received.map(({ packet }) => (packet._tag === "PubRel" ? packet.packetId : 0)))
    for (const { latest, isAnswered } of exchanges.values()) {
      const { packetId, qos } = latest.packet
      if (latest.connection === connection || latest.publication?.expiry !== undefined || released.has(packetId))
        continue
      const isUnfinished = qos === 2 ? latest.releasedAt === undefined : !isAnswered
      if (!isUnfinished) continue
      const what = isAnswered ? "its PUBREL" : "it"
      const detail = `${describe(latest)} was not completed on ${nameOf(latest.connection)}, and ${what} was not sent to ${nameOf(connection)} [MQTT-4.4.0-1]`
      violations.push({ promise: "resend-missing", at: account.phaseAt("cleared")!, detail })
    }
  }
}

/**
 * Promises: `session-present-after-clean-start`, `session-undead`, `session-lost`, `packet-id-reused`,
 * `resend-without-dup`, `resend-order`, `resend-missing`.
 */
export const sessionPresent: Promised = (account) => {
  const violations: Array<Violation> = []
  judgePresence(account, violations)
  for (const session of account.sessions) {
    if (!session.isUncertain && session.doubts.length === 0) judgeResends(account, session, violations)
  }
  return violations
}
