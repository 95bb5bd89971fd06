/**
 * The broker's log on stderr: lines for people on a terminal, JSON lines elsewhere.
 *
 * A log call gives one message and at most one object with the details: `Effect.logInfo("connected", { clientId })`.
 * What clients chose (ids, topics) comes in the details and is escaped, so that nobody can write a line of their own.
 */
import { Cause, Effect, Formatter, Layer, Logger, type LogLevel, References } from "effect"
import type { Config } from "../domain/config/Config.ts"
import { Configuration } from "../services/Configuration.ts"

const levels: Readonly<Record<Config["log"]["level"], LogLevel.LogLevel>> = {
  trace: "Trace",
  debug: "Debug",
  info: "Info",
  warn: "Warn",
  error: "Error",
  fatal: "Fatal",
  none: "None"
}

const colours: Readonly<Partial<Record<LogLevel.LogLevel, string>>> = {
  Trace: "2",
  Debug: "2",
  Info: "32",
  Warn: "33",
  Error: "31",
  Fatal: "1;31"
}

/** What one log call says, with its parts sorted out. */
interface Entry {
  readonly message: string
  readonly details: Readonly<Record<string, unknown>>
}

const entryOf = ({ message, cause, fiber }: Logger.Options<unknown>): Entry => {
  const details: Record<string, unknown> = { ...fiber.getRef(References.CurrentLogAnnotations) }
  const words: Array<string> = []
  for (const part of Array.isArray(message) ? message : [message]) {
    if (typeof part === "object" && part !== null && !(part instanceof Error)) Object.assign(details, part)
    else words.push(typeof part === "string" ? part : Formatter.format(part))
  }
  if (cause.reasons.length > 0) details["cause"] = Cause.pretty(cause)
  return { message: words.join(" "), details }
}

/** Anything that could move a terminal's cursor, as an escape that can be read. */
const printable = (text: string): string =>
  text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (char) => `\\u${char.codePointAt(0)!.toString(16).padStart(4, "0")}`)

const showDetail = (value: unknown): string => {
  const text = typeof value === "string" ? value : Formatter.formatJson(value)
  return printable(typeof value === "string" && !/^[^\s"=]+$/.test(text) ? JSON.stringify(text) : text)
}

/** A line for people: `12:34:56.789 INFO  listening host=0.0.0.0 port=1883`; a cause follows on lines of its own. */
const human = (colour: boolean) =>
  Logger.make<unknown, string>((options) => {
    const paint = (code: string, text: string) => (colour ? `\u001b[${code}m${text}\u001b[0m` : text)
    const { message, details } = entryOf(options)
    const { cause, ...rest } = details
    const words = Object.entries(rest).map(([name, value]) => paint("2", ` ${name}=${showDetail(value)}`))
    const level = paint(colours[options.logLevel] ?? "0", options.logLevel.toUpperCase().padEnd(5))
    const time = paint("2", options.date.toTimeString().slice(0, 8) + options.date.toISOString().slice(19, 23))
    const trace = cause === undefined ? "" : `\n${String(cause).split("\n").map(printable).join("\n")}`
    return `${time} ${level} ${printable(message)}${words.join("")}${trace}`
  })

/** A line for programs: `{"time":"…","level":"info","message":"listening","port":1883}`. */
const json = Logger.make<unknown, string>((options) => {
  const { message, details } = entryOf(options)
  const head = { time: options.date.toISOString(), level: options.logLevel.toLowerCase(), message }
  // First, and not to be replaced by a detail of the same name.
  return Formatter.formatJson(Object.assign({ ...head }, details, head))
})

/** A place to log to, and what is known of it. */
export interface Output {
  readonly write: (line: string) => void
  readonly isTerminal: boolean
  readonly colour: boolean
}

/** The process's stderr; colour on a terminal unless `NO_COLOR` is set. */
const stderr = (): Output => {
  const isTerminal = process.stderr.isTTY === true
  const noColour = process.env["NO_COLOR"] ?? ""
  return {
    write: (line) => void process.stderr.write(`${line}\n`),
    isTerminal,
    colour: isTerminal && noColour === ""
  }
}

/** The logger for a format and an output. */
export const loggerFor = (format: Config["log"]["format"], output: Output): Logger.Logger<unknown, void> => {
  const forPeople = format === "human" || (format === "auto" && output.isTerminal)
  return Logger.map(forPeople ? human(output.colour) : json, output.write)
}

/** Logs as `log.level` and `log.format` say. */
export const layer: Layer.Layer<never, never, Configuration> = Layer.unwrap(
  Effect.map(Configuration, ({ config }) =>
    Layer.mergeAll(
      Logger.layer([loggerFor(config.log.format, stderr())]),
      Layer.succeed(References.MinimumLogLevel, levels[config.log.level])
    )
  )
)
