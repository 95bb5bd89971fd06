import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { briefly, durable, publish, start, startFirst, subscribed, text } from "./TestBroker.ts"

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
})
