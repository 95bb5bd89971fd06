import { assert } from "vitest"
import { packet, uint16 } from "./Bytes.ts"
import { feature } from "./Conformance.ts"

feature("Topic Aliases", ({ v5 }) => {
  v5(["3.3.2-12", "3.3.2-3"], "every alias up to the server's maximum stands for its topic", async (t) => {
    const subscriber = await t.connect()
    await subscriber.subscribe(t.name("/#"))
    const publisher = await t.open()
    const { properties } = await publisher.connect({ clientId: t.name("short"), clean: true })
    const maximum = properties?.topicAliasMaximum ?? 0
    assert.isAbove(maximum, 0, "the server takes Topic Aliases")
    for (const topicAlias of [1, maximum]) {
      const topic = t.name(`/${topicAlias}`)
      await publisher.publish({ topic, payload: "named", qos: 1, properties: { topicAlias } })
      await subscriber.expectMessage({ topic, payload: "named" })
      await publisher.publish({ topic: "", payload: "alias", qos: 1, properties: { topicAlias } })
      await subscriber.expectMessage({ topic, payload: "alias" })
      await publisher.publish({ topic: `${topic}/new`, payload: "renamed", qos: 1, properties: { topicAlias } })
      await subscriber.expectMessage({ topic: `${topic}/new`, payload: "renamed" })
      await publisher.publish({ topic: "", payload: "new", qos: 1, properties: { topicAlias } })
      await subscriber.expectMessage({ topic: `${topic}/new`, payload: "new" })
    }
  })

  v5(["3.1.2-27"], "the publisher's alias is not passed on to a subscriber that takes none", async (t) => {
    const topic = t.name("/private")
    const subscriber = await t.connect()
    await subscriber.subscribe(topic)
    const publisher = await t.connect()
    await publisher.publish({ topic, payload: "one", qos: 1, properties: { topicAlias: 1 } })
    await publisher.publish({ topic: "", payload: "two", qos: 1, properties: { topicAlias: 1 } })
    for (const payload of ["one", "two"]) {
      const { properties } = await subscriber.expectMessage({ topic, payload })
      assert.isUndefined(properties?.topicAlias)
    }
  })

  v5(["3.2.2-17", "3.3.2-9", "4.13.1-1"], "an alias above the server's maximum ends the connection", async (t) => {
    const client = await t.open()
    const { properties } = await client.connect({ clientId: t.name("high"), clean: true })
    const maximum = properties?.topicAliasMaximum ?? 0
    for (const alias of maximum < 65_535 ? [maximum + 1, 65_535] : []) {
      const publisher = await t.connect()
      publisher.send(packet`30 'a' 03 23 ${uint16(alias)}`)
      await publisher.expectDisconnect(0x94)
    }
    await client.expectNothing()
  })

  v5(["3.3.2-8", "4.13.1-1"], "an alias of 0 ends the connection", async (t) => {
    const client = await t.connect()
    client.send(packet`30 'a' 03 23 0000`)
    await client.expectDisconnect(0x94, 0x82)
  })

  v5(["4.13.1-1"], "an alias that stands for nothing ends the connection", async (t) => {
    const client = await t.connect()
    client.send(packet`30 '' 03 23 0001 "x"`)
    await client.expectDisconnect(0x82, 0x94)
  })

  v5(["4.13.1-1"], "two aliases in one PUBLISH end the connection", async (t) => {
    const client = await t.connect()
    client.send(packet`30 'a' 06 23 0001 23 0001`)
    await client.expectDisconnect(0x82)
  })

  v5(["3.3.2-7"], "an alias is forgotten with its connection, though the session goes on", async (t) => {
    const options = { clientId: t.name("resumed"), clean: false, properties: { sessionExpiryInterval: 600 } }
    const first = await t.connect(options)
    await first.publish({ topic: t.name("/a"), qos: 1, properties: { topicAlias: 1 } })
    await first.disconnect()
    const { client, sessionPresent } = await t.resume(options)
    assert.isTrue(sessionPresent)
    client.send(packet`30 '' 03 23 0001 "x"`)
    await client.expectDisconnect(0x82, 0x94)
  })

  v5(["3.1.2-26", "3.3.2-11"], "aliases to a client stay within its maximum and stand for their topics", async (t) => {
    const topics = [t.name("/a"), t.name("/b"), t.name("/c"), t.name("/d")]
    const subscriber = await t.connect({ properties: { topicAliasMaximum: 2 } })
    for (const topic of topics) await subscriber.subscribe(topic)
    const publisher = await t.connect()
    // The client refuses aliases above its maximum, and resolves the others, as it reads.
    for (let round = 0; round < 3; round++) {
      for (const topic of topics) {
        await publisher.publish({ topic, payload: `${round}`, qos: 1 })
        await subscriber.expectMessage({ topic, payload: `${round}` })
      }
    }
  })

  v5(["3.3.2-7", "3.3.2-11"], "aliases to a client begin anew on each connection", async (t) => {
    const topic = t.name("/resumed")
    const options = {
      clientId: t.name("aliased"),
      clean: false,
      properties: { sessionExpiryInterval: 600, topicAliasMaximum: 5 }
    }
    const publisher = await t.connect()
    const first = await t.connect(options)
    await first.subscribe({ topic, qos: 1 })
    for (const payload of ["1", "2"]) {
      await publisher.publish({ topic, payload, qos: 1 })
      await first.expectMessage({ topic, payload })
    }
    await publisher.publish({ topic, payload: "3", qos: 1 })
    await first.expectPublish({ topic, payload: "3" })
    first.drop()
    const { client } = await t.resume(options)
    await client.expectMessage({ topic, payload: "3", dup: true })
    await publisher.publish({ topic, payload: "4", qos: 1 })
    await client.expectMessage({ topic, payload: "4" })
  })
})
