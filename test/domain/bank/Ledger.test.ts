import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as Ledger from "../../../src/domain/bank/Ledger.ts"

describe("a lease", () => {
  it("books what is stored, and takes it back when that is gone", () => {
    const lease = { drawn: 10, spent: 4 }
    assert.strictEqual(Ledger.unspent(lease), 6)
    const full = Ledger.spend(lease, 6)
    assert.deepStrictEqual(full, { drawn: 10, spent: 10 })
    assert.deepStrictEqual(Ledger.spend(full, -6), lease)
  })

  it("draws what is free and no more, and gives back what is unspent and no more", () => {
    const capital = { capital: 10, free: 10 }
    const [left, lease] = Ledger.draw(capital, Ledger.noLease, 15)
    assert.deepStrictEqual(
      [left, lease],
      [
        { capital: 10, free: 0 },
        { drawn: 10, spent: 0 }
      ]
    )
    const spent = Ledger.spend(lease, 4)
    assert.deepStrictEqual(Ledger.returnUnspent(left, spent, 15), [
      { capital: 10, free: 6 },
      { drawn: 4, spent: 4 }
    ])
  })

  it("keeps what it holds when the capital shrinks below that", () => {
    assert.deepStrictEqual(Ledger.resize({ capital: 10, free: 2 }, 5), { capital: 8, free: 0 })
    assert.deepStrictEqual(Ledger.resize({ capital: 10, free: 2 }, 9), { capital: 9, free: 1 })
    assert.deepStrictEqual(Ledger.resize({ capital: 10, free: 2 }, 20), { capital: 20, free: 12 })
  })
})

const Amount = Schema.Literals([0, 1, 7, 50, 100, 1_000])
const Step = Schema.Union([
  Schema.TaggedStruct("Draw", { member: Schema.Literals([0, 1, 2]), amount: Amount }),
  Schema.TaggedStruct("Return", { member: Schema.Literals([0, 1, 2]), amount: Amount }),
  Schema.TaggedStruct("Charge", { member: Schema.Literals([0, 1, 2]), amount: Amount }),
  Schema.TaggedStruct("Refund", { member: Schema.Literals([0, 1, 2]), amount: Amount }),
  Schema.TaggedStruct("Resize", { wanted: Amount })
])

it.prop(
  "capital is always what is free, what is unspent and what is spent, and nothing is negative",
  [Schema.Array(Step)],
  ([steps]) => {
    let capital: Ledger.Capital = { capital: 200, free: 200 }
    const leases = [Ledger.noLease, Ledger.noLease, Ledger.noLease]
    for (const step of steps) {
      const spentBefore = leases.reduce((sum, { spent }) => sum + spent, 0)
      if (step._tag === "Resize") {
        capital = Ledger.resize(capital, step.wanted)
      } else {
        const { member, amount } = step
        const lease = leases[member]!
        if (step._tag === "Draw") [capital, leases[member]] = Ledger.draw(capital, lease, amount)
        else if (step._tag === "Return") [capital, leases[member]] = Ledger.returnUnspent(capital, lease, amount)
        else if (step._tag === "Charge") leases[member] = Ledger.spend(lease, Math.min(amount, Ledger.unspent(lease)))
        else leases[member] = Ledger.spend(lease, -Math.min(amount, lease.spent))
      }
      const spent = leases.reduce((sum, lease) => sum + lease.spent, 0)
      const unspent = leases.reduce((sum, lease) => sum + Ledger.unspent(lease), 0)
      assert.strictEqual(capital.capital, capital.free + unspent + spent)
      assert.isTrue(capital.free >= 0 && leases.every((lease) => lease.spent >= 0 && Ledger.unspent(lease) >= 0))
      if (step._tag !== "Charge" && step._tag !== "Refund") assert.strictEqual(spent, spentBefore)
    }
  }
)
