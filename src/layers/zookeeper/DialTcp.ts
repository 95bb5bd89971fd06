/** Connections to real ZooKeeper servers. Whatever is wrong with one of them, from the network or in a packet, ends it. */
import * as Net from "node:net"
import { type ConnectString, formatServer } from "../../domain/zookeeper/ConnectString.ts"
import type { Dial } from "./Client.ts"
import * as Packets from "./Packets.ts"
import type { Answer, Ask, ServerMessage } from "./Protocol.ts"

/** The largest packet that a server may send, in bytes: much more than it stores, for the names of many children. */
const maximumReplyBytes = 128 * 1024 * 1024

/** Dials the servers of a connect string, which are known by what {@link formatServer} makes of them. For one session. */
export const make = ({ servers, chroot }: ConnectString): Dial => {
  const known = new Map(servers.map((server) => [formatServer(server), server]))
  let password = Packets.noPassword

  return (name, { opened, message, closed }) => {
    const { host, port } = known.get(name)!
    const socket = Net.connect({ host, port, noDelay: true })
    const frames = makeFrames()
    /** Requests without an answer, in their order. */
    const asked: Array<Ask> = []
    let isAccepted = false
    let isOver = false
    let isCorked = false

    const end = (): void => {
      if (isOver) return
      isOver = true
      socket.destroy()
      closed()
    }

    /** What `step` returns; where it throws, the connection ends. */
    const orEnd = <A>(step: () => A): A | undefined => {
      try {
        return isOver ? undefined : step()
      } catch {
        end()
        return undefined
      }
    }

    /** Throws where a packet says what it should not. */
    const decode = (body: Buffer): ServerMessage | undefined => {
      if (!isAccepted) {
        const first = Packets.decodeConnected(body)
        isAccepted = true
        password = first.password
        return first.connected
      }
      const header = Packets.decodeHeader(body)
      if (header.kind === "Notification") return Packets.decodeNotification(body, chroot)
      const { xid, zxid } = header
      if (header.kind === "Ping") return { _tag: "Reply", xid, zxid, answer: pong }
      const ask = asked.shift()
      if (ask?.xid !== xid) throw new Error("an answer to another request than the oldest")
      return { _tag: "Reply", xid, zxid, answer: Packets.decodeAnswer(body, header, ask, chroot) }
    }

    const received = (chunk: Buffer): void => {
      frames.add(chunk)
      for (let body = orEnd(frames.next); body !== undefined; body = orEnd(frames.next)) {
        const packet = body
        const next = orEnd(() => decode(packet))
        if (next !== undefined) message(next)
      }
    }

    const write = (packet: Buffer): void => {
      // What is sent in one turn goes to the network at once.
      if (!isCorked) {
        isCorked = true
        socket.cork()
        process.nextTick(() => {
          isCorked = false
          socket.uncork()
        })
      }
      socket.write(packet)
    }

    socket.on("connect", () => {
      if (!isOver) opened()
    })
    socket.on("data", received)
    socket.on("end", end)
    socket.on("close", end)
    socket.on("error", end)

    return {
      send: (sent) => {
        if (isOver) return
        if (sent._tag === "Connect") {
          write(Packets.encodeConnect(sent, password))
        } else {
          if (sent.request._tag !== "Ping") asked.push(sent)
          write(Packets.encodeAsk(sent, chroot))
        }
      },
      close: () => {
        isOver = true
        socket.destroy()
      }
    }
  }
}

/** Cuts what comes in into packets. */
const makeFrames = () => {
  let chunks: Array<Buffer> = []
  let size = 0
  /** How much there must be for the next step: a length, or a packet with its length. */
  let needed = lengthBytes

  return {
    add: (chunk: Buffer): void => {
      chunks.push(chunk)
      size += chunk.length
    },
    /** The next packet, without its length, if it is complete. */
    next: (): Buffer | undefined => {
      while (size >= needed) {
        const all = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size)
        const length = all.readInt32BE(0)
        if (length < 0 || length > maximumReplyBytes) throw new Error(`a packet of ${length} bytes`)
        needed = lengthBytes + length
        if (size < needed) {
          chunks = [all]
          return undefined
        }
        const rest = all.subarray(needed)
        const body = all.subarray(lengthBytes, needed)
        chunks = rest.length === 0 ? [] : [rest]
        size = rest.length
        needed = lengthBytes
        return body
      }
      return undefined
    }
  }
}

const lengthBytes = 4
const pong: Answer = { _tag: "Done", value: undefined }
