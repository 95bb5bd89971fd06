import { assert, it } from "@effect/vitest"
import { type Context, Deferred, Effect, Fiber, Layer, Redacted, type Scope, Stream } from "effect"
import type { ClientError } from "../../src/domain/client/ClientError.ts"
import * as BrokerLive from "../../src/layers/BrokerLive.ts"
import * as DialerTcp from "../../src/layers/DialerTcp.ts"
import * as TransportTcp from "../../src/layers/TransportTcp.ts"
import * as ZooKeeperMemory from "../../src/layers/ZooKeeperMemory.ts"
import type { ReceivedMessage } from "../../src/domain/client/ClientSession.ts"
import type { Packet } from "../../src/domain/packet/Packet.ts"
import { Broker } from "../../src/services/Broker.ts"
import { Client, type ClientOptions, type ConnectionState } from "../../src/services/Client.ts"
import { Configuration } from "../../src/services/Configuration.ts"
import { Dialer } from "../../src/services/Dialer.ts"
import type { Socket } from "../../src/services/Transport.ts"

const layerBroker = BrokerLive.layerServices.pipe(
  Layer.provide(TransportTcp.layer),
  Layer.provide(ZooKeeperMemory.layer),
  Layer.provide(Configuration.layer({ listeners: { tcp: { host: "127.0.0.1", port: 0 } } }))
)

/** A client of the broker, whose network connection the test can cut. */
const makeClient = Effect.fnUntraced(function* (options: ClientOptions = {}) {
  const { address } = yield* Broker
  const tcp: Context.Service.Shape<typeof Dialer> = yield* Effect.provide(Dialer, DialerTcp.layer(address))
  let socket: Socket | undefined
  const dialer = Dialer.of({
    dial: (events) =>
      Effect.tap(tcp.dial(events), (opened) =>
        Effect.sync(() => {
          socket = opened
        })
      )
  })
  const reconnect = { initial: "5 millis", maximum: "20 millis" } as const
  const client = yield* Client.make({ reconnect, ...options }).pipe(Effect.provideService(Dialer, dialer))
  return Object.assign(client, { cut: Effect.sync(() => socket?.destroy()) })
})

const taken = (client: Client["Service"], count: number) =>
  Effect.map(Stream.runCollect(Stream.take(client.messages, count)), (messages) => messages.map(textOf))

const textOf = ({ payload }: ReceivedMessage) => Buffer.from(payload).toString()

/** Waits until the client's connection has been in these states, one after the other. */
const until = (client: Client["Service"], ...tags: ReadonlyArray<ConnectionState["_tag"]>) =>
  Effect.forEach(tags, (tag) => Stream.runHead(Stream.filter(client.states, (state) => state._tag === tag)), {
    discard: true
  })

const inBroker = <A, E>(body: Effect.Effect<A, E, Broker | Scope.Scope>) => Effect.provide(body, layerBroker)

it.live("a message of each QoS arrives with all its properties", () =>
  Effect.gen(function* () {
    const receiver = yield* makeClient()
    const sender = yield* makeClient()
    assert.deepStrictEqual(yield* receiver.subscribe([{ filter: "a/+", qos: 2 }], { subscriptionIdentifier: 7 }), [2])
    const properties = {
      contentType: "text",
      responseTopic: "re",
      correlationData: new Uint8Array([1, 2]),
      payloadFormatIndicator: 1,
      userProperties: [
        ["k", "v"],
        ["k", "w"]
      ]
    } as const
    for (const qos of [0, 1, 2] as const) yield* sender.publish("a/b", `qos ${qos}`, { qos, properties })
    const messages = yield* Stream.runCollect(Stream.take(receiver.messages, 3))
    for (const [index, message] of messages.entries()) {
      assert.deepStrictEqual(
        [message.topic, message.qos, message.retain, message.dup, textOf(message)],
        ["a/b", index, false, false, `qos ${index}`]
      )
      assert.deepStrictEqual({ ...message.properties, correlationData: [...message.properties!.correlationData!] }, {
        ...properties,
        correlationData: [1, 2],
        subscriptionIdentifiers: [7]
      } as never)
    }
  }).pipe(inBroker)
)

it.live("thousands of messages at once arrive in order, in either version", () =>
  Effect.gen(function* () {
    for (const version of [4, 5] as const) {
      const receiver = yield* makeClient({ version })
      const sender = yield* makeClient({ version })
      yield* receiver.subscribe([{ filter: `many/${version}`, qos: 1 }])
      const texts = Array.from({ length: 3000 }, (_, i) => `message ${i}`)
      const sending = yield* Effect.forkChild(
        sender.publishAll(
          texts.map((text) => ({ topic: `many/${version}`, payload: Buffer.from(text), qos: 1, retain: false }))
        )
      )
      assert.deepStrictEqual(yield* taken(receiver, texts.length), texts)
      assert.strictEqual((yield* Fiber.join(sending)).length, texts.length)
    }
  }).pipe(inBroker)
)

