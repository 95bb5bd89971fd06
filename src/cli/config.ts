/**
 * `mqttzoo config`: looks at the configuration that a broker would run with.
 */
import { Console, Effect } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import * as Rendering from "../domain/config/Rendering.ts"
import * as ConfigurationSources from "../layers/ConfigurationSources.ts"
import { keyFlags, sourcesOf } from "./ConfigurationFlags.ts"

const file = Argument.Path("FILE").pipe(
  Argument.withDescription("Configuration file, YAML or JSON (MQTTZOO_CONFIG)"),
  Argument.optional
)

const check = Command.make("check", { file, ...keyFlags }, ({ file, ...flags }) =>
  Effect.andThen(ConfigurationSources.load(sourcesOf(file, flags)), Console.log("The configuration is valid."))
).pipe(
  Command.withDescription(
    "Check the configuration: the file, the environment and the flags. Exits 1 with a line for each problem."
  ),
  Command.withShortDescription("Check the configuration"),
  Command.withExamples([
    { command: "mqttzoo config check mqttzoo.yaml" },
    { command: "mqttzoo config check --set limits.queue.bytes=16MiB" }
  ])
)

const show = Command.make(
  "show",
  {
    file,
    json: Flag.Boolean("json").pipe(
      Flag.withDescription("Print JSON: a list with the key, value and source of each"),
      Flag.withDefault(false)
    ),
    ...keyFlags
  },
  ({ file, json, ...flags }) =>
    Effect.flatMap(ConfigurationSources.load(sourcesOf(file, flags)), ({ origins }) =>
      Console.log(json ? Rendering.originsAsJson(origins) : Rendering.originsAsYaml(origins))
    )
).pipe(
  Command.withDescription(
    "Print every value that a broker would run with, and where it came from. The output is a valid configuration file."
  ),
  Command.withShortDescription("Print all values and where they came from"),
  Command.withExamples([
    { command: "mqttzoo config show mqttzoo.yaml" },
    { command: "mqttzoo config show > mqttzoo.yaml", description: "Begin a file with the defaults" },
    { command: "mqttzoo config show --json | jq '.[] | select(.source != \"default\")'" }
  ])
)

const schema = Command.make("schema", {}, () => Console.log(JSON.stringify(Rendering.jsonSchema(), null, 2))).pipe(
  Command.withDescription("Print the JSON Schema of the configuration file, for editors."),
  Command.withShortDescription("Print the JSON Schema of the file"),
  Command.withExamples([
    {
      command: "mqttzoo config schema > mqttzoo.schema.json",
      description: "Then begin the file with: # yaml-language-server: $schema=mqttzoo.schema.json"
    }
  ])
)

/** The command with its three subcommands. */
export const config = Command.make("config").pipe(
  Command.withDescription("Check, show or describe the configuration of a broker."),
  Command.withShortDescription("Check, show or describe the configuration"),
  Command.withSubcommands([check, show, schema])
)
