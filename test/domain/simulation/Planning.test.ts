import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { isApplicable } from "../../../src/domain/simulation/FaultPlanning.ts"
import type { Action, ClientPlan } from "../../../src/domain/simulation/Plan.ts"
import { brokerHost, FaultName, Plan, serverHost } from "../../../src/domain/simulation/Plan.ts"
import { planOf } from "../../../src/domain/simulation/Planning.ts"
import { observerName, quietBeginning } from "../../../src/domain/simulation/Workload.ts"

const seeds = Array.from({ length: 300 }, (_, i) => i + 1)
const plans = seeds.map((seed) => planOf(seed))

const isSorted = (things: ReadonlyArray<{ readonly at: number }>): boolean =>
  things.every(({ at }, i) => i === 0 || things[i - 1]!.at <= at)

/** The actions of all clients of all plans, each with its client. */
const everyAction = (): ReadonlyArray<readonly [ClientPlan, Action]> =>
  plans.flatMap(({ clients }) => clients.flatMap((client) => client.actions.map((action) => [client, action] as const)))

const shareOf = <A>(things: ReadonlyArray<A>, isOne: (thing: A) => boolean): number =>
  things.filter(isOne).length / things.length

describe("the plan of a seed", () => {
  it("satisfies its Schema", () => {
    for (const plan of plans) {
      assert.isTrue(Schema.is(Plan)(plan), `seed ${plan.seed}`)
    }
  })

  it("is the same for the same seed, and another for another", () => {
    for (const seed of [1, 2, 300, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER]) {
      assert.deepStrictEqual(planOf(seed), planOf(seed))
    }
    const contents = plans.map((plan) => JSON.stringify({ ...plan, seed: 0 }))
    assert.strictEqual(new Set(contents).size, seeds.length)
  })

  it("keeps to the bounds of the defaults", () => {
    for (const { brokers, clients, seconds, faults, limits, clocks, network } of plans) {
      assert.strictEqual(brokers, 1)
      assert.isTrue(clients.length >= 2 && clients.length <= 12)
      assert.isTrue(seconds >= 20 && seconds <= 60)
      assert.isAtMost(faults.length, 12)
      assert.include([1, 4, 16], limits.partitions)
      assert.isAtLeast(limits.capital, 1_048_576)
      assert.isAtLeast(limits.outboxBytes, 1_024)
      assert.isAtLeast(Math.min(limits.receiveMaximum, limits.maximumInflight, limits.queueMessages), 1)
      assert.isAtMost(Math.abs(clocks.driftPpm), 10_000)
      assert.isTrue(network.latencyMicros >= 100 && network.latencyMicros <= 5_000)
    }
  })

  it("puts the actions of each client and the faults in the order of their times, before the end", () => {
    for (const { clients, faults, seconds } of plans) {
      assert.isTrue(isSorted(faults))
      for (const { actions } of clients) assert.isTrue(isSorted(actions))
      for (const { at } of [...faults, ...clients.flatMap(({ actions }) => actions)])
        assert.isBelow(at, seconds * 1_000)
    }
  })

  it("lets the observer subscribe to everything before anybody else does anything, and stay", () => {
    for (const { clients } of plans) {
      const [observer, ...others] = clients
      assert.strictEqual(observer!.name, observerName)
      assert.strictEqual(observer!.version, 5)
      const [online, subscribe, ...rest] = observer!.actions
      assert.isTrue(online?._tag === "Online" && online.at === 0 && online.expiry! > 100_000)
      assert.isTrue(subscribe?._tag === "Subscribe" && subscribe.at === 0)
      assert.isTrue(subscribe?._tag === "Subscribe" && subscribe.filter === "#" && subscribe.qos === 2)
      for (const { _tag } of rest) assert.include(["Stall", "TakeOver"], _tag)
      for (const { actions } of others) assert.isAtLeast(actions[0]!.at, quietBeginning)
    }
  })

  it("gives every client a name of its own, an Online before an Offline, and a way to be noticed when it is silent", () => {
    for (const { clients } of plans) {
      assert.strictEqual(new Set(clients.map(({ name }) => name)).size, clients.length)
      for (const { actions, keepAlive } of clients) {
        const life = actions.filter(({ _tag }) => _tag === "Online" || _tag === "Offline").map(({ _tag }) => _tag)
        assert.deepStrictEqual(
          life,
          life.map((_, i) => (i % 2 === 0 ? "Online" : "Offline"))
        )
        assert.isTrue(keepAlive >= 0 && keepAlive <= 30)
      }
    }
  })

  it("asks for no topic but those of a run, and for nothing that the specification forbids", () => {
    const isLegal = ({ name }: ClientPlan, action: Action): boolean => {
      switch (action._tag) {
        case "Publish":
          return (
            /^(t\/[0-5]|r\/[0-3])$/.test(action.topic) && (action.bytes >= 48 || (action.bytes === 0 && action.retain))
          )
        case "Online":
          return action.will === undefined || action.will.topic === `wills/${name}`
        case "Subscribe":
          return !(action.noLocal && action.filter.startsWith("$share/")) && action.identifier !== 0
        default:
          return true
      }
    }
    assert.deepStrictEqual(
      everyAction().filter(([client, action]) => !isLegal(client, action)),
      []
    )
  })

  it("asks no client of MQTT 3.1.1 for what only MQTT 5.0 has", () => {
    const isOf5 = (action: Action): boolean => {
      switch (action._tag) {
        case "Online":
          return (action.expiry ?? action.will?.delay ?? action.will?.expiry) !== undefined
        case "Offline":
          return action.expiry !== undefined
        case "Publish":
          return action.expiry !== undefined || action.alias
        case "Subscribe": {
          const { noLocal, retainAsPublished, retainHandling, identifier } = action
          return noLocal || retainAsPublished || retainHandling !== 0 || identifier !== undefined
        }
        default:
          return false
      }
    }
    const old = everyAction().filter(([{ version }]) => version === 4)
    assert.isAbove(old.length, 1_000)
    assert.deepStrictEqual(
      old.filter(([, action]) => isOf5(action)),
      []
    )
    for (const { version, receiveMaximum, maximumPacketSize, topicAliasMaximum } of plans.flatMap((p) => p.clients)) {
      if (version === 4) assert.isUndefined(receiveMaximum ?? maximumPacketSize ?? topicAliasMaximum)
    }
  })

  it("has faults that can strike: of its store, between hosts that there are", () => {
    for (const { faults, store, clients } of plans) {
      const servers = store === "ensemble" ? [0, 1, 2].map(serverHost) : []
      const hosts = new Set([...clients.map(({ name }) => name), ...servers])
      for (const fault of faults) {
        assert.isTrue(isApplicable(fault._tag, store), `${fault._tag} with ${store}`)
        if ("broker" in fault) assert.strictEqual(fault.broker, brokerHost(0))
        if ("server" in fault) assert.isBelow(fault.server, 3)
        if ("duration" in fault) assert.isTrue(fault.duration >= 50 && fault.duration <= 20_000)
        if ("from" in fault) {
          const ends = [fault.from, fault.to]
          assert.strictEqual(ends.filter((host) => host === brokerHost(0)).length, 1)
          assert.strictEqual(ends.filter((host) => hosts.has(host)).length, 1)
        }
      }
    }
  })

  it("never ends a process that is down", () => {
    const overlaps = plans.flatMap(({ faults }) => {
      const downs = faults.filter((fault) => fault._tag === "crash" || fault._tag === "power")
      return downs.filter(({ at }, i) => i > 0 && at <= downs[i - 1]!.at + downs[i - 1]!.duration)
    })
    assert.deepStrictEqual(overlaps, [])
  })
})

