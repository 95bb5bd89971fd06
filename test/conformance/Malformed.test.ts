import { bytes, packet } from "./Bytes.ts"
import { feature } from "./Conformance.ts"

feature("Malformed packets and protocol errors", ({ both, v311, v5 }) => {
  both(
    { v5: ["2.1.3-1", "4.13.1-1"], v311: ["2.2.2-1", "2.2.2-2", "4.8.0-1"] },
    "reserved flags in the fixed header end the connection",
    async (t) => {
      const wrong = [
        bytes`41 02 0001`, // PUBACK
        bytes`52 02 0001`, // PUBREC
        bytes`74 02 0001`, // PUBCOMP
        bytes`c1 00`, // PINGREQ
        bytes`c8 00` // PINGREQ
      ]
      for (const packets of wrong) {
        const client = await t.connect()
        client.send(packets)
        await client.expectDisconnect(0x81)
      }
    }
  )

  both({ v5: ["3.6.1-1"], v311: ["3.6.1-1"] }, "a PUBREL with other flags than 0010 ends the connection", async (t) => {
    for (const packets of [bytes`60 02 0001`, bytes`63 02 0001`, bytes`66 02 0001`, bytes`6a 02 0001`]) {
      const client = await t.connect()
      client.send(packets)
      await client.expectDisconnect(0x81)
    }
  })

  both(
    { v5: ["3.14.1-1"], v311: ["3.14.1-1"] },
    "a DISCONNECT with reserved bits set ends the connection",
    async (t) => {
      for (const packets of [bytes`e1 00`, bytes`e2 00`, bytes`e8 00`]) {
        const client = await t.connect()
        client.send(packets)
        await client.expectDisconnect(0x81)
      }
    }
  )

  both({ v5: ["3.3.1-4"], v311: ["3.3.1-4"] }, "a PUBLISH with both QoS bits set ends the connection", async (t) => {
    const client = await t.connect()
    client.send(packet`
        36            -- PUBLISH with QoS 3
        'a' 0001 ${t.noProperties} "x"
      `)
    await client.expectDisconnect(0x81)
  })

  both({ v5: ["3.3.1-2"], v311: ["3.3.1-2"] }, "a PUBLISH at QoS 0 with DUP ends the connection", async (t) => {
    const client = await t.connect()
    client.send(packet`
        38            -- PUBLISH with QoS 0 and DUP
        'a' ${t.noProperties} "x"
      `)
    await client.expectDisconnect(0x81, 0x82)
  })

  both({ v5: ["4.13.1-1"], v311: ["4.8.0-1"] }, "packets that only a server sends end the connection", async (t) => {
    const wrong = [
      packet`20 00 00 ${t.noProperties}`, // CONNACK
      packet`90 0001 ${t.noProperties} 00`, // SUBACK
      t.version === 5 ? packet`b0 0001 00 00` : packet`b0 0001`, // UNSUBACK
      bytes`d0 00` // PINGRESP
    ]
    for (const packets of wrong) {
      const client = await t.connect()
      client.send(packets)
      await client.expectDisconnect(0x82, 0x81)
    }
  })

  both(
    { v5: ["4.13.1-1"], v311: ["2.2.2-2", "4.8.0-1"] },
    "the reserved packet type 0 ends the connection",
    async (t) => {
      const client = await t.connect()
      client.send(bytes`00 00`)
      await client.expectDisconnect(0x81, 0x82)
    }
  )

  v311(["4.8.0-1"], "packet type 15, which is reserved in MQTT 3.1.1, ends the connection", async (t) => {
    const client = await t.connect()
    client.send(bytes`f0 00`)
    await client.expectClosed()
  })

  both(
    { v5: ["4.13.1-1", "4.13.2-1"], v311: ["4.8.0-1"] },
    "a Remaining Length of more than four bytes ends the connection",
    async (t) => {
      const client = await t.connect()
      client.send(bytes`30 ff ff ff ff 01`)
      await client.expectDisconnect(0x81)
    }
  )

  both(
    { v5: ["4.13.1-1"], v311: ["4.8.0-1"] },
    "a packet that is shorter than its fields ends the connection",
    async (t) => {
      const wrong = [
        bytes`30 01 00`, // PUBLISH: half a length of the topic
        bytes`30 04 00 05 "ab"`, // PUBLISH: a topic of five bytes in two
        bytes`32 04 00 01 "a" 00`, // PUBLISH at QoS 1: half an identifier
        bytes`40 01 00`, // PUBACK: half an identifier
        bytes`40 00`, // PUBACK: none
        bytes`62 00`, // PUBREL: none
        bytes`82 01 00`, // SUBSCRIBE: half an identifier
        packet`82 0001 ${t.noProperties} 0005 "a" 00`, // SUBSCRIBE: a filter of five bytes in two
        packet`82 0001 ${t.noProperties} 'a'`, // SUBSCRIBE: a filter without options
        packet`a2 0001 ${t.noProperties} 0005 "a"` // UNSUBSCRIBE: a filter of five bytes in one
      ]
      for (const packets of wrong) {
        const client = await t.connect()
        client.send(packets)
        await client.expectDisconnect(0x81)
      }
    }
  )

  both(
    { v5: ["4.13.1-1"], v311: ["4.8.0-1"] },
    "a packet that is longer than its fields ends the connection",
    async (t) => {
      const wrong = [
        bytes`c0 01 00`, // PINGREQ with a byte
        t.version === 5 ? bytes`40 05 0001 00 00 00` : bytes`40 03 0001 00`, // PUBACK with a byte too many
        t.version === 5 ? bytes`62 05 0001 00 00 00` : bytes`62 03 0001 00`, // PUBREL with a byte too many
        t.version === 5 ? bytes`e0 03 00 00 00` : bytes`e0 01 00` // DISCONNECT with a byte too many
      ]
      for (const packets of wrong) {
        const client = await t.connect()
        client.send(packets)
        await client.expectDisconnect(0x81)
      }
    }
  )

  v5(["4.13.1-1"], "a reason code that the packet does not have ends the connection", async (t) => {
    const wrong = [
      bytes`40 03 0001 01`, // PUBACK 0x01
      bytes`40 03 0001 8e`, // PUBACK 0x8E
      bytes`50 03 0001 92`, // PUBREC 0x92
      bytes`62 03 0001 10`, // PUBREL 0x10
      bytes`70 03 0001 80`, // PUBCOMP 0x80
      bytes`e0 01 01`, // DISCONNECT 0x01
      bytes`e0 01 84` // DISCONNECT 0x84
    ]
    for (const packets of wrong) {
      const client = await t.connect()
      client.send(packets)
      await client.expectDisconnect(0x81, 0x82)
    }
  })

  v5(
    ["4.13.1-1"],
    "properties that do not belong in an acknowledgement or DISCONNECT end the connection",
    async (t) => {
      const wrong = [
        packet`40 0001 00 02 01 00`, // PUBACK with a Payload Format Indicator
        packet`50 0001 00 05 11 00000001`, // PUBREC with a Session Expiry Interval
        packet`e0 00 02 01 00`, // DISCONNECT with a Payload Format Indicator
        packet`e0 00 03 21 0001` // DISCONNECT with a Receive Maximum
      ]
      for (const packets of wrong) {
        const client = await t.connect()
        client.send(packets)
        await client.expectDisconnect(0x81)
      }
    }
  )

  v5(["4.13.1-1"], "a Session Expiry Interval given twice in a DISCONNECT ends the connection", async (t) => {
    const client = await t.connect({ properties: { sessionExpiryInterval: 60 } })
    client.send(packet`e0 00 0a 11 00000001 11 00000001`)
    await client.expectDisconnect(0x82)
  })

  v5(["4.13.1-1"], "an empty Topic Name without a Topic Alias is a Protocol Error", async (t) => {
    const client = await t.connect()
    client.send(packet`30 '' 00 "x"`)
    await client.expectDisconnect(0x82)
  })

  both({ v5: ["4.13.1-1"], v311: ["4.8.0-1"] }, "what breaks one connection does not touch another", async (t) => {
    const topic = t.name("/calm")
    const subscriber = await t.connect()
    await subscriber.subscribe(topic)
    const publisher = await t.connect()
    for (let i = 0; i < 5; i++) {
      const broken = await t.connect()
      broken.send(packet`30 ${bytes`0003 "a" 00 "b"`} ${t.noProperties} "x"`)
      await broken.expectDisconnect(0x81)
      await publisher.publish({ topic, payload: `${i}`, qos: 2 })
      await subscriber.expectMessage({ payload: `${i}` })
    }
  })

  both(
    { v5: ["4.13.1-1"], v311: ["4.8.0-1"] },
    "what precedes the malformed packet in the same bytes is processed, what follows is not",
    async (t) => {
      const topic = t.name("/before")
      const subscriber = await t.connect()
      await subscriber.subscribe(topic)
      const broken = await t.connect()
      const publish = (payload: string) =>
        ({ cmd: "publish", topic, payload, qos: 0, dup: false, retain: false }) as const
      broken.send(publish("before"), bytes`00 00`, publish("after"))
      await broken.expectDisconnect(0x81, 0x82)
      await subscriber.expectMessage({ payload: "before" })
      const publisher = await t.connect()
      await publisher.publish({ topic, payload: "marker", qos: 1 })
      await subscriber.expectMessage({ payload: "marker" })
    }
  )
})
