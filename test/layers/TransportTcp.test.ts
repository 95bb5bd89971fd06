import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect } from "effect"
import { once } from "node:events"
import * as Net from "node:net"
import { Dialer } from "../../src/services/Dialer.ts"
import { type Events, type Socket, Transport } from "../../src/services/Transport.ts"
import * as DialerTcp from "../../src/layers/DialerTcp.ts"
import * as TransportTcp from "../../src/layers/TransportTcp.ts"

const deaf: Events = { data: () => {}, drained: () => {}, closed: () => {} }
const loopback = { host: "127.0.0.1", port: 0 }

const listen = (accept: (socket: Socket) => Events) =>
  Transport.use((transport) => transport.listen(loopback, accept)).pipe(Effect.provide(TransportTcp.layer))

describe("a TCP listener", () => {
  it.live("says that its port is in use", () =>
    Effect.gen(function* () {
      const taken = yield* listen(() => deaf)
      const error = yield* Effect.flip(
        Transport.use((transport) => transport.listen(taken, () => deaf)).pipe(Effect.provide(TransportTcp.layer))
      )
      assert.strictEqual(error.reason, "AddressInUse")
      assert.include(error.message, `127.0.0.1:${taken.port}`)
    })
  )

  it.live("says that a host name is unknown", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        Transport.use((transport) => transport.listen({ host: "no-host.invalid", port: 0 }, () => deaf)).pipe(
          Effect.provide(TransportTcp.layer)
        )
      )
      assert.strictEqual(error.reason, "UnknownHost")
    })
  )

  it.live("cuts off a peer that does not answer its close", () =>
    Effect.gen(function* () {
      const closed = yield* Deferred.make<void>()
      const { port } = yield* listen((socket) => {
        socket.end(1, 1)
        return { ...deaf, closed: () => Deferred.doneUnsafe(closed, Effect.void) }
      })
      const peer = Net.connect({ host: "127.0.0.1", port, allowHalfOpen: true })
      yield* Deferred.await(closed)
      peer.destroy()
    })
  )
})

describe("a dialled connection", () => {
  it.live("that is ended delivers all that was written, however late the peer reads it", () =>
    Effect.gen(function* () {
      const written = Buffer.alloc(8 * 1024 * 1024, "x")
      const server = Net.createServer({ pauseOnConnect: true }).listen(0, "127.0.0.1")
      yield* Effect.promise(() => once(server, "listening"))
      const { port } = server.address() as Net.AddressInfo
      const accepted = once(server, "connection") as Promise<[Net.Socket]>
      const socket = yield* Dialer.use((dialer) => dialer.dial(deaf)).pipe(
        Effect.provide(DialerTcp.layer({ host: "127.0.0.1", port }))
      )
      const [peer] = yield* Effect.promise(() => accepted)
      socket.write([written])
      socket.end(60_000, 1)
      // More than the one millisecond that the peer has for its close goes by meanwhile.
      for (let i = 0; i < 20; i++) {
        const other = Net.connect(port, "127.0.0.1")
        yield* Effect.promise(() => once(other, "connect"))
        other.destroy()
      }
      let received = 0
      peer.on("data", (bytes: Buffer) => {
        received += bytes.length
      })
      peer.resume()
      yield* Effect.promise(() => once(peer, "close"))
      assert.strictEqual(received, written.length)
      server.close()
    })
  )
})
