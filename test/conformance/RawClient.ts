/**
 * A client that sends whatever it is told, byte for byte, and decodes what comes back with `mqtt-packet`, a codec that
 * shares nothing with the broker's.
 *
 * Every packet of the server is also held against the rules that bind a server at all times (`checkAlways`), so each
 * test of the suite exercises them. Nothing here sleeps: a wait ends with a packet, with the end of the connection, or
 * with an error at its deadline.
 */
import { once } from "node:events"
import { connect, type Socket } from "node:net"
import { generate, parser, type Packet, type PacketCmd } from "mqtt-packet"
import { assert } from "vitest"
import type { Target } from "./Target.ts"
import { variableByteInteger } from "./Bytes.ts"

/** The Protocol Level of the connection: 4 is MQTT 3.1.1. */
export type Version = 4 | 5

/** A packet of the given type, as `mqtt-packet` has it. */
export type PacketOf<C extends PacketCmd> = Extract<Packet, { cmd: C }>
export type Connect = PacketOf<"connect">
export type Publish = PacketOf<"publish">
export type Subscription = PacketOf<"subscribe">["subscriptions"][number]
export type QoS = Publish["qos"]

/** What a message shall be; what is not given is not looked at. */
export interface Message {
  readonly topic?: string
  readonly payload?: string
  readonly qos?: QoS
  readonly retain?: boolean
  readonly dup?: boolean
}

/** A packet to publish; QoS 0, not retained, without payload unless told otherwise. */
export interface Publication extends Message {
  readonly topic: string
  readonly messageId?: number
  readonly properties?: NonNullable<Publish["properties"]>
}

/** Packets that a server may send (table 2-1). */
const fromServer: ReadonlyArray<string> = [
  "connack",
  "publish",
  "puback",
  "pubrec",
  "pubrel",
  "pubcomp",
  "suback",
  "unsuback",
  "pingresp",
  "disconnect",
  "auth"
]

interface Received {
  readonly bytes: Buffer
  readonly packet: Packet
}

const decode = (version: Version, bytes: Buffer): Packet => {
  // A parser that has read a CONNECT would know the version from it; `opts` stands in for that.
  const decoder = parser({ protocolVersion: version })
  let found: Packet | undefined
  decoder.on("packet", (packet) => {
    found ??= packet
  })
  decoder.on("error", (cause: unknown) => {
    throw new Error(`the server sent a malformed packet: ${bytes.toString("hex")}`, { cause })
  })
  decoder.parse(bytes)
  if (found === undefined) throw new Error(`the server sent no whole packet: ${bytes.toString("hex")}`)
  return found
}

const show = (packet: Packet): string =>
  JSON.stringify(packet, (_, value: unknown) =>
    typeof value === "object" && value !== null && "type" in value && value.type === "Buffer" && "data" in value
      ? Buffer.from(value.data as Array<number>).toString("latin1")
      : value
  )

/** One connection to the broker under test. */
export class RawClient {
  readonly version: Version
  /** Milliseconds until a wait fails. */
  patience = 5_000
  /** The CONNECT that was sent with `connect`; without one the limits of a client are the defaults. */
  #connect: Connect | undefined
  readonly #socket: Socket
  #rest: Buffer = Buffer.alloc(0)
  #inbox: Array<Received> = []
  #seen: Array<string> = []
  #aliases = new Map<number, string>()
  #fault: unknown
  #closed = false
  #wake: () => void = () => {}
  #lastId = 0
  #lastSent: Buffer = Buffer.alloc(0)

  private constructor(socket: Socket, version: Version) {
    this.version = version
    this.#socket = socket
    socket.setNoDelay(true)
    socket.on("data", (chunk) => this.#receive(chunk))
    // A reset is an end like any other: the server need not read what is still on its way.
    socket.on("error", () => {})
    socket.on("close", () => {
      this.#closed = true
      this.#wake()
    })
  }

  /** Opens a network connection and sends nothing. */
  static async open(target: Target, version: Version): Promise<RawClient> {
    const socket = connect(target.port, target.host)
    await once(socket, "connect")
    return new RawClient(socket, version)
  }

  #receive(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk])
    try {
      for (let frame = this.#frame(); frame !== undefined; frame = this.#frame()) {
        const packet = decode(this.version, frame)
        this.#checkAlways(packet, frame)
        this.#seen.push(packet.cmd)
        this.#inbox.push({ bytes: frame, packet })
      }
    } catch (fault) {
      this.#fault ??= fault
    }
    this.#wake()
  }

