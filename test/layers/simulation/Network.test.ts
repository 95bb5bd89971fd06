import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ByteStream, type Piece } from "../../../src/layers/simulation/ByteStream.ts"
import { Kernel } from "../../../src/layers/simulation/Kernel.ts"
import { type End, Network } from "../../../src/layers/simulation/Network.ts"
import { Process } from "../../../src/layers/simulation/Process.ts"

const second = 1_000_000
const port = 1

/** A server and a client's channel to it, with what both have seen. */
interface Link {
  readonly kernel: Kernel
  readonly network: Network
  readonly server: Process
  readonly client: End<string>
  readonly atServer: Array<string>
  readonly atClient: Array<string>
  readonly serverEnd: () => End<string>
  readonly pass: (micros: number) => void
}

const idle = { ended: () => {}, logged: () => {} }

const link = (seed = 1): Link => {
  const kernel = new Kernel({ seed, policy: "random", preemption: 0 })
  const network = new Network(kernel, { latencyMicros: 1000 })
  const server = new Process(kernel, "server")
  server.start(Effect.never, idle)
  const atServer: Array<string> = []
  const atClient: Array<string> = []
  let serverEnd: End<string> | undefined
  let client: End<string> | undefined
  network.listen<string>(server, port, (end) => {
    serverEnd = end
    return { message: (message) => atServer.push(message), closed: (how) => atServer.push(`(${how})`) }
  })
  network.dial<string>("client", "server", port, (end) => {
    client = end
    end!.attach({ message: (message) => atClient.push(message), closed: (how) => atClient.push(`(${how})`) })
  })
  const pass = (micros: number) => void kernel.run(() => false, kernel.now + micros)
  pass(second)
  return { kernel, network, server, client: client!, atServer, atClient, serverEnd: () => serverEnd!, pass }
}

const numbers = (count: number): ReadonlyArray<string> => Array.from({ length: count }, (_, i) => `${i}`)
const seeds = Array.from({ length: 30 }, (_, seed) => seed)

describe("a channel", () => {
  it("keeps the order of its messages, whatever their delays, cuts and pauses", () => {
    for (const seed of seeds) {
      const { kernel, network, server, client, atServer, pass } = link(seed)
      const random = kernel.stream("test")
      for (const message of numbers(200)) {
        client.send(message)
        if (random.chance(0.05)) network.cut("client", "server")
        if (random.chance(0.1)) network.mend("client", "server")
        if (random.chance(0.05)) server.pause()
        if (random.chance(0.1)) server.resume()
        pass(random.below(5_000))
      }
      for (let i = 0; i < 20; i++) network.mend("client", "server")
      server.resume()
      pass(10 * second)
      assert.deepStrictEqual(atServer, numbers(200), `seed ${seed}`)
    }
  })

  it("hands over what was sent before its end, and then the end", () => {
    const { client, atServer, atClient, serverEnd, pass } = link()
    client.send("last")
    client.close()
    client.send("too late")
    pass(second)
    assert.deepStrictEqual(atServer, ["last", "(end)"])
    serverEnd().send("answer")
    serverEnd().close()
    pass(second)
    assert.deepStrictEqual(atClient, ["answer", "(end)"])
  })

  it("says on the other side that it was reset", () => {
    const { client, atServer, serverEnd, pass } = link()
    client.reset()
    pass(second)
    assert.deepStrictEqual(atServer, ["(reset)"])
    assert.isTrue(serverEnd().isOver)
  })

  it("sends what a process has sent when it is killed, and then an end", () => {
    const { server, serverEnd, atClient, pass } = link()
    serverEnd().send("last")
    server.crash("kill")
    pass(second)
    assert.deepStrictEqual(atClient, ["last", "(end)"])
  })

  it("is half open when a machine loses power, until TCP gives up", () => {
    const { kernel, server, client, atClient, pass } = link()
    server.crash("power")
    pass(100 * second)
    assert.deepStrictEqual(atClient, [], "nobody knows")
    client.send("anybody there?")
    pass(10 * second)
    assert.deepStrictEqual(atClient, [])
    pass(60 * second)
    assert.deepStrictEqual(atClient, ["(reset)"])
    assert.isTrue(kernel.reached.has("network.half-open"))
  })

  it("is reset when the machine is back and knows nothing of it", () => {
    const { network, server, client, atClient, pass } = link()
    server.crash("power")
    server.start(Effect.never, idle)
    network.listen(server, port, () => ({ message: () => {}, closed: () => {} }))
    client.send("still there?")
    pass(second)
    assert.deepStrictEqual(atClient, ["(reset)"])
  })

  it("works in one direction when the other is cut, and TCP gives up what it cannot send", () => {
    const { network, client, serverEnd, atServer, atClient, pass } = link()
    network.cut("client", "server")
    client.send("lost")
    serverEnd().send("heard")
    pass(second)
    assert.deepStrictEqual(atClient, ["heard"])
    pass(60 * second)
    assert.deepStrictEqual(atServer, [])
    assert.deepStrictEqual(atClient, ["heard", "(reset)"])
  })
})

