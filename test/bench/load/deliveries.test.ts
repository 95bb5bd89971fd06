import { assert, describe, it } from "@effect/vitest"
import { Deliveries } from "../../../bench/load/deliveries.ts"

const publisher = 7

const after = (sequences: ReadonlyArray<number>, sent: number) => {
  const deliveries = new Deliveries(publisher, 1)
  for (const sequence of sequences) deliveries.accept(publisher, sequence)
  const { received, duplicated, outOfOrder, unexpected } = deliveries
  return { received, duplicated, outOfOrder, unexpected, lost: deliveries.lost(publisher, sent) }
}

const faultless = { duplicated: 0, outOfOrder: 0, unexpected: 0, lost: 0 }

describe("the benchmark's check of deliveries", () => {
  it("finds nothing wrong with every message once and in order", () => {
    assert.deepStrictEqual(after([0, 1, 2, 3], 4), { ...faultless, received: 4 })
  })

  it("counts messages lost in the middle and at the end", () => {
    assert.deepStrictEqual(after([0, 3], 6), { ...faultless, received: 2, lost: 4 })
  })

  it("counts a message that comes late as out of order and not as lost", () => {
    assert.deepStrictEqual(after([0, 2, 1, 3], 4), { ...faultless, received: 4, outOfOrder: 1 })
  })

  it("counts a message that comes again as a duplicate, also when it came late", () => {
    assert.deepStrictEqual(after([0, 0, 2, 1, 1], 3), { ...faultless, received: 3, outOfOrder: 1, duplicated: 2 })
  })

  it("counts a message of a stranger, and an absurd sequence number, as unexpected", () => {
    const deliveries = new Deliveries(publisher, 1)
    deliveries.accept(publisher + 1, 0)
    deliveries.accept(publisher - 1, 0)
    deliveries.accept(publisher, 0xffff_ffff)
    assert.strictEqual(deliveries.unexpected, 3)
    assert.strictEqual(deliveries.received, 0)
  })
})
