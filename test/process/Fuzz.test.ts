import { connect, type Socket } from "node:net"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { encode } from "../../src/domain/packet/Encoder.ts"
import type { Packet, ProtocolVersion } from "../../src/domain/packet/Packet.ts"
import { PersistentClient } from "../durability/PersistentClient.ts"
import { RealWorld } from "../durability/RealWorld.ts"
import { numbers } from "./Numbers.ts"

let world: RealWorld

beforeAll(async () => {
  world = await RealWorld.start("limits.connectTimeout=1 s")
})

afterAll(() => world.broker.dispose())

/** Connections in all, and how many of them at a time. */
const connections = 1_500
const atOnce = 25

const payload = Buffer.from("payload")

/** A packet of each type that a client may send, and more of those that can say much. */
const samples = (version: ProtocolVersion, name: string): ReadonlyArray<Packet> => {
  const isVersion5 = version === 5
  return [
    { _tag: "Publish", topic: "f/a", payload, qos: 0, retain: false, dup: false, packetId: 0 },
    { _tag: "Publish", topic: "f/a", payload, qos: 1, retain: true, dup: false, packetId: 1 },
    {
      _tag: "Publish",
      topic: `f/${name}`,
      payload: Buffer.alloc(3_000, "x"),
      qos: 2,
      retain: false,
      dup: true,
      packetId: 2,
      ...(isVersion5 && {
        properties: {
          payloadFormatIndicator: 1,
          messageExpiryInterval: 60,
          contentType: "text/plain",
          responseTopic: "f/r",
          correlationData: payload,
          topicAlias: 1,
          userProperties: [["a", "b"]]
        }
      })
    },
    { _tag: "PubAck", packetId: 1, reasonCode: 0 },
    { _tag: "PubRec", packetId: 1, reasonCode: 0 },
    { _tag: "PubRel", packetId: 2, reasonCode: 0 },
    { _tag: "PubComp", packetId: 1, reasonCode: 0 },
    {
      _tag: "Subscribe",
      packetId: 3,
      subscriptions: [
        { filter: "f/#", qos: 2, noLocal: false, retainAsPublished: isVersion5, retainHandling: 0 },
        { filter: "$share/g/f/+", qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 }
      ],
      ...(isVersion5 && { properties: { subscriptionIdentifier: 9 } })
    },
    { _tag: "Unsubscribe", packetId: 4, filters: ["f/+", "f/#"] },
    { _tag: "PingReq" },
    ...(isVersion5 ? [{ _tag: "Auth", reasonCode: 0x18, properties: { authenticationMethod: "x" } } as const] : []),
    { _tag: "Disconnect", reasonCode: 0 }
  ]
}

const connectPacket = (version: ProtocolVersion, clientId: string, cleanStart: boolean): Packet => ({
  _tag: "Connect",
  protocolVersion: version,
  clientId,
  cleanStart,
  keepAlive: 10,
  username: "user",
  password: payload,
  will: {
    topic: "f/will",
    payload,
    qos: 1,
    retain: true,
    ...(version === 5 && { properties: { willDelayInterval: 1, contentType: "text/plain" } })
  },
  ...(version === 5 && { properties: { sessionExpiryInterval: 5, receiveMaximum: 5, topicAliasMaximum: 3 } })
})

type Choose = (below: number) => number

const randomBytes = (choose: Choose): Buffer => Buffer.from(Array.from({ length: choose(200) }, () => choose(256)))

/** Changes, inserts, removes or repeats bytes here and there. */
const mutated = (bytes: Buffer, choose: Choose): Buffer => {
  let out = Buffer.from(bytes)
  for (let changes = choose(4); changes > 0; changes--) {
    const at = choose(out.length)
    const [before, after] = [out.subarray(0, at), out.subarray(at)]
    switch (choose(5)) {
      case 0:
        out[at] = choose(256)
        break
      case 1:
        out[at]! ^= 1 << choose(8)
        break
      case 2:
        out = Buffer.concat([before, after.subarray(1 + choose(4))])
        break
      case 3:
        out = Buffer.concat([before, randomBytes(choose), after])
        break
      default:
        out = Buffer.concat([before, after.subarray(0, 8), after])
    }
  }
  return out
}

