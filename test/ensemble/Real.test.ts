import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { isSkipped, RealEnsemble, reason } from "./RealEnsemble.ts"
import { makeSubject } from "./RealSubject.ts"
import { ensembleRules } from "./rules/Ensemble.ts"
import { operationRules } from "./rules/Operations.ts"
import { sessionRules } from "./rules/Sessions.ts"
import { watchRules } from "./rules/Watches.ts"
import { type Outcome, run } from "./Runner.ts"
import { type Script, titled } from "./Script.ts"

// Skipped only where ZooKeeper is not installed and CI is not set; the title says so.
describe.skipIf(isSkipped)(`three real ZooKeeper servers${reason}`, () => {
  let ensemble: RealEnsemble
  let scripts = 0

  beforeAll(async () => {
    ensemble = await RealEnsemble.start(3)
  }, 90_000)

  afterAll(() => ensemble?.dispose())

  const play = async (script: Script): Promise<Outcome> => {
    const subject = await makeSubject(ensemble, `script-${++scripts}`)
    try {
      return await run(script, subject)
    } finally {
      subject.dispose()
    }
  }

  // The sessions first: some of them wait for timeouts, while the others go on.
  describe.concurrent("without faults", { timeout: 60_000 }, () => {
    it.for(titled([...sessionRules, ...operationRules, ...watchRules]))("%s", async ([, script]) => {
      const { actual, expected } = await play(script)
      assert.deepStrictEqual(actual, expected)
    })
  })

  // One after the other: what strikes a server strikes all of its clients.
  describe("with faults", { timeout: 60_000 }, () => {
    it.for(titled(ensembleRules))("%s", async ([, script]) => {
      const { actual, expected } = await play(script)
      assert.deepStrictEqual(actual, expected)
    })
  })
})
