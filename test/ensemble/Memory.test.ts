import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { makeSubject } from "./MemorySubject.ts"
import { operationRules } from "./rules/Operations.ts"
import { run } from "./Runner.ts"

describe("the ZooKeeper server in memory", () => {
  for (const script of operationRules) {
    it.live(script.rule, () =>
      Effect.gen(function* () {
        const subject = yield* makeSubject
        yield* Effect.promise(() => run(script, subject))
      })
    )
  }
})
