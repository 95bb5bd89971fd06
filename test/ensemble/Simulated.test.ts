import { assert, describe, it } from "vitest"
import { ensembleRules } from "./rules/Ensemble.ts"
import { operationRules } from "./rules/Operations.ts"
import { sessionRules } from "./rules/Sessions.ts"
import { watchRules } from "./rules/Watches.ts"
import { run } from "./Runner.ts"
import { titled } from "./Script.ts"
import { makeSubject } from "./SimulatedSubject.ts"

const seeds = 20

describe("a simulated ensemble", () => {
  it.for(titled([...operationRules, ...watchRules, ...sessionRules, ...ensembleRules]))("%s", async ([, script]) => {
    for (let seed = 1; seed <= seeds; seed++) {
      const { actual, expected } = await run(script, makeSubject(seed))
      assert.deepStrictEqual(actual, expected, `seed ${seed}`)
    }
  })
})
