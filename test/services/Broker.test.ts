import { assert, describe, it } from "@effect/vitest"
import { Context, Effect } from "effect"
import { TestClock } from "effect/testing"
import * as Layout from "../../src/services/Layout.ts"
import * as ZooKeeperMemory from "../../src/layers/ZooKeeperMemory.ts"
import { Broker } from "../../src/services/Broker.ts"
import { Retained } from "../../src/services/Retained.ts"
import {
  nothingHeld,
  briefly,
  durable,
  publish,
  start,
  startFirst,
  subscribe,
  subscribed,
  type TestBroker,
  text
} from "./TestBroker.ts"

const capital = 1_048_576
const settings = { bank: { capital: "1 MiB" } }

const statsOf = (broker: TestBroker) => Context.get(broker.services, Broker).stats()

const nothing = nothingHeld(capital)

const assertNothingLeft = Effect.fnUntraced(function* (
  broker: TestBroker,
  server: Parameters<typeof ZooKeeperMemory.connect>[0]
) {
  yield* broker.durable
  const { counts, ...held } = statsOf(broker)
  assert.isAbove(counts.connections, 0)
  assert.deepStrictEqual(held, nothing)
  const { zooKeeper } = yield* ZooKeeperMemory.connect(server)
  const lease = JSON.parse(Buffer.from((yield* zooKeeper.get(Layout.lease("mqttzoo"))).data).toString())
  assert.deepInclude(lease, { drawn: capital, spent: 0 })
  for (let bucket = 0; bucket < Layout.topicBuckets; bucket++) {
    assert.deepStrictEqual(yield* zooKeeper.children(Layout.topicBucket(bucket)), [])
  }
})

/** Clients of all kinds, who leave much behind. */
const churn = Effect.fnUntraced(function* (broker: TestBroker) {
  const publisher = yield* broker.connect("publisher", { keepAlive: 60 })
  for (let i = 0; i < 6; i++) {
    const brief = { cleanStart: false, properties: { sessionExpiryInterval: 30 + i } }
    const will = {
      topic: `wills/${i}`,
      payload: Buffer.from("gone"),
      qos: (i % 3) as 0 | 1 | 2,
      retain: i % 2 === 0,
      properties: { willDelayInterval: i * 5, messageExpiryInterval: 20 }
    }
    const client = yield* broker.connect(`client ${i}`, { keepAlive: 10, will, ...(i < 4 && brief) })
    yield* subscribed(client, "#", (i % 3) as 0 | 1 | 2)
    yield* subscribed(client, `$share/g/t/${i}`, 1)
    yield* subscribed(client, "t/+", 2)
    if (i % 2 === 1) client.drop()
    if (i === 2) client.send({ _tag: "Disconnect", reasonCode: 0 })
  }
  for (let n = 1; n <= 20; n++) {
    const retain = n % 3 === 0
    const properties = n % 2 === 0 ? { messageExpiryInterval: 15 } : { contentType: "text" }
    publisher.send(
      publish(`t/${n % 6}`, `message ${n}`, (n % 3) as 0 | 1 | 2, n % 3 === 0 ? 0 : n, { retain, properties })
    )
  }
  yield* broker.durable
  yield* publisher.untilPing
  assert.isBelow(statsOf(broker).credit, capital)
  assert.isAbove(statsOf(broker).retained, 0)
  return publisher
})

/** Everybody leaves, every session and Will runs out, and every retained message is removed. */
const leave = Effect.fnUntraced(function* (broker: TestBroker) {
  yield* TestClock.adjust("3 minutes")
  const remover = yield* broker.connect("remover")
  for (const kind of ["t", "wills"])
    for (let i = 0; i < 6; i++) remover.send(publish(`${kind}/${i}`, "", 0, 0, { retain: true }))
  yield* remover.untilPing
  remover.drop()
})

describe("a broker in one process", () => {
  it.effect("brings a message from one client to another", () =>
    Effect.gen(function* () {
      const { broker } = yield* startFirst()
      const a = yield* broker.connect("a")
      const s = yield* broker.connect("s")
      yield* subscribed(s, "t", 1)
      a.send(publish("t", "hello", 1, 1))
      assert.strictEqual(text(yield* s.expect("Publish")), "hello")
      assert.strictEqual((yield* a.expect("PubAck")).packetId, 1)
    })
  )

  it.effect("keeps what waits for a durable session over a crash", () =>
    Effect.gen(function* () {
      const { server, broker } = yield* startFirst()
      const s = yield* broker.connect("s", durable)
      yield* subscribed(s, "t", 1)
      s.drop()
      const a = yield* broker.connect("a")
      a.send(publish("t", "1", 1, 1), publish("t", "2", 1, 2))
      yield* a.expect("PubAck")
      yield* a.expect("PubAck")
      yield* broker.crash
      const next = yield* start(server)
      const again = yield* next.connect("s", durable)
      assert.isTrue(again.connAck.sessionPresent)
      assert.deepStrictEqual(briefly(yield* again.untilPing), ["Publish 1", "Publish 2"])
    })
  )

  it.effect("holds nothing, and has all its credit, when everybody has left", () =>
    Effect.gen(function* () {
      const { server, broker } = yield* startFirst(settings)
      const publisher = yield* churn(broker)
      publisher.drop()
      yield* leave(broker)
      yield* assertNothingLeft(broker, server)
    })
  )

  it.effect("finds the same credit again after a crash, and gives all of it back", () =>
    Effect.gen(function* () {
      const { server, broker } = yield* startFirst(settings)
      yield* churn(broker)
      const { credit, retained } = statsOf(broker)
      yield* broker.crash
      const next = yield* start(server, settings)
      assert.strictEqual(Context.get(next.services, Retained).count() >= retained, true)
      // The Wills of those who were connected are published, and some of them retained.
      assert.isAtMost(statsOf(next).credit, credit)
      yield* leave(next)
      yield* assertNothingLeft(next, server)
    })
  )

  it.effect("survives what it was told while ZooKeeper was away", () =>
    Effect.gen(function* () {
      const { server, broker } = yield* startFirst(settings)
      yield* broker.faults.suspend
      for (let i = 0; i < 5; i++) {
        const client = yield* broker.knock(`client ${i % 2}`, durable)
        client.send(subscribe(1, "#", 1))
        if (i === 3) client.drop()
      }
      yield* TestClock.adjust("1 minute")
      yield* broker.faults.resume
      yield* TestClock.adjust("3 seconds")
      const last = yield* broker.connect("client 0", { cleanStart: true })
      const other = yield* broker.connect("client 1", { cleanStart: true })
      last.drop()
      other.drop()
      yield* assertNothingLeft(broker, server)
    })
  )
})
