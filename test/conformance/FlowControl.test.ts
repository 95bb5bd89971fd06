import { assert } from "vitest"
import { feature } from "./Conformance.ts"

feature("Flow control", ({ v5 }) => {
  v5(
    ["3.3.4-9", "4.9.0-1", "4.9.0-2"],
    "no more messages are in flight to a client than its Receive Maximum; each acknowledgement lets one go",
    async (t) => {
      for (const qos of [1, 2] as const) {
        const topic = t.name(`/window/${qos}`)
        const subscriber = await t.connect({ properties: { receiveMaximum: 2 } })
        await subscriber.subscribe({ topic, qos })
        const publisher = await t.connect()
        for (const payload of ["1", "2", "3", "4"]) await publisher.publish({ topic, payload, qos })
        const first = await subscriber.expectPublish({ payload: "1", qos })
        const second = await subscriber.expectPublish({ payload: "2", qos })
        await subscriber.expectNothing()
        await subscriber.acknowledge(first)
        const third = await subscriber.expectPublish({ payload: "3", qos })
        await subscriber.expectNothing()
        await subscriber.acknowledge(second)
        await subscriber.acknowledge(third)
        await subscriber.expectMessage({ payload: "4", qos })
        await subscriber.expectNothing()
      }
    }
  )

  v5(
    ["3.3.4-9", "4.9.0-2"],
    "a PUBREC that refuses gives back its place in the window, one that accepts does not",
    async (t) => {
      const topic = t.name("/window")
      const subscriber = await t.connect({ properties: { receiveMaximum: 1 } })
      await subscriber.subscribe({ topic, qos: 2 })
      const publisher = await t.connect()
      for (const payload of ["1", "2", "3"]) await publisher.publish({ topic, payload, qos: 2 })
      const { messageId: refused } = await subscriber.expectPublish({ payload: "1" })
      subscriber.send({ cmd: "pubrec", messageId: refused!, reasonCode: 0x80 })
      const { messageId } = await subscriber.expectPublish({ payload: "2" })
      subscriber.send({ cmd: "pubrec", messageId: messageId! })
      await subscriber.expect("pubrel")
      await subscriber.expectNothing()
      subscriber.send({ cmd: "pubcomp", messageId: messageId! })
      await subscriber.expectMessage({ payload: "3" })
    }
  )

  v5(
    ["3.3.4-10", "4.9.0-2", "4.9.0-3"],
    "with the window full, everything but PUBLISH above QoS 0 goes on both ways",
    async (t) => {
      const topic = t.name("/window")
      const client = await t.connect({ properties: { receiveMaximum: 1 } })
      await client.subscribe({ topic, qos: 2 })
      const publisher = await t.connect()
      await publisher.publish({ topic, payload: "in flight", qos: 1 })
      await publisher.publish({ topic, payload: "waits", qos: 1 })
      const inFlight = await client.expectPublish({ payload: "in flight" })
      await client.expectNothing()
      assert.deepEqual(await client.subscribe({ topic: t.name("/other"), qos: 0 }), [0])
      await publisher.publish({ topic: t.name("/other"), payload: "at most once", qos: 0 })
      await client.expectMessage({ payload: "at most once", qos: 0 })
      await client.publish({ topic: t.name("/out"), qos: 1 })
      await client.publish({ topic: t.name("/out"), qos: 2 })
      assert.deepEqual(await client.unsubscribe(t.name("/other")), [0])
      await client.acknowledge(inFlight)
      await client.expectMessage({ payload: "waits" })
    }
  )

  v5(["4.9.0-1", "3.3.4-9", "4.4.0-1"], "the window holds on resuming too, and the order", async (t) => {
    const topic = t.name("/window")
    const options = {
      clientId: t.name("narrow"),
      clean: false,
      properties: { sessionExpiryInterval: 600, receiveMaximum: 2 }
    }
    const first = await t.connect(options)
    await first.subscribe({ topic, qos: 1 })
    const publisher = await t.connect()
    for (const payload of ["1", "2", "3"]) await publisher.publish({ topic, payload, qos: 1 })
    await first.expectPublish({ payload: "1" })
    await first.expectPublish({ payload: "2" })
    first.drop()
    const { client } = await t.resume({ ...options, properties: { ...options.properties, receiveMaximum: 1 } })
    for (const [payload, dup] of [
      ["1", true],
      ["2", true],
      ["3", false]
    ] as const) {
      const publish = await client.expectPublish({ payload, dup })
      await client.expectNothing()
      await client.acknowledge(publish)
    }
  })

  v5(
    ["3.3.4-7", "4.9.0-2", "4.13.1-1", "3.14.2-1"],
    "a client that has more in flight than the server's Receive Maximum is disconnected with 0x93",
    async (t) => {
      const client = await t.open()
      const { properties } = await client.connect({ clientId: t.name("eager"), clean: true })
      const receiveMaximum = properties?.receiveMaximum
      assert.isDefined(receiveMaximum, "the server limits what it holds for a client")
      const topic = t.name("/flood")
      // QoS 2 without PUBREL: none of these is complete.
      for (let messageId = 1; messageId <= receiveMaximum!; messageId++) {
        client.sendPublish({ topic, qos: 2, messageId })
      }
      for (let messageId = 1; messageId <= receiveMaximum!; messageId++) await client.take("pubrec", messageId)
      client.sendPublish({ topic, qos: 2, messageId: receiveMaximum! + 1 })
      await client.expectDisconnect(0x93)
    }
  )

  v5(["3.3.4-7", "4.9.0-3"], "a client may use up the server's Receive Maximum again and again", async (t) => {
    const client = await t.open()
    const { properties } = await client.connect({ clientId: t.name("steady"), clean: true })
    const receiveMaximum = Math.min(properties?.receiveMaximum ?? 65_535, 100)
    const topic = t.name("/steady")
    for (let round = 0; round < 2; round++) {
      const ids = Array.from({ length: receiveMaximum }, (_, i) => i + 1)
      for (const messageId of ids) client.sendPublish({ topic, qos: 2, messageId })
      for (const messageId of ids) {
        await client.take("pubrec", messageId)
        client.send({ cmd: "pubrel", messageId })
      }
      for (const messageId of ids) await client.take("pubcomp", messageId)
    }
    await client.expectNothing()
  })
})
