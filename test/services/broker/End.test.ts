import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import type { Will } from "../../../src/domain/packet/Packet.ts"
import { briefly, durable, publish, start, startFirst, subscribed } from "../TestBroker.ts"

const will: Will = { topic: "wills", payload: Buffer.from("gone"), qos: 1, retain: false }
const delayed = (willDelayInterval: number): Will => ({ ...will, properties: { willDelayInterval } })

const setUp = Effect.gen(function* () {
  const { server, broker } = yield* startFirst()
  const watcher = yield* broker.connect("watcher")
  yield* subscribed(watcher, "wills", 0)
  return { server, broker, watcher, wills: Effect.map(watcher.untilPing, briefly) }
})

describe("a Will", () => {
  it.effect("is published when the connection breaks, once", () =>
    Effect.gen(function* () {
      const { broker, wills } = yield* setUp
      const x = yield* broker.connect("x", { will })
      x.drop()
      yield* broker.durable
      assert.deepStrictEqual(yield* wills, ["Publish gone"])
      yield* broker.connect("x")
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* wills, [])
    })
  )

  it.effect("goes with a DISCONNECT 0x00, and is published by 0x04 [MQTT-3.14.4-3]", () =>
    Effect.gen(function* () {
      const { broker, wills } = yield* setUp
      const x = yield* broker.connect("x", { will })
      x.send({ _tag: "Disconnect", reasonCode: 0 })
      yield* x.untilClosed
      assert.deepStrictEqual(yield* wills, [])
      const y = yield* broker.connect("y", { will })
      y.send({ _tag: "Disconnect", reasonCode: 4 })
      yield* y.untilClosed
      yield* broker.durable
      assert.deepStrictEqual(yield* wills, ["Publish gone"])
    })
  )

  it.effect("is published only when a crash would not bring it again", () =>
    Effect.gen(function* () {
      const { broker, server, wills } = yield* setUp
      const x = yield* broker.connect("x", { will })
      yield* broker.faults.suspend
      x.drop()
      assert.deepStrictEqual(yield* wills, [])
      const next = yield* start(server)
      const watcher = yield* next.connect("watcher", durable)
      yield* next.durable
      assert.deepStrictEqual(briefly(yield* watcher.untilPing), [])
    })
  )

  it.effect("waits for its delay, but no longer than the session [MQTT-3.1.3-9]", () =>
    Effect.gen(function* () {
      const { broker, wills } = yield* setUp
      const x = yield* broker.connect("x", { ...durable, will: delayed(10) })
      const y = yield* broker.connect("y", { properties: { sessionExpiryInterval: 3 }, will: delayed(10) })
      x.drop()
      y.drop()
      yield* TestClock.adjust("2900 millis")
      assert.deepStrictEqual(yield* wills, [])
      yield* TestClock.adjust("600 millis")
      assert.deepStrictEqual(yield* wills, ["Publish gone"])
      yield* TestClock.adjust("6 seconds")
      assert.deepStrictEqual(yield* wills, [])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* wills, ["Publish gone"])
    })
  )

  it.effect("of a client that was connected when the broker died is published by the next broker, once", () =>
    Effect.gen(function* () {
      const { server, broker } = yield* setUp
      const keeper = yield* broker.connect("keeper", durable)
      yield* subscribed(keeper, "wills", 1)
      yield* broker.connect("x", { will })
      yield* broker.crash
      const next = yield* start(server)
      const again = yield* next.connect("keeper", durable)
      assert.deepStrictEqual(briefly(yield* again.untilPing), ["Publish gone"])
      again.send({ _tag: "PubAck", packetId: 1, reasonCode: 0 })
      yield* again.untilPing
      yield* next.durable
      yield* next.crash
      const last = yield* start(server)
      const third = yield* last.connect("keeper", durable)
      assert.deepStrictEqual(yield* third.untilPing, [])
    })
  )

  it.effect("that waits is waited for by the next broker", () =>
    Effect.gen(function* () {
      const { server, broker } = yield* setUp
      const x = yield* broker.connect("x", { ...durable, will: delayed(10) })
      x.drop()
      yield* broker.durable
      yield* TestClock.adjust("4 seconds")
      yield* broker.crash
      const next = yield* start(server)
      const watcher = yield* next.connect("watcher")
      yield* subscribed(watcher, "wills", 0)
      yield* TestClock.adjust("4 seconds")
      assert.deepStrictEqual(yield* watcher.untilPing, [])
      yield* TestClock.adjust("4 seconds")
      assert.deepStrictEqual(briefly(yield* watcher.untilPing), ["Publish gone"])
    })
  )

  it.effect("with RETAIN becomes the topic's retained message", () =>
    Effect.gen(function* () {
      const { broker } = yield* setUp
      const x = yield* broker.connect("x", { will: { ...will, retain: true } })
      x.drop()
      const late = yield* broker.connect("late")
      yield* subscribed(late, "wills", 0)
      const seen = yield* late.untilPing
      assert.deepStrictEqual(briefly(seen), ["Publish gone"])
      assert.deepInclude(seen[0], { retain: true })
    })
  )
})

