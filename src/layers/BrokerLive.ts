/**
 * The broker, composed.
 */
import { Effect, Layer } from "effect"
import { Configuration } from "../services/Configuration.ts"

/** A running broker: it serves for as long as the layer's scope is open. */
export const BrokerLive: Layer.Layer<never, never, Configuration> = Layer.effectDiscard(
  Effect.gen(function* () {
    const { config } = yield* Configuration
    yield* Effect.logInfo("started", {
      id: config.id,
      host: config.listeners.tcp.host,
      port: config.listeners.tcp.port
    })
  })
)
