/** A connection between two servers of an ensemble: what is sent arrives late, and in order. */
import type { Kernel } from "../Kernel.ts"
import type { Process } from "../Process.ts"

export class Pipe {
  readonly #kernel: Kernel
  /** Who receives it: it waits while that process is paused, and is lost when it dies. */
  readonly #receiver: () => Process | undefined
  /** How long the next thing takes, in microseconds. */
  readonly #delay: () => number
  #underWay: Array<() => void> = []
  #lastArrival = 0

  constructor(kernel: Kernel, receiver: () => Process | undefined, delay: () => number) {
    this.#kernel = kernel
    this.#receiver = receiver
    this.#delay = delay
  }

  /** Has something happen at the other end, after all that was sent before. */
  send(arrive: () => void): void {
    const { now } = this.#kernel
    this.#lastArrival = Math.max(this.#lastArrival, now + Math.round(this.#delay()))
    const sent = this.#underWay
    sent.push(arrive)
    // Whichever event of a time comes first, it brings what was sent first.
    this.#kernel.later(this.#lastArrival - now, () => sent.shift()?.(), this.#receiver())
  }

  /** It breaks: what is under way is lost. */
  cut(): void {
    this.#underWay.length = 0
    // The events that are still to come belong to the former queue.
    this.#underWay = []
    this.#lastArrival = 0
  }
}
