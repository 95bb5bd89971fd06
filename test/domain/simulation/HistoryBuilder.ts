/**
 * Histories written by hand, for the tests of the checkers. Times are milliseconds here.
 *
 *     const history = write()
 *       .at(0).connected("s").subscribed("s", "t")
 *       .at(10).connected("p").published("p", 1, { topic: "t" })
 *       .at(20).delivered("s", "p/m1", { topic: "t" })
 *       .at(90).phase("cleared").history()
 *
 * Each step acts on the client's latest connection. What is sent is taken by the broker at once, and answered at once
 * where the step's name says so, unless its options say otherwise.
 */
import type { Event, History } from "../../../src/domain/simulation/History.ts"
import { encode, type MessageId } from "../../../src/domain/simulation/Payload.ts"
import type { Fault } from "../../../src/domain/simulation/Plan.ts"
import type {
  Connect,
  ConnAck,
  Packet,
  ProtocolVersion,
  Publish,
  QoS,
  RetainHandling,
  SubAck,
  Will
} from "../../../src/domain/packet/Packet.ts"

export interface ConnectOptions {
  readonly broker?: string
  readonly version?: ProtocolVersion
  /** Default: true. */
  readonly cleanStart?: boolean
  /** Default: false. */
  readonly sessionPresent?: boolean
  /** Session Expiry Interval in seconds. */
  readonly expiry?: number
  readonly keepAlive?: number
  readonly will?: WillOptions
  readonly maximumPacketSize?: number
  readonly receiveMaximum?: number
  readonly topicAliasMaximum?: number
  /** False: the CONNACK never comes. */
  readonly answered?: boolean
  readonly connackCode?: ConnAck["reasonCode"]
  readonly connackProperties?: ConnAck["properties"]
  readonly taken?: boolean
}

export interface WillOptions {
  readonly topic: string
  readonly qos?: QoS
  readonly retain?: boolean
  readonly delay?: number
  readonly expiry?: number
}

export interface PublishOptions {
  readonly topic?: string
  /** Default: 1. */
  readonly qos?: QoS
  readonly retain?: boolean
  readonly dup?: boolean
  readonly expiry?: number
  readonly alias?: number
  /** Default: the number of the message. */
  readonly packetId?: number
  readonly bytes?: number
  /** False: no acknowledgement comes. A number: its reason code. Default: success. */
  readonly answered?: boolean | number
  /** False: it never reaches the broker. */
  readonly taken?: boolean
}

export interface DeliverOptions {
  readonly topic?: string
  /** Default: 1. */
  readonly qos?: QoS
  readonly retain?: boolean
  readonly dup?: boolean
  /** Remaining Message Expiry Interval in seconds. */
  readonly expiry?: number
  readonly identifiers?: ReadonlyArray<number>
  readonly alias?: number
  /** Default: 1. */
  readonly packetId?: number
  /** When the broker wrote it, in milliseconds. Default: now. */
  readonly written?: number
  /** False: the client does not acknowledge it. Default: PUBACK or PUBREC is sent. */
  readonly answered?: boolean
  /** False: the client's acknowledgement does not reach the broker. */
  readonly answerTaken?: boolean
  readonly bytes?: number
}

export interface SubscribeOptions {
  /** Default: 1. */
  readonly qos?: QoS
  readonly noLocal?: boolean
  readonly retainAsPublished?: boolean
  readonly retainHandling?: RetainHandling
  readonly identifier?: number
  /** False: no SUBACK comes. A number: its reason code. Default: the QoS. */
  readonly answered?: boolean | number
  readonly taken?: boolean
}

/** What a message is called: `p/m1`, `p/w3`. */
const idOf = (name: string): MessageId => {
  const [, publisher, kind, number] = /^(.+)\/([mw])(\d+)$/.exec(name)!
  return { publisher: publisher!, kind: kind as "m" | "w", number: Number(number) }
}

interface Latest {
  readonly connection: number
  sent: number
}

class HistoryBuilder {
  readonly #events: Array<Event> = []
  readonly #latest = new Map<string, Latest>()
  readonly #isOmniscient: boolean
  #now = 0
  #connections = 0
  #packetId = 30_000

  constructor(isOmniscient: boolean) {
    this.#isOmniscient = isOmniscient
  }

  /** What follows happens at this time, in milliseconds. */
  at(millis: number): this {
    this.#now = millis * 1000
    return this
  }

  event(event: Event): this {
    this.#events.push(event)
    return this
  }

  /** The number of the client's latest connection. */
  connectionOf(client: string): number {
    return this.#latest.get(client)!.connection
  }

