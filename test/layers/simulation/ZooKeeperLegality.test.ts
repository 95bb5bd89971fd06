import { assert, describe, it } from "@effect/vitest"
import { run } from "./ZooKeeperChaos.ts"

const seeds = 24

/** Paths that many seeds together must have taken, or the rules below were not put to the test. */
const rarePaths = [
  "zookeeper.expired",
  "zookeeper.proposal-lost",
  "zookeeper.refused-behind",
  "zookeeper.reply-lost",
  "zookeeper.stale-read"
]

describe("a simulated ensemble under faults", () => {
  it("keeps every rule, whatever strikes, and the rare paths are taken", { timeout: 60_000 }, () => {
    const reached = new Set<string>()
    for (let seed = 1; seed <= seeds; seed++) {
      const { violations, world, acknowledged } = run(seed)
      assert.deepStrictEqual(violations, [], `seed ${seed}`)
      assert.isAbove(acknowledged, 50, `seed ${seed}`)
      for (const probe of world.kernel.reached.keys()) reached.add(probe)
    }
    for (const path of rarePaths) assert.isTrue(reached.has(path), path)
  })

  it("does the same again for the same seed", () => {
    const [first, second, other] = [run(7), run(7), run(8)].map(({ world }) => world.kernel.hash())
    assert.strictEqual(first, second)
    assert.notStrictEqual(first, other)
  })
})
