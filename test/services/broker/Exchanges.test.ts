import { assert, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { TestClock } from "effect/testing"
import type { Packet } from "../../../src/domain/packet/Packet.ts"
import { durable, publish, start, startFirst, subscribe, type TestBroker, text } from "../TestBroker.ts"
import type { Peer } from "../TransportMemory.ts"

/** A client that follows the rules for a durable session: it remembers over its connections what the rules say. */
interface Client {
  readonly connect: (broker: TestBroker) => Effect.Effect<void>
  readonly drop: () => void
  /** Reacts to all that has come. */
  readonly react: Effect.Effect<number>
}

const makeClient = (
  clientId: string,
  opened: (peer: Peer) => void,
  on: (peer: Peer, packet: Packet) => void
): Client => {
  let peer: Peer | undefined
  return {
    connect: (broker) =>
      Effect.gen(function* () {
        peer?.drop()
        peer = yield* broker.knock(clientId, durable)
      }),
    drop: () => {
      peer?.drop()
      peer = undefined
    },
    react: Effect.gen(function* () {
      if (peer === undefined) return 0
      const packets = yield* peer.poll
      for (const packet of packets) {
        if (packet._tag === "ConnAck") opened(peer)
        else on(peer, packet)
      }
      return packets.length
    })
  }
}

interface Sent {
  readonly packetId: number
  readonly n: number
  readonly qos: 1 | 2
  isReceived: boolean
}

const makePublisher = () => {
  const outstanding: Array<Sent> = []
  let n = 0
  let lastId = 0
  let open: Peer | undefined
  const finish = (packetId: number): void => {
    outstanding.splice(
      outstanding.findIndex((sent) => sent.packetId === packetId),
      1
    )
  }
  const pubRel = (packetId: number): Packet => ({ _tag: "PubRel", packetId, reasonCode: 0 })
  const client = makeClient(
    "publisher",
    (peer) => {
      open = peer
      for (const { packetId, qos, isReceived, ...sent } of outstanding) {
        peer.send(isReceived ? pubRel(packetId) : publish("t", `${sent.n}`, qos, packetId, { dup: true }))
      }
    },
    (peer, packet) => {
      if (packet._tag === "PubAck" || packet._tag === "PubComp") {
        assert.strictEqual(packet.reasonCode, 0)
        finish(packet.packetId)
      }
      if (packet._tag === "PubRec") {
        assert.strictEqual(packet.reasonCode, 0)
        outstanding.find(({ packetId }) => packetId === packet.packetId)!.isReceived = true
        peer.send(pubRel(packet.packetId))
      }
    }
  )
  return {
    client,
    outstanding,
    sent: () => n,
    publish: (qos: 1 | 2): void => {
      if (outstanding.length >= 20) return
      lastId = (lastId % 30) + 1
      while (outstanding.some(({ packetId }) => packetId === lastId)) lastId = (lastId % 30) + 1
      const sent: Sent = { packetId: lastId, n: n++, qos, isReceived: false }
      outstanding.push(sent)
      if (open?.isClosed() === false) open.send(publish("t", `${sent.n}`, qos, sent.packetId))
    },
    lose: () => (open = undefined)
  }
}

const makeSubscriber = () => {
  const seen: Array<{ readonly n: number; readonly qos: number }> = []
  const held = new Set<number>()
  let isSubscribed = false
  const client = makeClient(
    "subscriber",
    (peer) => {
      if (!isSubscribed) peer.send(subscribe(65_000, "t", 2))
    },
    (peer, packet) => {
      if (packet._tag === "SubAck") isSubscribed = true
      if (packet._tag === "Publish") {
        const { packetId, qos } = packet
        if (qos === 1) peer.send({ _tag: "PubAck", packetId, reasonCode: 0 })
        else peer.send({ _tag: "PubRec", packetId, reasonCode: 0 })
        if (qos === 2 && held.has(packetId)) return
        if (qos === 2) held.add(packetId)
        seen.push({ n: Number(text(packet)), qos })
      }
      if (packet._tag === "PubRel") {
        held.delete(packet.packetId)
        peer.send({ _tag: "PubComp", packetId: packet.packetId, reasonCode: 0 })
      }
    }
  )
  return { client, seen, isSubscribed: () => isSubscribed }
}

const Step = Schema.Literals([
  "publish QoS 1",
  "publish QoS 2",
  "publish many",
  "the publisher's connection is lost",
  "the subscriber's connection is lost",
  "the publisher connects",
  "the subscriber connects",
  "the broker crashes",
  "ZooKeeper is away",
  "ZooKeeper is back",
  "a reply of ZooKeeper is lost",
  "a request to ZooKeeper is lost",
  "a turn passes",
  "some turns pass",
  "all settles"
])

it.effect.prop(
  "whatever happens, an acknowledged message arrives: at QoS 1 at least once, at QoS 2 exactly once, in order",
  [Schema.Array(Step)],
  ([steps]) =>
    Effect.gen(function* () {
      const world = yield* startFirst()
      const { server } = world
      let { broker } = world
      const publisher = makePublisher()
      const subscriber = makeSubscriber()

      const turns = Effect.fnUntraced(function* (count: number) {
        let handled = 0
        for (let turn = 0; turn < count; turn++) {
          yield* Effect.yieldNow
          handled += yield* publisher.client.react
          handled += yield* subscriber.client.react
        }
        return handled
      })
      const losePublisher = (): void => {
        publisher.client.drop()
        publisher.lose()
      }

      yield* subscriber.client.connect(broker)
      while (!subscriber.isSubscribed()) yield* turns(1)
      yield* publisher.client.connect(broker)
      for (const step of steps) {
        switch (step) {
          case "publish QoS 1":
            publisher.publish(1)
            break
          case "publish QoS 2":
            publisher.publish(2)
            break
          case "publish many":
            for (let i = 0; i < 8; i++) publisher.publish(i % 2 === 0 ? 2 : 1)
            break
          case "the publisher's connection is lost":
            losePublisher()
            break
          case "the subscriber's connection is lost":
            subscriber.client.drop()
            break
          case "the publisher connects":
            losePublisher()
            yield* publisher.client.connect(broker)
            break
          case "the subscriber connects":
            yield* subscriber.client.connect(broker)
            break
          case "the broker crashes":
            losePublisher()
            subscriber.client.drop()
            yield* broker.crash
            broker = yield* start(server)
            break
          case "ZooKeeper is away":
            yield* broker.faults.suspend
            break
          case "ZooKeeper is back":
            yield* broker.faults.resume
            break
          case "a reply of ZooKeeper is lost":
            yield* broker.faults.loseNextReply
            break
          case "a request to ZooKeeper is lost":
            yield* broker.faults.loseNextRequest
            break
          case "a turn passes":
            yield* turns(1)
            break
          case "some turns pass":
            yield* turns(5)
            break
          case "all settles":
            yield* turns(20)
            yield* TestClock.adjust("3 seconds")
            yield* turns(20)
        }
      }
      yield* broker.faults.resume
      losePublisher()
      yield* publisher.client.connect(broker)
      yield* subscriber.client.connect(broker)
      for (let quiet = 0; quiet < 3; quiet++) {
        yield* TestClock.adjust("3 seconds")
        if ((yield* turns(30)) > 0) quiet = 0
      }

      assert.deepStrictEqual(publisher.outstanding, [])
      const first = new Map<number, number>()
      for (const { n, qos } of subscriber.seen) {
        if (qos === 2) assert.isFalse(first.has(n), `message ${n} of QoS 2 came twice`)
        if (!first.has(n)) first.set(n, qos)
      }
      assert.strictEqual(first.size, publisher.sent())
      for (const qos of [1, 2]) {
        const order = [...first].filter(([, of]) => of === qos).map(([n]) => n)
        assert.deepStrictEqual(
          order,
          order.toSorted((a, b) => a - b),
          `the order at QoS ${qos}`
        )
      }
    }),
  { arbitrary: { runs: 15 } }
)