/** What one connection sends; the broker's answer to a CONNECT that is sound is waited for. */
interface Flood {
  readonly hello: Buffer
  readonly isSound: boolean
  readonly rest: Buffer
}

/** Bytes at random, packets spoilt from the first, or packets spoilt after a sound CONNECT. */
const flood = (choose: Choose, name: string): Flood => {
  const version = ([3, 4, 5] as const)[choose(3)]!
  const hello = encode(connectPacket(version, name, choose(2) === 0), version)
  const packets = samples(version, name)
  const some = Array.from({ length: 1 + choose(20) }, () => encode(packets[choose(packets.length)]!, version))
  switch (choose(8)) {
    case 0:
      return { hello: randomBytes(choose), isSound: false, rest: randomBytes(choose) }
    case 1:
      return { hello: mutated(hello, choose), isSound: false, rest: Buffer.concat(some) }
    case 2:
      return { hello, isSound: true, rest: randomBytes(choose) }
    case 3:
      return { hello, isSound: true, rest: mutated(Buffer.concat(some), choose) }
    default: {
      // The first packets are sound, so that the last ones find a session that has something in it.
      const sound = choose(some.length)
      return { hello, isSound: true, rest: Buffer.concat(some.map((p, i) => (i < sound ? p : mutated(p, choose)))) }
    }
  }
}

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))

/** Cuts the bytes anywhere and sends a piece a turn. */
const sendInPieces = async (socket: Socket, bytes: Buffer, choose: Choose): Promise<void> => {
  let rest = bytes
  while (rest.length > 0 && !socket.destroyed) {
    const length = 1 + choose(Math.min(rest.length, 1 + choose(1_000)))
    socket.write(rest.subarray(0, length))
    rest = rest.subarray(length)
    await turn()
  }
}

/** Opens a connection, sends nonsense, and ends or breaks the connection unless the broker has. */
const attack = async (choose: Choose, name: string): Promise<void> => {
  const socket: Socket = connect(world.broker.port, world.broker.host)
  // Whatever the broker does to a connection like this is right.
  socket.on("error", () => {})
  socket.resume()
  const closed = new Promise<void>((resolve) => void socket.once("close", () => resolve()))
  const answered = new Promise<void>((resolve) => void socket.once("data", () => resolve()))
  const { hello, isSound, rest } = flood(choose, name)
  await sendInPieces(socket, hello, choose)
  if (isSound) await Promise.race([answered, closed])
  await sendInPieces(socket, rest, choose)
  // An orderly end lets the broker read all that was sent.
  if (choose(4) === 0) socket.destroy()
  else socket.end()
  await closed
}

describe("bytes that make no sense", { timeout: 60_000 }, () => {
  it("disturb nobody but those who send them", async () => {
    const good = new PersistentClient(world, 5, "good")
    await good.connect()
    await good.subscribe("good/+", 1)
    const attacks = { areOver: false }
    const exchange = async (): Promise<ReadonlyArray<string>> => {
      const published: Array<string> = []
      while (!attacks.areOver) {
        published.push(await good.publish("good/topic", 1))
        await turn()
      }
      return published
    }
    const exchanged = exchange()

    const attackInTurn = async (lane: number): Promise<void> => {
      const choose = numbers(lane)
      // Now and then one takes over from another.
      const nameOf = (): string => `fuzz-${choose(8) === 0 ? choose(atOnce) : lane}`
      for (let i = 0; i < connections / atOnce; i++) await attack(choose, nameOf())
    }
    await Promise.all(Array.from({ length: atOnce }, (_, lane) => attackInTurn(lane)))
    attacks.areOver = true
    const published = await exchanged

    const received = await good.received.take(published.length)
    assert.deepEqual(
      received.map(({ name, dup }) => (dup ? `${name} again` : name)),
      published
    )
    assert.deepEqual(good.disconnects, [])
    assert.deepEqual(await world.end(), [])
    assert.deepEqual(world.broker.complaints(), [])
    const { code } = await world.stop()
    assert.strictEqual(code, 0)
  })
})
