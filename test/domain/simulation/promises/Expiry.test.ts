import { assert, describe, it } from "@effect/vitest"
import type { History } from "../../../../src/domain/simulation/History.ts"
import { expiry } from "../../../../src/domain/simulation/promises/Expiry.ts"
import { reconstruct } from "../../../../src/domain/simulation/Reconstruction.ts"
import { type DeliverOptions, write, writeReal } from "../HistoryBuilder.ts"

const broken = (history: { history: () => History }) =>
  expiry(reconstruct(history.history())).map(({ promise }) => promise)

const resumed = { cleanStart: false, sessionPresent: true, expiry: 3600 } as const

/** A message with an expiry of 10 s is delivered after so many seconds. */
const after = (seconds: number, options: DeliverOptions, jump = 0, version: 4 | 5 = 5) =>
  broken(
    write()
      .at(0)
      .connected("s", { expiry: 3600, version })
      .subscribed("s", "t")
      .connected("p")
      .at(1_000)
      .published("p", 1, { expiry: 10 })
      .at(1_500)
      .jumped(jump)
      .started()
      .at(1_000 + seconds * 1000)
      .connected("s", { ...resumed, version })
      .delivered("s", "p/m1", options)
  )

describe("an expiry", () => {
  it("ends what is sent for the first time", () => {
    assert.deepStrictEqual(after(5, { expiry: 5 }), [])
    assert.deepStrictEqual(after(10.3, { expiry: 1 }), [])
    assert.deepStrictEqual(after(12, { expiry: 0 }), ["delivered-expired"])
    assert.deepStrictEqual(after(12, {}, 0, 4), ["delivered-expired"])
  })

  it("does not end what is sent again, nor what was written in time", () => {
    assert.deepStrictEqual(after(12, { expiry: 0, dup: true }), [])
    assert.deepStrictEqual(after(40, { expiry: 5, written: 6_000 }), [])
  })

  it("is counted by the broker's clock", () => {
    assert.deepStrictEqual(after(5, { expiry: 0 }, 20_000), [])
    // It is started again after its clock has jumped.
    assert.deepStrictEqual(after(12, { expiry: 3 }, -5_000), [])
    assert.deepStrictEqual(after(5, { expiry: 3_000 }, -3_600_000), [])
  })

  it("begins anew when the message is published again", () => {
    const repeated = (answered: boolean) =>
      write()
        .at(0)
        .connected("s", { expiry: 3600 })
        .subscribed("s", "t")
        .connected("p")
        .at(1_000)
        .published("p", 1, { expiry: 10, answered: false })
        .at(9_000)
        .published("p", 1, { expiry: 10, dup: true, answered })
        .at(15_000)
        .delivered("s", "p/m1", { expiry: 4 })
    assert.deepStrictEqual(broken(repeated(true)), [])
    assert.deepStrictEqual(broken(repeated(false)), [])
  })

  it("is not known of a message that the broker may have come to later", () => {
    const held = (pinged: boolean) => {
      const history = write()
        .at(0)
        .connected("s", { expiry: 3600 })
        .subscribed("s", "t")
        .connected("p")
        .at(1_000)
        .published("p", 1, { expiry: 10, answered: false })
      if (pinged) history.at(2_000).sent("p", { _tag: "PingReq" }).received("p", { _tag: "PingResp" })
      return history.at(20_000).delivered("s", "p/m1", { expiry: 1 })
    }
    assert.deepStrictEqual(broken(held(false)), [])
    assert.deepStrictEqual(broken(held(true)), ["delivered-expired"])
  })

  it("is told to the receiver, less what has passed", () => {
    assert.deepStrictEqual(after(5, { expiry: 8 }), ["expiry-wrong"])
    assert.deepStrictEqual(after(5, { expiry: 2 }), ["expiry-wrong"])
    assert.deepStrictEqual(after(5, { expiry: 11 }), ["expiry-wrong"])
    assert.deepStrictEqual(after(5, {}), ["expiry-wrong"])
    assert.deepStrictEqual(after(5, {}, 0, 4), [])
  })

  it("is not invented", () => {
    const history = write().at(0).connected("s").subscribed("s", "t").connected("p").published("p", 1).at(1)
    assert.deepStrictEqual(broken(history.delivered("s", "p/m1", { expiry: 9 })), ["expiry-wrong"])
  })

  it("is kept among real processes", () => {
    const real = (seconds: number) =>
      writeReal()
        .at(0)
        .connected("s", { version: 4 })
        .subscribed("s", "t")
        .connected("p")
        .published("p", 1, { expiry: 10 })
        .at(seconds * 1000)
        .delivered("s", "p/m1")
    assert.deepStrictEqual(broken(real(11)), [])
    assert.deepStrictEqual(broken(real(20)), ["delivered-expired"])
  })
})
