/**
 * The world of model clients that speak to a real broker over real sockets, and the history of what they see of it. The
 * checkers that judge simulated runs judge this one: the same promises, the same clients.
 */
import { connect, type Socket } from "node:net"
import { setTimeout as pause } from "node:timers/promises"
import { assert } from "vitest"
import type { Event, Violation } from "../../src/domain/simulation/History.ts"
import { brokerHost } from "../../src/domain/simulation/Plan.ts"
import { judge } from "../../src/domain/simulation/Promises.ts"
import { settling } from "../../src/domain/simulation/promises/Horizon.ts"
import { RandomStream } from "../../src/domain/simulation/RandomStream.ts"
import type { Link, LinkEvents, World } from "../../src/domain/simulation/World.ts"
import { BrokerProcess, type Ended } from "../process/BrokerProcess.ts"

/** What a client's end of the world is given, beside what the client itself is. */
export interface Witness {
  /** Told of each event of the client, which is in the history already. */
  readonly noted: (event: Event) => void
  /** Told of each socket that is opened for the client. */
  readonly dialed: (socket: Socket) => void
}

/** Real time is random enough: where a client may choose how long it waits, it waits as short as it may. */
class Shortest extends RandomStream {
  override between(first: number): number {
    return first
  }
}

const broker = brokerHost(0)

/** Milliseconds until a connection is closed that the broker should have closed. */
const patience = 5_000

export class RealWorld {
  readonly broker: BrokerProcess
  readonly history: Array<Event> = []
  /** Everyone who has been here and may still be. */
  readonly clients: Array<{ readonly disconnect: () => Promise<void> }> = []
  readonly #begun: bigint
  #connections = 0

  private constructor(process: BrokerProcess, begun: bigint) {
    this.broker = process
    this.#begun = begun
    this.history.push({ _tag: "Started", at: 0, broker }, { _tag: "Ready", at: this.#now(), broker })
  }

  /** A world with a broker of these settings (`key=value`). */
  static async start(...settings: ReadonlyArray<string>): Promise<RealWorld> {
    const begun = process.hrtime.bigint()
    return new RealWorld(await BrokerProcess.start(...settings), begun)
  }

  /** Microseconds since the broker was started first. */
  #now(): number {
    return Number((process.hrtime.bigint() - this.#begun) / 1000n)
  }

  /** Starts the broker again after its end. */
  async restart(): Promise<void> {
    this.history.push({ _tag: "Started", at: this.#now(), broker })
    await this.broker.restart()
    this.history.push({ _tag: "Ready", at: this.#now(), broker })
  }

  /** `kill -9`; when it returns, the broker's process is gone. */
  async kill(): Promise<void> {
    await this.broker.kill()
    this.history.push({ _tag: "Ended", at: this.#now(), broker, how: "kill" })
  }

  /** Tells the broker to stop, and waits for its end. */
  async stop(signal?: "SIGTERM" | "SIGINT"): Promise<Ended> {
    const ended = await this.broker.stop(signal)
    this.history.push({ _tag: "Ended", at: this.#now(), broker, how: ended.code === 0 ? "stopped" : "failed" })
    return ended
  }

  /** The world as one client has it. */
  of(client: string, { noted, dialed }: Witness): World {
    return {
      now: () => this.#now(),
      after: (micros, run) => void setTimeout(run, micros / 1000).unref(),
      random: new Shortest(0, client),
      connect: (events) => dialed(this.#dial(events)),
      note: (event) => {
        this.history.push(event)
        noted(event)
      },
      nextConnection: () => this.#connections++
    }
  }

  #dial({ opened, failed, data, closed }: LinkEvents): Socket {
    const socket = connect(this.broker.port, this.broker.host)
    socket.setNoDelay(true)
    const link: Link = {
      broker,
      write: (bytes) => void socket.write(bytes),
      // A broker that has dealt with a DISCONNECT closes: who leaves it the time to do so knows that it has.
      close: () => void setTimeout(() => socket.end(), patience).unref(),
      reset: () => void socket.resetAndDestroy(),
      // Nobody can cut the power of a real socket; one that is not read any more says nothing either.
      vanish: () => void socket.pause(),
      stall: () => void socket.pause(),
      unstall: () => void socket.resume()
    }
    let isOpen = false
    socket.once("connect", () => {
      isOpen = true
      opened(link)
    })
    socket.on("data", (bytes) => data(bytes))
    // "close" follows.
    socket.on("error", () => {})
    socket.once("close", (isBroken) => {
      if (isOpen) closed(isBroken ? "reset" : "broker")
      else failed()
    })
    return socket
  }

  /**
   * Ends the run, and tells what was wrong in it: promises that were broken, and packets that refused something, for
   * nothing that these clients ask for may be refused.
   *
   * Those who are there stay for as long as the checkers allow a message to be on its way: until then nothing counts as
   * lost, and a copy too many may still come.
   */
  async end(): Promise<ReadonlyArray<Violation | Event>> {
    await pause(settling / 1000 + 50)
    await Promise.all(this.clients.map((client) => client.disconnect()))
    return [...judge(this.history), ...this.history.filter(isRefusal)]
  }
}

const isRefusal = (event: Event): boolean => {
  if (event._tag !== "Received") return false
  const { packet } = event
  if (packet._tag === "ConnAck") return packet.reasonCode !== 0
  if (packet._tag === "Disconnect") return false
  const codes = "reasonCodes" in packet ? packet.reasonCodes : "reasonCode" in packet ? [packet.reasonCode] : []
  return codes.some((code) => code >= 0x80)
}

/** A test in a world of its own, whose broker has these settings; at its end nothing may have been wrong. */
export const inWorld = async (
  settings: ReadonlyArray<string>,
  run: (world: RealWorld) => Promise<void>
): Promise<RealWorld> => {
  const world = await RealWorld.start(...settings)
  try {
    await run(world)
    assert.deepEqual(await world.end(), [])
  } finally {
    await world.broker.dispose()
  }
  assert.deepEqual(world.broker.complaints(), [])
  return world
}
