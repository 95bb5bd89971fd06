/** `Transport` over TCP, on `node:net`. */
import { Effect, Layer } from "effect"
import * as Net from "node:net"
import { type Address, type Events, ListenError, type Socket, Transport } from "../services/Transport.ts"

/** How many connections may wait to be accepted. */
const backlog = 4_096

const reasonOf = (code: string | undefined): ListenError["reason"] => {
  switch (code) {
    case "EADDRINUSE":
      return "AddressInUse"
    case "EADDRNOTAVAIL":
      return "AddressNotAvailable"
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return "UnknownHost"
    case "EACCES":
    case "EPERM":
      return "PermissionDenied"
    default:
      return "Other"
  }
}

const details: { readonly [reason in ListenError["reason"]]: string | undefined } = {
  AddressInUse: "another process listens there",
  AddressNotAvailable: "this machine has no such address",
  UnknownHost: "the host name has no address",
  PermissionDenied: "permission denied",
  Other: undefined
}

const listenError = ({ host, port }: Address, cause: NodeJS.ErrnoException): ListenError => {
  const reason = reasonOf(cause.code)
  return new ListenError({ host, port, reason, detail: details[reason] ?? cause.message })
}

/** Wires a socket to whoever serves it. Node's callbacks only hand on: the work is done in a pass. */
export const adapt = (socket: Net.Socket, accept: (socket: Socket) => Events): void => {
  const events = accept({
    remoteAddress: `${socket.remoteAddress ?? "unknown"}:${socket.remotePort ?? 0}`,
    write: (buffers) => {
      if (socket.destroyed) return
      if (buffers.length === 1) {
        socket.write(buffers[0]!)
        return
      }
      socket.cork()
      for (const buffer of buffers) socket.write(buffer)
      socket.uncork()
    },
    // Below its high-water mark Node announces no drain, and nobody may wait for one.
    buffered: () => (socket.writableNeedDrain ? socket.writableLength : 0),
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    end: (flushMillis, closeMillis) => {
      // Half a close is no close: whoever does not answer it in time is cut off, however busy it keeps us.
      const destroy = () => void socket.destroy()
      let timer = setTimeout(destroy, flushMillis)
      socket.end(() => {
        clearTimeout(timer)
        if (!socket.closed) timer = setTimeout(destroy, closeMillis)
      })
      socket.once("close", () => clearTimeout(timer))
      socket.resume()
    },
    destroy: () => void socket.destroy()
  })
  socket.on("data", events.data)
  socket.on("drain", events.drained)
  socket.on("close", events.closed)
  // "close" follows "error" and says all that matters.
  socket.on("error", ignored)
}

const ignored = (): void => {}

const listen = (address: Address, accept: (socket: Socket) => Events) =>
  Effect.acquireRelease(
    Effect.callback<Net.Server, ListenError>((resume) => {
      const server = Net.createServer({ noDelay: true }, (socket) => adapt(socket, accept))
      // One that comes later is about a connection that could not be accepted (no descriptor was left): it is gone.
      server.on("error", (cause) => resume(Effect.fail(listenError(address, cause))))
      server.listen({ host: address.host, port: address.port, backlog }, () => resume(Effect.succeed(server)))
    }),
    (server) => Effect.sync(() => void server.close())
  ).pipe(
    Effect.map((server): Address => {
      const bound = server.address() as Net.AddressInfo
      return { host: bound.address, port: bound.port }
    })
  )

export const layer: Layer.Layer<Transport> = Layer.succeed(Transport, Transport.of({ listen }))
