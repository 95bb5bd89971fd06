/**
 * A network without sockets: `Transport` in memory, and the peers that connect by it. Bytes arrive at once; what a test
 * wants to be slow it makes slow.
 */
import { assert } from "@effect/vitest"
import { type Cause, Deferred, Effect, Layer, Queue } from "effect"
import * as Decoder from "../../src/domain/packet/Decoder.ts"
import * as Encoder from "../../src/domain/packet/Encoder.ts"
import type { Packet, ProtocolVersion } from "../../src/domain/packet/Packet.ts"
import { ProtocolError } from "../../src/domain/packet/ProtocolError.ts"
import { type Events, type Socket, Transport } from "../../src/services/Transport.ts"

/** A client's end of a connection. */
export interface Peer {
  /** Sends packets as one chunk. */
  readonly send: (...packets: ReadonlyArray<Packet>) => void
  readonly sendBytes: (bytes: Uint8Array) => void
  /** The next packet from the server; fails when the connection is closed and nothing is left. */
  readonly receive: Effect.Effect<Packet, Cause.Done>
  /** The next packet, which has to be of this type. */
  readonly expect: <Tag extends Packet["_tag"]>(tag: Tag) => Effect.Effect<Extract<Packet, { _tag: Tag }>, Cause.Done>
  /** What has come so far, without waiting. */
  readonly poll: Effect.Effect<ReadonlyArray<Packet>>
  /** All that has come by the time the server has answered a ping, the answer left out. */
  readonly untilPing: Effect.Effect<ReadonlyArray<Packet>, Cause.Done>
  /** Everything that comes until the server closes the connection. */
  readonly untilClosed: Effect.Effect<ReadonlyArray<Packet>>
  /** The client's process dies: the server sees a closed connection. */
  readonly drop: () => void
  /** From now on the client does not read: what is written to it stays with the server. */
  readonly stall: () => void
  /** It reads again. */
  readonly unstall: () => void
  /** Whether the server reads what the client sends. */
  readonly isRead: () => boolean
  readonly isClosed: () => boolean
}

export interface Network {
  /** What the server did that a socket does not bear, or a client. */
  readonly violations: ReadonlyArray<string>
  readonly layer: Layer.Layer<Transport>
  /** Opens a connection that speaks this version. */
  readonly connect: (version: ProtocolVersion) => Effect.Effect<Peer>
}

const maximumPacketSize = 268_435_456

export const make: Effect.Effect<Network> = Effect.sync(() => {
  let accept: ((socket: Socket) => Events) | undefined
  let connections = 0
  const violations: Array<string> = []

  const layer = Layer.succeed(
    Transport,
    Transport.of({
      listen: (address, accepting) =>
        Effect.acquireRelease(
          Effect.sync(() => {
            accept = accepting
            return address
          }),
          () => Effect.sync(() => void (accept = undefined))
        )
    })
  )

  const connect = Effect.fnUntraced(function* (version: ProtocolVersion) {
    const packets = yield* Queue.unbounded<Packet, Cause.Done>()
    const closed = yield* Deferred.make<void>()
    const decoder = Decoder.make({ role: "client", version, maximumPacketSize })
    let isClosed = false
    let hasEnded = false
    let isStalled = false
    let isPaused = false
    let stalled: Array<Uint8Array> = []
    let unread: Array<Buffer> = []

    const close = (): void => {
      isClosed = true
      Queue.endUnsafe(packets)
      Deferred.doneUnsafe(closed, Effect.void)
    }
    /** The server closes: a socket never calls back at once. */
    const closeByServer = (): void => {
      if (isClosed) return
      close()
      queueMicrotask(() => events.closed())
    }
    const arrive = (bytes: Uint8Array): void => {
      decoder.push(Buffer.from(bytes))
      for (let packet = decoder.next(); packet !== undefined; packet = decoder.next()) {
        if (packet instanceof ProtocolError) {
          violations.push(`the server sends what no server may: ${packet.message}`)
          return
        }
        Queue.offerUnsafe(packets, packet)
      }
    }
    const socket: Socket = {
      remoteAddress: `192.0.2.1:${++connections}`,
      write: (buffers) => {
        if (hasEnded) violations.push("the server writes to a connection that it has closed")
        if (isClosed) return
        if (isStalled) stalled.push(...buffers)
        else for (const buffer of buffers) arrive(buffer)
      },
      buffered: () => stalled.reduce((sum, { length }) => sum + length, 0),
      pause: () => {
        isPaused = true
      },
      resume: () => {
        isPaused = false
        const chunks = unread
        unread = []
        queueMicrotask(() => {
          for (const chunk of chunks) if (!isClosed) events.data(chunk)
        })
      },
      end: () => {
        hasEnded = true
        if (stalled.length === 0) closeByServer()
      },
      destroy: closeByServer
    }
    if (accept === undefined) assert.fail("nobody listens")
    const events = accept(socket)

    const sendBytes = (bytes: Uint8Array): void => {
      if (isClosed) return
      if (isPaused) unread.push(Buffer.from(bytes))
      else events.data(Buffer.from(bytes))
    }
    const send = (...sent: ReadonlyArray<Packet>): void =>
      sendBytes(Buffer.concat(sent.map((packet) => Encoder.encode(packet, version))))
    const receive = Queue.take(packets)

    const peer: Peer = {
      send,
      sendBytes,
      receive,
      expect: (tag) =>
        Effect.map(receive, (packet) => {
          if (packet._tag !== tag) assert.fail(`expected ${tag}, not ${JSON.stringify(packet)}`)
          return packet as Extract<Packet, { _tag: typeof tag }>
        }),
      poll: Effect.orElseSucceed(Queue.clear(packets), () => []),
      untilPing: Effect.gen(function* () {
        send({ _tag: "PingReq" })
        const seen: Array<Packet> = []
        for (let packet = yield* receive; packet._tag !== "PingResp"; packet = yield* receive) seen.push(packet)
        return seen
      }),
      untilClosed: Effect.gen(function* () {
        yield* Deferred.await(closed)
        const seen: Array<Packet> = []
        while (true) {
          const packet = yield* Effect.option(receive)
          if (packet._tag === "None") return seen
          seen.push(packet.value)
        }
      }),
      drop: () => {
        if (isClosed) return
        close()
        events.closed()
      },
      stall: () => {
        isStalled = true
      },
      unstall: () => {
        isStalled = false
        const buffers = stalled
        stalled = []
        for (const buffer of buffers) arrive(buffer)
        if (hasEnded) closeByServer()
        else if (buffers.length > 0) events.drained()
      },
      isRead: () => !isPaused,
      isClosed: () => isClosed
    }
    return peer
  })
  return { layer, connect, violations }
})
