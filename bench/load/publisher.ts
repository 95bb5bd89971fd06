import type { Deliveries } from "./deliveries.ts"
import type { Connection, Network } from "./network.ts"
import { type PublishFrames, publishFrames } from "./packets.ts"

const PUBACK = 4
const PUBREC = 5
const PUBCOMP = 7
const PUBREL_HEADER = 0x62

// What a packet identifier waits for.
const NOTHING = 0
const AWAITING_PUBACK = 1
const AWAITING_PUBREC = 2
const AWAITING_PUBCOMP = 3

/** Where and how a publisher publishes. */
export interface Publication {
  readonly topic: string
  readonly qos: 0 | 1 | 2
  readonly payloadBytes: number
  /** Messages that may be under way. */
  readonly window: number
  readonly number: number
  /** Whose receiving a message needs to be no longer under way; none: acknowledgement is enough. */
  readonly receivers: ReadonlyArray<Deliveries>
}

/** Publishes in a closed loop: as much as fits into its window, and again when deliveries and acknowledgements make room. */
export class Publisher {
  readonly number: number
  sent = 0
  /** Messages whose handshake is complete (QoS 1 and 2). */
  acknowledged = 0
  /** Acknowledgements that fit no message under way, or that carry an error's reason code. */
  badAcknowledgements = 0

  private readonly network: Network
  private readonly connection: Connection
  private readonly publication: Publication
  private readonly window: number
  private readonly frames: PublishFrames
  private readonly frameWords: DataView
  /** `views[n]`: the first n frames. */
  private readonly views: Array<Buffer> = []
  private readonly awaiting: Uint8Array
  private lastPacketId = 0
  private running = false

  constructor(network: Network, connection: Connection, publication: Publication) {
    const { qos } = publication
    this.network = network
    this.connection = connection
    this.publication = publication
    this.number = publication.number
    this.window = qos === 0 ? publication.window : Math.min(publication.window, connection.receiveMaximum)
    this.frames = publishFrames({
      version: network.version,
      topic: publication.topic,
      qos,
      payloadBytes: publication.payloadBytes,
      run: network.run,
      publisher: this.number,
      count: this.window
    })
    const bytes = this.frames.bytes
    this.frameWords = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.awaiting = new Uint8Array(qos === 0 ? 0 : 65_536)
    connection.nextFrames = () => this.nextFrames()
    connection.onPacket = (header, start, end) => {
      const type = header >> 4
      if (qos > 0 && (type === PUBACK || type === PUBREC || type === PUBCOMP)) this.onAcknowledgement(type, start, end)
      else connection.unexpected(header, start)
    }
  }

  start(): void {
    this.running = true
    this.wake()
  }

  stop(): void {
    this.running = false
  }

  /** There may be room in the window. */
  wake(): void {
    if (this.running) this.connection.flushLater()
  }

  /** Whether everything sent has arrived and is acknowledged. */
  isSettled(): boolean {
    return this.delivered() === this.sent && this.unacknowledged() === 0
  }

  /** Messages sent whose handshake is not complete; 0 at QoS 0. */
  unacknowledged(): number {
    return this.publication.qos === 0 ? 0 : this.sent - this.acknowledged
  }

  private delivered(): number {
    let least = this.sent
    for (const receiver of this.publication.receivers) least = Math.min(least, receiver.reached(this.number))
    return least
  }

  private nextFrames(): Buffer | undefined {
    if (!this.running) return undefined
    const count = this.window - Math.max(this.sent - this.delivered(), this.unacknowledged())
    if (count <= 0) return undefined
    const { frameBytes, payloadAt, packetIdAt } = this.frames
    const words = this.frameWords
    const run = this.network.run
    const waitsFor = this.publication.qos === 1 ? AWAITING_PUBACK : AWAITING_PUBREC
    for (let frame = 0, at = 0; frame < count; frame++, at += frameBytes) {
      const sequence = this.sent++
      words.setUint32(at + payloadAt + 8, sequence, true)
      words.setUint32(at + frameBytes - 4, sequence ^ run, true)
      if (this.publication.qos > 0) words.setUint16(at + packetIdAt, this.takePacketId(waitsFor))
    }
    return (this.views[count] ??= this.frames.bytes.subarray(0, count * frameBytes))
  }

  private takePacketId(waitsFor: number): number {
    do this.lastPacketId = this.lastPacketId === 65_535 ? 1 : this.lastPacketId + 1
    while (this.awaiting[this.lastPacketId] !== NOTHING)
    this.awaiting[this.lastPacketId] = waitsFor
    return this.lastPacketId
  }

  private onAcknowledgement(type: number, start: number, end: number): void {
    const packetId = this.network.words.getUint16(start)
    const waitsFor = this.awaiting[packetId]
    if (end - start > 2 && this.network.arena[start + 2]! >= 0x80) this.badAcknowledgements++
    if (type === PUBREC && waitsFor === AWAITING_PUBREC) {
      this.awaiting[packetId] = AWAITING_PUBCOMP
      this.connection.acknowledge(PUBREL_HEADER, packetId)
    } else if (
      (type === PUBACK && waitsFor === AWAITING_PUBACK) ||
      (type === PUBCOMP && waitsFor === AWAITING_PUBCOMP)
    ) {
      this.awaiting[packetId] = NOTHING
      this.acknowledged++
      this.wake()
    } else {
      this.badAcknowledgements++
    }
  }
}
