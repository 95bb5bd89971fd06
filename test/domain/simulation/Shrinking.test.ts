import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { resolve } from "../../../src/domain/config/Provenance.ts"
import type { Action, ClientPlan, Fault, Plan } from "../../../src/domain/simulation/Plan.ts"
import { shrink } from "../../../src/domain/simulation/Shrinking.ts"

const publish = (at: number, topic: string): Action => ({
  _tag: "Publish",
  at,
  topic,
  qos: 1,
  retain: false,
  bytes: 20,
  alias: false
})

const online: Action = { _tag: "Online", at: 0, cleanStart: true }

const subscribe: Action = {
  _tag: "Subscribe",
  at: 10,
  filter: "#",
  qos: 2,
  noLocal: false,
  retainAsPublished: false,
  retainHandling: 0
}

const client = (name: string, actions: ReadonlyArray<Action>): ClientPlan => ({
  name,
  version: 5,
  keepAlive: 60,
  acknowledgeMillis: 5,
  actions: [online, ...actions]
})

const crash = (at: number, duration = 1_000): Fault => ({ _tag: "crash", at, duration, broker: "broker-1" })

const plan: Plan = {
  seed: 7,
  seconds: 60,
  brokers: 1,
  store: "embedded",
  schedule: { policy: "random", preemption: 0.1 },
  network: { latencyMicros: 900, segmentation: 0.5 },
  clocks: { driftPpm: 50, skewMillis: -300 },
  limits: {
    partitions: 4,
    capital: 100_000,
    receiveMaximum: 3,
    maximumInflight: 2,
    queueMessages: 10,
    outboxBytes: 4_096
  },
  clients: [
    client("observer", [subscribe, { _tag: "Stall", at: 500, duration: 4_000 }]),
    client(
      "pub-1",
      Array.from({ length: 12 }, (_, i) => publish(1_000 * (i + 1), `t/${i}`))
    ),
    client("pub-2", [publish(3_000, "u/1"), { _tag: "Stall", at: 4_000, duration: 8_000 }]),
    client("pub-3", [publish(2_000, "v/1"), publish(50_000, "v/2")])
  ],
  faults: Array.from({ length: 9 }, (_, i) => crash(4_000 * (i + 1)))
}

/** Shrinks a plan that fails by this rule; the plan that is left, what was accepted, and how many runs it took. */
const shrunk = (fails: (plan: Plan) => boolean, runs = 1_000) => {
  const shrinking = shrink(plan, runs)
  const accepted: Array<string> = []
  let tried = 0
  let step = shrinking.next()
  while (step.done !== true) {
    tried++
    const isFailure = fails(step.value.plan)
    if (isFailure) accepted.push(step.value.change)
    step = shrinking.next(isFailure)
  }
  return { plan: step.value, accepted, tried }
}

const topics = ({ clients }: Plan): ReadonlyArray<string> =>
  clients.flatMap(({ actions }) => actions.flatMap((action) => (action._tag === "Publish" ? [action.topic] : [])))

describe("shrinking", () => {
  it("leaves only the faults, the client and the messages without which the run does not fail", () => {
    const fails = (plan: Plan): boolean =>
      plan.faults.some(({ at }) => at === 8_000) &&
      plan.faults.some(({ at }) => at === 20_000) &&
      topics(plan).includes("t/3") &&
      topics(plan).includes("t/7")
    const { plan: left } = shrunk(fails)
    assert.deepStrictEqual(
      left.faults.map(({ at }) => at),
      [8_000, 20_000]
    )
    assert.deepStrictEqual(
      left.clients.map(({ name }) => name),
      ["observer", "pub-1"]
    )
    assert.deepStrictEqual(topics(left), ["t/3", "t/7"])
    assert.isTrue(left.seconds > 20 && left.seconds < 25, `${left.seconds} s`)
  })

  it("keeps the observer and its subscription, whatever fails", () => {
    const { plan: left } = shrunk(() => true)
    assert.deepStrictEqual(
      left.clients.map(({ name, actions }) => [name, actions]),
      [["observer", [online, subscribe]]]
    )
    assert.deepStrictEqual(left.faults, [])
    assert.strictEqual(left.seconds, 1)
  })

  it("calms down what the failure does not need", () => {
    const { plan: left } = shrunk(({ limits, schedule }) => limits.receiveMaximum === 3 && schedule.preemption === 0.1)
    assert.deepStrictEqual(left.schedule, { policy: "fifo", preemption: 0.1 })
    assert.deepStrictEqual(left.network, { latencyMicros: 200, segmentation: 0 })
    assert.deepStrictEqual(left.clocks, { driftPpm: 0, skewMillis: 0 })
    const { partitions, bank, limits } = Result.getOrThrow(resolve([], { id: "host-1" })).config
    assert.deepStrictEqual(left.limits, {
      partitions,
      capital: bank.capital,
      receiveMaximum: 3,
      maximumInflight: limits.maximumInflight,
      queueMessages: limits.queue.messages,
      outboxBytes: limits.outbox.bytes
    })
  })

  it("makes faults and stalls last half as long, again and again", () => {
    const lasting = (plan: Plan): ReadonlyArray<number> => [
      ...plan.faults.map((fault) => ("duration" in fault ? fault.duration : 0)),
      ...plan.clients.flatMap(({ actions }) =>
        actions.flatMap((action) => (action._tag === "Stall" ? [action.duration] : []))
      )
    ]
    const { plan: left } = shrunk(
      (plan) =>
        plan.faults.some((fault) => "duration" in fault && fault.duration >= 200) &&
        plan.clients.some(({ actions }) => actions.some((action) => action._tag === "Stall" && action.duration >= 900))
    )
    assert.deepStrictEqual(lasting(left), [250, 1_000])
  })

  it("makes faults and stalls as short as can be where their length does not matter", () => {
    const { plan: left } = shrunk((plan) => plan.faults.length === 9)
    assert.deepStrictEqual(
      left.faults.map((fault) => ("duration" in fault ? fault.duration : 0)),
      Array.from({ length: 9 }, () => 10)
    )
  })

  it("gives back the plan when nothing smaller fails", () => {
    const { plan: left, accepted } = shrunk(() => false)
    assert.strictEqual(left, plan)
    assert.deepStrictEqual(accepted, [])
  })

  it("takes no more runs than it may, and still gives the smallest plan found", () => {
    const { plan: left, tried, accepted } = shrunk((plan) => plan.faults.length >= 2, 6)
    assert.strictEqual(tried, 6)
    assert.isTrue(left.faults.length >= 2 && left.faults.length < 9)
    assert.isNotEmpty(accepted)
  })

  it("is the same every time", () => {
    const fails = (plan: Plan): boolean => topics(plan).length >= 3 && plan.faults.length >= 2
    assert.deepStrictEqual(shrunk(fails), shrunk(fails))
  })
})
