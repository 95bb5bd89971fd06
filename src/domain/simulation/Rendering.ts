/**
 * A run for readers: its plan, its history and what was found, in lines for people; its events as lines of JSON.
 */
import { Schema } from "effect"
import type { ProtocolVersion } from "../packet/Packet.ts"
import { Event, type History, type Violation } from "./History.ts"
import { packetName, packetText, versionName } from "./PacketText.ts"
import type { Fault, Plan } from "./Plan.ts"

/** An event as a line of JSON, both ways; payloads are base64. */
export const EventJson = Schema.fromJsonString(Schema.toCodecJson(Event))

const encodeEvent = Schema.encodeSync(EventJson)

/** A history as lines of JSON, an event a line. */
export const historyAsJson = (history: History): ReadonlyArray<string> => history.map((event) => encodeEvent(event))

/** Virtual time in seconds: `12.345`. Cut off, so that nothing seems to be later than it was. */
export const secondsText = (micros: number): string => {
  const millis = Math.floor(micros / 1_000)
  return `${Math.floor(millis / 1_000)}.${String(millis % 1_000).padStart(3, "0")}`
}

const millisText = (millis: number): string => (millis < 1_000 ? `${millis} ms` : `${millis / 1_000} s`)

/** A detail may have lines of its own, and so may topics. */
const oneLine = (text: string): string => text.trim().replaceAll(/\s*\n\s*/g, " | ")

const between = (from: string, to: string, oneWay: boolean): string => `${from} ${oneWay ? "→" : "↔"} ${to}`

/** A fault without its time: `crash broker-1 for 2.5 s`. */
export const faultText = (fault: Fault): string => {
  const lasting = "duration" in fault ? ` for ${millisText(fault.duration)}` : ""
  switch (fault._tag) {
    case "crash":
    case "power":
    case "stop":
    case "pause":
      return `${fault._tag} ${fault.broker}${lasting}`
    case "expire":
      return `expire the ZooKeeper session of ${fault.broker}`
    case "cut":
      return `cut ${between(fault.from, fault.to, fault.oneWay)}${lasting}`
    case "reset":
      return `reset ${between(fault.from, fault.to, false)}`
    case "slow":
      return `slow ${between(fault.from, fault.to, false)} by ${fault.factor}${lasting}`
    case "lose-reply":
      return `lose-reply of ${fault.percent} % of the writes${lasting}`
    case "lag":
      return `lag zookeeper-${fault.server + 1} by ${millisText(fault.millis)}${lasting}`
    case "leader":
      return `leader of ZooKeeper lost${lasting}`
    case "server":
      return `server zookeeper-${fault.server + 1} lost${fault.quorum ? ", and the quorum" : ""}${lasting}`
    case "disk":
      return `disk of ${fault.broker} ${fault.how}${lasting}`
    case "clock":
      return `clock of ${fault.broker} by ${fault.millis} ms`
  }
}

const endings = {
  kill: "killed",
  power: "lost power",
  stopped: "stopped as it was told",
  failed: "ended of its own accord"
} as const

const closings = {
  client: "closed by the client",
  broker: "closed by the broker",
  reset: "reset",
  silence: "given up by the client, which heard nothing"
} as const

const phases = {
  chaos: "chaos: faults may strike from now on",
  healed: "healed: nothing strikes any more, all has to converge",
  cleared: "cleared: the clients have cleared up"
} as const

/** What the lines of a history need to know of what came before them. */
interface Connection {
  /** `observer#3`: the client and the number of its connection. */
  readonly name: string
  readonly version: ProtocolVersion
  /** The packets sent and not taken yet, by their index. */
  readonly under: Map<number, string>
}

