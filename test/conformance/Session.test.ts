import { assert } from "vitest"
import { feature, type ConnectOptions, type Trial } from "./Conformance.ts"

/** Options that make a session outlive its connection in either version. */
const durable = (t: Trial, clientId: string): ConnectOptions => ({
  clientId,
  clean: false,
  ...(t.version === 5 ? { properties: { sessionExpiryInterval: 600 } } : {})
})

feature("Sessions", ({ both, v311, v5 }) => {
  both(
    {
      v5: ["3.1.2-5", "3.1.2-6", "3.1.2-23", "3.1.3-2", "3.1.4-4", "3.2.2-3"],
      v311: ["3.1.2-4", "3.1.3-2", "3.1.4-3", "3.2.2-2", "3.2.2-3", "4.1.0-1"]
    },
    "a session is made, kept, and resumed with its subscriptions",
    async (t) => {
      const options = durable(t, t.name("kept"))
      const topic = t.name("/kept")
      const first = await t.resume(options)
      assert.isFalse(first.sessionPresent)
      await first.client.subscribe(topic)
      await first.client.disconnect()

      const second = await t.resume(options)
      assert.isTrue(second.sessionPresent)
      const publisher = await t.connect()
      await publisher.publish({ topic, payload: "still subscribed", qos: 1 })
      await second.client.expectMessage({ topic, payload: "still subscribed", qos: 1 })
    }
  )

  both(
    { v5: ["3.1.2-4", "3.1.4-4", "3.2.2-2"], v311: ["3.1.2-6", "3.1.4-3", "3.2.2-1"] },
    "a clean start discards the session and begins a new one",
    async (t) => {
      const options = durable(t, t.name("cleaned"))
      const topic = t.name("/cleaned")
      const publisher = await t.connect()
      const first = await t.connect(options)
      await first.subscribe(topic)
      await first.disconnect()
      await publisher.publish({ topic, payload: "queued", qos: 1 })

      const second = await t.resume({ ...options, clean: true })
      assert.isFalse(second.sessionPresent)
      await publisher.publish({ topic, payload: "no subscription", qos: 1 })
      await second.client.expectNothing()
    }
  )

  v311(["3.1.2-6", "3.2.2-3"], "a session of Clean Session 1 ends with its connection", async (t) => {
    const clientId = t.name("clean")
    const first = await t.connect({ clientId, clean: true })
    await first.subscribe(t.name("/clean"))
    await first.disconnect()
    const { sessionPresent } = await t.resume({ clientId })
    assert.isFalse(sessionPresent)
  })

  v5(["4.1.0-2", "3.2.2-3"], "without a Session Expiry Interval the session ends with its connection", async (t) => {
    for (const properties of [{}, { sessionExpiryInterval: 0 }]) {
      const clientId = t.name("brief")
      const first = await t.connect({ clientId, properties })
      await first.subscribe(t.name("/brief"))
      await first.disconnect()
      const { client, sessionPresent } = await t.resume({ clientId })
      assert.isFalse(sessionPresent)
      await client.disconnect()
    }
  })

  v5(["4.1.0-2", "3.1.2-8"], "a session ends when its Session Expiry Interval has passed", async (t) => {
    const clientId = t.name("expires")
    const topic = t.name("/end")
    const watcher = await t.connect()
    await watcher.subscribe(topic)
    // The will comes when its delay has passed or, here, when the session ends: so it tells the end of the session.
    const client = await t.connect({
      clientId,
      properties: { sessionExpiryInterval: 1 },
      will: { topic, payload: Buffer.from("session ended"), qos: 1, properties: { willDelayInterval: 600 } }
    })
    client.drop()
    await watcher.expectMessage({ topic, payload: "session ended" })
    const { sessionPresent } = await t.resume({ clientId })
    assert.isFalse(sessionPresent)
  })

  v5(["3.1.2-23"], "a session of Session Expiry Interval 0xFFFFFFFF is kept", async (t) => {
    const clientId = t.name("forever")
    const client = await t.connect({ clientId, properties: { sessionExpiryInterval: 0xffff_ffff } })
    client.drop()
    await t.brokerSeconds(1)
    const { sessionPresent } = await t.resume({ clientId })
    assert.isTrue(sessionPresent)
  })

  v5(["3.1.2-23", "4.1.0-2"], "DISCONNECT can change the Session Expiry Interval", async (t) => {
    const clientId = t.name("changed")
    const first = await t.connect({ clientId, properties: { sessionExpiryInterval: 600 } })
    await first.disconnect(0, { sessionExpiryInterval: 0 })
    const second = await t.resume({ clientId, properties: { sessionExpiryInterval: 1 } })
    assert.isFalse(second.sessionPresent)
    await second.client.disconnect(0, { sessionExpiryInterval: 600 })
    await t.brokerSeconds(2)
    const third = await t.resume({ clientId })
    assert.isTrue(third.sessionPresent)
  })

  v5(["4.13.1-1"], "DISCONNECT cannot give a session an expiry that CONNECT had set to 0", async (t) => {
    const client = await t.connect()
    client.send({ cmd: "disconnect", reasonCode: 0, properties: { sessionExpiryInterval: 60 } })
    await client.expectDisconnect(0x82)
  })

  both(
    { v5: ["4.1.0-1"], v311: ["4.1.0-1", "4.1.0-2"] },
    "a session that ends with its connection is whole until then",
    async (t) => {
      const topic = t.name("/lasting")
      const client = await t.connect()
      await client.subscribe(topic)
      const publisher = await t.connect()
      for (const payload of ["1", "2"]) await publisher.publish({ topic, payload, qos: 2 })
      const first = await client.expectPublish({ payload: "1" })
      const second = await client.expectPublish({ payload: "2" })
      await t.brokerSeconds(1)
      await client.acknowledge(second)
      await client.acknowledge(first)
      await publisher.publish({ topic, payload: "3", qos: 1 })
      await client.expectMessage({ payload: "3" })
    }
  )

  both(
    { v5: ["4.5.0-1"], v311: ["3.1.2-5", "4.5.0-1"] },
    "messages above QoS 0 for a client that is away are waiting when it is back, in order",
    async (t) => {
      const options = durable(t, t.name("away"))
      const topic = t.name("/away")
      const subscriber = await t.connect(options)
      await subscriber.subscribe(topic)
      await subscriber.disconnect()
      const publisher = await t.connect()
      await publisher.publish({ topic, payload: "one", qos: 1 })
      await publisher.publish({ topic, payload: "two", qos: 2 })
      await publisher.publish({ topic, payload: "three", qos: 1 })

      const { client, sessionPresent } = await t.resume(options)
      assert.isTrue(sessionPresent)
      await client.expectMessage({ topic, payload: "one", qos: 1, dup: false })
      await client.expectMessage({ topic, payload: "two", qos: 2, dup: false })
      await client.expectMessage({ topic, payload: "three", qos: 1, dup: false })
      await client.expectNothing()
    }
  )

  both(
    { v5: ["4.5.0-1"], v311: ["4.5.0-1"] },
    "every session with a matching subscription gets the message",
    async (t) => {
      const topic = t.name("/everyone")
      const subscribers = await Promise.all([t.connect(), t.connect({}, 4), t.connect({}, 5)])
      for (const subscriber of subscribers) await subscriber.subscribe(topic)
      const publisher = await t.connect()
      await publisher.publish({ topic, payload: "to all", qos: 1 })
      for (const subscriber of subscribers) await subscriber.expectMessage({ topic, payload: "to all", qos: 1 })
    }
  )

  both(
    {
      v5: ["3.3.1-1", "4.3.2-3", "4.4.0-1"],
      v311: ["3.3.1-1", "2.3.1-4", "4.3.2-1", "4.4.0-1", "4.6.0-1"]
    },
    "unacknowledged QoS 1 messages are sent again on resuming: same identifiers, same order, DUP set",
    async (t) => {
      const options = durable(t, t.name("again"))
      const topic = t.name("/again")
      const first = await t.connect(options)
      await first.subscribe(topic)
      const publisher = await t.connect()
      for (const payload of ["a", "b", "c"]) await publisher.publish({ topic, payload, qos: 1 })
      const a = await first.expectPublish({ payload: "a", qos: 1, dup: false })
      const b = await first.expectPublish({ payload: "b", qos: 1, dup: false })
      const c = await first.expectPublish({ payload: "c", qos: 1, dup: false })
      await first.acknowledge(b)
      // Nothing is sent again while the connection lasts.
      await first.expectNothing()
      first.drop()

      const { client } = await t.resume(options)
      const again = await client.expectMessage({ payload: "a", qos: 1, dup: true })
      assert.strictEqual(again.messageId, a.messageId)
      const more = await client.expectMessage({ payload: "c", qos: 1, dup: true })
      assert.strictEqual(more.messageId, c.messageId)
      await client.expectNothing()
    }
  )

  both(
    {
      v5: ["4.3.3-3", "4.3.3-5", "4.3.3-6", "4.4.0-1", "2.2.1-5"],
      v311: ["4.3.3-1", "4.4.0-1", "4.6.0-1", "2.3.1-6"]
    },
    "a QoS 2 exchange goes on where it was: PUBLISH until PUBREC, then PUBREL until PUBCOMP",
    async (t) => {
      const options = durable(t, t.name("exactly"))
      const topic = t.name("/exactly")
      const first = await t.connect(options)
      await first.subscribe(topic)
      const publisher = await t.connect()
      for (const payload of ["received", "sent"]) await publisher.publish({ topic, payload, qos: 2 })
      const received = await first.expectPublish({ payload: "received", qos: 2, dup: false })
      const sent = await first.expectPublish({ payload: "sent", qos: 2, dup: false })
      first.send({ cmd: "pubrec", messageId: received.messageId! })
      assert.strictEqual((await first.expect("pubrel")).messageId, received.messageId)
      first.drop()

      const { client: second } = await t.resume(options)
      assert.strictEqual((await second.take("pubrel")).messageId, received.messageId)
      const again = await second.expectPublish({ payload: "sent", qos: 2, dup: true })
      assert.strictEqual(again.messageId, sent.messageId)
      second.send({ cmd: "pubrec", messageId: sent.messageId! })
      await second.expect("pubrel")
      second.drop()

      const { client: third } = await t.resume(options)
      for (const { messageId } of [received, sent]) {
        assert.strictEqual((await third.expect("pubrel")).messageId, messageId)
        third.send({ cmd: "pubcomp", messageId: messageId! })
      }
      await third.expectNothing()
      third.drop()
      const { client: fourth } = await t.resume(options)
      await fourth.expectNothing()
    }
  )

  v5(["4.4.0-2"], "a message that the client has refused is not sent again", async (t) => {
    const options = durable(t, t.name("refuses"))
    const topic = t.name("/refuses")
    const first = await t.connect(options)
    await first.subscribe(topic)
    const publisher = await t.connect()
    await publisher.publish({ topic, payload: "one", qos: 1 })
    await publisher.publish({ topic, payload: "two", qos: 2 })
    const one = await first.expectPublish({ payload: "one" })
    const two = await first.expectPublish({ payload: "two" })
    first.send({ cmd: "puback", messageId: one.messageId!, reasonCode: 0x83 })
    first.send({ cmd: "pubrec", messageId: two.messageId!, reasonCode: 0x83 })
    await first.expectNothing()
    first.drop()
    const { client } = await t.resume(options)
    await client.expectNothing()
  })

  both(
    { v5: ["4.3.3-10", "4.3.3-12"], v311: ["4.3.3-2"] },
    "a publisher's QoS 2 exchange survives its connection, and delivers once",
    async (t) => {
      const options = durable(t, t.name("sender"))
      const topic = t.name("/once")
      const subscriber = await t.connect()
      await subscriber.subscribe(topic)
      const first = await t.connect(options)
      first.sendPublish({ topic, payload: "once", qos: 2, messageId: 7 })
      await first.take("pubrec", 7)
      first.drop()

      const { client: second } = await t.resume(options)
      second.sendPublish({ topic, payload: "once", qos: 2, messageId: 7, dup: true })
      await second.take("pubrec", 7)
      second.send({ cmd: "pubrel", messageId: 7 })
      await second.take("pubcomp", 7)
      // The identifier is free again: what comes with it is a new message.
      await second.publish({ topic, payload: "new", qos: 2, messageId: 7 })
      await subscriber.expectMessage({ payload: "once", qos: 2 })
      await subscriber.expectMessage({ payload: "new", qos: 2 })
    }
  )

  both(
    { v5: ["3.1.4-3", "3.1.2-5", "4.4.0-1"], v311: ["3.1.4-2", "3.1.2-4", "4.4.0-1"] },
    "a client that takes over a connection gets the session as it was",
    async (t) => {
      const options = durable(t, t.name("moves"))
      const topic = t.name("/moves")
      const first = await t.connect(options)
      await first.subscribe(topic)
      const publisher = await t.connect()
      await publisher.publish({ topic, payload: "in flight", qos: 1 })
      await first.expectPublish({ payload: "in flight", dup: false })
      const { client, sessionPresent } = await t.resume(options)
      assert.isTrue(sessionPresent)
      await first.expectDisconnect(0x8e)
      await client.expectMessage({ payload: "in flight", dup: true })
    }
  )

  both(
    { v5: ["3.1.2-4", "3.1.4-3", "3.2.2-2"], v311: ["3.1.2-6", "3.1.4-2", "3.2.2-1"] },
    "a clean start takes over a connection and discards its session",
    async (t) => {
      const options = durable(t, t.name("swept"))
      const topic = t.name("/swept")
      const first = await t.connect(options)
      await first.subscribe(topic)
      const publisher = await t.connect()
      await publisher.publish({ topic, payload: "in flight", qos: 1 })
      await first.expectPublish({ payload: "in flight" })
      const { client, sessionPresent } = await t.resume({ ...options, clean: true })
      assert.isFalse(sessionPresent)
      await first.expectDisconnect(0x8e)
      await publisher.publish({ topic, payload: "no subscription", qos: 1 })
      await client.expectNothing()
    }
  )

  both(
    { v5: ["4.5.0-1", "3.3.1-5"], v311: ["4.5.0-1", "3.1.2-5"] },
    "a client that is away gets the wills and retained messages of others too",
    async (t) => {
      const options = durable(t, t.name("away"))
      const topic = t.name("/news")
      const subscriber = await t.connect(options)
      await subscriber.subscribe(topic)
      await subscriber.disconnect()
      const watcher = await t.connect()
      await watcher.subscribe(topic)
      const publisher = await t.connect({ will: { topic, payload: Buffer.from("will"), qos: 1 } })
      await publisher.publish({ topic, payload: "retained", qos: 1, retain: true })
      publisher.drop()
      await watcher.expectMessage({ payload: "retained" })
      await watcher.expectMessage({ payload: "will" })
      const { client } = await t.resume(options)
      await client.expectMessage({ payload: "retained", qos: 1, retain: false })
      await client.expectMessage({ payload: "will", qos: 1 })
      await client.expectNothing()
    }
  )

  v5(
    ["3.1.2-5", "3.3.1-13", "3.8.3-3", "3.3.4-3"],
    "a session keeps the options and the Subscription Identifiers of its subscriptions",
    async (t) => {
      const options = durable(t, t.name("options"))
      const topic = t.name("/options")
      const first = await t.connect(options)
      await first.subscribe({ topic, qos: 1, nl: true, rap: true }, { subscriptionIdentifier: 42 })
      await first.disconnect()
      const publisher = await t.connect()
      await publisher.publish({ topic, payload: "away", qos: 2, retain: true })
      const { client } = await t.resume(options)
      const away = await client.expectMessage({ payload: "away", qos: 1, retain: true })
      assert.strictEqual(away.properties?.subscriptionIdentifier, 42)
      await client.publish({ topic, payload: "own", qos: 1 })
      await publisher.publish({ topic, payload: "back", qos: 1, retain: true })
      const back = await client.expectMessage({ payload: "back", qos: 1, retain: true })
      assert.strictEqual(back.properties?.subscriptionIdentifier, 42)
    }
  )

  both(
    { v5: ["3.10.4-2", "3.1.2-5"], v311: ["3.10.4-2", "3.1.2-4"] },
    "a session forgets what its client has unsubscribed from",
    async (t) => {
      const options = durable(t, t.name("forgets"))
      const topic = t.name("/forgets")
      const first = await t.connect(options)
      await first.subscribe(topic)
      await first.unsubscribe(topic)
      await first.disconnect()
      const publisher = await t.connect()
      await publisher.publish({ topic, payload: "unwanted", qos: 1 })
      const { client, sessionPresent } = await t.resume(options)
      assert.isTrue(sessionPresent)
      await client.expectNothing()
    }
  )

  both(
    { v5: ["4.4.0-1", "4.6.0-5", "4.3.2-3"], v311: ["4.4.0-1", "4.6.0-6", "4.3.2-1"] },
    "a client that breaks off again and again misses nothing, and sees each message first in its order",
    async (t) => {
      const options = durable(t, t.name("shaky"))
      const topic = t.name("/shaky")
      const payloads = Array.from({ length: 40 }, (_, i) => `${i}`)
      const publisher = await t.connect()
      let client = await t.connect(options)
      await client.subscribe({ topic, qos: 1 })
      const published = (async () => {
        for (const payload of payloads) await publisher.publish({ topic, payload, qos: 1 })
      })()
      const seen = new Set<string>()
      for (let received = 1; seen.size < payloads.length; received++) {
        const publish = await client.take("publish")
        seen.add(publish.payload.toString())
        if (received % 7 === 0) {
          // Break off with this message, and perhaps others, unacknowledged.
          client.drop()
          client = (await t.resume(options)).client
        } else {
          await client.acknowledge(publish)
        }
      }
      await published
      assert.deepEqual([...seen], payloads)
    }
  )

  both(
    { v5: ["3.1.4-3", "3.1.3-2", "3.14.0-1"], v311: ["3.1.4-2", "3.1.3-2"] },
    "of many clients with one identifier one is left",
    async (t) => {
      for (const options of [durable(t, t.name("many")), { clientId: t.name("more"), clean: true }]) {
        const clients = await Promise.all(Array.from({ length: 8 }, () => t.open()))
        for (const client of clients) {
          client.send({
            cmd: "connect",
            protocolId: "MQTT",
            protocolVersion: t.version,
            keepalive: 0,
            clientId: t.name("nobody"),
            ...options
          })
        }
        // One that was taken over before it was accepted may be closed without a word, but not with a DISCONNECT.
        for (const client of clients) assert.include([undefined, "connack"], (await client.next())?.cmd)
        for (const client of clients) client.send({ cmd: "pingreq" })
        const answers = []
        for (const client of clients) answers.push((await client.next())?.cmd)
        assert.strictEqual(answers.filter((cmd) => cmd === "pingresp").length, 1)
      }
    }
  )

  both(
    { v5: ["3.1.2-23", "4.1.0-1"], v311: ["3.1.2-4", "4.1.0-1"] },
    "what a client asks for right before DISCONNECT is kept with its session",
    async (t) => {
      const options = durable(t, t.name("leaving"))
      const topic = t.name("/leaving")
      const first = await t.connect(options)
      first.send(
        { cmd: "subscribe", messageId: 1, subscriptions: [{ topic, qos: 1 }] },
        { cmd: "publish", topic, payload: "to myself", qos: 1, messageId: 2, dup: false, retain: false },
        { cmd: "disconnect", reasonCode: 0 }
      )
      await first.ended()
      const { client, sessionPresent } = await t.resume(options)
      assert.isTrue(sessionPresent)
      await client.expectMessage({ payload: "to myself" })
    }
  )
})
