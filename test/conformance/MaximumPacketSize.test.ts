import { assert } from "vitest"
import { bytes, variableByteInteger, packet, utf8String } from "./Bytes.ts"
import { feature } from "./Conformance.ts"

feature("Maximum Packet Size", ({ both, v5 }) => {
  v5(["3.1.2-24", "3.1.2-25"], "a message too large for the client is left out and counts as delivered", async (t) => {
    const topic = t.name("/size")
    for (const qos of [0, 1, 2] as const) {
      const narrow = await t.connect({ properties: { maximumPacketSize: 100, receiveMaximum: 1 } })
      await narrow.subscribe({ topic, qos })
      const wide = await t.connect()
      await wide.subscribe({ topic, qos })
      const publisher = await t.connect()
      for (const payload of ["before", "x".repeat(200), "after"]) {
        await publisher.publish({ topic, payload, qos })
        await wide.expectMessage({ payload })
      }
      await narrow.expectMessage({ payload: "before" })
      await narrow.expectMessage({ payload: "after" })
      await narrow.expectNothing()
      await narrow.disconnect()
      await wide.disconnect()
    }
  })

  v5(["3.1.2-24", "3.1.2-25"], "a packet of exactly the client's maximum is sent, one byte more is not", async (t) => {
    const topic = t.name("/exact")
    // Fixed header 2, topic 2 + n, Property Length 1, payload.
    const head = 2 + 2 + Buffer.byteLength(topic) + 1
    const client = await t.connect({ properties: { maximumPacketSize: 100 } })
    await client.subscribe({ topic, qos: 0 })
    const publisher = await t.connect()
    await publisher.publish({ topic, payload: "y".repeat(100 - head + 1) })
    await publisher.publish({ topic, payload: "x".repeat(100 - head) })
    const { bytes: wire } = await client.expectWithBytes("publish")
    assert.strictEqual(wire.length, 100)
  })

  v5(["3.1.2-25", "3.1.2-24"], "a retained message and a queued one that are too large are left out too", async (t) => {
    const options = {
      clientId: t.name("narrow"),
      clean: false,
      properties: { sessionExpiryInterval: 600, maximumPacketSize: 100 }
    }
    const publisher = await t.connect()
    await publisher.publish({ topic: t.name("/kept"), payload: "x".repeat(200), qos: 1, retain: true })
    const first = await t.connect(options)
    await first.subscribe(t.name("/+"))
    await first.expectNothing()
    await first.disconnect()
    await publisher.publish({ topic: t.name("/queued"), payload: "x".repeat(200), qos: 1 })
    await publisher.publish({ topic: t.name("/queued"), payload: "small", qos: 1 })
    const { client } = await t.resume(options)
    await client.expectMessage({ payload: "small" })
    await client.expectNothing()
  })

  v5(
    ["3.2.2-15", "4.13.1-1", "3.14.2-1"],
    "a packet larger than the server's maximum is refused with 0x95 as soon as its length is known",
    async (t) => {
      const client = await t.open()
      const { properties } = await client.connect({ clientId: t.name("large"), clean: true })
      const maximum = properties?.maximumPacketSize
      assert.isDefined(maximum, "the server limits the size of a packet")
      assert.isBelow(maximum!, 268_435_455)
      // The fixed header alone: its length says that the packet is a byte too large.
      client.send(Buffer.concat([bytes`30`, variableByteInteger(maximum!)]))
      await client.expectDisconnect(0x95)
    }
  )

  v5(
    [
      "3.2.2-19",
      "3.2.2-20",
      "3.4.2-2",
      "3.4.2-3",
      "3.5.2-2",
      "3.5.2-3",
      "3.6.2-2",
      "3.6.2-3",
      "3.7.2-2",
      "3.7.2-3",
      "3.9.2-1",
      "3.9.2-2",
      "3.11.2-1",
      "3.11.2-2",
      "3.14.2-3",
      "3.14.2-4"
    ],
    "no answer has a Reason String or User Properties that would make it too large for the client",
    async (t) => {
      // Every answer is measured against the client's maximum as it comes in; CONNACK needs its limits in it.
      const limits = { maximumPacketSize: 60 }
      const client = await t.connect({ properties: limits })
      await client.publish({ topic: t.name("/nobody"), qos: 1 })
      await client.publish({ topic: `$SYS/${t.name("/forged")}`, qos: 1 })
      await client.publish({ topic: `$SYS/${t.name("/forged")}`, qos: 2 })
      client.send(bytes`62 02 4321`) // a PUBREL for nothing
      await client.expect("pubcomp")
      client.send(bytes`50 02 4321`) // a PUBREC for nothing
      await client.expect("pubrel")
      assert.deepEqual(await client.subscribe({ topic: t.name("/a"), qos: 1 }), [1])
      assert.deepEqual(await client.unsubscribe(t.name("/never")), [0x11])
      client.send(packet`30 '' 00 "x"`) // neither topic nor alias
      await client.expectDisconnect(0x82)

      const refused = await t.open()
      refused.send(packet`
        10 'MQTT' 05 02 0000
        0c 27 0000000a  -- Maximum Packet Size 10
        15 'none'       -- an Authentication Method that nobody has
        'x'
      `)
      const { packet: connack, bytes: wire } = await refused.expectWithBytes("connack")
      assert.isAtLeast(connack.reasonCode ?? 0, 0x80)
      assert.isAtMost(wire.length, 10)
      await refused.expectClosed()
    }
  )

  v5(["3.14.2-3", "3.14.2-4", "3.1.2-24"], "DISCONNECT fits even a client that takes very small packets", async (t) => {
    const client = await t.connect({ properties: { maximumPacketSize: 60 } })
    client.send(packet`e0 ff`) // no DISCONNECT reason code
    await client.expectDisconnect(0x81, 0x82)
  })

  v5(
    ["3.1.2-29"],
    "without Request Problem Information no packet but PUBLISH, CONNACK and DISCONNECT explains itself",
    async (t) => {
      // Every answer is looked at as it comes in.
      const client = await t.connect({ properties: { requestProblemInformation: false } })
      await client.publish({ topic: t.name("/nobody"), qos: 1 })
      await client.publish({ topic: t.name("/nobody"), qos: 2 })
      await client.publish({ topic: `$SYS/${t.name("/forged")}`, qos: 1 })
      await client.publish({ topic: `$SYS/${t.name("/forged")}`, qos: 2 })
      client.send(bytes`62 02 4321`) // a PUBREL for nothing
      await client.expect("pubcomp")
      await client.unsubscribe(t.name("/never"))
      const topic = t.name("/own")
      await client.subscribe({ topic, qos: 1 })
      await client.publish({ topic, qos: 0, properties: { userProperties: { a: "b" } } })
      const { properties } = await client.take("publish")
      assert.deepEqual({ ...properties?.userProperties }, { a: "b" })
    }
  )

  both(
    { v5: ["4.2-1", "1.5.5-1"], v311: ["7.1.1-1"] },
    "many packets in one write, cut anywhere, are all processed",
    async (t) => {
      const topic = t.name("/many")
      const client = await t.connect()
      await client.subscribe({ topic, qos: 0 })
      const publish = packet`30 ${utf8String(topic)} ${t.noProperties} "x"`
      const many = Buffer.concat(Array.from({ length: 100 }, () => publish))
      for (let at = 0; at < many.length; at += 97) client.send(many.subarray(at, at + 97))
      for (let i = 0; i < 100; i++) await client.expectMessage({ topic, payload: "x" })
      await client.expectNothing()
    }
  )

  v5(
    ["3.1.2-24", "3.2.2-19", "3.2.2-20"],
    "no CONNACK is larger than the client's maximum, however small",
    async (t) => {
      for (const maximumPacketSize of [1, 5, 10, 20]) {
        const client = await t.open()
        // The server may refuse such a client, or close the connection without a word.
        await client
          .connect({ clientId: t.name("tiny"), clean: true, properties: { maximumPacketSize } })
          .catch(() => undefined)
        client.send({ cmd: "pingreq" })
        assert.include([undefined, "pingresp"], (await client.next())?.cmd)
        client.drop()
      }
    }
  )
})
