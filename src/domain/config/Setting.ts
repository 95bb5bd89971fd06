/**
 * What a setting of the configuration can be. Each is a Schema that also carries its documentation, so that the
 * decoder, the error messages, the JSON Schema and the page in `docs/` all speak from one place.
 */
import { Duration, Effect, Schema, SchemaIssue, SchemaTransformation } from "effect"
import * as Quantity from "./Quantity.ts"

/** What people are told about a setting. */
export interface Documentation {
  /** What it does, in a sentence or two. */
  readonly description: string
  /** Its value when nobody sets it, as it would be written in the file; `undefined` where only the machine knows it. */
  readonly default: string | number | boolean | undefined
  /** Which values are allowed, to follow the words "allowed:". */
  readonly allowed: string
}

/** The documentation that the functions below put on a Schema; `undefined` for any other Schema. */
export const documentationOf = (schema: Schema.Constraint): Documentation | undefined =>
  Schema.resolveAnnotations(schema)?.["setting"] as Documentation | undefined

/** The part of the documentation that a setting gives for itself. */
interface Told<A> {
  readonly description: string
  readonly default: A
}

/** A line of text. `allowed` says which, in words. */
export const text = (
  told: Told<string> | { readonly description: string },
  rule: { readonly allowed: string; readonly pattern: RegExp }
) => {
  const fallback = "default" in told ? told.default : undefined
  return Schema.String.check(Schema.isPattern(rule.pattern)).annotate({
    description: told.description,
    ...(fallback === undefined ? {} : { default: fallback }),
    setting: { description: told.description, default: fallback, allowed: rule.allowed }
  })
}

/** A whole number between two bounds, both included. */
export const count = (told: Told<number>, bounds: { readonly minimum: number; readonly maximum: number }) =>
  Schema.Int.check(Schema.isBetween(bounds)).annotate({
    ...told,
    setting: { ...told, allowed: `a whole number from ${bounds.minimum} to ${bounds.maximum}` }
  })

/** One of a few words. */
export const choice = <const Words extends ReadonlyArray<string>>(told: Told<Words[number]>, words: Words) =>
  Schema.Literals(words).annotate({ ...told, setting: { ...told, allowed: `one of ${words.join(", ")}` } })

/** Reads a quantity in a transformation; what the text is not is said by the setting's documentation. */
const readQuantity = (text: string, units: Quantity.Units): Effect.Effect<number, SchemaIssue.Issue> => {
  const value = Quantity.parse(text, units)
  return value === undefined ? Effect.fail(new SchemaIssue.InvalidValue()) : Effect.succeed(value)
}

/** A size, `"1 MiB"` or a number of bytes; decodes to a number of bytes. */
export const size = (told: Told<string>, bounds: { readonly minimum: number; readonly maximum: number }) => {
  const [least, most] = [Quantity.formatSize(bounds.minimum), Quantity.formatSize(bounds.maximum)]
  const allowed = `a number of bytes, or a size such as "64 KiB" or "1 MiB", from ${least} to ${most}`
  return Schema.Union([Schema.Natural, Schema.String.check(Schema.isPattern(Quantity.pattern(Quantity.sizeUnits)))])
    .annotate({ ...told })
    .pipe(
      Schema.decodeTo(
        Schema.Natural.check(Schema.isBetween(bounds)),
        SchemaTransformation.transformEffect<number, number | string>({
          decode: (input) =>
            typeof input === "number" ? Effect.succeed(input) : readQuantity(input, Quantity.sizeUnits),
          encode: (bytes) => Effect.succeed(Quantity.formatSize(bytes))
        })
      )
    )
    .annotate({ setting: { ...told, allowed } })
}

const isBetweenDurations = Schema.makeIsBetween({ order: Duration.Order })

/** A time span with its unit, `"10 seconds"` or `"500 ms"`; decodes to a Duration of whole milliseconds. */
export const duration = (told: Told<string>, bounds: { readonly minimum: string; readonly maximum: string }) => {
  const allowed = `a number with its unit (ms, seconds, minutes, hours, days), from ${bounds.minimum} to ${bounds.maximum}`
  const millis = (text: string) => Duration.millis(Quantity.parse(text, Quantity.durationUnits)!)
  return Schema.String.check(Schema.isPattern(Quantity.pattern(Quantity.durationUnits)))
    .annotate({ ...told })
    .pipe(
      Schema.decodeTo(
        Schema.Duration.check(isBetweenDurations({ minimum: millis(bounds.minimum), maximum: millis(bounds.maximum) })),
        SchemaTransformation.transformEffect<Duration.Duration, string>({
          decode: (text) => Effect.map(readQuantity(text, Quantity.durationUnits), Duration.millis),
          encode: (duration) => Effect.succeed(Quantity.formatDuration(Duration.toMillis(duration)))
        })
      )
    )
    .annotate({ setting: { ...told, allowed } })
}
