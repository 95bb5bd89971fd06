import { assert } from "vitest"
import { bytes, packet, utf8String } from "./Bytes.ts"
import { feature } from "./Conformance.ts"

feature("Properties of messages", ({ v5 }) => {
  v5(
    ["3.3.2-4", "3.3.2-15", "3.3.2-16", "3.3.2-17", "3.3.2-18", "3.3.2-20"],
    "what the publisher says of a message reaches every subscriber unaltered, User Properties in their order",
    async (t) => {
      const topic = t.name("/properties")
      const options = { clientId: t.name("durable"), clean: false, properties: { sessionExpiryInterval: 600 } }
      const userProperties = bytes`26 'b' '1' 26 'a' '' 26 'b' '2' 26 '' 'c'`
      const live = await t.connect()
      await live.subscribe(topic)
      const away = await t.connect(options)
      await away.subscribe(topic)
      await away.disconnect()
      const publisher = await t.connect()
      publisher.send(packet`
        33 ${utf8String(topic)} 0001
        3d                            -- 61 bytes of properties
        01 01                         -- Payload Format Indicator: text
        03 'text/plain'               -- Content Type
        08 'answers/to'               -- Response Topic
        09 0004 00 ff 80 0a           -- Correlation Data
        ${userProperties}
        "payload"
      `)
      await publisher.expect("puback")
      const { client: back } = await t.resume(options)
      const late = await t.connect()
      await late.subscribe(topic)
      for (const subscriber of [live, back, late]) {
        const { packet: publish, bytes: wire } = await subscriber.expectWithBytes("publish")
        assert.strictEqual(publish.payload.toString(), "payload")
        assert.isTrue(publish.properties?.payloadFormatIndicator)
        assert.strictEqual(publish.properties?.contentType, "text/plain")
        assert.strictEqual(publish.properties?.responseTopic, "answers/to")
        assert.deepEqual(publish.properties?.correlationData, Buffer.from([0, 0xff, 0x80, 0x0a]))
        assert.isTrue(wire.includes(userProperties), "User Properties in their order")
      }
    }
  )

  v5(["3.3.2-4"], "a Payload Format Indicator of 0 and an absent one mean the same", async (t) => {
    const topic = t.name("/bytes")
    const subscriber = await t.connect()
    await subscriber.subscribe(topic)
    const publisher = await t.connect()
    for (const payloadFormatIndicator of [false, undefined]) {
      await publisher.publish({
        topic,
        qos: 1,
        properties: payloadFormatIndicator === undefined ? {} : { payloadFormatIndicator }
      })
      const { properties } = await subscriber.expectMessage()
      assert.isNotTrue(properties?.payloadFormatIndicator)
    }
  })

  v5(
    ["2.2.2-1"],
    "a subscriber of MQTT 3.1.1 gets the message without them, one of 5.0 with a Property Length of 0",
    async (t) => {
      const topic = t.name("/both")
      const old = await t.connect({}, 4)
      await old.subscribe({ topic, qos: 0 })
      const young = await t.connect({}, 5)
      await young.subscribe({ topic, qos: 0 })
      const publisher = await t.connect()
      await publisher.publish({ topic, payload: "x", properties: { contentType: "text/plain" } })
      const { bytes: plain } = await old.expectWithBytes("publish")
      assert.deepEqual(plain, packet`30 ${utf8String(topic)} "x"`)
      const { packet: rich } = await young.expectWithBytes("publish")
      assert.strictEqual(rich.properties?.contentType, "text/plain")
      await (await t.connect({}, 4)).publish({ topic, payload: "y" })
      const { bytes: empty } = await young.expectWithBytes("publish")
      assert.deepEqual(empty, packet`30 ${utf8String(topic)} 00 "y"`)
    }
  )

  v5(["2.2.2-1", "4.13.1-1"], "a packet that lacks its Property Length is malformed", async (t) => {
    for (const wrong of [
      packet`30 'a'`, // PUBLISH
      packet`82 0001`, // SUBSCRIBE
      packet`a2 0001` // UNSUBSCRIBE
    ]) {
      const client = await t.connect()
      client.send(wrong)
      await client.expectDisconnect(0x81)
    }
  })

  v5(["3.3.2-6"], "the Message Expiry Interval is passed on, less the time that the message waited", async (t) => {
    const topic = t.name("/expiry")
    const options = { clientId: t.name("durable"), clean: false, properties: { sessionExpiryInterval: 600 } }
    const live = await t.connect()
    await live.subscribe(topic)
    const away = await t.connect(options)
    await away.subscribe(topic)
    await away.disconnect()
    const publisher = await t.connect()
    await publisher.publish({ topic, qos: 1, properties: { messageExpiryInterval: 100 } })
    const { properties: atOnce } = await live.expectMessage()
    assert.include([99, 100], atOnce?.messageExpiryInterval)
    await t.brokerSeconds(2)
    const { client } = await t.resume(options)
    const { properties: later } = await client.expectMessage()
    assert.isAtMost(later?.messageExpiryInterval ?? Infinity, 98)
    assert.isAtLeast(later?.messageExpiryInterval ?? 0, 90)
  })

  v5(["3.3.2-5"], "a message that expired before it could be delivered is dropped", async (t) => {
    const topic = t.name("/expired")
    const options = { clientId: t.name("durable"), clean: false, properties: { sessionExpiryInterval: 600 } }
    const away = await t.connect(options)
    await away.subscribe(topic)
    await away.disconnect()
    const publisher = await t.connect()
    await publisher.publish({ topic, payload: "stale", qos: 1, properties: { messageExpiryInterval: 1 } })
    await publisher.publish({ topic, payload: "fresh", qos: 1, properties: { messageExpiryInterval: 600 } })
    await publisher.publish({ topic, payload: "timeless", qos: 1 })
    await t.brokerSeconds(2)
    const { client } = await t.resume(options)
    await client.expectMessage({ payload: "fresh" })
    const { properties } = await client.expectMessage({ payload: "timeless" })
    assert.isUndefined(properties?.messageExpiryInterval)
    await client.expectNothing()
  })

  v5(["3.3.2-5", "4.9.0-2"], "a message that expires while the window is full is dropped", async (t) => {
    const topic = t.name("/window")
    const subscriber = await t.connect({ properties: { receiveMaximum: 1 } })
    await subscriber.subscribe({ topic, qos: 1 })
    const publisher = await t.connect()
    await publisher.publish({ topic, payload: "first", qos: 1 })
    await publisher.publish({ topic, payload: "stale", qos: 1, properties: { messageExpiryInterval: 1 } })
    await publisher.publish({ topic, payload: "last", qos: 1 })
    const first = await subscriber.expectPublish({ payload: "first" })
    await t.brokerSeconds(2)
    await subscriber.acknowledge(first)
    await subscriber.expectMessage({ payload: "last" })
  })

  v5(["4.3.3-7", "4.4.0-1"], "a QoS 2 message that has been sent does not expire", async (t) => {
    const topic = t.name("/sent")
    const options = { clientId: t.name("durable"), clean: false, properties: { sessionExpiryInterval: 600 } }
    const first = await t.connect(options)
    await first.subscribe(topic)
    const publisher = await t.connect()
    await publisher.publish({ topic, payload: "sent", qos: 2, properties: { messageExpiryInterval: 1 } })
    await first.expectPublish({ payload: "sent" })
    first.drop()
    await t.brokerSeconds(2)
    const { client } = await t.resume(options)
    await client.expectMessage({ payload: "sent", qos: 2, dup: true })
  })

  v5(["4.3.3-13"], "a publisher's QoS 2 exchange goes on after its message has expired", async (t) => {
    const client = await t.connect()
    const topic = t.name("/late")
    client.sendPublish({ topic, payload: "late", qos: 2, messageId: 4, properties: { messageExpiryInterval: 1 } })
    await client.take("pubrec", 4)
    await t.brokerSeconds(2)
    client.send({ cmd: "pubrel", messageId: 4 })
    const { reasonCode } = await client.take("pubcomp", 4)
    assert.strictEqual(reasonCode ?? 0, 0)
  })

  v5(["3.3.2-14", "4.13.1-1"], "a Response Topic with a wildcard ends the connection", async (t) => {
    for (const responseTopic of ["answers/#", "+", "a/+/b"]) {
      const client = await t.connect()
      client.sendPublish({ topic: t.name("/request"), properties: { responseTopic } })
      await client.expectDisconnect(0x81, 0x82, 0x90)
    }
  })

  v5(
    ["3.3.2-13", "3.3.2-19", "1.5.7-1", "1.5.4-1"],
    "a string in a property that is not proper UTF-8 ends the connection",
    async (t) => {
      const malformed = [
        bytes`04 08 0001 ff`, // Response Topic
        bytes`04 03 0001 ff`, // Content Type
        bytes`07 26 0001 ff 0001 "v"`, // the name of a User Property
        bytes`07 26 0001 "n" 0001 ff`, // the value of a User Property
        bytes`07 26 0001 00 0001 "v"` // U+0000 in one
      ]
      for (const properties of malformed) {
        const client = await t.connect()
        client.send(packet`30 'a' ${properties} "x"`)
        await client.expectDisconnect(0x81)
      }
    }
  )

  v5(["4.13.1-1"], "a property that is given twice ends the connection", async (t) => {
    const twice = [
      bytes`04 01 00 01 00`, // Payload Format Indicator
      bytes`0a 02 00000001 02 00000001`, // Message Expiry Interval
      bytes`08 03 'a' 03 'b'`, // Content Type
      bytes`08 08 'a' 08 'b'`, // Response Topic
      bytes`08 09 'a' 09 'b'` // Correlation Data
    ]
    for (const properties of twice) {
      const client = await t.connect()
      client.send(packet`30 'a' ${properties} "x"`)
      await client.expectDisconnect(0x82)
    }
  })

  v5(["4.13.1-1"], "a property that does not belong in a PUBLISH is malformed", async (t) => {
    const malformed = [
      bytes`05 11 00000001`, // Session Expiry Interval
      bytes`04 1f 'x'`, // Reason String
      bytes`03 21 0001`, // Receive Maximum
      bytes`02 7f 00`, // an identifier that no property has
      bytes`7f 01 00`, // a Property Length beyond the packet
      bytes`01 01` // a Payload Format Indicator without its byte
    ]
    for (const properties of malformed) {
      const client = await t.connect()
      client.send(packet`30 'a' ${properties}`)
      await client.expectDisconnect(0x81)
    }
  })

  v5(["3.3.4-6", "4.13.1-1"], "a Subscription Identifier in a client's PUBLISH ends the connection", async (t) => {
    const client = await t.connect()
    client.send(packet`30 'a' 02 0b 01 "x"`)
    await client.expectDisconnect(0x82, 0x81)
  })

  v5(["1.5.5-1"], "a Variable Byte Integer in more bytes than it needs is malformed", async (t) => {
    const wrong = [
      bytes`c0 80 00`, // PINGREQ with a Remaining Length of 0 in two bytes
      packet`30 'a' 80 00 "x"`, // PUBLISH with a Property Length of 0 in two bytes
      packet`82 0001 03 0b 81 00 'a' 00` // SUBSCRIBE with a Subscription Identifier of 1 in two bytes
    ]
    for (const packets of wrong) {
      const client = await t.connect()
      client.send(packets)
      await client.expectDisconnect(0x81)
    }
  })
})
