/**
 * The library entry `mqttzoo/client`: an MQTT client for programs on Effect.
 *
 * `Client.use((client) => client.publish("greeting", "hello", { qos: 1 }))`, provided with
 * `Client.layer().pipe(Layer.provide(DialerTcp.layer({ host: "localhost", port: 1883 })))`.
 */
export { ClientError, ClientErrorReason } from "./domain/client/ClientError.ts"
export type { Acknowledgement, OutgoingMessage, ReceivedMessage } from "./domain/client/ClientSession.ts"
export * as DialerTcp from "./layers/DialerTcp.ts"
export {
  Client,
  type ClientOptions,
  type ConnectionState,
  type DisconnectOptions,
  type PublishOptions,
  type ReconnectOptions,
  type SubscriptionOptions
} from "./services/Client.ts"
export { DialError, Dialer } from "./services/Dialer.ts"