describe("the end of a session", () => {
  it.effect("comes with its expiry, and a DISCONNECT may bring it nearer (section 3.14.2.2.2)", () =>
    Effect.gen(function* () {
      const { broker } = yield* startFirst()
      const x = yield* broker.connect("x", durable)
      x.send({ _tag: "Disconnect", reasonCode: 0, properties: { sessionExpiryInterval: 2 } })
      yield* x.untilClosed
      yield* TestClock.adjust("3 seconds")
      assert.isFalse((yield* broker.connect("x", durable)).connAck.sessionPresent)
    })
  )

  it.effect("a session that ends with its connection cannot be given an expiry at its end", () =>
    Effect.gen(function* () {
      const { broker } = yield* startFirst()
      const x = yield* broker.connect("x")
      x.send({ _tag: "Disconnect", reasonCode: 0, properties: { sessionExpiryInterval: 2 } })
      assert.deepInclude((yield* x.untilClosed)[0], { _tag: "Disconnect", reasonCode: 0x82 })
    })
  )

  it.effect("goes on counting while no broker runs", () =>
    Effect.gen(function* () {
      const { server, broker } = yield* startFirst()
      const brief = { cleanStart: false, properties: { sessionExpiryInterval: 60 } }
      const x = yield* broker.connect("x", brief)
      yield* subscribed(x, "t", 1)
      x.drop()
      yield* broker.durable
      yield* broker.crash
      yield* TestClock.adjust("2 minutes")
      const next = yield* start(server)
      yield* TestClock.adjust("1 second")
      assert.isFalse((yield* next.connect("x", brief)).connAck.sessionPresent)
    })
  )

  it.effect("by the server's own end is told with 0x8B, and nothing that was accepted is lost", () =>
    Effect.gen(function* () {
      const { server, broker } = yield* startFirst()
      const v5 = yield* broker.connect("v5", durable)
      yield* subscribed(v5, "t", 2)
      const v4 = yield* broker.connect("v4", { protocolVersion: 4 })
      const silent = yield* broker.open(5)
      v4.send(publish("t", "one", 1, 1))
      yield* v4.expect("PubAck")
      yield* broker.stop
      assert.deepStrictEqual(yield* v4.untilClosed, [])
      assert.deepStrictEqual(yield* silent.untilClosed, [])
      const last = (yield* v5.untilClosed).at(-1)
      assert.deepInclude(last, { _tag: "Disconnect", reasonCode: 0x8b })
      const next = yield* start(server)
      const again = yield* next.connect("v5", durable)
      assert.deepStrictEqual(briefly(yield* again.untilPing), ["Publish one"])
    })
  )
})
