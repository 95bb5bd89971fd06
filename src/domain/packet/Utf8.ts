/** UTF-8 Encoded Strings (section 1.5.4): well-formed UTF-8 without U+0000. */

/** True when the bytes from `start` to before `end` are well-formed UTF-8 without U+0000 [MQTT-1.5.4-1, 1.5.4-2]. */
const isWellFormed = (bytes: Uint8Array, start: number, end: number): boolean => {
  let at = start
  while (at < end) {
    const lead = bytes[at]!
    if (lead < 0x80) {
      if (lead === 0) return false
      at++
      continue
    }
    // The second byte's range shuts out overlong forms, surrogates and code points above U+10FFFF (RFC 3629 section 4).
    let length = 2
    let lowest = 0x80
    let highest = 0xbf
    if (lead >= 0xc2 && lead <= 0xdf) length = 2
    else if (lead >= 0xe0 && lead <= 0xef) {
      length = 3
      if (lead === 0xe0) lowest = 0xa0
      else if (lead === 0xed) highest = 0x9f
    } else if (lead >= 0xf0 && lead <= 0xf4) {
      length = 4
      if (lead === 0xf0) lowest = 0x90
      else if (lead === 0xf4) highest = 0x8f
    } else return false
    if (at + length > end) return false
    const second = bytes[at + 1]!
    if (second < lowest || second > highest) return false
    if (length > 2 && (bytes[at + 2]! & 0xc0) !== 0x80) return false
    if (length > 3 && (bytes[at + 3]! & 0xc0) !== 0x80) return false
    at += length
  }
  return true
}

/** The string in the bytes from `start` to before `end`, a byte order mark kept [MQTT-1.5.4-3]; undefined if ill-formed. */
export const decode = (bytes: Buffer, start: number, end: number): string | undefined => {
  let at = start
  while (at < end && bytes[at]! > 0 && bytes[at]! < 0x80) at++
  if (at === end) return bytes.toString("latin1", start, end)
  return isWellFormed(bytes, at, end) ? bytes.toString("utf8", start, end) : undefined
}

/** Up to this many characters a loop is faster than a call out of JavaScript. */
const shortText = 16

/** The number of bytes of a string in UTF-8. */
export const byteLength = (text: string): number => {
  const length = text.length
  if (length > shortText) return Buffer.byteLength(text)
  for (let i = 0; i < length; i++) if (text.charCodeAt(i) >= 0x80) return Buffer.byteLength(text)
  return length
}

/** Writes a string in UTF-8 at `at`, where there must be room, and returns where it ends. */
export const write = (bytes: Buffer, at: number, text: string): number => {
  const length = text.length
  if (length > shortText) return at + bytes.write(text, at)
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i)
    if (code >= 0x80) return at + bytes.write(text, at)
    bytes[at + i] = code
  }
  return at + length
}
