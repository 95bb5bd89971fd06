/**
 * The command `mqttzoo` with all its subcommands. A new one is a file of its own in this folder and a place in the list.
 */
import { Cause, Console, Effect, Option } from "effect"
import { CliError, Command } from "effect/cli"
import { version } from "../domain/Version.ts"
import { type FlagNames, normalized } from "./Arguments.ts"
import { broker } from "./broker.ts"
import { CommandFailure } from "./CommandFailure.ts"
import { config } from "./config.ts"
import * as Presentation from "./Presentation.ts"
import { pub, pubFlagNames } from "./pub.ts"
import { sim } from "./sim.ts"
import { sub, subFlagNames } from "./sub.ts"

const mqttzoo = Command.make("mqttzoo").pipe(
  Command.withDescription("A clustered MQTT 3.1.1 and 5.0 broker, and the tools around it."),
  Command.withSubcommands([broker, pub, sub, config, sim]),
  Command.withExamples([
    { command: "mqttzoo broker", description: "Run a broker on port 1883" },
    { command: "mqttzoo sub -t 'sensors/#' -v", description: "Print what is published" },
    { command: "mqttzoo pub -t sensors/kitchen -m 21.5", description: "Publish a message" },
    { command: "mqttzoo config show", description: "What the broker is configured to, and where from" },
    { command: "mqttzoo sim", description: "Simulate a broker and what may strike it" },
    { command: "source <(mqttzoo --completions bash)", description: "Completion for this shell; also zsh, fish" }
  ])
)

/** Commands whose arguments may be written as those of mosquitto's programs are. */
const likeMosquitto: ReadonlyMap<string | undefined, FlagNames> = new Map([
  ["pub", pubFlagNames],
  ["sub", subFlagNames]
])

const understood = (args: ReadonlyArray<string>): ReadonlyArray<string> => {
  const names = likeMosquitto.get(args[0])
  return names === undefined ? args : [args[0]!, ...normalized(args.slice(1), names)]
}

/** Commands that end with 2 when they are used wrongly, because 1 says what they have found. */
const endingWith2: ReadonlySet<string | undefined> = new Set(["sim"])

/** A wrong use with the exit status that its command gives it. It has been printed. */
const withStatus = <E>(error: E): E | CommandFailure =>
  CliError.isCliError(error) &&
  error._tag === "ShowHelp" &&
  error.errors.length > 0 &&
  endingWith2.has(error.commandPath[1])
    ? new CommandFailure({ detail: "", status: 2 })
    : error

/** Runs the command line with these arguments. A wrong use of it has been printed when it fails, other failures have not. */
export const run = (args: ReadonlyArray<string>) =>
  Command.runWith(mqttzoo, { version })(understood(args)).pipe(
    Effect.mapError(withStatus),
    Effect.provide(Presentation.layer)
  )

/** Puts the program's name before each line of a message. */
const named = (message: string): string => message.replaceAll(/^/gm, "mqttzoo: ")

/** Prints on stderr why the program could not do its work: a line for an error, a trace for what should not happen. */
export const printFailure = (cause: Cause.Cause<{ readonly message: string }>): Effect.Effect<void> => {
  if (Cause.hasInterruptsOnly(cause)) return Effect.void
  const failure = Cause.findErrorOption(cause)
  if (Option.isNone(failure)) return Console.error(named(Cause.pretty(cause)))
  if (failure.value.message === "") return Effect.void
  return CliError.isCliError(failure.value) ? Effect.void : Console.error(named(failure.value.message))
}
