/**
 * What one pass has to say to one connection, sent as one write. A frame is a stretch of some buffer: of the chunk that
 * it came in, or of a writer's slab. Stretches that follow one another in the same buffer become one, so a row of
 * frames that is forwarded as it came costs no copy at all.
 */
import type { Socket } from "../Transport.ts"

/** Below this many bytes, several stretches are copied into one buffer; above, they are sent from where they lie. */
const copiedBytes = 64 * 1024

export class Outbox {
  #buffers: Array<Buffer> = []
  #starts: Array<number> = []
  #ends: Array<number> = []
  #count = 0
  /** Bytes to be sent. */
  bytes = 0

  /** Adds the bytes of `buffer` from `start` to before `end`; they may not change any more. */
  append(buffer: Buffer, start: number, end: number): void {
    const last = this.#count - 1
    this.bytes += end - start
    if (last >= 0 && this.#ends[last] === start && this.#buffers[last] === buffer) {
      this.#ends[last] = end
      return
    }
    this.#buffers[this.#count] = buffer
    this.#starts[this.#count] = start
    this.#ends[this.#count] = end
    this.#count++
  }

  /** Sends everything and is empty again. */
  flush(socket: Socket): void {
    const count = this.#count
    if (count === 1) {
      socket.write([this.#buffers[0]!.subarray(this.#starts[0], this.#ends[0])])
    } else if (this.bytes <= copiedBytes) {
      const joined = Buffer.allocUnsafe(this.bytes)
      let at = 0
      for (let i = 0; i < count; i++) at += this.#buffers[i]!.copy(joined, at, this.#starts[i], this.#ends[i])
      socket.write([joined])
    } else {
      const views: Array<Uint8Array> = []
      for (let i = 0; i < count; i++) views.push(this.#buffers[i]!.subarray(this.#starts[i], this.#ends[i]))
      socket.write(views)
    }
    // Held no longer than needed: a stretch keeps its whole buffer alive.
    this.#buffers.length = 0
    this.#count = 0
    this.bytes = 0
  }
}
