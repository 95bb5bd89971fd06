import { assert, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { BrokerLive, Broker, Configuration } from "mqttzoo/broker"
import { Client, DialerTcp } from "mqttzoo/client"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"

const temporaryDirectory = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "mqttzoo-library-"))),
  (directory) => Effect.promise(() => rm(directory, { recursive: true, force: true }))
)

it.live("the package's broker and client work inside another program", () =>
  Effect.gen(function* () {
    const directory = yield* temporaryDirectory
    const settings = { listeners: { tcp: { host: "127.0.0.1", port: 0 } }, data: { directory } }
    const Served = BrokerLive.layer.pipe(Layer.provide(Configuration.layer(settings)))
    const Connected = Layer.unwrap(
      Effect.map(Broker, ({ address }) => Client.layer().pipe(Layer.provide(DialerTcp.layer(address))))
    ).pipe(Layer.provide(Served))

    const received = yield* Effect.gen(function* () {
      const client = yield* Client
      assert.deepStrictEqual(yield* client.subscribe([{ filter: "greeting/#", qos: 1 }]), [1])
      yield* client.publish("greeting/world", "hello", { qos: 1 })
      return yield* client.messages.pipe(Stream.take(1), Stream.runCollect)
    }).pipe(Effect.provide(Connected))

    assert.deepStrictEqual(
      received.map(({ topic, payload }) => `${topic} ${Buffer.from(payload).toString()}`),
      ["greeting/world hello"]
    )
  })
)
