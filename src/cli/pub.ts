/**
 * `mqttzoo pub`: publishes messages.
 */
import { Effect, Option, Stdio, Stream } from "effect"
import { Command, Flag } from "effect/cli"
import type { ClientError } from "../domain/client/ClientError.ts"
import type { OutgoingMessage } from "../domain/client/ClientSession.ts"
import { reasonPhrase } from "../domain/client/ReasonPhrase.ts"
import { LineSplitter } from "../domain/format/Lines.ts"
import { isTopicName } from "../domain/topic/TopicName.ts"
import type { Client } from "../services/Client.ts"
import type { FlagNames } from "./Arguments.ts"
import { connected, runClient, warn } from "./ClientCommand.ts"
import { clientFlagNames, clientFlags, onOff, readFile, seconds, wholeNumber } from "./ClientFlags.ts"
import { CommandFailure, misuse } from "./CommandFailure.ts"

const flags = {
  ...clientFlags,
  topic: Flag.String("topic").pipe(
    Flag.withAlias("t"),
    Flag.withMetavar("TOPIC"),
    Flag.withDescription("Topic to publish to (/Testing)"),
    Flag.optional
  ),
  message: Flag.String("message").pipe(
    Flag.withAlias("m"),
    Flag.withMetavar("TEXT"),
    Flag.withDescription("The message; without it and its likes, each line of the input is one"),
    Flag.optional
  ),
  file: Flag.String("file").pipe(
    Flag.withAlias("f"),
    Flag.withMetavar("FILE"),
    Flag.withDescription("Send a file's content as one message"),
    Flag.optional
  ),
  "null-message": onOff("null-message", "Send an empty message").pipe(Flag.withAlias("n")),
  "stdin-file": onOff("stdin-file", "Send the whole input as one message").pipe(Flag.withAlias("s")),
  "stdin-line": onOff("stdin-line", "Send each line of the input as a message").pipe(Flag.withAlias("l")),
  repeat: wholeNumber("repeat", "COUNT", 1, 2_147_483_647, "Send the message so many times (1)").pipe(
    Flag.withDefault(1)
  ),
  "repeat-delay": seconds("repeat-delay", "Wait between the repetitions (0)").pipe(Flag.withDefault(0)),
  retain: onOff("retain", "Have the broker keep the message for later subscribers").pipe(Flag.withAlias("r"))
}

/** What `normalized` has to know of the flags of `pub`. */
export const pubFlagNames: FlagNames = {
  letters: {
    ...clientFlagNames.letters,
    t: "topic",
    m: "message",
    f: "file",
    n: "null-message",
    s: "stdin-file",
    l: "stdin-line",
    r: "retain"
  },
  values: [...clientFlagNames.values, "topic", "message", "file", "repeat", "repeat-delay"],
  switches: [...clientFlagNames.switches, "null-message", "stdin-file", "stdin-line", "retain"]
}

type Values = Command.Command.Config.Infer<typeof flags>

/** The one message to send, or that each line is one. */
type Content = { readonly payload: Uint8Array } | "lines"

const contentOf = Effect.fnUntraced(function* (values: Values) {
  const message = Option.getOrUndefined(values.message)
  const file = Option.getOrUndefined(values.file)
  const ways = [
    message !== undefined,
    file !== undefined,
    values["null-message"],
    values["stdin-file"],
    values["stdin-line"]
  ]
  if (ways.filter(Boolean).length > 1) return yield* misuse("give only one of -m, -f, -n, -s and -l")
  const content: Content =
    message !== undefined
      ? { payload: Buffer.from(message) }
      : file !== undefined
        ? { payload: yield* readFile(file) }
        : values["null-message"]
          ? { payload: new Uint8Array() }
          : values["stdin-file"]
            ? { payload: yield* wholeInput }
            : "lines"
  if (content === "lines" && values.repeat > 1) return yield* misuse("--repeat goes with one message, not with lines")
  return content
})

/** The input's chunks. It is let go of at their end, as it would keep the process from ending on a terminal. */
const input = Stream.unwrap(Stdio.Stdio.useSync(({ stdin }) => stdin)).pipe(
  Stream.mapError((error) => misuse(`cannot read the input: ${error.message}`)),
  Stream.ensuring(Effect.sync(() => void process.stdin.destroy()))
)

const wholeInput = Effect.map(Stream.runCollect(input), (chunks) => Buffer.concat(chunks))

