/** Runs a script on a subject, and compares what its clients see with what the script expects. */
import { noSession, type OperationResult, type SessionId, type Stat } from "../../src/domain/zookeeper/Znode.ts"
import type { Expectation, Fault, MultiResult, Observation, Reply, Request, Role, Script, Step } from "./Script.ts"

/** What may take time in real servers, and need not in simulated ones. */
type Maybe<A> = A | Promise<A>

/**
 * Servers that behave like ZooKeeper, and clients of them by name. A subject begins with an empty tree (for real
 * servers: a chroot) and all servers serving. What a subject cannot do (a server alone: faults, roles other than the
 * leader) it throws at; such scripts are not for it.
 *
 * A client keeps what reaches it in the order of arrival until `next` takes it.
 */
export interface Subject {
  /** The time in milliseconds, by the clock that the servers' timeouts follow. */
  readonly now: () => number
  /** Lets time pass. */
  readonly elapse: (milliseconds: number) => Maybe<void>
  /** A new client, whose first observation will be Connected or Disconnected. It keeps its session alive while it can. */
  readonly open: (client: string, at: Role, timeout: number) => Maybe<void>
  /**
   * A new client that connects with the session of a former one, and with the largest zxid that the session saw, or
   * (`fromFuture`) one larger than any. Its first observation will be Connected, Expired or Disconnected. The former
   * one's connection, should it still stand, is left to the servers. The name may be used before, for an attempt that
   * failed.
   */
  readonly attach: (client: string, former: string, at: Role, fromFuture: boolean) => Maybe<void>
  /** Sends requests one after the other without waiting. Their replies come in this order. */
  readonly send: (client: string, requests: ReadonlyArray<Request>) => Maybe<void>
  /** Cuts a client's connection; nothing reaches it any more. */
  readonly drop: (client: string) => Maybe<void>
  /** The next observation of a client, waiting for one if need be; an error when none comes in reasonable time. */
  readonly next: (client: string) => Maybe<Observation>
  /** Whether `next` would not have to wait. */
  readonly hasNext: (client: string) => boolean
  readonly fault: (fault: Fault, at: Role) => Maybe<void>
}

/** What one step of a script let its client see. */
interface Seen {
  readonly step: Step
  readonly expected: ReadonlyArray<Expectation>
  readonly observations: ReadonlyArray<Observation>
}

/** Milliseconds between two attempts of a patient client, and until it gives up. */
const attachEvery = 50
const patience = 40_000

/** What the clients of a script saw and were to see, a line a step; the script holds where the two are equal. */
export interface Outcome {
  readonly actual: ReadonlyArray<string>
  readonly expected: ReadonlyArray<string>
}

/** Runs a script; rejects when a client does not get its session, or waits for what does not come. */
export const run = async ({ steps }: Script, subject: Subject): Promise<Outcome> => {
  const play: Play = { subject, seen: [], names: new Map(), watchStarted: subject.now() }
  for (const [at, step] of steps.entries()) {
    try {
      await perform(step, play)
    } catch (error) {
      throw new Error(`at step ${at + 1}, ${show(step)}`, { cause: error })
    }
  }
  return outcomeOf(play.seen, play.names)
}

/** A script under way. */
interface Play {
  readonly subject: Subject
  readonly seen: Array<Seen>
  /** By session, the client that opened it. */
  readonly names: Map<SessionId, string>
  watchStarted: number
}

const show = (step: Step): string =>
  JSON.stringify(step, (_, value: unknown) => (Buffer.isBuffer(value) ? value.toString() : value))

const perform = async (step: Step, play: Play): Promise<void> => {
  const { subject, seen, names } = play
  switch (step._tag) {
    case "Open": {
      await subject.open(step.client, step.at, step.timeout)
      const opened = await subject.next(step.client)
      if (opened._tag !== "Connected") throw new Error(`${step.client} does not get a session: ${opened._tag}`)
      names.set(opened.session, step.client)
      break
    }
    case "Attach":
      seen.push({ step, expected: [step.sees], observations: [await attach(step, subject)] })
      break
    case "Send":
      await subject.send(step.client, step.requests)
      break
    case "Ask": {
      await subject.send(step.client, step.requests)
      const observations = await repliesOf(step.client, step.requests.length, subject)
      seen.push({ step, expected: step.sees, observations })
      break
    }
    case "Await": {
      const observations: Array<Observation> = []
      while (observations.length < step.sees.length) observations.push(await subject.next(step.client))
      seen.push({ step, expected: step.sees, observations })
      break
    }
    case "Nothing": {
      // Thrown at once: what comes too early does not come later, and a script would wait for it.
      if (subject.hasNext(step.client)) throw new Error(`there came ${JSON.stringify(await subject.next(step.client))}`)
      break
    }
    case "Drop":
      await subject.drop(step.client)
      break
    case "Fault":
      await subject.fault(step.fault, step.at)
      break
    case "StartWatch":
      play.watchStarted = subject.now()
      break
    case "Elapse":
      await subject.elapse(step.milliseconds)
      break
    case "AtLeast": {
      const passed = subject.now() - play.watchStarted
      if (passed < step.milliseconds) throw new Error(`${passed} ms have passed, not ${step.milliseconds}`)
    }
  }
}

