/** A link to a server that a test can break in every way in which a network does. */
import { once } from "node:events"
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net"

/**
 * What the link does: `stalled` takes bytes and connections and passes nothing on, `refused` resets connections, and
 * takes none for longer than that.
 */
export type State = "whole" | "stalled" | "refused"

export class Proxy {
  readonly port: number
  /** How many connections it has taken. */
  accepted = 0
  readonly #server: Server
  readonly #pairs = new Set<readonly [Socket, Socket]>()
  #state: State = "whole"
  /** How many bytes from the server still pass before the link is cut. */
  #cutAfter = Infinity

  private constructor(server: Server, target: number) {
    this.#server = server
    this.port = (server.address() as AddressInfo).port
    server.on("connection", (client) => this.#accept(client, target))
  }

  /** A whole link to a port of this machine. */
  static async start(target: number): Promise<Proxy> {
    const server = createServer().listen(0, "127.0.0.1")
    await once(server, "listening")
    return new Proxy(server, target)
  }

  /** How many connections go through it now. */
  get open(): number {
    return this.#pairs.size
  }

  become(state: State): void {
    this.#state = state
    if (state === "refused") this.reset()
  }

  /** Breaks all connections, and takes new ones. */
  reset(): void {
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy()
  }

  /** Breaks the connection after some more bytes from the server. */
  cutAfter(bytes: number): void {
    this.#cutAfter = bytes
  }

  async dispose(): Promise<void> {
    this.reset()
    this.#server.close()
    await once(this.#server, "close")
  }

  #accept(client: Socket, target: number): void {
    if (this.#state === "refused") {
      client.destroy()
      return
    }
    this.accepted += 1
    const server = connect(target, "127.0.0.1")
    const pair = [client, server] as const
    this.#pairs.add(pair)
    for (const socket of pair) {
      socket.setNoDelay(true)
      socket.on("error", () => {})
      socket.on("close", () => {
        this.#pairs.delete(pair)
        for (const other of pair) other.destroy()
      })
    }
    client.on("data", (chunk) => {
      if (this.#state === "whole") server.write(chunk)
    })
    server.on("data", (chunk) => {
      if (this.#state !== "whole") return
      const passing = chunk.subarray(0, this.#cutAfter)
      this.#cutAfter -= passing.length
      if (this.#cutAfter > 0) {
        client.write(passing)
        return
      }
      this.#cutAfter = Infinity
      client.end(passing)
    })
  }
}
