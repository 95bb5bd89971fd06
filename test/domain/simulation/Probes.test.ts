import { assert, describe, it } from "@effect/vitest"
import { added, probes, type Reached, unreached } from "../../../src/domain/simulation/Probes.ts"

describe("what many seeds reach", () => {
  it("is counted by seeds and in all, without what a seed has not reached", () => {
    const first = added(new Map(), [
      ["takeover", 3],
      ["expiry", 0]
    ])
    const both = added(first, [
      ["takeover", 1],
      ["crash", 2]
    ])
    assert.deepStrictEqual(
      [...both],
      [
        ["takeover", { seeds: 2, times: 4 }],
        ["crash", { seeds: 1, times: 2 }]
      ]
    )
  })

  it("leaves open what no seed has reached", () => {
    const wanted = ["takeover", "expiry"].map((name) => ({ name, description: "" }))
    const reached: ReadonlyMap<string, Reached> = new Map([["takeover", { seeds: 1, times: 1 }]])
    assert.deepStrictEqual(
      unreached(reached, wanted).map(({ name }) => name),
      ["expiry"]
    )
  })

  it("is named once", () => {
    assert.strictEqual(new Set(probes.map(({ name }) => name)).size, probes.length)
  })
})
