import { assert } from "vitest"
import { bytes, packet, utf8String } from "./Bytes.ts"
import { feature } from "./Conformance.ts"

feature("CONNECT", ({ both, v311, v5 }) => {
  both(
    { v5: ["3.1.4-5", "3.2.0-1", "3.2.2-8", "4.2-1"], v311: ["3.1.4-4", "3.2.0-1", "7.1.1-1", "7.0.0-2"] },
    "a good CONNECT over TCP is answered with CONNACK 0",
    async (t) => {
      const client = await t.open()
      client.send(packet`
        10
        'MQTT' ${Buffer.from([t.version])}
        02            -- Clean Start
        0000          -- no Keep Alive
        ${t.noProperties}
        ${utf8String(t.name("plain"))}
      `)
      const connack = await client.expect("connack")
      assert.strictEqual(t.version === 5 ? connack.reasonCode : connack.returnCode, 0)
      await client.expectNothing()
    }
  )

  both({ v5: ["4.2-1"], v311: ["7.1.1-1"] }, "packets that arrive a byte at a time are put together", async (t) => {
    const client = await t.open()
    const connect = packet`10 'MQTT' ${Buffer.from([t.version])} 02 0000 ${t.noProperties} ${utf8String(t.name("bytewise"))}`
    for (const byte of connect) client.send(Buffer.from([byte]))
    await client.expect("connack")
    await client.expectNothing()
  })

  both(
    { v5: ["3.1.0-1", "3.14.0-1", "4.13.1-1"], v311: ["3.1.0-1", "4.8.0-1"] },
    "a first packet that is not CONNECT ends the connection without an answer",
    async (t) => {
      const firsts = [
        bytes`c0 00`, // PINGREQ
        packet`30 'a' ${t.noProperties} "x"`, // PUBLISH
        packet`82 0001 ${t.noProperties} 'a' 00`, // SUBSCRIBE
        bytes`e0 00`, // DISCONNECT
        bytes`00 00`, // packet type 0 is reserved
        bytes`f0 00` // AUTH, or the reserved packet type 15 of MQTT 3.1.1
      ]
      for (const first of firsts) {
        const client = await t.open()
        client.send(first)
        await client.expectClosed()
      }
    }
  )

  both(
    { v5: ["3.1.0-2", "3.2.0-2", "4.13.1-1"], v311: ["3.1.0-2", "4.8.0-1"] },
    "a second CONNECT ends the connection",
    async (t) => {
      const client = await t.connect()
      client.send(packet`10 'MQTT' ${Buffer.from([t.version])} 02 0000 ${t.noProperties} 'second'`)
      await client.expectDisconnect(0x82)
    }
  )

  both({ v5: ["3.1.2-1"], v311: ["3.1.2-1"] }, "another protocol name ends the connection", async (t) => {
    const client = await t.open()
    client.send(packet`
        10
        'MQTX'        -- not "MQTT"
        ${Buffer.from([t.version])} 02 0000 ${t.noProperties} 'x'
      `)
    if (t.version === 5) {
      const answer = await client.expect("connack").catch(() => undefined)
      assert.include([undefined, 0x84], answer?.reasonCode)
    }
    await client.expectClosed()
  })

  v5(["3.1.2-2", "3.2.2-7", "4.13.2-1"], "protocol version 6 is refused", async (t) => {
    const client = await t.open()
    client.send(packet`
      10 'MQTT'
      06              -- there is no MQTT 6
      02 0000 00 'x'
    `)
    const connack = await client.expect("connack")
    assert.strictEqual(connack.reasonCode, 0x84)
    assert.isFalse(connack.sessionPresent)
    await client.expectClosed()
  })

  v311(["3.1.2-2", "3.2.2-4", "3.2.2-5"], "protocol level 2 is refused with return code 1", async (t) => {
    const client = await t.open()
    client.send(packet`
      10 'MQTT'
      02              -- there was no level 2
      02 0000 'x'
    `)
    const connack = await client.expect("connack")
    assert.strictEqual(connack.returnCode, 1)
    assert.isFalse(connack.sessionPresent)
    await client.expectClosed()
  })

  both(
    { v5: ["3.1.2-3", "3.1.4-1"], v311: ["3.1.2-3", "3.1.4-1", "3.2.2-6"] },
    "the reserved connect flag must be 0",
    async (t) => {
      const client = await t.open()
      client.send(packet`
        10 'MQTT' ${Buffer.from([t.version])}
        03            -- Clean Start and the reserved bit 0
        0000 ${t.noProperties} 'x'
      `)
      await client.expectRefused(0x81)
    }
  )

  both(
    { v5: ["2.1.3-1"], v311: ["2.2.2-1", "2.2.2-2"] },
    "the flags of the CONNECT's fixed header must be 0",
    async (t) => {
      const client = await t.open()
      client.send(packet`
        11            -- CONNECT with flag bit 0 set
        'MQTT' ${Buffer.from([t.version])} 02 0000 ${t.noProperties} 'x'
      `)
      // The version is not known before the fixed header has been accepted, so the end may come without a CONNACK.
      const answer = await client.expect("connack").catch(() => undefined)
      assert.include([undefined, 0x81], answer?.reasonCode)
      await client.expectClosed()
    }
  )

  both(
    { v5: ["3.1.2-11", "3.1.2-13"], v311: ["3.1.2-11", "3.1.2-13", "3.1.2-15", "3.1.4-1"] },
    "without the Will Flag, Will QoS and Will Retain must be 0",
    async (t) => {
      for (const flags of [bytes`0a`, bytes`12`, bytes`22`]) {
        const client = await t.open()
        client.send(packet`
          10 'MQTT' ${Buffer.from([t.version])}
          ${flags}    -- Clean Start and Will QoS 1, Will QoS 2 or Will Retain
          0000 ${t.noProperties} 'x'
        `)
        await client.expectRefused(0x81)
      }
    }
  )

  both({ v5: ["3.1.2-12"], v311: ["3.1.2-14", "3.1.4-1"] }, "a Will QoS of 3 is refused", async (t) => {
    const client = await t.open()
    client.send(packet`
        10 'MQTT' ${Buffer.from([t.version])}
        1e            -- Clean Start, Will Flag, Will QoS 3
        0000 ${t.noProperties} 'x'
        ${t.noProperties} 'will' 0000
      `)
    await client.expectRefused(0x81)
  })

  both(
    { v5: ["3.1.2-9", "3.1.3-1", "3.1.4-1"], v311: ["3.1.2-9", "3.1.3-1", "3.1.4-1"] },
    "with the Will Flag, the will must be in the payload",
    async (t) => {
      const client = await t.open()
      client.send(packet`
        10 'MQTT' ${Buffer.from([t.version])}
        06            -- Clean Start, Will Flag
        0000 ${t.noProperties} 'x'
                      -- and no will
      `)
      await client.expectRefused(0x81)
    }
  )

  both(
    { v5: ["3.1.2-16", "3.1.2-18", "3.1.4-1"], v311: ["3.1.2-11", "3.1.2-18", "3.1.2-20", "3.1.4-1"] },
    "fields that no flag announces are refused",
    async (t) => {
      const client = await t.open()
      client.send(packet`
        10 'MQTT' ${Buffer.from([t.version])}
        02            -- Clean Start, and no other field
        0000 ${t.noProperties} 'x'
        'surplus'     -- which no flag announces
      `)
      await client.expectRefused(0x81)
    }
  )

  both(
    { v5: ["3.1.2-17", "3.1.4-1"], v311: ["3.1.2-19", "3.1.4-1"] },
    "with the User Name Flag, the user name must be there",
    async (t) => {
      const client = await t.open()
      client.send(packet`
        10 'MQTT' ${Buffer.from([t.version])}
        82            -- Clean Start, User Name Flag
        0000 ${t.noProperties} 'x'
      `)
      await client.expectRefused(0x81)
    }
  )

  both(
    { v5: ["3.1.2-19", "3.1.4-1"], v311: ["3.1.2-21", "3.1.4-1"] },
    "with the Password Flag, the password must be there",
    async (t) => {
      const client = await t.open()
      client.send(packet`
        10 'MQTT' ${Buffer.from([t.version])}
        c2            -- Clean Start, User Name Flag, Password Flag
        0000 ${t.noProperties} 'x'
        'user'
      `)
      await client.expectRefused(0x81)
    }
  )

  v311(["3.1.2-22", "3.1.4-1"], "a password without a user name is refused", async (t) => {
    const client = await t.open()
    client.send(packet`
      10 'MQTT' 04
      42              -- Clean Session, Password Flag
      0000 'x' 'secret'
    `)
    await client.expectClosed()
  })

  both(
    { v5: ["3.1.3-1", "3.1.3-3"], v311: ["3.1.3-1", "3.1.3-3"] },
    "a CONNECT with every field in its order is accepted",
    async (t) => {
      const client = await t.open()
      const clientId = t.name("everything")
      await client.connect({
        clientId,
        clean: true,
        keepalive: 60,
        username: "user",
        password: Buffer.from("secret"),
        will: { topic: t.name("/will"), payload: Buffer.from("gone"), qos: 1, retain: false }
      })
      await client.expectNothing()
    }
  )

  both(
    { v5: ["3.1.3-3", "3.1.4-1"], v311: ["3.1.3-3", "3.1.4-1"] },
    "a CONNECT without Client Identifier is refused",
    async (t) => {
      const client = await t.open()
      client.send(packet`
        10 'MQTT' ${Buffer.from([t.version])} 02 0000 ${t.noProperties}
                      -- and nothing where the Client Identifier belongs
      `)
      await client.expectRefused(0x81)
    }
  )

  both(
    { v5: ["3.1.3-5"], v311: ["3.1.3-5"] },
    "Client Identifiers of 1 to 23 digits and letters are accepted",
    async (t) => {
      const alphabet = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
      for (const clientId of ["z", alphabet.slice(0, 23), alphabet.slice(23, 46), alphabet.slice(-23)]) {
        const client = await t.connect({ clientId: t.version === 5 ? clientId : clientId.replace(/.$/, "4") })
        await client.expectNothing()
        await client.disconnect()
      }
    }
  )

  v5(
    ["3.1.3-6", "3.1.3-7", "3.2.2-16"],
    "an empty Client Identifier gets one of its own, which CONNACK tells and which works",
    async (t) => {
      const assigned: Array<string> = []
      for (const clean of [true, false]) {
        const client = await t.open()
        client.send(packet`
          10 'MQTT' 05 ${clean ? bytes`02` : bytes`00`} 0000
          05 11 0000003c -- Session Expiry Interval 60
          ''
        `)
        const { properties, sessionPresent } = await client.expect("connack")
        assert.isFalse(sessionPresent)
        assert.isNotEmpty(properties?.assignedClientIdentifier)
        assigned.push(properties!.assignedClientIdentifier!)
        await client.disconnect()
      }
      assert.notStrictEqual(assigned[0], assigned[1])
      const { sessionPresent } = await t.resume({ clientId: assigned[0]! })
      assert.isTrue(sessionPresent)
    }
  )

  v311(["3.1.3-6"], "empty Client Identifiers do not disturb each other", async (t) => {
    const first = await t.connect({ clientId: "" })
    const second = await t.connect({ clientId: "" })
    await first.expectNothing()
    await second.expectNothing()
  })

  v311(
    ["3.1.3-8", "3.1.3-9", "3.2.2-4", "3.2.2-5"],
    "an empty Client Identifier without Clean Session is refused with return code 2",
    async (t) => {
      const client = await t.open()
      client.send(packet`
        10 'MQTT' 04
        00            -- no Clean Session
        0000 ''
      `)
      const connack = await client.expect("connack")
      assert.strictEqual(connack.returnCode, 2)
      assert.isFalse(connack.sessionPresent)
      await client.expectClosed()
    }
  )

  both(
    { v5: ["3.1.3-8", "3.2.2-6", "3.2.2-7"], v311: ["3.1.3-9", "3.2.2-4", "3.2.2-5"] },
    "an overlong Client Identifier is rejected with the code that says so",
    async (t) => {
      const client = await t.open()
      const connack = await client.connect({ clientId: "x".repeat(60_000), clean: true })
      assert.strictEqual(t.version === 5 ? connack.reasonCode : connack.returnCode, t.version === 5 ? 0x85 : 2)
      assert.isFalse(connack.sessionPresent)
      await client.expectClosed()
    }
  )

  both(
    { v5: ["3.1.4-6"], v311: ["3.1.4-5"] },
    "what follows a rejected CONNECT in the same bytes is not processed",
    async (t) => {
      const topic = t.name("/after")
      const subscriber = await t.connect()
      await subscriber.subscribe(topic)
      const rejected = await t.open()
      rejected.send(
        packet`
          10 'MQTT' ${Buffer.from([t.version])}
          03          -- Clean Start and the reserved bit 0
          0000 ${t.noProperties} 'x'
        `,
        { cmd: "publish", topic, payload: "intruder", qos: 0, dup: false, retain: false }
      )
      await rejected.expectRefused(0x81)
      const publisher = await t.connect()
      await publisher.publish({ topic, payload: "proper" })
      await subscriber.expectMessage({ payload: "proper" })
    }
  )

  v5(["3.2.2-1"], "the bits of the Connect Acknowledge Flags above Session Present are 0", async (t) => {
    const client = await t.open()
    client.send(packet`10 'MQTT' 05 02 0000 00 'flags'`)
    const { bytes: connack } = await client.expectWithBytes("connack")
    assert.strictEqual(connack[2], 0)
  })

  both(
    { v5: ["3.1.4-3", "3.14.2-1", "3.14.2-2", "3.14.4-2"], v311: ["3.1.4-2"] },
    "a second client with the same identifier takes over from the first",
    async (t) => {
      const clientId = t.name("same")
      const first = await t.connect({ clientId })
      const second = await t.connect({ clientId })
      await first.expectDisconnect(0x8e)
      await second.expectNothing()
    }
  )

  v5(["3.1.2-28"], "Response Information is not sent unless requested", async (t) => {
    for (const properties of [{}, { requestResponseInformation: false }]) {
      const client = await t.open()
      const connack = await client.connect({ clientId: t.name("quiet"), clean: true, properties })
      assert.isUndefined(connack.properties?.responseInformation)
      await client.disconnect()
    }
  })

  v5(["4.12.0-6"], "CONNACK has no Authentication Method when CONNECT had none", async (t) => {
    const client = await t.open()
    const connack = await client.connect({ clientId: t.name("plain"), clean: true })
    assert.isUndefined(connack.properties?.authenticationMethod)
    assert.isUndefined(connack.properties?.authenticationData)
  })

  v5(
    ["3.1.4-2", "3.2.2-6", "3.2.2-7", "4.12.0-1", "4.12.0-4", "4.13.2-1"],
    "an unknown Authentication Method is refused",
    async (t) => {
      const client = await t.open()
      client.send(packet`
        10 'MQTT' 05 02 0000
        07 15 'none'  -- Authentication Method "none"
        'x'
      `)
      await client.expectRefused(0x8c, 0x87)
    }
  )

  v5(["4.13.1-1", "3.1.4-1"], "property values that CONNECT does not allow are refused", async (t) => {
    const protocolErrors = [
      bytes`03 21 0000`, // Receive Maximum 0
      bytes`05 27 00000000`, // Maximum Packet Size 0
      bytes`02 19 02`, // Request Response Information is 0 or 1
      bytes`02 17 02`, // Request Problem Information is 0 or 1
      bytes`04 16 0001 "x"`, // Authentication Data without Authentication Method
      bytes`0a 11 00000001 11 00000001`, // Session Expiry Interval twice
      bytes`06 21 0001 21 0001`, // Receive Maximum twice
      bytes`0a 27 00000064 27 00000064`, // Maximum Packet Size twice
      bytes`06 22 0001 22 0001`, // Topic Alias Maximum twice
      bytes`04 17 01 17 01`, // Request Problem Information twice
      bytes`04 19 01 19 01` // Request Response Information twice
    ]
    for (const properties of protocolErrors) {
      const client = await t.open()
      client.send(packet`10 'MQTT' 05 02 0000 ${properties} 'x'`)
      await client.expectRefused(0x82)
    }
  })

  v5(["4.13.1-1", "3.1.4-1"], "properties that do not belong in a CONNECT are malformed", async (t) => {
    const malformed = [
      bytes`02 01 00`, // Payload Format Indicator
      bytes`03 23 0001`, // Topic Alias
      bytes`02 0b 01`, // Subscription Identifier
      bytes`05 02 0000003c`, // Message Expiry Interval
      bytes`05 18 00000001`, // Will Delay Interval, which belongs to the will
      bytes`02 7f 00`, // an identifier that no property has
      bytes`ff ff ff 7f`, // a Property Length beyond the packet
      bytes`03 11 0000` // a Session Expiry Interval of two bytes
    ]
    for (const properties of malformed) {
      const client = await t.open()
      client.send(packet`10 'MQTT' 05 02 0000 ${properties} 'x'`)
      await client.expectRefused(0x81)
    }
  })

  v5(["4.13.1-1", "3.1.4-1"], "a will with a property given twice is refused", async (t) => {
    const client = await t.open()
    client.send(packet`
      10 'MQTT' 05 06 0000 00 'x'
      0a 18 00000001 18 00000001 -- Will Delay Interval twice
      'will' 0000
    `)
    await client.expectRefused(0x82)
  })

  both(
    { v5: ["1.5.4-1", "1.5.4-2", "3.1.3-4"], v311: ["1.5.3-1", "1.5.3-2", "3.1.3-4"] },
    "a Client Identifier that is not proper UTF-8 is refused",
    async (t) => {
      const wrong = [
        bytes`0001 80`, // a continuation byte alone
        bytes`0002 c0 80`, // U+0000 in two bytes
        bytes`0003 ed a0 80`, // the surrogate U+D800
        bytes`0001 00` // U+0000
      ]
      for (const clientId of wrong) {
        const client = await t.open()
        client.send(packet`10 'MQTT' ${Buffer.from([t.version])} 02 0000 ${t.noProperties} ${clientId}`)
        await client.expectRefused(0x81, 0x85)
      }
    }
  )

  both(
    { v5: ["1.5.4-1", "3.1.3-11"], v311: ["1.5.3-1", "3.1.3-10"] },
    "a Will Topic that is not proper UTF-8 is refused",
    async (t) => {
      const client = await t.open()
      client.send(packet`
        10 'MQTT' ${Buffer.from([t.version])} 06 0000 ${t.noProperties} 'x'
        ${t.noProperties}
        0002 c3 28    -- the first byte of two, and then not the second
        0000
      `)
      await client.expectRefused(0x81)
    }
  )

  both(
    { v5: ["1.5.4-1", "3.1.3-12"], v311: ["1.5.3-1", "3.1.3-11"] },
    "a user name that is not proper UTF-8 is refused",
    async (t) => {
      const client = await t.open()
      client.send(packet`
        10 'MQTT' ${Buffer.from([t.version])} 82 0000 ${t.noProperties} 'x'
        0001 ff       -- a byte that UTF-8 never has
      `)
      await client.expectRefused(0x81)
    }
  )

  both(
    { v5: ["4.7.0-1", "4.7.3-1"], v311: ["4.7.1-1", "4.7.3-1"] },
    "a Will Topic that is empty or has a wildcard is refused",
    async (t) => {
      for (const topic of [bytes`''`, bytes`'a/#'`, bytes`'+'`]) {
        const client = await t.open()
        client.send(packet`
          10 'MQTT' ${Buffer.from([t.version])} 06 0000 ${t.noProperties} 'x'
          ${t.noProperties} ${topic} 0000
        `)
        await client.expectRefused(0x81, 0x82, 0x90)
      }
    }
  )

  both({ v5: ["3.1.4-1"], v311: ["3.1.4-1", "3.2.2-6"] }, "a CONNECT that ends too early is refused", async (t) => {
    const whole = packet`10 'MQTT' ${Buffer.from([t.version])} 02 0000 ${t.noProperties} 'abc'`.subarray(2)
    // From the Protocol Level on, so that it is known in which version to answer.
    for (let length = 7; length < whole.length; length++) {
      const client = await t.open()
      client.send(packet`10 ${whole.subarray(0, length)}`)
      await client.expectRefused(0x81)
    }
  })

  both(
    { v5: ["4.13.1-1"], v311: ["4.8.0-1"] },
    "a Remaining Length of more than four bytes ends the connection",
    async (t) => {
      const client = await t.open()
      client.send(bytes`10 ff ff ff ff`)
      await client.expectClosed()
    }
  )

  both(
    { v5: ["3.2.0-1", "4.5.0-1"], v311: ["3.2.0-1", "4.5.0-1"] },
    "packets right behind CONNECT in the same bytes are processed after it",
    async (t) => {
      const sessions = [
        { flags: bytes`02`, properties: t.noProperties }, // Clean Start: the session ends with its connection
        // and a session that outlives it
        { flags: bytes`00`, properties: t.version === 5 ? bytes`05 11 00000258` : t.noProperties }
      ]
      for (const { flags, properties } of sessions) {
        const topic = t.name("/hasty")
        const client = await t.open()
        client.send(
          packet`10 'MQTT' ${Buffer.from([t.version])} ${flags} 0000 ${properties} ${utf8String(t.name("hasty"))}`,
          packet`82 0001 ${t.noProperties} ${utf8String(topic)} 01`,
          packet`32 ${utf8String(topic)} 0002 ${t.noProperties} "hasty"`,
          bytes`c0 00`
        )
        await client.expect("connack")
        assert.deepEqual((await client.take("suback")).granted, [1])
        assert.strictEqual((await client.take("puback")).messageId, 2)
        assert.strictEqual((await client.take("publish")).payload.toString(), "hasty")
        await client.take("pingresp")
        await client.disconnect()
      }
    }
  )

  both(
    { v5: ["4.5.0-1", "3.14.4-2"], v311: ["4.5.0-1"] },
    "a message right before the end of its connection is delivered",
    async (t) => {
      const topic = t.name("/last")
      const subscriber = await t.connect()
      await subscriber.subscribe(topic)
      const publish = (payload: string) => packet`30 ${utf8String(topic)} ${t.noProperties} ${Buffer.from(payload)}`
      const polite = await t.connect()
      polite.send(publish("before DISCONNECT"), bytes`e0 00`)
      polite.end()
      await subscriber.expectMessage({ payload: "before DISCONNECT" })
      const curt = await t.connect()
      curt.send(publish("before the end"))
      curt.end()
      await subscriber.expectMessage({ payload: "before the end" })
      await curt.expectClosed()
    }
  )
})
