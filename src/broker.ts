/**
 * The library entry `mqttzoo/broker`: a broker inside another program.
 *
 * `Layer.launch(BrokerLive.layer.pipe(Layer.provide(Configuration.layer({ listeners: { tcp: { port: 1883 } } }))))`
 */
export { ConfigError } from "./domain/config/Provenance.ts"
export * as BrokerLive from "./layers/BrokerLive.ts"
export { Broker } from "./services/Broker.ts"
export { Configuration, type Settings } from "./services/Configuration.ts"
