/**
 * How the command line speaks: help on stdout, an error as one line on stderr that says how to get help.
 */
import { Console, Effect, Layer } from "effect"
import { CliConfig, type CliError, CliOutput, GlobalFlag, type HelpDoc, TerminalCapabilities } from "effect/cli"

/** The flags that every command has. The wizard is left out, and `--log-level`, which is a key of the configuration. */
const builtIns = CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions] })

/** A short name that the command uses itself, as `-h` for the host, is not listed as the short name of `--help`. */
const withoutClashes = (doc: HelpDoc.HelpDoc): HelpDoc.HelpDoc => {
  const own = new Set(doc.flags.flatMap((flag) => flag.aliases))
  const globalFlags = (doc.globalFlags ?? []).map((flag) => ({
    ...flag,
    aliases: flag.aliases.filter((alias) => !own.has(alias))
  }))
  return { ...doc, globalFlags }
}

/** What a usage error is, in one line. */
const complaint = (error: CliError.NonShowHelpErrors): string => {
  switch (error._tag) {
    case "UnrecognizedOption":
      return `unknown flag ${error.option}${suggestion(error.suggestions)}`
    case "UnknownSubcommand":
      return `unknown command ${JSON.stringify(error.subcommand)}${suggestion(error.suggestions)}`
    case "MissingOption":
      return `the flag --${error.option} is missing`
    case "MissingArgument":
      return `the argument ${error.argument} is missing`
    default:
      return error.message.replaceAll(/\s+/g, " ")
  }
}

const suggestion = (suggestions: ReadonlyArray<string>): string =>
  suggestions.length === 0 ? "" : `, did you mean ${suggestions.join(" or ")}?`

const present = (event: CliOutput.Presenter.Event): Effect.Effect<void> => {
  switch (event._tag) {
    case "Help":
      return Effect.flatMap(TerminalCapabilities.TerminalCapabilities, ({ canColor }) =>
        Console.log(CliOutput.defaultFormatter({ colors: canColor }).formatHelpDoc(withoutClashes(event.helpDoc)))
      )
    case "Version":
      return Console.log(`${event.name} ${event.version}`)
    case "InvalidInvocation": {
      const command = event.commandPath.join(" ")
      return Console.error(`${command}: ${event.errors.map(complaint).join("; ")} (see ${command} --help)`)
    }
  }
}

/** The command line's own flags and output. */
export const layer: Layer.Layer<never> = Layer.merge(builtIns, CliOutput.layerPresenter({ present }))
