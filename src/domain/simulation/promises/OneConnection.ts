/**
 * At any moment at most one connection of a client identifier is confirmed [MQTT-3.1.4-3]: when a later one has its
 * CONNACK, nothing is written to the earlier one but the DISCONNECT that ends it, and it is closed.
 */
import type { Account, Connection, Promised, ReceivedPacket } from "../Account.ts"
import type { Violation } from "../History.ts"
import { isStruck, seconds } from "./Circumstances.ts"

/** How soon an earlier connection has to be closed when nothing is in the way, in microseconds. */
const closingLimit = 10_000_000

/** The same without knowledge of phases: the client may not have been reading for a while. */
const patientClosingLimit = 60_000_000

const confirmedAt = ({ connack }: Connection): number => connack!.writtenAt ?? connack!.at

/** When the packet was certainly not written yet: before what it answers was sent. Undefined: nobody knows. */
const notBefore = ({ sent }: Connection, { writtenAt, packet }: ReceivedPacket): number | undefined => {
  if (writtenAt !== undefined) return writtenAt
  if (!("packetId" in packet) || packet._tag === "Publish" || packet._tag === "PubRel") return undefined
  return sent.find((one) => "packetId" in one.packet && one.packet.packetId === packet.packetId)?.at
}

const writtenAfter = (earlier: Connection, later: Connection): Violation | undefined => {
  const since = confirmedAt(later)
  for (const received of earlier.received) {
    const at = notBefore(earlier, received)
    if (at === undefined || at <= since) continue
    const { packet } = received
    if (packet._tag === "Disconnect" && packet.reasonCode === 0x8e) continue
    const which = `connection ${earlier.number} of ${earlier.client}`
    const detail = `${packet._tag} was written to ${which} at ${seconds(at)}, after the CONNACK of connection ${later.number} at ${seconds(since)} [MQTT-3.1.4-3]`
    return { promise: "two-connections", at, detail }
  }
  return undefined
}

const leftOpen = (account: Account, earlier: Connection, later: Connection): Violation | undefined => {
  const healedAt = account.phaseAt("healed")
  if (healedAt === undefined && account.phases.length > 0) return undefined
  const since = Math.max(confirmedAt(later), healedAt ?? 0)
  const limit = since + (healedAt === undefined ? patientClosingLimit : closingLimit)
  if (limit > account.endsAt || (earlier.closed?.at ?? Infinity) <= limit) return undefined
  // The end that a broker has sent may be lost for good when its machine dies, or gives up sending it again.
  if (isStruck(account, earlier.openedAt, limit)) return undefined
  const detail = `connection ${earlier.number} of ${earlier.client} was not closed within ${seconds(limit - since)}, though connection ${later.number} had taken over at ${seconds(confirmedAt(later))} [MQTT-3.1.4-3]`
  return { promise: "old-connection-open", at: limit, detail }
}

/** Promises: `two-connections`, `old-connection-open`. */
export const oneConnection: Promised = (account) => {
  const violations: Array<Violation> = []
  for (const connections of account.connectionsOf.values()) {
    const confirmed = connections
      .filter(({ connack }) => connack?.packet.reasonCode === 0)
      .toSorted((a, b) => confirmedAt(a) - confirmedAt(b))
    for (const [i, earlier] of confirmed.entries()) {
      const later = confirmed[i + 1]
      if (later === undefined) continue
      for (const violation of [writtenAfter(earlier, later), leftOpen(account, earlier, later)]) {
        if (violation !== undefined) violations.push(violation)
      }
    }
  }
  return violations
}
