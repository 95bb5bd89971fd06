/**
 * The encodings of one message that is on its way to many. Each form that is asked for is made once and shared; where
 * the publisher's own bytes are that form, they are used as they came.
 */
import type { Decoder } from "../../domain/packet/Decoder.ts"
import * as Encoder from "../../domain/packet/Encoder.ts"
import type { Publish, QoS } from "../../domain/packet/Packet.ts"
import type { PublishProperties } from "../../domain/packet/Property.ts"
import { type Message, never, remainingSeconds } from "../../domain/Message.ts"

/** A form of a message: with the properties of MQTT 5.0 or without, its QoS, its RETAIN flag. */
const formOf = (isVersion5: boolean, qos: QoS, retain: boolean): number =>
  (isVersion5 ? 1 : 0) | (retain ? 2 : 0) | (qos << 2)

const forms = 12

/** The properties of a PUBLISH that carries the message at `now` [MQTT-3.3.2-6]. */
export const propertiesOf = (
  message: Message,
  now: number,
  subscriptionIdentifiers?: ReadonlyArray<number>,
  topicAlias?: number
): PublishProperties | undefined => {
  if (
    message.properties === undefined &&
    message.expiresAt === never &&
    subscriptionIdentifiers === undefined &&
    topicAlias === undefined
  ) {
    return undefined
  }
  return {
    ...message.properties,
    ...(message.expiresAt !== never && { messageExpiryInterval: remainingSeconds(message, now) }),
    ...(subscriptionIdentifiers !== undefined && { subscriptionIdentifiers }),
    ...(topicAlias !== undefined && { topicAlias })
  }
}

/** A PUBLISH that carries a message. Packet identifier 0 stands for one that is filled in later. */
export const packetOf = (
  message: Message,
  topic: string,
  qos: QoS,
  retain: boolean,
  dup: boolean,
  packetId: number,
  properties: PublishProperties | undefined
): Publish =>
  properties === undefined
    ? { _tag: "Publish", topic, payload: message.payload, qos, retain, dup, packetId }
    : { _tag: "Publish", topic, payload: message.payload, qos, retain, dup, packetId, properties }

export class Encodings {
  /** The message whose forms these are. */
  message: Message | undefined = undefined
  /** The form that `select` chose last lies in `buffer` from `start` to before `end`. */
  buffer: Buffer
  start = 0
  end = 0
  /** Where the packet identifier of that form lies, for QoS 1 and 2. */
  idOffset = 0

  readonly #buffers: Array<Buffer>
  readonly #starts = Array.from({ length: forms }, () => 0)
  readonly #ends = Array.from({ length: forms }, () => 0)
  /** A bit for each form that there is. */
  #made = 0
  #now = 0
  readonly #writer: Encoder.Writer

  constructor(writer: Encoder.Writer) {
    this.#writer = writer
    this.buffer = writer.buffer
    this.#buffers = Array.from({ length: forms }, () => writer.buffer)
  }

  /** Starts with another message; its forms are to be sent in this pass. */
  begin(message: Message, now: number): void {
    this.message = message
    this.#made = 0
    this.#now = now
  }

  /** Offers the frame that the message came in, for the form that it has, if `decoder` has read nothing after it. */
  offerFrame(decoder: Decoder, packet: Publish): void {
    const { payload } = packet
    const { frame, frameEnd } = decoder
    // A payload is the end of its frame.
    const isLast =
      payload.buffer === frame.buffer && payload.byteOffset + payload.length === frame.byteOffset + frameEnd
    if (!isLast) return
    const isVersion5 = decoder.version === 5
    // An alias means something else, or nothing, to everyone but its sender.
    if (isVersion5 && packet.properties?.topicAlias !== undefined) return
    this.#keep(formOf(isVersion5, packet.qos, packet.retain), decoder.frame, decoder.frameStart, decoder.frameEnd)
  }

  /** Chooses a form, and makes it if nobody has asked for it before. */
  select(isVersion5: boolean, qos: QoS, retain: boolean): void {
    const form = formOf(isVersion5, qos, retain)
    if ((this.#made & (1 << form)) === 0) {
      const message = this.message!
      const properties = isVersion5 ? propertiesOf(message, this.#now) : undefined
      Encoder.write(
        this.#writer,
        packetOf(message, message.topic, qos, retain, false, 0, properties),
        isVersion5 ? 5 : 4
      )
      this.#keep(form, this.#writer.buffer, this.#writer.start, this.#writer.offset)
    }
    this.buffer = this.#buffers[form]!
    this.start = this.#starts[form]!
    this.end = this.#ends[form]!
    if (qos > 0) this.idOffset = Encoder.packetIdOffset(this.buffer, this.start)
  }

  /** Lets go of the buffers. */
  clear(): void {
    this.message = undefined
    this.#buffers.fill(this.#writer.buffer)
    this.buffer = this.#writer.buffer
    this.#made = 0
  }

  #keep(form: number, buffer: Buffer, start: number, end: number): void {
    this.#buffers[form] = buffer
    this.#starts[form] = start
    this.#ends[form] = end
    this.#made |= 1 << form
  }
}
