/**
 * When nothing strikes any more everything works again, and soon: brokers listen, clients are connected, requests are
 * answered. And at no time does a broker fail of its own accord, or log what nobody expected.
 */
import type { Account, Connection, Promised, SentPacket } from "../Account.ts"
import type { Violation } from "../History.ts"
import { serverHost } from "../Plan.ts"
import { seconds } from "./Circumstances.ts"

/** Microseconds until everything has come back: three ZooKeeper session timeouts of 6 s, and 5 s. */
const recoveryLimit = 23_000_000

/** Microseconds until a CONNECT is answered. */
const connectLimit = 5_000_000

/** Microseconds until a request is answered; and where the client may be held because it has published too much. */
const answerLimit = 10_000_000
const heldLimit = 120_000_000

/** How long a fault can be felt after it has ended, in microseconds. */
const aftermath = 30_000_000

const answerOf = ({ packet }: SentPacket): string | undefined => {
  switch (packet._tag) {
    case "Subscribe":
      return `SubAck ${packet.packetId}`
    case "Unsubscribe":
      return `UnsubAck ${packet.packetId}`
    case "PubRel":
      return `PubComp ${packet.packetId}`
    case "PingReq":
      return "PingResp"
    case "Publish":
      if (packet.qos === 0) return undefined
      return packet.qos === 1 ? `PubAck ${packet.packetId}` : `PubRec ${packet.packetId}`
    default:
      return undefined
  }
}

/** Requests that were sent after the healing, and not answered in time though their connection stayed open. */
const judgeAnswers = (account: Account, connection: Connection, healedAt: number): ReadonlyArray<Violation> => {
  const { sent, received, closed, client, number, openedAt, connack } = connection
  const until = Math.min(closed?.at ?? Infinity, account.endsAt)
  // A connection that another one has followed is owed nothing.
  const isSuperseded = account.connectionsOf.get(client)!.some((other) => other.openedAt > openedAt)
  if (connack === undefined || isSuperseded || until < healedAt + answerLimit) return []
  const answers = new Map<string, Array<number>>()
  for (const { packet, at } of received) {
    const name = "packetId" in packet ? `${packet._tag} ${packet.packetId}` : packet._tag
    const times = answers.get(name)
    if (times === undefined) answers.set(name, [at])
    else times.push(at)
  }
  const violations: Array<Violation> = []
  const used = new Map<string, number>()
  let publishedAt = -Infinity
  for (const request of sent) {
    if (request.packet._tag === "Publish") publishedAt = request.at
    const name = answerOf(request)
    if (name === undefined) continue
    const place = used.get(name) ?? 0
    used.set(name, place + 1)
    const patience = request.at - publishedAt > heldLimit ? answerLimit : heldLimit
    const limit = Math.max(request.at, healedAt + recoveryLimit) + patience
    if (request.at < healedAt || limit > until || (answers.get(name)?.[place] ?? Infinity) <= limit) continue
    const detail = `${request.packet._tag} of ${client} (connection ${number}), sent at ${seconds(request.at)}, was not answered until ${seconds(limit)}`
    violations.push({ promise: "unanswered", at: limit, detail })
  }
  return violations
}

/** Clients that are not connected when they should be again. */
const judgeConnections = (account: Account, healedAt: number, violations: Array<Violation>): void => {
  for (const { broker, readyAt, ended } of account.brokers) {
    if (ended !== undefined) continue
    if (account.endsAt < healedAt + recoveryLimit || (readyAt ?? Infinity) <= healedAt + recoveryLimit) continue
    const detail = `${broker} was not ready ${seconds(recoveryLimit)} after everything had healed`
    violations.push({ promise: "not-recovered", at: healedAt + recoveryLimit, detail })
  }
  for (const { client, number, connect, connack, openedAt, closed, sent } of account.connections) {
    const until = Math.min(closed?.at ?? Infinity, account.endsAt)
    if (connect === undefined || closed?.by === "client" || closed?.by === "broker") continue
    if (connack === undefined) {
      if (openedAt < healedAt + recoveryLimit || until < openedAt + connectLimit) continue
      const detail = `CONNECT of ${client} (connection ${number}) was not answered until ${seconds(until)}, everything had healed at ${seconds(healedAt)}`
      violations.push({ promise: "not-connected", at: until, detail })
    } else if (closed?.by === "silence" && Math.max(connack.at, healedAt + recoveryLimit) + answerLimit < until) {
      const isPublisher = sent.some(({ packet, at }) => packet._tag === "Publish" && at > until - heldLimit)
      if (isPublisher) continue
      const detail = `${client} (connection ${number}) gave the broker up at ${seconds(until)}, everything had healed at ${seconds(healedAt)}`
      violations.push({ promise: "unanswered", at: until, detail })
    }
  }
}

/** What went wrong in a broker by itself. */
const judgeFailures = (account: Account, violations: Array<Violation>): void => {
  for (const event of account.history) {
    const { at } = event
    if (event._tag === "Failed") {
      violations.push({ promise: event.kind, at, detail: event.detail })
    } else if (event._tag === "Logged" && event.level !== "Warn") {
      if (isExcused(account, event.broker, at, event.message)) continue
      violations.push({ promise: "logged-error", at, detail: `${event.broker}: ${event.message}` })
    } else if (event._tag === "Ended" && event.how === "failed") {
      if (isExcused(account, event.broker, at, event.detail ?? "")) continue
      const detail = `${event.broker} ended of its own accord: ${event.detail ?? "nobody knows why"}`
      violations.push({ promise: "broker-failed", at, detail })
    }
  }
}

/** A broker may give up when its disk is full or fails, or when ZooKeeper has ended its session. */
const isExcused = (account: Account, broker: string, at: number, words: string): boolean =>
  account.faults.some(({ struck, liftedAt }) => {
    const { fault } = struck
    const until = liftedAt ?? ("duration" in fault ? Infinity : struck.at)
    if (struck.at > at || until + aftermath < at) return false
    switch (fault._tag) {
      case "disk":
        return fault.broker === broker && fault.how !== "slow"
      case "expire":
        return fault.broker === broker
      case "lose-reply":
      case "leader":
      case "server":
        return true
      case "cut":
      case "slow":
      case "reset":
        return isZooKeeper(fault.from) || isZooKeeper(fault.to)
      case "pause":
        return fault.broker === broker && /expired/i.test(words)
      default:
        return false
    }
  })

const isZooKeeper = (host: string): boolean => host.startsWith(serverHost(0).slice(0, -1))

/**
 * Promises: `not-recovered`, `not-connected`, `unanswered`, `broker-failed`, `logged-error`, and the kinds of `Failed`:
 * `defect`, `stuck`, `leak`, `late`.
 */
export const liveness: Promised = (account) => {
  const violations: Array<Violation> = []
  judgeFailures(account, violations)
  const healedAt = account.phaseAt("healed")
  if (healedAt === undefined) return violations
  judgeConnections(account, healedAt, violations)
  for (const connection of account.connections) {
    violations.push(...judgeAnswers(account, connection, healedAt))
  }
  return violations
}
