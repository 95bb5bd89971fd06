/** Property sets to bytes (section 2.2.2 of MQTT 5.0). */
import type { PropertyDefinition } from "./Property.ts"
import { definitions } from "./Property.ts"
import * as Utf8 from "./Utf8.ts"

/** Any property set. Keys whose value is undefined count as absent. */
export type Properties = object

const byName: ReadonlyMap<string, PropertyDefinition> = new Map(
  [
    ...definitions,
    { id: 0x0b, name: "subscriptionIdentifiers", type: "variableByteInteger" as const, carriers: [] }
  ].map((definition) => [definition.name, definition])
)

/** The number of bytes of a Variable Byte Integer (section 1.5.5). */
export const variableByteIntegerSize = (value: number): number =>
  value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : 4

/** Writes a Variable Byte Integer at `at` and returns where it ends. */
export const writeVariableByteInteger = (buffer: Buffer, at: number, value: number): number => {
  let rest = value
  while (rest >= 0x80) {
    buffer[at++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  buffer[at] = rest
  return at + 1
}

/** Writes a UTF-8 Encoded String with its length at `at` and returns where it ends. */
export const writeUtf8String = (buffer: Buffer, at: number, text: string): number => {
  const end = Utf8.write(buffer, at + 2, text)
  const length = end - at - 2
  buffer[at] = length >>> 8
  buffer[at + 1] = length
  return end
}

/** Writes Binary Data with its length at `at` and returns where it ends. */
export const writeBinaryData = (buffer: Buffer, at: number, data: Uint8Array): number => {
  buffer[at] = data.length >>> 8
  buffer[at + 1] = data.length
  buffer.set(data, at + 2)
  return at + 2 + data.length
}

/** The bytes of a string in UTF-8 with its length before it. Throws when it is too long for that length. */
export const utf8StringSize = (text: string): number => {
  const length = Utf8.byteLength(text)
  if (length > 0xffff) throw new RangeError(`a string of ${length} bytes does not fit in a packet`)
  return length + 2
}

/** The bytes of Binary Data with its length before it. Throws when it is too long for that length. */
export const binaryDataSize = (data: Uint8Array): number => {
  if (data.length > 0xffff) throw new RangeError(`binary data of ${data.length} bytes do not fit in a packet`)
  return data.length + 2
}

/** The bytes of the properties without the Property Length. */
export const propertiesLength = (properties: Properties | undefined): number => {
  if (properties === undefined) return 0
  let length = 0
  for (const name in properties) {
    const definition = byName.get(name)
    const value = properties[name as keyof Properties] as unknown
    if (definition === undefined || value === undefined) continue
    switch (definition.type) {
      case "byte":
        length += 2
        break
      case "twoByteInteger":
        length += 3
        break
      case "fourByteInteger":
        length += 5
        break
      case "variableByteInteger":
        if (typeof value === "number") length += 1 + variableByteIntegerSize(value)
        else for (const each of value as ReadonlyArray<number>) length += 1 + variableByteIntegerSize(each)
        break
      case "utf8String":
        length += 1 + utf8StringSize(value as string)
        break
      case "binaryData":
        length += 1 + binaryDataSize(value as Uint8Array)
        break
      case "utf8StringPair":
        for (const [key, text] of value as ReadonlyArray<readonly [string, string]>) {
          length += 1 + utf8StringSize(key) + utf8StringSize(text)
        }
    }
  }
  return length
}

/** Writes the Property Length and the properties at `start` and returns where they end. */
export const writeProperties = (buffer: Buffer, start: number, properties: Properties | undefined): number => {
  let at = start + 1
  for (const name in properties) {
    const definition = byName.get(name)
    const value = properties[name as keyof Properties] as unknown
    if (definition !== undefined && value !== undefined) at = writeProperty(buffer, at, definition, value)
  }
  const length = at - start - 1
  if (length < 0x80) {
    buffer[start] = length
    return at
  }
  // The length, known only now, takes more than the byte left for it.
  const shift = variableByteIntegerSize(length) - 1
  buffer.copyWithin(start + 1 + shift, start + 1, at)
  writeVariableByteInteger(buffer, start, length)
  return at + shift
}

const writeProperty = (buffer: Buffer, start: number, definition: PropertyDefinition, value: unknown): number => {
  const id = definition.id
  let at = start
  switch (definition.type) {
    case "byte":
      buffer[at] = id
      buffer[at + 1] = value as number
      return at + 2
    case "twoByteInteger":
      buffer[at] = id
      return buffer.writeUInt16BE(value as number, at + 1)
    case "fourByteInteger":
      buffer[at] = id
      return buffer.writeUInt32BE(value as number, at + 1)
    case "variableByteInteger":
      for (const each of typeof value === "number" ? [value] : (value as ReadonlyArray<number>)) {
        buffer[at] = id
        at = writeVariableByteInteger(buffer, at + 1, each)
      }
      return at
    case "utf8String":
      buffer[at] = id
      return writeUtf8String(buffer, at + 1, value as string)
    case "binaryData":
      buffer[at] = id
      return writeBinaryData(buffer, at + 1, value as Uint8Array)
    case "utf8StringPair":
      for (const [key, text] of value as ReadonlyArray<readonly [string, string]>) {
        buffer[at] = id
        at = writeUtf8String(buffer, at + 1, key)
        at = writeUtf8String(buffer, at, text)
      }
      return at
  }
}