it.live("a client that nobody takes messages from stops reading, and goes on when they are taken", () =>
  Effect.gen(function* () {
    const receiver = yield* makeClient({ inboxMessages: 10, keepAlive: 1 })
    const sender = yield* makeClient()
    yield* receiver.subscribe([{ filter: "flood" }])
    const texts = Array.from({ length: 500 }, (_, i) => `${i}`)
    for (const text of texts) yield* sender.publish("flood", text)
    assert.deepStrictEqual(yield* taken(receiver, texts.length), texts)
  }).pipe(inBroker)
)

it.live("what is not taken is not acknowledged: the session's next connection gets it", () =>
  Effect.gen(function* () {
    const options = { clientId: "worker", cleanStart: false, sessionExpiryInterval: 600 }
    const sender = yield* makeClient()
    const first = yield* makeClient(options)
    yield* first.subscribe([{ filter: "jobs", qos: 1 }])
    for (const text of ["1", "2", "3", "4"]) yield* sender.publish("jobs", text, { qos: 1 })
    assert.deepStrictEqual((yield* first.take(1)).map(textOf), ["1"])
    yield* first.disconnect()
    const second = yield* makeClient(options)
    assert.deepStrictEqual(yield* taken(second, 3), ["2", "3", "4"])
  }).pipe(inBroker)
)

