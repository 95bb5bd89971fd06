import { assert } from "vitest"
import { bytes, packet, utf8String } from "./Bytes.ts"
import { feature } from "./Conformance.ts"

feature("Wills", ({ both, v311, v5 }) => {
  both(
    { v5: ["3.1.2-7", "3.1.2-8", "3.1.2-14"], v311: ["3.1.2-8", "3.1.2-9", "3.1.2-16"] },
    "a will is published when the connection breaks, at its QoS and not retained",
    async (t) => {
      const topic = t.name("/will")
      const watcher = await t.connect()
      await watcher.subscribe(topic)
      for (const qos of [0, 1, 2] as const) {
        const client = await t.connect({ will: { topic, payload: Buffer.from(`gone ${qos}`), qos, retain: false } })
        client.drop()
        await watcher.expectMessage({ topic, payload: `gone ${qos}`, qos, retain: false })
      }
      const late = await t.connect()
      await late.subscribe(topic)
      await late.expectNothing()
    }
  )

  both({ v5: ["3.1.2-15"], v311: ["3.1.2-17"] }, "a will with Will Retain is retained", async (t) => {
    const topic = t.name("/will")
    const watcher = await t.connect()
    await watcher.subscribe(topic)
    const client = await t.connect({ will: { topic, payload: Buffer.from("gone"), qos: 1, retain: true } })
    client.drop()
    await watcher.expectMessage({ topic, payload: "gone", retain: false })
    const late = await t.connect()
    await late.subscribe(topic)
    await late.expectMessage({ topic, payload: "gone", qos: 1, retain: true })
  })

  both({ v5: ["3.1.2-10", "3.14.4-3"], v311: ["3.1.2-10", "3.14.4-3"] }, "DISCONNECT discards the will", async (t) => {
    const topic = t.name("/will")
    const watcher = await t.connect()
    await watcher.subscribe(topic)
    const client = await t.connect({ will: { topic, payload: Buffer.from("gone"), qos: 1 } })
    await client.disconnect()
    const publisher = await t.connect()
    await publisher.publish({ topic, payload: "marker", qos: 1 })
    await watcher.expectMessage({ payload: "marker" })
  })

  v5(["3.1.2-8"], "DISCONNECT with a reason other than 0 publishes the will", async (t) => {
    const topic = t.name("/will")
    const watcher = await t.connect()
    await watcher.subscribe(topic)
    for (const reasonCode of [0x04, 0x80, 0x81]) {
      const client = await t.connect({ will: { topic, payload: Buffer.from("on purpose"), qos: 1 } })
      await client.disconnect(reasonCode)
      await watcher.expectMessage({ payload: "on purpose" })
    }
  })

  both(
    { v5: ["3.1.2-8"], v311: ["3.1.2-8"] },
    "a client that breaks the protocol has its will published",
    async (t) => {
      const topic = t.name("/will")
      const watcher = await t.connect()
      await watcher.subscribe(topic)
      const client = await t.connect({ will: { topic, payload: Buffer.from("broken"), qos: 1 } })
      client.send(bytes`00 00`) // packet type 0 is reserved
      await client.expectDisconnect(0x81, 0x82)
      await watcher.expectMessage({ payload: "broken" })
    }
  )

  both(
    { v5: ["3.1.2-8", "3.1.2-22"], v311: ["3.1.2-8", "3.1.2-24"] },
    "a client that falls silent has its will published",
    async (t) => {
      const topic = t.name("/will")
      const watcher = await t.connect()
      await watcher.subscribe(topic)
      await t.connect({ keepalive: 1, will: { topic, payload: Buffer.from("silent"), qos: 1 } })
      await watcher.expectMessage({ payload: "silent" })
    }
  )

  both(
    { v5: ["3.1.2-8", "3.1.4-3"], v311: ["3.1.2-8", "3.1.4-2"] },
    "a client that is taken over has its will published",
    async (t) => {
      const topic = t.name("/will")
      const clientId = t.name("same")
      const watcher = await t.connect()
      await watcher.subscribe(topic)
      await t.connect({ clientId, will: { topic, payload: Buffer.from("taken over"), qos: 1 } })
      await t.connect({ clientId })
      await watcher.expectMessage({ payload: "taken over" })
    }
  )

  v311(["3.1.2-12"], "without the Will Flag nothing is published when the connection breaks", async (t) => {
    const topic = t.name("/will")
    const clientId = t.name("willless")
    const watcher = await t.connect()
    await watcher.subscribe(topic)
    const first = await t.connect({ clientId, clean: false, will: { topic, payload: Buffer.from("old"), qos: 1 } })
    await first.disconnect()
    const second = await t.connect({ clientId, clean: false })
    second.drop()
    const publisher = await t.connect()
    await publisher.publish({ topic, payload: "marker", qos: 1 })
    await watcher.expectMessage({ payload: "marker" })
  })

  both(
    { v5: ["3.1.2-10"], v311: ["3.1.2-10"] },
    "a will is published once, also when the session goes on",
    async (t) => {
      const topic = t.name("/will")
      const options = {
        clientId: t.name("twice"),
        clean: false,
        ...(t.version === 5 ? { properties: { sessionExpiryInterval: 600 } } : {})
      }
      const watcher = await t.connect()
      await watcher.subscribe(topic)
      const first = await t.connect({ ...options, will: { topic, payload: Buffer.from("first"), qos: 1 } })
      first.drop()
      await watcher.expectMessage({ payload: "first" })
      const second = await t.connect(options)
      second.drop()
      const third = await t.connect(options)
      await third.disconnect()
      const publisher = await t.connect()
      await publisher.publish({ topic, payload: "marker", qos: 1 })
      await watcher.expectMessage({ payload: "marker" })
    }
  )

  v5(["3.1.2-8"], "a delayed will is published when its delay has passed, not before", async (t) => {
    const topic = t.name("/will")
    const watcher = await t.connect()
    await watcher.subscribe(topic)
    const client = await t.connect({
      properties: { sessionExpiryInterval: 600 },
      will: { topic, payload: Buffer.from("late"), qos: 1, properties: { willDelayInterval: 1 } }
    })
    const start = performance.now()
    client.drop()
    await watcher.expectMessage({ payload: "late" })
    const waited = performance.now() - start
    assert.isAtLeast(waited, 900)
    assert.isBelow(waited, 3500)
  })

  v5(["3.1.3-9", "3.1.2-8"], "a client that is back within the delay has no will published", async (t) => {
    const topic = t.name("/will")
    const options = { clientId: t.name("back"), clean: false, properties: { sessionExpiryInterval: 600 } }
    const watcher = await t.connect()
    await watcher.subscribe(topic)
    const first = await t.connect({
      ...options,
      will: { topic, payload: Buffer.from("gone"), qos: 1, properties: { willDelayInterval: 2 } }
    })
    first.drop()
    const { sessionPresent } = await t.resume(options)
    assert.isTrue(sessionPresent)
    await t.brokerSeconds(3)
    await watcher.expectNothing()
  })

  v5(["3.1.3-9"], "a takeover within the delay prevents the will", async (t) => {
    const topic = t.name("/will")
    const options = { clientId: t.name("moved"), clean: false, properties: { sessionExpiryInterval: 600 } }
    const watcher = await t.connect()
    await watcher.subscribe(topic)
    const first = await t.connect({
      ...options,
      will: { topic, payload: Buffer.from("gone"), qos: 1, properties: { willDelayInterval: 2 } }
    })
    await t.connect(options)
    await first.expectDisconnect(0x8e)
    await t.brokerSeconds(3)
    await watcher.expectNothing()
  })

  v5(["3.1.2-8"], "a clean start ends the session, and with it the wait of a delayed will", async (t) => {
    const topic = t.name("/will")
    const clientId = t.name("clean")
    const watcher = await t.connect()
    await watcher.subscribe(topic)
    const first = await t.connect({
      clientId,
      properties: { sessionExpiryInterval: 600 },
      will: { topic, payload: Buffer.from("session ended"), qos: 1, properties: { willDelayInterval: 600 } }
    })
    first.drop()
    await t.connect({ clientId, clean: true })
    await watcher.expectMessage({ payload: "session ended" })
  })

  v5(["3.1.2-8"], "a session that ends with its connection does not wait for the will's delay", async (t) => {
    const topic = t.name("/will")
    const watcher = await t.connect()
    await watcher.subscribe(topic)
    const client = await t.connect({
      will: { topic, payload: Buffer.from("at once"), qos: 1, properties: { willDelayInterval: 600 } }
    })
    client.drop()
    await watcher.expectMessage({ payload: "at once" })
  })

  v5(
    ["3.1.3-10", "3.3.2-4", "3.3.2-15", "3.3.2-16", "3.3.2-17", "3.3.2-18", "3.3.2-20"],
    "a will is published with its properties, the User Properties in their order",
    async (t) => {
      const topic = t.name("/will")
      const watcher = await t.connect()
      await watcher.subscribe(topic)
      const client = await t.open()
      client.send(packet`
        10 'MQTT' 05
        0e                            -- Clean Start, Will Flag, Will QoS 1
        0000 00
        ${utf8String(t.name("willing"))}
        34                            -- 52 bytes of will properties
        01 01                         -- Payload Format Indicator: text
        03 'text/plain'               -- Content Type
        08 'answers'                  -- Response Topic
        09 0003 00 ff 80              -- Correlation Data
        26 'b' '1' 26 'a' '2' 26 'b' '0'
        ${utf8String(topic)} ${utf8String("gone")}
      `)
      await client.expect("connack")
      client.drop()
      const { packet: publish, bytes: wire } = await watcher.expectWithBytes("publish")
      assert.strictEqual(publish.payload.toString(), "gone")
      assert.isTrue(publish.properties?.payloadFormatIndicator)
      assert.strictEqual(publish.properties?.contentType, "text/plain")
      assert.strictEqual(publish.properties?.responseTopic, "answers")
      assert.deepEqual(publish.properties?.correlationData, Buffer.from([0, 0xff, 0x80]))
      assert.isTrue(wire.includes(bytes`26 'b' '1' 26 'a' '2' 26 'b' '0'`), "User Properties in their order")
    }
  )
})
