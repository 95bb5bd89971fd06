/** When a broker may have had no room for another message, as far as its clients can tell. */
import type { Account, Connection } from "../Account.ts"

/** Microseconds in which a PUBLISH is answered that finds room. */
const usualAnswer = 250_000

const isRefused = ({ received }: Connection): boolean =>
  received.some(({ packet }) => "reasonCode" in packet && packet.reasonCode === 0x97)

/** Whether a PUBLISH waited long for its answer: a client of MQTT 3.1.1 is told nothing else. */
const isWaiting = ({ version, received, sent, closed }: Connection, from: number, to: number): boolean => {
  if (version === 5) return false
  const answers = new Map<string, Array<number>>()
  for (const { packet, at, writtenAt } of received) {
    if (packet._tag !== "PubAck" && packet._tag !== "PubRec") continue
    const name = `${packet._tag} ${packet.packetId}`
    const times = answers.get(name)
    if (times === undefined) answers.set(name, [writtenAt ?? at])
    else times.push(writtenAt ?? at)
  }
  const places = new Map<string, number>()
  return sent.some(({ packet, at, takenAt }) => {
    if (packet._tag !== "Publish" || packet.qos === 0) return false
    const name = `${packet.qos === 1 ? "PubAck" : "PubRec"} ${packet.packetId}`
    const place = places.get(name) ?? 0
    places.set(name, place + 1)
    const since = takenAt ?? at
    const until = answers.get(name)?.[place] ?? closed?.at ?? Infinity
    return until - since > usualAnswer && since <= to && until >= from
  })
}

/** Whether so many messages were there until then that they fill a queue. Of Wills nobody is told that they did not fit. */
const mayFillQueue = ({ brokers, publications, clears, wills }: Account, to: number): boolean => {
  let room = Math.min(...brokers.map(({ queueMessages }) => queueMessages)) - wills.size
  for (const { sendings } of [...publications.values(), ...clears]) {
    if (room <= 0) return true
    room -= sendings.filter(({ at }) => at <= to).length
  }
  return room <= 0
}

/** Whether some message had to wait in a time, or some was refused at all, for want of room: another may have, too. */
export const isRoomShort = (account: Account, from: number, to: number): boolean =>
  mayFillQueue(account, to) ||
  account.connections.some((connection) => isRefused(connection) || isWaiting(connection, from, to))
