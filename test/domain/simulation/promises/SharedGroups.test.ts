import { assert, describe, it } from "@effect/vitest"
import type { History } from "../../../../src/domain/simulation/History.ts"
import { sharedGroups } from "../../../../src/domain/simulation/promises/SharedGroups.ts"
import { reconstruct } from "../../../../src/domain/simulation/Reconstruction.ts"
import { type SubscribeOptions, write } from "../HistoryBuilder.ts"

const broken = (history: { history: () => History }) =>
  sharedGroups(reconstruct(history.history())).map(({ promise }) => promise)

const filter = "$share/g/t"
const resumed = { cleanStart: false, sessionPresent: true, expiry: 3600 } as const

/** Two members with durable sessions, and a message. */
const begun = (qos: 1 | 2 = 1, second: SubscribeOptions = {}) =>
  write()
    .at(0)
    .phase("chaos")
    .connected("a", { expiry: 3600 })
    .subscribed("a", filter, { qos })
    .connected("b", { expiry: 3600 })
    .subscribed("b", filter, { qos, ...second })
    .connected("p")
    .at(10)
    .published("p", 1, { qos })
    .at(20)

/** Both members are there while everything converges. */
const converged = (history: ReturnType<typeof begun>) =>
  history.at(20_000).phase("healed").connected("a", resumed).connected("b", resumed).at(30_000).phase("cleared")

describe("a shared subscription", () => {
  it("gives a message to one member", () => {
    const history = begun().delivered("a", "p/m1")
    assert.deepStrictEqual(broken(history), [])
    assert.deepStrictEqual(broken(history.delivered("b", "p/m1")), ["shared-doubled"])
  })

  it("gives it to another member when the first one's session ended before its acknowledgement", () => {
    const moved = (answerTaken: boolean, qos: 1 | 2) =>
      begun(qos)
        .delivered("a", "p/m1", { qos, answerTaken })
        .at(30)
        .closed("a")
        .connected("a", { expiry: 3600 })
        .at(40)
        .delivered("b", "p/m1", { qos })
    assert.deepStrictEqual(broken(moved(false, 1)), [])
    assert.deepStrictEqual(broken(moved(true, 1)), ["shared-doubled"])
    // What was begun at QoS 2 does not move [MQTT-4.8.2-5].
    assert.deepStrictEqual(broken(moved(false, 2)), ["shared-doubled"])
  })

  it("gives it to another member, which may get it sooner by a faster connection", () => {
    const history = begun()
      .delivered("b", "p/m1", { written: 20 })
      .at(25)
      .delivered("a", "p/m1", { written: 15, answerTaken: false })
      .closed("a")
      .connected("a", { expiry: 3600 })
    assert.deepStrictEqual(broken(history), [])
  })

  it("gives it again when it was published again, or comes by another subscription", () => {
    const again = begun().delivered("a", "p/m1").published("p", 1, { dup: true }).delivered("b", "p/m1")
    assert.deepStrictEqual(broken(again), [])
    const other = begun().at(5).subscribed("b", "t").at(20).delivered("a", "p/m1").delivered("b", "p/m1")
    assert.deepStrictEqual(broken(other), [])
  })

  it("may lose an acknowledgement in a crash", () => {
    const crashed = begun()
      .delivered("a", "p/m1")
      .ended()
      .at(30)
      .connected("a", { expiry: 3600 })
      .at(40)
      .connected("b", resumed)
      .delivered("b", "p/m1")
    assert.deepStrictEqual(broken(crashed), [])
  })

  it("loses no acknowledged message while a member is there", () => {
    assert.deepStrictEqual(broken(converged(begun())), ["shared-lost"])
    assert.deepStrictEqual(broken(converged(begun().delivered("b", "p/m1"))), [])
  })

  it("hands on what a member that said goodbye for good had", () => {
    const left = (graceful: boolean) => {
      const history = begun().at(30)
      if (graceful) history.disconnected("b", { expiry: 0 })
      else history.closed("b")
      return history.at(20_000).phase("healed").connected("a", resumed).connected("b").at(30_000).phase("cleared")
    }
    assert.deepStrictEqual(broken(left(true)), ["shared-lost"])
    assert.deepStrictEqual(broken(left(false)), [])
  })

  it("may have given a message to a member that asked for QoS 0, has unsubscribed, or is away", () => {
    assert.deepStrictEqual(broken(converged(begun(1, { qos: 0 }))), [])
    assert.deepStrictEqual(broken(converged(begun().unsubscribed("b", filter))), [])
    const away = begun()
      .at(30)
      .closed("b")
      .at(20_000)
      .phase("healed")
      .connected("a", resumed)
      .at(30_000)
      .phase("cleared")
    assert.deepStrictEqual(broken(away), [])
  })
})
