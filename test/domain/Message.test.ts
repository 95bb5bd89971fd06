import { assert, describe, it } from "@effect/vitest"
import { detached, fromPublish, fromWill, never, remainingSeconds, size } from "../../src/domain/Message.ts"
import type { Publish } from "../../src/domain/packet/Packet.ts"
import { messageOf } from "./messages.ts"

const packet: Publish = {
  _tag: "Publish",
  topic: "",
  payload: Buffer.from("hello"),
  qos: 1,
  retain: true,
  dup: true,
  packetId: 7,
  properties: {
    topicAlias: 3,
    messageExpiryInterval: 10,
    contentType: "text/plain",
    correlationData: Buffer.from("id"),
    userProperties: [["k", "v"]]
  }
}

describe("a message", () => {
  it("is what a PUBLISH says, without what belongs to its connection", () => {
    assert.deepStrictEqual(fromPublish(packet, "t", "p", 1_000), {
      topic: "t",
      payload: packet.payload,
      qos: 1,
      retain: true,
      expiresAt: 11_000,
      publisher: "p",
      properties: {
        contentType: "text/plain",
        correlationData: Buffer.from("id"),
        userProperties: [["k", "v"]]
      }
    })
  })

  it("never expires without an interval, and has no properties when there is nothing to forward", () => {
    const { properties, expiresAt } = fromPublish({ ...packet, properties: { topicAlias: 3 } }, "t", "p", 1_000)
    assert.isUndefined(properties)
    assert.strictEqual(expiresAt, never)
  })

  it("of a Will expires after its publication, not after its CONNECT (section 3.1.3.2.4)", () => {
    const will = {
      topic: "w",
      payload: Buffer.from("gone"),
      qos: 2 as const,
      retain: false,
      properties: { willDelayInterval: 60, messageExpiryInterval: 5 }
    }
    const message = fromWill(will, "p", 1_000)
    assert.deepInclude(message, { topic: "w", qos: 2, expiresAt: 6_000, publisher: "p" })
    assert.isUndefined(message.properties)
  })

  it("is forwarded with the whole seconds that are left, and 0 at the end [MQTT-3.3.2-6]", () => {
    const message = messageOf("x", { expiresAt: 10_000 })
    assert.deepStrictEqual(
      [0, 1, 999, 1_000, 9_001, 10_000, 20_000].map((now) => remainingSeconds(message, now)),
      [10, 10, 10, 9, 1, 0, 0]
    )
  })

  it("that is detached does not keep, nor follow, the buffer that it came in", () => {
    const chunk = Buffer.from("a chunk with hello and id in it")
    const message = messageOf("", {
      payload: chunk.subarray(13, 18),
      properties: { correlationData: chunk.subarray(23, 25), contentType: "text" }
    })
    const own = detached(message)
    chunk.fill(0)
    assert.strictEqual(Buffer.from(own.payload).toString(), "hello")
    assert.strictEqual(Buffer.from(own.properties!.correlationData!).toString(), "id")
    assert.strictEqual(own.properties!.contentType, "text")
    assert.strictEqual(own.payload.buffer.byteLength, 5)
  })

  it("takes the bytes of its topic, its payload and its properties", () => {
    assert.strictEqual(size(messageOf("hello")), 6)
    assert.strictEqual(size(messageOf("hello", { properties: { contentType: "text" } })), 6 + 1 + 2 + 4)
  })
})
