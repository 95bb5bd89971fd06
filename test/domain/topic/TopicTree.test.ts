import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import { matches } from "../../../src/domain/topic/TopicFilter.ts"
import type { TopicName } from "../../../src/domain/topic/TopicName.ts"
import { TopicTree } from "../../../src/domain/topic/TopicTree.ts"
import { filter, name, topicFilters, topicNames } from "./alphabet.ts"

const treeOf = (topics: ReadonlyArray<string>) => {
  const tree = new TopicTree<string>()
  for (const topic of topics) tree.set(name(topic), `at ${topic}`)
  return tree
}

const matching = (tree: TopicTree<string>, text: string): ReadonlyArray<string> => {
  const found: Array<string> = []
  tree.matching(filter(text), (value, topic) => {
    assert.strictEqual(value, `at ${topic}`)
    found.push(topic)
  })
  return found.sort()
}

describe("a topic tree", () => {
  it("finds the topics that a filter matches, the parent of # included", () => {
    const tree = treeOf(["sport", "sport/", "sport/tennis", "sport/tennis/player1", "/finance", "finance"])
    assert.deepStrictEqual(matching(tree, "sport/#"), ["sport", "sport/", "sport/tennis", "sport/tennis/player1"])
    assert.deepStrictEqual(matching(tree, "sport/+"), ["sport/", "sport/tennis"])
    assert.deepStrictEqual(matching(tree, "+"), ["finance", "sport"])
    assert.deepStrictEqual(matching(tree, "+/+"), ["/finance", "sport/", "sport/tennis"])
    assert.deepStrictEqual(matching(tree, "/#"), ["/finance"])
    assert.deepStrictEqual(matching(tree, "sport/tennis"), ["sport/tennis"])
    assert.deepStrictEqual(matching(tree, "sport/golf"), [])
    assert.strictEqual(matching(tree, "#").length, 6)
  })

  it("keeps topics that begin with $ from filters that begin with a wildcard [MQTT-4.7.2-1]", () => {
    const tree = treeOf(["$SYS", "$SYS/load", "a/$SYS", "a"])
    assert.deepStrictEqual(matching(tree, "#"), ["a", "a/$SYS"])
    assert.deepStrictEqual(matching(tree, "+"), ["a"])
    assert.deepStrictEqual(matching(tree, "+/+"), ["a/$SYS"])
    assert.deepStrictEqual(matching(tree, "+/load"), [])
    assert.deepStrictEqual(matching(tree, "a/+"), ["a/$SYS"])
    assert.deepStrictEqual(matching(tree, "$SYS/#"), ["$SYS", "$SYS/load"])
  })

  it("has one value a topic", () => {
    const tree = new TopicTree<number>()
    assert.isTrue(tree.set(name("a/b"), 1))
    assert.isFalse(tree.set(name("a/b"), 2))
    assert.strictEqual(tree.get(name("a/b")), 2)
    assert.isUndefined(tree.get(name("a")))
    assert.strictEqual(tree.size, 1)
    assert.isFalse(tree.delete(name("a")))
    assert.isTrue(tree.delete(name("a/b")))
    assert.isFalse(tree.delete(name("a/b")))
    assert.strictEqual(tree.size, 0)
  })

  it("keeps nothing of topics that are gone", () => {
    const topics = ["a", "a/b/c", "a/b", "a/b/c/d/e", "/", "$SYS/x"]
    const tree = treeOf(topics)
    for (const topic of topics) assert.isTrue(tree.delete(name(topic)))
    assert.strictEqual(tree.size, 0)
    for (const text of ["#", "$SYS/#"]) {
      const reached = tree.matching(filter(text), () => assert.fail())
      assert.strictEqual(reached, 1)
    }
  })

  const steps = Arbitrary.array(
    Arbitrary.all({
      act: Arbitrary.schema(Schema.Literals(["set", "set", "delete", "delete stored"])),
      topic: topicNames,
      place: Arbitrary.schema(Schema.Natural)
    }),
    { maxLength: 40 }
  )
  const filters = Arbitrary.array(topicFilters, { minLength: 1, maxLength: 10 })

  it.prop(
    "matches what the specification matches, after any sets and deletes",
    [steps, filters],
    ([steps, filters]) => {
      const tree = new TopicTree<string>()
      const topics = new Set<TopicName>()
      for (const { act, topic: random, place } of steps) {
        const isSet = act === "set"
        const topic = act === "delete stored" ? ([...topics][place % topics.size] ?? random) : random
        if (isSet) assert.strictEqual(tree.set(topic, `at ${topic}`), !topics.has(topic))
        else assert.strictEqual(tree.delete(topic), topics.has(topic))
        if (isSet) topics.add(topic)
        else topics.delete(topic)
        assert.strictEqual(tree.get(topic), isSet ? `at ${topic}` : undefined)
      }
      assert.strictEqual(tree.size, topics.size)
      const found = ["#", "$x/#"].flatMap((text) => matching(tree, text))
      assert.deepStrictEqual(found.sort(), [...topics].sort())
      for (const text of filters) {
        const expected = [...topics].filter((topic) => matches(text, topic)).sort()
        assert.deepStrictEqual(matching(tree, text), expected, text)
      }
      for (const topic of topics) tree.delete(topic)
      assert.strictEqual(tree.size, 0)
      for (const text of filters)
        assert.isAtMost(
          tree.matching(text, () => assert.fail()),
          1
        )
    },
    { arbitrary: { runs: 500 } }
  )

  it("keeps the topics around one that goes", () => {
    const tree = treeOf(["a", "a/b", "a/b/c", "a/d"])
    assert.isTrue(tree.delete(name("a/b/c")))
    assert.deepStrictEqual(matching(tree, "#"), ["a", "a/b", "a/d"])
    assert.isTrue(tree.delete(name("a")))
    assert.deepStrictEqual(matching(tree, "#"), ["a/b", "a/d"])
    assert.isTrue(tree.delete(name("a/b")))
    assert.deepStrictEqual(matching(tree, "#"), ["a/d"])
  })

  it("walks only what the filter's beginning leaves", () => {
    const tree = new TopicTree<number>()
    for (let n = 0; n < 10_000; n++) tree.set(name(`room${n % 100}/sensor${n}/value`), n)
    let visited = 0
    const reached = tree.matching(filter("room7/+/value"), () => (visited += 1))
    assert.strictEqual(visited, 100)
    assert.isAtMost(reached, 202)
  })

  it("needs no stack, so that the longest topic does no harm", () => {
    const longest = "/".repeat(65_535)
    const tree = treeOf([longest, "a"])
    assert.deepStrictEqual(matching(tree, "/#"), [longest])
    assert.deepStrictEqual(matching(tree, `${"+/".repeat(32_000)}#`), [longest])
    assert.isTrue(tree.delete(name(longest)))
    assert.deepStrictEqual(matching(tree, "#"), ["a"])
  })
})
