/**
 * `mqttzoo sub`: subscribes and prints the messages that come.
 */
import { Clock, type Duration, Effect, Option, Result } from "effect"
import { Command, Flag } from "effect/cli"
import { reasonPhrase } from "../domain/client/ReasonPhrase.ts"
import type { ReceivedMessage } from "../domain/client/ClientSession.ts"
import { ByteSink } from "../domain/format/ByteSink.ts"
import type { Moment } from "../domain/format/Moment.ts"
import * as Template from "../domain/format/Template.ts"
import type { RetainHandling } from "../domain/packet/Packet.ts"
import { matches, parseTopicFilter } from "../domain/topic/TopicFilter.ts"
import type { Client } from "../services/Client.ts"
import type { FlagNames } from "./Arguments.ts"
import { connected, runClient, warn } from "./ClientCommand.ts"
import { clientFlagNames, clientFlags, type Connecting, onOff, seconds, wholeNumber } from "./ClientFlags.ts"
import { CommandFailure, misuse } from "./CommandFailure.ts"

const topics = (name: string, letter: string, description: string) =>
  Flag.String(name).pipe(
    Flag.withAlias(letter),
    Flag.withMetavar("FILTER"),
    Flag.withDescription(description),
    Flag.atLeast(0)
  )

const flags = {
  ...clientFlags,
  topic: topics("topic", "t", "Topic filter to subscribe to (/Testing); repeatable"),
  "filter-out": topics("filter-out", "T", "Do not print messages that match this; repeatable"),
  unsubscribe: topics("unsubscribe", "U", "Unsubscribe first from this; repeatable"),
  count: wholeNumber("count", "COUNT", 1, 2_147_483_647, "End after so many messages").pipe(
    Flag.withAlias("C"),
    Flag.optional
  ),
  timeout: seconds("timeout", "End with status 27 after so many seconds").pipe(Flag.withAlias("W"), Flag.optional),
  "exit-subscribed": onOff("exit-subscribed", "End when the subscriptions are acknowledged").pipe(Flag.withAlias("E")),
  verbose: onOff("verbose", "Print the topic before each message").pipe(Flag.withAlias("v")),
  format: Flag.String("format").pipe(
    Flag.withAlias("F"),
    Flag.withMetavar("FORMAT"),
    Flag.withDescription(
      "%t topic, %p payload, %x hex, %l length, %q QoS, %r retain, %m id, %j JSON, %J JSON with a JSON payload, " +
        "%U time, %I ISO time, @X as strftime's %X, %A %C %D %E %F %P %R %S properties, %f %d float payload"
    ),
    Flag.optional
  ),
  "no-newline": onOff("no-newline", "Print no line end after a message").pipe(Flag.withAlias("N")),
  pretty: onOff("pretty", "Print JSON on many lines"),
  "no-retained": onOff("no-retained", "Do not print retained messages").pipe(Flag.withAlias("R")),
  "retained-only": onOff("retained-only", "Print retained messages only, and end at the first other one"),
  "remove-retained": onOff("remove-retained", "Have the broker remove the retained messages that come"),
  "no-local": onOff("no-local", "Do not get what this client publishes; MQTT 5"),
  "retain-as-published": onOff("retain-as-published", "Get the retain flag as it was published; MQTT 5"),
  "retain-handling": Flag.Literals("retain-handling", ["always", "new", "never", "0", "1", "2"]).pipe(
    Flag.withDescription("When retained messages are sent: always, only to a new subscription, never; MQTT 5"),
    Flag.map((name) => retainHandlings[name]),
    Flag.withDefault(0 as RetainHandling)
  )
}

const retainHandlings = { always: 0, new: 1, never: 2, "0": 0, "1": 1, "2": 2 } as const

