/** A whole broker in the process of a test: its ZooKeeper in memory outlives it, and its clients need no sockets. */
import { assert } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Logger, References, Scope } from "effect"
import { TestClock } from "effect/testing"
import { inspect } from "node:util"
import type { ConnAck, Connect, Packet, Publish, QoS, SubscriptionRequest } from "../../src/domain/packet/Packet.ts"
import * as ZooKeeperMemory from "../../src/layers/ZooKeeperMemory.ts"
import type { Server } from "../../src/layers/ZooKeeperServer.ts"
import type { Faults } from "../../src/layers/ZooKeeperSession.ts"
import { Bank } from "../../src/services/Bank.ts"
import { Broker } from "../../src/services/Broker.ts"
import type { Stats } from "../../src/services/broker/BrokerState.ts"
import { Configuration, type Settings } from "../../src/services/Configuration.ts"
import { Journal } from "../../src/services/Journal.ts"
import { Partitions } from "../../src/services/Partitions.ts"
import { Passes } from "../../src/services/Passes.ts"
import { Retained } from "../../src/services/Retained.ts"
import { Router } from "../../src/services/Router.ts"
import { SharedClock } from "../../src/services/SharedClock.ts"
import { ZooKeeper } from "../../src/services/ZooKeeper.ts"
import * as TransportMemory from "./TransportMemory.ts"

/** The services of a running broker, for a test to look at. */
export type Services = Context.Context<Bank | Broker | Journal | Partitions | Retained | Router>

const layerServices = Broker.layer.pipe(
  Layer.provideMerge(Layer.mergeAll(Router.layer, Retained.layer)),
  Layer.provideMerge(Partitions.layer),
  Layer.provideMerge(Journal.layer),
  Layer.provideMerge(Bank.layer),
  Layer.provide(SharedClock.layerLocal),
  Layer.provide(Passes.layer)
)

export type Options = Omit<Connect, "_tag" | "clientId" | "protocolVersion" | "cleanStart" | "keepAlive"> &
  Partial<Pick<Connect, "protocolVersion" | "cleanStart" | "keepAlive">>

/** A client whose CONNECT was accepted. */
export interface Client extends TransportMemory.Peer {
  readonly connAck: ConnAck
}

export interface TestBroker {
  readonly services: Services
  readonly faults: Faults
  /** Opens a connection that has yet to say CONNECT. */
  readonly open: TransportMemory.Network["connect"]
  /** Sends a CONNECT without waiting for the answer. */
  readonly knock: (clientId: string, options?: Options) => Effect.Effect<TransportMemory.Peer>
  /** Connects, by MQTT 5.0 and with a clean start unless said otherwise. */
  readonly connect: (clientId: string, options?: Options) => Effect.Effect<Client>
  /** Waits until all that was done so far is durable, and what follows from that is sent. */
  readonly durable: Effect.Effect<void>
  /** Stops it as a signal would. */
  readonly stop: Effect.Effect<void>
  /** Ends it as `kill -9` would: nothing that is not in ZooKeeper by now will be. */
  readonly crash: Effect.Effect<void>
}

/** A session of an hour. */
export const durable: Options = { cleanStart: false, properties: { sessionExpiryInterval: 3600 } }

/** The date on which tests begin. */
export const beginning = Date.UTC(2026, 0, 1)

