/** `Dialer` over TCP, on `node:net`. */
import { Effect, Layer } from "effect"
import * as Net from "node:net"
import { DialError, Dialer } from "../services/Dialer.ts"
import type { Address, Events, Socket } from "../services/Transport.ts"
import { meaningOf } from "./SystemError.ts"
import { adapt } from "./TransportTcp.ts"

/** A host with several addresses fails with an error for each of them: the last one tells. */
const causeOf = (error: Error): unknown => (error instanceof AggregateError ? error.errors.at(-1) : error)

const formatted = ({ host, port }: Address): string => (host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`)

const dial = (address: Address, events: Events) =>
  Effect.callback<Socket, DialError>((resume) => {
    const socket = Net.connect({ host: address.host, port: address.port, noDelay: true })
    const onError = (error: Error) =>
      resume(Effect.fail(new DialError({ address: formatted(address), detail: meaningOf(causeOf(error)) })))
    socket.once("error", onError)
    socket.once("connect", () => {
      socket.off("error", onError)
      adapt(socket, (adapted) => {
        resume(Effect.succeed(adapted))
        return events
      })
    })
    return Effect.sync(() => void socket.destroy())
  })

/** Dials this address; a host name is resolved at each attempt. */
export const layer = (address: Address): Layer.Layer<Dialer> =>
  Layer.succeed(Dialer, Dialer.of({ dial: (events) => dial(address, events) }))
