import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { durable, publish, startFirst, subscribed } from "../TestBroker.ts"

describe("a connection", () => {
  it.effect("that says nothing for one and a half times its keep-alive is ended with 0x8D [MQTT-3.1.2-22]", () =>
    Effect.gen(function* () {
      const { broker } = yield* startFirst()
      const client = yield* broker.connect("client", { keepAlive: 10 })
      yield* TestClock.adjust("14 seconds")
      assert.isFalse(client.isClosed())
      yield* client.untilPing
      yield* TestClock.adjust("14900 millis")
      assert.isFalse(client.isClosed())
      yield* TestClock.adjust("500 millis")
      assert.deepInclude((yield* client.untilClosed).at(-1), { _tag: "Disconnect", reasonCode: 0x8d })
    })
  )

  it.effect("without a keep-alive may be silent for ever", () =>
    Effect.gen(function* () {
      const { broker } = yield* startFirst()
      const client = yield* broker.connect("client", { keepAlive: 0 })
      yield* TestClock.adjust("10 minutes")
      assert.deepStrictEqual(yield* client.untilPing, [])
    })
  )

  it.effect("without a CONNECT is closed without a word, however slowly it comes", () =>
    Effect.gen(function* () {
      const { broker } = yield* startFirst()
      const silent = yield* broker.open(5)
      const slow = yield* broker.open(5)
      for (const byte of [0x10, 0x20, 0x00]) {
        slow.sendBytes(Uint8Array.of(byte))
        yield* TestClock.adjust("3 seconds")
      }
      assert.isFalse(silent.isClosed() || slow.isClosed())
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(yield* silent.untilClosed, [])
      assert.deepStrictEqual(yield* slow.untilClosed, [])
    })
  )

  it.effect("that is not read is not blamed for its silence, and has its keep-alive anew afterwards", () =>
    Effect.gen(function* () {
      const { broker } = yield* startFirst()
      const keeper = yield* broker.connect("keeper", durable)
      yield* subscribed(keeper, "t", 1)
      const large = "x".repeat(900_000)
      const client = yield* broker.connect("client", { keepAlive: 4 })
      yield* broker.faults.suspend
      for (let n = 1; n <= 12; n++) client.send(publish("t", large, 1, n))
      for (let turn = 0; turn < 50; turn++) yield* Effect.yieldNow
      assert.isFalse(client.isRead(), "the journal is too far behind")
      yield* TestClock.adjust("29900 millis")
      assert.isFalse(client.isClosed())
      yield* broker.faults.resume
      yield* TestClock.adjust("3 seconds")
      assert.isTrue(client.isRead())
      assert.isFalse(client.isClosed())
      for (let n = 1; n <= 12; n++) assert.strictEqual((yield* client.expect("PubAck")).packetId, n)
      // Its last byte came long ago, but it has been read for less than its keep-alive.
      yield* TestClock.adjust("3600 millis")
      assert.isFalse(client.isClosed())
      yield* TestClock.adjust("4 seconds")
      assert.isTrue(client.isClosed())
    })
  )
})
