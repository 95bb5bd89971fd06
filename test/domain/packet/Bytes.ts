/** Bytes and packets in the forms that assertions compare. */

/** The value with every Buffer and Uint8Array as a plain Uint8Array, which compares by its bytes alone. */
export const plain = (value: unknown): unknown => {
  if (value instanceof Uint8Array) return Uint8Array.from(value)
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== "object" || value === null || value instanceof Error) return value
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, plain(each)]))
}
