/** One connection of one session to one ZooKeeper server, which shows everything that comes in its order. */
import { connect, type Socket } from "node:net"
import { Inbox } from "../process/Inbox.ts"
import { connectPacket, pingPacket, Reader, requestPacket, sessionId, xids } from "./Jute.ts"
import type { Observation, Request } from "./Script.ts"

/** What a session is on all of its connections. The client of each connection keeps it up to date. */
export interface RealSession {
  id: bigint
  password: Buffer
  /** In milliseconds. */
  readonly timeout: number
  /** The largest zxid that any reply showed. */
  lastZxidSeen: bigint
}

/** A session that the server has to open first. */
export const newSession = (timeout: number): RealSession => ({
  id: 0n,
  password: Buffer.alloc(16),
  timeout,
  lastZxidSeen: 0n
})

/** Milliseconds until something awaited must have come. */
const patience = 40_000

export class RealClient {
  readonly session: RealSession
  readonly #socket: Socket
  readonly #chroot: string
  readonly #inbox = new Inbox<Observation>()
  readonly #asked: Array<Request> = []
  readonly #pings: NodeJS.Timeout
  /** What the session had seen before this connection. */
  readonly #since: bigint
  #waiting = 0
  #lastXid = 0
  #rest: Buffer = Buffer.alloc(0)
  #isConnected = false
  #isDropped = false

  /** Connects. All paths are below the chroot, `/x`, for which nothing but the paths is done. */
  constructor(port: number, chroot: string, session: RealSession, presentedZxid: bigint = session.lastZxidSeen) {
    this.session = session
    this.#chroot = chroot
    this.#since = session.lastZxidSeen
    this.#socket = connect({ port, host: "127.0.0.1", noDelay: true })
    this.#socket.write(connectPacket(presentedZxid, session.timeout, session.id, session.password))
    this.#socket.on("data", (chunk) => this.#receive(chunk))
    this.#socket.on("error", () => {})
    this.#socket.on("close", () => this.#end())
    this.#pings = setInterval(() => this.#ping(), session.timeout / 3)
  }

  /** Sends requests in one write, without waiting. */
  send(requests: ReadonlyArray<Request>): void {
    const packets = requests.map((request) => {
      this.#asked.push(request)
      return requestPacket(++this.#lastXid, request, this.#since, (path) => this.#chroot + (path === "/" ? "" : path))
    })
    this.#socket.write(Buffer.concat(packets))
  }

  /** What has come next, or comes. */
  async next(): Promise<Observation> {
    const observation = await this.#inbox.next(patience)
    this.#waiting -= 1
    return observation
  }

  /** Whether something has come that was not taken. */
  hasNext(): boolean {
    return this.#waiting > 0
  }

  /** Breaks the connection; nothing comes any more. */
  drop(): void {
    this.#isDropped = true
    this.#socket.destroy()
    clearInterval(this.#pings)
  }

  #add(observation: Observation): void {
    if (this.#isDropped) return
    this.#waiting += 1
    this.#inbox.add(observation)
  }

  #end(): void {
    clearInterval(this.#pings)
    this.#add({ _tag: "Disconnected" })
    this.#inbox.end("the connection is over")
  }

  #ping(): void {
    if (this.#isConnected) this.#socket.write(pingPacket)
  }

  #receive(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk])
    while (this.#rest.length >= 4) {
      const end = 4 + this.#rest.readInt32BE()
      if (this.#rest.length < end) return
      this.#packet(new Reader(this.#rest.subarray(4, end), (path) => path.slice(this.#chroot.length) || "/"))
      this.#rest = this.#rest.subarray(end)
    }
  }

  #packet(reader: Reader): void {
    if (!this.#isConnected) return this.#connected(reader)
    const header = reader.header()
    if (header.zxid > this.session.lastZxidSeen) this.session.lastZxidSeen = header.zxid
    if (header.xid === xids.event) return this.#add({ _tag: "Event", ...reader.event() })
    if (header.xid === xids.ping) return
    const request = this.#asked.shift()!
    this.#add({ _tag: "Replied", reply: reader.reply(request, header) })
  }

  #connected(reader: Reader): void {
    const { session, password } = reader.connected()
    this.#isConnected = true
    if (session === 0n) return this.#add({ _tag: "Expired" })
    this.session.id = session
    this.session.password = password
    this.#add({ _tag: "Connected", session: sessionId(session) })
  }
}
