import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import type { Will } from "../../../src/domain/packet/Packet.ts"
import { briefly, durable, publish, start, startFirst, subscribe, subscribed } from "../TestBroker.ts"

const will: Will = { topic: "wills", payload: Buffer.from("gone"), qos: 0, retain: false }

describe("a claim of a client identifier", () => {
  it.effect("ends the older connection with 0x8E before the new one hears anything [MQTT-3.1.4-3]", () =>
    Effect.gen(function* () {
      const { broker } = yield* startFirst()
      const older = yield* broker.connect("x")
      const newer = yield* broker.connect("x")
      const [last] = yield* older.untilClosed
      assert.deepInclude(last, { _tag: "Disconnect", reasonCode: 0x8e })
      assert.deepStrictEqual(yield* newer.untilPing, [])
    })
  )

  it.effect("of a durable session is told only when it is durable, and then all that the client has sent is read", () =>
    Effect.gen(function* () {
      const { broker } = yield* startFirst()
      yield* broker.faults.suspend
      const client = yield* broker.knock("x", durable)
      client.send(subscribe(1, "t", 1))
      client.send({ _tag: "PingReq" })
      const other = yield* broker.connect("other")
      yield* other.untilPing
      assert.isFalse(client.isRead(), "nothing is read while the claim is not durable")
      yield* broker.faults.resume
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual((yield* client.expect("ConnAck")).reasonCode, 0)
      assert.strictEqual((yield* client.receive)._tag, "PingResp")
      assert.strictEqual((yield* client.receive)._tag, "SubAck")
      assert.isTrue(client.isRead())
    })
  )

  it.effect("that is taken over before it was answered gets no packet at all [MQTT-3.2.0-1]", () =>
    Effect.gen(function* () {
      const { broker } = yield* startFirst()
      yield* broker.faults.suspend
      const first = yield* broker.knock("x", durable)
      const second = yield* broker.knock("x", durable)
      assert.deepStrictEqual(briefly(yield* first.untilClosed), [])
      yield* broker.faults.resume
      yield* TestClock.adjust("2 seconds")
      assert.isTrue((yield* second.expect("ConnAck")).sessionPresent)
      assert.deepStrictEqual(yield* second.untilPing, [])
    })
  )

  it.effect("whose client goes away before the answer leaves the session to the next", () =>
    Effect.gen(function* () {
      const { broker } = yield* startFirst()
      yield* broker.faults.suspend
      const first = yield* broker.knock("x", durable)
      const other = yield* broker.connect("other")
      yield* other.untilPing
      first.drop()
      const second = yield* broker.knock("x", durable)
      yield* broker.faults.resume
      yield* TestClock.adjust("2 seconds")
      assert.isTrue((yield* second.expect("ConnAck")).sessionPresent)
      yield* subscribed(second, "t", 1)
      other.send(publish("t", "hello", 1, 1))
      assert.deepStrictEqual(briefly([yield* second.receive]), ["Publish hello"])
    })
  )

  it.effect("with Clean Start discards the session, and its subscriptions and queue with it [MQTT-3.1.2-4]", () =>
    Effect.gen(function* () {
      const { broker } = yield* startFirst()
      const first = yield* broker.connect("x", durable)
      yield* subscribed(first, "t", 1)
      first.drop()
      const other = yield* broker.connect("other")
      other.send(publish("t", "old", 1, 1))
      assert.strictEqual((yield* other.expect("PubAck")).reasonCode, 0)
      const second = yield* broker.connect("x", { properties: { sessionExpiryInterval: 60 } })
      assert.isFalse(second.connAck.sessionPresent)
      other.send(publish("t", "new", 1, 2))
      assert.strictEqual((yield* other.expect("PubAck")).reasonCode, 0x10)
      assert.deepStrictEqual(yield* second.untilPing, [])
    })
  )

  it.effect("resumes a session that the last broker left, even for a connection that will end it", () =>
    Effect.gen(function* () {
      const { server, broker } = yield* startFirst()
      const first = yield* broker.connect("x", durable)
      yield* subscribed(first, "t", 1)
      yield* broker.crash
      const next = yield* start(server)
      const second = yield* next.connect("x", { cleanStart: false })
      assert.isTrue(second.connAck.sessionPresent)
      second.send({ _tag: "Disconnect", reasonCode: 0 })
      yield* second.untilClosed
      const third = yield* next.connect("x", durable)
      assert.isFalse(third.connAck.sessionPresent)
    })
  )

  it.effect("gives the Will of a waiting session up when the session goes on [MQTT-3.1.3-9]", () =>
    Effect.gen(function* () {
      const { broker } = yield* startFirst()
      const watcher = yield* broker.connect("watcher")
      yield* subscribed(watcher, "wills", 0)
      const delayed: Will = { ...will, properties: { willDelayInterval: 10 } }
      const first = yield* broker.connect("x", { ...durable, will: delayed })
      first.drop()
      yield* TestClock.adjust("5 seconds")
      const second = yield* broker.connect("x", durable)
      yield* TestClock.adjust("20 seconds")
      assert.deepStrictEqual(yield* watcher.untilPing, [])
      second.drop()
      yield* TestClock.adjust("20 seconds")
      assert.deepStrictEqual(yield* watcher.untilPing, [], "the second connection had no Will")
    })
  )

  it.effect("does not bring back between two ticks what was over before: the Will is published, the session gone", () =>
    Effect.gen(function* () {
      const { broker } = yield* startFirst()
      const watcher = yield* broker.connect("watcher")
      yield* subscribed(watcher, "wills", 0)
      const delayed: Will = { ...will, properties: { willDelayInterval: 1 } }
      yield* TestClock.adjust("100 millis")
      const late = yield* broker.connect("late", { ...durable, will: delayed })
      const gone = yield* broker.connect("gone", { ...durable, properties: { sessionExpiryInterval: 1 } })
      late.drop()
      gone.drop()
      yield* broker.durable
      yield* TestClock.adjust("1 second")
      yield* TestClock.adjust("50 millis")
      const back = yield* broker.connect("late", durable)
      assert.isTrue(back.connAck.sessionPresent)
      assert.deepStrictEqual(briefly(yield* watcher.untilPing), ["Publish gone"])
      assert.isFalse((yield* broker.connect("gone", durable)).connAck.sessionPresent)
    })
  )

  it.effect("publishes the waiting Will of a session that a clean start ends (section 3.1.3.2.2)", () =>
    Effect.gen(function* () {
      const { broker } = yield* startFirst()
      const watcher = yield* broker.connect("watcher")
      yield* subscribed(watcher, "wills", 0)
      const first = yield* broker.connect("x", { ...durable, will: { ...will, properties: { willDelayInterval: 10 } } })
      first.drop()
      yield* broker.connect("x", { cleanStart: true })
      assert.deepStrictEqual(briefly(yield* watcher.untilPing), ["Publish gone"])
      yield* TestClock.adjust("20 seconds")
      assert.deepStrictEqual(yield* watcher.untilPing, [])
    })
  )

  it.effect("by takeover publishes a Will without delay, and keeps one with delay to itself", () =>
    Effect.gen(function* () {
      const { broker } = yield* startFirst()
      const watcher = yield* broker.connect("watcher")
      yield* subscribed(watcher, "wills", 0)
      yield* broker.connect("x", { ...durable, will })
      yield* broker.connect("x", { ...durable, will: { ...will, properties: { willDelayInterval: 10 } } })
      assert.deepStrictEqual(briefly(yield* watcher.untilPing), ["Publish gone"])
      yield* broker.connect("x", durable)
      yield* TestClock.adjust("20 seconds")
      assert.deepStrictEqual(yield* watcher.untilPing, [])
    })
  )

  it.effect("does not outlive the session that expires first, and may come at that very moment", () =>
    Effect.gen(function* () {
      const { broker } = yield* startFirst()
      const first = yield* broker.connect("x", { cleanStart: false, properties: { sessionExpiryInterval: 5 } })
      first.drop()
      yield* TestClock.adjust("4500 millis")
      const second = yield* broker.connect("x", { cleanStart: false, properties: { sessionExpiryInterval: 5 } })
      assert.isTrue(second.connAck.sessionPresent)
      yield* TestClock.adjust("10 seconds")
      yield* subscribed(second, "t", 1)
      second.drop()
      yield* TestClock.adjust("6 seconds")
      const third = yield* broker.connect("x", { cleanStart: false })
      assert.isFalse(third.connAck.sessionPresent)
    })
  )

  it.effect("waits for the journal beyond the end of the session that it claims", () =>
    Effect.gen(function* () {
      const { broker } = yield* startFirst()
      const brief = { cleanStart: false, properties: { sessionExpiryInterval: 5 } }
      const first = yield* broker.connect("x", brief)
      yield* subscribed(first, "t", 1)
      first.drop()
      yield* broker.durable
      yield* broker.faults.suspend
      const second = yield* broker.knock("x", brief)
      yield* TestClock.adjust("20 seconds")
      yield* broker.faults.resume
      yield* TestClock.adjust("2 seconds")
      assert.isTrue((yield* second.expect("ConnAck")).sessionPresent)
      const other = yield* broker.connect("other")
      other.send(publish("t", "hello", 1, 1))
      assert.deepStrictEqual(briefly([yield* second.receive]), ["Publish hello"])
    })
  )
})
