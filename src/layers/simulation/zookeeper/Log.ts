/** The transactions in the leader's order: those that are committed, and after them those that still may be lost. */
export class Log<E> {
  #entries: Array<E> = []
  #first = 0

  /** How many there ever were: the index of the next one. */
  get length(): number {
    return this.#first + this.#entries.length
  }

  push(entry: E): void {
    this.#entries.push(entry)
  }

  at(index: number): E {
    const entry = this.#entries[index - this.#first]
    if (entry === undefined) throw new Error(`the log holds no entry ${index}`)
    return entry
  }

  /** Forgets those from an index on: they never came to pass. */
  truncate(length: number): void {
    this.#entries.length = length - this.#first
  }

  /** Lets go of those before an index, which everyone has applied. */
  release(index: number): void {
    if (index - this.#first < leastRelease) return
    this.#entries = this.#entries.slice(index - this.#first)
    this.#first = index
  }
}

/** Fewer are not worth the copying. */
const leastRelease = 1024
