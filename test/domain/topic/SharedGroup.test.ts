import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import {
  addMember,
  chooseMember,
  makeSharedGroup,
  removeMember,
  type SharedGroup,
  SharedStrategy
} from "../../../src/domain/topic/SharedGroup.ts"

const groupOf = (...members: ReadonlyArray<string>): SharedGroup<string> => {
  const group = makeSharedGroup<string>()
  for (const member of members) assert.isTrue(addMember(group, member))
  return group
}

const anybody = () => true
const nobody = () => false
const allBut =
  (...away: ReadonlyArray<string>) =>
  (member: string) =>
    !away.includes(member)

const strategies = SharedStrategy.literals

describe("a shared subscription's group", () => {
  it("has a member once", () => {
    const group = groupOf("a", "b")
    assert.isFalse(addMember(group, "a"))
    assert.deepStrictEqual(group.members, ["a", "b"])
    assert.isTrue(removeMember(group, "a"))
    assert.isFalse(removeMember(group, "a"))
    assert.deepStrictEqual(group.members, ["b"])
  })

  it("chooses nobody when it is empty, by any strategy", () => {
    for (const strategy of strategies) {
      const group = groupOf("a")
      assert.strictEqual(chooseMember(group, strategy, { publisher: "p", random: 0.9 }, anybody), "a")
      removeMember(group, "a")
      assert.isUndefined(chooseMember(group, strategy, { publisher: "p", random: 0.9 }, anybody), strategy)
      addMember(group, "b")
      assert.strictEqual(chooseMember(group, strategy, { publisher: "p", random: 0.9 }, anybody), "b")
    }
  })

  const steps = Arbitrary.array(
    Arbitrary.all({
      strategy: Arbitrary.schema(SharedStrategy),
      act: Arbitrary.schema(Schema.Literals(["add", "remove", "choose", "choose", "choose"])),
      member: Arbitrary.schema(Schema.Literals(["a", "b", "c", "d", "e"])),
      away: Arbitrary.array(Arbitrary.schema(Schema.Literals(["a", "b", "c", "d", "e"])), { maxLength: 5 }),
      random: Arbitrary.schema(Schema.Literals([0, 0.1, 0.5, 0.77, 1 - Number.EPSILON]))
    }),
    { maxLength: 60 }
  )
  it.prop(
    "chooses an available member if there is one, any member otherwise, whatever came before",
    [steps],
    ([steps]) => {
      const group = makeSharedGroup<string>()
      for (const { strategy, act, member, away, random } of steps) {
        if (act === "add") addMember(group, member)
        else if (act === "remove") removeMember(group, member)
        else {
          const isAvailable = allBut(...away)
          const available = group.members.filter(isAvailable)
          const chosen = chooseMember(group, strategy, { publisher: member, random }, isAvailable)
          if (group.members.length === 0) assert.isUndefined(chosen)
          else assert.include(available.length > 0 ? available : group.members, chosen)
        }
      }
    },
    { arbitrary: { runs: 500 } }
  )
})

describe("round-robin", () => {
  const take = (group: SharedGroup<string>, count: number, isAvailable: (member: string) => boolean = anybody) =>
    Array.from({ length: count }, () =>
      chooseMember(group, "round-robin", { publisher: "p", random: 0 }, isAvailable)
    ).join("")

  it("gives each member its turn", () => {
    assert.strictEqual(take(groupOf("a", "b", "c"), 7), "abcabca")
  })

  it("passes over members that are away, without giving their neighbour two turns", () => {
    assert.strictEqual(take(groupOf("a", "b", "c", "d"), 6, allBut("b", "c")), "adadad")
    assert.strictEqual(take(groupOf("a", "b", "c"), 6, allBut("a")), "bcbcbc")
  })

  it("goes on with the turns when all are away", () => {
    assert.strictEqual(take(groupOf("a", "b", "c"), 6, nobody), "abcabc")
  })

  it("keeps the turns when members come and go", () => {
    const group = groupOf("a", "b", "c", "d")
    assert.strictEqual(take(group, 2), "ab")
    removeMember(group, "a")
    assert.strictEqual(take(group, 2), "cd")
    addMember(group, "e")
    assert.strictEqual(take(group, 2), "eb")
    removeMember(group, "c")
    assert.strictEqual(take(group, 4), "debd")
  })
})

