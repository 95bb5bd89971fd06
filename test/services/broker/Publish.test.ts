import { assert, describe, it } from "@effect/vitest"
import { Context, Effect } from "effect"
import { TestClock } from "effect/testing"
import type { Packet } from "../../../src/domain/packet/Packet.ts"
import { Bank } from "../../../src/services/Bank.ts"
import {
  briefly,
  type Client,
  durable,
  publish,
  start,
  startFirst,
  subscribed,
  type TestBroker
} from "../TestBroker.ts"

const pubRel = (packetId: number): Packet => ({ _tag: "PubRel", packetId, reasonCode: 0 })
const pubRec = (packetId: number): Packet => ({ _tag: "PubRec", packetId, reasonCode: 0 })
const pubComp = (packetId: number): Packet => ({ _tag: "PubComp", packetId, reasonCode: 0 })

/** Takes all that waits for a QoS 2 subscriber, and completes it. */
const drain = Effect.fnUntraced(function* (client: Client) {
  const seen: Array<Packet> = []
  for (let came = yield* client.untilPing; came.length > 0; came = yield* client.untilPing) {
    for (const packet of came) {
      seen.push(packet)
      if (packet._tag === "Publish" && packet.qos === 2) client.send(pubRec(packet.packetId))
      if (packet._tag === "Publish" && packet.qos === 1) {
        client.send({ _tag: "PubAck", packetId: packet.packetId, reasonCode: 0 })
      }
      if (packet._tag === "PubRel") client.send(pubComp(packet.packetId))
    }
  }
  return seen.filter(({ _tag }) => _tag === "Publish")
})

/** The ways in which a connection of a client is lost. */
const losses = ["its connection", "the broker's life"] as const

const lose = Effect.fnUntraced(function* (
  loss: (typeof losses)[number],
  world: { readonly server: Parameters<typeof start>[0]; readonly broker: TestBroker },
  client: Client
) {
  yield* world.broker.durable
  if (loss === "its connection") {
    client.drop()
    return world.broker
  }
  yield* world.broker.crash
  return yield* start(world.server)
})

describe("a message of QoS 2 from a client", () => {
  for (const loss of losses) {
    for (const step of ["PUBLISH", "PUBREC", "PUBREL", "PUBCOMP"] as const) {
      it.effect(`arrives exactly once when ${loss} ends after the ${step} [MQTT-4.3.3]`, () =>
        Effect.gen(function* () {
          const world = yield* startFirst()
          const subscriber = yield* world.broker.connect("subscriber", durable)
          yield* subscribed(subscriber, "t", 2)
          subscriber.drop()
          const before = yield* world.broker.connect("publisher", durable)
          before.send(publish("t", "once", 2, 7))
          if (step !== "PUBLISH") yield* before.expect("PubRec")
          if (step === "PUBREL" || step === "PUBCOMP") before.send(pubRel(7))
          if (step === "PUBCOMP") yield* before.expect("PubComp")
          const broker = yield* lose(loss, world, before)

          const after = yield* broker.connect("publisher", durable)
          assert.isTrue(after.connAck.sessionPresent)
          if (step === "PUBLISH") {
            after.send(publish("t", "once", 2, 7, { dup: true }))
            assert.strictEqual((yield* after.expect("PubRec")).packetId, 7)
          }
          if (step !== "PUBCOMP") {
            after.send(pubRel(7))
            assert.strictEqual((yield* after.expect("PubComp")).packetId, 7)
          }
          after.send(publish("t", "next", 2, 7))
          yield* after.expect("PubRec")
          const again = yield* broker.connect("subscriber", durable)
          assert.deepStrictEqual(briefly(yield* drain(again)), ["Publish once", "Publish next"])
        })
      )
    }
  }

  for (const qos of [0, 1, 2] as const) {
    it.effect(
      `goes to a transient subscriber of QoS ${qos} only when a crash would not bring it again [MQTT-4.3.3-10]`,
      () =>
        Effect.gen(function* () {
          const { broker, server } = yield* startFirst()
          const publisher = yield* broker.connect("publisher", durable)
          const subscriber = yield* broker.connect("subscriber")
          yield* subscribed(subscriber, "t", qos)
          yield* broker.durable
          yield* broker.faults.suspend
          publisher.send(publish("t", "once", 2, 1))
          assert.deepStrictEqual(briefly(yield* subscriber.untilPing), [])
          // The journal never got it: this broker's end is now the end of it.
          const next = yield* start(server)
          const later = yield* next.connect("subscriber")
          yield* subscribed(later, "t", qos)
          const again = yield* next.connect("publisher", durable)
          again.send(publish("t", "once", 2, 1))
          yield* next.durable
          assert.deepStrictEqual(briefly(yield* later.untilPing), ["Publish once"])
          again.send(publish("t", "once", 2, 1, { dup: true }))
          yield* next.durable
          assert.deepStrictEqual(briefly(yield* later.untilPing), [])
        })
    )
  }

  it.effect("that is sent again gets its PUBREC after those of the messages before it [MQTT-4.6.0-3]", () =>
    Effect.gen(function* () {
      const { broker } = yield* startFirst()
      const old = yield* broker.connect("publisher", durable)
      old.send(publish("t", "known", 2, 2))
      assert.deepStrictEqual(briefly([yield* old.receive]), ["PubRec 2"])
      const publisher = yield* broker.connect("publisher", durable)
      publisher.send(publish("t", "new", 2, 1), publish("t", "known", 2, 2, { dup: true }))
      assert.deepStrictEqual(briefly([yield* publisher.receive, yield* publisher.receive]), ["PubRec 1", "PubRec 2"])
    })
  )

  it.effect("that is sent twice before its PUBREC is taken over once", () =>
    Effect.gen(function* () {
      const { broker } = yield* startFirst()
      const subscriber = yield* broker.connect("subscriber", durable)
      yield* subscribed(subscriber, "t", 2)
      const client = yield* broker.connect("publisher")
      client.send(publish("t", "once", 2, 7), publish("t", "once", 2, 7, { dup: true }))
      yield* broker.durable
      assert.deepStrictEqual(briefly(yield* client.untilPing), ["PubRec 7"])
      assert.deepStrictEqual(briefly(yield* drain(subscriber)), ["Publish once"])
    })
  )
})

