import { assert, describe, it } from "@effect/vitest"
import { createServer, type AddressInfo, type Server, type Socket } from "node:net"
import type { LoadOrder, LoadResult, Traffic } from "../../../bench/load/scenario.ts"
import { throughput } from "../../../bench/load/throughput.ts"

// The 50th message is late enough for the load to be under way, and early enough to come in any run.
const VICTIM = 50

/** What the broker sends for its n-th PUBLISH, given that packet and the one before. */
type Fault = (index: number, packet: Buffer, previous: Buffer) => ReadonlyArray<Buffer>

const faithful: Fault = (_, packet) => [packet]

/** A broker that knows QoS 0 and one topic only: what is published goes to all subscribers, as the fault has it. */
const startBroker = (fault: Fault): Promise<Server> => {
  const subscribers: Array<Socket> = []
  let published = 0
  let previous: Buffer = Buffer.alloc(0)
  const handle = (socket: Socket, packet: Buffer): void => {
    const type = packet[0]! >> 4
    if (type === 1) socket.write(Buffer.of(0x20, 2, 0, 0))
    if (type === 8) {
      subscribers.push(socket)
      socket.write(Buffer.of(0x90, 3, packet[2]!, packet[3]!, 0))
    }
    if (type === 3) {
      const sent = Buffer.concat(fault(published++, packet, previous))
      for (const subscriber of subscribers) subscriber.write(sent)
      previous = packet
    }
  }
  const server = createServer((socket) => {
    let rest: Buffer = Buffer.alloc(0)
    socket.on("data", (chunk) => {
      rest = Buffer.concat([rest, chunk])
      // All packets here are shorter than 128 bytes, so that their length is one byte.
      while (rest.length >= 2 && rest.length >= 2 + rest[1]!) {
        handle(socket, rest.subarray(0, 2 + rest[1]!))
        rest = rest.subarray(2 + rest[1]!)
      }
    })
  })
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)))
}

const measure = async (fault: Fault, traffic: Partial<Traffic> = {}): Promise<LoadResult> => {
  const server = await startBroker(fault)
  const { port } = server.address() as AddressInfo
  const plain = {
    publishers: 1,
    subscribers: 1,
    topics: "shared",
    qos: 0,
    window: 20,
    payloadBytes: 64,
    gatherMs: 0
  } as const
  const scenario = { kind: "throughput", ...plain, ...traffic } as const
  const order: LoadOrder = { scenario, port, pid: process.pid, version: 4, warmupSeconds: 0.05, seconds: 0.1 }
  try {
    return await throughput(order, scenario)
  } finally {
    server.close()
  }
}

describe("the benchmark's throughput load", () => {
  it("counts what a faithful broker delivers and finds nothing wrong", async () => {
    const result = await measure(faithful, { subscribers: 3 })
    assert.deepStrictEqual(result.problems, [])
    assert.isAbove(result.value, 1000)
  })

  it("reports a lost message", async () => {
    const result = await measure((index, packet) => (index === VICTIM ? [] : [packet]))
    assert.deepStrictEqual(result.problems, ["1 lost"])
  })

  it("reports a message delivered twice", async () => {
    const result = await measure((index, packet) => (index === VICTIM ? [packet, packet] : [packet]))
    assert.deepStrictEqual(result.problems, ["1 duplicated"])
  })

  it("reports two messages that changed places", async () => {
    const result = await measure((index, packet, previous) => {
      if (index === VICTIM) return []
      return index === VICTIM + 1 ? [packet, previous] : [packet]
    })
    assert.deepStrictEqual(result.problems, ["1 out of order"])
  })

  it("reports a message whose content was changed, and misses it", async () => {
    const result = await measure((index, packet) => {
      if (index === VICTIM) packet[packet.length - 1]! ^= 1
      return [packet]
    })
    assert.deepStrictEqual(result.problems, ["1 lost", "1 damaged"])
  })

  it("reports a message on another topic", async () => {
    const result = await measure((index, packet) => {
      if (index === VICTIM) packet.write("9", 3 + packet[3]!)
      return [packet]
    })
    assert.deepStrictEqual(result.problems, ["1 lost", "1 damaged"])
  })
})
