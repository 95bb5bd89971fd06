import { assert } from "vitest"
import { packet, utf8String } from "./Bytes.ts"
import { feature, type Trial } from "./Conformance.ts"

const durable = (clientId: string) => ({ clientId, clean: false, properties: { sessionExpiryInterval: 600 } })

/** The share name and filter of a test's group. */
const shared = (t: Trial) => {
  const topic = t.name("/shared")
  return { topic, filter: `$share/${t.name("group")}/${topic}` }
}

feature("Shared Subscriptions", ({ v5 }) => {
  v5(
    ["4.8.2-1", "4.8.2-2"],
    "each message goes to one member of each group, and to every other subscriber",
    async (t) => {
      const { topic, filter } = shared(t)
      const members = [await t.connect(), await t.connect()]
      for (const member of members) {
        assert.deepEqual(await member.subscribe({ topic: filter, qos: 1 }), [1])
        await member.subscribe({ topic: t.name("/end"), qos: 1 })
      }
      const loner = await t.connect()
      await loner.subscribe({ topic: `$share/${t.name("loner")}/${topic}`, qos: 1 })
      const plain = await t.connect()
      await plain.subscribe({ topic, qos: 1 })
      const publisher = await t.connect()
      const payloads = Array.from({ length: 10 }, (_, i) => `${i}`)
      for (const payload of payloads) await publisher.publish({ topic, payload, qos: 1 })
      for (const payload of payloads) {
        await loner.expectMessage({ topic, payload })
        await plain.expectMessage({ topic, payload })
      }
      const got: Array<string> = []
      await publisher.publish({ topic: t.name("/end"), payload: "end", qos: 1 })
      for (const member of members) {
        got.push(...(await member.messagesUntil("end")).map(({ payload }) => payload.toString()))
      }
      assert.sameMembers(got, payloads)
    }
  )

  v5(["4.8.2-1", "4.8.2-2"], "a share name or filter that is missing or wrong is refused", async (t) => {
    for (const filter of ["$share//a", "$share/group", "$share/group/", "$share/a+b/c", "$share/a#/c", "$share/+/c"]) {
      const client = await t.connect()
      client.send(packet`82 0001 00 ${utf8String(filter)} 00`)
      await client.expectDisconnect(0x81, 0x82, 0x8f)
    }
  })

  v5(["3.8.3-4"], "No Local on a Shared Subscription is a Protocol Error", async (t) => {
    const client = await t.connect()
    client.send(packet`
      82 0001 00 '$share/group/a'
      04              -- No Local
    `)
    await client.expectDisconnect(0x82)
  })

  v5(["4.8.2-3", "3.8.4-8"], "a member gets messages at the QoS granted to it", async (t) => {
    const publisher = await t.connect()
    for (const qos of [0, 1, 2] as const) {
      const topic = t.name(`/granted/${qos}`)
      const member = await t.connect()
      await member.subscribe({ topic: `$share/${t.name("g")}/${topic}`, qos })
      await publisher.publish({ topic, payload: "granted", qos: 2 })
      await member.expectMessage({ payload: "granted", qos })
    }
  })

  v5(["4.8.2-1", "3.10.4-1"], "a member leaves its group by UNSUBSCRIBE", async (t) => {
    const { topic, filter } = shared(t)
    const leaver = await t.connect()
    await leaver.subscribe({ topic: filter, qos: 1 })
    const stayer = await t.connect()
    await stayer.subscribe({ topic: filter, qos: 1 })
    assert.deepEqual(await leaver.unsubscribe(topic), [0x11])
    assert.deepEqual(await leaver.unsubscribe(filter), [0])
    const publisher = await t.connect()
    for (const payload of ["1", "2", "3"]) {
      await publisher.publish({ topic, payload, qos: 1 })
      await stayer.expectMessage({ payload })
    }
    await leaver.expectNothing()
  })

  v5(["3.3.4-3", "3.8.4-3"], "messages carry the Subscription Identifier of the Shared Subscription", async (t) => {
    const { topic, filter } = shared(t)
    const member = await t.connect()
    await member.subscribe({ topic: filter, qos: 1 }, { subscriptionIdentifier: 9 })
    const publisher = await t.connect()
    await publisher.publish({ topic, qos: 1 })
    const { properties } = await member.expectMessage({ topic })
    assert.strictEqual(properties?.subscriptionIdentifier, 9)
  })

  v5(["4.8.2-4"], "a QoS 2 delivery to a member that is cut off is completed when the member is back", async (t) => {
    const { topic, filter } = shared(t)
    const options = durable(t.name("chosen"))
    const chosen = await t.connect(options)
    await chosen.subscribe({ topic: filter, qos: 2 })
    const publisher = await t.connect()
    await publisher.publish({ topic, payload: "mine", qos: 2 })
    await chosen.expectPublish({ payload: "mine", qos: 2, dup: false })
    const other = await t.connect()
    await other.subscribe({ topic: filter, qos: 2 })
    chosen.drop()
    const { client } = await t.resume(options)
    await client.expectMessage({ payload: "mine", qos: 2, dup: true })
    await other.expectNothing()
  })

  v5(["4.8.2-5"], "if the member's session ends first, nobody else gets the message", async (t) => {
    const { topic, filter } = shared(t)
    const clientId = t.name("chosen")
    const chosen = await t.connect(durable(clientId))
    await chosen.subscribe({ topic: filter, qos: 2 })
    const publisher = await t.connect()
    await publisher.publish({ topic, payload: "lost", qos: 2 })
    await chosen.expectPublish({ payload: "lost", qos: 2 })
    const other = await t.connect()
    await other.subscribe({ topic: filter, qos: 2 })
    chosen.drop()
    const { client, sessionPresent } = await t.resume({ clientId, clean: true })
    assert.isFalse(sessionPresent)
    await client.expectNothing()
    await publisher.publish({ topic, payload: "next", qos: 2 })
    await other.expectMessage({ payload: "next" })
  })

  v5(["4.8.2-6"], "a message that a member refuses goes to nobody else", async (t) => {
    const { topic, filter } = shared(t)
    const refuser = await t.connect()
    await refuser.subscribe({ topic: filter, qos: 2 })
    const publisher = await t.connect()
    await publisher.publish({ topic, payload: "one", qos: 1 })
    await publisher.publish({ topic, payload: "two", qos: 2 })
    const one = await refuser.expectPublish({ payload: "one" })
    const two = await refuser.expectPublish({ payload: "two" })
    const other = await t.connect()
    await other.subscribe({ topic: filter, qos: 2 })
    refuser.send({ cmd: "puback", messageId: one.messageId!, reasonCode: 0x80 })
    refuser.send({ cmd: "pubrec", messageId: two.messageId!, reasonCode: 0x80 })
    await refuser.expectNothing()
    await other.expectNothing()
  })
})
