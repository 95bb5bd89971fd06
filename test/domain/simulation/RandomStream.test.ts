import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { RandomStream } from "../../../src/domain/simulation/RandomStream.ts"

const draw = (random: RandomStream, count = 1_000) => Array.from({ length: count }, () => random.bits())

const Seed = Schema.Natural
const probability = Schema.Number.pipe(Schema.check(Schema.isBetween({ minimum: 0.001, maximum: 1 })))

describe("a random stream", () => {
  it.prop("is the same for the same seed and label, and for no other", [Seed], ([seed]) => {
    const first = draw(new RandomStream(seed, "a"), 8)
    assert.deepStrictEqual(draw(new RandomStream(seed, "a"), 8), first)
    assert.notDeepEqual(draw(new RandomStream(seed, "b"), 8), first)
    assert.notDeepEqual(draw(new RandomStream(seed + 1, "a"), 8), first)
  })

  it("keeps its numbers for ever: recorded seeds depend on them", () => {
    assert.deepStrictEqual(draw(new RandomStream(4711, "plan"), 4), [2660349913, 3753913857, 3241748221, 3679857744])
    assert.deepStrictEqual(draw(new RandomStream(2 ** 40, "plan/clients"), 2), [1865826458, 3642930116])
  })

  it("splits into streams that do not depend on what was drawn", () => {
    const used = new RandomStream(1, "a")
    draw(used)
    assert.deepStrictEqual(draw(used.split("b")), draw(new RandomStream(1, "a").split("b")))
    assert.notDeepEqual(draw(used.split("b"), 8), draw(used.split("c"), 8))
  })

  it("has all 53 bits of a seed matter", () => {
    assert.notDeepEqual(draw(new RandomStream(5, ""), 4), draw(new RandomStream(5 + 2 ** 32, ""), 4))
    assert.notDeepEqual(draw(new RandomStream(5, ""), 4), draw(new RandomStream(5 + 2 ** 52, ""), 4))
  })

  it.prop("stays within the bounds that it is given", [Seed, Schema.Natural, probability], ([seed, size, chance]) => {
    const random = new RandomStream(seed, "bounds")
    for (let i = 0; i < 5; i++) {
      const float = random.float()
      assert.isTrue(float >= 0 && float < 1)
      const below = random.below(size + 1)
      assert.isTrue(Number.isInteger(below) && below >= 0 && below <= size)
      const between = random.between(-3, 3)
      assert.isTrue(Number.isInteger(between) && between >= -3 && between <= 3)
      assert.include([7, 8], random.pick([7, 8]))
      const exponential = random.exponential(10)
      assert.isTrue(Number.isFinite(exponential) && exponential >= 0)
      assert.isAtLeast(random.geometric(chance), 1)
    }
  })

  it("is spread evenly, and has the means that it promises", () => {
    const random = new RandomStream(1, "means")
    const mean = (next: () => number) => Array.from({ length: 20_000 }, next).reduce((a, b) => a + b, 0) / 20_000
    assert.approximately(
      mean(() => random.float()),
      0.5,
      0.01
    )
    assert.approximately(
      mean(() => random.between(1, 6)),
      3.5,
      0.05
    )
    assert.approximately(
      mean(() => random.exponential(10)),
      10,
      0.3
    )
    assert.approximately(
      mean(() => random.geometric(0.1)),
      10,
      0.3
    )
    assert.approximately(
      mean(() => (random.chance(0.2) ? 1 : 0)),
      0.2,
      0.01
    )
  })

  it("knows what never and what always happens", () => {
    const random = new RandomStream(1, "edges")
    assert.isFalse(Array.from({ length: 1_000 }, () => random.chance(0)).includes(true))
    assert.isFalse(Array.from({ length: 1_000 }, () => random.chance(1)).includes(false))
    assert.strictEqual(random.geometric(0), Infinity)
    assert.strictEqual(random.geometric(1), 1)
  })
})
