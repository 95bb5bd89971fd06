import type { IClientOptions } from "mqtt"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { BrokerProcess } from "../process/BrokerProcess.ts"
import { Client, type Message, type QoS, type Version } from "./MqttJs.ts"

let broker: BrokerProcess
let lastName = 0

beforeAll(async () => {
  broker = await BrokerProcess.start()
})

afterAll(async () => {
  await broker.dispose()
  assert.deepEqual(broker.complaints(), [])
})

/** A topic, or a client identifier, that no other test has. */
const fresh = (): string => `mqttjs-${++lastName}`

const connect = (version: Version, options?: IClientOptions): Promise<Client> =>
  Client.connect(broker, version, options)

/** Options for a session that outlives its connection. */
const persistent = (version: Version, clientId: string): IClientOptions => ({
  clientId,
  clean: false,
  ...(version === 5 && { properties: { sessionExpiryInterval: 60 } })
})

/** User Properties come in an object without a prototype, which does not compare. */
const withPlainObject = (properties: Message["properties"]): object => ({
  ...properties,
  userProperties: { ...properties.userProperties }
})

const text = ({ payload }: Message): string => payload

const levels: ReadonlyArray<QoS> = [0, 1, 2]
const versions: ReadonlyArray<Version> = [4, 5]
const pairs = versions.flatMap((sender) => versions.map((receiver) => ({ sender, receiver })))