  /** Cuts the next whole packet from what has arrived. */
  #frame(): Buffer | undefined {
    let length = 0
    for (let i = 1; i < this.#rest.length; i++) {
      const digit = this.#rest[i]!
      length += (digit & 0x7f) * 128 ** (i - 1)
      if (digit >= 0x80) continue
      assert.strictEqual(i, variableByteInteger(length).length, "Remaining Length in the fewest bytes [MQTT-1.5.5-1]")
      const end = i + 1 + length
      if (this.#rest.length < end) return undefined
      const frame = this.#rest.subarray(0, end)
      this.#rest = this.#rest.subarray(end)
      return frame
    }
    return undefined
  }

  /** What holds of every packet of a server, whatever the test is about. */
  #checkAlways(packet: Packet, bytes: Buffer): void {
    const options = this.#connect?.properties
    assert.include(fromServer, packet.cmd, "a packet that a server may send")
    if (this.#seen.length === 0) {
      assert.include(["connack", "auth"], packet.cmd, "the first packet [MQTT-3.2.0-1]")
    } else {
      assert.notStrictEqual(packet.cmd, "connack", "one CONNACK a connection [MQTT-3.2.0-2]")
    }
    assert.notInclude(this.#seen, "disconnect", "nothing follows a DISCONNECT [MQTT-3.14.4-1]")
    assert.isAtMost(bytes.length, options?.maximumPacketSize ?? Infinity, "Maximum Packet Size [MQTT-3.1.2-24]")
    if (packet.cmd === "publish") this.#checkPublish(packet)
    if (this.version === 4) {
      assert.notInclude(["disconnect", "auth"], packet.cmd, "not a server's packet in MQTT 3.1.1")
      return
    }
    if (packet.cmd === "auth") {
      assert.isDefined(options?.authenticationMethod, "AUTH without an Authentication Method [MQTT-4.12.0-6]")
    }
    if (packet.cmd === "disconnect") {
      assert.isUndefined(packet.properties?.sessionExpiryInterval, "Session Expiry Interval [MQTT-3.14.2-2]")
    }
    if (options?.requestProblemInformation === false && !["publish", "connack", "disconnect"].includes(packet.cmd)) {
      assert.isFalse("properties" in packet && packet.properties !== undefined, "no reasons asked [MQTT-3.1.2-29]")
    }
  }

  #checkPublish(publish: Publish): void {
    assert.isFalse(publish.qos === 0 && publish.dup, "DUP at QoS 0 [MQTT-3.3.1-2]")
    if (publish.qos > 0) assert.isAbove(publish.messageId ?? 0, 0, "a Packet Identifier above 0 [MQTT-2.2.1-4]")
    const alias = publish.properties?.topicAlias
    if (alias !== undefined) {
      assert.isAbove(alias, 0, "Topic Alias [MQTT-3.3.2-8]")
      assert.isAtMost(alias, this.#connect?.properties?.topicAliasMaximum ?? 0, "Topic Alias [MQTT-3.1.2-26]")
      if (publish.topic === "") publish.topic = this.#aliases.get(alias) ?? ""
      else this.#aliases.set(alias, publish.topic)
    }
    assert.match(publish.topic, /^[^+#]+$/, "a Topic Name [MQTT-3.3.2-2]")
  }

  /** Sends packets, and bytes as they are, in one write. */
  send(...parts: ReadonlyArray<Packet | Buffer>): void {
    this.#lastSent = Buffer.concat(
      parts.map((part) => (Buffer.isBuffer(part) ? part : generate(part, { protocolVersion: this.version })))
    )
    this.#socket.write(this.#lastSent)
  }

  /** What to say of a failure: the last that was sent says which case of a test it was. */
  #failure(expected: string, got: string): Error {
    const sent = this.#lastSent.subarray(0, 80).toString("hex")
    return new Error(`expected ${expected}, but ${got}, after ${sent}`)
  }

  /** Breaks the connection without a DISCONNECT, as a network that fails would. */
  drop(): void {
    this.#socket.destroy()
  }

