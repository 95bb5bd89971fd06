/**
 * Until when a history can tell that something was owed and did not come: to the end of the healed phase in a run of the
 * simulation, to the client's goodbye in a history of real processes.
 */
import type { Account, Connection, Session } from "../Account.ts"

/** What was acknowledged less than this before the end, in microseconds, may still be on its way. */
export const settling = 1_000_000

/** A session whose client is there to take what it is owed. */
export interface Served {
  readonly session: Session
  /** Its last connection. */
  readonly connection: Connection
  /** What was acknowledged until then is owed to it. */
  readonly until: number
  /** The history counts to here. */
  readonly horizon: number
}

/** When the client has said goodbye or closed; undefined: it did not, or its connection ended in another way. */
const goodbyeOf = ({ disconnect, closed }: Connection, endsAt: number): number | undefined => {
  if (closed === undefined) return disconnect?.at ?? endsAt
  return closed.by === "client" ? (disconnect?.at ?? closed.at) : undefined
}

/** How far the history counts for what comes over this connection; undefined: it does not tell. */
export const horizonOf = (account: Account, connection: Connection): number | undefined => {
  // A run that was not cleared up did not converge: what is missing may have been on its way, and liveness is broken.
  if (account.phases.length > 0) return account.phaseAt("cleared")
  return goodbyeOf(connection, account.endsAt)
}

/** Whether the process that the connection went to has ended by then: nothing can come over it any more. */
const isBroken = ({ brokers }: Account, { broker, openedAt }: Connection, by: number): boolean =>
  brokers.some((life) => life.broker === broker && life.ended && life.ended.at >= openedAt && life.ended.at <= by)

/**
 * The session as one that certainly lives and is connected at the end of what the history tells; undefined: it may have
 * ended, or nobody was there to take anything.
 */
export const servedAtEnd = (account: Account, session: Session): Served | undefined => {
  if (session.isUncertain) return undefined
  const connection = session.connections.at(-1)!
  const horizon = horizonOf(account, connection)
  if (horizon === undefined || connection.connack!.at > horizon - settling) return undefined
  // A connection that is open for the client alone shows no sign of life after the healing.
  if (connection.aliveUntil < (account.phaseAt("healed") ?? 0)) return undefined
  if (connection.closed !== undefined && connection.closed.at < horizon) return undefined
  if (isBroken(account, connection, horizon)) return undefined
  // A newer connection, even one without CONNACK, may have taken this one's place.
  const isReplaced = account.connectionsOf
    .get(connection.client)!
    .some((other) => other.number > connection.number && other.openedAt <= horizon)
  return isReplaced ? undefined : { session, connection, until: horizon - settling, horizon }
}
