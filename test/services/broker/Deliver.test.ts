import { assert, describe, it } from "@effect/vitest"
import { Context, Effect } from "effect"
import { TestClock } from "effect/testing"
import type { Packet } from "../../../src/domain/packet/Packet.ts"
import * as Encoder from "../../../src/domain/packet/Encoder.ts"
import { Bank } from "../../../src/services/Bank.ts"
import { briefly, durable, publish, start, startFirst, subscribe, subscribed, text } from "../TestBroker.ts"

const pubAck = (packetId: number): Packet => ({ _tag: "PubAck", packetId, reasonCode: 0 })

describe("a delivery", () => {
  it.effect("of many messages keeps their order over the window, a loss of the connection and a restart", () =>
    Effect.gen(function* () {
      const { server, broker } = yield* startFirst()
      const options = { ...durable, properties: { sessionExpiryInterval: 3600, receiveMaximum: 3 } }
      const subscriber = yield* broker.connect("subscriber", options)
      yield* subscribed(subscriber, "t", 1)
      const publisher = yield* broker.connect("publisher")
      for (let n = 1; n <= 10; n++) publisher.send(publish("t", `${n}`, 1, n))
      yield* broker.durable
      const first = yield* subscriber.untilPing
      assert.deepStrictEqual(briefly(first), ["Publish 1", "Publish 2", "Publish 3"])
      subscriber.send(pubAck(1), pubAck(2))
      assert.deepStrictEqual(briefly(yield* subscriber.untilPing), ["Publish 4", "Publish 5"])
      subscriber.drop()
      yield* broker.durable
      yield* broker.crash
      const next = yield* start(server)
      const again = yield* next.connect("subscriber", options)
      const seen: Array<string> = []
      for (let came = yield* again.untilPing; came.length > 0; came = yield* again.untilPing) {
        assert.isAtMost(came.length, 3)
        for (const packet of came) {
          if (packet._tag !== "Publish") continue
          seen.push(`${text(packet)}${packet.dup ? " again" : ""}`)
          again.send(pubAck(packet.packetId))
        }
      }
      assert.deepStrictEqual(seen, ["3 again", "4 again", "5 again", "6", "7", "8", "9", "10"])
    })
  )

  it.effect("of a message that expired in the queue never happens, and its credit comes back", () =>
    Effect.gen(function* () {
      const { broker } = yield* startFirst()
      const bank = Context.get(broker.services, Bank)
      const before = bank.free()
      const subscriber = yield* broker.connect("subscriber", durable)
      yield* subscribed(subscriber, "t", 1)
      subscriber.drop()
      const publisher = yield* broker.connect("publisher")
      publisher.send(publish("t", "short", 1, 1, { properties: { messageExpiryInterval: 5 } }))
      publisher.send(publish("t", "long", 1, 2, { properties: { messageExpiryInterval: 500 } }))
      yield* broker.durable
      const both = before - bank.free()
      assert.isAbove(both, 0)
      yield* TestClock.adjust("2 minutes")
      assert.isBelow(before - bank.free(), both)
      const again = yield* broker.connect("subscriber", durable)
      const [only, ...others] = yield* again.untilPing
      assert.deepStrictEqual(others, [])
      assert.deepInclude(only, { _tag: "Publish", properties: { messageExpiryInterval: 380 } })
      again.send(pubAck(2))
      yield* again.untilPing
      assert.strictEqual(bank.free(), before)
    })
  )

  it.effect("that is longer than its receiver takes is as good as done [MQTT-3.1.2-25]", () =>
    Effect.gen(function* () {
      const { broker } = yield* startFirst()
      const bank = Context.get(broker.services, Bank)
      const before = bank.free()
      const subscriber = yield* broker.connect("subscriber", {
        ...durable,
        properties: { sessionExpiryInterval: 3600, maximumPacketSize: 100, receiveMaximum: 1 }
      })
      yield* subscribed(subscriber, "t", 2)
      const publisher = yield* broker.connect("publisher")
      publisher.send(publish("t", "x".repeat(200), 2, 1), publish("t", "x".repeat(200), 0), publish("t", "ok", 1, 2))
      yield* broker.durable
      assert.deepStrictEqual(briefly(yield* subscriber.untilPing), ["Publish ok"])
      subscriber.send(pubAck(2))
      yield* subscriber.untilPing
      assert.strictEqual(bank.free(), before)
    })
  )

  it.effect("with topic aliases names the right topic, whatever fits [MQTT-3.3.2-8]", () =>
    Effect.gen(function* () {
      const { broker } = yield* startFirst()
      // As long as the longest message that fits without an alias.
      const exact = publish("a", "x".repeat(50))
      const subscriber = yield* broker.connect("subscriber", {
        properties: { topicAliasMaximum: 10, maximumPacketSize: Encoder.size(exact, 5) }
      })
      yield* subscribed(subscriber, "#", 0)
      const publisher = yield* broker.connect("publisher")
      const names = ["a", "b", "a", "a", "c", "b", "c", "a"]
      names.forEach((name, i) => publisher.send(i === 3 ? exact : publish(name, name)))
      yield* publisher.untilPing
      const aliases = new Map<number, string>()
      const topics = (yield* subscriber.untilPing).map((packet) => {
        assert.isTrue(packet._tag === "Publish")
        if (packet._tag !== "Publish") return ""
        const alias = packet.properties?.topicAlias
        if (alias !== undefined && packet.topic !== "") aliases.set(alias, packet.topic)
        return packet.topic === "" ? aliases.get(alias!) : packet.topic
      })
      assert.deepStrictEqual(topics, names)
      assert.deepStrictEqual(new Set(aliases.values()), new Set(["a", "b", "c"]))
    })
  )

  it.effect("to the publisher itself leaves No Local subscriptions out, and their identifiers [MQTT-3.8.3-3]", () =>
    Effect.gen(function* () {
      const { broker } = yield* startFirst()
      const client = yield* broker.connect("client", durable)
      const subscribeWith = (filter: string, noLocal: boolean, subscriptionIdentifier: number) =>
        Effect.gen(function* () {
          client.send({ ...subscribe(1, filter, 1, { noLocal }), properties: { subscriptionIdentifier } } as Packet)
          yield* client.expect("SubAck")
        })
      yield* subscribeWith("t", true, 1)
      client.send(publish("t", "mine", 1, 1))
      yield* client.expect("PubAck")
      assert.deepStrictEqual(yield* client.untilPing, [])
      yield* subscribeWith("#", false, 2)
      client.send(publish("t", "mine", 0))
      assert.deepInclude(yield* client.expect("Publish"), { properties: { subscriptionIdentifiers: [2] } })
      const other = yield* broker.connect("other")
      other.send(publish("t", "theirs", 0))
      assert.deepInclude(yield* client.expect("Publish"), { properties: { subscriptionIdentifiers: [1, 2] } })
    })
  )
})

