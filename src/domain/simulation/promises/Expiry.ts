/**
 * Nothing is sent for the first time after its expiry, and what is sent says how long it is still good for
 * (docs/guarantees.md, 9; MQTT 5.0, section 3.3.2.3.3). By the broker's clock, of which the run's own is a bound.
 *
 * Not seen: what was resent (it carries DUP, and its sending had begun in time), a Will, a message of which nobody knows
 * when the broker came to it, and less than two seconds.
 */
import type { Account, Connection, Delivery, Promised, Publication, Sending } from "../Account.ts"
import { mayBeTaken, takenFrom, writtenBy } from "../Entitlement.ts"
import type { Violation } from "../History.ts"

/** Seconds are whole, and the broker looks at its clock four times a second at least; in microseconds. */
const tolerance = 1_250_000

/** How long a packet may be on its way, where nobody knows when it was written; in microseconds. */
const latency = 1_000_000

/** When the broker was done with what a connection sent: an entry for each packet that was answered, by its index. */
type Answers = ReadonlyArray<{ readonly index: number; readonly at: number }>

/** PINGRESPs come in the order of the PINGREQs; other answers name what they answer. */
const answersTo = ({ sent, received }: Connection, sendings: ReadonlyArray<Sending>): Answers => {
  const pings = sent.filter(({ packet }) => packet._tag === "PingReq")
  const pongs = received.filter(({ packet }) => packet._tag === "PingResp")
  const answers = pongs.flatMap(({ at, writtenAt }, i) => {
    const ping = pings[i]
    return ping === undefined ? [] : [{ index: ping.index, at: writtenAt ?? at }]
  })
  for (const { sent: packet, answer } of sendings) {
    if (answer !== undefined) answers.push({ index: packet.index, at: answer.writtenAt ?? answer.at })
  }
  answers.sort((a, b) => b.index - a.index)
  // What comes later is answered later: the earliest answer to this or any later packet is the bound.
  let earliest = Infinity
  return answers.map(({ index, at }) => ({ index, at: (earliest = Math.min(earliest, at)) }))
}

/** When the broker had come to a sending at the latest; Infinity: nobody knows. */
const reachedBy = (answers: Answers, { sent }: Sending): number =>
  answers.findLast(({ index }) => index >= sent.index)?.at ?? Infinity

const makeReach = (account: Account): ((sending: Sending) => number) => {
  const sendings = new Map<Connection, Array<Sending>>()
  for (const publication of account.publications.values()) {
    for (const sending of publication.sendings) {
      const others = sendings.get(sending.connection)
      if (others === undefined) sendings.set(sending.connection, [sending])
      else others.push(sending)
    }
  }
  const answers = new Map<Connection, Answers>()
  return (sending) => {
    const { connection } = sending
    let known = answers.get(connection)
    if (known === undefined) {
      known = answersTo(connection, sendings.get(connection) ?? [])
      answers.set(connection, known)
    }
    return reachedBy(known, sending)
  }
}

/** What is wrong with a delivery: the promise that is broken, and words. */
type Complaint = readonly [promise: string, detail: string]

const complaintOf = (
  account: Account,
  delivery: Delivery,
  publication: Publication,
  reach: (sending: Sending) => number
): Complaint | undefined => {
  const { packet, connection } = delivery
  const { expiry } = publication
  const remaining = packet.properties?.messageExpiryInterval
  if (expiry === undefined) {
    return remaining === undefined
      ? undefined
      : ["expiry-wrong", `has an expiry of ${remaining} s and was sent without`]
  }
  if (connection.version === 5 && remaining === undefined) {
    return ["expiry-wrong", `has no expiry and was sent with ${expiry} s [MQTT-3.3.2-6]`]
  }
  const written = writtenBy(delivery)
  // A repeated PUBLISH begins its life anew: its latest sending decides.
  const sendings = publication.sendings.filter((sending) => mayBeTaken(sending, account, written))
  const latest = Math.max(...sendings.map(reach))
  // Of what is not known at all, none may have passed; or less, if the clock was put back.
  const since = Math.min(latest, written)
  const passed = account.clock.atLeast(since, account.isOmniscient ? written : Math.max(since, written - latency))
  const life = expiry * 1_000_000 + tolerance
  if (!packet.dup && passed > life) {
    return [
      "delivered-expired",
      `was written ${(passed / 1_000_000).toFixed(1)} s after it came, its expiry is ${expiry} s`
    ]
  }
  if (remaining === undefined) return undefined
  if (remaining > expiry && passed >= 0) {
    return ["expiry-wrong", `is good for ${remaining} s and was sent with ${expiry} s`]
  }
  if (remaining > 0 && remaining * 1_000_000 + passed > life) {
    const time = (passed / 1_000_000).toFixed(1)
    return ["expiry-wrong", `is good for ${remaining} s, of ${expiry} s at least ${time} s have passed [MQTT-3.3.2-6]`]
  }
  const most = account.clock.atMost(takenFrom(account, publication), written)
  if (remaining * 1_000_000 + most + tolerance < expiry * 1_000_000) {
    const time = (most / 1_000_000).toFixed(1)
    return ["expiry-wrong", `is good for ${remaining} s, of ${expiry} s at most ${time} s have passed [MQTT-3.3.2-6]`]
  }
  return undefined
}

export const expiry: Promised = (account) => {
  const violations: Array<Violation> = []
  const reach = makeReach(account)
  for (const delivery of account.deliveries) {
    const { publication, name, at, connection } = delivery
    if (publication === undefined) continue
    const complaint = complaintOf(account, delivery, publication, reach)
    if (complaint === undefined) continue
    const [promise, detail] = complaint
    violations.push({
      promise,
      at,
      detail: `${name} to ${connection.client} (connection ${connection.number}) ${detail}`
    })
  }
  return violations
}
