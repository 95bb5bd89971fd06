import { assert } from "vitest"
import { bytes, packet, utf8String } from "./Bytes.ts"
import { feature } from "./Conformance.ts"

feature("Topic Names and Topic Filters", ({ both }) => {
  both(
    { v5: ["4.7.1-1", "4.7.1-2", "3.3.2-3"], v311: ["4.7.1-2", "4.7.1-3", "3.3.2-3", "3.8.3-2"] },
    "filters match the topics that the standard says, and no others",
    async (t) => {
      const cases: ReadonlyArray<readonly [filter: string, matches: ReadonlyArray<string>]> = [
        ["/a/b", ["/a/b"]],
        ["/a/+", ["/a/b", "/a/", "/a/c"]],
        ["/a/#", ["/a", "/a/b", "/a/", "/a/c", "/a/b/c", "/a//c"]],
        ["/+/b", ["/a/b", "//b"]],
        ["/a/+/c", ["/a/b/c", "/a//c"]],
        ["/+", ["/a", "/A", "/"]],
        ["/+/+", ["/a/b", "/a/", "/a/c", "//b"]],
        ["/a/+/#", ["/a/b", "/a/", "/a/c", "/a/b/c", "/a//c"]],
        ["/", ["/"]],
        ["/#", ["", "/", "/a", "/A", "/a/b", "/a/", "/a/c", "/a/b/c", "/a//c", "//b"]]
      ]
      const topics = ["", "/", "/a", "/A", "/a/b", "/a/", "/a/c", "/a/b/c", "/a//c", "//b"]
      const publisher = await t.connect()
      for (const [filter, matches] of cases) {
        const subscriber = await t.connect()
        await subscriber.subscribe({ topic: t.name(filter), qos: 0 })
        await subscriber.subscribe({ topic: t.name("end"), qos: 0 })
        for (const topic of topics) publisher.sendPublish({ topic: t.name(topic), payload: "x" })
        publisher.sendPublish({ topic: t.name("end"), payload: "end" })
        const got = (await subscriber.messagesUntil("end")).map(({ topic }) => topic)
        assert.deepEqual(got, topics.filter((topic) => matches.includes(topic)).map(t.name), filter)
        await subscriber.disconnect()
      }
    }
  )

  both({ v5: ["4.7.1-2"], v311: ["4.7.1-3"] }, "`+` may be the first level", async (t) => {
    const last = t.name("last")
    const subscriber = await t.connect()
    await subscriber.subscribe(`+/${last}`)
    const publisher = await t.connect()
    await publisher.publish({ topic: `${t.name("any")}/${last}`, qos: 1 })
    await subscriber.expectMessage({ topic: `${t.name("any")}/${last}` })
    await publisher.publish({ topic: `/${last}`, qos: 1 })
    await subscriber.expectMessage({ topic: `/${last}` })
  })

  both(
    { v5: ["4.7.1-1", "4.7.1-2"], v311: ["4.7.1-2", "4.7.1-3", "4.8.0-1"] },
    "a filter with a misplaced wildcard is refused",
    async (t) => {
      for (const filter of ["a/#/b", "a#", "#a", "a/b#", "a+", "+a/b", "a/b+/c", "##", "++"]) {
        const client = await t.connect()
        client.send(packet`82 0001 ${t.noProperties} ${utf8String(filter)} 00`)
        await client.expectDisconnect(0x81, 0x82, 0x8f)
      }
    }
  )

  both(
    { v5: ["4.7.0-1", "3.3.2-2"], v311: ["4.7.1-1", "3.3.2-2"] },
    "a Topic Name with a wildcard is refused",
    async (t) => {
      for (const topic of ["a/#", "+/a", "a+b", "#"]) {
        const client = await t.connect()
        client.send(packet`30 ${utf8String(topic)} ${t.noProperties} "x"`)
        await client.expectDisconnect(0x81, 0x82, 0x90)
      }
    }
  )

  both({ v5: ["4.7.3-1"], v311: ["4.7.3-1"] }, "an empty Topic Name or filter is refused", async (t) => {
    const packets = [
      packet`30 '' ${t.noProperties} "x"`,
      packet`82 0001 ${t.noProperties} '' 00`,
      packet`a2 0001 ${t.noProperties} ''`
    ]
    for (const wrong of packets) {
      const client = await t.connect()
      client.send(wrong)
      await client.expectDisconnect(0x81, 0x82, 0x8f, 0x90)
    }
  })

  both(
    {
      v5: ["1.5.4-1", "1.5.4-2", "3.3.2-1", "3.8.3-1", "3.10.3-1", "4.7.3-2"],
      v311: ["1.5.3-1", "1.5.3-2", "3.3.2-1", "3.8.3-1", "3.10.3-1", "4.7.3-2"]
    },
    "a Topic Name or filter that is not proper UTF-8 is refused",
    async (t) => {
      const wrong = [
        bytes`0003 "a" 00 "b"`, // U+0000
        bytes`0002 "a" ff`, // a byte that UTF-8 never has
        bytes`0001 c3`, // the first byte of two, alone
        bytes`0002 c1 81`, // "A" in two bytes instead of one
        bytes`0003 ed bf bf`, // the surrogate U+DFFF
        bytes`0004 f4 90 80 80` // beyond U+10FFFF
      ]
      for (const topic of wrong) {
        for (const packets of [
          packet`30 ${topic} ${t.noProperties} "x"`,
          packet`82 0001 ${t.noProperties} ${topic} 00`,
          packet`a2 0001 ${t.noProperties} ${topic}`
        ]) {
          const client = await t.connect()
          client.send(packets)
          await client.expectDisconnect(0x81)
        }
      }
    }
  )

  both(
    { v5: ["1.5.4-3"], v311: ["1.5.3-3"] },
    "U+FEFF is an ordinary character, also at the start of a topic",
    async (t) => {
      const plain = t.name("/bom")
      const topic = `\uFEFF${plain}`
      const subscriber = await t.connect()
      await subscriber.subscribe(topic)
      const other = await t.connect()
      await other.subscribe(plain)
      const publisher = await t.connect()
      await publisher.publish({ topic, payload: "with", qos: 1 })
      const { bytes: wire } = await subscriber.expectWithBytes("publish")
      assert.isTrue(wire.includes(Buffer.concat([bytes`ef bb bf`, Buffer.from(plain)])))
      await other.expectNothing()
    }
  )

  both(
    { v5: ["4.7.3-4"], v311: ["4.7.3-4"] },
    "matching tells apart case, spaces and the two ways to write an accented letter",
    async (t) => {
      const composed = t.name("/caf\u00E9")
      const subscriber = await t.connect()
      await subscriber.subscribe([
        { topic: composed, qos: 1 },
        { topic: t.name("/Two words"), qos: 1 }
      ])
      const publisher = await t.connect()
      for (const other of ["/cafe\u0301", "/cafe", "/CAF\u00C9", "/two words", "/Two  words", "/Two words "]) {
        await publisher.publish({ topic: t.name(other), qos: 1 })
      }
      await publisher.publish({ topic: composed, payload: "exact", qos: 1 })
      await subscriber.expectMessage({ topic: composed, payload: "exact" })
      await publisher.publish({ topic: t.name("/Two words"), payload: "exact", qos: 1 })
      await subscriber.expectMessage({ topic: t.name("/Two words"), payload: "exact" })
    }
  )

  both(
    { v5: ["4.7.2-1"], v311: ["4.7.2-1"] },
    "a filter that starts with a wildcard matches no topic that starts with $",
    async (t) => {
      const last = t.name("hidden")
      const end = t.name("end")
      const subscriber = await t.connect()
      await subscriber.subscribe([
        { topic: `+/${last}`, qos: 0 },
        { topic: `+/${last}/#`, qos: 0 },
        { topic: "#", qos: 0 }
      ])
      const publisher = await t.connect()
      publisher.sendPublish({ topic: `$other/${last}`, payload: "hidden" })
      publisher.sendPublish({ topic: end, payload: end })
      const seen = await subscriber.messagesUntil(end)
      assert.isEmpty(seen.filter(({ topic }) => topic.startsWith("$")))
    }
  )

  both(
    { v5: ["4.7.2-1"], v311: ["4.7.2-1"] },
    "retained messages on topics that start with $ are not sent to filters that start with a wildcard",
    async (t) => {
      const subscriber = await t.connect()
      const end = t.name("end")
      await subscriber.subscribe([
        { topic: end, qos: 0 },
        { topic: "#", qos: 0 },
        { topic: "+/#", qos: 0 }
      ])
      const publisher = await t.connect()
      publisher.sendPublish({ topic: end, payload: end })
      const seen = await subscriber.messagesUntil(end)
      assert.isEmpty(seen.filter(({ topic }) => topic.startsWith("$")))
    }
  )
})
