/** A notation for packets as raw bytes, so that a malformed one can be written down with a comment a byte. */

const token = /--[^\n]*|'([^']*)'|"([^"]*)"|([0-9a-fA-F]+)|(\S)/g

/** Two bytes, most significant first (section 1.5.2). */
export const uint16 = (n: number): Buffer => Buffer.from([n >> 8, n & 0xff])

/** A Variable Byte Integer of one to four bytes (section 1.5.5). */
export const variableByteInteger = (n: number): Buffer => {
  const out: Array<number> = []
  let rest = n
  do {
    const digit = rest % 128
    rest = Math.floor(rest / 128)
    out.push(rest > 0 ? digit | 0x80 : digit)
  } while (rest > 0)
  return Buffer.from(out)
}

/** A UTF-8 Encoded String: two length bytes and the text (section 1.5.4). */
export const utf8String = (text: string): Buffer => {
  const data = Buffer.from(text)
  return Buffer.concat([uint16(data.length), data])
}

const notation = (text: string): Array<Buffer> => {
  const out: Array<Buffer> = []
  for (const [whole, string, rawText, hex, other] of text.matchAll(token)) {
    if (string !== undefined) out.push(utf8String(string))
    else if (rawText !== undefined) out.push(Buffer.from(rawText))
    else if (hex !== undefined && hex.length % 2 === 0) out.push(Buffer.from(hex, "hex"))
    else if (other !== undefined || hex !== undefined) throw new Error(`not bytes: ${whole}`)
  }
  return out
}

/**
 * Bytes as written: pairs of hexadecimal digits, `"text"` for the bytes of a text, `'text'` for a UTF-8 string with
 * its two length bytes, `${buffer}` for bytes from elsewhere, and a comment from `--` to the end of the line.
 */
export const bytes = (texts: TemplateStringsArray, ...buffers: ReadonlyArray<Buffer>): Buffer =>
  Buffer.concat(texts.flatMap((text, i) => [...notation(text), buffers[i] ?? Buffer.alloc(0)]))

/** One packet in the notation of `bytes`, without its Remaining Length, which is put in after the first byte. */
export const packet = (texts: TemplateStringsArray, ...buffers: ReadonlyArray<Buffer>): Buffer => {
  const all = bytes(texts, ...buffers)
  return Buffer.concat([all.subarray(0, 1), variableByteInteger(all.length - 1), all.subarray(1)])
}