describe("a message of QoS 2 to a client", () => {
  for (const loss of losses) {
    for (const step of ["PUBLISH", "PUBREC", "PUBREL", "PUBCOMP"] as const) {
      it.effect(`is seen through when ${loss} ends after the ${step} [MQTT-4.4.0-1]`, () =>
        Effect.gen(function* () {
          const world = yield* startFirst()
          const before = yield* world.broker.connect("subscriber", durable)
          yield* subscribed(before, "t", 2)
          const publisher = yield* world.broker.connect("publisher")
          publisher.send(publish("t", "once", 2, 1))
          const { packetId } = yield* before.expect("Publish")
          if (step !== "PUBLISH") before.send(pubRec(packetId))
          if (step === "PUBREL" || step === "PUBCOMP") yield* before.expect("PubRel")
          if (step === "PUBCOMP") before.send(pubComp(packetId))
          yield* before.untilPing
          const broker = yield* lose(loss, world, before)
          const after = yield* broker.connect("subscriber", durable)
          const resent = yield* after.untilPing
          assert.deepStrictEqual(
            briefly(resent),
            { PUBLISH: ["Publish once"], PUBREC: [`PubRel ${packetId}`], PUBREL: [`PubRel ${packetId}`], PUBCOMP: [] }[
              step
            ]
          )
          if (step === "PUBLISH") assert.deepInclude(resent[0], { dup: true, packetId })
        })
      )
    }
  }

  it.effect("is released only when that is durable, however often PUBREC comes", () =>
    Effect.gen(function* () {
      const { broker } = yield* startFirst()
      const subscriber = yield* broker.connect("subscriber", durable)
      yield* subscribed(subscriber, "t", 2)
      const publisher = yield* broker.connect("publisher")
      publisher.send(publish("t", "once", 2, 1))
      const { packetId } = yield* subscriber.expect("Publish")
      yield* broker.faults.suspend
      subscriber.send(pubRec(packetId), pubRec(packetId))
      assert.deepStrictEqual(yield* subscriber.untilPing, [])
      yield* broker.faults.resume
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(briefly([yield* subscriber.receive]), [`PubRel ${packetId}`])
    })
  )
})

describe("a packet identifier of a durable publisher", () => {
  it.effect("is free only when that is durable, however often PUBREL comes", () =>
    Effect.gen(function* () {
      const { broker } = yield* startFirst()
      const publisher = yield* broker.connect("publisher", durable)
      publisher.send(publish("t", "once", 2, 1))
      yield* publisher.expect("PubRec")
      yield* broker.faults.suspend
      publisher.send(pubRel(1), pubRel(1))
      assert.deepStrictEqual(yield* publisher.untilPing, [])
      yield* broker.faults.resume
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(briefly([yield* publisher.receive, yield* publisher.receive]), ["PubComp 1", "PubComp 1"])
    })
  )
})

