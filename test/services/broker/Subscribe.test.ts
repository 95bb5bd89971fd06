import { assert, describe, it } from "@effect/vitest"
import { Context, Effect } from "effect"
import { TestClock } from "effect/testing"
import type { Packet } from "../../../src/domain/packet/Packet.ts"
import { Bank } from "../../../src/services/Bank.ts"
import { Broker } from "../../../src/services/Broker.ts"
import { briefly, durable, publish, start, startFirst, subscribe, subscribed } from "../TestBroker.ts"

const retained = (topic: string, payload: string, packetId: number): Packet =>
  publish(topic, payload, 1, packetId, { retain: true })

describe("a subscription", () => {
  it.effect("of a durable session is granted when it is durable", () =>
    Effect.gen(function* () {
      const { server, broker } = yield* startFirst()
      const client = yield* broker.connect("client", durable)
      yield* broker.durable
      yield* broker.faults.suspend
      client.send(subscribe(1, "t", 1))
      assert.deepStrictEqual(yield* client.untilPing, [])
      yield* broker.faults.resume
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual((yield* client.expect("SubAck")).packetId, 1)
      yield* broker.crash
      const next = yield* start(server)
      const publisher = yield* next.connect("publisher")
      publisher.send(publish("t", "hello", 1, 1))
      assert.strictEqual((yield* publisher.expect("PubAck")).reasonCode, 0)
    })
  )

  it.effect("that was taken back stays so after a crash [MQTT-3.10.4-1]", () =>
    Effect.gen(function* () {
      const { server, broker } = yield* startFirst()
      const client = yield* broker.connect("client", durable)
      yield* subscribed(client, "t", 1)
      client.send({ _tag: "Unsubscribe", packetId: 2, filters: ["t", "never/there"] })
      assert.deepStrictEqual((yield* client.expect("UnsubAck")).reasonCodes, [0, 0x11])
      yield* broker.crash
      const next = yield* start(server)
      const publisher = yield* next.connect("publisher")
      publisher.send(publish("t", "hello", 1, 1))
      assert.strictEqual((yield* publisher.expect("PubAck")).reasonCode, 0x10)
    })
  )

  it.effect("gets the retained message before the live one that follows it, at every QoS and in every session", () =>
    Effect.gen(function* () {
      const { broker } = yield* startFirst()
      const publisher = yield* broker.connect("publisher")
      publisher.send(retained("t", "kept", 1))
      yield* publisher.expect("PubAck")
      let packetId = 1
      for (const qos of [0, 1, 2] as const) {
        for (const options of [{}, durable]) {
          const client = yield* broker.connect(`client ${qos} ${options === durable}`, options)
          client.send(subscribe(1, "t", qos))
          publisher.send(publish("t", `live ${qos}`, qos, qos === 0 ? 0 : ++packetId))
          yield* broker.durable
          const seen = briefly(yield* client.untilPing).filter((what) => what.startsWith("Publish"))
          assert.deepStrictEqual(seen, ["Publish kept", `Publish live ${qos}`])
          client.send({ _tag: "Unsubscribe", packetId: 2, filters: ["t"] })
          yield* client.expect("UnsubAck")
        }
      }
    })
  )

  it.effect(
    "of a durable session misses the retained messages that there is no credit for, and stands all the same",
    () =>
      Effect.gen(function* () {
        const { broker } = yield* startFirst({
          bank: { capital: "1 MiB" },
          limits: { retained: { payload: "256 KiB" } }
        })
        const publisher = yield* broker.connect("publisher")
        for (let n = 1; n <= 3; n++) {
          publisher.send(retained(`t/${n}`, `${n}${"x".repeat(230_000)}`, n))
          yield* publisher.expect("PubAck")
        }
        const client = yield* broker.connect("client", durable)
        client.send(subscribe(1, "t/+", 1))
        yield* broker.durable
        const seen = yield* client.untilPing
        assert.lengthOf(
          seen.filter(({ _tag }) => _tag === "Publish"),
          1
        )
        assert.isAtLeast(Context.get(broker.services, Bank).free(), 0)
        assert.isAbove(Context.get(broker.services, Broker).stats().counts.refused, 0)
      })
  )

  it.effect("shared by several gives each message to one, and none to a member that has left", () =>
    Effect.gen(function* () {
      const { broker } = yield* startFirst()
      const publisher = yield* broker.connect("publisher")
      const members = [yield* broker.connect("m1"), yield* broker.connect("m2"), yield* broker.connect("m3", durable)]
      for (const member of members) yield* subscribed(member, "$share/g/t", 1)
      for (let n = 1; n <= 9; n++) publisher.send(publish("t", `${n}`, 1, n))
      yield* broker.durable
      const counts: Array<number> = []
      for (const member of members) {
        const came = yield* member.untilPing
        counts.push(came.length)
        for (const packet of came) {
          if (packet._tag === "Publish") member.send({ _tag: "PubAck", packetId: packet.packetId, reasonCode: 0 })
        }
        yield* member.untilPing
      }
      assert.deepStrictEqual(counts, [3, 3, 3])
      members[0]!.drop()
      members[2]!.drop()
      yield* publisher.untilPing
      for (let n = 1; n <= 4; n++) publisher.send(publish("t", `${n}`, 1, n))
      yield* broker.durable
      assert.lengthOf(yield* members[1]!.untilPing, 4)
    })
  )
})
