import { bytes, packet } from "./Bytes.ts"
import { feature } from "./Conformance.ts"

feature("DISCONNECT and AUTH", ({ both, v5 }) => {
  both(
    { v5: ["3.14.4-2"], v311: ["3.14.4-3"] },
    "after a client's DISCONNECT the server closes the connection and says nothing",
    async (t) => {
      const client = await t.connect()
      client.send(bytes`e0 00`)
      await client.expectClosed()
    }
  )

  v5(["3.14.2-1"], "a DISCONNECT with any reason code of a client's is accepted", async (t) => {
    const codes = [0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99]
    for (const reasonCode of codes) {
      const client = await t.connect()
      client.send(Buffer.from([0xe0, 0x02, reasonCode, 0x00]))
      await client.expectClosed()
    }
  })

  v5(["3.14.2-1"], "a DISCONNECT with a Reason String and User Properties is accepted", async (t) => {
    const client = await t.connect()
    client.send(packet`e0 00 0b 1f 'x' 26 'a' 'b'`)
    await client.expectClosed()
  })

  both({ v5: ["3.14.4-1"], v311: ["3.14.4-3"] }, "what a client sends after DISCONNECT is not processed", async (t) => {
    const topic = t.name("/after")
    const subscriber = await t.connect()
    await subscriber.subscribe(topic)
    const client = await t.connect()
    client.send(bytes`e0 00`, { cmd: "publish", topic, payload: "after", qos: 0, dup: false, retain: false })
    await client.expectClosed()
    const publisher = await t.connect()
    await publisher.publish({ topic, payload: "marker", qos: 1 })
    await subscriber.expectMessage({ payload: "marker" })
  })

  v5(["3.15.1-1", "2.1.3-1"], "an AUTH with other flags than 0 ends the connection", async (t) => {
    const client = await t.connect()
    client.send(bytes`f1 00`)
    await client.expectDisconnect(0x81)
  })

  v5(
    ["4.12.0-7", "4.12.1-2", "4.13.1-1"],
    "an AUTH of a client that gave no Authentication Method ends the connection",
    async (t) => {
      const wrong = [
        bytes`f0 00`, // AUTH 0x00
        packet`f0 18 07 15 'none'`, // Continue authentication
        packet`f0 19 07 15 'none'` // Re-authenticate
      ]
      for (const packets of wrong) {
        const client = await t.connect()
        client.send(packets)
        await client.expectDisconnect(0x82, 0x81, 0x8c)
      }
    }
  )
})
