import { connect as connectSocket, type Socket } from "node:net"
import * as packets from "./packets.ts"

const READ_BYTES = 256 * 1024
// Room before the read buffer for the unfinished packet of the chunk before; larger packets are refused.
const HEADROOM = 64 * 1024
const CONNACK = 2
const SUBACK = 9

/** Receives each packet of a connection: fixed header byte, then [start, end) of its body in the network's read buffer. */
export type PacketListener = (header: number, start: number, end: number) => void

/**
 * All connections of one run to one broker: they share one read buffer, and what they send goes out once a turn of the
 * event loop, after all that had arrived was read.
 */
export class Network {
  readonly port: number
  readonly version: 4 | 5
  /** Marks clients and payloads of this run. */
  readonly run = Math.floor(Math.random() * 0xffff_ffff)
  /** Headroom and read buffer, one behind the other. */
  readonly arena = Buffer.alloc(HEADROOM + READ_BYTES)
  /** The arena as words; offsets are the arena's. */
  readonly words = new DataView(this.arena.buffer, this.arena.byteOffset, this.arena.byteLength)
  /** Where the kernel puts what was received; owned by the connection whose data is being handled, until it returns. */
  readonly readBuffer = this.arena.subarray(HEADROOM)
  /** What went wrong with connections. */
  readonly problems: Array<string> = []

  private waiting: Array<Connection> = []
  private flushing: Array<Connection> = []

  private readonly gatherMs: number
  private lastTurn = 0
  private readonly sleeper = new Int32Array(new SharedArrayBuffer(4))

  /** `gatherMs`: the least time between two turns that read deliveries; 0 reads at once. */
  constructor(port: number, version: 4 | 5, gatherMs = 0) {
    this.port = port
    this.version = version
    this.gatherMs = gatherMs
  }

  /**
   * Connects, resolving at CONNACK; rejects when refused. `onOpen` runs before any packet behind the CONNACK is handled: a
   * resumed session may send at once.
   */
  open(name: string, persistent = false, onOpen?: (connection: Connection) => void): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const connection: Connection = new Connection(this, name, persistent, (error) => {
        if (error !== undefined) return reject(error)
        onOpen?.(connection)
        resolve(connection)
      })
    })
  }

  /** Opens `count` connections, at most `concurrency` handshakes at once; `start` does one of them. */
  async openAll<A>(count: number, concurrency: number, start: (index: number) => Promise<A>): Promise<Array<A>> {
    const opened: Array<A> = []
    let next = 0
    const work = async (): Promise<void> => {
      while (next < count) {
        const index = next++
        opened[index] = await start(index)
      }
    }
    await Promise.all(Array.from({ length: concurrency }, work))
    return opened
  }

  /** Has the connection's `flush` called when this turn's reads are done. */
  flushLater(connection: Connection): void {
    if (this.waiting.push(connection) === 1) setImmediate(this.flushAll)
  }

  private readonly flushAll = (): void => {
    const batch = this.waiting
    this.waiting = this.flushing
    this.flushing = batch
    for (const connection of batch) connection.flush()
    batch.length = 0
    if (this.gatherMs > 0) this.gather()
  }

  private gather(): void {
    const rest = this.lastTurn + this.gatherMs - performance.now()
    // Nothing ever notifies: this is a sleep, of the whole process, with a finer grain than timers have.
    if (rest > 0) Atomics.wait(this.sleeper, 0, 0, rest)
    this.lastTurn = performance.now()
  }
}

/** One MQTT connection, up to framing: whole packets in, small packets and a batch of PUBLISH frames out. */
export class Connection {
  readonly name: string
  /** From CONNACK; 65,535 unless the broker says less. */
  receiveMaximum = 65_535
  /** Called for each packet but CONNACK and SUBACK. */
  onPacket: PacketListener = (header, start) => this.unexpected(header, start)
  /** Asked at each flush for PUBLISH frames to send; the bytes stay untouched until it is asked again. */
  nextFrames: (() => Buffer | undefined) | undefined

  private readonly network: Network
  private readonly socket: Socket
  private settle: ((error?: Error) => void) | undefined
  private subscription: { granted: (qos: number) => void; failed: (error: Error) => void } | undefined
  private partial: Buffer | undefined
  private partialBytes = 0
  private small = Buffer.alloc(0)
  private smallInFlight = Buffer.alloc(0)
  private smallBytes = 0
  private writing = false
  private queued = false
  private closing = false

  constructor(network: Network, name: string, persistent: boolean, settle: (error?: Error) => void) {
    this.network = network
    this.name = name
    this.settle = settle
    const connect = packets.connect(network.version, `bench-${network.run.toString(16)}-${name}`, persistent)
    this.socket = connectSocket(
      {
        host: "127.0.0.1",
        port: network.port,
        noDelay: true,
        onread: {
          buffer: network.readBuffer,
          callback: (count) => {
            this.receive(count)
            return true
          }
        }
      },
      () => this.socket.write(connect)
    )
    this.socket.on("error", (error) => this.fail(error.message))
    this.socket.on("close", () => this.fail("was closed by the broker"))
  }

