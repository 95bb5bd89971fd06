import { once } from "node:events"
import { connect } from "node:net"
import { assert, describe, it } from "vitest"
import { encode } from "../../src/domain/packet/Encoder.ts"
import type { Connect } from "../../src/domain/packet/Packet.ts"
import { BrokerProcess } from "../process/BrokerProcess.ts"
import { PersistentClient, type Received } from "./PersistentClient.ts"

/** A test with a broker of its own. */
const withBroker = (run: (broker: BrokerProcess) => Promise<void>) => async (): Promise<void> => {
  const broker = await BrokerProcess.start("shutdown.graceTime=5 s")
  try {
    await run(broker)
    assert.deepEqual(broker.complaints(), [])
  } finally {
    await broker.dispose()
  }
}

const restart = async (broker: BrokerProcess): Promise<void> => {
  await broker.kill()
  await broker.restart()
}

/** What a subscriber has received before this payload, as `topic payload`. */
const until = async (subscriber: PersistentClient, payload: string): Promise<ReadonlyArray<string>> => {
  const before: Array<string> = []
  for (;;) {
    const message: Received = await subscriber.received.next()
    if (message.payload === payload) return before
    before.push(`${message.topic} ${message.payload}`)
  }
}

const willOf = (payload: string, willDelayInterval: number): Pick<Connect, "will"> => ({
  will: {
    topic: `wills/${payload}`,
    payload: Buffer.from(payload),
    qos: 2,
    retain: false,
    properties: { willDelayInterval }
  }
})

/** A client of MQTT 5.0 with this Will, connected. */
const connected = async (broker: BrokerProcess, name: string, options: Partial<Connect>): Promise<PersistentClient> => {
  const client = new PersistentClient(broker, 5, name, options)
  await client.connect()
  return client
}

/** Starting a broker takes its time on a machine that does other work. */
const timeout = 60_000

describe("after kill -9", { timeout, concurrent: true }, () => {
  it(
    "retained messages are as they were acknowledged last",
    withBroker(async (broker) => {
      const publisher = await connected(broker, "publisher", {})
      for (const [topic, payload, qos] of [
        ["replaced", "first", 1],
        ["cleared", "gone", 2],
        ["replaced", "second", 2],
        ["kept", "kept", 1],
        ["cleared", "", 1]
      ] as const) {
        await publisher.publish(topic, payload, qos, true)
      }
      await restart(broker)
      await publisher.publish("kept too", "kept too", 2, true)
      await restart(broker)
      const subscriber = await connected(broker, "subscriber", {})
      await subscriber.subscribe("#", 2)
      const retained = await subscriber.received.take(3)
      assert.deepEqual(retained.map(({ topic, payload, retain }) => `${topic} ${payload} ${retain}`).sort(), [
        "kept kept true",
        "kept too kept too true",
        "replaced second true"
      ])
      await publisher.publish("kept", "end", 1)
      assert.deepEqual(await until(subscriber, "end"), [])
      await Promise.all([subscriber.disconnect(), publisher.disconnect()])
    })
  )

  it(
    "each will that is due is published once, and no other",
    withBroker(async (broker) => {
      const watcher = await connected(broker, "watcher", {})
      await watcher.subscribe("wills/#", 2)
      const transient = await connected(broker, "transient", {
        cleanStart: true,
        properties: {},
        ...willOf("transient", 0)
      })
      const dropped = await connected(broker, "dropped", willOf("dropped", 2))
      const absent = await connected(broker, "absent", willOf("absent", 1))
      const present = await connected(broker, "present", willOf("present", 60))
      const polite = await connected(broker, "polite", willOf("polite", 0))
      await polite.disconnect()
      await dropped.drop()
      const ends = [transient.ended(), absent.ended()]
      await restart(broker)
      await Promise.all(ends)
      const wills = await watcher.received.take(3)
      assert.sameMembers(
        wills.map(({ payload }) => payload),
        ["transient", "dropped", "absent"]
      )
      await present.publish("wills", "end", 1)
      assert.deepEqual(await until(watcher, "end"), [])
      // None of them comes again, and the one that is armed still is.
      await restart(broker)
      await present.publish("wills", "end", 1)
      assert.deepEqual(await until(watcher, "end"), [])
      for (const { faults } of [watcher, present]) assert.deepEqual(faults, [])
      await Promise.all([watcher.disconnect(), present.disconnect()])
    })
  )

  it(
    "subscriptions are as they were acknowledged last",
    withBroker(async (broker) => {
      const subscriber = await connected(broker, "subscriber", {})
      await subscriber.subscribe("a/+", 1)
      await subscriber.subscribe("b", 1)
      await subscriber.subscribe("a/+", 2)
      await subscriber.unsubscribe("b")
      await restart(broker)
      const publisher = await connected(broker, "publisher", {})
      for (const topic of ["a/x", "b", "a/y"]) await publisher.publish(topic, topic, 2)
      await publisher.publish("a/end", "end", 2)
      assert.deepEqual(await until(subscriber, "end"), ["a/x a/x", "a/y a/y"])
      await Promise.all([subscriber.disconnect(), publisher.disconnect()])
    })
  )

  it(
    "a session is gone when it has expired meanwhile, and there when it has not",
    withBroker(async (broker) => {
      const brief = await connected(broker, "brief", { properties: { sessionExpiryInterval: 1 } })
      const long = await connected(broker, "long", { properties: { sessionExpiryInterval: 60 } })
      const watcher = await connected(broker, "watcher", {})
      await watcher.subscribe("wills/#", 1)
      // Its Will waits longer than the session lives, so it comes when that has expired.
      const timer = await connected(broker, "timer", {
        properties: { sessionExpiryInterval: 2 },
        ...willOf("timer", 60)
      })
      for (const client of [brief, long]) await client.disconnect()
      await timer.drop()
      await restart(broker)
      assert.strictEqual((await watcher.received.next()).payload, "timer")
      const again = new PersistentClient(broker, 5, "brief")
      assert.isFalse((await again.connect()).sessionPresent)
      assert.isTrue((await long.connect()).sessionPresent)
      await Promise.all([again, long, watcher].map((client) => client.disconnect()))
    })
  )
})

