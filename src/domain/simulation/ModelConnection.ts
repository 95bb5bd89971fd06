/**
 * One connection of a model client: packets to bytes and back, what of them goes into the history, and the patience
 * with a broker that says nothing.
 */
import * as Decoder from "../packet/Decoder.ts"
import { encode } from "../packet/Encoder.ts"
import type { Packet, ProtocolVersion } from "../packet/Packet.ts"
import { ProtocolError } from "../packet/ProtocolError.ts"
import type { Closed } from "./History.ts"
import type { Link, World } from "./World.ts"

const second = 1_000_000

/** Microseconds that a client without keep alive waits for an answer before it gives the connection up. */
const patienceWithoutKeepAlive = 30 * second

/** Microseconds that the broker has to close a connection that it has ended by a packet. */
const patienceWithEnding = 2 * second

/** The largest packet of MQTT: 268,435,460 bytes (section 2.1.4). */
const largestPacket = 268_435_460

/** Whose connection it is, and whom it tells. */
export interface Owner {
  readonly client: string
  readonly version: ProtocolVersion
  readonly maximumPacketSize: number | undefined
  /** A packet that has come, unless the connection is superseded. */
  readonly received: (connection: ModelConnection, packet: Packet) => void
  /** The connection is over, whoever ended it. */
  readonly over: (connection: ModelConnection) => void
  /** Whether the client waits for an answer, beside that to a PINGREQ. */
  readonly isAwaiting: () => boolean
}

/** How a client ends a connection. */
export type Ending = "close" | "reset" | "vanish"

export class ModelConnection {
  readonly number: number
  /** `connecting`: without CONNACK yet; `ending`: the broker has ended it by a packet, nothing is sent any more. */
  phase: "connecting" | "open" | "ending" | "over" = "connecting"
  /** Another connection of the client has followed: what comes is noted, nothing is answered. */
  isSuperseded = false
  readonly #world: World
  readonly #link: Link
  readonly #owner: Owner
  readonly #decoder: Decoder.Decoder
  /** Where each packet that was sent ends in the stream of bytes. */
  readonly #ends: Array<number> = []
  #sentBytes = 0
  #takenPackets = 0
  #pings = 0
  #isStalled = false
  #sentAt: number
  /** Since when nothing has come that the client waits for. */
  #quietSince: number

  /** A connection that has just been opened. */
  constructor(world: World, link: Link, owner: Owner) {
    this.#world = world
    this.#link = link
    this.#owner = owner
    this.number = world.nextConnection()
    const { client, version, maximumPacketSize = largestPacket } = owner
    this.#decoder = Decoder.make({ role: "client", version, maximumPacketSize })
    this.#sentAt = world.now()
    this.#quietSince = world.now()
    const { broker } = link
    world.note({ _tag: "Opened", at: world.now(), connection: this.number, client, broker, version })
  }

  /** Sends a packet. */
  send(packet: Packet): void {
    const bytes = encode(packet, this.#owner.version)
    const at = this.#world.now()
    this.#world.note({ _tag: "Sent", at, connection: this.number, index: this.#ends.length, packet })
    this.#sentBytes += bytes.length
    this.#ends.push(this.#sentBytes)
    this.#sentAt = at
    this.#link.write(bytes)
  }

  /** Asks for a sign of life. */
  ping(): void {
    this.#pings++
    this.send({ _tag: "PingReq" })
  }

  /** Whether a PINGREQ has no answer yet. */
  get isPinging(): boolean {
    return this.#pings > 0
  }

  /** Reads nothing until `unstall`. */
  stall(): void {
    this.#isStalled = true
    this.#link.stall()
  }

  /** Reads again. */
  unstall(): void {
    if (!this.#isStalled) return
    this.#isStalled = false
    this.#quietSince = this.#world.now()
    this.#link.unstall()
  }

  /** Bytes have come. */
  data(bytes: Uint8Array, writtenAt: number | undefined): void {
    if (this.phase === "over") return
    this.#quietSince = this.#world.now()
    this.#decoder.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length))
    for (let packet = this.#decoder.next(); packet !== undefined; packet = this.#decoder.next()) {
      if (packet instanceof ProtocolError) return this.#refuse(packet)
      const at = this.#world.now()
      const when = writtenAt === undefined ? {} : { writtenAt }
      this.#world.note({ _tag: "Received", at, connection: this.number, packet, ...when })
      if (packet._tag === "PingResp") this.#pings = Math.max(0, this.#pings - 1)
      if (!this.isSuperseded && this.phase !== "ending") this.#owner.received(this, packet)
      if (this.isOver) return
    }
  }

  /** The broker's process was handed that many bytes in all, perhaps after the client's end of the connection. */
  taken(bytes: number): void {
    while (this.#takenPackets < this.#ends.length && this.#ends[this.#takenPackets]! <= bytes) {
      const index = this.#takenPackets++
      this.#world.note({ _tag: "Taken", at: this.#world.now(), connection: this.number, index })
    }
  }

  /** Whether the connection has ended. */
  get isOver(): boolean {
    return this.phase === "over"
  }

  /** The connection has ended, or is ended by the client. */
  closed(by: Closed["by"], ending?: Ending): void {
    if (this.isOver) return
    this.phase = "over"
    if (ending !== undefined) this.#link[ending]()
    this.#world.note({ _tag: "Closed", at: this.#world.now(), connection: this.number, by })
    this.#owner.over(this)
  }

  /** The broker has ended the connection by a packet: waits for it to close (section 4.13). */
  awaitEnd(): void {
    this.phase = "ending"
    this.#world.after(patienceWithEnding, () => this.closed("client", "close"))
  }

  /** Ends the connection because of what the broker has sent (section 4.13). */
  protest(reasonCode: 0x81 | 0x82 | 0x94 | 0x95): void {
    if (this.#owner.version === 5 && !this.isSuperseded) this.send({ _tag: "Disconnect", reasonCode })
    this.closed("client", "close")
  }

  #refuse(error: ProtocolError): void {
    const detail = `${error.statement}: ${error.detail}`
    this.#world.note({ _tag: "Garbled", at: this.#world.now(), connection: this.number, detail })
    if (this.phase === "ending") this.closed("client", "close")
    else this.protest(error.reasonCode === 0x95 ? 0x95 : 0x81)
  }

  /**
   * Keeps the connection alive, and gives it up when nothing at all has come for one and a half times the keep alive
   * (seconds), or without one for half a minute in which an answer was due [MQTT-3.1.2-22].
   */
  watch(keepAlive: number): void {
    const patience = keepAlive > 0 ? 1.5 * keepAlive * second : patienceWithoutKeepAlive
    const quiet = keepAlive > 0 ? (keepAlive * second) / 2 : patienceWithoutKeepAlive / 2
    const look = (): void => {
      if (this.phase !== "open" || this.isSuperseded) return
      const now = this.#world.now()
      const isAwaiting = keepAlive > 0 || this.isPinging || this.#owner.isAwaiting()
      if (this.#isStalled || !isAwaiting) this.#quietSince = now
      if (now - this.#quietSince >= patience) return this.closed("silence", "reset")
      const isDue = keepAlive > 0 && now - this.#sentAt >= quiet
      if (isDue || (!this.isPinging && now - this.#quietSince >= quiet)) this.ping()
      this.#world.after(Math.ceil(quiet / 2), look)
    }
    look()
  }
}