/** Starts a broker on a ZooKeeper server, which it finds as the last one left it. */
export const start = Effect.fnUntraced(function* (server: Server, settings: Settings = {}) {
  const scope = yield* Scope.make()
  const network = yield* TransportMemory.make
  /** What the broker logged as an error: a bug of ours, each of them. */
  const errors: Array<string> = []
  const logger = Logger.make<unknown, void>(({ logLevel, message, cause, fiber }) => {
    if (logLevel === "Error" || logLevel === "Fatal") {
      errors.push(inspect({ message, cause, annotations: fiber.getRef(References.CurrentLogAnnotations) }))
    }
  })
  yield* Effect.addFinalizer(() => Effect.sync(() => assert.deepStrictEqual([...errors, ...network.violations], [])))
  const { zooKeeper, faults } = yield* Scope.provide(scope)(
    ZooKeeperMemory.connect(server, { maximumPacketBytes: Number.MAX_SAFE_INTEGER })
  )
  const services: Services = yield* Layer.buildWithScope(
    layerServices.pipe(
      Layer.provide(network.layer),
      Layer.provide(Configuration.layer({ partitions: 4, ...settings })),
      Layer.provide(Layer.succeed(ZooKeeper, zooKeeper)),
      Layer.provide(Logger.layer([logger]))
    ),
    scope
  )
  const knock = Effect.fnUntraced(function* (clientId: string, options: Options = {}) {
    const peer = yield* network.connect(options.protocolVersion ?? 5)
    peer.send({ _tag: "Connect", protocolVersion: 5, cleanStart: true, keepAlive: 0, ...options, clientId })
    return peer
  })
  const connect = Effect.fnUntraced(function* (clientId: string, options: Options = {}) {
    const peer = yield* knock(clientId, options)
    const connAck = yield* Effect.orDie(peer.expect("ConnAck"))
    return { ...peer, connAck }
  })
  /** The broker's last fiber ends by the clock, when it has to wait out its grace time. */
  const close = Effect.gen(function* () {
    const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
    while (closing.pollUnsafe() === undefined) {
      for (let turn = 0; turn < 50 && closing.pollUnsafe() === undefined; turn++) yield* Effect.yieldNow
      if (closing.pollUnsafe() === undefined) yield* TestClock.adjust("1 second")
    }
    yield* Fiber.join(closing)
  })
  yield* Effect.addFinalizer(() => close)
  const broker: TestBroker = {
    services,
    faults,
    open: network.connect,
    knock,
    connect,
    durable: Context.get(services, Journal).flushed,
    stop: close,
    // What it still does it does for itself alone.
    crash: faults.suspend
  }
  return broker
})

/** A ZooKeeper server and the first broker on it, at the beginning of time. */
export const startFirst = Effect.fnUntraced(function* (settings: Settings = {}) {
  yield* TestClock.setTime(beginning)
  const server = yield* ZooKeeperMemory.makeServer
  return { server, broker: yield* start(server, settings) }
})

export const publish = (
  topic: string,
  payload: string,
  qos: QoS = 0,
  packetId = 0,
  more: Partial<Pick<Publish, "retain" | "dup" | "properties">> = {}
): Publish => ({
  _tag: "Publish",
  topic,
  payload: Buffer.from(payload),
  qos,
  packetId,
  retain: false,
  dup: false,
  ...more
})

export const subscribe = (
  packetId: number,
  filter: string,
  qos: QoS,
  more: Partial<SubscriptionRequest> = {}
): Packet => ({
  _tag: "Subscribe",
  packetId,
  subscriptions: [{ filter, qos, noLocal: false, retainAsPublished: false, retainHandling: 0, ...more }]
})

/** Subscribes and waits for the grant. */
export const subscribed = (
  client: TransportMemory.Peer,
  filter: string,
  qos: QoS,
  more?: Partial<SubscriptionRequest>
) =>
  Effect.gen(function* () {
    client.send(subscribe(65_535, filter, qos, more))
    yield* client.expect("SubAck")
  })

/** The payload of a PUBLISH as text. */
export const text = ({ payload }: Publish): string => Buffer.from(payload).toString()

/** What packets say, shortly: `Publish hello`, `PubAck 3`. */
export const briefly = (packets: ReadonlyArray<Packet>): ReadonlyArray<string> =>
  packets.map((packet) =>
    packet._tag === "Publish"
      ? `Publish ${text(packet)}`
      : "packetId" in packet
        ? `${packet._tag} ${packet.packetId}`
        : packet._tag
  )

/** What a broker holds that has no clients, sessions and retained messages, all of its credit being free. */
export const nothingHeld = (credit: number): Omit<Stats, "counts"> => ({
  connections: 0,
  clients: 0,
  sessions: 0,
  subscriptions: 0,
  retained: 0,
  wills: 0,
  deadlines: 0,
  waiting: 0,
  credit
})
