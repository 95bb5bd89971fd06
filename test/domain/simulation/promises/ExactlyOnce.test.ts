import { assert, describe, it } from "@effect/vitest"
import type { History } from "../../../../src/domain/simulation/History.ts"
import { exactlyOnce } from "../../../../src/domain/simulation/promises/ExactlyOnce.ts"
import { reconstruct } from "../../../../src/domain/simulation/Reconstruction.ts"
import { write, writeReal } from "../HistoryBuilder.ts"

const broken = (history: { history: () => History }) =>
  exactlyOnce(reconstruct(history.history())).map(({ promise }) => promise)

const two = { qos: 2 } as const
const resumed = { cleanStart: false, sessionPresent: true, expiry: 3600 } as const

/** A subscriber that was granted this QoS, and a message that was published with QoS 2. */
const begun = (qos: 0 | 1 | 2) =>
  write()
    .at(0)
    .connected("s", { expiry: 3600 })
    .subscribed("s", "t", { qos })
    .connected("p", { expiry: 3600 })
    .at(10)
    .published("p", 1, two)
    .at(20)

describe("QoS 2", () => {
  it("breaks when a message comes again as a new one", () => {
    const released = begun(2).delivered("s", "p/m1", two).released("s")
    assert.deepStrictEqual(broken(released), [])
    assert.deepStrictEqual(broken(released.at(30).delivered("s", "p/m1", two)), ["exactly-once-doubled"])
  })

  it("breaks when a message comes again under another packet identifier", () => {
    const again = begun(2).delivered("s", "p/m1", two).delivered("s", "p/m1", { qos: 2, packetId: 2 })
    assert.deepStrictEqual(broken(again), ["exactly-once-doubled"])
  })

  it("sends a message again after a reconnect, while its identifier is known", () => {
    const again = (released: boolean) => {
      const history = begun(2).delivered("s", "p/m1", two)
      if (released) history.released("s")
      return history.closed("s").at(30).connected("s", resumed).delivered("s", "p/m1", { qos: 2, dup: true })
    }
    assert.deepStrictEqual(broken(again(false)), [])
    assert.deepStrictEqual(broken(again(true)), ["exactly-once-doubled"])
  })

  it("begins anew in a new session", () => {
    const history = begun(2)
      .delivered("s", "p/m1", two)
      .released("s")
      .at(30)
      .connected("s", { expiry: 3600 })
      .subscribed("s", "t", two)
      .delivered("s", "p/m1", two)
    assert.deepStrictEqual(broken(history), [])
  })

  it("takes what a publisher repeats in the same session for the same message", () => {
    const repeated = (sessionPresent: boolean) =>
      write()
        .at(0)
        .connected("s", { expiry: 3600 })
        .subscribed("s", "t", { qos: 2 })
        .connected("p", { expiry: 3600 })
        .at(10)
        .published("p", 1, { qos: 2, answered: false })
        .closed("p")
        .at(20)
        .connected("p", { ...resumed, sessionPresent })
        .published("p", 1, { qos: 2, dup: sessionPresent })
        .at(30)
        .delivered("s", "p/m1", { qos: 2, packetId: 1 })
        .delivered("s", "p/m1", { qos: 2, packetId: 2 })
    assert.deepStrictEqual(broken(repeated(true)), ["exactly-once-doubled"])
    assert.deepStrictEqual(broken(repeated(false)), [])
  })

  it("holds for a subscription with QoS 1, too: one copy without DUP", () => {
    const history = begun(1).delivered("s", "p/m1")
    assert.deepStrictEqual(broken(history), [])
    assert.deepStrictEqual(broken(history.delivered("s", "p/m1", { packetId: 2 })), ["dup-unset"])
  })
})

