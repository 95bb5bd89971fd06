/**
 * How `mqttzoo sub -F` prints a message: a text with `%` sequences for what the message says, `@` sequences for the time
 * when it came, and `\` escapes. They are those of mosquitto_sub.
 *
 * A `%` sequence may have, in this order: `-` to align it left, `0` to fill numbers and payloads with zeros, its least
 * width, and `.` with the most that is printed of a text or a payload.
 */
import { Option, Result, Schema } from "effect"
import type { Publish } from "../packet/Packet.ts"
import type { ByteSink } from "./ByteSink.ts"
import { messageJson } from "./MessageJson.ts"
import { converted, isoTime, type Moment, unixTime } from "./Moment.ts"

/** A format that cannot be understood. */
export class FormatError extends Schema.TaggedError<FormatError>()("FormatError", { detail: Schema.String }) {
  override get message() {
    return `the format ${this.detail}`
  }
}

interface Layout {
  readonly isLeft: boolean
  readonly isZero: boolean
  readonly width: number
  readonly maximum: number | undefined
}

type Part =
  | { readonly _tag: "Text"; readonly text: string }
  | { readonly _tag: "Time"; readonly letter: string }
  | ({ readonly _tag: "Field"; readonly letter: string } & Layout)

/** A format that was understood. */
export type Template = ReadonlyArray<Part>

const escapes: Readonly<Record<string, string>> = {
  "\\": "\\",
  "0": "\0",
  a: "\x07",
  e: "\x1b",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v"
}

const letters = "%ACDEFIJPRSUXdfjlmpqrtx"

const sequence = /%(-?)(0?)(\d*)(?:\.(\d*))?(.?)|@(.?)|\\(.?)|[^%@\\]+/gsu

/** Widths beyond this make no sense and would only eat memory. */
const maximumWidth = 10_000

/** Reads a format. */
export const parse = (format: string): Result.Result<Template, FormatError> => {
  const parts: Array<Part> = []
  for (const [text, align, zero, width = "", maximum, letter, time, escape] of format.matchAll(sequence)) {
    if (letter !== undefined) {
      if (letter === "") return refused('ends within a "%" sequence')
      if (!letters.includes(letter)) return refused(`has no sequence ${JSON.stringify(text)}`)
      if (Number(width) > maximumWidth) return refused(`has a width over ${maximumWidth}`)
      const layout = {
        isLeft: align === "-",
        isZero: zero === "0",
        width: Number(width),
        maximum: maximum === undefined ? undefined : Number(maximum)
      }
      parts.push({ _tag: "Field", letter, ...layout })
    } else if (time !== undefined) {
      if (time === "") return refused('ends with "@"')
      parts.push(time === "@" ? { _tag: "Text", text: "@" } : { _tag: "Time", letter: time })
    } else if (escape !== undefined) {
      const character = Object.hasOwn(escapes, escape) ? escapes[escape] : undefined
      if (escape === "") return refused('ends with "\\"')
      if (character === undefined) return refused(`has no escape ${JSON.stringify(text)}`)
      parts.push({ _tag: "Text", text: character })
    } else {
      parts.push({ _tag: "Text", text })
    }
  }
  return Result.succeed(parts)
}

const refused = (detail: string) => Result.fail(new FormatError({ detail }))

/** A message with the moment when it came. */
export interface Arrival {
  readonly message: Publish
  readonly moment: Moment
}

/** Prints a message; false when it has a `%J` and its payload is not JSON, which leaves that sequence out. */
export const render = (template: Template, arrival: Arrival, isPretty: boolean, sink: ByteSink): boolean => {
  let isComplete = true
  for (const part of template) {
    if (part._tag === "Text") sink.text(part.text)
    else if (part._tag === "Time") sink.text(converted(part.letter, arrival.moment))
    else if (!renderField(part.letter, part, arrival, isPretty, sink)) isComplete = false
  }
  return isComplete
}

