import { assert } from "vitest"
import { bytes, packet, utf8String } from "./Bytes.ts"
import { feature } from "./Conformance.ts"

feature("PUBLISH and its acknowledgements", ({ both, v5 }) => {
  both(
    { v5: ["2.2.1-2", "3.3.4-1", "4.3.1-1", "3.3.1-2"], v311: ["2.3.1-5", "3.3.4-1", "4.3.1-1", "3.3.1-2"] },
    "a QoS 0 message has no identifier and no answer",
    async (t) => {
      const topic = t.name("/zero")
      const subscriber = await t.connect()
      await subscriber.subscribe(topic)
      const publisher = await t.connect()
      publisher.send(packet`30 ${utf8String(topic)} ${t.noProperties} "payload"`)
      await publisher.expectNothing()
      await subscriber.expectMessage({ topic, payload: "payload", qos: 0, dup: false, retain: false })
    }
  )

  both(
    {
      v5: ["3.3.4-1", "4.3.2-4", "2.2.1-5", "3.4.2-1"],
      v311: ["3.3.4-1", "4.3.2-2", "2.3.1-6"]
    },
    "a QoS 1 message is answered with a PUBACK of its identifier",
    async (t) => {
      const topic = t.name("/one")
      const subscriber = await t.connect()
      await subscriber.subscribe(topic)
      const publisher = await t.connect()
      publisher.sendPublish({ topic, payload: "payload", qos: 1, messageId: 0xfffe })
      const puback = await publisher.expect("puback")
      assert.strictEqual(puback.messageId, 0xfffe)
      assert.strictEqual(puback.reasonCode ?? 0, 0)
      await subscriber.expectMessage({ topic, payload: "payload", qos: 1, dup: false })
    }
  )

  v5(["3.4.2-1", "3.5.2-1"], "a message that nobody wants is accepted with 0x00 or 0x10", async (t) => {
    const publisher = await t.connect()
    assert.include([0x00, 0x10], await publisher.publish({ topic: t.name("/nobody"), qos: 1 }))
    assert.include([0x00, 0x10], await publisher.publish({ topic: t.name("/nobody"), qos: 2 }))
  })

  both(
    {
      v5: ["3.3.4-1", "4.3.3-8", "4.3.3-11", "2.2.1-5", "3.5.2-1", "3.7.2-1"],
      v311: ["3.3.4-1", "4.3.3-2", "2.3.1-6"]
    },
    "a QoS 2 message is answered with PUBREC, and its PUBREL with PUBCOMP",
    async (t) => {
      const topic = t.name("/two")
      const subscriber = await t.connect()
      await subscriber.subscribe(topic)
      const publisher = await t.connect()
      publisher.sendPublish({ topic, payload: "payload", qos: 2, messageId: 0x1234 })
      const pubrec = await publisher.expect("pubrec")
      assert.strictEqual(pubrec.messageId, 0x1234)
      assert.strictEqual(pubrec.reasonCode ?? 0, 0)
      publisher.send(bytes`62 02 1234`)
      const pubcomp = await publisher.expect("pubcomp")
      assert.strictEqual(pubcomp.messageId, 0x1234)
      assert.strictEqual(pubcomp.reasonCode ?? 0, 0)
      await subscriber.expectMessage({ topic, payload: "payload", qos: 2, dup: false })
    }
  )

  both(
    { v5: ["4.3.2-5", "3.3.1-3"], v311: ["4.3.2-2", "3.3.1-3"] },
    "after PUBACK the same identifier brings a new message, whatever DUP says, and DUP is not passed on",
    async (t) => {
      const topic = t.name("/reused")
      const subscriber = await t.connect()
      await subscriber.subscribe(topic)
      const publisher = await t.connect()
      await publisher.publish({ topic, payload: "first", qos: 1, messageId: 5 })
      await publisher.publish({ topic, payload: "second", qos: 1, messageId: 5, dup: true })
      await subscriber.expectMessage({ payload: "first", dup: false })
      await subscriber.expectMessage({ payload: "second", dup: false })
    }
  )

  both(
    { v5: ["4.3.3-10", "4.3.3-12", "3.3.1-3"], v311: ["4.3.3-2", "3.3.1-3"] },
    "before PUBREL the same identifier brings no second message, after PUBCOMP a new one",
    async (t) => {
      const topic = t.name("/exactly")
      const subscriber = await t.connect()
      await subscriber.subscribe(topic)
      const publisher = await t.connect()
      publisher.sendPublish({ topic, payload: "once", qos: 2, messageId: 9 })
      await publisher.take("pubrec", 9)
      publisher.sendPublish({ topic, payload: "once", qos: 2, messageId: 9, dup: true })
      await publisher.take("pubrec", 9)
      publisher.send({ cmd: "pubrel", messageId: 9 })
      await publisher.take("pubcomp", 9)
      await publisher.publish({ topic, payload: "new", qos: 2, messageId: 9, dup: true })
      await subscriber.expectMessage({ payload: "once", qos: 2, dup: false })
      await subscriber.expectMessage({ payload: "new", qos: 2, dup: false })
      await subscriber.expectNothing()
    }
  )

  both(
    { v5: ["4.3.3-11", "3.7.2-1"], v311: ["4.3.3-2"] },
    "a PUBREL that no message waits for is answered with PUBCOMP",
    async (t) => {
      const client = await t.connect()
      client.send(bytes`62 02 4321`)
      const pubcomp = await client.expect("pubcomp")
      assert.strictEqual(pubcomp.messageId, 0x4321)
      if (t.version === 5) assert.strictEqual(pubcomp.reasonCode, 0x92)
    }
  )

  both(
    {
      v5: ["2.2.1-4", "4.3.2-1", "4.3.2-2", "4.3.3-1", "4.3.3-2"],
      v311: ["2.3.1-1", "2.3.1-4", "4.3.2-1", "4.3.3-1"]
    },
    "messages in flight to a subscriber have different identifiers above 0 and no DUP",
    async (t) => {
      const topic = t.name("/ids")
      const subscriber = await t.connect()
      await subscriber.subscribe(topic)
      const publisher = await t.connect()
      const ids = new Set<number>()
      for (const qos of [1, 2, 1, 2] as const) {
        await publisher.publish({ topic, qos })
        const publish = await subscriber.expectPublish({ topic, qos, dup: false })
        ids.add(publish.messageId!)
      }
      assert.strictEqual(ids.size, 4)
      assert.isFalse(ids.has(0))
    }
  )

  both(
    { v5: ["4.3.3-4", "2.2.1-5", "3.6.2-1"], v311: ["4.3.3-1", "2.3.1-6", "4.6.0-4"] },
    "PUBRECs of a subscriber are answered with PUBRELs of their identifiers, in order",
    async (t) => {
      const topic = t.name("/released")
      const subscriber = await t.connect()
      await subscriber.subscribe(topic)
      const publisher = await t.connect()
      for (const payload of ["a", "b", "c"]) await publisher.publish({ topic, payload, qos: 2 })
      const ids: Array<number> = []
      for (const payload of ["a", "b", "c"]) ids.push((await subscriber.expectPublish({ payload })).messageId!)
      for (const messageId of ids) subscriber.send({ cmd: "pubrec", messageId })
      for (const messageId of ids) {
        const pubrel = await subscriber.expect("pubrel")
        assert.strictEqual(pubrel.messageId, messageId)
        assert.strictEqual(pubrel.reasonCode ?? 0, 0)
      }
    }
  )

  v5(["3.6.2-1"], "a PUBREC that no message waits for is answered with PUBREL 0x92", async (t) => {
    const client = await t.connect()
    client.send(bytes`50 02 4321`)
    const pubrel = await client.expect("pubrel")
    assert.strictEqual(pubrel.messageId, 0x4321)
    assert.strictEqual(pubrel.reasonCode, 0x92)
  })

  both(
    { v5: ["3.3.4-1"], v311: ["4.6.0-2", "4.6.0-3"] },
    "acknowledgements come in the order of the messages",
    async (t) => {
      const topic = t.name("/order")
      const publisher = await t.connect()
      for (const messageId of [30, 10, 20]) publisher.sendPublish({ topic, qos: 1, messageId })
      for (const messageId of [30, 10, 20]) assert.strictEqual((await publisher.expect("puback")).messageId, messageId)
      for (const messageId of [31, 11, 21]) publisher.sendPublish({ topic, qos: 2, messageId })
      for (const messageId of [31, 11, 21]) assert.strictEqual((await publisher.expect("pubrec")).messageId, messageId)
    }
  )

  both(
    { v5: ["4.6.0-5", "4.6.0-6"], v311: ["4.6.0-5", "4.6.0-6"] },
    "messages of one publisher on one topic at one QoS arrive in order",
    async (t) => {
      const subscriber = await t.connect()
      const publisher = await t.connect()
      const payloads = Array.from({ length: 15 }, (_, i) => String(i))
      for (const qos of [0, 1, 2] as const) {
        const topic = t.name(`/order/${qos}`)
        await subscriber.subscribe({ topic, qos })
        for (const payload of payloads) publisher.sendPublish({ topic, payload, qos })
        for (const _ of qos === 2 ? payloads : []) {
          const { messageId } = await publisher.take("pubrec")
          publisher.send({ cmd: "pubrel", messageId: messageId! })
        }
        for (const payload of payloads) {
          const publish = await subscriber.take("publish")
          assert.strictEqual(publish.payload.toString(), payload)
          await subscriber.acknowledge(publish)
        }
      }
    }
  )

  both(
    { v5: ["3.8.4-8"], v311: ["3.8.4-6"] },
    "a message is delivered at the lower of its QoS and the granted QoS",
    async (t) => {
      const publisher = await t.connect()
      for (const granted of [0, 1, 2] as const) {
        const topic = t.name(`/granted/${granted}`)
        const subscriber = await t.connect()
        assert.deepEqual(await subscriber.subscribe({ topic, qos: granted }), [granted])
        for (const qos of [0, 1, 2] as const) {
          await publisher.publish({ topic, payload: `${qos}`, qos })
          await subscriber.expectMessage({ payload: `${qos}`, qos: Math.min(qos, granted) as 0 | 1 | 2 })
        }
      }
    }
  )

  both(
    { v5: ["3.3.4-1"], v311: ["3.3.5-2"] },
    "a message on a topic of the server's own is acknowledged or ends the connection, and is not delivered",
    async (t) => {
      const topic = `$SYS/${t.name("forged")}`
      const subscriber = await t.connect()
      await subscriber.subscribe(topic)
      const publisher = await t.connect()
      publisher.sendPublish({ topic, payload: "forged", qos: 1, messageId: 1 })
      const puback = await publisher.expect("puback").catch(() => undefined)
      if (puback === undefined) await publisher.expectClosed()
      else if (t.version === 5) assert.isAtLeast(puback.reasonCode ?? 0, 0x80)
      await subscriber.expectNothing()
    }
  )

  v5(["4.3.3-9", "3.5.2-1"], "after a PUBREC that refuses, the identifier brings a new message", async (t) => {
    const topic = t.name("/fresh")
    const subscriber = await t.connect()
    await subscriber.subscribe(topic)
    const publisher = await t.connect()
    publisher.sendPublish({ topic: `$SYS/${t.name("forged")}`, payload: "forged", qos: 2, messageId: 3 })
    const refusal = await publisher.take("pubrec", 3)
    assert.isAtLeast(refusal.reasonCode ?? 0, 0x80)
    await publisher.publish({ topic, payload: "fresh", qos: 2, messageId: 3 })
    await subscriber.expectMessage({ payload: "fresh", qos: 2 })
  })

  both(
    { v5: ["1.5.5-1", "4.2-1"], v311: ["7.1.1-1"] },
    "an empty payload and a large one are delivered as they are",
    async (t) => {
      const topic = t.name("/sizes")
      const subscriber = await t.connect()
      await subscriber.subscribe(topic)
      const publisher = await t.connect()
      for (const size of [0, 1, 127, 128, 16_383, 16_384, 100_000]) {
        await publisher.publish({ topic, payload: "x".repeat(size), qos: 1 })
        const publish = await subscriber.expectMessage()
        assert.strictEqual(publish.payload.length, size)
      }
    }
  )

  both(
    { v5: ["2.2.1-5", "4.3.3-8"], v311: ["2.3.1-6", "4.3.3-2"] },
    "the identifiers of the two directions do not disturb each other",
    async (t) => {
      const topic = t.name("/in")
      const client = await t.connect()
      await client.subscribe(topic)
      const publisher = await t.connect()
      for (const qos of [1, 2] as const) {
        await publisher.publish({ topic, payload: "in", qos })
        const incoming = await client.expectPublish({ payload: "in", qos })
        await client.publish({ topic: t.name("/out"), qos: 2, messageId: incoming.messageId! })
        await client.publish({ topic: t.name("/out"), qos: 1, messageId: incoming.messageId! })
        await client.acknowledge(incoming)
        await client.expectNothing()
      }
    }
  )
})