describe("the plans of many seeds", () => {
  it("know every fault and every action, and some have no fault at all", () => {
    const faults = new Set(plans.flatMap(({ faults }) => faults.map(({ _tag }) => _tag)))
    assert.deepStrictEqual(faults, new Set(FaultName.literals))
    const actions = new Set(everyAction().map(([, { _tag }]) => _tag))
    assert.strictEqual(actions.size, 7)
    const quiet = shareOf(plans, ({ faults }) => faults.length === 0)
    assert.isTrue(quiet > 0.05 && quiet < 0.3)
  })

  it("divide themselves between stores, policies and limits", () => {
    const embedded = shareOf(plans, ({ store }) => store === "embedded")
    assert.isTrue(embedded > 0.4 && embedded < 0.6)
    const random = shareOf(plans, ({ schedule }) => schedule.policy === "random")
    assert.isTrue(random > 0.5 && random < 0.7)
    for (const preemption of [0, 0.002, 0.02, 0.1]) {
      assert.isAbove(
        shareOf(plans, ({ schedule }) => schedule.preemption === preemption),
        0.15
      )
    }
    const scarce = shareOf(plans, ({ limits }) => limits.capital === 1_048_576)
    assert.isTrue(scarce > 0.03 && scarce < 0.2)
  })

  it("publish between a message in some seconds and forty a second", () => {
    const rates = plans.map(({ clients, seconds }) => {
      const messages = clients.flatMap(({ actions }) => actions.filter(({ _tag }) => _tag === "Publish"))
      return messages.length / seconds
    })
    rates.sort((a, b) => a - b)
    assert.isAbove(rates[Math.floor(rates.length * 0.05)]!, 0.1)
    assert.isAbove(rates[Math.floor(rates.length * 0.85)]!, 5)
    assert.isBelow(rates[Math.floor(rates.length * 0.98)]!, 40)
  })
})

describe("the options of a plan", () => {
  it("decide what they name", () => {
    const plan = planOf(7, { brokers: 3, clients: 20, seconds: 300, faults: ["crash"] })
    assert.deepStrictEqual([plan.brokers, plan.clients.length, plan.seconds], [3, 20, 300])
    assert.isAtLeast(plan.faults.length, 1)
    for (const fault of plan.faults) {
      assert.isTrue(fault._tag === "crash" && ["broker-1", "broker-2", "broker-3"].includes(fault.broker))
    }
  })

  it("choose a store in which the faults can strike", () => {
    for (const seed of seeds.slice(0, 20)) {
      assert.strictEqual(planOf(seed, { faults: ["expire", "lag"] }).store, "ensemble")
      assert.strictEqual(planOf(seed, { faults: ["disk"] }).store, "embedded")
      assert.deepStrictEqual(planOf(seed, { faults: [] }).faults, [])
    }
  })

  it("leave alone what they do not name", () => {
    for (const plan of plans.slice(0, 20)) {
      assert.deepStrictEqual(planOf(plan.seed, { faults: [] }).clients, plan.clients)
      const more = planOf(plan.seed, { clients: 12 })
      assert.deepStrictEqual([more.limits, more.schedule, more.store], [plan.limits, plan.schedule, plan.store])
      const names = plan.clients.map(({ name }) => name)
      assert.deepStrictEqual(
        more.clients.slice(0, names.length).map(({ name }) => name),
        names
      )
    }
  })
})
