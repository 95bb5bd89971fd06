import { assert } from "vitest"
import { feature } from "./Conformance.ts"

feature("Retained messages", ({ both, v311, v5 }) => {
  both(
    { v5: ["3.3.1-5", "3.3.1-9"], v311: ["3.3.1-5", "3.3.1-6", "3.3.1-8"] },
    "a new subscription gets the last retained message of each matching topic, with RETAIN and its QoS",
    async (t) => {
      const publisher = await t.connect()
      for (const qos of [0, 1, 2] as const) {
        await publisher.publish({ topic: t.name(`/${qos}`), payload: "old", qos, retain: true })
        await publisher.publish({ topic: t.name(`/${qos}`), payload: "last", qos, retain: true })
      }
      const subscriber = await t.connect()
      for (const qos of [0, 1, 2] as const) {
        await subscriber.subscribe(t.name(`/${qos}`))
        await subscriber.expectMessage({ topic: t.name(`/${qos}`), payload: "last", qos, retain: true, dup: false })
      }
      const wild = await t.connect()
      await wild.subscribe({ topic: t.name("/#"), qos: 1 })
      const topics = new Set<string>()
      for (let i = 0; i < 3; i++) topics.add((await wild.expectMessage({ payload: "last", retain: true })).topic)
      assert.strictEqual(topics.size, 3)
      await wild.expectNothing()
    }
  )

  both(
    { v5: ["3.3.1-12", "3.3.1-5"], v311: ["3.3.1-9"] },
    "an established subscription gets the message without RETAIN",
    async (t) => {
      const topic = t.name("/now")
      const subscriber = await t.connect()
      await subscriber.subscribe(topic)
      const publisher = await t.connect()
      await publisher.publish({ topic, payload: "now", qos: 1, retain: true })
      await subscriber.expectMessage({ topic, payload: "now", retain: false })
    }
  )

  v311(["3.3.1-7"], "a retained QoS 0 message replaces the one before it", async (t) => {
    const topic = t.name("/replaced")
    const publisher = await t.connect()
    await publisher.publish({ topic, payload: "at 1", qos: 1, retain: true })
    await publisher.publish({ topic, payload: "at 0", qos: 0, retain: true })
    const subscriber = await t.connect()
    await subscriber.subscribe(topic)
    await subscriber.expectMessage({ payload: "at 0", qos: 0, retain: true })
    await subscriber.expectNothing()
  })

  both(
    { v5: ["3.3.1-6", "3.3.1-7"], v311: ["3.3.1-10", "3.3.1-11"] },
    "a retained message without payload is delivered, removes the retained one, and is not kept",
    async (t) => {
      const topic = t.name("/removed")
      const publisher = await t.connect()
      await publisher.publish({ topic, payload: "kept", qos: 1, retain: true })
      const subscriber = await t.connect()
      await subscriber.subscribe(topic)
      await subscriber.expectMessage({ payload: "kept", retain: true })
      await publisher.publish({ topic, payload: "", qos: 1, retain: true })
      await subscriber.expectMessage({ topic, payload: "", qos: 1, retain: false })
      const late = await t.connect()
      await late.subscribe(topic)
      await late.expectNothing()
    }
  )

  both(
    { v5: ["3.3.1-8"], v311: ["3.3.1-12"] },
    "a message without RETAIN leaves the retained one alone, even with no payload",
    async (t) => {
      const topic = t.name("/alone")
      const publisher = await t.connect()
      await publisher.publish({ topic, payload: "kept", qos: 1, retain: true })
      await publisher.publish({ topic, payload: "passing", qos: 1 })
      await publisher.publish({ topic, payload: "", qos: 1 })
      const subscriber = await t.connect()
      await subscriber.subscribe(topic)
      await subscriber.expectMessage({ payload: "kept", retain: true })
      await subscriber.expectNothing()
    }
  )

  both({ v5: ["3.3.1-8"], v311: ["3.3.1-12"] }, "a message without RETAIN is not kept", async (t) => {
    const topic = t.name("/passing")
    const publisher = await t.connect()
    await publisher.publish({ topic, payload: "passing", qos: 1 })
    const subscriber = await t.connect()
    await subscriber.subscribe(topic)
    await subscriber.expectNothing()
  })

  both(
    { v5: ["3.3.1-5"], v311: ["3.1.2-7"] },
    "a retained message outlives the session of its publisher",
    async (t) => {
      const topic = t.name("/outlives")
      const clientId = t.name("publisher")
      const publisher = await t.connect({ clientId })
      await publisher.publish({ topic, payload: "kept", qos: 1, retain: true })
      await publisher.disconnect()
      await t.connect({ clientId, clean: true })
      const subscriber = await t.connect()
      await subscriber.subscribe(topic)
      await subscriber.expectMessage({ payload: "kept", retain: true })
    }
  )

  both(
    { v5: ["3.8.4-8", "3.3.1-9"], v311: ["3.8.4-6"] },
    "a retained message is delivered at the lower of its QoS and the granted QoS",
    async (t) => {
      const publisher = await t.connect()
      const subscriber = await t.connect()
      for (const [published, granted, delivered] of [
        [2, 1, 1],
        [1, 2, 1],
        [2, 0, 0]
      ] as const) {
        const topic = t.name(`/${published}${granted}`)
        await publisher.publish({ topic, payload: "kept", qos: published, retain: true })
        await subscriber.subscribe({ topic, qos: granted })
        await subscriber.expectMessage({ topic, qos: delivered, retain: true })
      }
    }
  )

  both(
    { v5: ["3.3.1-9", "3.8.4-4"], v311: ["3.8.4-3", "3.3.1-6"] },
    "subscribing again sends the retained message again",
    async (t) => {
      const topic = t.name("/again")
      const publisher = await t.connect()
      await publisher.publish({ topic, payload: "kept", qos: 1, retain: true })
      const subscriber = await t.connect()
      for (let i = 0; i < 2; i++) {
        await subscriber.subscribe(topic)
        await subscriber.expectMessage({ topic, payload: "kept", retain: true })
      }
    }
  )

  v5(["3.3.1-10"], "with Retain Handling 1 only a new subscription gets it", async (t) => {
    const topic = t.name("/new")
    const publisher = await t.connect()
    await publisher.publish({ topic, payload: "kept", qos: 1, retain: true })
    const subscriber = await t.connect()
    await subscriber.subscribe({ topic, qos: 1, rh: 1 })
    await subscriber.expectMessage({ topic, payload: "kept", retain: true })
    await subscriber.subscribe({ topic, qos: 2, rh: 1 })
    await subscriber.expectNothing()
    await subscriber.unsubscribe(topic)
    await subscriber.subscribe({ topic, qos: 1, rh: 1 })
    await subscriber.expectMessage({ topic, payload: "kept", retain: true })
  })

  v5(["3.3.1-11"], "with Retain Handling 2 no subscription gets it", async (t) => {
    const topic = t.name("/never")
    const publisher = await t.connect()
    await publisher.publish({ topic, payload: "kept", qos: 1, retain: true })
    const subscriber = await t.connect()
    await subscriber.subscribe({ topic, qos: 1, rh: 2 })
    await subscriber.expectNothing()
    await publisher.publish({ topic, payload: "live", qos: 1 })
    await subscriber.expectMessage({ payload: "live" })
  })

  v5(["3.3.1-12", "3.3.1-13"], "Retain As Published decides whether RETAIN is passed on", async (t) => {
    const topic = t.name("/published")
    const as = await t.connect()
    await as.subscribe({ topic, qos: 1, rap: true })
    const not = await t.connect()
    await not.subscribe({ topic, qos: 1, rap: false })
    const publisher = await t.connect()
    for (const retain of [true, false]) {
      await publisher.publish({ topic, payload: `${retain}`, qos: 1, retain })
      await as.expectMessage({ payload: `${retain}`, retain })
      await not.expectMessage({ payload: `${retain}`, retain: false })
    }
  })

  v5(["3.3.1-9"], "a Shared Subscription gets no retained messages", async (t) => {
    const topic = t.name("/shared")
    const publisher = await t.connect()
    await publisher.publish({ topic, payload: "kept", qos: 1, retain: true })
    const subscriber = await t.connect()
    await subscriber.subscribe(`$share/${t.name("g")}/${topic}`)
    await subscriber.expectNothing()
  })

  v5(["3.3.2-5", "3.3.2-6"], "a retained message counts down its expiry and is gone when it has passed", async (t) => {
    const publisher = await t.connect()
    const properties = (messageExpiryInterval: number) => ({ properties: { messageExpiryInterval } })
    await publisher.publish({ topic: t.name("/short"), payload: "s", qos: 1, retain: true, ...properties(1) })
    await publisher.publish({ topic: t.name("/long"), payload: "l", qos: 1, retain: true, ...properties(600) })
    await t.brokerSeconds(2)
    const subscriber = await t.connect()
    await subscriber.subscribe(t.name("/short"))
    await subscriber.expectNothing()
    await subscriber.subscribe(t.name("/long"))
    const { properties: left } = await subscriber.expectMessage({ payload: "l", retain: true })
    assert.isAtMost(left?.messageExpiryInterval ?? Infinity, 599)
    assert.isAtLeast(left?.messageExpiryInterval ?? 0, 590)
  })
})
