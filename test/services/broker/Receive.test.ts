import { assert, it } from "@effect/vitest"
import { Arbitrary, Context, Effect, Schema } from "effect"
import { TestClock } from "effect/testing"
import type { Packet } from "../../../src/domain/packet/Packet.ts"
import { Broker } from "../../../src/services/Broker.ts"
import { arbitraryPacket } from "../../domain/packet/ArbitraryPacket.ts"
import { nothingHeld, publish, startFirst, subscribe } from "../TestBroker.ts"
import type { Peer } from "../TransportMemory.ts"

/** Packets about few topics and identifiers, so that they have to do with one another. */
const Topic = Schema.Literals(["t", "t/u", "$SYS/x"])
const Filter = Schema.Literals(["t", "t/#", "+", "#", "$share/g/t", "$share/g/#", "t/#/bad"])
const Qos = Schema.Literals([0, 1, 2])
const Id = Schema.Literals([1, 2, 3])
const Plausible = Schema.Union([
  Schema.TaggedStruct("Publish", {
    topic: Topic,
    qos: Qos,
    packetId: Id,
    retain: Schema.Boolean,
    empty: Schema.Boolean
  }),
  Schema.TaggedStruct("Subscribe", { filter: Filter, qos: Qos, packetId: Id }),
  Schema.TaggedStruct("Unsubscribe", { filter: Filter, packetId: Id }),
  Schema.TaggedStruct("Acknowledge", { tag: Schema.Literals(["PubAck", "PubRec", "PubRel", "PubComp"]), packetId: Id }),
  Schema.TaggedStruct("Connect", {
    clientId: Id,
    cleanStart: Schema.Boolean,
    expiry: Schema.Literals([0, 30]),
    hasWill: Schema.Boolean
  }),
  Schema.TaggedStruct("Disconnect", { reasonCode: Schema.Literals([0, 4]) }),
  Schema.TaggedStruct("Drop", {}),
  Schema.TaggedStruct("Wait", { millis: Schema.Literals([0, 0, 300, 20_000]) })
])
type Plausible = typeof Plausible.Type

const packetOf = (step: Exclude<Plausible, { _tag: "Drop" | "Wait" }>): Packet => {
  switch (step._tag) {
    case "Publish":
      return publish(step.topic, step.empty ? "" : "payload", step.qos, step.qos === 0 ? 0 : step.packetId, {
        retain: step.retain
      })
    case "Subscribe":
      return subscribe(step.packetId, step.filter, step.qos)
    case "Unsubscribe":
      return { _tag: "Unsubscribe", packetId: step.packetId, filters: [step.filter] }
    case "Acknowledge":
      return { _tag: step.tag, packetId: step.packetId, reasonCode: 0 }
    case "Connect":
      return {
        _tag: "Connect",
        protocolVersion: 5,
        clientId: `client ${step.clientId}`,
        cleanStart: step.cleanStart,
        keepAlive: 0,
        properties: { sessionExpiryInterval: step.expiry },
        ...(step.hasWill && {
          will: {
            topic: "t",
            payload: Buffer.from("gone"),
            qos: 1,
            retain: true,
            properties: { willDelayInterval: 10 }
          }
        })
      }
    case "Disconnect":
      return { _tag: "Disconnect", reasonCode: step.reasonCode }
  }
}

const turns = Effect.gen(function* () {
  for (let turn = 0; turn < 3; turn++) yield* Effect.yieldNow
})

it.effect.prop(
  "whatever clients do, the broker makes no mistake of its own, and holds nothing when they are gone",
  [Schema.Array(Schema.Struct({ peer: Id, step: Plausible }))],
  ([steps]) =>
    Effect.gen(function* () {
      const { broker } = yield* startFirst({ bank: { capital: "1 MiB" } })
      const stats = () => Context.get(broker.services, Broker).stats()
      const peers = new Map<number, Peer>()
      for (const { peer: which, step } of steps) {
        let peer = peers.get(which)
        if (peer === undefined || peer.isClosed()) {
          peer = yield* broker.open(5)
          peers.set(which, peer)
          peer.send(packetOf({ _tag: "Connect", clientId: which, cleanStart: false, expiry: 30, hasWill: which === 1 }))
        }
        if (step._tag === "Drop") peer.drop()
        else if (step._tag === "Wait") yield* TestClock.adjust(step.millis)
        else peer.send(packetOf(step))
        if (step._tag !== "Publish") yield* turns
      }
      for (const peer of peers.values()) peer.drop()
      yield* TestClock.adjust("2 minutes")
      const last = yield* broker.connect("last")
      for (const topic of ["t", "t/u"]) last.send(publish(topic, "", 0, 0, { retain: true }))
      yield* last.untilPing
      last.drop()
      yield* broker.durable
      const { counts, ...held } = stats()
      assert.isAtLeast(counts.connections, 1)
      assert.deepStrictEqual(held, nothingHeld(1_048_576))
    }),
  { arbitrary: { runs: 12 } }
)

it.effect.prop(
  "packets of any content are handled or refused, and nobody else notices",
  [Arbitrary.array(arbitraryPacket(5), { maxLength: 20 })],
  ([packets]) =>
    Effect.gen(function* () {
      const { broker } = yield* startFirst()
      const other = yield* broker.connect("other")
      let client = yield* broker.connect("client")
      for (const packet of packets) {
        if (client.isClosed()) client = yield* broker.connect("client")
        client.send(packet)
        yield* turns
      }
      assert.deepStrictEqual(yield* other.untilPing, [])
    }),
  { arbitrary: { runs: 25 } }
)