  /** The client's latest connection sends a packet, which the broker takes at once unless `taken` is false. */
  sent(client: string, packet: Packet, taken = true): this {
    const latest = this.#latest.get(client)!
    const index = latest.sent++
    const { connection } = latest
    this.event({ _tag: "Sent", at: this.#now, connection, index, packet })
    if (taken && this.#isOmniscient) this.event({ _tag: "Taken", at: this.#now, connection, index })
    return this
  }

  /** The client's latest connection receives a packet, written now or at `written` milliseconds. */
  received(client: string, packet: Packet, written?: number): this {
    const { connection } = this.#latest.get(client)!
    const writtenAt = written === undefined ? this.#now : written * 1000
    return this.event({
      _tag: "Received",
      at: this.#now,
      connection,
      packet,
      ...(this.#isOmniscient && { writtenAt })
    })
  }

  /** Opens a connection, sends CONNECT and, unless `answered` is false, receives CONNACK. */
  connected(client: string, options: ConnectOptions = {}): this {
    const connection = this.#connections++
    const version = options.version ?? 5
    this.event({ _tag: "Opened", at: this.#now, connection, client, broker: options.broker ?? "broker-1", version })
    this.#latest.set(client, { connection, sent: 0 })
    const properties: Connect["properties"] = {
      ...(options.expiry !== undefined && { sessionExpiryInterval: options.expiry }),
      ...(options.maximumPacketSize !== undefined && { maximumPacketSize: options.maximumPacketSize }),
      ...(options.receiveMaximum !== undefined && { receiveMaximum: options.receiveMaximum }),
      ...(options.topicAliasMaximum !== undefined && { topicAliasMaximum: options.topicAliasMaximum })
    }
    const connect: Connect = {
      _tag: "Connect",
      protocolVersion: version,
      clientId: client,
      cleanStart: options.cleanStart ?? true,
      keepAlive: options.keepAlive ?? 0,
      ...(options.will !== undefined && { will: this.#will(client, connection, version, options.will) }),
      ...(version === 5 && { properties })
    }
    this.sent(client, connect, options.taken ?? true)
    if (options.answered === false) return this
    return this.received(client, {
      _tag: "ConnAck",
      sessionPresent: options.sessionPresent ?? false,
      reasonCode: options.connackCode ?? 0,
      ...(options.connackProperties !== undefined && { properties: options.connackProperties })
    })
  }

  /** Opens one more connection and sends nothing on it; what follows still acts on the one before. */
  reopened(client: string): this {
    const connection = this.#connections++
    return this.event({ _tag: "Opened", at: this.#now, connection, client, broker: "broker-1", version: 5 })
  }

  #will(client: string, connection: number, version: ProtocolVersion, options: WillOptions): Will {
    const properties = {
      ...(options.delay !== undefined && { willDelayInterval: options.delay }),
      ...(options.expiry !== undefined && { messageExpiryInterval: options.expiry })
    }
    return {
      topic: options.topic,
      payload: encode({ publisher: client, kind: "w", number: connection }, 0),
      qos: options.qos ?? 0,
      retain: options.retain ?? false,
      ...(version === 5 && { properties })
    }
  }

  /** Sends the client's message with this number. `clear` instead of a number: one with an empty payload. */
  published(client: string, number: number | "clear", options: PublishOptions = {}): this {
    const { qos = 1, topic = "t", retain = false, dup = false, expiry, alias, bytes = 0 } = options
    const packetId = qos === 0 ? 0 : (options.packetId ?? (number === "clear" ? ++this.#packetId : number))
    const packet: Publish = {
      _tag: "Publish",
      topic,
      payload: number === "clear" ? new Uint8Array(0) : encode({ publisher: client, kind: "m", number }, bytes),
      qos,
      retain,
      dup,
      packetId,
      ...((expiry !== undefined || alias !== undefined) && {
        properties: {
          ...(expiry !== undefined && { messageExpiryInterval: expiry }),
          ...(alias !== undefined && { topicAlias: alias })
        }
      })
    }
    this.sent(client, packet, options.taken ?? true)
    const { answered = true } = options
    if (qos === 0 || answered === false) return this
    return this.acknowledged(client, packetId, qos, answered === true ? 0 : answered)
  }

  /** Receives PUBACK or PUBREC. */
  acknowledged(client: string, packetId: number, qos: QoS = 1, reasonCode = 0): this {
    return this.received(client, {
      _tag: qos === 2 ? "PubRec" : "PubAck",
      packetId,
      reasonCode: reasonCode as 0
    })
  }

  /** Receives a message, `p/m1`, and acknowledges it; `clear`: one with an empty payload. */
  delivered(client: string, name: string, options: DeliverOptions = {}): this {
    const { qos = 1, topic = "t", retain = false, dup = false, expiry, identifiers, alias } = options
    const packetId = qos === 0 ? 0 : (options.packetId ?? 1)
    const hasProperties = expiry !== undefined || identifiers !== undefined || alias !== undefined
    const packet: Publish = {
      _tag: "Publish",
      topic,
      payload: name === "clear" ? new Uint8Array(0) : encode(idOf(name), options.bytes ?? 0),
      qos,
      retain,
      dup,
      packetId,
      ...(hasProperties && {
        properties: {
          ...(expiry !== undefined && { messageExpiryInterval: expiry }),
          ...(identifiers !== undefined && { subscriptionIdentifiers: identifiers }),
          ...(alias !== undefined && { topicAlias: alias })
        }
      })
    }
    this.received(client, packet, options.written)
    if (qos === 0 || options.answered === false) return this
    return this.sent(
      client,
      { _tag: qos === 2 ? "PubRec" : "PubAck", packetId, reasonCode: 0 },
      options.answerTaken ?? true
    )
  }

  /** The rest of a QoS 2 delivery: receives PUBREL, sends PUBCOMP. */
  released(client: string, packetId = 1): this {
    this.received(client, { _tag: "PubRel", packetId, reasonCode: 0 })
    return this.sent(client, { _tag: "PubComp", packetId, reasonCode: 0 })
  }

  subscribed(client: string, filter: string, options: SubscribeOptions = {}): this {
    const { qos = 1, noLocal = false, retainAsPublished = false, retainHandling = 0, identifier } = options
    const packetId = ++this.#packetId
    this.sent(
      client,
      {
        _tag: "Subscribe",
        packetId,
        subscriptions: [{ filter, qos, noLocal, retainAsPublished, retainHandling }],
        ...(identifier !== undefined && { properties: { subscriptionIdentifier: identifier } })
      },
      options.taken ?? true
    )
    const { answered = true } = options
    if (answered === false) return this
    const code = (answered === true ? qos : answered) as SubAck["reasonCodes"][number]
    return this.received(client, { _tag: "SubAck", packetId, reasonCodes: [code] })
  }

  unsubscribed(
    client: string,
    filter: string,
    options: { readonly answered?: boolean; readonly taken?: boolean } = {}
  ) {
    const packetId = ++this.#packetId
    this.sent(client, { _tag: "Unsubscribe", packetId, filters: [filter] }, options.taken ?? true)
    if (options.answered === false) return this
    return this.received(client, { _tag: "UnsubAck", packetId, reasonCodes: [0] })
  }

  closed(client: string, by: "client" | "broker" | "reset" | "silence" = "reset"): this {
    return this.event({ _tag: "Closed", at: this.#now, connection: this.connectionOf(client), by })
  }

  /** Sends DISCONNECT and closes. */
  disconnected(
    client: string,
    options: { readonly reasonCode?: 0 | 4; readonly expiry?: number; readonly taken?: boolean } = {}
  ): this {
    const { reasonCode = 0, expiry } = options
    this.sent(
      client,
      {
        _tag: "Disconnect",
        reasonCode,
        ...(expiry !== undefined && { properties: { sessionExpiryInterval: expiry } })
      },
      options.taken ?? true
    )
    return this.closed(client, "client")
  }

  phase(phase: "chaos" | "healed" | "cleared"): this {
    return this.event({ _tag: "Phase", at: this.#now, phase })
  }

  started(broker = "broker-1", queueMessages = 100_000): this {
    this.event({ _tag: "Started", at: this.#now, broker, queueMessages })
    return this.event({ _tag: "Ready", at: this.#now, broker })
  }

  ended(broker = "broker-1", how: "kill" | "power" | "stopped" | "failed" = "kill"): this {
    return this.event({ _tag: "Ended", at: this.#now, broker, how })
  }

  jumped(millis: number, broker = "broker-1"): this {
    return this.event({ _tag: "ClockJumped", at: this.#now, broker, millis })
  }

  struck(fault: Fault): this {
    return this.event({ _tag: "Struck", at: this.#now, fault })
  }

  lifted(fault: Fault): this {
    return this.event({ _tag: "Lifted", at: this.#now, fault })
  }

  history(): History {
    return this.#events.toSorted((a, b) => a.at - b.at)
  }
}

/** Begins a history of a simulated run: it knows what the broker took, and when it wrote. */
export const write = (): HistoryBuilder => new HistoryBuilder(true)

/** Begins a history of real processes: it knows only what clients sent and received. */
export const writeReal = (): HistoryBuilder => new HistoryBuilder(false)