describe("MQTT.js", { concurrent: true }, () => {
  it.each(pairs)("exchanges messages of every QoS, version $sender to $receiver", async ({ sender, receiver }) => {
    const topic = fresh()
    const publisher = await connect(sender)
    for (const granted of levels) {
      const subscriber = await connect(receiver)
      await subscriber.mqtt.subscribeAsync(topic, { qos: granted })
      for (const qos of levels) await publisher.mqtt.publishAsync(topic, `at ${qos}`, { qos })
      for (const { topic: name, payload, qos, retain, dup } of await subscriber.messages.take(3)) {
        const published = Number(payload.slice(3))
        assert.deepEqual(
          { name, qos, retain, dup },
          {
            name: topic,
            qos: Math.min(published, granted) as QoS,
            retain: false,
            dup: false
          }
        )
      }
      await subscriber.end()
    }
    await publisher.end()
  })

  it.each(versions)("keeps the order of a burst in version %i", async (version) => {
    const payloads = Array.from({ length: 500 }, (_, i) => String(i))
    const publisher = await connect(version)
    for (const qos of levels) {
      const topic = fresh()
      const subscriber = await connect(version)
      await subscriber.mqtt.subscribeAsync(topic, { qos: 2 })
      // MQTT.js leaves it to its user to heed the broker's Receive Maximum.
      for (let i = 0; i < payloads.length; i += 50) {
        const some = payloads.slice(i, i + 50)
        await Promise.all(some.map((payload) => publisher.mqtt.publishAsync(topic, payload, { qos })))
      }
      const received = await subscriber.messages.take(payloads.length)
      assert.deepEqual(received.map(text), payloads)
      await subscriber.end()
    }
    await publisher.end()
  })

  it.each(versions)("resumes its session after a lost connection, version %i", async (version) => {
    const topic = fresh()
    const publisher = await connect(version)
    const subscriber = await connect(version, {
      ...persistent(version, fresh()),
      reconnectPeriod: 10,
      // The broker has to know the subscriptions by itself.
      resubscribe: false
    })
    assert.isFalse((await subscriber.connacks.next()).sessionPresent)
    await subscriber.mqtt.subscribeAsync(topic, { qos: 2 })
    for (const qos of [1, 2, 1] as const) {
      subscriber.drop()
      await publisher.mqtt.publishAsync(topic, `at ${qos}`, { qos })
      assert.isTrue((await subscriber.connacks.next()).sessionPresent)
      const { payload, qos: received } = await subscriber.messages.next()
      assert.deepEqual({ payload, received }, { payload: `at ${qos}`, received: qos })
    }
    await Promise.all([subscriber.end(), publisher.end()])
  })

  it.each(versions)("finishes what it was publishing when the connection broke, version %i", async (version) => {
    const topic = fresh()
    const subscriber = await connect(version)
    await subscriber.mqtt.subscribeAsync(topic, { qos: 2 })
    const publisher = await connect(version, { ...persistent(version, fresh()), reconnectPeriod: 10 })
    const payloads = Array.from({ length: 20 }, (_, i) => String(i))
    const published = payloads.map((payload) => publisher.mqtt.publishAsync(topic, payload, { qos: 2 }))
    await publisher.once("packetreceive")
    publisher.drop()
    await Promise.all(published)
    const received = await subscriber.messages.take(payloads.length)
    assert.sameMembers(received.map(text), payloads)
    await publisher.mqtt.publishAsync(topic, "marker", { qos: 2 })
    assert.strictEqual((await subscriber.messages.next()).payload, "marker", "no duplicate came before it")
    await Promise.all([subscriber.end(), publisher.end()])
  })

  it.each(versions)("starts afresh with a clean session, version %i", async (version) => {
    const topic = fresh()
    const clientId = fresh()
    const first = await connect(version, persistent(version, clientId))
    await first.mqtt.subscribeAsync(topic, { qos: 1 })
    await first.end()
    const publisher = await connect(version)
    await publisher.mqtt.publishAsync(topic, "queued", { qos: 1 })
    const second = await connect(version, { clientId, clean: true })
    assert.isFalse((await second.connacks.next()).sessionPresent)
    await second.mqtt.subscribeAsync(topic, { qos: 1 })
    await publisher.mqtt.publishAsync(topic, "marker", { qos: 1 })
    assert.strictEqual((await second.messages.next()).payload, "marker")
    await Promise.all([second.end(), publisher.end()])
  })

  it.each(versions)("has its will published unless it says goodbye, version %i", async (version) => {
    const topic = fresh()
    const watcher = await connect(version)
    await watcher.mqtt.subscribeAsync(topic, { qos: 2 })
    const willing = (payload: string) =>
      connect(version, { will: { topic, payload: Buffer.from(payload), qos: 1, retain: true } })
    await (await willing("well")).end()
    ;(await willing("badly")).drop()
    assert.include(await watcher.messages.next(), { payload: "badly", qos: 1, retain: false })
    const late = await connect(version)
    await late.mqtt.subscribeAsync(topic, { qos: 1 })
    assert.include(await late.messages.next(), { payload: "badly", qos: 1, retain: true })
    await late.mqtt.publishAsync(topic, "", { retain: true, qos: 1 })
    await Promise.all([watcher.end(), late.end()])
  })

  it("has the properties of its will published with it", async () => {
    const topic = fresh()
    const watcher = await connect(5)
    await watcher.mqtt.subscribeAsync(topic, { qos: 2 })
    const properties = {
      contentType: "text/plain",
      responseTopic: `${topic}/response`,
      correlationData: Buffer.from("corr"),
      payloadFormatIndicator: true,
      messageExpiryInterval: 60,
      userProperties: { cause: ["power", "network"] }
    }
    const client = await connect(5, {
      will: { topic, payload: Buffer.from("gone"), qos: 1, retain: false, properties }
    })
    client.drop()
    const { properties: received } = await watcher.messages.next()
    assert.deepEqual(withPlainObject(received), properties)
    await watcher.end()
  })

  it("delays its will, and drops it when it is back in time", async () => {
    const topic = fresh()
    const clientId = fresh()
    const watcher = await connect(5)
    await watcher.mqtt.subscribeAsync(topic, { qos: 1 })
    const willing = (payload: string, willDelayInterval: number) =>
      connect(5, {
        ...persistent(5, clientId),
        will: { topic, payload: Buffer.from(payload), qos: 1, retain: false, properties: { willDelayInterval } }
      })
    ;(await willing("too early", 1)).drop()
    const second = await willing("due", 2)
    const dropped = performance.now()
    second.drop()
    assert.strictEqual((await watcher.messages.next()).payload, "due")
    assert.isAtLeast(performance.now() - dropped, 1_700)
    await watcher.end()
  })

  it("carries the properties of a PUBLISH", async () => {
    const topic = fresh()
    const client = await connect(5)
    await client.mqtt.subscribeAsync(topic, { qos: 2, properties: { subscriptionIdentifier: 77 } })
    const properties = {
      contentType: "application/json",
      responseTopic: `${topic}/response`,
      correlationData: Buffer.from([0, 1, 2, 255]),
      payloadFormatIndicator: true,
      messageExpiryInterval: 60,
      userProperties: { a: "1", b: ["2", "3"] }
    }
    for (const qos of levels) {
      await client.mqtt.publishAsync(topic, "{}", { qos, properties })
      const { properties: received } = await client.messages.next()
      assert.deepEqual(withPlainObject(received), { ...properties, subscriptionIdentifier: 77 })
    }
    await client.end()
  })

  it("asks for No Local, Retain As Published and Retain Handling", async () => {
    const topic = fresh()
    const client = await connect(5)
    const other = await connect(5)
    await other.mqtt.publishAsync(topic, "retained", { qos: 1, retain: true })
    await client.mqtt.subscribeAsync(topic, { qos: 1, nl: true, rap: true, rh: 2 })
    await client.mqtt.publishAsync(topic, "own", { qos: 1 })
    await other.mqtt.publishAsync(topic, "others'", { qos: 1, retain: true })
    assert.include(await client.messages.next(), { payload: "others'", retain: true })
    // 1: only for a subscription that is new.
    await client.mqtt.subscribeAsync(topic, { qos: 1, rh: 1 })
    await other.mqtt.publishAsync(topic, "not retained", { qos: 1 })
    assert.include(await client.messages.next(), { payload: "not retained", retain: false })
    await client.mqtt.unsubscribeAsync(topic)
    await client.mqtt.subscribeAsync(topic, { qos: 1, rh: 1 })
    assert.include(await client.messages.next(), { payload: "others'", retain: true })
    await client.mqtt.subscribeAsync(topic, { qos: 1, rh: 0 })
    assert.include(await client.messages.next(), { payload: "others'", retain: true })
    await other.mqtt.publishAsync(topic, "", { qos: 1, retain: true })
    await Promise.all([client.end(), other.end()])
  })

  it("uses topic aliases both ways", async () => {
    const topics = [fresh(), fresh()]
    const publisher = await connect(5, { autoAssignTopicAlias: true })
    const subscriber = await connect(5, { properties: { topicAliasMaximum: 1 } })
    await subscriber.mqtt.subscribeAsync(topics, { qos: 1 })
    const order = [0, 1, 0, 1, 0, 1].map((i) => topics[i]!)
    for (const [i, topic] of order.entries()) await publisher.mqtt.publishAsync(topic, String(i), { qos: 1 })
    const received = await subscriber.messages.take(order.length)
    assert.deepEqual(
      received.map(({ topic, payload }) => `${topic} ${payload}`),
      order.map((topic, i) => `${topic} ${i}`)
    )
    const named = (client: Client, direction: "sent" | "received") =>
      client.all(direction, "publish").map(({ topic }) => topic)
    assert.deepEqual(named(publisher, "sent"), [topics[0], topics[1], "", "", "", ""])
    // One alias is allowed, and the first topic has it.
    assert.deepEqual(named(subscriber, "received"), [topics[0], topics[1], "", topics[1], "", topics[1]])
    await Promise.all([publisher.end(), subscriber.end()])
  })

  it("is sent no more than its Receive Maximum at a time", async () => {
    const topic = fresh()
    const payloads = Array.from({ length: 60 }, (_, i) => String(i))
    const publisher = await connect(5)
    for (const qos of [1, 2] as const) {
      const subscriber = await connect(5, { properties: { receiveMaximum: 3 } })
      await subscriber.mqtt.subscribeAsync(topic, { qos })
      await Promise.all(payloads.map((payload) => publisher.mqtt.publishAsync(topic, payload, { qos })))
      const received = await subscriber.messages.take(payloads.length)
      assert.deepEqual(received.map(text), payloads)
      let unacknowledged = 0
      for (const { packet } of subscriber.packets) {
        if (packet.cmd === "publish") unacknowledged++
        if (packet.cmd === "puback" || packet.cmd === "pubcomp") unacknowledged--
        assert.isAtMost(unacknowledged, 3)
      }
      await subscriber.end()
    }
    await publisher.end()
  })

  it("may publish more at a time than the broker's Receive Maximum while that is late with acknowledgements", async () => {
    const topic = fresh()
    const payloads = Array.from({ length: 1_000 }, (_, i) => String(i))
    // Messages for a durable session are acknowledged when they are safe on disk.
    const subscriber = await connect(5, persistent(5, fresh()))
    await subscriber.mqtt.subscribeAsync(topic, { qos: 1 })
    const publisher = await connect(5)
    await Promise.all(payloads.map((payload) => publisher.mqtt.publishAsync(topic, payload, { qos: 1 })))
    const received = await subscriber.messages.take(payloads.length)
    assert.deepEqual(received.map(text), payloads)
    await Promise.all([publisher.end(), subscriber.end()])
  })

  it("is not sent what is larger than its Maximum Packet Size", async () => {
    const topic = fresh()
    const subscriber = await connect(5, { properties: { maximumPacketSize: 100 } })
    const publisher = await connect(5)
    await subscriber.mqtt.subscribeAsync(topic, { qos: 2 })
    for (const qos of levels) {
      await publisher.mqtt.publishAsync(topic, "x".repeat(100), { qos })
      await publisher.mqtt.publishAsync(topic, "small", { qos })
      assert.strictEqual((await subscriber.messages.next()).payload, "small")
    }
    await Promise.all([publisher.end(), subscriber.end()])
  })

  it.each(versions)("is taken over by a second connection of the same name, version %i", async (version) => {
    const topic = fresh()
    const clientId = fresh()
    const first = await connect(version, persistent(version, clientId))
    await first.mqtt.subscribeAsync(topic, { qos: 1 })
    const closed = first.once("close")
    const second = await connect(version, persistent(version, clientId))
    await closed
    const reasons = first.all("received", "disconnect").map(({ reasonCode }) => reasonCode)
    assert.deepEqual(reasons, version === 5 ? [0x8e] : [])
    assert.isTrue((await second.connacks.next()).sessionPresent)
    await second.mqtt.publishAsync(topic, "mine now", { qos: 1 })
    assert.strictEqual((await second.messages.next()).payload, "mine now")
    await second.end()
  })

  it.each(versions)("is kept alive by its pings, version %i", async (version) => {
    const client = await connect(version, { keepalive: 2, reschedulePings: false })
    // The second ping is answered after two keep-alives, when the connection would be over without the first.
    while (client.all("received", "pingresp").length < 2) await client.once("packetreceive")
    assert.isTrue(client.mqtt.connected)
    await client.end()
  })

  it.each(versions)("shares a subscription, version %i", async (version) => {
    const topic = fresh()
    const members = await Promise.all([connect(version), connect(version), connect(version)])
    for (const member of members) await member.mqtt.subscribeAsync(`$share/group/${topic}`, { qos: 2 })
    const publisher = await connect(version)
    const payloads = Array.from({ length: 30 }, (_, i) => String(i))
    for (const [i, payload] of payloads.entries()) {
      await publisher.mqtt.publishAsync(topic, payload, { qos: levels[i % 3]! })
    }
    const shares = await Promise.all(members.map(({ messages }) => messages.take(10)))
    assert.sameMembers(shares.flat().map(text), payloads)
    await Promise.all([publisher, ...members].map((client) => client.end()))
  })

  it.each(versions)("carries any bytes, many or none, version %i", async (version) => {
    const topic = fresh()
    const client = await connect(version)
    await client.mqtt.subscribeAsync(topic, { qos: 2 })
    const every = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
    const payloads = [Buffer.alloc(0), every, Buffer.alloc(1_000_000, every)]
    for (const qos of levels) {
      for (const payload of payloads) {
        await client.mqtt.publishAsync(topic, payload, { qos })
        const received = await client.messages.next()
        assert.isTrue(received.bytes.equals(payload), `${payload.length} bytes at QoS ${qos}`)
      }
    }
    await client.end()
  })
})
