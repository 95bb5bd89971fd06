import { assert, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import * as BrokerLive from "../../src/layers/BrokerLive.ts"
import * as DialerTcp from "../../src/layers/DialerTcp.ts"
import * as TransportTcp from "../../src/layers/TransportTcp.ts"
import * as ZooKeeperMemory from "../../src/layers/ZooKeeperMemory.ts"
import { Broker } from "../../src/services/Broker.ts"
import { Client } from "../../src/services/Client.ts"
import { Configuration } from "../../src/services/Configuration.ts"

const BrokerLayer = BrokerLive.layerServices.pipe(
  Layer.provide(TransportTcp.layer),
  Layer.provide(ZooKeeperMemory.layer),
  Layer.provide(Configuration.layer({ listeners: { tcp: { host: "127.0.0.1", port: 0 } } }))
)
it.live("delivers", () =>
  Effect.gen(function* () {
    const { address } = yield* Broker
    const dialer = DialerTcp.layer(address)
    const sub = yield* Client.make().pipe(Effect.provide(dialer))
    const pub = yield* Client.make().pipe(Effect.provide(dialer))
    assert.deepStrictEqual(yield* sub.subscribe([{ filter: "a", qos: 2 }]), [2])
    for (const qos of [0, 1, 2] as const) yield* pub.publish("a", `hello ${qos}`, { qos })
    const got = yield* sub.messages.pipe(Stream.take(3), Stream.runCollect)
    assert.deepStrictEqual(
      got.map((m) => Buffer.from(m.payload).toString()),
      ["hello 0", "hello 1", "hello 2"]
    )
  }).pipe(Effect.provide(BrokerLayer))
)
