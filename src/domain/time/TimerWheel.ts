/**
 * Many deadlines, looked at together and coarsely: a broker has one wheel and one ticking fiber for all of its
 * connections and sessions, where a timer each would cost a kilobyte each.
 */

/** Keys by the slot of time in which they are due. */
export class TimerWheel<K> {
  readonly #slots = new Map<number, Set<K>>()
  readonly #slotOf = new Map<K, number>()
  readonly #resolution: number
  #passed: number

  /** Deadlines are rounded up to multiples of `resolution` milliseconds; `now` is where the wheel starts. */
  constructor(resolution: number, now: number) {
    this.#resolution = resolution
    this.#passed = Math.floor(now / resolution)
  }

  /** How many keys have a deadline. */
  get size(): number {
    return this.#slotOf.size
  }

  /** Sets the deadline of a key in milliseconds, in place of an earlier one. One that has passed is due at once. */
  set(key: K, at: number): void {
    const slot = Math.max(Math.ceil(at / this.#resolution), this.#passed + 1)
    const before = this.#slotOf.get(key)
    if (before === slot) return
    if (before !== undefined) this.#take(key, before)
    this.#slotOf.set(key, slot)
    const keys = this.#slots.get(slot)
    if (keys === undefined) this.#slots.set(slot, new Set([key]))
    else keys.add(key)
  }

  /** Takes the deadline of a key away, if it has one. */
  delete(key: K): void {
    const slot = this.#slotOf.get(key)
    if (slot === undefined) return
    this.#slotOf.delete(key)
    this.#take(key, slot)
  }

  /** Removes and returns all keys whose deadline has passed at `now`. */
  advance(now: number): ReadonlyArray<K> {
    const current = Math.floor(now / this.#resolution)
    const due: Array<K> = []
    // A long pause would mean more slots to look through than there are slots in use.
    const slots =
      current - this.#passed > this.#slots.size
        ? [...this.#slots.keys()].filter((slot) => slot <= current).sort((a, b) => a - b)
        : Array.from({ length: Math.max(0, current - this.#passed) }, (_, i) => this.#passed + 1 + i)
    for (const slot of slots) {
      for (const key of this.#slots.get(slot) ?? []) {
        this.#slotOf.delete(key)
        due.push(key)
      }
      this.#slots.delete(slot)
    }
    this.#passed = Math.max(this.#passed, current)
    return due
  }

  #take(key: K, slot: number): void {
    const keys = this.#slots.get(slot)
    keys?.delete(key)
    if (keys?.size === 0) this.#slots.delete(slot)
  }
}