  /** Sends the last of the client's bytes and half-closes the connection. */
  end(): void {
    this.#socket.end()
  }

  /** Waits until the inbox holds a packet that fits, or there can be none any more. */
  async #await(fits: (received: Received) => boolean): Promise<Received | undefined> {
    const deadline = performance.now() + this.patience
    for (;;) {
      if (this.#fault !== undefined) throw this.#fault
      const at = this.#inbox.findIndex(fits)
      if (at >= 0) return this.#inbox.splice(at, 1)[0]
      if (this.#closed) return undefined
      const left = deadline - performance.now()
      if (left <= 0) {
        const held = this.#inbox.map(({ packet }) => show(packet)).join(", ")
        throw this.#failure("something", `nothing came within ${this.patience} ms; held: [${held}]`)
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }

  /** The next packet whatever it is, or nothing if the connection ended first. */
  async next(): Promise<Packet | undefined> {
    return (await this.#await(() => true))?.packet
  }

  /** The next packet, which must be of this type; `bytes` has it as it was on the wire. */
  async expectWithBytes<C extends PacketCmd>(cmd: C): Promise<{ packet: PacketOf<C>; bytes: Buffer }> {
    const received = await this.#await(() => true)
    if (received === undefined) throw this.#failure(cmd, "the server closed the connection")
    if (received.packet.cmd !== cmd) throw this.#failure(cmd, `there came ${show(received.packet)}`)
    return { packet: received.packet as PacketOf<C>, bytes: received.bytes }
  }

  /** The next packet, which must be of this type. */
  async expect<C extends PacketCmd>(cmd: C): Promise<PacketOf<C>> {
    return (await this.expectWithBytes(cmd)).packet
  }

  /** The next packet of this type and identifier; what came before it stays. */
  async take<C extends PacketCmd>(cmd: C, messageId?: number): Promise<PacketOf<C>> {
    const received = await this.#await(
      ({ packet }) => packet.cmd === cmd && (messageId === undefined || packet.messageId === messageId)
    )
    if (received === undefined) throw this.#failure(cmd, "the server closed the connection")
    return received.packet as PacketOf<C>
  }

  /** The end of the connection, with no packet before it. */
  async expectClosed(): Promise<void> {
    const received = await this.#await(() => true)
    if (received !== undefined) throw this.#failure("the end", `there came ${show(received.packet)}`)
  }

  /** The end of the connection, whatever comes before it. */
  async ended(): Promise<void> {
    await this.#await(() => false)
  }

  /** The end of the connection for a reason: announced in MQTT 5.0 by a DISCONNECT with one of these reason codes. */
  async expectDisconnect(...reasonCodes: ReadonlyArray<number>): Promise<void> {
    if (this.version === 5) {
      const { reasonCode } = await this.expect("disconnect")
      assert.include(reasonCodes, reasonCode, `DISCONNECT after ${this.#lastSent.toString("hex")}`)
    }
    await this.expectClosed()
  }

  /** A CONNECT refused: in MQTT 5.0 by a CONNACK with one of these reason codes, in 3.1.1 by nothing but the end. */
  async expectRefused(...reasonCodes: ReadonlyArray<number>): Promise<void> {
    if (this.version === 5) {
      const { reasonCode, sessionPresent } = await this.expect("connack")
      assert.include(reasonCodes, reasonCode, `CONNACK after ${this.#lastSent.toString("hex")}`)
      assert.isFalse(sessionPresent, "Session Present [MQTT-3.2.2-6]")
    }
    await this.expectClosed()
  }

  /** That the server has nothing to say: the answer to a PINGREQ comes next. */
  async expectNothing(): Promise<void> {
    this.send({ cmd: "pingreq" })
    await this.expect("pingresp")
  }

  /** Sends this CONNECT and returns the CONNACK. */
  async connect(packet: Omit<Connect, "cmd" | "protocolVersion" | "protocolId">): Promise<PacketOf<"connack">> {
    this.#connect = { ...packet, cmd: "connect", protocolId: "MQTT", protocolVersion: this.version }
    this.send(this.#connect)
    return this.expect("connack")
  }

  /** A packet identifier that this client has not used yet. */
  nextId(): number {
    return ++this.#lastId
  }

  /** Subscribes and returns the codes of the SUBACK. */
  async subscribe(
    subscriptions: string | Subscription | ReadonlyArray<Subscription>,
    properties?: NonNullable<PacketOf<"subscribe">["properties"]>
  ): Promise<ReadonlyArray<number>> {
    const messageId = this.nextId()
    const list =
      typeof subscriptions === "string" ? [{ topic: subscriptions, qos: 2 as const }] : [subscriptions].flat()
    this.send({
      cmd: "subscribe",
      messageId,
      subscriptions: list as Array<Subscription>,
      ...(properties === undefined ? {} : { properties })
    })
    const suback = await this.expect("suback")
    assert.strictEqual(suback.messageId, messageId)
    return suback.granted as Array<number>
  }

  /** Unsubscribes and returns the codes of the UNSUBACK: none in MQTT 3.1.1. */
  async unsubscribe(...filters: ReadonlyArray<string>): Promise<ReadonlyArray<number>> {
    const messageId = this.nextId()
    this.send({ cmd: "unsubscribe", messageId, unsubscriptions: [...filters] })
    const unsuback = await this.take("unsuback")
    assert.strictEqual(unsuback.messageId, messageId)
    return unsuback.granted ?? []
  }

  /** Sends a PUBLISH and nothing more; returns its packet identifier, 0 at QoS 0. */
  sendPublish(publication: Publication): number {
    const { payload = "", qos = 0, retain = false, dup = false, topic, properties } = publication
    const messageId = qos === 0 ? 0 : (publication.messageId ?? this.nextId())
    this.send({
      cmd: "publish",
      topic,
      payload,
      qos,
      retain,
      dup,
      ...(qos === 0 ? {} : { messageId }),
      ...(properties === undefined ? {} : { properties })
    })
    return messageId
  }

  /**
   * Publishes and goes through the whole exchange; returns the reason code of the PUBACK or PUBREC. When it returns,
   * the server has taken the message, also at QoS 0: a PINGREQ after it has been answered.
   */
  async publish(publication: Publication): Promise<number> {
    const messageId = this.sendPublish(publication)
    switch (publication.qos ?? 0) {
      case 0: {
        this.send({ cmd: "pingreq" })
        await this.take("pingresp")
        return 0
      }
      case 1:
        return (await this.take("puback", messageId)).reasonCode ?? 0
      case 2: {
        const { reasonCode = 0 } = await this.take("pubrec", messageId)
        if (reasonCode >= 0x80) return reasonCode
        this.send({ cmd: "pubrel", messageId })
        await this.take("pubcomp", messageId)
        return reasonCode
      }
    }
  }

  /** The next packet, which must be a PUBLISH like this one. It is not acknowledged. */
  async expectPublish(message: Message = {}): Promise<Publish> {
    const publish = await this.expect("publish")
    const fields = { ...publish, payload: publish.payload.toString() }
    for (const key of Object.keys(message) as Array<keyof Message>) assert.strictEqual(fields[key], message[key], key)
    return publish
  }

  /** The same, and acknowledges it as its QoS wants. */
  async expectMessage(message: Message = {}): Promise<Publish> {
    const publish = await this.expectPublish(message)
    await this.acknowledge(publish)
    return publish
  }

  /** Acknowledges a PUBLISH as its QoS wants. */
  async acknowledge({ qos, messageId = 0 }: Publish): Promise<void> {
    if (qos === 1) this.send({ cmd: "puback", messageId })
    if (qos === 2) {
      this.send({ cmd: "pubrec", messageId })
      await this.take("pubrel", messageId)
      this.send({ cmd: "pubcomp", messageId })
    }
  }

  /** All messages up to the one with this payload, acknowledged; the payloads in order, without the last. */
  async messagesUntil(payload: string): Promise<ReadonlyArray<Publish>> {
    const before: Array<Publish> = []
    for (;;) {
      const publish = await this.take("publish")
      await this.acknowledge(publish)
      if (publish.payload.toString() === payload) return before
      before.push(publish)
    }
  }

  /** Sends a DISCONNECT and waits until the server has closed the connection. */
  async disconnect(reasonCode = 0, properties?: NonNullable<PacketOf<"disconnect">["properties"]>): Promise<void> {
    this.send({ cmd: "disconnect", reasonCode, ...(properties === undefined ? {} : { properties }) })
    await this.expectClosed()
  }
}
