/**
 * `mqttzoo broker`: runs a broker until it is told to stop.
 */
import { Layer } from "effect"
import { Command } from "effect/cli"
import { BrokerLive } from "../layers/BrokerLive.ts"
import * as ConfigurationSources from "../layers/ConfigurationSources.ts"
import * as Logging from "../layers/Logging.ts"
import { configFlag, keyFlags, sourcesOf } from "./ConfigurationFlags.ts"

/** The command. SIGTERM and SIGINT end it gracefully. */
export const broker = Command.make("broker", { config: configFlag, ...keyFlags }, ({ config, ...flags }) =>
  Layer.launch(
    BrokerLive.pipe(Layer.provide(Logging.layer), Layer.provide(ConfigurationSources.layer(sourcesOf(config, flags))))
  )
).pipe(
  Command.withDescription(
    "Run a broker until SIGTERM or Ctrl-C.\n\n" +
      "Each flag wins over its environment variable, the variable over the file, the file over the default."
  ),
  Command.withShortDescription("Run a broker"),
  Command.withExamples([
    { command: "mqttzoo broker", description: "Listen on 1883, keep data in ./data" },
    { command: "mqttzoo broker --host 127.0.0.1 --port 18830 --data ./other" },
    { command: "mqttzoo broker --config mqttzoo.yaml --set limits.maximumPacketSize=2MiB" },
    { command: "MQTTZOO_LISTENERS__TCP__PORT=18830 mqttzoo broker", description: "The same by the environment" }
  ])
)
