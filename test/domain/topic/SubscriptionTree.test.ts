import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import { SubscriptionTree } from "../../../src/domain/topic/SubscriptionTree.ts"
import { matches, type TopicFilter } from "../../../src/domain/topic/TopicFilter.ts"
import { filter, name, topicFilters, topicNames } from "./alphabet.ts"

const treeOf = (filters: ReadonlyArray<string>) => {
  const tree = new SubscriptionTree<string, string>()
  for (const text of filters) tree.set(filter(text), "client", text)
  return tree
}

const matched = (tree: SubscriptionTree<string, string>, topic: string): ReadonlyArray<string> => {
  const found: Array<string> = []
  tree.match(name(topic), (value) => found.push(value))
  return found.sort()
}

/** What the specification says about a list of entries, one by one. */
const expected = (entries: Iterable<readonly [filter: string, value: string]>, topic: string): ReadonlyArray<string> =>
  Array.from(entries)
    .filter(([text]) => matches(text, topic))
    .map(([, value]) => value)
    .sort()

describe("a subscription tree", () => {
  it("finds filters with and without wildcards, the parent of # included", () => {
    const tree = treeOf([
      "sport",
      "sport/#",
      "sport/+",
      "sport/tennis",
      "sport/tennis/#",
      "+",
      "#",
      "+/+",
      "/+",
      "other"
    ])
    assert.deepStrictEqual(matched(tree, "sport"), ["#", "+", "sport", "sport/#"])
    assert.deepStrictEqual(matched(tree, "sport/tennis"), [
      "#",
      "+/+",
      "sport/#",
      "sport/+",
      "sport/tennis",
      "sport/tennis/#"
    ])
    assert.deepStrictEqual(matched(tree, "sport/"), ["#", "+/+", "sport/#", "sport/+"])
    assert.deepStrictEqual(matched(tree, "/finance"), ["#", "+/+", "/+"])
  })

  it("keeps topics that begin with $ from filters that begin with a wildcard [MQTT-4.7.2-1]", () => {
    const tree = treeOf(["#", "+", "+/monitor/Clients", "+/#", "$SYS/#", "$SYS/monitor/+", "$SYS/monitor/Clients"])
    assert.deepStrictEqual(matched(tree, "$SYS"), ["$SYS/#"])
    assert.deepStrictEqual(matched(tree, "$SYS/monitor/Clients"), ["$SYS/#", "$SYS/monitor/+", "$SYS/monitor/Clients"])
    assert.deepStrictEqual(matched(tree, "x/$SYS"), ["#", "+/#"])
  })

  it("visits every subscriber of a filter with its key, and a subscriber once for each of its filters", () => {
    const tree = new SubscriptionTree<string, number>()
    tree.set(filter("a/+"), "one", 1)
    tree.set(filter("a/+"), "two", 2)
    tree.set(filter("a/b"), "two", 3)
    const found: Array<string> = []
    tree.match(name("a/b"), (value, key) => found.push(`${key} ${value}`))
    assert.deepStrictEqual(found.sort(), ["one 1", "two 2", "two 3"])
  })

  it("replaces the value of a filter and key that is there already", () => {
    const tree = new SubscriptionTree<string, number>()
    assert.isTrue(tree.set(filter("a/#"), "one", 1))
    assert.isFalse(tree.set(filter("a/#"), "one", 2))
    assert.strictEqual(tree.get(filter("a/#"), "one"), 2)
    assert.isUndefined(tree.get(filter("a/#"), "two"))
    assert.isUndefined(tree.get(filter("a/+"), "one"))
    assert.deepStrictEqual([tree.size, tree.filterCount], [1, 1])
  })

  it("says whether there was something to delete", () => {
    const tree = treeOf(["a/+", "a/b"])
    assert.isFalse(tree.delete(filter("a/+"), "stranger"))
    assert.isFalse(tree.delete(filter("a/#"), "client"))
    assert.isFalse(tree.delete(filter("a"), "client"))
    assert.isTrue(tree.delete(filter("a/+"), "client"))
    assert.isFalse(tree.delete(filter("a/+"), "client"))
    assert.deepStrictEqual(matched(tree, "a/b"), ["a/b"])
    assert.strictEqual(tree.size, 1)
  })

  it("keeps nothing of filters that are gone", () => {
    const filters = ["+/a/+", "a/b/c/#", "a/b/+", "#", "a/b/c/+/d", "+/+/+/+", "x/y"]
    const tree = treeOf(filters)
    for (const text of filters) assert.isTrue(tree.delete(filter(text), "client"))
    assert.deepStrictEqual([tree.size, tree.filterCount], [0, 0])
    assert.strictEqual(
      tree.match(name("a/b/c/d"), () => assert.fail()),
      0
    )
    tree.set(filter("b/#"), "client", "b/#")
    assert.strictEqual(
      tree.match(name("a/b/c/d"), () => assert.fail()),
      1
    )
  })

  const steps = Arbitrary.array(
    Arbitrary.all({
      act: Arbitrary.schema(Schema.Literals(["set", "set", "delete", "delete stored"])),
      filter: topicFilters,
      key: Arbitrary.schema(Schema.Literals(["k1", "k2"])),
      place: Arbitrary.schema(Schema.Natural)
    }),
    { maxLength: 40 }
  )
  const topics = Arbitrary.array(topicNames, { minLength: 1, maxLength: 10 })

  it.prop(
    "matches what the specification matches, after any sets and deletes",
    [steps, topics],
    ([steps, topics]) => {
      const tree = new SubscriptionTree<string, string>()
      const entries = new Map<string, { readonly filter: TopicFilter; readonly key: string }>()
      for (const { act, place, ...random } of steps) {
        const isSet = act === "set"
        const { filter, key } =
          act === "delete stored" ? ([...entries.values()][place % entries.size] ?? random) : random
        const entry = `${key} ${filter}`
        if (isSet) assert.strictEqual(tree.set(filter, key, entry), !entries.has(entry))
        else assert.strictEqual(tree.delete(filter, key), entries.has(entry))
        if (isSet) entries.set(entry, { filter, key })
        else entries.delete(entry)
        assert.strictEqual(tree.get(filter, key), isSet ? entry : undefined)
      }
      assert.strictEqual(tree.size, entries.size)
      const pairs = Array.from(entries, ([entry, { filter }]) => [filter, entry] as const)
      for (const topic of topics) assert.deepStrictEqual(matched(tree, topic), expected(pairs, topic), topic)
      for (const { filter, key } of entries.values()) assert.isTrue(tree.delete(filter, key))
      assert.deepStrictEqual([tree.size, tree.filterCount], [0, 0])
      for (const topic of topics)
        assert.strictEqual(
          tree.match(topic, () => assert.fail()),
          0
        )
    },
    { arbitrary: { runs: 500 } }
  )

  it("keeps the filters around one that goes", () => {
    const tree = treeOf(["+", "+/b", "+/b/c", "+/b/#", "+/d"])
    const gone = (text: string) => assert.isTrue(tree.delete(filter(text), "client"))
    gone("+/b/c")
    assert.deepStrictEqual(matched(tree, "a/b/c"), ["+/b/#"])
    gone("+/b/#")
    assert.deepStrictEqual(matched(tree, "a/b"), ["+/b"])
    gone("+")
    assert.deepStrictEqual(matched(tree, "a/b"), ["+/b"])
    gone("+/b")
    assert.deepStrictEqual(matched(tree, "a/d"), ["+/d"])
  })
})