const renderField = (
  letter: string,
  layout: Layout,
  { message, moment }: Arrival,
  isPretty: boolean,
  sink: ByteSink
): boolean => {
  const { topic, payload, qos, retain, packetId, properties } = message
  switch (letter) {
    case "%":
      sink.text("%")
      return true
    case "A":
      return number(properties?.topicAlias, layout, sink)
    case "C":
      return text(properties?.contentType, layout, sink)
    case "D":
      return bytes(properties?.correlationData, layout, sink)
    case "d":
      return float(payload, 8, layout, sink)
    case "E":
      return number(properties?.messageExpiryInterval, layout, sink)
    case "F":
      return number(properties?.payloadFormatIndicator, layout, sink)
    case "f":
      return float(payload, 4, layout, sink)
    case "I":
      return text(isoTime(moment), layout, sink)
    case "J":
    case "j": {
      const json = messageJson(message, moment, letter === "J" ? "json" : "text", isPretty)
      sink.text(Option.getOrElse(json, () => ""))
      return Option.isSome(json)
    }
    case "l":
      return number(payload.length, layout, sink)
    case "m":
      return number(packetId, layout, sink)
    case "P":
      sink.text((properties?.userProperties ?? []).map(([name, value]) => `${name}:${value}`).join(" "))
      return true
    case "p":
      return bytes(payload, layout, sink)
    case "q":
      sink.text(String(qos))
      return true
    case "R":
      return text(properties?.responseTopic, layout, sink)
    case "r":
      sink.text(retain ? "1" : "0")
      return true
    case "S":
      return number(properties?.subscriptionIdentifiers?.[0], layout, sink)
    case "t":
      return text(topic, layout, sink)
    case "U":
      return text(unixTime(moment), layout, sink)
    case "x":
      return padded(hex(payload), layout, sink)
    default:
      return padded(hex(payload).toUpperCase(), layout, sink)
  }
}

const hex = (payload: Uint8Array): string =>
  Buffer.from(payload.buffer, payload.byteOffset, payload.length).toString("hex")

/** A text is never filled with zeros. */
const text = (value: string | undefined, layout: Layout, sink: ByteSink): true =>
  padded(value ?? "", { ...layout, isZero: false }, sink)

/** A number is never cut; one that is not there leaves its width. */
const number = (value: number | undefined, layout: Layout, sink: ByteSink): true =>
  padded(value === undefined ? "" : String(value), { ...layout, maximum: undefined }, sink)

const padded = (value: string, { isLeft, isZero, width, maximum }: Layout, sink: ByteSink): true => {
  const shown = maximum === undefined ? value : value.slice(0, maximum)
  sink.text(isLeft ? shown.padEnd(width) : shown.padStart(width, isZero ? "0" : " "))
  return true
}

const bytes = (value: Uint8Array | undefined, { isLeft, isZero, width, maximum }: Layout, sink: ByteSink): true => {
  const shown = value?.subarray(0, maximum) ?? new Uint8Array()
  const fill = Math.max(0, width - shown.length)
  if (!isLeft) sink.text((isZero ? "0" : " ").repeat(fill))
  sink.bytes(shown)
  if (isLeft) sink.text(" ".repeat(fill))
  return true
}

/** A payload that is one little-endian number of `size` bytes; the maximum is its decimals. */
const float = (payload: Uint8Array, size: 4 | 8, layout: Layout, sink: ByteSink): true => {
  if (payload.length !== size) return padded("", layout, sink)
  const view = new DataView(payload.buffer, payload.byteOffset, size)
  const value = size === 4 ? view.getFloat32(0, true) : view.getFloat64(0, true)
  const digits = value.toFixed(Math.min(layout.maximum ?? 6, 100))
  if (layout.isZero && !layout.isLeft && digits.startsWith("-")) {
    sink.text("-")
    return padded(digits.slice(1), { ...layout, width: layout.width - 1, maximum: undefined }, sink)
  }
  return padded(digits, { ...layout, maximum: undefined }, sink)
}