describe("an acknowledgement", () => {
  it.effect(
    "keeps the order of the messages, when the first has to become durable and the second not [MQTT-4.6.0-2]",
    () =>
      Effect.gen(function* () {
        const { broker } = yield* startFirst()
        const subscriber = yield* broker.connect("subscriber", durable)
        yield* subscribed(subscriber, "durable", 1)
        const live = yield* broker.connect("live")
        yield* subscribed(live, "live", 1)
        const client = yield* broker.connect("publisher")
        yield* broker.faults.suspend
        client.send(publish("durable", "1", 1, 1), publish("live", "2", 1, 2), publish("live", "3", 0))
        assert.deepStrictEqual(briefly(yield* live.untilPing), ["Publish 2", "Publish 3"])
        assert.deepStrictEqual(briefly(yield* client.untilPing), [])
        yield* broker.faults.resume
        yield* TestClock.adjust("2 seconds")
        assert.deepStrictEqual(briefly([yield* client.receive, yield* client.receive]), ["PubAck 1", "PubAck 2"])
      })
  )

  it.effect("of a retained message waits for its znode", () =>
    Effect.gen(function* () {
      const { server, broker } = yield* startFirst()
      const client = yield* broker.connect("publisher")
      yield* broker.faults.suspend
      client.send(publish("t", "kept", 1, 1, { retain: true }))
      assert.deepStrictEqual(yield* client.untilPing, [])
      yield* broker.faults.resume
      yield* TestClock.adjust("2 seconds")
      yield* client.expect("PubAck")
      yield* broker.crash
      const next = yield* start(server)
      const late = yield* next.connect("late")
      yield* subscribed(late, "#", 1)
      assert.deepStrictEqual(briefly(yield* late.untilPing), ["Publish kept"])
    })
  )
})

describe("the Receive Maximum", () => {
  const settings = { limits: { receiveMaximum: 3 } }

  it.effect("counts exchanges of QoS 2 until their PUBCOMP [MQTT-3.3.4-9]", () =>
    Effect.gen(function* () {
      const { broker } = yield* startFirst(settings)
      const client = yield* broker.connect("publisher")
      client.send(publish("t", "1", 2, 1), publish("t", "2", 2, 2), publish("t", "3", 1, 3), publish("t", "4", 2, 4))
      assert.deepStrictEqual(briefly(yield* client.untilPing), ["PubRec 1", "PubRec 2", "PubAck 3", "PubRec 4"])
      client.send(pubRel(1), publish("t", "5", 2, 5), publish("t", "6", 1, 6))
      const seen = yield* client.untilClosed
      assert.deepStrictEqual(briefly(seen), ["PubComp 1", "PubRec 5", "Disconnect"])
      assert.deepInclude(seen.at(-1), { reasonCode: 0x93 })
    })
  )

  it.effect("is given back by a refusal", () =>
    Effect.gen(function* () {
      const { broker } = yield* startFirst(settings)
      const client = yield* broker.connect("publisher")
      for (let packetId = 1; packetId <= 20; packetId++) {
        client.send(publish("$SYS/x", "no", packetId % 2 === 0 ? 1 : 2, packetId))
        assert.deepInclude(yield* client.receive, { packetId, reasonCode: 0x87 })
      }
    })
  )

  it.effect("is whole again on the next connection, with exchanges that go on from the last one", () =>
    Effect.gen(function* () {
      const { broker } = yield* startFirst(settings)
      const before = yield* broker.connect("publisher", durable)
      before.send(publish("t", "1", 2, 1), publish("t", "2", 2, 2), publish("t", "3", 2, 3))
      yield* broker.durable
      yield* before.untilPing
      before.drop()
      const after = yield* broker.connect("publisher", durable)
      after.send(publish("t", "1", 2, 1, { dup: true }), pubRel(1), pubRel(2), pubRel(3))
      yield* broker.durable
      assert.deepStrictEqual(briefly(yield* after.untilPing), ["PubRec 1", "PubComp 1", "PubComp 2", "PubComp 3"])
      after.send(publish("t", "4", 2, 4), publish("t", "5", 2, 5), publish("t", "6", 2, 6))
      yield* broker.durable
      assert.deepStrictEqual(briefly(yield* after.untilPing), ["PubRec 4", "PubRec 5", "PubRec 6"])
      after.send(publish("t", "7", 1, 7))
      assert.deepInclude((yield* after.untilClosed).at(-1), { _tag: "Disconnect", reasonCode: 0x93 })
    })
  )

  it.effect("is given back by every PUBCOMP, of the last connection's exchanges, too (section 4.9)", () =>
    Effect.gen(function* () {
      const { broker } = yield* startFirst(settings)
      const before = yield* broker.connect("publisher", durable)
      before.send(publish("t", "1", 2, 1), publish("t", "2", 2, 2), publish("t", "3", 2, 3))
      yield* broker.durable
      yield* before.untilPing
      before.drop()
      const after = yield* broker.connect("publisher", durable)
      after.send(publish("t", "4", 2, 4), publish("t", "5", 2, 5), pubRel(1), pubRel(2), pubRel(99))
      after.send(publish("t", "6", 2, 6), publish("t", "7", 2, 7))
      yield* broker.durable
      const seen = briefly(yield* after.untilPing)
      assert.includeMembers([...seen], ["PubRec 4", "PubRec 5", "PubRec 6", "PubRec 7", "PubComp 1", "PubComp 99"])
    })
  )
})