  /** Subscribes to one filter, resolving at SUBACK; rejects when the broker grants another QoS. */
  async subscribe(filter: string, qos: 0 | 1 | 2): Promise<void> {
    const answer = new Promise<number>((granted, failed) => {
      this.subscription = { granted, failed }
    })
    this.socket.write(packets.subscribe(this.network.version, filter, qos))
    if ((await answer) !== qos)
      throw new Error(`${this.name}: the subscription to ${filter} was not granted QoS ${qos}`)
  }

  /** Appends an acknowledgement (fixed header byte and packet identifier) to what goes out at the end of this turn. */
  acknowledge(header: number, packetId: number): void {
    if (this.smallBytes + 4 > this.small.length) {
      const larger = Buffer.allocUnsafe(Math.max(1024, this.small.length * 2))
      this.small.copy(larger, 0, 0, this.smallBytes)
      this.small = larger
    }
    const small = this.small
    let at = this.smallBytes
    small[at++] = header
    small[at++] = 2
    small[at++] = packetId >> 8
    small[at++] = packetId & 255
    this.smallBytes = at
    this.flushLater()
  }

  /** Has what is to be sent sent at the end of this turn. */
  flushLater(): void {
    if (this.queued) return
    this.queued = true
    this.network.flushLater(this)
  }

  /** Sends what has gathered, unless an earlier write is unfinished: then that write's end does it. */
  flush(): void {
    if (this.writing || this.closing) return
    this.queued = false
    const frames = this.nextFrames?.()
    const smallBytes = this.smallBytes
    if (smallBytes === 0) {
      if (frames === undefined) return
      this.writing = true
      this.socket.write(frames, this.onWritten)
      return
    }
    // The kernel may take a part only: the bytes that are being written are left alone until it has taken them all.
    const sending = this.small
    this.small = this.smallInFlight
    this.smallInFlight = sending
    this.smallBytes = 0
    this.writing = true
    if (frames === undefined) {
      this.socket.write(sending.subarray(0, smallBytes), this.onWritten)
      return
    }
    this.socket.cork()
    this.socket.write(sending.subarray(0, smallBytes))
    this.socket.write(frames, this.onWritten)
    this.socket.uncork()
  }

  /** Sends DISCONNECT and closes, resolving when the broker has closed its side too. */
  close(): Promise<void> {
    this.closing = true
    return new Promise((resolve) => {
      this.socket.on("close", () => resolve())
      this.socket.end(packets.disconnect)
    })
  }

  /** Drops the connection without a word; leaves no TIME_WAIT behind. */
  drop(): void {
    this.closing = true
    this.socket.resetAndDestroy()
  }

  /** A packet that has no place in this run, such as the broker's DISCONNECT: ends the connection and fails the run. */
  unexpected(header: number, start: number): void {
    this.fail(`was sent a packet of type ${header >> 4} whose body begins with ${this.network.arena[start]}`)
  }

  private readonly onWritten = (): void => {
    this.writing = false
    if (this.queued) this.flush()
  }

  private receive(count: number): void {
    const arena = this.network.arena
    const end = HEADROOM + count
    let at = HEADROOM
    if (this.partialBytes > 0) {
      at -= this.partialBytes
      this.partial!.copy(arena, at, 0, this.partialBytes)
      this.partialBytes = 0
    }
    while (end - at >= 2) {
      let length = arena[at + 1]!
      let body = at + 2
      if (length > 127) {
        let shift = 7
        let more = true
        length &= 127
        while (more && body < end) {
          const byte = arena[body++]!
          length |= (byte & 127) << shift
          shift += 7
          more = byte > 127
        }
        if (more) break
      }
      if (end - body < length) break
      if (this.settle === undefined && this.subscription === undefined) this.onPacket(arena[at]!, body, body + length)
      else this.onSetupPacket(arena[at]!, body, body + length)
      at = body + length
    }
    if (at < end) this.keepPartial(at, end)
  }

  private keepPartial(start: number, end: number): void {
    const count = end - start
    if (count > HEADROOM) return this.fail(`sent a packet of more than ${HEADROOM} bytes`)
    if (this.partial === undefined || this.partial.length < count)
      this.partial = Buffer.allocUnsafe(Math.max(256, count))
    this.network.arena.copy(this.partial, 0, start, end)
    this.partialBytes = count
  }

  private onSetupPacket(header: number, start: number, end: number): void {
    const body = this.network.arena.subarray(start, end)
    const type = header >> 4
    if (this.settle !== undefined) {
      if (type !== CONNACK || body[1] !== 0) return this.fail(`was refused with code ${body[1] ?? "none"}`)
      this.receiveMaximum = packets.receiveMaximum(body)
      const settle = this.settle
      this.settle = undefined
      settle()
    } else if (type === SUBACK) {
      const subscription = this.subscription!
      this.subscription = undefined
      subscription.granted(body.at(-1)!)
    } else {
      this.onPacket(header, start, end)
    }
  }

  private fail(problem: string): void {
    if (this.closing) return
    this.closing = true
    const error = new Error(`connection ${this.name} ${problem}`)
    this.socket.destroy()
    if (this.settle !== undefined) this.settle(error)
    else if (this.subscription !== undefined) this.subscription.failed(error)
    else this.network.problems.push(error.message)
  }
}