describe("QoS 1 and 0", () => {
  it("brings a copy for each time that a publisher sent the message and the broker read it", () => {
    const sentTwice = (taken: boolean) =>
      write()
        .at(0)
        .connected("s")
        .subscribed("s", "t")
        .connected("p", { expiry: 3600 })
        .at(10)
        .published("p", 1, { answered: false, taken })
        .closed("p")
        .at(20)
        .connected("p", resumed)
        .published("p", 1, { dup: true })
        .at(30)
        .delivered("s", "p/m1", { packetId: 1 })
        .delivered("s", "p/m1", { packetId: 2 })
    assert.deepStrictEqual(broken(sentTwice(true)), [])
    assert.deepStrictEqual(broken(sentTwice(false)), ["dup-unset"])
  })

  it("counts copies that the client took no notice of not as received", () => {
    const history = begun(1).reopened("s").delivered("s", "p/m1").at(30).connected("s", resumed).delivered("s", "p/m1")
    assert.deepStrictEqual(broken(history), [])
  })

  it("delivers at QoS 0 at most once", () => {
    const history = begun(0).delivered("s", "p/m1", { qos: 0 })
    assert.deepStrictEqual(broken(history), [])
    assert.deepStrictEqual(broken(history.delivered("s", "p/m1", { qos: 0 })), ["at-most-once-doubled"])
  })

  it("may reach a session once more by a shared subscription", () => {
    const history = begun(1)
      .at(5)
      .subscribed("s", "$share/g/t")
      .at(20)
      .delivered("s", "p/m1", { packetId: 1 })
      .delivered("s", "p/m1", { packetId: 2 })
    assert.deepStrictEqual(broken(history), [])
    assert.deepStrictEqual(broken(history.delivered("s", "p/m1", { packetId: 3 })), ["dup-unset"])
  })

  it("leaves retained messages that a SUBSCRIBE brings out of the count", () => {
    const retained = (subscribes: number) => {
      const history = write().at(0).connected("p").published("p", 1, { retain: true }).connected("s")
      for (let i = 0; i < subscribes; i++) history.at(10 + i).subscribed("s", "t")
      return history
        .at(20)
        .delivered("s", "p/m1", { retain: true, packetId: 1 })
        .delivered("s", "p/m1", { retain: true, packetId: 2 })
    }
    assert.deepStrictEqual(broken(retained(2)), [])
    assert.deepStrictEqual(broken(retained(1)), ["dup-unset"])
  })

  it("works among real processes", () => {
    const history = writeReal().at(0).connected("s").subscribed("s", "t").connected("p").at(1).published("p", 1).at(2)
    assert.deepStrictEqual(broken(history.delivered("s", "p/m1")), [])
    assert.deepStrictEqual(broken(history.delivered("s", "p/m1", { packetId: 2 })), ["dup-unset"])
  })
})

describe("DUP", () => {
  it("is not for a message that was published after the connection began", () => {
    const history = begun(1).closed("s").at(30).connected("s", resumed).at(40).published("p", 2)
    assert.deepStrictEqual(broken(history.delivered("s", "p/m1", { dup: true })), [])
    assert.deepStrictEqual(broken(history.delivered("s", "p/m2", { dup: true, packetId: 2 })), ["dup-set"])
  })

  it("is not for the first connection of a session, unless a CONNACK was lost", () => {
    const history = (answered: boolean) =>
      write()
        .at(0)
        .connected("p")
        .published("p", 1, { retain: true })
        .at(10)
        .connected("s", { expiry: 3600, answered })
        .at(20)
        .connected("s", answered ? { expiry: 3600 } : resumed)
        .subscribed("s", "t")
        .delivered("s", "p/m1", { retain: true, dup: true })
    assert.deepStrictEqual(broken(history(true)), ["dup-set"])
    assert.deepStrictEqual(broken(history(false)), [])
  })

  it("is never set at QoS 0", () => {
    assert.deepStrictEqual(broken(begun(0).delivered("s", "p/m1", { qos: 0, dup: true })), ["dup-set"])
  })

  it("belongs to a new connection: nothing is sent again on the same one", () => {
    const history = begun(1).delivered("s", "p/m1", { answered: false }).delivered("s", "p/m1", { dup: true })
    assert.include(broken(history), "resent-on-connection")
  })
})
