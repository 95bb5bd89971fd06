/** `Transport` over the network of a simulated run. */
import { Effect, Layer } from "effect"
import type { RandomStream } from "../../domain/simulation/RandomStream.ts"
import { type Events, type Socket, Transport } from "../../services/Transport.ts"
import { ByteStream, type Piece } from "./ByteStream.ts"
import type { End, Handlers, Network } from "./Network.ts"
import type { Process } from "./Process.ts"

/** What a broker's sockets are made of. */
export interface TransportOptions {
  readonly network: Network
  readonly process: Process
  readonly random: RandomStream
  readonly segmentation: number
}

/** The port that brokers of a run listen on. */
export const port = 1883

/** Bytes that the operating systems of both sides take before a reader that is slow is felt; drawn for each connection. */
const windows: ReadonlyArray<number> = [2_048, 16_384, 65_536]

/** The Transport of a process. */
export const layer = (options: TransportOptions): Layer.Layer<Transport> =>
  Layer.succeed(
    Transport,
    Transport.of({
      listen: (address, accept) =>
        Effect.as(
          Effect.acquireRelease(
            Effect.sync(() =>
              options.network.listen<Piece>(options.process, port, (end) => adapt(options, end, accept))
            ),
            (close) => Effect.sync(close)
          ),
          { host: address.host, port }
        )
    })
  )

const adapt = (
  { network, process, random, segmentation }: TransportOptions,
  end: End<Piece>,
  accept: (socket: Socket) => Events
): Handlers<Piece> => {
  const now = () => network.now()
  const stream = new ByteStream(end, { window: random.pick(windows), segmentation, random, now })
  let isClosed = false
  const closed = (): void => {
    if (isClosed) return
    isClosed = true
    network.later(0, () => events.closed(), process)
  }
  const destroy = (): void => {
    if (isClosed) return
    // Whether the peer sees an end or a reset depends on what had come and was not read.
    if (random.chance(0.3)) end.reset()
    else stream.abort()
    end.vanish()
    closed()
  }
  const socket: Socket = {
    remoteAddress: end.peer.host,
    write: (buffers) => {
      for (const buffer of buffers) stream.write(Buffer.from(buffer.buffer, buffer.byteOffset, buffer.length))
    },
    buffered: () => stream.waiting,
    pause: () => end.pause(),
    resume: () => end.resume(),
    end: (flushMillis, closeMillis) => {
      stream.close()
      end.resume()
      network.later((flushMillis + closeMillis) * 1000, destroy, process)
    },
    destroy
  }
  stream.whenEmpty = () => network.later(0, () => !isClosed && events.drained(), process)
  const events = accept(socket)
  return {
    message: ({ bytes }) => {
      if (!isClosed) events.data(bytes)
    },
    closed: (how) => {
      if (how === "reset") {
        closed()
        return
      }
      // The peer has ended its stream: what waits for it still goes out, and then our side ends, too.
      stream.whenClosed = closed
      stream.close()
    }
  }
}
