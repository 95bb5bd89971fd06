import { assert, describe, it } from "@effect/vitest"
import type { History } from "../../../../src/domain/simulation/History.ts"
import { unsubscribed } from "../../../../src/domain/simulation/promises/Unsubscribed.ts"
import { reconstruct } from "../../../../src/domain/simulation/Reconstruction.ts"
import { write } from "../HistoryBuilder.ts"

const broken = (history: { history: () => History }) =>
  unsubscribed(reconstruct(history.history())).map(({ promise }) => promise)

const begun = () => write().at(0).connected("p").connected("s", { expiry: 3600 }).subscribed("s", "t").at(10)

describe("after UNSUBACK", () => {
  it("nothing arrives that was sent later", () => {
    const history = begun().unsubscribed("s", "t").at(20).published("p", 1).at(30).delivered("s", "p/m1")
    assert.deepStrictEqual(broken(history), ["after-unsubscribe"])
  })

  it("what was sent before may arrive", () => {
    const history = begun().published("p", 1).at(20).unsubscribed("s", "t").at(30).delivered("s", "p/m1")
    assert.deepStrictEqual(broken(history), [])
  })

  it("is not said by an UNSUBSCRIBE that nobody answered", () => {
    const history = begun().unsubscribed("s", "t", { answered: false }).at(20).published("p", 1).delivered("s", "p/m1")
    assert.deepStrictEqual(broken(history), [])
  })

  it("another subscription may bring it", () => {
    const other = begun().subscribed("s", "#").unsubscribed("s", "t").at(20).published("p", 1).delivered("s", "p/m1")
    assert.deepStrictEqual(broken(other), [])
    const again = begun()
      .unsubscribed("s", "t")
      .at(20)
      .published("p", 1)
      .at(25)
      .subscribed("s", "t", { answered: false })
      .at(30)
      .delivered("s", "p/m1")
    assert.deepStrictEqual(broken(again), [])
  })
})
