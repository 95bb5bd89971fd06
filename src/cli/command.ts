/**
 * The command `mqttzoo` with all its subcommands. A new one is a file of its own in this folder and a place in the list.
 */
import { Console, Effect } from "effect"
import { CliError, Command } from "effect/cli"
import { version } from "../domain/Version.ts"
import { broker } from "./broker.ts"
import { config } from "./config.ts"
import * as Presentation from "./Presentation.ts"

const mqttzoo = Command.make("mqttzoo").pipe(
  Command.withDescription("A clustered MQTT 3.1.1 and 5.0 broker, and the tools around it."),
  Command.withSubcommands([broker, config]),
  Command.withExamples([
    { command: "mqttzoo broker", description: "Run a broker on port 1883" },
    { command: "mqttzoo config show", description: "What the broker is configured to, and where from" },
    { command: "source <(mqttzoo --completions bash)", description: "Completion for this shell; also zsh, fish" }
  ])
)

/** Puts the program's name before each line of an error. */
const named = (message: string): string =>
  message
    .split("\n")
    .map((line) => `mqttzoo: ${line}`)
    .join("\n")

/** Runs the command line with these arguments. Every failure has been printed to stderr by the time it fails. */
export const run = (args: ReadonlyArray<string>) =>
  Command.runWith(mqttzoo, { version })(args).pipe(
    Effect.tapError((error) => (CliError.isCliError(error) ? Effect.void : Console.error(named(error.message)))),
    Effect.provide(Presentation.layer)
  )
