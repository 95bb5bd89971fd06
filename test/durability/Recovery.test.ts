import { once } from "node:events"
import { connect } from "node:net"
import { assert, describe, it } from "vitest"
import { encode } from "../../src/domain/packet/Encoder.ts"
import type { Connect } from "../../src/domain/packet/Packet.ts"
import { PersistentClient, type Options } from "./PersistentClient.ts"
import { inWorld, type RealWorld } from "./RealWorld.ts"

/** A test with a broker of its own. */
const withBroker = (run: (world: RealWorld) => Promise<void>) => async (): Promise<void> => {
  await inWorld(["shutdown.graceTime=5 s"], run)
}

const restart = async (world: RealWorld): Promise<void> => {
  await world.kill()
  await world.restart()
}

/** The topics of what a subscriber has received before this message. */
const until = async (subscriber: PersistentClient, last: string): Promise<ReadonlyArray<string>> => {
  const before: Array<string> = []
  for (let message = await subscriber.received.next(); message.name !== last;) {
    before.push(message.topic)
    message = await subscriber.received.next()
  }
  return before
}

const willOf = (name: string, delay: number): Options => ({
  will: { topic: `wills/${name}`, qos: 2, retain: false, delay }
})

/** A client of MQTT 5.0, connected. */
const connected = async (world: RealWorld, name: string, options: Options = {}): Promise<PersistentClient> => {
  const client = new PersistentClient(world, 5, name, options)
  await client.connect()
  return client
}

/** Starting a broker takes its time on a machine that does other work. */
const timeout = 60_000

describe("after kill -9", { timeout, concurrent: true }, () => {
  it(
    "retained messages are as they were acknowledged last",
    withBroker(async (world) => {
      const publisher = await connected(world, "publisher")
      await publisher.publish("replaced", 1, true)
      await publisher.publish("cleared", 2, true)
      const second = await publisher.publish("replaced", 2, true)
      const kept = await publisher.publish("kept", 1, true)
      await publisher.clear("cleared", 1)
      await restart(world)
      const keptToo = await publisher.publish("kept too", 2, true)
      await restart(world)
      const subscriber = await connected(world, "subscriber")
      await subscriber.subscribe("#", 2)
      const retained = await subscriber.received.take(3)
      assert.deepEqual(retained.map(({ topic, name, retain }) => `${topic} ${name} ${retain}`).sort(), [
        `kept ${kept} true`,
        `kept too ${keptToo} true`,
        `replaced ${second} true`
      ])
      assert.deepEqual(await until(subscriber, await publisher.publish("kept", 1)), [])
    })
  )

  it(
    "each will that is due is published once, and no other",
    withBroker(async (world) => {
      const watcher = await connected(world, "watcher")
      await watcher.subscribe("wills/#", 2)
      const transient = await connected(world, "transient", {
        cleanStart: true,
        expiry: 0,
        ...willOf("transient", 0)
      })
      const dropped = await connected(world, "dropped", willOf("dropped", 2))
      const absent = await connected(world, "absent", willOf("absent", 1))
      const present = await connected(world, "present", willOf("present", 60))
      const polite = await connected(world, "polite", willOf("polite", 0))
      await polite.disconnect()
      await dropped.drop()
      const ends = [transient.ended(), absent.ended()]
      await restart(world)
      await Promise.all(ends)
      const wills = await watcher.received.take(3)
      assert.sameMembers(
        wills.map(({ topic }) => topic),
        ["wills/transient", "wills/dropped", "wills/absent"]
      )
      assert.deepEqual(await until(watcher, await present.publish("wills", 2)), [])
      // None of them comes again, and the one that is armed still is.
      await restart(world)
      assert.deepEqual(await until(watcher, await present.publish("wills", 2)), [])
    })
  )

  it(
    "subscriptions are as they were acknowledged last",
    withBroker(async (world) => {
      const subscriber = await connected(world, "subscriber")
      await subscriber.subscribe("a/+", 1)
      await subscriber.subscribe("b", 1)
      await subscriber.subscribe("a/+", 2)
      await subscriber.unsubscribe("b")
      await restart(world)
      const publisher = await connected(world, "publisher")
      for (const topic of ["a/x", "b", "a/y"]) await publisher.publish(topic, 2)
      assert.deepEqual(await until(subscriber, await publisher.publish("a/end", 2)), ["a/x", "a/y"])
    })
  )

  it(
    "a session is gone when it has expired meanwhile, and there when it has not",
    withBroker(async (world) => {
      const brief = await connected(world, "brief", { expiry: 1 })
      const long = await connected(world, "long", { expiry: 60 })
      const watcher = await connected(world, "watcher")
      await watcher.subscribe("wills/#", 1)
      // Its Will waits longer than the session lives, so it comes when that has expired.
      const timer = await connected(world, "timer", {
        expiry: 2,
        ...willOf("timer", 60)
      })
      for (const client of [brief, long]) await client.disconnect()
      await timer.drop()
      await restart(world)
      assert.strictEqual((await watcher.received.next()).topic, "wills/timer")
      assert.isFalse((await brief.connect()).sessionPresent)
      assert.isTrue((await long.connect()).sessionPresent)
    })
  )
})

describe("a broker that is told to stop", { timeout }, () => {
  it.each(["SIGTERM", "SIGINT"] as const)("says goodbye on %s, and loses nothing", (signal) =>
    withBroker(async (world) => {
      const clients = [
        new PersistentClient(world, 5, "five"),
        new PersistentClient(world, 4, "four"),
        new PersistentClient(world, 5, "with-will", willOf("gone", 0))
      ] as const
      for (const client of clients) await client.connect()
      const absent = await connected(world, "absent")
      await absent.subscribe("#", 2)
      await absent.disconnect()
      await clients[0].publish("topic", 1)
      const ends = clients.map((client) => client.ended())
      const { code, milliseconds } = await world.stop(signal)
      await Promise.all(ends)
      assert.strictEqual(code, 0)
      assert.isBelow(milliseconds, 5_000)
      assert.deepEqual(
        clients.map(({ disconnects }) => disconnects.map(({ reasonCode }) => reasonCode)),
        [[0x8b], [], [0x8b]]
      )
      await world.restart()
      await absent.connect()
      const end = await absent.publish("end", 1)
      // The client with the Will has not said goodbye itself [MQTT-3.1.2-8].
      assert.deepEqual(await until(absent, end), ["topic", "wills/gone"])
    })()
  )

  it(
    "does not wait longer than the grace time for clients that do not close",
    withBroker(async (world) => {
      const socket = connect({ port: world.broker.port, host: world.broker.host, allowHalfOpen: true })
      const packet: Connect = { _tag: "Connect", protocolVersion: 5, clientId: "deaf", cleanStart: true, keepAlive: 60 }
      socket.write(encode(packet, 5))
      await once(socket, "data")
      socket.on("error", () => {})
      const { code, milliseconds } = await world.stop()
      assert.strictEqual(code, 0)
      assert.isBelow(milliseconds, 5_000)
      socket.destroy()
    })
  )
})
