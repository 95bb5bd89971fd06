import { readdirSync, readFileSync } from "node:fs"
import { Result } from "effect"
import { assert, describe, it } from "vitest"
import * as StoredPlan from "../../src/domain/simulation/StoredPlan.ts"
import { run } from "../../src/layers/simulation/Run.ts"

/**
 * Plans that have broken a promise once, made small by `mqttzoo sim shrink` with the bug in the source again. The names
 * of the files say what the bug was.
 */
const folder = new URL("regressions/", import.meta.url)
const cases = readdirSync(folder).filter((file) => file.endsWith(".json"))

describe("what has failed once stays mended:", () => {
  it.each(cases)("%s", (file) => {
    const plan = StoredPlan.parse(readFileSync(new URL(file, folder), "utf8"))
    if (Result.isFailure(plan)) assert.fail(plan.failure.message)
    assert.deepEqual(run(plan.success).violations, [])
  })
})