describe("sticky", () => {
  const choose = (group: SharedGroup<string>, random: number, isAvailable: (member: string) => boolean = anybody) =>
    chooseMember(group, "sticky", { publisher: "p", random }, isAvailable)

  it("stays with its member, whatever the numbers and whoever joins", () => {
    const group = groupOf("a", "b", "c")
    assert.strictEqual(choose(group, 0.5), "b")
    addMember(group, "d")
    for (const random of [0, 0.3, 0.99]) assert.strictEqual(choose(group, random), "b")
  })

  it("takes another when its member is away, and stays with that one", () => {
    const group = groupOf("a", "b", "c")
    assert.strictEqual(choose(group, 0.5), "b")
    assert.strictEqual(choose(group, 0, allBut("b")), "a")
    assert.strictEqual(choose(group, 0.99), "a")
  })

  it("takes another when its member has left", () => {
    const group = groupOf("a", "b", "c")
    assert.strictEqual(choose(group, 0.5), "b")
    removeMember(group, "b")
    assert.strictEqual(choose(group, 0.99), "c")
    assert.strictEqual(choose(group, 0), "c")
  })

  it("stays with its member while all are away", () => {
    const group = groupOf("a", "b", "c")
    assert.strictEqual(choose(group, 0.5), "b")
    for (const random of [0, 0.3, 0.99]) assert.strictEqual(choose(group, random, nobody), "b")
  })
})

describe("hash by publisher", () => {
  const choose = (group: SharedGroup<string>, publisher: string, isAvailable: (member: string) => boolean = anybody) =>
    chooseMember(group, "hash-by-publisher", { publisher, random: 0 }, isAvailable)
  const publishers = Array.from({ length: 3000 }, (_, n) => `publisher-${n}`)

  it("gives all messages of a publisher to one member, in every group of the same members", () => {
    const [one, other] = [groupOf("a", "b", "c"), groupOf("a", "b", "c")]
    for (const publisher of publishers) {
      const member = choose(one, publisher)
      assert.strictEqual(choose(one, publisher), member)
      assert.strictEqual(choose(other, publisher), member)
    }
  })

  it("spreads publishers over the members", () => {
    const group = groupOf("a", "b", "c")
    for (const member of group.members) {
      const share = publishers.filter((publisher) => choose(group, publisher) === member).length
      assert.isAbove(share, 900)
      assert.isBelow(share, 1100)
    }
  })

  it("moves only the publishers of a member that is away, and back when it returns", () => {
    const group = groupOf("a", "b", "c")
    for (const publisher of publishers) {
      const home = choose(group, publisher)
      const refuge = choose(group, publisher, allBut("b"))
      if (home === "b") assert.notStrictEqual(refuge, "b")
      else assert.strictEqual(refuge, home)
      assert.strictEqual(choose(group, publisher), home)
    }
  })
})

describe("random", () => {
  /** Evenly spaced numbers stand for uniform ones. */
  const shares = (members: ReadonlyArray<string>, isAvailable: (member: string) => boolean) => {
    const group = groupOf(...members)
    const counts: Record<string, number> = {}
    for (let n = 0; n < 12_000; n++) {
      const member = chooseMember(group, "random", { publisher: "p", random: (n + 0.5) / 12_000 }, isAvailable)!
      counts[member] = (counts[member] ?? 0) + 1
    }
    return counts
  }

  it("gives every member the same chance", () => {
    assert.deepStrictEqual(shares(["a", "b", "c", "d"], anybody), { a: 3000, b: 3000, c: 3000, d: 3000 })
  })

  it("gives every available member the same chance when others are away", () => {
    assert.deepStrictEqual(shares(["a", "b", "c", "d"], allBut("b")), { a: 4000, c: 4000, d: 4000 })
    assert.deepStrictEqual(shares(["a", "b", "c", "d"], allBut("a", "d")), { b: 6000, c: 6000 })
  })

  it("gives every member the same chance when all are away", () => {
    assert.deepStrictEqual(shares(["a", "b", "c"], nobody), { a: 4000, b: 4000, c: 4000 })
  })
})
