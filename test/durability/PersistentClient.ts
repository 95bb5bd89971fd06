/**
 * A client that keeps its session by the book (sections 4.1, 4.3 and 4.4) while its broker dies and comes back: it
 * reconnects by itself, resends what is unacknowledged in the original order and with DUP, and takes a QoS 2 message
 * once. What then is lost, doubled or out of order is the broker's fault.
 */
import { connect, type Socket } from "node:net"
import * as Decoder from "../../src/domain/packet/Decoder.ts"
import { encode } from "../../src/domain/packet/Encoder.ts"
import type { Connect, ConnAck, Disconnect, Packet, Publish } from "../../src/domain/packet/Packet.ts"
import { ProtocolError } from "../../src/domain/packet/ProtocolError.ts"
import type { BrokerProcess } from "../process/BrokerProcess.ts"
import { Inbox } from "../process/Inbox.ts"

/** The Protocol Level: 4 is MQTT 3.1.1. */
export type Version = 4 | 5

/** What a client is told to be beside its name. */
export type Options = Partial<Pick<Connect, "cleanStart" | "will" | "properties">>

/** A PUBLISH that the broker has not acknowledged, or of QoS 2 one that it has not forgotten. */
interface Outgoing {
  readonly publish: Publish
  stage: "publish" | "release"
  /** How often the PUBLISH was sent. */
  sent: number
  readonly acknowledged: () => void
}

/** A message for the application. */
export interface Received {
  readonly topic: string
  readonly payload: string
  readonly qos: number
  readonly retain: boolean
  readonly dup: boolean
}

/** Milliseconds until a broker that refuses connections is tried again. */
const retryAfter = 20

/** Seconds that a session of MQTT 5.0 outlives its connection, unless the options say otherwise. */
const sessionExpiryInterval = 600

export class PersistentClient {
  readonly clientId: string
  readonly received = new Inbox<Received>()
  readonly connacks = new Inbox<ConnAck>()
  /** The DISCONNECT packets that the broker has sent. */
  readonly disconnects: Array<Disconnect> = []
  /** What the broker did that no broker may do. */
  readonly faults: Array<string> = []
  /** Called with each message before it is acknowledged. */
  onMessage: (message: Received) => void = () => {}
  readonly #broker: BrokerProcess
  readonly #version: Version
  readonly #options: Options
  readonly #outgoing = new Map<number, Outgoing>()
  /** QoS 2 messages that were taken and whose PUBREL has not come. */
  readonly #taken = new Set<number>()
  /** By payload: how often it was sent to the broker. */
  readonly #timesSent = new Map<string, number>()
  readonly #answers = new Map<number, (packet: Packet) => void>()
  #lastId = 0
  #socket: Socket | undefined
  #isOpen = false
  #hasSession = false
  #isWanted = true

  constructor(broker: BrokerProcess, version: Version, clientId: string, options: Options = {}) {
    this.#broker = broker
    this.#version = version
    this.clientId = clientId
    this.#options = options
  }

  /** Connects, and stays connected from then on; returns the first CONNACK. */
  async connect(): Promise<ConnAck> {
    this.#isWanted = true
    this.#dial()
    return this.connacks.next()
  }

  #dial(): void {
    const decoder = Decoder.make({ role: "client", version: this.#version, maximumPacketSize: 2 ** 28 })
    const socket = connect(this.#broker.port, this.#broker.host)
    this.#socket = socket
    socket.setNoDelay(true)
    socket.once("connect", () => {
      this.#send({
        _tag: "Connect",
        protocolVersion: this.#version,
        clientId: this.clientId,
        cleanStart: false,
        keepAlive: 60,
        ...(this.#version === 5 && { properties: { sessionExpiryInterval } }),
        ...this.#options
      })
    })
    socket.on("data", (bytes) => {
      decoder.push(bytes)
      for (let packet = decoder.next(); packet !== undefined; packet = decoder.next()) {
        if (packet instanceof ProtocolError) {
          this.faults.push(`a malformed packet: ${packet.message}`)
          socket.destroy()
          return
        }
        this.#handle(packet)
      }
    })
    // "close" follows.
    socket.on("error", () => {})
    socket.once("close", () => {
      this.#isOpen = false
      if (this.#isWanted) setTimeout(() => this.#isWanted && this.#dial(), retryAfter)
    })
  }

  #send(packet: Packet): void {
    this.#socket!.write(encode(packet, this.#version))
  }

  #handle(packet: Packet): void {
    switch (packet._tag) {
      case "ConnAck":
        return this.#connected(packet)
      case "Publish":
        return this.#take(packet)
      case "PubAck":
      case "PubRec":
      case "PubComp":
        return this.#advance(packet._tag, packet.packetId, packet.reasonCode)
      case "PubRel":
        this.#taken.delete(packet.packetId)
        return this.#send({ _tag: "PubComp", packetId: packet.packetId, reasonCode: 0 })
      case "SubAck":
      case "UnsubAck":
        this.#answers.get(packet.packetId)?.(packet)
        this.#answers.delete(packet.packetId)
        return
      case "Disconnect":
        this.disconnects.push(packet)
        return
      default:
        this.faults.push(`an unexpected ${packet._tag}`)
    }
  }

