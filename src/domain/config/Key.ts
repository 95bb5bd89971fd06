/**
 * The keys of the configuration as paths: `listeners.tcp.port`, and the same as the variable
 * `MQTTZOO_LISTENERS__TCP__PORT`.
 */
import type { Schema } from "effect"
import { Config } from "./Config.ts"
import { type Documentation, documentationOf } from "./Setting.ts"

/** One setting, with its place in the configuration. */
export interface Key {
  /** Its path with dots: `listeners.tcp.port`. */
  readonly name: string
  /** The same path as a list. */
  readonly path: ReadonlyArray<string>
  /** Reads its value from what a file holds, and writes it back. */
  readonly schema: Schema.Codec<unknown, unknown>
  /** What people are told about it. */
  readonly documentation: Documentation
}

const collect = (fields: Schema.Struct.Fields, path: ReadonlyArray<string>): ReadonlyArray<Key> =>
  Object.entries(fields).flatMap(([name, schema]) => {
    const here = [...path, name]
    if ("fields" in schema) return collect(schema.fields as Schema.Struct.Fields, here)
    const documentation = documentationOf(schema)
    // A leaf is made by `Setting.ts`, and those all decode from what a file can hold; the type of a field says less.
    return documentation === undefined
      ? []
      : [{ name: here.join("."), path: here, schema: schema as unknown as Key["schema"], documentation }]
  })

/** Every key, in the order in which the configuration declares them. */
export const keys: ReadonlyArray<Key> = collect(Config.fields, [])

/** Every key by its name. */
export const byName: ReadonlyMap<string, Key> = new Map(keys.map((key) => [key.name, key]))

/** The names directly below a path: keys and groups. Empty when the path is not a group. */
export const namesBelow = (path: ReadonlyArray<string>): ReadonlyArray<string> => [
  ...new Set(
    keys
      .filter((key) => key.path.length > path.length && path.every((level, at) => key.path[at] === level))
      .map((key) => key.path[path.length]!)
  )
]

/** What every variable that configures a broker begins with. */
export const variablePrefix = "MQTTZOO_"

/** The variable that sets a key: levels are joined by `__`, the words of a level by `_`. */
export const variableOf = (key: Key): string =>
  variablePrefix + key.path.map((level) => level.replace(/(?<=[a-z0-9])(?=[A-Z])/g, "_").toUpperCase()).join("__")

/** What two spellings of one variable have in common: case and single underscores do not count. */
const spelling = (variable: string): string => variable.toLowerCase().replace(/(?<!_)_(?!_)/g, "")

const byVariable: ReadonlyMap<string, Key> = new Map(keys.map((key) => [spelling(variableOf(key)), key]))

/** The key that a variable sets, whatever its case: `MQTTZOO_LIMITS__MAXIMUM_PACKET_SIZE` is `limits.maximumPacketSize`. */
export const ofVariable = (variable: string): Key | undefined => byVariable.get(spelling(variable))

/** How many letters have to be inserted, removed or replaced to turn one word into the other. */
const distance = (from: string, to: string): number => {
  let row = Array.from({ length: to.length + 1 }, (_, at) => at)
  for (let i = 1; i <= from.length; i++) {
    const next = [i]
    for (let j = 1; j <= to.length; j++) {
      const replaced = row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[to.length]!
}

/** The candidate that a misspelt word most likely meant, if one is near: at most half of its letters, and five, differ. */
export const nearest = (word: string, candidates: ReadonlyArray<string>): string | undefined => {
  let best: string | undefined
  let least = Math.min(5, Math.max(1, Math.floor(word.length / 2))) + 1
  // Nobody meant a key by a word of a hundred letters, and comparing costs their product.
  for (const candidate of word.length > 100 ? [] : candidates) {
    const apart = distance(word.toLowerCase(), candidate.toLowerCase())
    if (apart < least) {
      best = candidate
      least = apart
    }
  }
  return best
}
