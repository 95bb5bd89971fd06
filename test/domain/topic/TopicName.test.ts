import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import { countLevels, isReserved, isTopicName, TopicName } from "../../../src/domain/topic/TopicName.ts"

const isBoth = (topic: string): boolean => {
  assert.strictEqual(Schema.is(TopicName)(topic), isTopicName(topic), JSON.stringify(topic))
  return isTopicName(topic)
}

describe("a topic name", () => {
  it("may have empty levels, spaces, a leading $ and any script", () => {
    const topics = [
      "a",
      "/",
      "//",
      "/finance",
      "a/",
      "a//b",
      "Accounts payable",
      "$SYS/uptime",
      "$share/g/a",
      "Ωμέγα/🐟"
    ]
    assert.deepStrictEqual(topics.filter(isBoth), topics)
  })

  it("has at least one character [MQTT-4.7.3-1]", () => {
    assert.isFalse(isBoth(""))
  })

  it("has no wildcard [MQTT-4.7.0-1]", () => {
    assert.deepStrictEqual(["#", "+", "a/#", "a/+/b", "a+", "#a"].filter(isBoth), [])
  })

  it("has no U+0000 [MQTT-4.7.3-2]", () => {
    assert.deepStrictEqual(["\0", "a\0", "a/\0/b"].filter(isBoth), [])
  })

  it("encodes to at most 65535 bytes of UTF-8 [MQTT-4.7.3-3]", () => {
    assert.isTrue(isBoth("a".repeat(65_535)))
    assert.isFalse(isBoth("a".repeat(65_536)))
    assert.isTrue(isBoth("€".repeat(21_845)))
    assert.isFalse(isBoth(`${"€".repeat(21_845)}a`))
    assert.isTrue(isBoth("🐟".repeat(16_383)))
    assert.isFalse(isBoth("🐟".repeat(16_384)))
  })

  it("has no lone surrogate, which UTF-8 cannot encode", () => {
    assert.deepStrictEqual(["\ud83d", "a/\udc1f", "\udc1f\ud83d"].filter(isBoth), [])
  })

  const pieces = Schema.Literals(["", "a", "/", "+", "#", "\0", "\ud83d", "\udc1f", "é", "$", " "])
  it.prop(
    "is the same to the Schema and to the check of the hot path",
    [Arbitrary.array(Arbitrary.schema(pieces), { maxLength: 6 })],
    ([parts]) => void isBoth(parts.join("")),
    { arbitrary: { runs: 500 } }
  )

  it("is reserved when it begins with $ (section 4.7.2)", () => {
    const topics = ["$SYS/uptime", "$", "$x/a", "a/$x", "/$x", "SYS"]
    assert.deepStrictEqual(topics.filter(isReserved), ["$SYS/uptime", "$", "$x/a"])
  })

  it("has one level more than it has separators", () => {
    assert.deepStrictEqual(["a", "a/b", "/", "/a", "a//", "a/b/c/d"].map(countLevels), [1, 2, 2, 2, 3, 4])
  })
})