it.live("a client whose connection is cut comes back, with its subscriptions and what was under way", () =>
  Effect.gen(function* () {
    for (const sessionExpiryInterval of [0, 600]) {
      const topic = `cut/${sessionExpiryInterval}`
      const receiver = yield* makeClient({ sessionExpiryInterval })
      const sender = yield* makeClient({ sessionExpiryInterval })
      yield* receiver.subscribe([{ filter: topic, qos: 2 }])
      yield* receiver.cut
      yield* until(receiver, "Reconnecting", "Connected")
      yield* sender.cut
      // Subscribing again is what the receiver did first: this one shows that it is done.
      yield* receiver.subscribe([{ filter: `${topic}/other` }])
      const acknowledged = yield* Effect.all(
        [0, 1, 2].map((qos) => sender.publish(topic, `qos ${qos}`, { qos: qos as 0 | 1 | 2 })),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(
        acknowledged.map(({ reasonCode }) => reasonCode),
        [0, 0, 0]
      )
      assert.sameMembers(yield* taken(receiver, 3), ["qos 0", "qos 1", "qos 2"])
    }
  }).pipe(inBroker)
)

it.live("a message under way when the connection is cut is sent again with DUP, and arrives once at QoS 2", () =>
  Effect.gen(function* () {
    const receiver = yield* makeClient()
    yield* receiver.subscribe([{ filter: "dup", qos: 2 }])
    const sent: Array<Packet> = []
    const published = yield* Deferred.make<void>()
    const sender = yield* makeClient({
      sessionExpiryInterval: 600,
      trace: (direction, packet) => {
        if (direction !== "sent" || packet._tag !== "Publish") return
        sent.push(packet)
        Deferred.doneUnsafe(published, Effect.void)
      }
    })
    const publishing = yield* Effect.forkChild(sender.publish("dup", "once", { qos: 2 }), { startImmediately: true })
    yield* Deferred.await(published)
    yield* sender.cut
    yield* Fiber.join(publishing)
    yield* sender.publish("dup", "last", { qos: 2 })
    assert.deepStrictEqual(yield* taken(receiver, 2), ["once", "last"])
    assert.deepStrictEqual(
      sent.map((packet) => packet._tag === "Publish" && packet.dup),
      [false, true, false]
    )
  }).pipe(inBroker)
)

it.live("without reconnecting, a lost connection is the end", () =>
  Effect.gen(function* () {
    const client = yield* makeClient({ reconnect: false })
    yield* client.cut
    const error = yield* Effect.flip(client.take(1))
    assert.strictEqual(error.reason._tag, "ConnectionClosed")
    assert.strictEqual(yield* Effect.flip(client.publish("a", "b")), error)
  }).pipe(inBroker)
)

it.live("a client that is taken over does not fight for its name", () =>
  Effect.gen(function* () {
    const first = yield* makeClient({ clientId: "one" })
    const second = yield* makeClient({ clientId: "one" })
    const error = yield* Effect.flip(first.failure)
    assert.include(error.reason, { _tag: "ConnectionClosed", code: 0x8e })
    assert.match(error.message, /^the server ended the connection: session taken over \(0x8e\)/)
    assert.deepStrictEqual(yield* second.publish("a", "b", { qos: 1 }), { reasonCode: 0x10 })
  }).pipe(inBroker)
)

it.live("a will is published when the connection breaks, and not after a goodbye", () =>
  Effect.gen(function* () {
    const will = (payload: string) =>
      ({ will: { topic: "will", payload: Buffer.from(payload), qos: 1, retain: false }, reconnect: false }) as const
    const watcher = yield* makeClient()
    yield* watcher.subscribe([{ filter: "will", qos: 1 }])
    const polite = yield* makeClient(will("polite"))
    yield* polite.disconnect()
    const asked = yield* makeClient(will("asked for"))
    yield* asked.disconnect({ reasonCode: 0x04 })
    const broken = yield* makeClient(will("broken"))
    yield* broken.cut
    assert.deepStrictEqual(yield* taken(watcher, 2), ["asked for", "broken"])
  }).pipe(inBroker)
)

it.live("a refused CONNECT fails with its code", () =>
  Effect.gen(function* () {
    const error = yield* Effect.flip(makeClient({ clientId: "x".repeat(1000) }))
    assert.include(error.reason, { _tag: "Refused", code: 0x85, version: 5 })
    const before5 = yield* Effect.flip(makeClient({ clientId: "x".repeat(1000), version: 4 }))
    assert.include(before5.reason, { _tag: "Refused", code: 2, version: 4 })
    assert.strictEqual(before5.message, "the server refused the connection: client identifier rejected (2)")
  }).pipe(inBroker)
)

it.live("a server that is not there, or does not answer, fails the first connection", () =>
  Effect.gen(function* () {
    const nobody = yield* Effect.flip(
      Client.make().pipe(Effect.provide(DialerTcp.layer({ host: "127.0.0.1", port: 1 })))
    )
    assert.strictEqual(nobody.message, "cannot connect to 127.0.0.1:1: nothing listens there")
    const silent = Dialer.of({ dial: () => Effect.never })
    const timeout = yield* Effect.flip(
      Client.make({ connectTimeout: "20 millis" }).pipe(Effect.provideService(Dialer, silent))
    )
    assert.strictEqual(timeout.message, "the server sent no CONNACK within 0.02 s")
  })
)

it.live("what is against the rules is refused before anything is sent", () =>
  Effect.gen(function* () {
    const client = yield* makeClient()
    const refusals = yield* Effect.all(
      [
        client.publish("a/#", "x"),
        client.publish("", "x"),
        client.publish("a", "x", { properties: { contentType: "\0" } }),
        client.publish("a", Buffer.alloc(2_000_000)),
        client.subscribe([{ filter: "a/#/b" }]),
        client.subscribe([]),
        client.unsubscribe([]),
        makeClient({ version: 4, sessionExpiryInterval: 1 }),
        makeClient({ version: 4, password: Redacted.make("secret") }),
        makeClient({ keepAlive: 100_000 })
      ].map((effect) => Effect.flip(effect as Effect.Effect<unknown, ClientError>))
    )
    assert.deepStrictEqual(
      refusals.map(({ reason }) => reason._tag),
      refusals.map(() => "Invalid")
    )
    assert.deepStrictEqual(yield* client.publish("a", "still here", { qos: 1 }), { reasonCode: 0x10 })
  }).pipe(inBroker)
)

it.live("a refused message fails alone, and is told among many", () =>
  Effect.gen(function* () {
    const client = yield* makeClient()
    const error = yield* Effect.flip(client.publish("$SYS/mine", "x", { qos: 1 }))
    assert.include(error.reason, { _tag: "Rejected", packet: "PUBLISH", code: 0x87 })
    const codes = yield* client.publishAll(
      ["$SYS/mine", "a"].map((topic) => ({ topic, payload: new Uint8Array(), qos: 1, retain: false }))
    )
    assert.deepStrictEqual(
      codes.map(({ reasonCode }) => reasonCode),
      [0x87, 0x10]
    )
  }).pipe(inBroker)
)

it.live("after unsubscribing nothing comes, and the messages end with the client", () =>
  Effect.gen(function* () {
    const client = yield* makeClient()
    yield* client.subscribe([{ filter: "a" }, { filter: "b" }])
    assert.deepStrictEqual(yield* client.unsubscribe(["a", "never"]), [0, 0x11])
    for (const topic of ["a", "b"]) yield* client.publish(topic, topic, { qos: 1 })
    const collecting = yield* Effect.forkChild(Stream.runCollect(client.messages), { startImmediately: true })
    // QoS 0 by the same connection: it has come when this is answered.
    yield* client.subscribe([{ filter: "c" }])
    yield* client.disconnect()
    assert.deepStrictEqual((yield* Fiber.join(collecting)).map(textOf), ["b"])
    assert.strictEqual((yield* Effect.flip(client.failure)).reason._tag, "Disconnected")
  }).pipe(inBroker)
)

it.live("an idle connection is kept alive", () =>
  Effect.gen(function* () {
    const pings = yield* Deferred.make<void>()
    let answers = 0
    const client = yield* makeClient({
      keepAlive: 1,
      trace: (direction, { _tag }) => {
        if (direction === "received" && _tag === "PingResp" && ++answers === 2) Deferred.doneUnsafe(pings, Effect.void)
      }
    })
    yield* Effect.raceFirst(Deferred.await(pings), client.failure)
  }).pipe(inBroker)
)
