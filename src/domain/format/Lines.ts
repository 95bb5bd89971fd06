/** The lines of a text that comes in chunks, as bytes: a line may be cut anywhere, and the last may lack its end. */

const newline = 0x0a

export class LineSplitter {
  /** What has come of a line whose end has not. */
  #rest: Array<Uint8Array> = []

  /** The lines that the chunk completes, without their `\n`. */
  push(chunk: Uint8Array): ReadonlyArray<Uint8Array> {
    const lines: Array<Uint8Array> = []
    let start = 0
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      const line = chunk.subarray(start, end)
      lines.push(this.#rest.length === 0 ? line : this.#joined(line))
      start = end + 1
    }
    if (start < chunk.length) this.#rest.push(chunk.subarray(start))
    return lines
  }

  /** The last line, if it has no `\n`. */
  end(): ReadonlyArray<Uint8Array> {
    return this.#rest.length === 0 ? [] : [this.#joined(new Uint8Array())]
  }

  #joined(line: Uint8Array): Uint8Array {
    const joined = Buffer.concat([...this.#rest, line])
    this.#rest = []
    return joined
  }
}
