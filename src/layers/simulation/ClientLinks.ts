/** The connections of model clients in a simulated run: what a `World` of theirs is made of. */
import type { Event } from "../../domain/simulation/History.ts"
import type { Plan } from "../../domain/simulation/Plan.ts"
import type { RandomStream } from "../../domain/simulation/RandomStream.ts"
import type { Link, LinkEvents, World } from "../../domain/simulation/World.ts"
import { ByteStream, type Piece } from "./ByteStream.ts"
import type { Kernel } from "./Kernel.ts"
import type { End, Network } from "./Network.ts"
import { port } from "./TransportSimulated.ts"

/** What the clients of a run share. */
export interface Shared {
  readonly kernel: Kernel
  readonly network: Network
  readonly plan: Plan
  readonly note: (event: Event) => void
  readonly nextConnection: () => number
  /** The hosts of the brokers. */
  readonly brokers: ReadonlyArray<string>
}

/** Bytes that a client may have under way. */
const clientWindow = 65_536

/** The world of one client, a host of its own. */
export const worldOf = (shared: Shared, client: string): World => {
  const { kernel, network, note, nextConnection, brokers } = shared
  const random = kernel.stream(`client ${client}`)
  const balancer = random.split("balancer")
  return {
    now: () => kernel.now,
    after: (micros, run) => void kernel.later(micros, run),
    random,
    note,
    nextConnection,
    connect: (events) => {
      const broker = balancer.pick(brokers)
      network.dial<Piece>(client, broker, port, (end) => {
        if (end === undefined) events.failed()
        else open(shared, end, broker, events, balancer)
      })
    }
  }
}

const open = ({ kernel, plan }: Shared, end: End<Piece>, broker: string, events: LinkEvents, random: RandomStream) => {
  const { segmentation } = plan.network
  const stream = new ByteStream(end, { window: clientWindow, segmentation, random, now: () => kernel.now })
  let isOver = false
  stream.whenTaken = (total) => events.taken(total)
  const link: Link = {
    broker,
    write: (bytes) => {
      if (!isOver) stream.write(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length))
    },
    close: () => {
      isOver = true
      stream.close()
      // What the broker still has to say it says to nobody.
      end.resume()
    },
    reset: () => {
      isOver = true
      end.reset()
    },
    vanish: () => {
      isOver = true
      end.vanish()
    },
    stall: () => end.pause(),
    unstall: () => end.resume()
  }
  events.opened(link)
  end.attach({
    message: ({ bytes, writtenAt }) => {
      if (!isOver) events.data(bytes, writtenAt)
    },
    closed: (how) => {
      if (isOver) return
      isOver = true
      stream.close()
      events.closed(how === "end" ? "broker" : "reset")
    }
  })
}
