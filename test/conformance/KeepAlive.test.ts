import { assert } from "vitest"
import { bytes } from "./Bytes.ts"
import { feature } from "./Conformance.ts"

feature("Keep Alive", ({ both }) => {
  both(
    { v5: ["3.1.2-22", "3.2.2-22"], v311: ["3.1.2-24"] },
    "a client that is silent for one and a half times its Keep Alive is disconnected",
    async (t) => {
      const client = await t.connect({ keepalive: 1 })
      const start = performance.now()
      await client.expectDisconnect(0x8d)
      const waited = performance.now() - start
      assert.isAtLeast(waited, 1400)
      assert.isBelow(waited, 3500)
    }
  )

  both({ v5: ["3.1.2-22"], v311: ["3.1.2-24"] }, "any packet of the client keeps the connection alive", async (t) => {
    const client = await t.connect({ keepalive: 2 })
    await t.brokerSeconds(2)
    await client.expectNothing()
    await t.brokerSeconds(2)
    await client.publish({ topic: t.name("/alive"), qos: 1 })
  })

  both(
    { v5: ["3.1.2-22"], v311: ["3.1.2-24"] },
    "packets from the server do not keep a silent client's connection alive",
    async (t) => {
      const topic = t.name("/news")
      const silent = await t.connect()
      await silent.subscribe({ topic, qos: 0 })
      const listener = await t.connect({ keepalive: 1 })
      await listener.subscribe({ topic, qos: 0 })
      const publisher = await t.connect()
      const start = performance.now()
      await publisher.publish({ topic, payload: "news" })
      await listener.expectMessage({ payload: "news" })
      await listener.expectDisconnect(0x8d)
      assert.isBelow(performance.now() - start, 3500)
      await silent.expectMessage({ payload: "news" })
    }
  )

  both(
    { v5: ["3.1.2-22"], v311: ["3.1.2-24"] },
    "a packet that is never finished does not keep the connection alive",
    async (t) => {
      const client = await t.connect({ keepalive: 1 })
      client.send(bytes`30 7f 00 01 "a"`) // a PUBLISH of 127 bytes, of which three come
      await client.expectDisconnect(0x8d)
    }
  )

  both({ v5: ["3.1.2-22"], v311: ["3.1.2-24"] }, "a Keep Alive of 0 lets a client be silent", async (t) => {
    const client = await t.connect({ keepalive: 0 })
    await t.brokerSeconds(3)
    await client.expectNothing()
  })

  both({ v5: ["3.12.4-1"], v311: ["3.12.4-1"] }, "PINGREQ is answered with PINGRESP", async (t) => {
    const client = await t.connect()
    client.send(bytes`c0 00 c0 00`)
    await client.expect("pingresp")
    await client.expect("pingresp")
  })
})
