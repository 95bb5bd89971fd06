/** A ZooKeeper server that lets everyone have a session, and answers requests as a test has it. */
import { once } from "node:events"
import { type AddressInfo, createServer, type Server, type Socket } from "node:net"
import { frame } from "./Jute.ts"

/** A request as it came, with the connection that it came by. */
export interface Asked {
  readonly xid: number
  readonly type: number
  readonly answer: (code: number, body?: Buffer) => void
  readonly socket: Socket
}

/** The types of requests that tests speak of. */
export const types = { ping: 11, setWatches: 101, close: -11, create2: 15 } as const

export class ScriptedServer {
  readonly port: number
  /** The types of all requests that came, pings included. */
  readonly seen: Array<number> = []
  /** How many connections it has taken. */
  accepted = 0
  /** Whether it answers at all; one that does not is mute. */
  isMute = false
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #react: (asked: Asked) => void

  private constructor(server: Server, react: (asked: Asked) => void) {
    this.#server = server
    this.#react = react
    this.port = (server.address() as AddressInfo).port
    server.on("connection", (socket) => this.#accept(socket))
  }

  /** `react` is called for all requests but pings and the end of the session, which it answers by itself. */
  static async start(react: (asked: Asked) => void): Promise<ScriptedServer> {
    const server = createServer().listen(0, "127.0.0.1")
    await once(server, "listening")
    return new ScriptedServer(server, react)
  }

  /** Breaks all connections. */
  reset(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  /** Sends an event of a watch to everyone. */
  notify(path: string): void {
    const bytes = Buffer.from(path)
    for (const socket of this.#sockets) socket.write(frame(header(-1, 0), ints(3, 3, bytes.length), bytes))
  }

  async dispose(): Promise<void> {
    this.reset()
    this.#server.close()
    await once(this.#server, "close")
  }

  #accept(socket: Socket): void {
    this.accepted += 1
    this.#sockets.add(socket)
    socket.on("error", () => {})
    socket.on("close", () => this.#sockets.delete(socket))
    let isGreeted = false
    let rest = Buffer.alloc(0)
    socket.on("data", (chunk) => {
      rest = Buffer.concat([rest, chunk])
      while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE()) {
        const packet = rest.subarray(4, 4 + rest.readInt32BE())
        rest = rest.subarray(4 + packet.length)
        if (this.isMute) continue
        if (isGreeted) {
          this.#received(socket, packet)
        } else {
          isGreeted = true
          socket.write(frame(ints(0, packet.readInt32BE(12)), session, ints(16), Buffer.alloc(16)))
        }
      }
    })
  }

  #received(socket: Socket, packet: Buffer): void {
    const xid = packet.readInt32BE()
    const type = packet.readInt32BE(4)
    this.seen.push(type)
    const answer = (code: number, body: Buffer = Buffer.alloc(0)) => void socket.write(frame(header(xid, code), body))
    if (type === types.ping || type === types.close) answer(0)
    else this.#react({ xid, type, answer, socket })
  }
}

const ints = (...values: ReadonlyArray<number>): Buffer => {
  const bytes = Buffer.alloc(4 * values.length)
  values.forEach((value, at) => bytes.writeInt32BE(value, 4 * at))
  return bytes
}

const session = Buffer.from("0100000000000001", "hex")

const header = (xid: number, code: number): Buffer => Buffer.concat([ints(xid), Buffer.alloc(8), ints(code)])
