/**
 * A stable hash of strings: the same on every broker, at every version of this project.
 */

const offsetBasis = 0x811c9dc5
const prime = 0x01000193

/** FNV-1a over the UTF-8 bytes of a string: an unsigned 32-bit integer. Fast and stable, not secure. */
export const fnv1a = (s: string): number => {
  let hash = offsetBasis
  for (let at = 0; at < s.length; at++) {
    const unit = s.charCodeAt(at)
    if (unit >= 0x80) return fnv1aBytes(Buffer.from(s))
    hash = Math.imul(hash ^ unit, prime)
  }
  return hash >>> 0
}

const fnv1aBytes = (bytes: Uint8Array): number => {
  let hash = offsetBasis
  for (const byte of bytes) hash = Math.imul(hash ^ byte, prime)
  return hash >>> 0
}