const attach = async (step: Extract<Step, { _tag: "Attach" }>, subject: Subject): Promise<Observation> => {
  const deadline = subject.now() + patience
  for (;;) {
    await subject.attach(step.client, step.former, step.at, step.how === "from the future")
    const observation = await subject.next(step.client)
    if (step.how !== "patiently" || observation._tag !== "Disconnected") return observation
    if (subject.now() > deadline) throw new Error(`no server takes ${step.client}`)
    await subject.elapse(attachEvery)
  }
}

const repliesOf = async (client: string, count: number, subject: Subject): Promise<ReadonlyArray<Observation>> => {
  const observations: Array<Observation> = []
  for (let replies = 0; replies < count;) {
    const observation = await subject.next(client)
    observations.push(observation)
    if (observation._tag === "Replied") replies += 1
    if (observation._tag === "Disconnected") break
  }
  return observations
}

/** Each line has the client's name, so that a difference shows where it is. */
const outcomeOf = (seen: ReadonlyArray<Seen>, names: ReadonlyMap<SessionId, string>): Outcome => {
  const ranks = rankZxids(seen)
  const outcomes = new Map<ReadonlyArray<string>, string>()
  const resolve = (expectation: Expectation | undefined, actual: string | undefined): string | undefined => {
    if (typeof expectation !== "object") return expectation
    const outcome = outcomes.get(expectation) ?? expectation.find((lawful) => lawful === actual)
    if (outcome !== undefined) outcomes.set(expectation, outcome)
    return outcome ?? `one of: ${expectation.join(" | ")}`
  }
  const expected: Array<string> = []
  const actual: Array<string> = []
  for (const [at, { step, expected: expectations, observations }] of seen.entries()) {
    const lines = observations.map((observation) => render(observation, ranks, names))
    const resolved = expectations.map((expectation, index) => resolve(expectation, lines[index])!)
    const title = `${at + 1}. ${"client" in step ? step.client : ""}: `
    expected.push(title + resolved.join("; "))
    actual.push(title + lines.join("; "))
  }
  return { actual, expected }
}

const statsOf = (reply: Reply): ReadonlyArray<Stat> => {
  if (reply._tag === "Multi") return reply.results.flatMap((result) => (result._tag === "Set" ? [result.stat] : []))
  return "stat" in reply ? [reply.stat] : []
}

const rankZxids = (seen: ReadonlyArray<Seen>): ReadonlyMap<number, number> => {
  const zxids = new Set<number>()
  for (const { observations } of seen) {
    for (const observation of observations) {
      if (observation._tag !== "Replied") continue
      for (const stat of statsOf(observation.reply)) {
        for (const zxid of [stat.czxid, stat.mzxid, stat.pzxid]) zxids.add(zxid)
      }
    }
  }
  return new Map([...zxids].sort((a, b) => a - b).map((zxid, at) => [zxid, at + 1]))
}

const render = (
  observation: Observation,
  ranks: ReadonlyMap<number, number>,
  names: ReadonlyMap<SessionId, string>
): string => {
  const nameOf = (session: SessionId) => names.get(session) ?? "another session"
  // What is as in a new and empty persistent znode is left out.
  const showStat = (stat: Stat): string => {
    const parts = [`czxid ${ranks.get(stat.czxid)}`]
    if (stat.mzxid !== stat.czxid) parts.push(`mzxid ${ranks.get(stat.mzxid)}`)
    if (stat.pzxid !== stat.czxid) parts.push(`pzxid ${ranks.get(stat.pzxid)}`)
    if (stat.version !== 0) parts.push(`version ${stat.version}`)
    if (stat.cversion !== 0) parts.push(`cversion ${stat.cversion}`)
    if (stat.aversion !== 0) parts.push(`aversion ${stat.aversion}`)
    if (stat.numChildren !== 0) parts.push(`children ${stat.numChildren}`)
    if (stat.dataLength !== 0) parts.push(`bytes ${stat.dataLength}`)
    if (stat.ephemeralOwner !== noSession) parts.push(`of ${nameOf(stat.ephemeralOwner)}`)
    return parts.join(" ")
  }
  const showResult = (result: OperationResult): string => {
    switch (result._tag) {
      case "Create":
        return `created ${result.path} ${result.stat === undefined ? "without a stat" : showStat(result.stat)}`
      case "Set":
        return `set ${showStat(result.stat)}`
      case "Delete":
        return "deleted"
      case "Check":
        return "checked"
    }
  }
  const showMultiResult = (result: MultiResult): string =>
    result._tag === "Create" ? `created ${result.path}` : showResult(result)
  const showReply = (reply: Reply): string => {
    switch (reply._tag) {
      case "Multi":
        return `[${reply.results.map(showMultiResult).join(", ")}]`
      case "Get":
        return `'${Buffer.from(reply.data).toString()}' ${showStat(reply.stat)}`
      case "Exists":
        return showStat(reply.stat)
      case "Children":
        return `[${reply.names.join(" ")}]`
      case "Sync":
        return "synced"
      case "AddWatch":
      case "SetWatches":
        return "watching"
      case "Close":
        return "closed"
      case "Failed":
        return reply.operation === undefined ? reply.error : `${reply.error} at ${reply.operation}`
      default:
        return showResult(reply)
    }
  }
  switch (observation._tag) {
    case "Replied":
      return showReply(observation.reply)
    case "Event":
      return `${observation.type} ${observation.path}`
    case "Connected":
      return `connected as ${nameOf(observation.session)}`
    default:
      return observation._tag
  }
}
