import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Result, Schema } from "effect"
import { hasWildcard, matches, parseTopicFilter, TopicFilter } from "../../../src/domain/topic/TopicFilter.ts"

const parsed = (text: string, maxLevels?: number) => Result.getOrThrow(parseTopicFilter(text, maxLevels))

const statementOf = (text: string, maxLevels?: number) => {
  const result = parseTopicFilter(text, maxLevels)
  return Result.isFailure(result) ? result.failure.statement : assert.fail(`"${text}" is accepted`)
}

describe("matching, by the examples of section 4.7", () => {
  const cases: ReadonlyArray<readonly [filter: string, topics: ReadonlyArray<string>, others: ReadonlyArray<string>]> =
    [
      [
        "sport/tennis/player1/#",
        ["sport/tennis/player1", "sport/tennis/player1/ranking", "sport/tennis/player1/score/wimbledon"],
        ["sport/tennis", "sport/tennis/player2", "sport/tennis/player11"]
      ],
      ["sport/#", ["sport", "sport/", "sport/tennis"], ["sports", "/sport"]],
      ["#", ["sport", "/", "/finance", "a/b/c"], ["$SYS", "$SYS/monitor/Clients", "$"]],
      [
        "sport/tennis/+",
        ["sport/tennis/player1", "sport/tennis/player2", "sport/tennis/"],
        ["sport/tennis/player1/ranking", "sport/tennis"]
      ],
      ["sport/+", ["sport/", "sport/tennis"], ["sport"]],
      ["+", ["finance"], ["/finance", "$SYS"]],
      ["/+", ["/finance", "/"], ["finance", "/finance/eur"]],
      ["+/+", ["/finance", "/", "a/b"], ["finance", "$SYS/load"]],
      ["+/tennis/#", ["sport/tennis", "sport/tennis/player1", "/tennis"], ["sport/golf", "$sport/tennis"]],
      ["sport/+/player1", ["sport/tennis/player1", "sport//player1"], ["sport/tennis/player2", "sport/player1"]],
      ["+/monitor/Clients", ["x/monitor/Clients"], ["$SYS/monitor/Clients"]],
      ["$SYS/#", ["$SYS", "$SYS/monitor/Clients"], ["SYS", "x/$SYS"]],
      ["$SYS/monitor/+", ["$SYS/monitor/Clients"], ["$SYS/monitor", "$SYS/monitor/Clients/total"]],
      ["a/+", ["a/$b"], ["$a/b"]],
      ["ACCOUNTS", ["ACCOUNTS"], ["Accounts", "/ACCOUNTS", "ACCOUNTS/"]],
      ["Accounts payable", ["Accounts payable"], ["Accountspayable"]],
      ["/", ["/"], ["", "a/", "//"]],
      ["//+", ["//", "//a"], ["/", "///"]]
    ]
  for (const [filter, topics, others] of cases) {
    it(`${filter} matches ${topics.join(", ")} and not ${others.join(", ")}`, () => {
      assert.deepStrictEqual(
        [...topics, ...others].filter((topic) => matches(filter, topic)),
        topics
      )
      assert.strictEqual(parsed(filter).filter, filter)
      assert.isTrue(Schema.is(TopicFilter)(filter))
    })
  }

  it("compares characters without normalizing them [MQTT-4.7.3-4]", () => {
    const composed = "caf\u00e9"
    const decomposed = "cafe\u0301"
    assert.isTrue(matches(composed, composed))
    assert.isFalse(matches(composed, decomposed))
    assert.isFalse(matches("\ufeffa", "a"))
  })
})