/** What `normalized` has to know of the flags of `sub`. */
export const subFlagNames: FlagNames = {
  letters: {
    ...clientFlagNames.letters,
    t: "topic",
    T: "filter-out",
    U: "unsubscribe",
    C: "count",
    W: "timeout",
    E: "exit-subscribed",
    v: "verbose",
    F: "format",
    N: "no-newline",
    R: "no-retained"
  },
  values: [
    ...clientFlagNames.values,
    "topic",
    "filter-out",
    "unsubscribe",
    "count",
    "timeout",
    "format",
    "retain-handling"
  ],
  switches: [
    ...clientFlagNames.switches,
    "exit-subscribed",
    "verbose",
    "no-newline",
    "pretty",
    "no-retained",
    "retained-only",
    "remove-retained",
    "no-local",
    "retain-as-published"
  ]
}

type Values = Command.Command.Config.Infer<typeof flags>

/** Messages that are printed in one write at most. */
const messagesAtOnce = 1_024

const timedOut = 27

/** The name of the local time zone at a time: `CET`. */
const zoneAt = (date: Date): string => {
  const parts = new Intl.DateTimeFormat("en", { timeZoneName: "short" }).formatToParts(date)
  return parts.find(({ type }) => type === "timeZoneName")?.value ?? "UTC"
}

const now: Effect.Effect<Moment> = Effect.map(Clock.currentTimeNanos, (nanos) => {
  const epochMillis = Number(nanos / 1_000_000n)
  const date = new Date(epochMillis)
  return {
    epochMillis,
    nanos: Number(nanos % 1_000_000_000n),
    offsetMinutes: -date.getTimezoneOffset(),
    zone: () => zoneAt(date)
  }
})

/** Prints one message at the moment it came; false when its payload should be JSON and is not. */
type Print = (message: ReceivedMessage, moment: Moment, sink: ByteSink) => boolean

const printer = (values: Values): Result.Result<Print, Template.FormatError> => {
  const end = values["no-newline"] ? "" : "\n"
  if (Option.isSome(values.format)) {
    return Result.map(Template.parse(values.format.value), (template): Print => (message, moment, sink) => {
      const isComplete = Template.render(template, { message, moment }, values.pretty, sink)
      sink.text(end)
      return isComplete
    })
  }
  return Result.succeed(({ topic, payload }, _, sink) => {
    if (values.verbose) sink.text(`${topic} ${payload.length === 0 ? "(null)" : ""}`)
    sink.bytes(payload)
    sink.text(end)
    return true
  })
}

const written = (bytes: Uint8Array): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    process.stdout.write(bytes, () => resume(Effect.void))
  })

/** Takes messages and prints them until there are enough. */
const printMessages = Effect.fnUntraced(function* (client: Client["Service"], values: Values, print: Print) {
  const sink = new ByteSink()
  let left = Option.getOrElse(values.count, () => Infinity)
  while (left > 0) {
    const messages = yield* client.take(Math.min(left, messagesAtOnce))
    const moment = yield* now
    const notJson: Array<string> = []
    const stale: Array<string> = []
    let isOver = false
    for (const message of messages) {
      if (values["filter-out"].some((filter) => matches(filter, message.topic))) continue
      if (values["retained-only"] && !message.retain) {
        isOver = true
        break
      }
      if (message.retain && values["remove-retained"] && message.payload.length > 0) stale.push(message.topic)
      if (message.retain && values["no-retained"]) continue
      if (!print(message, moment, sink)) notJson.push(message.topic)
      left--
    }
    if (sink.length > 0) yield* written(sink.take())
    for (const topic of notJson) yield* warn(values.quiet, `the message on ${JSON.stringify(topic)} is not JSON`)
    yield* client.publishAll(
      stale.map((topic) => ({ topic, payload: new Uint8Array(), qos: 1, retain: true }) as const)
    )
    if (isOver) return
  }
})

