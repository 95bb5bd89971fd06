import { assert, describe, it } from "@effect/vitest"
import { Context, Effect } from "effect"
import { TestClock } from "effect/testing"
import { Bank } from "../../../src/services/Bank.ts"
import { briefly, durable, publish, startFirst, subscribed } from "../TestBroker.ts"

const filter = "$share/workers/jobs/#"

describe("a message to a shared subscription", () => {
  it.effect("goes to another member when the one that had it ends its session without an acknowledgement", () =>
    Effect.gen(function* () {
      const { broker } = yield* startFirst()
      const first = yield* broker.connect("first")
      yield* subscribed(first, filter, 1)
      const publisher = yield* broker.connect("publisher")
      publisher.send(publish("jobs/1", "job", 1, 1))
      assert.deepStrictEqual(briefly(yield* first.untilPing), ["Publish job"])
      const second = yield* broker.connect("second")
      yield* subscribed(second, filter, 1)
      first.drop()
      const [handedOn, ...others] = yield* second.untilPing
      assert.deepInclude(handedOn, { _tag: "Publish", topic: "jobs/1", dup: false, qos: 1 })
      assert.deepStrictEqual(others, [])
    })
  )

  it.effect("waits in a durable session for its client, and goes on when that session ends [MQTT-4.8.2-4]", () =>
    Effect.gen(function* () {
      const { broker } = yield* startFirst()
      const bank = Context.get(broker.services, Bank)
      const free = bank.free()
      const first = yield* broker.connect("first", durable)
      yield* subscribed(first, filter, 2)
      first.drop()
      const publisher = yield* broker.connect("publisher")
      publisher.send(publish("jobs/1", "once", 1, 1), publish("jobs/2", "exactly once", 2, 2))
      yield* broker.durable
      const second = yield* broker.connect("second", durable)
      yield* subscribed(second, filter, 2)
      assert.deepStrictEqual(yield* second.untilPing, [])
      // A clean start discards the first one's session.
      yield* broker.connect("first")
      yield* broker.durable
      assert.deepStrictEqual(briefly(yield* second.untilPing), ["Publish once", "Publish exactly once"])
      // Paid for once, by whoever has it.
      const cost = free - bank.free()
      second.send({ _tag: "PubAck", packetId: 1, reasonCode: 0 })
      second.send({ _tag: "PubRec", packetId: 2, reasonCode: 0 })
      yield* broker.durable
      yield* second.untilPing
      second.send({ _tag: "PubComp", packetId: 2, reasonCode: 0 })
      yield* broker.durable
      yield* second.untilPing
      assert.isAbove(cost, 0)
      assert.strictEqual(bank.free(), free)
    })
  )

  it.effect("of QoS 2 that its member has begun to take goes to nobody else [MQTT-4.8.2-5]", () =>
    Effect.gen(function* () {
      const { broker } = yield* startFirst()
      const first = yield* broker.connect("first")
      yield* subscribed(first, filter, 2)
      const publisher = yield* broker.connect("publisher")
      publisher.send(publish("jobs/1", "job", 2, 1))
      assert.deepStrictEqual(briefly(yield* first.untilPing), ["Publish job"])
      const second = yield* broker.connect("second")
      yield* subscribed(second, filter, 2)
      first.drop()
      assert.deepStrictEqual(yield* second.untilPing, [])
    })
  )

  for (const qos of [0, 1, 2] as const) {
    it.effect(`goes to nobody when it has expired by the end of its member's session, not at QoS ${qos} either`, () =>
      Effect.gen(function* () {
        const { broker } = yield* startFirst()
        const first = yield* broker.connect("first", durable)
        yield* subscribed(first, filter, 1)
        first.drop()
        const publisher = yield* broker.connect("publisher")
        publisher.send(publish("jobs/1", "job", 1, 1, { properties: { messageExpiryInterval: 1 } }))
        yield* broker.durable
        yield* TestClock.adjust("2 seconds")
        const second = yield* broker.connect("second")
        yield* subscribed(second, filter, qos)
        yield* broker.connect("first")
        yield* broker.durable
        assert.deepStrictEqual(yield* second.untilPing, [])
      })
    )
  }
})
