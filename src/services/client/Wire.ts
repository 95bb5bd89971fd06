/**
 * A client's connection as passes see it: bytes in, packets to the session, frames out with one write a pass. Only the
 * passes of `run` change it; what comes from elsewhere goes through the ready list.
 */
import { isReadonlyArrayNonEmpty, type NonEmptyReadonlyArray } from "effect/Array"
import { ClientError, type ClientErrorReason } from "../../domain/client/ClientError.ts"
import { ClientSession, type ReceivedMessage } from "../../domain/client/ClientSession.ts"
import * as Decoder from "../../domain/packet/Decoder.ts"
import * as Encoder from "../../domain/packet/Encoder.ts"
import type { ConnAck, Connect, Disconnect, Packet } from "../../domain/packet/Packet.ts"
import { ProtocolError } from "../../domain/packet/ProtocolError.ts"
import { ReasonCode } from "../../domain/packet/ReasonCode.ts"
import { Outbox } from "../broker/Outbox.ts"
import * as ReadyList from "../ReadyList.ts"
import type { Events, Socket } from "../Transport.ts"

/** How far a connection has come. */
type Phase = "Dialling" | "AwaitingConnAck" | "Open" | "Closing" | "Closed"

/** One network connection of the client, and who is told of its fate. */
export interface Connection {
  readonly connect: Connect
  readonly decoder: Decoder.Decoder
  /** Called once when the CONNACK accepts. */
  readonly accepted: (connAck: ConnAck) => void
  /** Called once, when the connection is over, accepted or not. */
  readonly lost: (error: ClientError) => void
  socket: Socket | undefined
  phase: Phase
  isPaused: boolean
  /** Milliseconds; 0 when it is off. */
  keepAliveMillis: number
  lastReceived: number
  lastSent: number
  /** When a PINGREQ was sent that nothing has followed yet, or 0. */
  pingedAt: number
}

/** Somebody who waits for messages. */
export interface Taker {
  readonly limit: number
  readonly give: (messages: NonEmptyReadonlyArray<ReceivedMessage>) => void
  readonly fail: (error: ClientError) => void
}

/** Whether a packet came or went. */
export type Direction = "received" | "sent"

export interface WireOptions {
  readonly version: Connect["protocolVersion"]
  readonly sendMaximum: number
  /** Messages that may wait to be taken before nothing more is read. */
  readonly inboxMessages: number
  /** Bytes that may wait to be written before nothing more is sent. */
  readonly outboxBytes: number
  readonly trace: ((direction: Direction, packet: Packet) => void) | undefined
}

/** How long the server may take to read what we have written before our DISCONNECT, in milliseconds. */
const flushMillis = 60_000

/** How long the server may take to close the connection after our DISCONNECT, in milliseconds. */
const closeMillis = 2_000

const errorOf = (reason: ClientErrorReason): ClientError => new ClientError({ reason })

const disconnected = errorOf({ _tag: "Disconnected" })

export class Wire {
  readonly ready = ReadyList.make<() => void>()
  readonly session: ClientSession
  /** Who is to be told something when the pass has written. */
  readonly settled: Array<() => void> = []
  /** Milliseconds at the beginning of the pass. */
  now = 0
  readonly #options: WireOptions
  #outbox = new Outbox()
  readonly #writer = Encoder.makeWriter()
  #connection: Connection | undefined = undefined
  #takers: Array<Taker> = []
  #failure: ClientError | undefined = undefined

  constructor(options: WireOptions) {
    this.#options = options
    this.session = new ClientSession({
      version: options.version,
      sendMaximum: options.sendMaximum,
      send: (packet) => this.#send(packet)
    })
  }

  /** One pass: does the work, serves who waits, writes once, and tells those whose wish is fulfilled. */
  run(work: ReadonlyArray<() => void>, now: number): void {
    this.now = now
    for (const item of work) item()
    this.#serveTakers()
    this.#write()
    const settled = this.settled.splice(0)
    for (const tell of settled) tell()
  }