  #connected(connack: ConnAck): void {
    if (connack.reasonCode !== 0) this.faults.push(`refused with ${connack.reasonCode}`)
    if (this.#hasSession && !connack.sessionPresent) this.faults.push("the broker has lost the session")
    this.#hasSession = true
    this.#isOpen = true
    for (const outgoing of this.#outgoing.values()) this.#transmit(outgoing)
    this.connacks.add(connack)
  }

  #transmit(outgoing: Outgoing): void {
    const { publish, stage } = outgoing
    if (stage === "release") {
      this.#send({ _tag: "PubRel", packetId: publish.packetId, reasonCode: 0 })
      return
    }
    const payload = text(publish)
    this.#timesSent.set(payload, this.timesSent(payload) + 1)
    this.#send({ ...publish, dup: outgoing.sent > 0 })
    outgoing.sent++
  }

  #take(publish: Publish): void {
    const { topic, qos, retain, dup, packetId } = publish
    const isRepeated = qos === 2 && this.#taken.has(packetId)
    if (isRepeated && !dup) this.faults.push(`${text(publish)} was sent again without DUP [MQTT-3.3.1-1]`)
    if (!isRepeated) {
      const message = { topic, payload: text(publish), qos, retain, dup }
      this.received.add(message)
      this.onMessage(message)
    }
    if (qos === 1) this.#send({ _tag: "PubAck", packetId, reasonCode: 0 })
    if (qos === 2) {
      this.#taken.add(packetId)
      this.#send({ _tag: "PubRec", packetId, reasonCode: 0 })
    }
  }

  #advance(tag: "PubAck" | "PubRec" | "PubComp", packetId: number, reasonCode: number): void {
    const outgoing = this.#outgoing.get(packetId)
    if (outgoing === undefined || reasonCode >= 0x80) {
      this.faults.push(`${tag} of ${packetId} with reason ${reasonCode}`)
      return
    }
    if (tag === "PubRec") {
      outgoing.stage = "release"
      this.#transmit(outgoing)
      return
    }
    this.#outgoing.delete(packetId)
    outgoing.acknowledged()
  }

  #nextId(): number {
    this.#lastId = (this.#lastId % 0xffff) + 1
    return this.#lastId
  }

  /** Publishes; returns when the broker has acknowledged it for good, however many connections that takes. */
  publish(topic: string, payload: string, qos: 1 | 2, retain = false): Promise<void> {
    return new Promise((acknowledged) => {
      const packetId = this.#nextId()
      const bytes = Buffer.from(payload)
      const outgoing: Outgoing = {
        publish: { _tag: "Publish", topic, payload: bytes, qos, retain, dup: false, packetId },
        stage: "publish",
        sent: 0,
        acknowledged
      }
      this.#outgoing.set(packetId, outgoing)
      if (this.#isOpen) this.#transmit(outgoing)
    })
  }

  /** How often the PUBLISH with this payload was sent to the broker. */
  timesSent(payload: string): number {
    return this.#timesSent.get(payload) ?? 0
  }

  /** Subscribes; returns at the SUBACK. */
  async subscribe(filter: string, qos: 0 | 1 | 2): Promise<void> {
    const packetId = this.#nextId()
    const subscription = { filter, qos, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const
    this.#send({ _tag: "Subscribe", packetId, subscriptions: [subscription] })
    await new Promise((resolve) => this.#answers.set(packetId, resolve))
  }

  /** Unsubscribes; returns at the UNSUBACK. */
  async unsubscribe(filter: string): Promise<void> {
    const packetId = this.#nextId()
    this.#send({ _tag: "Unsubscribe", packetId, filters: [filter] })
    await new Promise((resolve) => this.#answers.set(packetId, resolve))
  }

  /** Says goodbye, and stays away until `connect`. */
  async disconnect(): Promise<void> {
    this.#isWanted = false
    this.#send({ _tag: "Disconnect", reasonCode: 0 })
    await this.#closed()
  }

  /** Breaks the connection, and stays away until `connect`. */
  async drop(): Promise<void> {
    this.#isWanted = false
    this.#socket!.destroy()
    await this.#closed()
  }

  /** Does not reconnect when the connection ends; returns when it has. */
  async ended(): Promise<void> {
    this.#isWanted = false
    await this.#closed()
  }

  async #closed(): Promise<void> {
    const socket = this.#socket!
    if (!socket.closed) await new Promise<void>((resolve) => void socket.once("close", () => resolve()))
  }
}

const text = ({ payload }: Publish): string => Buffer.from(payload).toString()