describe("reading a filter", () => {
  it("accepts wildcards that fill a level, # only as the last (section 4.7.1)", () => {
    for (const filter of [
      "#",
      "/#",
      "sport/tennis/#",
      "+",
      "+/tennis/#",
      "sport/+/player1",
      "+/+",
      "/+",
      "+/",
      "//#"
    ]) {
      assert.deepStrictEqual(parsed(filter), { filter: filter as TopicFilter })
    }
  })

  it("refuses # beside other characters or before the end [MQTT-4.7.1-1]", () => {
    for (const filter of ["sport/tennis#", "sport/tennis/#/ranking", "#/a", "##", "a#", "#a", "+#", "/#/", "a/b#"]) {
      assert.strictEqual(statementOf(filter), "MQTT-4.7.1-1", filter)
    }
  })

  it("refuses + beside other characters [MQTT-4.7.1-2]", () => {
    for (const filter of ["sport+", "+sport", "a/b+", "a/+b/c", "++", "a/++/b", "sport+/#"]) {
      assert.strictEqual(statementOf(filter), "MQTT-4.7.1-2", filter)
    }
  })

  it("refuses the empty string [MQTT-4.7.3-1]", () => {
    assert.strictEqual(statementOf(""), "MQTT-4.7.3-1")
  })

  it("refuses U+0000 [MQTT-4.7.3-2]", () => {
    for (const filter of ["\0", "a/\0", "$share/g\0/a", "\0/#"]) assert.strictEqual(statementOf(filter), "MQTT-4.7.3-2")
  })

  it("refuses what does not fit a UTF-8 Encoded String [MQTT-4.7.3-3]", () => {
    assert.strictEqual(parsed("a".repeat(65_535)).filter.length, 65_535)
    assert.strictEqual(statementOf("a".repeat(65_536)), "MQTT-4.7.3-3")
    assert.strictEqual(statementOf(`$share/g/${"a".repeat(65_530)}`), "MQTT-4.7.3-3")
    assert.strictEqual(statementOf("a/\ud83d"), "MQTT-4.7.3-3")
  })

  it("refuses more levels than the server allows, by no statement of MQTT", () => {
    assert.strictEqual(parsed("a/b/+/#", 4).filter, "a/b/+/#")
    assert.strictEqual(parsed("$share/g/a/b", 2).filter, "a/b")
    for (const filter of ["a/b/+/#", "////", "$share/g/a/b/c/d"]) {
      const result = parseTopicFilter(filter, 3)
      if (Result.isSuccess(result)) assert.fail(`"${filter}" is accepted`)
      assert.isUndefined(result.failure.statement)
      assert.strictEqual(result.failure.message, "the topic filter has more than 3 levels")
    }
  })

  it("says what is wrong and which statement says so", () => {
    const result = parseTopicFilter("sport/#/ranking")
    if (Result.isSuccess(result)) assert.fail("accepted")
    assert.strictEqual(result.failure._tag, "TopicFilterRefused")
    assert.strictEqual(result.failure.message, 'the topic filter has "#" before its end [MQTT-4.7.1-1]')
  })

  const pieces = Schema.Literals(["a", "/", "/", "/", "+", "#", "é"])
  it.prop(
    "accepts exactly the strings whose levels are texts, + or a final #",
    [Arbitrary.array(Arbitrary.schema(pieces), { minLength: 1, maxLength: 7 })],
    ([parts]) => {
      const text = parts.join("")
      const levels = text.split("/")
      const valid = levels.every(
        (level, depth) => level === "+" || (level === "#" && depth === levels.length - 1) || !/[+#]/.test(level)
      )
      assert.strictEqual(Result.isSuccess(parseTopicFilter(text)), valid)
      assert.strictEqual(Schema.is(TopicFilter)(text), valid)
    },
    { arbitrary: { runs: 1000 } }
  )

  it("knows filters that match one topic only", () => {
    const filters = ["a", "a/b", "/", "#", "a/#", "+", "a/+/b", "+/a"].filter(hasWildcard)
    assert.deepStrictEqual(filters, ["#", "a/#", "+", "a/+/b", "+/a"])
  })
})

describe("reading the filter of a shared subscription (section 4.8.2)", () => {
  it("takes the ShareName off", () => {
    const group = (text: string) => {
      const { filter, group } = parsed(text)
      return [group, filter]
    }
    assert.deepStrictEqual(group("$share/consumer1/sport/tennis/+"), ["consumer1", "sport/tennis/+"])
    assert.deepStrictEqual(group("$share/consumer2/#"), ["consumer2", "#"])
    assert.deepStrictEqual(group("$share/g//finance"), ["g", "/finance"])
    assert.deepStrictEqual(group("$share/g//"), ["g", "/"])
    assert.deepStrictEqual(group("$share/g/$SYS/#"), ["g", "$SYS/#"])
    assert.deepStrictEqual(group("$share/$share/$share/x"), ["$share", "$share/x"])
  })

  it("sees no shared subscription unless the first level is $share and more follow [MQTT-4.8.2-1]", () => {
    for (const text of ["$share", "$shared/g/a", "$SHARE/g/a", "/$share/g/a", "share/g/a", "+/g/a"]) {
      assert.deepStrictEqual(parsed(text), { filter: text as TopicFilter })
    }
  })

  it("refuses an empty ShareName [MQTT-4.8.2-1]", () => {
    for (const text of ["$share/", "$share//", "$share//a", "$share//#"]) {
      assert.strictEqual(statementOf(text), "MQTT-4.8.2-1", text)
    }
  })

  it("refuses a wildcard in the ShareName, and a ShareName that no filter follows [MQTT-4.8.2-2]", () => {
    for (const text of ["$share/+/a", "$share/#", "$share/g+/a", "$share/g#/a", "$share/g", "$share/g/"]) {
      assert.strictEqual(statementOf(text), "MQTT-4.8.2-2", text)
    }
  })

  it("refuses what the inner filter breaks", () => {
    assert.strictEqual(statementOf("$share/g/a#"), "MQTT-4.7.1-1")
    assert.strictEqual(statementOf("$share/g/a+"), "MQTT-4.7.1-2")
  })
})
