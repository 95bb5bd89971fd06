/**
 * Random numbers from a seed (the generator sfc32, seeded by splitmix32). A stream is split by labels, so that a draw in
 * one part of a simulation does not shift what another part draws.
 */
import { fnv1a } from "../Hash.ts"

export class RandomStream {
  readonly #seed: number
  readonly #label: string
  #a: number
  #b: number
  #c: number
  #counter = 1

  constructor(seed: number, label: string) {
    this.#seed = seed
    this.#label = label
    // A seed may have 53 bits, and both halves of it count.
    let state = (seed ^ Math.imul(Math.floor(seed / 0x1_0000_0000), 0x9e3779b1) ^ fnv1a(label)) | 0
    const next = (): number => {
      state = (state + 0x9e3779b9) | 0
      const z = Math.imul(state ^ (state >>> 16), 0x21f0aaad)
      const y = Math.imul(z ^ (z >>> 15), 0x735a2d97)
      return y ^ (y >>> 15)
    }
    this.#a = next()
    this.#b = next()
    this.#c = next()
    for (let i = 0; i < 12; i++) this.bits()
  }

  /** A stream of its own for a part: the same for the same seed and labels, whatever was drawn from this one. */
  split(label: string): RandomStream {
    return new RandomStream(this.#seed, `${this.#label}/${label}`)
  }

  /** 32 random bits, as an unsigned integer. */
  bits(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0
    return sum >>> 0
  }

  /** At least 0 and below 1. */
  float(): number {
    return this.bits() / 0x1_0000_0000
  }

  /** An integer from 0 to `end` - 1. */
  below(end: number): number {
    return Math.floor(this.float() * end)
  }

  /** An integer from `first` to `last`, both included. */
  between(first: number, last: number): number {
    return first + this.below(last - first + 1)
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.float() < probability
  }

  /** One of the choices, of which there is at least one. */
  pick<A>(choices: ReadonlyArray<A>): A {
    return choices[this.below(choices.length)]!
  }

  /** From the exponential distribution with this mean: many small numbers, a few large ones. */
  exponential(mean: number): number {
    return -mean * Math.log(1 - this.float())
  }

  /** How many trials until the first success, at least 1; Infinity at probability 0. */
  geometric(probability: number): number {
    if (probability <= 0) return Infinity
    return 1 + Math.floor(Math.log(1 - this.float()) / Math.log(1 - probability))
  }
}
