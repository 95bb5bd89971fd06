import { assert } from "vitest"
import { feature } from "./Conformance.ts"

feature(
  "Keep Alive that a server limits",
  ({ v5 }) => {
    v5(["3.1.2-22"], "a Server Keep Alive is told in CONNACK and holds instead of the client's", async (t) => {
      for (const keepalive of [0, 600]) {
        const client = await t.open()
        const { properties } = await client.connect({ clientId: t.name("slow"), clean: true, keepalive })
        assert.strictEqual(properties?.serverKeepAlive, 1)
        const start = performance.now()
        await client.expectDisconnect(0x8d)
        assert.isAtLeast(performance.now() - start, 1400)
        assert.isBelow(performance.now() - start, 3500)
      }
    })

    v5(["3.2.2-22"], "a Keep Alive within the server's limit is left alone", async (t) => {
      const client = await t.open()
      const { properties } = await client.connect({ clientId: t.name("quick"), clean: true, keepalive: 1 })
      assert.include([undefined, 1], properties?.serverKeepAlive)
      await client.expectDisconnect(0x8d)
    })
  },
  ["session.maximumKeepAlive=1 seconds"]
)

feature(
  "Session Expiry Interval that a server limits",
  ({ v5 }) => {
    v5(["4.1.0-2"], "a Session Expiry Interval above the server's is cut, which CONNACK tells", async (t) => {
      const clientId = t.name("long")
      const topic = t.name("/end")
      const watcher = await t.connect()
      await watcher.subscribe(topic)
      const client = await t.open()
      const { properties } = await client.connect({
        clientId,
        clean: true,
        properties: { sessionExpiryInterval: 600 },
        will: { topic, payload: Buffer.from("session ended"), qos: 1, properties: { willDelayInterval: 600 } }
      })
      assert.strictEqual(properties?.sessionExpiryInterval, 1)
      client.drop()
      await watcher.expectMessage({ payload: "session ended" })
      const { sessionPresent } = await t.resume({ clientId })
      assert.isFalse(sessionPresent)
    })
  },
  ["session.maximumExpiryInterval=1 seconds"]
)