/** The lines of the input, as many at a time as have come; on a terminal an empty line ends them. */
const inputLines = Stream.unwrap(
  Effect.map(
    Stdio.Stdio.use(({ stdinIsTerminal }) => stdinIsTerminal),
    (isTerminal) => {
      const splitter = new LineSplitter()
      const lines = Stream.concat(
        Stream.map(input, (chunk) => splitter.push(chunk)),
        Stream.suspend(() => Stream.succeed(splitter.end()))
      )
      if (!isTerminal) return lines
      return Stream.takeUntil(
        Stream.map(lines, (some) => {
          const empty = some.findIndex((line) => line.length === 0)
          return { some: empty < 0 ? some : some.slice(0, empty), isLast: empty >= 0 }
        }),
        ({ isLast }) => isLast
      ).pipe(Stream.map(({ some }) => some))
    }
  )
)

/** Publishes the messages and says which were refused; gives their number. */
const publish = Effect.fnUntraced(function* (
  client: Client["Service"],
  messages: ReadonlyArray<OutgoingMessage>,
  isQuiet: boolean
) {
  const acknowledgements = yield* client.publishAll(messages)
  const refused = acknowledgements.filter(({ reasonCode }) => reasonCode >= 0x80)
  for (const { reasonCode, reasonString } of refused.slice(0, 1)) {
    const words = reasonString === undefined ? "" : `: ${JSON.stringify(reasonString)}`
    const count = refused.length === 1 ? "a message" : `${refused.length} messages`
    yield* warn(isQuiet, `the broker refused ${count}: ${reasonPhrase(reasonCode)}${words}`)
  }
  return refused.length
})

/** The command. */
export const pub = Command.make("pub", flags, (values) =>
  runClient(values, (given) =>
    Effect.gen(function* () {
      const topic = Option.getOrElse(values.topic, () => given.urlTopic ?? "/Testing")
      if (!isTopicName(topic)) {
        return yield* misuse(`cannot publish to ${JSON.stringify(topic)}: a topic is not empty and has no + or #`)
      }
      const content = yield* contentOf(values)
      const client = yield* connected(given, {}, values.quiet)
      // What an earlier session had subscribed to may come: it is not for us, and must not hold up the rest.
      yield* Effect.forkScoped(Effect.ignore(Stream.runDrain(client.messages)))
      const properties = given.properties.publish
      const messageOf = (payload: Uint8Array): OutgoingMessage => ({
        topic,
        payload,
        qos: values.qos,
        retain: values.retain,
        ...(properties !== undefined && { properties })
      })
      let refused = 0
      const send = (messages: ReadonlyArray<OutgoingMessage>) =>
        Effect.map(publish(client, messages, values.quiet), (count) => {
          refused += count
        })
      const sending: Effect.Effect<void, ClientError | CommandFailure, Stdio.Stdio> =
        content === "lines"
          ? Stream.runForEach(inputLines, (lines) => send(lines.map(messageOf)))
          : repeated(send([messageOf(content.payload)]), values.repeat, values["repeat-delay"])
      yield* Effect.raceFirst(sending, client.failure)
      yield* client.disconnect(
        given.properties.disconnect === undefined ? {} : { properties: given.properties.disconnect }
      )
      if (refused > 0) return yield* new CommandFailure({ detail: "", status: 1 })
    })
  )
).pipe(
  Command.withDescription(
    "Publish messages.\n\n" +
      "Without -m, -f, -n or -s each line of the input is a message; on a terminal an empty line ends it.\n\n" +
      "Exit status: 0 when all is acknowledged, the CONNACK's code when the broker refuses the connection, else 1."
  ),
  Command.withShortDescription("Publish messages"),
  Command.withExamples([
    { command: "mqttzoo pub -t greeting -m hello" },
    { command: "mqttzoo pub -t log -q 1 < lines.txt", description: "A message for each line" },
    { command: "mqttzoo pub -t picture -f cat.jpg -r", description: "A file, retained" },
    { command: "mqttzoo pub -t picture -n -r", description: "Remove the retained message" },
    { command: "mqttzoo pub -t job -m go -D publish response-topic done -D publish user-property id 7" },
    { command: "mqttzoo pub -L mqtt://user@broker.example/a/b --pw-file secret -m hi" }
  ])
)

const repeated = <E>(once: Effect.Effect<void, E>, times: number, delay: number): Effect.Effect<void, E> =>
  Effect.gen(function* () {
    yield* once
    for (let done = 1; done < times; done++) {
      if (delay > 0) yield* Effect.sleep(delay * 1000)
      yield* once
    }
  })
