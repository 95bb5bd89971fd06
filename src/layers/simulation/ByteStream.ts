/**
 * Bytes over a channel, as TCP carries them: cut into pieces by chance, and never more under way than the receiver's
 * window takes. What does not fit waits at the sender.
 */
import type { RandomStream } from "../../domain/simulation/RandomStream.ts"
import type { End } from "./Network.ts"

/** Bytes on their way. A piece never holds bytes of two writes. */
export interface Piece {
  readonly bytes: Buffer
  /** When they were written, in microseconds of the run. */
  readonly writtenAt: number
}

export interface StreamOptions {
  /** How many bytes may be under way or wait for the reader. */
  readonly window: number
  /** The chance that what is written in one go arrives in pieces. */
  readonly segmentation: number
  readonly random: RandomStream
  readonly now: () => number
}

/** The longest piece that is cut on purpose, in bytes, and how many are cut from one write at most. */
const shortPiece = 24
const cutsOfOneWrite = 3

export class ByteStream {
  readonly end: End<Piece>
  /** Called when nothing waits at the sender any more, after something had to. */
  whenEmpty: () => void = () => {}
  /** Called when everything that was written before `close` has been sent, and the end after it. */
  whenClosed: () => void = () => {}
  /** Called when a reader that has not ended its own stream has taken bytes, with how many it has taken in all. */
  whenTaken: (total: number) => void = () => {}
  readonly #options: StreamOptions
  #waiting: Array<Piece> = []
  #waitingBytes = 0
  #underWay = 0
  #taken = 0
  #isClosing = false
  /** How many pieces were cut from the write in front. */
  #cuts = 0

  constructor(end: End<Piece>, options: StreamOptions) {
    this.end = end
    this.#options = options
    end.whenTaken = ({ bytes }) => {
      this.#underWay -= bytes.length
      this.#taken += bytes.length
      if (!end.peer.hasClosed) this.whenTaken(this.#taken)
      const hadWaiting = this.#waitingBytes > 0
      this.#pump()
      if (hadWaiting && this.#waitingBytes === 0 && !this.#isClosing) this.whenEmpty()
    }
  }

  /** Bytes that wait at the sender. */
  get waiting(): number {
    return this.#waitingBytes
  }

  /** Writes bytes, which belong to the stream from then on. */
  write(bytes: Buffer): void {
    if (this.#isClosing || this.end.isOver || bytes.length === 0) return
    this.#waiting.push({ bytes, writtenAt: this.#options.now() })
    this.#waitingBytes += bytes.length
    this.#pump()
  }

  /** Ends the stream when everything that waits has been sent. */
  close(): void {
    this.#isClosing = true
    this.end.willClose()
    this.#pump()
  }

  /** Ends the stream without what waits. */
  abort(): void {
    this.#waiting = []
    this.#waitingBytes = 0
    this.close()
  }

  #pump(): void {
    const { window, segmentation, random } = this.#options
    // Not a little at a time: TCP waits until half of the window is free.
    while (this.#waiting.length > 0 && this.#underWay <= window / 2) {
      const { bytes, writtenAt } = this.#waiting[0]!
      const room = Math.min(bytes.length, window - this.#underWay)
      const isCut = this.#cuts < cutsOfOneWrite && random.chance(segmentation)
      const length = isCut ? Math.min(room, 1 + random.below(shortPiece)) : room
      if (isCut) this.#cuts++
      if (length === bytes.length) {
        this.#waiting.shift()
        this.#cuts = 0
      } else {
        this.#waiting[0] = { bytes: bytes.subarray(length), writtenAt }
      }
      this.#waitingBytes -= length
      this.#underWay += length
      this.end.send({ bytes: bytes.subarray(0, length), writtenAt })
    }
    if (this.#waiting.length > 0 || !this.#isClosing) return
    this.end.close()
    this.whenClosed()
  }
}
