import { assert, describe, it } from "@effect/vitest"
import { nothingLeaks } from "../../../../src/domain/simulation/promises/NothingLeaks.ts"
import { reconstruct } from "../../../../src/domain/simulation/Reconstruction.ts"
import { write } from "../HistoryBuilder.ts"

const broken = (end: Readonly<Record<string, number>>, endOf = "broker-1") => {
  const empty = { sessions: 0, retained: 0, credit: 1_000, "counts.refused": 0 }
  const history = write()
    .event({ _tag: "Snapshot", at: 0, broker: "broker-1", moment: "empty", holds: empty })
    .event({ _tag: "Snapshot", at: 1_000, broker: endOf, moment: "end", holds: { ...empty, ...end } })
    .history()
  return nothingLeaks(reconstruct(history))
}

describe("nothing leaks", () => {
  it("when a broker holds at the end what it held when it was empty, whatever it has counted", () => {
    assert.deepStrictEqual(broken({}), [])
    assert.deepStrictEqual(broken({ "counts.refused": 5 }), [])
    assert.deepStrictEqual(broken({ sessions: 7 }, "broker-2"), [])
  })

  it("names all that is left behind", () => {
    assert.deepStrictEqual(broken({ sessions: 1, sockets: 2 }), [
      {
        promise: "left-behind",
        at: 1_000,
        detail: "broker-1 is not empty again: sessions was 0, is 1; sockets was absent, is 2"
      }
    ])
  })

  it("knows credit that was lost or invented, and credit below zero", () => {
    assert.deepStrictEqual(
      broken({ credit: 999 }).map(({ promise }) => promise),
      ["credit-lost"]
    )
    assert.deepStrictEqual(
      broken({ credit: 1_001 }).map(({ promise }) => promise),
      ["credit-lost"]
    )
    assert.deepStrictEqual(
      broken({ credit: -1 }).map(({ promise }) => promise),
      ["credit-negative", "credit-lost"]
    )
  })
})