describe("credit", () => {
  const settings = { bank: { capital: "1 MiB" }, limits: { queue: { bytes: "10 MiB" } } }
  const large = "x".repeat(100_000)

  const spend = Effect.fnUntraced(function* (broker: TestBroker) {
    const keeper = yield* broker.connect("keeper", durable)
    yield* subscribed(keeper, "t", 1)
    keeper.drop()
    const spender = yield* broker.connect("spender")
    for (let packetId = 1; packetId <= 10; packetId++) {
      spender.send(publish("t", large, 1, packetId))
      assert.strictEqual((yield* spender.expect("PubAck")).reasonCode, 0)
    }
    return spender
  })

  it.effect("that is spent makes a PUBLISH of MQTT 5.0 fail with 0x97", () =>
    Effect.gen(function* () {
      const { broker } = yield* startFirst(settings)
      const client = yield* spend(broker)
      client.send(publish("t", large, 1, 11), publish("t", large, 2, 12), publish("other", large, 1, 13))
      assert.deepInclude(yield* client.expect("PubAck"), { packetId: 11, reasonCode: 0x97 })
      assert.deepInclude(yield* client.expect("PubRec"), { packetId: 12, reasonCode: 0x97 })
      assert.deepInclude(yield* client.expect("PubAck"), { packetId: 13, reasonCode: 0x10 })
    })
  )

  it.effect("that is spent makes a client of MQTT 3.1.1 wait, and serves it when credit returns", () =>
    Effect.gen(function* () {
      const { broker } = yield* startFirst(settings)
      yield* spend(broker)
      const old = yield* broker.connect("old", { protocolVersion: 4 })
      const other = yield* broker.connect("other")
      old.send(publish("t", large, 1, 1), publish("t", "after", 1, 2))
      yield* other.untilPing
      assert.deepStrictEqual(briefly(yield* old.untilPing), [], "what comes after it waits, too, but for a ping")
      const keeper = yield* broker.connect("keeper", durable)
      yield* drain(keeper)
      yield* broker.durable
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(briefly([yield* old.receive, yield* old.receive]), ["PubAck 1", "PubAck 2"])
      assert.deepStrictEqual(briefly(yield* drain(keeper)), [`Publish ${large}`, "Publish after"])
    })
  )

  it.effect("is made by the acknowledgements of a client of MQTT 3.1.1 whose own queue is full", () =>
    Effect.gen(function* () {
      const { broker } = yield* startFirst({ limits: { queue: { messages: 2 } } })
      const old = yield* broker.connect("old", { protocolVersion: 4, cleanStart: false })
      yield* subscribed(old, "t", 1)
      old.send(...[1, 2, 3].map((n) => publish("t", `${n}`, 1, n)))
      yield* broker.durable
      assert.deepStrictEqual(briefly(yield* old.untilPing), ["Publish 1", "PubAck 1", "Publish 2", "PubAck 2"])
      // It has seen what it published, and says so behind the PUBLISH that there is no room for.
      old.send({ _tag: "PubAck", packetId: 1, reasonCode: 0 }, { _tag: "PubAck", packetId: 2, reasonCode: 0 })
      yield* broker.durable
      yield* TestClock.adjust("1 second")
      yield* broker.durable
      assert.deepStrictEqual(briefly(yield* old.untilPing), ["Publish 3", "PubAck 3"])
    })
  )

  it.effect("is waited for by a PUBLISH that stays what it was, whatever is read behind it", () =>
    Effect.gen(function* () {
      const { broker } = yield* startFirst({ limits: { queue: { messages: 1 } } })
      const keeper = yield* broker.connect("keeper", { ...durable, protocolVersion: 4 })
      const reader = yield* broker.connect("reader", { protocolVersion: 4 })
      for (const subscriber of [keeper, reader]) yield* subscribed(subscriber, "t", 1)
      const old = yield* broker.connect("old", { protocolVersion: 4 })
      old.send(publish("t", "first", 1, 1), publish("t", "second", 1, 2), publish("t", "third, which is longer", 1, 3))
      yield* broker.durable
      assert.deepStrictEqual(briefly(yield* old.untilPing), ["PubAck 1"])
      const seen: Array<string> = []
      for (let i = 0; i < 3; i++) {
        seen.push(...briefly(yield* drain(reader)))
        yield* drain(keeper)
        yield* broker.durable
        yield* TestClock.adjust("1 second")
        yield* broker.durable
      }
      assert.deepStrictEqual(seen, ["Publish first", "Publish second", "Publish third, which is longer"])
    })
  )

  it.effect("is waited for without reading on when too much comes behind it", () =>
    Effect.gen(function* () {
      const { broker } = yield* startFirst({ limits: { queue: { messages: 1 } } })
      const keeper = yield* broker.connect("keeper", durable)
      yield* subscribed(keeper, "t", 1)
      const old = yield* broker.connect("old", { protocolVersion: 4 })
      const numbers = Array.from({ length: 600 }, (_, i) => i + 1)
      old.send(...numbers.map((n) => publish("t", `${n}`, 1, n)))
      assert.deepStrictEqual(briefly([yield* old.receive]), ["PubAck 1"])
      assert.isFalse(old.isRead())
      const seen: Array<string> = []
      while (seen.length < numbers.length) {
        seen.push(...briefly(yield* drain(keeper)))
        yield* broker.durable
        yield* TestClock.adjust("1 second")
        yield* broker.durable
      }
      assert.deepStrictEqual(
        seen,
        numbers.map((n) => `Publish ${n}`)
      )
      assert.isTrue(old.isRead())
    })
  )

  it.effect("that does not return within the patience ends a connection of MQTT 3.1.1", () =>
    Effect.gen(function* () {
      const { broker } = yield* startFirst(settings)
      yield* spend(broker)
      const old = yield* broker.connect("old", { protocolVersion: 4, keepAlive: 5 })
      old.send(publish("t", large, 1, 1))
      yield* TestClock.adjust("29 seconds")
      assert.isFalse(old.isClosed())
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(yield* old.untilClosed, [])
    })
  )

  it.effect("is never overspent by a message that is retained and queued at once", () =>
    Effect.gen(function* () {
      const { broker } = yield* startFirst({ bank: { capital: "1 MiB" }, limits: { retained: { payload: "256 KiB" } } })
      const bank = Context.get(broker.services, Bank)
      const keeper = yield* broker.connect("keeper", durable)
      yield* subscribed(keeper, "#", 1)
      keeper.drop()
      const client = yield* broker.connect("client")
      const answers: Array<number> = []
      for (let packetId = 1; packetId <= 4; packetId++) {
        client.send(publish(`t/${packetId}`, "x".repeat(200_000), 1, packetId, { retain: true }))
        answers.push((yield* client.expect("PubAck")).reasonCode)
        assert.isAtLeast(bank.free(), 0)
      }
      assert.deepStrictEqual(answers, [0, 0, 0x97, 0x97])
    })
  )
})

describe("a message of a megabyte", () => {
  it.effect("reaches durable sessions of all partitions", () =>
    Effect.gen(function* () {
      const { broker } = yield* startFirst()
      const subscribers: Array<Client> = []
      for (let i = 0; i < 20; i++) {
        const subscriber = yield* broker.connect(`s${i}`, durable)
        yield* subscribed(subscriber, "t", 1)
        subscribers.push(subscriber)
      }
      const client = yield* broker.connect("client")
      client.send(publish("t", "x".repeat(1_000_000), 1, 1))
      assert.deepInclude(yield* client.expect("PubAck"), { packetId: 1, reasonCode: 0 })
      for (const subscriber of subscribers)
        assert.strictEqual((yield* subscriber.expect("Publish")).payload.length, 1_000_000)
    })
  )
})
