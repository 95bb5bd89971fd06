/** What the handlers of a broker share: its services, its settings, and the state that only a pass may change. */
import type { Config } from "../../domain/config/Config.ts"
import type { Writer } from "../../domain/packet/Encoder.ts"
import type { TopicNames } from "../../domain/packet/TopicNames.ts"
import type { TimerWheel } from "../../domain/time/TimerWheel.ts"
import type { Bank } from "../Bank.ts"
import type { Journal } from "../Journal.ts"
import type { Partitions } from "../Partitions.ts"
import type { Retained } from "../Retained.ts"
import type { Router, Subscriber } from "../Router.ts"
import type { Connection } from "./Connection.ts"
import { Outbox } from "./Outbox.ts"

/** Settings as the handlers use them, in plain numbers: bytes, milliseconds, seconds, counts. */
export interface Limits {
  readonly maximumPacketSize: number
  readonly connectTimeout: number
  readonly maximumConnections: number
  readonly maximumClientIdLength: number
  readonly maximumTopicLevels: number
  readonly maximumFiltersPerSubscribe: number
  readonly maximumSubscriptionsPerClient: number
  readonly receiveMaximum: number
  readonly maximumInflight: number
  readonly topicAliasMaximum: number
  readonly queueMessages: number
  readonly queueBytes: number
  readonly outboxMessages: number
  readonly outboxBytes: number
  readonly maximumExpiryInterval: number
  readonly maximumKeepAlive: number
}

/** A line for the log; a pass only collects them. */
export interface LogLine {
  readonly level: "Debug" | "Info" | "Warn" | "Error"
  readonly message: string
  readonly annotations: Readonly<Record<string, unknown>>
}

/** What a broker counts. */
export interface Counts {
  connections: number
  /** QoS 0 messages that a full connection did not get. */
  droppedQoS0: number
  /** Messages longer than their receiver's Maximum Packet Size. */
  droppedTooLarge: number
  /** Messages that were refused or not retained because credit or room had run out. */
  refused: number
}

/** What a broker holds, and what it has counted. Without clients, sessions and retained messages it holds nothing. */
export interface Stats {
  /** Open connections, those that have not said CONNECT included. */
  readonly connections: number
  /** Client identifiers that a connection has claimed. */
  readonly clients: number
  readonly sessions: number
  readonly subscriptions: number
  readonly retained: number
  /** Wills that are armed or due. */
  readonly wills: number
  /** Deadlines of connections, sessions and Wills. */
  readonly deadlines: number
  /** Connections that are not read, and those that others wait for. */
  readonly waiting: number
  /** Credit that can still be spent. */
  readonly credit: number
  readonly counts: Readonly<Counts>
}

export interface BrokerState {
  readonly config: Config
  readonly limits: Limits
  readonly router: Router["Service"]
  readonly retained: Retained["Service"]
  readonly partitions: Partitions["Service"]
  readonly journal: Journal["Service"]
  readonly bank: Bank["Service"]
  /** Random bits for a client identifier that we assign. */
  readonly nextRandom: () => number
  readonly topics: TopicNames
  /** PUBLISH frames, and all other packets: kept apart so that rows of either lie together. */
  readonly frames: Writer
  readonly replies: Writer
  /** The shared clock at the beginning of the pass, in milliseconds. */
  now: number
  /** When the last tick came, and the last one that showed that the broker had stood still before it. */
  tickedAt: number
  awakeSince: number
  /** Connections with something to send at the end of the pass. */
  touched: Array<Connection>
  readonly outboxes: Array<Outbox>
  /** Connections that have claimed a client identifier [MQTT-3.1.4-3]. */
  readonly clients: Map<string, Connection>
  /** Sessions that messages are routed to. */
  readonly subscribers: Map<string, Subscriber>
  readonly connections: Set<Connection>
  /** Keep-alive, or the time to a CONNECT. */
  readonly deadlines: TimerWheel<Connection>
  /** Ends of sessions without a connection, and Wills that are due, by client identifier. */
  readonly sessionEnds: TimerWheel<string>
  readonly willsDue: TimerWheel<string>
  /** Connections whose PUBLISH there is no credit for. */
  readonly refused: Set<Connection>
  /** Connections whose queue has run over in this pass. */
  readonly tooSlow: Set<Connection>
  /** Receivers that publishers are held for. */
  readonly slow: Set<Connection>
  /** Held publishers that may go on, at the end of the pass. */
  released: Array<Connection>
  /** Whether the message being delivered met a receiver that is behind. */
  sawCongestion: boolean
  /** Publishers that are held until the journal has caught up. */
  readonly heldByJournal: Set<Connection>
  readonly logs: Array<LogLine>
  readonly counts: Counts
}

/** The broker's state in numbers. */
export const statsOf = (b: BrokerState): Stats => ({
  connections: b.connections.size,
  clients: b.clients.size,
  sessions: b.subscribers.size,
  subscriptions: b.router.size(),
  retained: b.retained.count(),
  wills: b.partitions.all.reduce((sum, { wills }) => sum + wills.size, 0),
  deadlines: b.deadlines.size + b.sessionEnds.size + b.willsDue.size,
  waiting: b.refused.size + b.slow.size + b.heldByJournal.size,
  credit: b.bank.free(),
  counts: { ...b.counts }
})

/** Adds a frame to what the pass sends to this connection. */
export const send = (b: BrokerState, c: Connection, buffer: Buffer, start: number, end: number): void => {
  let outbox = c.outbox
  if (outbox === undefined) {
    outbox = b.outboxes.pop() ?? new Outbox()
    c.outbox = outbox
    b.touched.push(c)
  }
  outbox.append(buffer, start, end)
}

/** Adds the frame that `writer` wrote last. */
export const sendWritten = (b: BrokerState, c: Connection, writer: Writer): void =>
  send(b, c, writer.buffer, writer.start, writer.offset)

/** Ends the pass: one write for each connection that has something to be sent. */
export const flush = (b: BrokerState): void => {
  for (const c of b.touched) flushConnection(b, c)
  b.touched = []
}

/** Writes what is in the connection's outbox at once. */
export const flushConnection = (b: BrokerState, c: Connection): void => {
  const outbox = c.outbox
  if (outbox === undefined) return
  c.outbox = undefined
  outbox.flush(c.socket)
  b.outboxes.push(outbox)
  if (!c.isCongested && c.socket.buffered() > b.limits.outboxBytes / 2) c.isCongested = true
}

/** Calls back, in a pass, when everything that was changed so far is durable. */
export const whenDurable = (b: BrokerState, call: () => void): void =>
  b.journal.append({ entries: [], charge: 0, committed: call })

/** Stops reading from a connection until `release` has been called as often. */
export const hold = (c: Connection): void => {
  c.holds++
  c.socket.pause()
}

/** Notes a line for the log, with the client's address. */
export const log = (
  b: BrokerState,
  level: LogLine["level"],
  message: string,
  c: Connection,
  details?: object
): void => {
  b.logs.push({
    level,
    message,
    annotations: {
      address: c.socket.remoteAddress,
      ...(c.clientId !== "" && { clientId: c.clientId }),
      ...details
    }
  })
}
