import { assert, describe, it } from "@effect/vitest"
import type { History } from "../../../../src/domain/simulation/History.ts"
import { order } from "../../../../src/domain/simulation/promises/Order.ts"
import { reconstruct } from "../../../../src/domain/simulation/Reconstruction.ts"
import { type PublishOptions, write } from "../HistoryBuilder.ts"

const broken = (history: { history: () => History }) =>
  order(reconstruct(history.history())).map(({ promise }) => promise)

const resumed = { cleanStart: false, sessionPresent: true, expiry: 3600 } as const

/** A subscriber of this filter, and two messages of one publisher. */
const begun = (filter = "#", first: PublishOptions = {}, second: PublishOptions = {}) =>
  write()
    .at(0)
    .connected("s", { expiry: 3600 })
    .subscribed("s", filter)
    .connected("p", { expiry: 3600 })
    .at(10)
    .published("p", 1, first)
    .published("p", 2, second)
    .at(20)

describe("order", () => {
  it("is that of the first sendings, at the first receptions", () => {
    assert.deepStrictEqual(broken(begun().delivered("s", "p/m1").delivered("s", "p/m2", { packetId: 2 })), [])
    assert.deepStrictEqual(broken(begun().delivered("s", "p/m2").delivered("s", "p/m1", { packetId: 2 })), [
      "out-of-order"
    ])
  })

  it("leaves out what never came, and what comes again", () => {
    assert.deepStrictEqual(broken(begun().delivered("s", "p/m2")), [])
    const again = begun()
      .delivered("s", "p/m1")
      .delivered("s", "p/m2", { packetId: 2 })
      .at(30)
      .connected("s", resumed)
      .delivered("s", "p/m1", { dup: true })
      .delivered("s", "p/m2", { dup: true, packetId: 2 })
    assert.deepStrictEqual(broken(again), [])
  })

  it("holds within one topic, one QoS and one session only", () => {
    const topics = begun("#", { topic: "t" }, { topic: "u" })
    assert.deepStrictEqual(broken(topics.delivered("s", "p/m2", { topic: "u" }).delivered("s", "p/m1")), [])
    const qos = begun("#", { qos: 1 }, { qos: 2 })
    assert.deepStrictEqual(broken(qos.delivered("s", "p/m2").delivered("s", "p/m1")), [])
    const sessions = begun().delivered("s", "p/m2").connected("s").subscribed("s", "#").delivered("s", "p/m1")
    assert.deepStrictEqual(broken(sessions), [])
  })

  it("is not that of retained messages and of shared subscriptions", () => {
    const retained = begun().delivered("s", "p/m2").delivered("s", "p/m1", { retain: true })
    assert.deepStrictEqual(broken(retained), [])
    const shared = begun("$share/g/#").delivered("s", "p/m2").delivered("s", "p/m1")
    assert.deepStrictEqual(broken(shared), [])
  })

  it("does not count what had expired in the queue, and counts as perhaps sent after a crash", () => {
    const late = (first: PublishOptions) =>
      begun("#", first)
        .delivered("s", "p/m2", { packetId: 2 })
        .at(30)
        .connected("s", resumed)
        .delivered("s", "p/m1", { dup: true })
    assert.deepStrictEqual(broken(late({ expiry: 5 })), [])
    assert.deepStrictEqual(broken(late({})), ["out-of-order"])
  })

  it("allows a message that may have found no room at first to come after a later one", () => {
    const again = (room: boolean) =>
      begun("#", { answered: false }, {})
        .connected("q")
        .published("q", 1, { topic: "u", answered: room ? 0 : 0x97 })
        .delivered("s", "p/m2", { packetId: 2 })
        .at(30)
        .closed("p")
        .connected("p", resumed)
        .published("p", 1, { dup: true })
        .delivered("s", "p/m1")
    assert.deepStrictEqual(broken(again(false)), [])
    assert.deepStrictEqual(broken(again(true)), ["out-of-order"])
  })

  it("allows the late copy of a message that was published again to come first to a later subscription", () => {
    const repeated = (subscribedAt: number) =>
      write()
        .at(0)
        .connected("p", { expiry: 3600 })
        .connected("s", { expiry: 3600 })
        .at(subscribedAt)
        .subscribed("s", "t")
        .at(10)
        .published("p", 1, { answered: false })
        .at(20)
        .published("p", 2, { answered: false })
        .at(30)
        .closed("p")
        .connected("p", resumed)
        .published("p", 1, { dup: true })
        .at(40)
        .delivered("s", "p/m2", { packetId: 1 })
        .delivered("s", "p/m1", { packetId: 2 })
    assert.deepStrictEqual(broken(repeated(15)), [])
    assert.deepStrictEqual(broken(repeated(5)), ["out-of-order"])
  })
})