  /** A connection that is about to be dialled; it is not the client's until `dialled`. */
  prepare(connect: Connect, accepted: Connection["accepted"], lost: Connection["lost"]): Connection {
    const version = connect.protocolVersion
    const maximumPacketSize = connect.properties?.maximumPacketSize ?? Infinity
    return {
      connect,
      decoder: Decoder.make({ role: "client", version, maximumPacketSize }),
      accepted,
      lost,
      socket: undefined,
      phase: "Dialling",
      isPaused: false,
      keepAliveMillis: connect.keepAlive * 1000,
      lastReceived: 0,
      lastSent: 0,
      pingedAt: 0
    }
  }

  /** What is to be called for the stream of a connection. */
  eventsOf(c: Connection): Events {
    return {
      data: (bytes) => this.ready.add(() => this.#received(c, bytes)),
      drained: () => this.ready.add(() => {}),
      closed: () => this.ready.add(() => this.end(c, errorOf({ _tag: "ConnectionClosed" })))
    }
  }

  /** The stream is open: asks to be connected. */
  dialled(c: Connection, socket: Socket): void {
    if (c.phase !== "Dialling") {
      socket.destroy()
      return
    }
    c.socket = socket
    c.phase = "AwaitingConnAck"
    this.#connection = c
    this.#send(c.connect)
  }

  /** The connection is over, whoever ended it. */
  end(c: Connection, error: ClientError): void {
    if (c.phase === "Closed") return
    const wasClosing = c.phase === "Closing"
    c.phase = "Closed"
    c.socket?.destroy()
    if (this.#connection === c) {
      this.#connection = undefined
      this.#outbox = new Outbox()
      this.session.closed()
    }
    this.settled.push(() => c.lost(wasClosing ? disconnected : error))
  }

  /** Says goodbye; `false` when there is no connection to say it on. */
  disconnect(packet: Disconnect): boolean {
    const c = this.#connection
    if (c?.phase === "Closing") return true
    if (c?.phase !== "Open") return false
    this.#send(packet)
    this.#flush(c.socket!)
    this.session.closed()
    c.phase = "Closing"
    c.socket!.end(flushMillis, closeMillis)
    return true
  }

  /** The client has come to its end: whoever waits for anything is told why. */
  finish(error: ClientError): void {
    this.#failure = error
    this.session.fail(error)
  }

  /** Why nothing can be asked any more. */
  get failure(): ClientError | undefined {
    return this.#failure
  }

  addTaker(taker: Taker): void {
    this.#takers.push(taker)
  }

  removeTaker(taker: Taker): void {
    const at = this.#takers.indexOf(taker)
    if (at >= 0) this.#takers.splice(at, 1)
  }

  /** Keeps the connection alive, and notices when the server is gone (section 3.1.2.10). To be called often. */
  tick(): void {
    const c = this.#connection
    if (c?.phase !== "Open" || c.keepAliveMillis === 0) return
    if (c.pingedAt !== 0) {
      if (!c.isPaused && this.now - c.pingedAt >= c.keepAliveMillis) {
        this.end(c, errorOf({ _tag: "Timeout", awaited: "PINGRESP", millis: c.keepAliveMillis }))
      }
      return
    }
    const quiet = Math.max(this.now - c.lastSent, this.now - c.lastReceived)
    if (quiet < pingAfter(c.keepAliveMillis)) return
    this.#send({ _tag: "PingReq" })
    c.pingedAt = this.now
  }

  #send(packet: Packet): void {
    Encoder.write(this.#writer, packet, this.#options.version)
    this.#outbox.append(this.#writer.buffer, this.#writer.start, this.#writer.offset)
    this.#options.trace?.("sent", packet)
  }

  #received(c: Connection, bytes: Buffer): void {
    if (c.phase === "Closed") return
    c.lastReceived = this.now
    c.pingedAt = 0
    c.decoder.push(bytes)
    for (;;) {
      const packet = c.decoder.next()
      if (packet === undefined) break
      if (packet instanceof ProtocolError) {
        this.#violated(c, packet.reasonCode, packet.message)
        return
      }
      this.#options.trace?.("received", packet)
      if (!this.#handle(c, packet)) return
    }
    if (this.session.waiting >= this.#options.inboxMessages && !c.isPaused) {
      c.isPaused = true
      c.socket!.pause()
    }
  }

  /** Handles a packet; false when the connection is over with it. */
  #handle(c: Connection, packet: Packet): boolean {
    if (c.phase === "AwaitingConnAck") {
      if (packet._tag === "ConnAck") return this.#handleConnAck(c, packet)
      return this.#violated(c, ReasonCode.ProtocolError, "the first packet is not a CONNACK")
    }
    if (packet._tag === "Disconnect") {
      this.end(c, closedBy(packet))
      return false
    }
    // Between our DISCONNECT and the end of the connection nothing may be answered.
    if (c.phase !== "Open") return true
    const violation = this.session.receive(packet)
    return violation === undefined || this.#violated(c, ReasonCode.ProtocolError, violation)
  }

