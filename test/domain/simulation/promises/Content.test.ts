import { assert, describe, it } from "@effect/vitest"
import type { History } from "../../../../src/domain/simulation/History.ts"
import { content } from "../../../../src/domain/simulation/promises/Content.ts"
import { reconstruct } from "../../../../src/domain/simulation/Reconstruction.ts"
import { type SubscribeOptions, write } from "../HistoryBuilder.ts"

const broken = (history: { history: () => History }) =>
  content(reconstruct(history.history())).map(({ promise }) => promise)

/** A subscriber with this subscription, and a message on `t` with QoS 2. */
const begun = (options: SubscribeOptions = {}, filter = "t") =>
  write()
    .at(0)
    .connected("s")
    .subscribed("s", filter, options)
    .connected("p")
    .at(10)
    .published("p", 1, { qos: 2 })
    .at(20)

describe("what is delivered", () => {
  it("is a message that somebody published before, on this topic", () => {
    assert.deepStrictEqual(broken(begun().delivered("s", "p/m1")), [])
    assert.deepStrictEqual(broken(begun().delivered("s", "p/m2")), ["from-nowhere"])
    assert.deepStrictEqual(broken(begun().delivered("s", "p/m1", { topic: "u" })), ["wrong-topic"])
    assert.deepStrictEqual(broken(begun().delivered("s", "p/m2").at(30).published("p", 2)), ["from-nowhere"])
    assert.deepStrictEqual(
      broken(begun().published("p", 2, { taken: false, answered: false }).delivered("s", "p/m2")),
      ["from-nowhere"]
    )
  })

  it("is whole", () => {
    const payload = Buffer.from("p/m1 00000000 ")
    const packet = { _tag: "Publish", topic: "t", payload, qos: 0, retain: false, dup: false, packetId: 0 } as const
    assert.deepStrictEqual(broken(begun().received("s", packet)), ["content-broken"])
  })

  it("may be a Will, or an empty payload that somebody sent", () => {
    const history = begun().connected("w", { will: { topic: "t" } })
    const will = `w/w${history.connectionOf("w")}`
    assert.deepStrictEqual(broken(history.delivered("s", will, { qos: 0 })), [])
    assert.deepStrictEqual(broken(history.delivered("s", will, { qos: 1 })), ["wrong-qos"])
    assert.deepStrictEqual(broken(begun().published("p", "clear").delivered("s", "clear")), [])
    assert.deepStrictEqual(broken(begun().delivered("s", "clear")), ["from-nowhere"])
  })

  it("is nothing that the publisher was told is refused", () => {
    assert.deepStrictEqual(broken(begun().published("p", 2, { answered: 0x97 }).delivered("s", "p/m2")), [
      "refused-delivered"
    ])
    const again = begun().published("p", 2, { answered: false }).published("p", 2, { dup: true, answered: 0x97 })
    assert.deepStrictEqual(broken(again.delivered("s", "p/m2")), [])
  })

  it("goes to nobody who has not subscribed", () => {
    assert.deepStrictEqual(broken(begun({}, "u").delivered("s", "p/m1")), ["from-nowhere"])
    assert.deepStrictEqual(broken(begun({ answered: 0x87 }).delivered("s", "p/m1")), ["from-nowhere"])
    // Its SUBACK is not known, so it may hold.
    assert.deepStrictEqual(broken(begun({ answered: false }).delivered("s", "p/m1")), [])
  })

  it("is not the client's own under No Local", () => {
    const own = (noLocal: boolean) =>
      write().at(0).connected("s").subscribed("s", "t", { noLocal }).at(10).published("s", 1).delivered("s", "s/m1")
    assert.deepStrictEqual(broken(own(true)), ["no-local-ignored"])
    assert.deepStrictEqual(broken(own(false)), [])
  })

  it("has the lower of the published and the granted QoS", () => {
    assert.deepStrictEqual(broken(begun({ qos: 1 }).delivered("s", "p/m1", { qos: 2 })), ["wrong-qos"])
    assert.deepStrictEqual(broken(begun({ qos: 1 }).delivered("s", "p/m1", { qos: 0 })), ["wrong-qos"])
    const overlapping = () => begun({ qos: 0 }).at(5).subscribed("s", "#", { qos: 2 }).at(20)
    assert.deepStrictEqual(broken(overlapping().delivered("s", "p/m1", { qos: 2 })), [])
    assert.deepStrictEqual(broken(overlapping().delivered("s", "p/m1", { qos: 0 })), ["wrong-qos"])
    // A subscription that is being replaced may have the old QoS or the new one.
    const replaced = () => begun({ qos: 0 }).at(9).subscribed("s", "t", { qos: 2, answered: false }).at(20)
    assert.deepStrictEqual(broken(replaced().delivered("s", "p/m1", { qos: 2 })), [])
    assert.deepStrictEqual(broken(replaced().delivered("s", "p/m1", { qos: 0 })), [])
  })

  it("has the Subscription Identifiers of the subscriptions that match", () => {
    const identified = () => begun({ identifier: 7 }).at(5).subscribed("s", "#", { identifier: 8 }).at(20)
    assert.deepStrictEqual(broken(identified().delivered("s", "p/m1", { identifiers: [8, 7] })), [])
    assert.deepStrictEqual(broken(identified().delivered("s", "p/m1", { identifiers: [7] })), ["wrong-identifier"])
    assert.deepStrictEqual(broken(identified().delivered("s", "p/m1", { identifiers: [7, 8, 9] })), [
      "wrong-identifier"
    ])
    assert.deepStrictEqual(
      broken(begun({ answered: false, identifier: 7 }).delivered("s", "p/m1", { identifiers: [7] })),
      []
    )
  })
})