describe("the cost of a match", () => {
  const levels = 128
  const deepTopic = name(Array.from({ length: levels }, (_, depth) => `level${depth}`).join("/"))

  it("grows with the levels of the topic and not with the filters that share their beginnings", () => {
    const tree = new SubscriptionTree<number, number>()
    const count = 100_000
    for (let key = 0; key < count; key++) {
      tree.set(filter(`${"+/".repeat(key % levels)}#`), key, key)
    }
    let visited = 0
    const reached = tree.match(deepTopic, () => (visited += 1))
    assert.deepStrictEqual([tree.size, tree.filterCount, visited], [count, levels, count])
    assert.isAtMost(reached, levels + 1)
  })

  it("does not grow with filters that leave the topic early", () => {
    const tree = new SubscriptionTree<number, number>()
    const stem = "+/".repeat(levels - 1)
    for (let key = 0; key < 20_000; key++) tree.set(filter(`${stem}x${key}/#`), key, key)
    let visited = 0
    const reached = tree.match(deepTopic, () => (visited += 1))
    assert.strictEqual(visited, 0)
    assert.isAtMost(reached, levels + 1)
  })

  it("is nothing where all filters are without wildcards", () => {
    const tree = new SubscriptionTree<number, number>()
    for (let key = 0; key < 1000; key++) tree.set(filter(`a/b/${key}`), key, key)
    const found: Array<number> = []
    assert.strictEqual(
      tree.match(name("a/b/77"), (value) => found.push(value)),
      0
    )
    assert.deepStrictEqual(found, [77])
  })

  it("needs no stack, so that the longest topic and filter do no harm", () => {
    const tree = new SubscriptionTree<string, string>()
    const longest = "/".repeat(65_535)
    const filters = [longest, `${"/".repeat(65_534)}#`, `${"/".repeat(65_534)}+`, `+${"/+".repeat(30_000)}/#`]
    for (const text of filters) tree.set(filter(text), "client", text)
    assert.deepStrictEqual(
      matched(tree, longest),
      expected(
        filters.map((text) => [text, text]),
        longest
      )
    )
    for (const text of filters) assert.isTrue(tree.delete(filter(text), "client"))
    assert.strictEqual(tree.size, 0)
  })
})