describe("a dial", () => {
  const dial = (
    prepare: (network: Network, server: Process) => void
  ): { readonly answer: unknown; readonly at: number } => {
    const kernel = new Kernel({ seed: 1, policy: "random", preemption: 0 })
    const network = new Network(kernel, { latencyMicros: 1000 })
    const server = new Process(kernel, "server")
    server.start(Effect.never, idle)
    prepare(network, server)
    let answer: unknown = "none"
    let at = 0
    network.dial("client", "server", port, (end) => {
      answer = end
      at = kernel.now
    })
    kernel.run(() => answer !== "none", 60 * second)
    return { answer, at }
  }
  const listen = (network: Network, server: Process) =>
    network.listen(server, port, () => ({ message: () => {}, closed: () => {} }))

  it("is refused at once where nobody listens", () => {
    const { answer, at } = dial(() => {})
    assert.isUndefined(answer)
    assert.isBelow(at, second / 2)
  })

  it("is refused where a process has died", () => {
    const { answer } = dial((network, server) => {
      listen(network, server)
      server.crash("kill")
    })
    assert.isUndefined(answer)
  })

  it("takes its time where nothing gets through", () => {
    for (const prepare of [
      (network: Network, server: Process) => {
        listen(network, server)
        network.cut("server", "client")
      },
      (network: Network, server: Process) => {
        listen(network, server)
        server.crash("power")
      }
    ]) {
      const { answer, at } = dial(prepare)
      assert.isUndefined(answer)
      assert.isAtLeast(at, 5 * second)
    }
  })

  it("is forgotten with the process that dialled", () => {
    const kernel = new Kernel({ seed: 1, policy: "random", preemption: 0 })
    const network = new Network(kernel, { latencyMicros: 1000 })
    const [server, client] = [new Process(kernel, "server"), new Process(kernel, "client")]
    for (const process of [server, client]) process.start(Effect.never, idle)
    listen(network, server)
    let answers = 0
    network.dial(client, "server", port, () => answers++)
    client.crash("kill")
    client.start(Effect.never, idle)
    kernel.run(() => false, 10 * second)
    assert.strictEqual(answers, 0)
    assert.strictEqual(network.open.size, 0)
  })

  it("is answered while the process stands still", () => {
    const { answer } = dial((network, server) => {
      listen(network, server)
      server.pause()
    })
    assert.isDefined(answer)
  })
})

describe("a stream of bytes", () => {
  const streams = (seed: number, window: number, segmentation: number) => {
    const kernel = new Kernel({ seed, policy: "random", preemption: 0 })
    const network = new Network(kernel, { latencyMicros: 1000 })
    const server = new Process(kernel, "server")
    server.start(Effect.never, idle)
    let there: End<Piece> | undefined
    const received: Array<Piece> = []
    network.listen<Piece>(server, port, (end) => {
      there = end
      return { message: (piece) => received.push(piece), closed: () => {} }
    })
    let stream: ByteStream | undefined
    network.dial<Piece>("client", "server", port, (end) => {
      const random = kernel.stream("test")
      stream = new ByteStream(end!, { window, segmentation, random, now: () => kernel.now })
    })
    const pass = (micros: number) => void kernel.run(() => false, kernel.now + micros)
    pass(second)
    return { kernel, stream: stream!, there: there!, received, pass }
  }

  it("arrives whole and in order, cut as the seed wants it, with the time of its writing", () => {
    for (const seed of seeds) {
      const { kernel, stream, received, pass } = streams(seed, 4096, 0.5)
      const writes = numbers(50).map((n) => Buffer.from(n.repeat(37)))
      const times: Array<number> = []
      for (const bytes of writes) {
        times.push(kernel.now)
        stream.write(bytes)
        pass(300)
      }
      pass(second)
      assert.deepStrictEqual(Buffer.concat(received.map(({ bytes }) => bytes)), Buffer.concat(writes))
      assert.isAbove(received.length, writes.length)
      assert.deepStrictEqual([...new Set(received.map(({ writtenAt }) => writtenAt))], times)
    }
  })

  it("keeps what a reader that does not read has no window for", () => {
    const { stream, there, pass } = streams(1, 1000, 0)
    let empty = 0
    let taken = 0
    stream.whenEmpty = () => empty++
    stream.whenTaken = (total) => {
      taken = total
    }
    there.pause()
    stream.write(Buffer.alloc(2500))
    pass(second)
    assert.deepStrictEqual([stream.waiting, taken, empty], [1500, 0, 0])
    there.resume()
    pass(second)
    assert.deepStrictEqual([stream.waiting, taken, empty], [0, 2500, 1])
  })

  it("is not taken by a reader that is about to end its own stream", () => {
    const { stream, there, pass } = streams(1, 1000, 0)
    let taken = 0
    stream.whenTaken = (total) => {
      taken = total
    }
    stream.write(Buffer.alloc(300))
    pass(second)
    there.willClose()
    stream.write(Buffer.alloc(500))
    pass(second)
    assert.deepStrictEqual([taken, there.hasClosed], [300, true])
  })
})
