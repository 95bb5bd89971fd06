/**
 * Which session each connection of a client had, and when a broker may have ended it (MQTT 5.0, sections 3.1.2.4,
 * 3.1.2.11.2 and 4.1). The client knows a session by its CONNACKs alone, so this is a matter of bounds.
 */
import type { Connection, Session } from "./Account.ts"
import type { BrokerClock } from "./BrokerClock.ts"

/** Session Expiry Interval of a session that never expires, in seconds. */
const neverExpires = 0xffff_ffff

/** A CONNECT that was sent and not answered, as far as is known yet. */
type Unanswered = Connection

export interface SessionHistory {
  current: Session | undefined
  /** How many sessions there were. */
  count: number
  /** Connections whose CONNECT was sent and whose CONNACK was not received; those whose effect is past are taken out. */
  unanswered: Array<Unanswered>
}

export const makeSessionHistory = (): SessionHistory => ({ current: undefined, count: 0, unanswered: [] })

/** How long the session outlives this connection at least, in microseconds, by all that the broker may have heard. */
const expiryOf = ({ version, connect, connack, disconnect }: Connection): number => {
  const asked = connect!.packet
  const granted =
    version === 5
      ? (connack?.packet.properties?.sessionExpiryInterval ?? asked.properties?.sessionExpiryInterval ?? 0)
      : asked.cleanStart
        ? 0
        : neverExpires
  const last =
    disconnect?.packet._tag === "Disconnect" ? disconnect.packet.properties?.sessionExpiryInterval : undefined
  const seconds = Math.min(granted, last ?? granted)
  return seconds === neverExpires ? Infinity : seconds * 1_000_000
}

/** When the broker may have read the CONNECT at the earliest; Infinity: it has not. */
const readFrom = ({ connect }: Connection, isOmniscient: boolean): number =>
  connect!.takenAt ?? (isOmniscient ? Infinity : connect!.at)

/** From when on the broker may have ended the session whose last known connection this is. */
const mayEndFrom = (
  last: Connection,
  unanswered: ReadonlyArray<Unanswered>,
  clock: BrokerClock,
  isOmniscient: boolean
): number => {
  let end = clock.earliest(last.aliveUntil, expiryOf(last))
  for (const connection of unanswered) {
    const from = readFrom(connection, isOmniscient)
    if (from === Infinity) continue
    end = Math.min(end, connection.connect!.packet.cleanStart ? from : clock.earliest(from, expiryOf(connection)))
  }
  return end
}

/** A CONNECT was sent. */
export const connectSent = (sessions: SessionHistory, connection: Connection): void => {
  sessions.unanswered.push(connection)
}

/**
 * A CONNACK with reason code 0 was received: the connection has a session, which is returned; a new one has no
 * connection yet but this one.
 */
export const connectAnswered = (
  sessions: SessionHistory,
  connection: Connection,
  at: number,
  clock: BrokerClock,
  isOmniscient: boolean
): Session => {
  const { current } = sessions
  const { packet } = connection.connack!
  const { cleanStart } = connection.connect!.packet
  const others = sessions.unanswered.filter((one) => one !== connection)
  // MQTT 3.1 has no Session Present.
  const isUntold = connection.version === 3 && !cleanStart
  const isResumed = !cleanStart && (packet.sessionPresent || (isUntold && current !== undefined))
  // What the broker has read so far has had its effect by now; what it has not read may still come.
  sessions.unanswered = isOmniscient ? others.filter(({ connect }) => connect!.takenAt === undefined) : []
  if (isResumed && current !== undefined) {
    const last = current.connections.at(-1)!
    const end = mayEndFrom(last, others, clock, isOmniscient)
    for (const other of others) {
      const from = readFrom(other, isOmniscient)
      // It may have found no session and made one, which is the one that goes on now.
      if (from < Infinity && from >= end) current.doubts.push(from)
    }
    if (isUntold) current.isUncertain = true
    current.connections.push(connection)
    return current
  }
  if (current !== undefined) {
    const end = mayEndFrom(current.connections.at(-1)!, others, clock, isOmniscient)
    const mayEnd = cleanStart ? Math.min(end, connection.connect!.at) : end
    current.isLost = mayEnd > at
    current.endsFrom = Math.min(mayEnd, at)
    current.endsBy = at
  }
  const session: Session = {
    client: connection.client,
    number: sessions.count++,
    begunFrom: connection.connect!.at,
    connections: [connection],
    subscriptions: [],
    doubts: [],
    isUncertain: isResumed || isUntold,
    endsFrom: Infinity,
    endsBy: Infinity,
    isLost: false,
    deliveries: []
  }
  sessions.current = session
  return session
}

/** The history is over: the last session may have ended, if its connection has. */
export const finishSessions = (
  sessions: SessionHistory,
  clock: BrokerClock,
  isOmniscient: boolean,
  isEnded: (connection: Connection) => boolean
): void => {
  const { current, unanswered } = sessions
  if (current === undefined) return
  const last = current.connections.at(-1)!
  if (isEnded(last) || unanswered.length > 0) {
    current.endsFrom = mayEndFrom(last, unanswered, clock, isOmniscient)
  }
}