/** An event as whom it is about and what happened. */
const told = (event: Event, connections: Map<number, Connection>): readonly [who: string, what: string] => {
  const connectionOf = (number: number): Connection =>
    connections.get(number) ?? { name: `?#${number}`, version: 5, under: new Map() }
  switch (event._tag) {
    case "Opened": {
      const { client, connection: number, version, broker } = event
      const name = `${client}#${number}`
      connections.set(number, { name, version, under: new Map() })
      return [name, `opened to ${broker} (MQTT ${versionName(version)})`]
    }
    case "Sent": {
      const { name, version, under } = connectionOf(event.connection)
      under.set(event.index, packetName(event.packet))
      return [name, `→ ${packetText(event.packet, version)}`]
    }
    case "Taken": {
      const { name, under } = connectionOf(event.connection)
      const text = under.get(event.index) ?? `packet ${event.index}`
      under.delete(event.index)
      return [name, `⇥ ${text} is with the broker`]
    }
    case "Received": {
      const { name, version } = connectionOf(event.connection)
      const late = event.writtenAt === undefined ? 0 : Math.floor((event.at - event.writtenAt) / 1_000)
      return [name, `← ${packetText(event.packet, version)}${late > 0 ? ` (${millisText(late)} on its way)` : ""}`]
    }
    case "Garbled":
      return [connectionOf(event.connection).name, `← garbled: ${event.detail}`]
    case "Closed":
      return [connectionOf(event.connection).name, closings[event.by]]
    case "Started":
      return [event.broker, "started"]
    case "Ready":
      return [event.broker, "listens"]
    case "Ended":
      return [event.broker, endings[event.how] + (event.detail === undefined ? "" : `: ${event.detail}`)]
    case "Logged":
      return [event.broker, `logged ${event.level}: ${event.message}`]
    case "Struck":
      return ["fault", `struck: ${faultText(event.fault)}`]
    case "Lifted":
      return ["fault", `lifted: ${faultText(event.fault)}`]
    case "ClockJumped":
      return [event.broker, `its clock jumped by ${event.millis} ms`]
    case "Phase":
      return ["run", phases[event.phase]]
    case "Snapshot": {
      const holds = Object.entries(event.holds).flatMap(([name, value]) => (value === 0 ? [] : [`${name} ${value}`]))
      const moment = event.moment === "empty" ? "when empty" : "at the end"
      return [event.broker, `holds ${moment}: ${holds.length === 0 ? "nothing" : holds.join(", ")}`]
    }
    case "Failed":
      return ["run", `${event.kind}: ${event.detail}`]
  }
}

/** A history as lines for people, an event a line: virtual time in seconds, who, what. */
export const historyAsText = (history: History): ReadonlyArray<string> => {
  const connections = new Map<number, Connection>()
  const lines = history.map((event) => {
    const [who, what] = told(event, connections)
    return [secondsText(event.at), oneLine(who), oneLine(what)] as const
  })
  const width = lines.reduce((most, [, who]) => Math.max(most, who.length), 0)
  const timeWidth = lines.at(-1)?.[0].length ?? 0
  return lines.map(([at, who, what]) => `${at.padStart(timeWidth)}  ${who.padEnd(width)}  ${what}`)
}

/** A broken promise: when, its name, what happened. */
export const violationText = ({ promise, at, detail }: Violation): string =>
  `${secondsText(at)}  ${promise}: ${oneLine(detail)}`

const counted = (count: number, one: string): string => `${count} ${one}${count === 1 ? "" : "s"}`

/** How large a plan is: `2 faults, 5 clients, 40 actions, 30 s`. */
export const sizeText = ({ faults, clients, seconds }: Plan): string =>
  [
    counted(faults.length, "fault"),
    counted(clients.length, "client"),
    counted(
      clients.reduce((sum, { actions }) => sum + actions.length, 0),
      "action"
    ),
    `${seconds} s`
  ].join(", ")

const entriesText = (entries: object): string =>
  Object.entries(entries)
    .map(([name, value]) => `${keyWords(name)} ${value}`)
    .join(", ")

/** `latencyMicros` as `latency micros`. */
const keyWords = (key: string): string => key.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)

/** A label and what it labels. */
const labelled = (label: string, text: string): string => `${label.padEnd(10)}${text}`

/** A plan in words, a line for each part and each fault. */
export const planAsText = (plan: Plan): ReadonlyArray<string> => [
  labelled("plan", `seed ${plan.seed}: ${sizeText(plan)}`),
  labelled("brokers", `${plan.brokers}, ${plan.store === "embedded" ? "with a disk" : "with a ZooKeeper ensemble"}`),
  labelled("clients", plan.clients.map(({ name, version }) => `${name} (${versionName(version)})`).join(", ")),
  labelled("schedule", entriesText(plan.schedule)),
  labelled("network", entriesText(plan.network)),
  labelled("clocks", entriesText(plan.clocks)),
  labelled("limits", entriesText(plan.limits)),
  ...plan.faults.map((fault, at) =>
    labelled(at === 0 ? "faults" : "", `${secondsText(fault.at * 1_000)} ${faultText(fault)}`)
  )
]

/** What a run came to. */
export interface Result {
  readonly plan: Plan
  readonly history: History
  readonly violations: ReadonlyArray<Violation>
  readonly hash: string
  readonly simulatedMillis: number
}

/** A run in a few lines: its plan, what was checked, what was broken, its hash. `promises` are the names of what was checked. */
export const summary = (
  { plan, history, violations, hash, simulatedMillis }: Result,
  promises: ReadonlyArray<string>
): ReadonlyArray<string> => [
  ...planAsText(plan),
  labelled("history", `${counted(history.length, "event")} in ${secondsText(simulatedMillis * 1_000)} s`),
  labelled("checked", promises.join(", ")),
  ...(violations.length === 0
    ? [labelled("broken", "nothing")]
    : violations.map((violation, at) => labelled(at === 0 ? "broken" : "", violationText(violation)))),
  labelled("hash", hash)
]
