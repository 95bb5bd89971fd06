import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Result, Schema } from "effect"
import { Plan } from "../../../src/domain/simulation/Plan.ts"
import { parse, render } from "../../../src/domain/simulation/StoredPlan.ts"

const client = { name: "observer", version: 5, keepAlive: 60, acknowledgeMillis: 0, actions: [] } as const

const plan: Plan = {
  seed: 1,
  seconds: 10,
  brokers: 1,
  store: "embedded",
  schedule: { policy: "fifo", preemption: 0 },
  network: { latencyMicros: 200, segmentation: 0.25 },
  clocks: { driftPpm: 0, skewMillis: 0 },
  limits: {
    partitions: 4,
    capital: 100_000,
    receiveMaximum: 3,
    maximumInflight: 2,
    queueMessages: 10,
    outboxBytes: 4_096
  },
  clients: [client],
  faults: [{ _tag: "expire", at: 5, broker: "broker-1" }]
}

const problemOf = (text: string): string =>
  Result.match(parse(text), { onSuccess: () => "none", onFailure: ({ message }) => message })

describe("a stored plan", () => {
  it.prop("reads back as it was", { plan: Arbitrary.schema(Plan) }, ({ plan }) => {
    const text = render(plan)
    assert.strictEqual(render(Schema.decodeUnknownSync(Schema.toCodecJson(Plan))(JSON.parse(text))), text)
  })

  it("is JSON that people can read and change", () => {
    assert.include(render(plan), '\n  "seconds": 10,\n')
    assert.deepStrictEqual(parse(render(plan)), Result.succeed(plan))
  })

  it("can run: it has the brokers, clients and time that a run needs", () => {
    const changed = (change: Partial<Plan>): string => problemOf(render({ ...plan, ...change }))
    assert.strictEqual(changed({ brokers: 0 }), "a plan needs 1 broker, not 0")
    assert.strictEqual(changed({ brokers: 2 }), "a plan needs 1 broker, not 2")
    assert.strictEqual(changed({ clients: [] }), "a plan needs a client")
    assert.strictEqual(changed({ seconds: 0 }), "a plan needs a second at least")
    assert.strictEqual(
      changed({ clients: [client, client] }),
      'a plan has one client of a name: "observer" is there twice'
    )
  })

  it("is refused in one line when it is something else", () => {
    for (const text of ["", "no JSON", "[]", "{}", render(plan).replace('"expire"', '"expires"')]) {
      assert.match(problemOf(text), /^(?!none$)[^\n]+$/, text)
    }
  })
})
