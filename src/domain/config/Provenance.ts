/**
 * Puts a configuration together from its sources, the later ones winning key by key, and remembers for every key
 * where its value came from. Nothing is guessed: an unknown key and a bad value are problems, and all of them are
 * found at once, also where a later source would have hidden them.
 */
import { Result, Schema } from "effect"
import type { Config } from "./Config.ts"
import * as Key from "./Key.ts"

/** A place that values come from. */
export type Source =
  /** A tree as a YAML or JSON file holds it. */
  | { readonly kind: "document"; readonly name: string; readonly content: unknown }
  /** One value as text, for one key: a variable or a flag. */
  | {
      readonly kind: "text"
      readonly name: string
      readonly key: string
      readonly value: string
      /** Whether the value must never be shown: it came from a file of its own, as passwords do. */
      readonly secret: boolean
    }

/** One thing that is wrong: the source, the key (empty when it is about the whole source), and the rest of the sentence. */
export const Problem = Schema.Struct({
  source: Schema.String,
  key: Schema.String,
  complaint: Schema.String
})
export type Problem = typeof Problem.Type

/** The configuration cannot be used. The message has a line for each problem. */
export class ConfigError extends Schema.TaggedError<ConfigError>()("ConfigError", {
  problems: Schema.Array(Problem)
}) {
  override get message(): string {
    return this.problems.map(describe).join("\n")
  }
}

/** A problem in one line: `file mqttzoo.yaml: listeners.tcp.port is 70000; allowed: a whole number from 0 to 65535`. */
const describe = ({ source, key, complaint }: Problem): string =>
  key === "" ? `${source} ${complaint}` : `${source}: ${key} ${complaint}`

/** Where a key's value came from, and the value as it would be written in a file. */
export interface Origin {
  readonly key: string
  readonly value: unknown
  readonly source: string
  readonly secret: boolean
}

/** A complete configuration and the origin of each of its values, in the order of the keys. */
export interface Resolved {
  readonly config: Config
  readonly origins: ReadonlyArray<Origin>
}

/** The source of what nobody set. */
export const defaultSource = "default"

/** What stands for a value that must not be shown. */
export const hidden = "(hidden)"

/** A value that was found for a key. */
interface Found {
  readonly key: Key.Key
  readonly value: unknown
  readonly source: string
  readonly secret: boolean
}

/** Shows a value of any shape in a few words. */
const show = (value: unknown): string => {
  if (value === null || value === undefined) return "empty"
  if (Array.isArray(value)) return "a list"
  if (typeof value === "object") return "a mapping"
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}

const isMapping = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** The complaint about a path that is no key: it names a group, or there is a key that was meant. */
const notAKey = (path: ReadonlyArray<string>): string => {
  const below = Key.namesBelow(path)
  if (below.length > 0) return `is not a key but a group; its keys: ${below.join(", ")}`
  const parent = path.slice(0, -1)
  const siblings = Key.namesBelow(parent)
  const sibling = Key.nearest(path.at(-1)!, siblings)
  const meant =
    sibling === undefined
      ? Key.keys.find((key) => key.path.at(-1) === path.at(-1))?.name
      : [...parent, sibling].join(".")
  if (meant !== undefined) return `is not a known key; did you mean ${meant}?`
  return siblings.length === 0 ? "is not a known key" : `is not a known key; known here: ${siblings.join(", ")}`
}

/** Walks a document and hands over the value of every key in it. */
const walk = (
  source: string,
  content: unknown,
  path: ReadonlyArray<string>,
  found: Array<Found>,
  problems: Array<Problem>
): void => {
  // A group whose lines are all comments reads as empty.
  if (content === null) return
  if (!isMapping(content)) {
    const complaint = `is ${show(content)}; allowed: a mapping with the keys ${Key.namesBelow(path).join(", ")}`
    problems.push({ source, key: path.join("."), complaint })
    return
  }
  for (const [level, value] of Object.entries(content)) {
    const here = [...path, level]
    const name = here.join(".")
    const key = Key.byName.get(name)
    if (level.includes(".")) {
      problems.push({ source, key: name, complaint: "is one key with dots; write its levels one below the other" })
    } else if (key !== undefined) found.push({ key, value, source, secret: false })
    else if (Key.namesBelow(here).length > 0) walk(source, value, here, found, problems)
    else problems.push({ source, key: name, complaint: notAKey(here) })
  }
}

/** Reads a value that a file holds, or a text from a variable or a flag, by the key's Schema. */
const decode = (
  { key, value, secret, source }: Found,
  reads: (input: unknown) => Result.Result<unknown, unknown>
): Result.Result<unknown, Problem> =>
  Result.mapError(reads(value), () => ({
    source,
    key: key.name,
    complaint: `is ${secret ? hidden : show(value)}; allowed: ${key.documentation.allowed}`
  }))

const nest = (values: ReadonlyMap<Key.Key, unknown>): unknown => {
  const root: Record<string, unknown> = {}
  for (const [{ path }, value] of values) {
    let group = root
    for (const level of path.slice(0, -1)) group = (group[level] ??= {}) as Record<string, unknown>
    group[path.at(-1)!] = value
  }
  return root
}

/**
 * Merges the sources over the defaults. `machine` has the defaults that only the machine knows, by key: today the
 * `id`, which is the host's name.
 */
export const resolve = (
  sources: ReadonlyArray<Source>,
  machine: Readonly<Record<"id", string>>
): Result.Result<Resolved, ConfigError> => {
  const problems: Array<Problem> = []
  const values = new Map<Key.Key, unknown>()
  const origins = new Map<Key.Key, Origin>()

  const take = (found: Found, reads: (input: unknown) => Result.Result<unknown, unknown>): void => {
    const decoded = decode(found, reads)
    if (Result.isFailure(decoded)) {
      problems.push(decoded.failure)
      return
    }
    const { key, source, secret } = found
    values.set(key, decoded.success)
    origins.set(key, { key: key.name, value: Schema.encodeSync(key.schema)(decoded.success), source, secret })
  }

  for (const key of Key.keys) {
    const value = key.documentation.default ?? (key.name === "id" ? machine.id : undefined)
    take({ key, value, source: defaultSource, secret: false }, Schema.decodeUnknownResult(key.schema))
  }
  for (const source of sources) {
    if (source.kind === "document") {
      const found: Array<Found> = []
      walk(source.name, source.content, [], found, problems)
      for (const one of found) take(one, Schema.decodeUnknownResult(one.key.schema))
      continue
    }
    const key = Key.byName.get(source.key)
    if (key === undefined) {
      problems.push({ source: source.name, key: source.key, complaint: notAKey(source.key.split(".")) })
      continue
    }
    const { value, name, secret } = source
    take({ key, value, source: name, secret }, Schema.decodeUnknownResult(Schema.toCodecStringTree(key.schema)))
  }
  if (problems.length > 0) return Result.fail(new ConfigError({ problems }))
  return Result.succeed({ config: nest(values) as Config, origins: Key.keys.map((key) => origins.get(key)!) })
}
