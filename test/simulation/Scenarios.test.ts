import { assert, describe, it } from "vitest"
import { planOf } from "../../src/domain/simulation/Planning.ts"
import type { Plan } from "../../src/domain/simulation/Plan.ts"
import { run } from "../../src/layers/simulation/Run.ts"

/** Only the observer, which keeps its connection alive with a ping now and then, and a clock that is set forward. */
const clockJumps: Plan = (() => {
  const plan = planOf(1, { clients: 1, faults: [], seconds: 60 })
  const [observer] = plan.clients
  return {
    ...plan,
    clients: [{ ...observer!, keepAlive: 30, actions: observer!.actions.filter(({ _tag }) => _tag !== "Stall") }],
    faults: [{ _tag: "clock", at: 20_000, broker: "broker-1", millis: 3_600_000 }]
  }
})()

describe("a simulated broker", () => {
  it("does not take its clients for dead when its clock is set forward", () => {
    const { history, violations } = run(clockJumps)
    assert.deepEqual(violations, [])
    assert.isTrue(history.some(({ _tag }) => _tag === "ClockJumped"))
    const reasons = history.flatMap((event) =>
      event._tag === "Received" && event.packet._tag === "Disconnect" ? [event.packet.reasonCode] : []
    )
    assert.notInclude(reasons, 0x8d)
  })
})
