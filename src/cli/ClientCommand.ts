/** What `mqttzoo pub` and `mqttzoo sub` have in common: a connected client, and what is told to people on the way. */
import { Console, Effect, type FileSystem, type Scope, Stream } from "effect"
import { ClientError } from "../domain/client/ClientError.ts"
import * as DialerTcp from "../layers/DialerTcp.ts"
import { Client, type ClientOptions, type ConnectionState } from "../services/Client.ts"
import { supervised } from "../services/Supervision.ts"
import type { ClientFlagValues, Connecting } from "./ClientFlags.ts"
import { connecting } from "./ClientFlags.ts"
import { clientFailure, CommandFailure } from "./CommandFailure.ts"

const announced = (state: ConnectionState): Effect.Effect<void> => {
  switch (state._tag) {
    case "Reconnecting":
      return Console.error(
        `mqttzoo: ${state.error.message}; connecting again in ${(state.delayMillis / 1000).toFixed(1)} s`
      )
    case "Connected":
      return Console.error("mqttzoo: connected again")
    case "Closed":
      return Effect.void
  }
}

/** A client that is connected for as long as the scope; a connection that is lost and found again is told on stderr. */
export const connected = Effect.fnUntraced(function* (
  { address, options }: Connecting,
  more: ClientOptions,
  isQuiet: boolean
) {
  const client = yield* Client.make({ ...options, ...more }).pipe(Effect.provide(DialerTcp.layer(address)))
  // The first state is the connection that we have.
  const changes = Stream.runForEach(Stream.drop(client.states, 1), announced)
  if (!isQuiet) yield* Effect.forkScoped(supervised("client", changes))
  return client
})

/** Says something on stderr, unless it shall be quiet. */
export const warn = (isQuiet: boolean, message: string): Effect.Effect<void> =>
  isQuiet ? Effect.void : Console.error(`mqttzoo: ${message}`)

/** Runs a command's work with what its flags come to; its errors become the command's, or silence with `--quiet`. */
export const runClient = <R>(
  flags: ClientFlagValues,
  work: (given: Connecting) => Effect.Effect<void, ClientError | CommandFailure, R>
): Effect.Effect<void, CommandFailure, FileSystem.FileSystem | Exclude<R, Scope.Scope>> =>
  connecting(flags, process.env, process.pid).pipe(
    Effect.flatMap(work),
    Effect.scoped,
    Effect.mapError((error) => (error instanceof ClientError ? clientFailure(error) : error)),
    Effect.mapError((error) => (flags.quiet ? new CommandFailure({ detail: "", status: error.status }) : error))
  )
