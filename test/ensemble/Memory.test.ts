import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { makeSubject } from "./MemorySubject.ts"
import { operationRules } from "./rules/Operations.ts"
import { run } from "./Runner.ts"
import { titled } from "./Script.ts"

describe("the ZooKeeper server in memory", () => {
  it.for(titled(operationRules))("%s", async ([, script]) => {
    const { actual, expected } = await Effect.runPromise(
      Effect.scoped(Effect.flatMap(makeSubject, (subject) => Effect.promise(() => run(script, subject))))
    )
    assert.deepStrictEqual(actual, expected)
  })
})