  #handleConnAck(c: Connection, connAck: ConnAck): boolean {
    const { reasonCode, properties } = connAck
    if (reasonCode !== 0) {
      const reasonString = properties?.reasonString
      const version = this.#options.version
      this.end(
        c,
        errorOf({ _tag: "Refused", code: reasonCode, version, ...(reasonString !== undefined && { reasonString }) })
      )
      return false
    }
    c.phase = "Open"
    if (properties?.serverKeepAlive !== undefined) c.keepAliveMillis = properties.serverKeepAlive * 1000
    this.session.opened(connAck, c.connect.properties?.topicAliasMaximum ?? 0)
    this.settled.push(() => c.accepted(connAck))
    return true
  }

  /** The server broke the protocol: tells it so, and closes (section 4.13). */
  #violated(c: Connection, code: number, detail: string): false {
    if (this.#options.version === 5 && c.phase === "Open") {
      this.#send({ _tag: "Disconnect", reasonCode: code as Disconnect["reasonCode"] })
      this.#flush(c.socket!)
    }
    this.end(c, errorOf({ _tag: "ProtocolViolation", detail }))
    return false
  }

  #serveTakers(): void {
    while (this.#takers.length > 0 && this.session.waiting > 0) {
      const { limit, give } = this.#takers.shift()!
      const messages = this.session.take(limit)
      if (!isReadonlyArrayNonEmpty(messages)) continue
      this.settled.push(() => give(messages))
    }
    const failure = this.#failure
    if (failure !== undefined) {
      for (const { fail } of this.#takers.splice(0)) this.settled.push(() => fail(failure))
    }
    const c = this.#connection
    if (c?.isPaused === true && this.session.waiting <= this.#options.inboxMessages / 2) {
      c.isPaused = false
      c.lastReceived = this.now
      c.socket!.resume()
    }
  }

  /** Writes what the pass has to send, and of the messages that wait as many as the socket has room for. */
  #write(): void {
    const c = this.#connection
    if (c === undefined || c.socket === undefined) return
    const { socket } = c
    if (c.phase === "Open") {
      let hasMore = true
      while (hasMore) {
        const room = this.#options.outboxBytes - socket.buffered() - this.#outbox.bytes
        hasMore = room > 0 && this.session.pump(this.now, room)
        this.#flush(socket)
      }
    }
    this.#flush(socket)
  }

  #flush(socket: Socket): void {
    if (this.#outbox.bytes === 0) return
    this.#outbox.flush(socket)
    if (this.#connection !== undefined) this.#connection.lastSent = this.now
  }
}

/** A PINGREQ goes out well before the Keep Alive is over, so that a late tick does no harm. */
const pingAfter = (keepAliveMillis: number): number => keepAliveMillis * 0.75

const closedBy = ({ reasonCode, properties }: Disconnect): ClientError => {
  const reasonString = properties?.reasonString
  return errorOf({
    _tag: "ConnectionClosed",
    code: reasonCode,
    ...(reasonString !== undefined && { reasonString })
  })
}
