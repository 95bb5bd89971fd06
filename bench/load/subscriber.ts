import { Deliveries } from "./deliveries.ts"
import type { Connection, Network } from "./network.ts"
import type { Publisher } from "./publisher.ts"

const PUBLISH = 3
const PUBREL = 6
const PUBACK_HEADER = 0x40
const PUBREC_HEADER = 0x50
const PUBCOMP_HEADER = 0x70

/** What a subscriber is to receive. */
export interface Expectation {
  readonly topic: string
  readonly qos: 0 | 1 | 2
  readonly payloadBytes: number
  /** Its publishers are `firstPublisher` and the `publishers` - 1 after it. */
  readonly firstPublisher: number
  readonly publishers: number
}

/** Receives, checks and acknowledges; tells its publishers that there may be room in their windows. */
export class Subscriber {
  readonly deliveries: Deliveries
  /** PUBLISH packets whose topic, QoS, size or content was not as sent. */
  damaged = 0
  /** The publishers to wake, by number; those of other subscribers are never looked up. */
  publishers: ReadonlyArray<Publisher> = []

  private readonly network: Network
  private readonly expectation: Expectation
  private readonly topicBytes: number
  /** The last four bytes of the topic, which tell the topics of a run apart. */
  private readonly topicEnd: number
  private readonly header: number
  /** QoS 2 packet identifiers received and not yet released. */
  private readonly unreleased: Uint8Array | undefined
  private connection: Connection | undefined

  constructor(network: Network, expectation: Expectation) {
    this.network = network
    this.expectation = expectation
    this.deliveries = new Deliveries(expectation.firstPublisher, expectation.publishers)
    const topic = Buffer.from(expectation.topic)
    this.topicBytes = topic.length
    this.topicEnd = topic.readUInt32LE(topic.length - 4)
    this.header = 0x30 | (expectation.qos << 1)
    if (expectation.qos === 2) this.unreleased = new Uint8Array(65_536)
  }

  /** Takes over the connection's packets. */
  attach(connection: Connection): void {
    this.connection = connection
    connection.onPacket = (header, start, end) => {
      const type = header >> 4
      if (type === PUBLISH) this.publish(header, start, end)
      else if (type === PUBREL && this.unreleased !== undefined) this.release(this.network.words.getUint16(start))
      else connection.unexpected(header, start)
    }
  }

  private publish(header: number, start: number, end: number): void {
    const words = this.network.words
    const { qos, payloadBytes } = this.expectation
    let at = start + 2 + this.topicBytes
    let intact = words.getUint16(start) === this.topicBytes && words.getUint32(at - 4, true) === this.topicEnd
    let packetId = 0
    if (qos > 0) {
      packetId = words.getUint16(at)
      at += 2
    }
    // The property block is not asked for anything, so its length takes one byte.
    if (this.network.version === 5) at += 1 + words.getUint8(at)
    const sequence = words.getUint32(at + 8, true)
    const run = this.network.run
    intact &&= header === this.header && end - at === payloadBytes && words.getUint32(at, true) === run
    if (!intact || words.getUint32(end - 4, true) !== (sequence ^ run) >>> 0) {
      this.damaged++
      return
    }
    const publisher = words.getUint32(at + 4, true)
    if (qos === 1) this.connection!.acknowledge(PUBACK_HEADER, packetId)
    else if (qos === 2) {
      this.connection!.acknowledge(PUBREC_HEADER, packetId)
      this.unreleased![packetId] = 1
    }
    this.deliveries.accept(publisher, sequence)
    this.publishers[publisher]?.wake()
  }

  private release(packetId: number): void {
    if (this.unreleased![packetId] === 0) this.damaged++
    this.unreleased![packetId] = 0
    this.connection!.acknowledge(PUBCOMP_HEADER, packetId)
  }
}
