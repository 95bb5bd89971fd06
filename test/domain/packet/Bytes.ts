/** Bytes and packets in the forms that tests write and compare. */

/** A byte, a string in UTF-8, or several of them. */
export type Part = number | string | ReadonlyArray<Part>

/** The bytes of the parts. */
export const bytes = (...parts: ReadonlyArray<Part>): Buffer =>
  Buffer.concat(
    parts.map((part) =>
      typeof part === "string" ? Buffer.from(part) : typeof part === "number" ? Buffer.of(part) : bytes(...part)
    )
  )

/** The value with every Buffer and Uint8Array as a plain Uint8Array, which compares by its bytes alone. */
export const plain = (value: unknown): unknown => {
  if (value instanceof Uint8Array) return Uint8Array.from(value)
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== "object" || value === null || value instanceof Error) return value
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, plain(each)]))
}
