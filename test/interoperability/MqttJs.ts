/** Clients of npm `mqtt` (MQTT.js), which keep what they receive until their test looks at it. */
import mqtt, { type IClientOptions, type IConnackPacket, type IPublishPacket, type MqttClient, type Packet } from "mqtt"
import type { BrokerProcess } from "../process/BrokerProcess.ts"
import { Inbox } from "../process/Inbox.ts"

/** The Protocol Level: 4 is MQTT 3.1.1. */
export type Version = 4 | 5

export type QoS = 0 | 1 | 2

/** A message as it was handed to the application. */
export interface Message {
  readonly topic: string
  readonly payload: string
  readonly bytes: Buffer
  readonly qos: QoS
  readonly retain: boolean
  readonly dup: boolean
  readonly properties: NonNullable<IPublishPacket["properties"]>
}

export class Client {
  readonly mqtt: MqttClient
  readonly messages = new Inbox<Message>()
  /** The CONNACK of each connection, the first one's too. */
  readonly connacks = new Inbox<IConnackPacket>()
  /** Every packet sent and received, in order. */
  readonly packets: Array<{ readonly direction: "sent" | "received"; readonly packet: Packet }> = []

  private constructor(client: MqttClient) {
    this.mqtt = client
    client.on("message", (topic, payload, { qos, retain, dup, properties = {} }) => {
      this.messages.add({ topic, payload: payload.toString(), bytes: payload, qos, retain, dup, properties })
    })
    client.on("connect", (connack) => this.connacks.add(connack))
    client.on("packetsend", (packet) => this.packets.push({ direction: "sent", packet }))
    client.on("packetreceive", (packet) => this.packets.push({ direction: "received", packet }))
    // An error ends the connection; what a test waits for does not come then.
    client.on("error", (error) => this.messages.end(error.message))
  }

  /** Connects; it does not reconnect unless told to. */
  static async connect(broker: BrokerProcess, version: Version, options: IClientOptions = {}): Promise<Client> {
    const client = new Client(mqtt.connect(broker.url, { protocolVersion: version, reconnectPeriod: 0, ...options }))
    await client.once("connect")
    return client
  }

  /** Waits for an event of MQTT.js; fails when the connection is closed instead. */
  once(event: "connect" | "close" | "packetreceive"): Promise<void> {
    return new Promise((resolve, reject) => {
      this.mqtt.once(event, () => resolve())
      this.mqtt.once("close", () => reject(new Error("the connection was closed")))
    })
  }

  /** Breaks the connection without a DISCONNECT. */
  drop(): void {
    this.mqtt.stream.destroy()
  }

  /** Says goodbye. */
  async end(): Promise<void> {
    await this.mqtt.endAsync()
  }

  /** The packets of this type that were sent, or received. */
  all<C extends Packet["cmd"]>(direction: "sent" | "received", cmd: C): ReadonlyArray<Extract<Packet, { cmd: C }>> {
    return this.packets.flatMap(({ direction: d, packet }) =>
      d === direction && packet.cmd === cmd ? [packet as Extract<Packet, { cmd: C }>] : []
    )
  }
}
