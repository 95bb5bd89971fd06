const variableByteInteger = (value: number): Array<number> => {
  const bytes: Array<number> = []
  do {
    bytes.push(value > 127 ? (value & 127) | 128 : value)
    value >>>= 7
  } while (value > 0)
  return bytes
}

const text = (value: string): Buffer => {
  const bytes = Buffer.from(value)
  return Buffer.concat([Buffer.of(bytes.length >> 8, bytes.length & 255), bytes])
}

const packet = (header: number, body: Buffer): Buffer =>
  Buffer.concat([Buffer.of(header, ...variableByteInteger(body.length)), body])

/** A CONNECT with a keep-alive longer than any run; a persistent session is kept for an hour. */
export const connect = (version: 4 | 5, clientId: string, persistent: boolean): Buffer => {
  const sessionExpiry = persistent ? [5, 0x11, 0, 0, 0x0e, 0x10] : [0]
  const head = Buffer.of(0, 4, 0x4d, 0x51, 0x54, 0x54, version, persistent ? 0 : 2, 0x0e, 0x10)
  const properties = version === 5 ? Buffer.from(sessionExpiry) : Buffer.alloc(0)
  return packet(0x10, Buffer.concat([head, properties, text(clientId)]))
}

/** A SUBSCRIBE of one filter, packet identifier 1. */
export const subscribe = (version: 4 | 5, filter: string, qos: 0 | 1 | 2): Buffer =>
  packet(0x82, Buffer.concat([Buffer.from(version === 5 ? [0, 1, 0] : [0, 1]), text(filter), Buffer.of(qos)]))

/** DISCONNECT, the normal one of either version. */
export const disconnect = Buffer.of(0xe0, 0)

/** Several equal PUBLISH frames one behind the other, and where in a frame the parts are that change from message to message. */
export interface PublishFrames {
  readonly bytes: Buffer
  readonly frameBytes: number
  readonly packetIdAt: number
  readonly payloadAt: number
}

/**
 * `count` PUBLISH frames with run and publisher filled in; the sender patches packet identifier, sequence and last word.
 * The payload (16 bytes or more): run, publisher, sequence, filling, and sequence xor run; words of 32 bits, little-endian.
 */
export const publishFrames = (options: {
  readonly version: 4 | 5
  readonly topic: string
  readonly qos: 0 | 1 | 2
  readonly payloadBytes: number
  readonly run: number
  readonly publisher: number
  readonly count: number
}): PublishFrames => {
  const payload = Buffer.alloc(options.payloadBytes, 0x2e)
  payload.writeUInt32LE(options.run, 0)
  payload.writeUInt32LE(options.publisher, 4)
  const head = [text(options.topic)]
  if (options.qos > 0) head.push(Buffer.alloc(2))
  if (options.version === 5) head.push(Buffer.of(0))
  const frame = packet(0x30 | (options.qos << 1), Buffer.concat([...head, payload]))
  const payloadAt = frame.length - options.payloadBytes
  return {
    bytes: Buffer.concat(Array.from({ length: options.count }, () => frame)),
    frameBytes: frame.length,
    packetIdAt: payloadAt - (options.version === 5 ? 3 : 2),
    payloadAt
  }
}

// Lengths of the values of CONNACK properties by identifier; 0 is a string or binary value, -1 a pair of strings.
const CONNACK_PROPERTIES = new Map([
  [0x11, 4],
  [0x12, 0],
  [0x13, 2],
  [0x15, 0],
  [0x16, 0],
  [0x1a, 0],
  [0x1c, 0],
  [0x1f, 0],
  [0x21, 2],
  [0x22, 2],
  [0x24, 1],
  [0x25, 1],
  [0x26, -1],
  [0x27, 4],
  [0x28, 1],
  [0x29, 1],
  [0x2a, 1]
])

/** The Receive Maximum that an MQTT 5 CONNACK's body announces; 65,535 when it does not say, or is of MQTT 3.1.1. */
export const receiveMaximum = (body: Buffer): number => {
  const unlimited = 65_535
  let at = 2
  // A property block of more than 127 bytes has a length of two bytes; none is longer than that in practice.
  if (body.length > 2) at += body[2]! > 127 ? 2 : 1
  while (at < body.length) {
    const identifier = body[at]!
    if (identifier === 0x21) return body.readUInt16BE(at + 1)
    const length = CONNACK_PROPERTIES.get(identifier)
    if (length === undefined) throw new Error(`CONNACK has the unknown property 0x${identifier.toString(16)}`)
    at += 1
    if (length > 0) at += length
    else for (let strings = length === 0 ? 1 : 2; strings > 0; strings--) at += 2 + body.readUInt16BE(at)
  }
  return unlimited
}
