/**
 * A client that keeps its session by the book while its broker dies and comes back: the model client of the simulation
 * in a {@link RealWorld}. What then is lost, doubled or out of order is the broker's fault.
 */
import type { Socket } from "node:net"
import type { ConnAck, Disconnect, Packet, Publish } from "../../src/domain/packet/Packet.ts"
import type { Event } from "../../src/domain/simulation/History.ts"
import { ModelClient } from "../../src/domain/simulation/ModelClient.ts"
import { decode, nameOf } from "../../src/domain/simulation/Payload.ts"
import type { Online } from "../../src/domain/simulation/Plan.ts"
import { Inbox } from "../process/Inbox.ts"
import type { RealWorld } from "./RealWorld.ts"

/** The Protocol Level: 4 is MQTT 3.1.1. */
export type Version = 4 | 5

/** What a client is told to be beside its name. */
export type Options = Partial<Pick<Online, "cleanStart" | "expiry" | "will">>

/** A message for the application. */
export interface Received {
  readonly topic: string
  /** Which message it is: `publisher/m1`; `?`: one that no client of this world publishes. */
  readonly name: string
  readonly retain: boolean
  readonly dup: boolean
}

/** Seconds that a session of MQTT 5.0 outlives its connection, unless the options say otherwise. */
const sessionExpiryInterval = 600

export class PersistentClient {
  readonly name: string
  readonly received = new Inbox<Received>()
  /** The DISCONNECT packets that the broker has sent. */
  readonly disconnects: Array<Disconnect> = []
  /** Called with each message before it is acknowledged. */
  onMessage: (message: Received) => void = () => {}
  readonly #client: ModelClient
  readonly #options: Options
  #socket: Socket | undefined
  #connacks = new Inbox<ConnAck>()
  readonly #answers = new Inbox<Packet>()
  /** How many messages it was told to publish. */
  #published = 0
  /** Told when a message that was not sent yet is acknowledged, in order; and the same by packet identifier after that. */
  readonly #waiting: Array<() => void> = []
  readonly #underWay = new Map<number, () => void>()
  /** QoS 2 messages that were taken and whose PUBREL has not come. */
  readonly #unreleased = new Set<number>()

  constructor(world: RealWorld, version: Version, name: string, options: Options = {}) {
    this.name = name
    this.#options = version === 5 ? { expiry: sessionExpiryInterval, ...options } : options
    this.#client = new ModelClient(
      { name, version, keepAlive: 60, acknowledgeMillis: 0, actions: [] },
      world.of(name, { noted: (event) => this.#noted(event), dialed: (socket) => void (this.#socket = socket) })
    )
    world.clients.push(this)
  }

  #noted(event: Event): void {
    if (event._tag === "Received") this.#took(event.packet)
    // Without DUP it is sent for the first time, and messages are sent in the order in which they were published.
    if (event._tag === "Sent" && event.packet._tag === "Publish" && !event.packet.dup) {
      this.#underWay.set(event.packet.packetId, this.#waiting.shift()!)
    }
  }

  #took(packet: Packet): void {
    switch (packet._tag) {
      case "ConnAck":
        // A broker that has lost the session acknowledges nothing any more: the checkers name it.
        if (!packet.sessionPresent) for (const packetId of this.#underWay.keys()) this.#done(packetId)
        return this.#connacks.add(packet)
      case "Publish":
        return this.#deliver(packet)
      case "PubRel":
        return void this.#unreleased.delete(packet.packetId)
      case "PubRec":
        if (packet.reasonCode >= 0x80) this.#done(packet.packetId)
        return
      case "PubAck":
      case "PubComp":
        return this.#done(packet.packetId)
      case "SubAck":
      case "UnsubAck":
        return this.#answers.add(packet)
      case "Disconnect":
        return void this.disconnects.push(packet)
    }
  }

  #deliver({ topic, payload, qos, packetId, retain, dup }: Publish): void {
    if (qos === 2 && this.#unreleased.has(packetId)) return
    if (qos === 2) this.#unreleased.add(packetId)
    const id = decode(payload)
    const message = { topic, name: id === undefined ? "?" : nameOf(id), retain, dup }
    this.received.add(message)
    this.onMessage(message)
  }

  #done(packetId: number): void {
    this.#underWay.get(packetId)?.()
    this.#underWay.delete(packetId)
  }

  /** Connects, and stays connected from then on; returns the first CONNACK. */
  connect(): Promise<ConnAck> {
    this.#connacks = new Inbox()
    this.#client.perform({ _tag: "Online", at: 0, cleanStart: false, ...this.#options })
    return this.#connacks.next()
  }

  /**
   * Publishes; returns the message's name when the broker has acknowledged it for good, however many connections that
   * takes.
   */
  async publish(topic: string, qos: 1 | 2, retain = false): Promise<string> {
    const name = nameOf({ publisher: this.name, kind: "m", number: ++this.#published })
    await this.#publish(topic, qos, retain, 1)
    return name
  }

  /** Clears the retained message of a topic; returns when the broker has acknowledged it. */
  clear(topic: string, qos: 1 | 2): Promise<void> {
    return this.#publish(topic, qos, true, 0)
  }

  #publish(topic: string, qos: 1 | 2, retain: boolean, bytes: number): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
      this.#client.perform({ _tag: "Publish", at: 0, topic, qos, retain, bytes, alias: false })
    })
  }

  /** Subscribes; returns at the SUBACK. */
  async subscribe(filter: string, qos: 0 | 1 | 2): Promise<void> {
    const options = { noLocal: false, retainAsPublished: false, retainHandling: 0 } as const
    this.#client.perform({ _tag: "Subscribe", at: 0, filter, qos, ...options })
    await this.#answers.next()
  }

  /** Unsubscribes; returns at the UNSUBACK. */
  async unsubscribe(filter: string): Promise<void> {
    this.#client.perform({ _tag: "Unsubscribe", at: 0, filter })
    await this.#answers.next()
  }

  /** Says goodbye if it is connected, and stays away until `connect`. */
  async disconnect(): Promise<void> {
    this.#client.perform({ _tag: "Offline", at: 0, how: "disconnect" })
    await this.#closed()
  }

  /** Breaks the connection, and stays away until `connect`. */
  async drop(): Promise<void> {
    this.#client.perform({ _tag: "Offline", at: 0, how: "reset" })
    await this.#closed()
  }

  /** Returns when the broker has ended the connection; stays away from then on until `connect`. */
  async ended(): Promise<void> {
    await this.#closed()
    await this.drop()
  }

  async #closed(): Promise<void> {
    const socket = this.#socket
    if (socket === undefined || socket.closed) return
    await new Promise<void>((resolve) => void socket.once("close", () => resolve()))
  }
}