describe("a broker that is told to stop", { timeout }, () => {
  it.each(["SIGTERM", "SIGINT"] as const)("says goodbye on %s, and loses nothing", (signal) =>
    withBroker(async (broker) => {
      const clients = [
        new PersistentClient(broker, 5, "five"),
        new PersistentClient(broker, 4, "four"),
        new PersistentClient(broker, 5, "with-will", willOf("gone", 0))
      ] as const
      for (const client of clients) await client.connect()
      const absent = await connected(broker, "absent", {})
      await absent.subscribe("#", 2)
      await absent.disconnect()
      await clients[0].publish("topic", "acknowledged", 1)
      const ends = clients.map((client) => client.ended())
      const { code, milliseconds } = await broker.stop(signal)
      await Promise.all(ends)
      assert.strictEqual(code, 0)
      assert.isBelow(milliseconds, 5_000)
      assert.deepEqual(
        clients.map(({ disconnects }) => disconnects.map(({ reasonCode }) => reasonCode)),
        [[0x8b], [], [0x8b]]
      )
      await broker.restart()
      await absent.connect()
      await absent.publish("topic", "end", 1)
      // The client with the Will has not said goodbye itself [MQTT-3.1.2-8].
      assert.deepEqual(await until(absent, "end"), ["topic acknowledged", "wills/gone gone"])
      await absent.disconnect()
    })()
  )

  it(
    "does not wait longer than the grace time for clients that do not close",
    withBroker(async (broker) => {
      const socket = connect({ port: broker.port, host: broker.host, allowHalfOpen: true })
      const packet: Connect = { _tag: "Connect", protocolVersion: 5, clientId: "deaf", cleanStart: true, keepAlive: 60 }
      socket.write(encode(packet, 5))
      await once(socket, "data")
      socket.on("error", () => {})
      const { code, milliseconds } = await broker.stop()
      assert.strictEqual(code, 0)
      assert.isBelow(milliseconds, 5_000)
      socket.destroy()
    })
  )
})
