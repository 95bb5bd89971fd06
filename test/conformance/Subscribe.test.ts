import { assert } from "vitest"
import { bytes, packet, utf8String } from "./Bytes.ts"
import { feature } from "./Conformance.ts"

feature("SUBSCRIBE and UNSUBSCRIBE", ({ both, v5 }) => {
  both(
    {
      v5: ["3.8.4-1", "3.8.4-2", "3.8.4-5", "3.8.4-6", "3.8.4-7", "3.9.3-1", "3.9.3-2", "2.2.1-6"],
      v311: ["3.8.4-1", "3.8.4-2", "3.8.4-4", "3.8.4-5", "3.9.3-1", "3.9.3-2", "2.3.1-7"]
    },
    "one SUBACK with the identifier of the SUBSCRIBE grants each filter its QoS, in order",
    async (t) => {
      const client = await t.connect()
      const filter = (n: number) => utf8String(t.name(`/${n}`))
      client.send(packet`
        82 beef ${t.noProperties}
        ${filter(1)} 02
        ${filter(2)} 00
        ${filter(3)} 01
        ${filter(4)} 02
      `)
      const suback = await client.expect("suback")
      assert.strictEqual(suback.messageId, 0xbeef)
      assert.deepEqual(suback.granted, [2, 0, 1, 2])
      const publisher = await t.connect()
      for (const [n, qos] of [
        [1, 2],
        [2, 0],
        [3, 1],
        [4, 2]
      ] as const) {
        await publisher.publish({ topic: t.name(`/${n}`), qos: 2 })
        await client.expectMessage({ topic: t.name(`/${n}`), qos })
      }
    }
  )

  both(
    { v5: ["3.8.4-3"], v311: ["3.8.4-3"] },
    "the same filter again replaces the subscription: one message, at the new QoS",
    async (t) => {
      const topic = t.name("/replaced")
      const subscriber = await t.connect()
      assert.deepEqual(await subscriber.subscribe({ topic, qos: 2 }), [2])
      assert.deepEqual(await subscriber.subscribe({ topic, qos: 1 }), [1])
      const publisher = await t.connect()
      await publisher.publish({ topic, payload: "one", qos: 2 })
      await subscriber.expectMessage({ payload: "one", qos: 1 })
      await subscriber.expectNothing()
      assert.deepEqual(await subscriber.unsubscribe(topic), t.version === 5 ? [0] : [])
      await publisher.publish({ topic, payload: "two", qos: 2 })
      await subscriber.expectNothing()
    }
  )

  both(
    { v5: ["3.8.4-4"], v311: ["3.8.4-3"] },
    "replacing a subscription amid a stream of messages loses none",
    async (t) => {
      const topic = t.name("/stream")
      const subscriber = await t.connect()
      await subscriber.subscribe({ topic, qos: 1 })
      const publisher = await t.connect()
      const payloads = Array.from({ length: 15 }, (_, i) => `${i}`)
      for (const payload of payloads) publisher.sendPublish({ topic, payload, qos: 1 })
      for (let id = 100; id < 105; id++) {
        subscriber.send({ cmd: "subscribe", messageId: id, subscriptions: [{ topic, qos: 1 }] })
      }
      for (const payload of payloads) {
        const publish = await subscriber.take("publish")
        assert.strictEqual(publish.payload.toString(), payload)
        await subscriber.acknowledge(publish)
      }
    }
  )

  both(
    { v5: ["3.3.4-2"], v311: ["3.3.5-1"] },
    "overlapping subscriptions deliver at the highest QoS among them",
    async (t) => {
      const subscriber = await t.connect()
      await subscriber.subscribe([
        { topic: t.name("/a/#"), qos: 2 },
        { topic: t.name("/a/b"), qos: 0 },
        { topic: t.name("/+/b"), qos: 1 }
      ])
      const publisher = await t.connect()
      await publisher.publish({ topic: t.name("/a/b"), payload: "overlap", qos: 2 })
      await publisher.publish({ topic: t.name("/a/c"), payload: "end", qos: 2 })
      // The standards allow one copy, or one for each subscription.
      const copies = await subscriber.messagesUntil("end")
      assert.isAtLeast(copies.length, 1)
      assert.strictEqual(Math.max(...copies.map(({ qos }) => qos)), 2)
    }
  )

  v5(
    ["3.3.4-3", "3.3.4-4", "3.3.4-5"],
    "messages carry the Subscription Identifiers of the subscriptions that match",
    async (t) => {
      const subscriber = await t.connect()
      await subscriber.subscribe({ topic: t.name("/a/#"), qos: 1 }, { subscriptionIdentifier: 1 })
      await subscriber.subscribe({ topic: t.name("/+/b"), qos: 1 }, { subscriptionIdentifier: 268_435_455 })
      await subscriber.subscribe({ topic: t.name("/a/b"), qos: 1 })
      await subscriber.subscribe({ topic: t.name("/x"), qos: 1 }, { subscriptionIdentifier: 77 })
      const publisher = await t.connect()
      await publisher.publish({ topic: t.name("/a/b"), payload: "overlap", qos: 1 })
      await publisher.publish({ topic: t.name("/x"), payload: "end", qos: 1 })
      const copies = await subscriber.messagesUntil("end")
      const ids = copies.flatMap(({ properties }) => properties?.subscriptionIdentifier ?? [])
      assert.sameMembers(ids, [1, 268_435_455])
      assert.isTrue(copies.length === 1 || copies.length === 3)
    }
  )

  v5(["3.8.4-3", "3.3.4-3"], "subscribing again replaces or removes the Subscription Identifier", async (t) => {
    const topic = t.name("/identified")
    const subscriber = await t.connect()
    const publisher = await t.connect()
    for (const subscriptionIdentifier of [5, 6, undefined]) {
      await subscriber.subscribe(
        { topic, qos: 1 },
        subscriptionIdentifier === undefined ? undefined : { subscriptionIdentifier }
      )
      await publisher.publish({ topic, qos: 1 })
      const { properties } = await subscriber.expectMessage()
      assert.strictEqual(properties?.subscriptionIdentifier, subscriptionIdentifier)
    }
  })

  v5(["3.3.4-3", "3.3.1-9"], "a retained message carries the Subscription Identifier too", async (t) => {
    const topic = t.name("/kept")
    const publisher = await t.connect()
    await publisher.publish({ topic, payload: "kept", qos: 1, retain: true })
    const subscriber = await t.connect()
    await subscriber.subscribe({ topic, qos: 1 }, { subscriptionIdentifier: 300 })
    const { properties } = await subscriber.expectMessage({ retain: true })
    assert.strictEqual(properties?.subscriptionIdentifier, 300)
  })

  v5(["3.8.3-3"], "with No Local a client does not get its own messages, and others do", async (t) => {
    const topic = t.name("/local")
    const other = await t.connect()
    await other.subscribe({ topic, qos: 1, nl: true })
    const client = await t.connect()
    await client.subscribe({ topic, qos: 1, nl: true })
    await client.publish({ topic, payload: "own", qos: 1 })
    await other.expectMessage({ payload: "own" })
    await other.publish({ topic, payload: "other's", qos: 1 })
    await client.expectMessage({ payload: "other's" })
    await client.subscribe({ topic, qos: 1, nl: false })
    client.sendPublish({ topic, payload: "own again", qos: 0 })
    await client.expectMessage({ payload: "own again" })
  })

  both(
    { v5: ["3.10.4-4", "3.10.4-5", "2.2.1-6"], v311: ["3.10.4-4", "3.10.4-5", "2.3.1-7"] },
    "UNSUBACK has the identifier of the UNSUBSCRIBE, and comes also when nothing was deleted",
    async (t) => {
      const client = await t.connect()
      client.send(packet`a2 cafe ${t.noProperties} ${utf8String(t.name("/never"))}`)
      const unsuback = await client.expect("unsuback")
      assert.strictEqual(unsuback.messageId, 0xcafe)
      if (t.version === 5) assert.deepEqual(unsuback.granted, [0x11])
    }
  )

  both(
    { v5: ["3.10.4-1", "3.10.4-2", "4.7.3-4"], v311: ["3.10.4-1", "3.10.4-2", "4.7.3-4"] },
    "UNSUBSCRIBE deletes only the filter that is exactly the same",
    async (t) => {
      const subscriber = await t.connect()
      await subscriber.subscribe([
        { topic: t.name("/a/+"), qos: 1 },
        { topic: t.name("/x"), qos: 1 }
      ])
      await subscriber.unsubscribe(t.name("/a/b"), t.name("/a/#"), t.name("/X"), t.name("/x/"), t.name("/+"))
      const publisher = await t.connect()
      await publisher.publish({ topic: t.name("/a/b"), payload: "still", qos: 1 })
      await subscriber.expectMessage({ payload: "still" })
      await publisher.publish({ topic: t.name("/x"), payload: "still", qos: 1 })
      await subscriber.expectMessage({ payload: "still" })
      await subscriber.unsubscribe(t.name("/a/+"))
      await publisher.publish({ topic: t.name("/a/b"), payload: "no more", qos: 1 })
      await subscriber.expectNothing()
      await publisher.publish({ topic: t.name("/x"), payload: "still", qos: 1 })
      await subscriber.expectMessage({ payload: "still" })
    }
  )

  both(
    { v5: ["3.10.4-6", "3.11.3-1", "3.11.3-2"], v311: ["3.10.4-6"] },
    "one UNSUBSCRIBE deletes several filters, with one UNSUBACK in their order",
    async (t) => {
      const subscriber = await t.connect()
      await subscriber.subscribe([
        { topic: t.name("/1"), qos: 1 },
        { topic: t.name("/2"), qos: 1 },
        { topic: t.name("/3"), qos: 1 }
      ])
      const codes = await subscriber.unsubscribe(t.name("/1"), t.name("/none"), t.name("/3"))
      if (t.version === 5) assert.deepEqual(codes, [0, 0x11, 0])
      const publisher = await t.connect()
      for (const n of [1, 3, 2]) await publisher.publish({ topic: t.name(`/${n}`), qos: 1 })
      await subscriber.expectMessage({ topic: t.name("/2") })
    }
  )

  both(
    { v5: ["3.10.4-3"], v311: ["3.10.4-3"] },
    "UNSUBSCRIBE does not cut off a delivery that has begun",
    async (t) => {
      const topic = t.name("/begun")
      const options = {
        clientId: t.name("leaver"),
        clean: false,
        ...(t.version === 5 ? { properties: { sessionExpiryInterval: 600 } } : {})
      }
      const first = await t.connect(options)
      await first.subscribe(topic)
      const publisher = await t.connect()
      await publisher.publish({ topic, payload: "one", qos: 1 })
      await publisher.publish({ topic, payload: "two", qos: 2 })
      await first.expectPublish({ payload: "one" })
      const two = await first.expectPublish({ payload: "two" })
      await first.unsubscribe(topic)
      first.send({ cmd: "pubrec", messageId: two.messageId! })
      await first.take("pubrel", two.messageId)
      first.drop()
      const { client } = await t.resume(options)
      await client.take("pubrel", two.messageId)
      client.send({ cmd: "pubcomp", messageId: two.messageId! })
      await client.expectMessage({ payload: "one", dup: true })
      await client.expectNothing()
    }
  )

  both(
    { v5: ["3.8.1-1", "2.1.3-1"], v311: ["3.8.1-1", "2.2.2-1", "2.2.2-2"] },
    "a SUBSCRIBE with other flags than 0010 ends the connection",
    async (t) => {
      for (const first of [bytes`80`, bytes`83`, bytes`86`, bytes`8a`]) {
        const client = await t.connect()
        client.send(packet`${first} 0001 ${t.noProperties} 'a' 00`)
        await client.expectDisconnect(0x81)
      }
    }
  )

  both(
    { v5: ["3.10.1-1", "2.1.3-1"], v311: ["3.10.1-1", "2.2.2-1", "2.2.2-2"] },
    "an UNSUBSCRIBE with other flags than 0010 ends the connection",
    async (t) => {
      for (const first of [bytes`a0`, bytes`a3`, bytes`a6`, bytes`aa`]) {
        const client = await t.connect()
        client.send(packet`${first} 0001 ${t.noProperties} 'a'`)
        await client.expectDisconnect(0x81)
      }
    }
  )

  both(
    { v5: ["3.8.3-2", "4.13.1-1"], v311: ["3.8.3-3", "4.8.0-1"] },
    "a SUBSCRIBE without a filter ends the connection",
    async (t) => {
      const client = await t.connect()
      client.send(packet`82 0001 ${t.noProperties}`)
      await client.expectDisconnect(0x82, 0x81)
    }
  )

  both(
    { v5: ["3.10.3-2", "4.13.1-1"], v311: ["3.10.3-2", "4.8.0-1"] },
    "an UNSUBSCRIBE without a filter ends the connection",
    async (t) => {
      const client = await t.connect()
      client.send(packet`a2 0001 ${t.noProperties}`)
      await client.expectDisconnect(0x82, 0x81)
    }
  )

  both(
    { v5: ["3.8.3-5"], v311: ["3.8.3-4"] },
    "reserved bits in the options of a filter end the connection",
    async (t) => {
      // In MQTT 3.1.1 all bits but the QoS are reserved; in 5.0 the highest two.
      for (const options of t.version === 5 ? [bytes`40`, bytes`80`] : [bytes`04`, bytes`10`, bytes`80`]) {
        const client = await t.connect()
        client.send(packet`82 0001 ${t.noProperties} 'a' ${options}`)
        await client.expectDisconnect(0x81)
      }
    }
  )

  both({ v5: ["4.13.1-1"], v311: ["3.8.3-4"] }, "a QoS of 3 in a SUBSCRIBE ends the connection", async (t) => {
    const client = await t.connect()
    client.send(packet`
        82 0001 ${t.noProperties} 'a'
        03            -- QoS 3
      `)
    await client.expectDisconnect(0x82, 0x81)
  })

  v5(["4.13.1-1"], "a Retain Handling of 3 ends the connection", async (t) => {
    const client = await t.connect()
    client.send(packet`
      82 0001 00 'a'
      30              -- Retain Handling 3
    `)
    await client.expectDisconnect(0x82, 0x81)
  })

  v5(["4.13.1-1"], "a Subscription Identifier of 0, or two of them, end the connection", async (t) => {
    for (const properties of [bytes`02 0b 00`, bytes`04 0b 01 0b 02`]) {
      const client = await t.connect()
      client.send(packet`82 0001 ${properties} 'a' 00`)
      await client.expectDisconnect(0x82)
    }
  })

  both({ v5: ["2.2.1-3"], v311: ["2.3.1-1"] }, "a Packet Identifier of 0 ends the connection", async (t) => {
    const packets = [
      packet`82 0000 ${t.noProperties} 'a' 00`,
      packet`a2 0000 ${t.noProperties} 'a'`,
      packet`32 'a' 0000 ${t.noProperties} "x"`,
      packet`34 'a' 0000 ${t.noProperties} "x"`
    ]
    for (const wrong of packets) {
      const client = await t.connect()
      client.send(wrong)
      await client.expectDisconnect(0x82, 0x81)
    }
  })

  both(
    { v5: ["3.8.4-3", "3.8.4-5"], v311: ["3.8.4-3", "3.8.4-4"] },
    "of the same filter twice in one SUBSCRIBE the last counts",
    async (t) => {
      const topic = t.name("/twice")
      const subscriber = await t.connect()
      const codes = await subscriber.subscribe([
        { topic, qos: 2 },
        { topic, qos: 1 }
      ])
      assert.deepEqual(codes, [2, 1])
      const publisher = await t.connect()
      await publisher.publish({ topic, payload: "once", qos: 2 })
      await subscriber.expectMessage({ payload: "once", qos: 1 })
      await subscriber.expectNothing()
    }
  )

  v5(["4.13.1-1"], "properties that do not belong in a SUBSCRIBE or UNSUBSCRIBE are malformed", async (t) => {
    const wrong = [
      packet`82 0001 02 01 00 'a' 00`, // SUBSCRIBE with a Payload Format Indicator
      packet`82 0001 02 7f 00 'a' 00`, // SUBSCRIBE with an identifier that no property has
      packet`a2 0001 02 0b 01 'a'` // UNSUBSCRIBE with a Subscription Identifier
    ]
    for (const packets of wrong) {
      const client = await t.connect()
      client.send(packets)
      await client.expectDisconnect(0x81)
    }
  })
})
