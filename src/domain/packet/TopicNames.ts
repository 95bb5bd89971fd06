/**
 * The Topic Names that a broker has seen lately, found by their bytes: a name that is known costs neither validation
 * nor a new string, and equal names are the very same string.
 */

/** The longest name kept, in bytes: longer ones are decoded each time. */
const longestName = 256

/** How far from its slot a name may lie. Names whose hashes collide on purpose are then merely not kept. */
const probes = 8

/** How many bytes the names may take on average before the table counts as full. */
const averageName = 64

/** A bounded table of Topic Names; cleared when full. Shared by the decoders of a broker. */
export class TopicNames {
  private readonly maximumNames: number
  private readonly mask: number
  private readonly names: Array<string | undefined>
  private readonly hashes: Int32Array
  private readonly offsets: Int32Array
  private readonly lengths: Uint16Array
  private bytes: Uint8Array
  private bytesUsed = 0
  private count = 0

  constructor(maximumNames: number) {
    let slots = 16
    while (slots < maximumNames * 2) slots *= 2
    this.maximumNames = maximumNames
    this.mask = slots - 1
    this.names = []
    this.names.length = slots
    this.names.fill(undefined)
    this.hashes = new Int32Array(slots)
    this.offsets = new Int32Array(slots)
    this.lengths = new Uint16Array(slots)
    this.bytes = new Uint8Array(4096)
  }

  /** The number of names kept. */
  get size(): number {
    return this.count
  }

  /** The name whose UTF-8 is the bytes from `start` to before `end`; undefined when it is not known. */
  get(buffer: Uint8Array, start: number, end: number): string | undefined {
    const length = end - start
    if (length > longestName) return undefined
    const hash = hashOf(buffer, start, end)
    const names = this.names
    const mask = this.mask
    for (let probe = 0; probe < probes; probe++) {
      const slot = (hash + probe) & mask
      const name = names[slot]
      if (name === undefined) return undefined
      if (this.hashes[slot] === hash && this.lengths[slot] === length) {
        const bytes = this.bytes
        const offset = this.offsets[slot]! - start
        let at = start
        while (at < end && bytes[offset + at] === buffer[at]) at++
        if (at === end) return name
      }
    }
    return undefined
  }

  /** Keeps a valid name whose UTF-8 is the bytes from `start` to before `end`, which are copied. */
  add(buffer: Uint8Array, start: number, end: number, name: string): void {
    const length = end - start
    if (length > longestName) return
    if (this.count >= this.maximumNames || this.bytesUsed + length > this.maximumNames * averageName) this.clear()
    const hash = hashOf(buffer, start, end)
    for (let probe = 0; probe < probes; probe++) {
      const slot = (hash + probe) & this.mask
      if (this.names[slot] !== undefined) continue
      this.names[slot] = name
      this.hashes[slot] = hash
      this.offsets[slot] = this.keepBytes(buffer, start, end)
      this.lengths[slot] = length
      this.count++
      return
    }
  }

  private keepBytes(buffer: Uint8Array, start: number, end: number): number {
    const offset = this.bytesUsed
    const used = offset + end - start
    if (used > this.bytes.length) {
      const larger = new Uint8Array(this.bytes.length * 2)
      larger.set(this.bytes)
      this.bytes = larger
    }
    this.bytes.set(buffer.subarray(start, end), offset)
    this.bytesUsed = used
    return offset
  }

  private clear(): void {
    this.names.fill(undefined)
    this.bytesUsed = 0
    this.count = 0
  }
}

/** FNV-1a, its high bits folded into the low ones that choose the slot. */
const hashOf = (buffer: Uint8Array, start: number, end: number): number => {
  let hash = 0x811c9dc5 | 0
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ buffer[at]!, 0x01000193)
  return hash ^ (hash >>> 15)
}

/** A table for at most that many names. */
export const make = (maximumNames = 16_384): TopicNames => new TopicNames(maximumNames)
