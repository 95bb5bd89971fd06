/**
 * `mqttzoo broker`: runs a broker until it is told to stop.
 */
import { Effect, Layer } from "effect"
import { Command } from "effect/cli"
import { embeddedZooKeeper } from "../domain/config/Config.ts"
import * as BrokerLive from "../layers/BrokerLive.ts"
import * as ConfigurationSources from "../layers/ConfigurationSources.ts"
import * as Logging from "../layers/Logging.ts"
import { Broker } from "../services/Broker.ts"
import { Configuration } from "../services/Configuration.ts"
import { unusable } from "./CommandFailure.ts"
import { configFlag, keyFlags, sourcesOf } from "./ConfigurationFlags.ts"

const serve = Effect.gen(function* () {
  const { config } = yield* Configuration
  const { address, failure } = yield* Broker
  const port = address.port === 1883 ? "" : ` -p ${address.port}`
  const { connect } = config.zookeeper
  const place = connect === embeddedZooKeeper ? config.data.directory : `ZooKeeper at ${connect}`
  yield* Effect.logInfo(`listening on ${address.host}:${address.port}, data in ${place}`)
  yield* Effect.logInfo(
    `try it: npx mqttzoo sub${port} -t X, and in another terminal: npx mqttzoo pub${port} -t X -m hello`
  )
  return yield* failure
})

/** The command. SIGTERM and SIGINT end it gracefully. */
export const broker = Command.make("broker", { config: configFlag, ...keyFlags }, ({ config, ...flags }) =>
  serve.pipe(
    Effect.provide(
      BrokerLive.layer.pipe(
        Layer.provideMerge(Logging.layer),
        Layer.provideMerge(ConfigurationSources.layer(sourcesOf(config, flags)))
      )
    ),
    Effect.catchTag("BadConnectString", (error) => Effect.fail(unusable(error.message)))
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
    { command: "mqttzoo broker --zookeeper zk1:2181,zk2:2181/mqttzoo --id b1", description: "Keep data in ZooKeeper" },
    { command: "mqttzoo broker --config mqttzoo.yaml --set limits.maximumPacketSize=2MiB" },
    { command: "MQTTZOO_LISTENERS__TCP__PORT=18830 mqttzoo broker", description: "The same by the environment" }
  ])
)