const subscribe = Effect.fnUntraced(function* (
  client: Client["Service"],
  filters: ReadonlyArray<string>,
  values: Values,
  { properties }: Connecting
) {
  if (values.unsubscribe.length > 0) yield* client.unsubscribe(values.unsubscribe, properties.unsubscribe)
  if (filters.length === 0) return
  const subscriptions = filters.map((filter) => ({
    filter,
    qos: values.qos,
    noLocal: values["no-local"],
    retainAsPublished: values["retain-as-published"],
    retainHandling: values["retain-handling"]
  }))
  const codes = yield* client.subscribe(subscriptions, properties.subscribe)
  const refusals = codes.flatMap((code, index) =>
    code < 0x80
      ? []
      : [`the broker refused the subscription to ${JSON.stringify(filters[index])}: ${reasonPhrase(code)}`]
  )
  if (refusals.length === codes.length) return yield* new CommandFailure({ detail: refusals.join("\n"), status: 1 })
  for (const refusal of refusals) yield* warn(values.quiet, refusal)
})

/** The filters to subscribe to; the default when nothing else is asked for. */
const filtersOf = Effect.fnUntraced(function* (values: Values, urlTopic: string | undefined) {
  const given = urlTopic === undefined ? values.topic : [...values.topic, urlTopic]
  const filters = given.length === 0 && values.unsubscribe.length === 0 ? ["/Testing"] : given
  for (const filter of [...filters, ...values.unsubscribe, ...values["filter-out"]]) {
    const parsed = parseTopicFilter(filter)
    if (Result.isFailure(parsed)) {
      return yield* misuse(`the topic filter ${JSON.stringify(filter)} ${parsed.failure.detail}`)
    }
  }
  return filters
})

const within = (timeout: Option.Option<number>) => {
  const failure = new CommandFailure({ detail: "timed out", status: timedOut })
  return <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<A, E | CommandFailure, R> =>
    Option.isNone(timeout)
      ? work
      : Effect.timeoutOrElse(work, {
          duration: `${timeout.value} seconds` satisfies Duration.Input,
          orElse: () => Effect.fail(failure)
        })
}

/** The command. */
export const sub = Command.make("sub", flags, (values) =>
  runClient(values, (given) =>
    Effect.gen(function* () {
      if (
        given.options.version !== 5 &&
        (values["no-local"] || values["retain-as-published"] || values["retain-handling"] > 0)
      ) {
        return yield* misuse("--no-local, --retain-as-published and --retain-handling need MQTT 5")
      }
      const print = yield* Effect.mapError(Effect.fromResult(printer(values)), ({ message }) => misuse(message))
      const filters = yield* filtersOf(values, given.urlTopic)
      const receiveMaximum = Option.getOrUndefined(values["max-inflight"])
      const more =
        receiveMaximum === undefined || given.options.version !== 5
          ? {}
          : { properties: { receiveMaximum, ...given.options.properties } }
      const work = Effect.scoped(
        Effect.gen(function* () {
          const client = yield* connected(given, more, values.quiet)
          yield* subscribe(client, filters, values, given)
          if (!values["exit-subscribed"]) yield* printMessages(client, values, print)
          yield* client.disconnect(
            given.properties.disconnect === undefined ? {} : { properties: given.properties.disconnect }
          )
        })
      )
      yield* within(values.timeout)(work)
    })
  )
).pipe(
  Command.withDescription(
    "Subscribe, and print each message that comes until Ctrl-C.\n\n" +
      "Exit status: 0 when it was told to end, the CONNACK's code when the broker refuses the connection, 27 when -W is " +
      "over, else 1."
  ),
  Command.withShortDescription("Subscribe and print messages"),
  Command.withExamples([
    { command: "mqttzoo sub -t 'sensors/#' -v", description: "Print topic and message" },
    { command: "mqttzoo sub -t a -t b -q 1 -C 10", description: "Ten messages of two topics" },
    { command: "mqttzoo sub -t 'sensors/+' -F '@Y-@m-@dT@H:@M:@S@z %t %p'", description: "With the time" },
    { command: "mqttzoo sub -t '#' -F %j | jq .payload", description: "As JSON, a message a line" },
    { command: "mqttzoo sub -t jobs -q 1 -i worker -c", description: "Also what came while it was away" },
    { command: "mqttzoo sub -t old/# --remove-retained --retained-only -W 5", description: "Clear retained messages" }
  ])
)
