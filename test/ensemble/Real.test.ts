import { afterAll, beforeAll, describe, it } from "vitest"
import { isSkipped, RealEnsemble, reason } from "./RealEnsemble.ts"
import { makeSubject } from "./RealSubject.ts"
import { operationRules } from "./rules/Operations.ts"
import { run } from "./Runner.ts"
import type { Script } from "./Script.ts"

describe.skipIf(isSkipped)(`three real ZooKeeper servers${reason}`, () => {
  let ensemble: RealEnsemble
  let scripts = 0

  beforeAll(async () => {
    ensemble = await RealEnsemble.start(3)
  }, 90_000)

  afterAll(() => ensemble?.dispose())

  const test = (script: Script) =>
    it(script.rule, { timeout: 60_000 }, async () => {
      const subject = await makeSubject(ensemble, `script-${++scripts}`)
      try {
        await run(script, subject)
      } finally {
        subject.dispose()
      }
    })

  describe("operations", () => {
    operationRules.map(test)
  })
})