describe("a receiver that is behind", () => {
  const settings = { limits: { outbox: { bytes: "64 KiB" } } }
  const large = "x".repeat(10_000)

  it.effect("of QoS 0 loses what is too much, and no other receiver waits for it", () =>
    Effect.gen(function* () {
      const { broker } = yield* startFirst(settings)
      const slow = yield* broker.connect("slow")
      const quick = yield* broker.connect("quick")
      yield* subscribed(slow, "t", 0)
      yield* subscribed(quick, "t", 0)
      const publisher = yield* broker.connect("publisher")
      slow.stall()
      for (let n = 0; n < 50; n++) {
        publisher.send(publish("t", `${n} ${large}`))
        yield* publisher.untilPing
      }
      assert.lengthOf(yield* quick.untilPing, 50)
      slow.unstall()
      const some = yield* slow.untilPing
      // Four times the outbox.
      assert.isAtLeast(some.length, 26)
      assert.isAtMost(some.length, 28)
      publisher.send(publish("t", "caught up"))
      assert.deepStrictEqual(briefly([yield* slow.receive]), ["Publish caught up"])
    })
  )

  it.effect("of QoS 0 and alone holds its publisher, and loses nothing of what that sent before it left", () =>
    Effect.gen(function* () {
      const { broker } = yield* startFirst(settings)
      const slow = yield* broker.connect("slow")
      yield* subscribed(slow, "t", 0)
      yield* subscribed(slow, "will", 0)
      const publisher = yield* broker.connect("publisher", {
        will: { topic: "will", payload: Buffer.from("gone"), qos: 0, retain: false }
      })
      slow.stall()
      const payloads = Array.from({ length: 50 }, (_, n) => `${n} ${large}`)
      publisher.send(...payloads.map((payload) => publish("t", payload)), { _tag: "Disconnect", reasonCode: 0 })
      publisher.drop()
      for (let turn = 0; turn < 5; turn++) yield* Effect.yieldNow
      slow.unstall()
      const seen: Array<string> = []
      while (seen.length < payloads.length) seen.push(text(yield* slow.expect("Publish")))
      assert.deepStrictEqual(seen, payloads)
      // It said goodbye, if nobody heard it at once: no Will follows.
      assert.deepStrictEqual(yield* slow.untilPing, [])
    })
  )

  it.effect("of QoS 1 holds its publisher, loses nothing, and lets it go on when it reads again", () =>
    Effect.gen(function* () {
      const { broker } = yield* startFirst(settings)
      const slow = yield* broker.connect("slow")
      yield* subscribed(slow, "t", 1)
      const publisher = yield* broker.connect("publisher")
      slow.stall()
      const messages = Array.from({ length: 30 }, (_, n) => publish("t", `${n} ${large}`, 1, n + 1))
      for (const message of messages) {
        publisher.send(message)
        for (let turn = 0; turn < 5; turn++) yield* Effect.yieldNow
      }
      assert.isFalse(publisher.isRead())
      slow.unstall()
      const seen: Array<string> = []
      while (seen.length < 30) {
        const packet = yield* slow.expect("Publish")
        seen.push(text(packet).split(" ")[0]!)
        slow.send(pubAck(packet.packetId))
      }
      assert.deepStrictEqual(
        seen,
        messages.map((_, n) => `${n}`)
      )
      for (let n = 1; n <= 30; n++) assert.strictEqual((yield* publisher.expect("PubAck")).packetId, n)
      yield* publisher.untilPing
      assert.isTrue(publisher.isRead())
    })
  )

  it.effect("and never reads again is given up, its publisher goes on, and its transient session ends", () =>
    Effect.gen(function* () {
      const { broker } = yield* startFirst({ limits: { ...settings.limits, queue: { messages: 20 } } })
      const slow = yield* broker.connect("slow", { properties: { receiveMaximum: 2 } })
      yield* subscribed(slow, "t", 1)
      const publisher = yield* broker.connect("publisher", { keepAlive: 3 })
      for (let n = 1; n <= 40; n++) {
        publisher.send(publish("t", large, 1, n))
        for (let turn = 0; turn < 5; turn++) yield* Effect.yieldNow
        if (!publisher.isRead()) yield* TestClock.adjust("1 second")
      }
      for (let second = 0; second < 30 && !slow.isClosed(); second++) {
        publisher.send({ _tag: "PingReq" })
        yield* TestClock.adjust("1 second")
      }
      assert.deepInclude((yield* slow.untilClosed).at(-1), { _tag: "Disconnect", reasonCode: 0x97 })
      assert.isFalse(publisher.isClosed())
      assert.isTrue(publisher.isRead())
    })
  )

  it.effect("holds two that publish to each other for no longer than the patience", () =>
    Effect.gen(function* () {
      const { broker } = yield* startFirst(settings)
      const options = { ...durable, properties: { sessionExpiryInterval: 3600, receiveMaximum: 1 } }
      const a = yield* broker.connect("a", options)
      const z = yield* broker.connect("z", options)
      yield* subscribed(a, "to/a", 1)
      yield* subscribed(z, "to/z", 1)
      for (let n = 1; n <= 20; n++) {
        a.send(publish("to/z", large, 1, n))
        z.send(publish("to/a", large, 1, n))
        for (let turn = 0; turn < 20; turn++) yield* Effect.yieldNow
      }
      assert.isFalse(a.isRead() && z.isRead())
      yield* TestClock.adjust("25 seconds")
      assert.isTrue(a.isRead() && z.isRead())
    })
  )
})
