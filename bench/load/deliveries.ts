// A sequence number further ahead than this is taken for damage: noting each number between as missing would eat the memory.
const LARGEST_GAP = 1_000_000

/** Checks that one subscriber gets every message of its publishers once and in order; publishers are numbered without gaps. */
export class Deliveries {
  /** Messages that came, each counted once. */
  received = 0
  duplicated = 0
  outOfOrder = 0
  /** From a publisher or with a sequence number that this subscriber should not see. */
  unexpected = 0

  private readonly firstPublisher: number
  /** The sequence number that is to come next, by publisher. */
  private readonly next: Float64Array
  private missing: Map<number, Set<number>> | undefined

  constructor(firstPublisher: number, publishers: number) {
    this.firstPublisher = firstPublisher
    this.next = new Float64Array(publishers)
  }

  /** Notes a message that came. */
  accept(publisher: number, sequence: number): void {
    const stream = publisher - this.firstPublisher
    if (this.next[stream] === sequence) {
      this.next[stream] = sequence + 1
      this.received++
    } else {
      this.acceptIrregular(stream, sequence)
    }
  }

  /** How far the publisher's messages have come: those below are delivered, or passed over and missing. */
  reached(publisher: number): number {
    return this.next[publisher - this.firstPublisher]!
  }

  /** How many of the publisher's first `sent` messages have not come. */
  lost(publisher: number, sent: number): number {
    const stream = publisher - this.firstPublisher
    return Math.max(0, sent - this.next[stream]!) + (this.missing?.get(stream)?.size ?? 0)
  }

  private acceptIrregular(stream: number, sequence: number): void {
    const next = this.next[stream]
    if (next === undefined || sequence - next > LARGEST_GAP) {
      this.unexpected++
      return
    }
    this.missing ??= new Map()
    let missing = this.missing.get(stream)
    if (missing === undefined) {
      missing = new Set()
      this.missing.set(stream, missing)
    }
    if (sequence > next) {
      for (let passed = next; passed < sequence; passed++) missing.add(passed)
      this.next[stream] = sequence + 1
      this.received++
    } else if (missing.delete(sequence)) {
      this.outOfOrder++
      this.received++
    } else {
      this.duplicated++
    }
  }
}
