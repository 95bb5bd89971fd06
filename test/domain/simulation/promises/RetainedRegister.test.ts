import { assert, describe, it } from "@effect/vitest"
import { retainedRegister } from "../../../../src/domain/simulation/promises/RetainedRegister.ts"
import { reconstruct } from "../../../../src/domain/simulation/Reconstruction.ts"
import { type DeliverOptions, type PublishOptions, type SubscribeOptions, write, writeReal } from "../HistoryBuilder.ts"

type Written = ReturnType<typeof write>

const assertBroken = (written: Written, ...promises: ReadonlyArray<string>): void =>
  assert.deepStrictEqual(
    retainedRegister(reconstruct(written.history())).map(({ promise }) => promise),
    promises
  )

/** The publisher writes two values, one after the other. */
const wrote = (second: PublishOptions & { readonly number?: "clear" } = {}, first: PublishOptions = {}): Written =>
  write()
    .at(0)
    .connected("p")
    .published("p", 1, { retain: true, ...first })
    .at(100)
    .published("p", second.number ?? 2, { retain: true, ...second })

/** A client subscribes and gets a value. */
const read = (
  written: Written,
  client: string,
  at: number,
  name: string | undefined,
  subscribe: SubscribeOptions = {},
  deliver: DeliverOptions = {}
): Written => {
  written.at(at).connected(client).subscribed(client, "t", subscribe)
  return name === undefined ? written : written.at(at + 5).delivered(client, name, { retain: true, ...deliver })
}

describe("a retained message", () => {
  it("is the one that was acknowledged last", () => {
    assertBroken(read(wrote(), "s", 200, "p/m2"))
    assertBroken(read(wrote(), "s", 200, "p/m1"), "retained-stale")
  })

  it("is an older one as long as the newer one is not acknowledged", () => {
    assertBroken(read(wrote({ answered: false }), "s", 200, "p/m1"))
    assertBroken(read(wrote({ qos: 0 }), "s", 200, "p/m1"))
    assertBroken(read(wrote({ answered: false }), "s", 50, "p/m1"))
    assertBroken(read(wrote({ answered: 0x97 }), "s", 200, "p/m1"))
  })

  it("is any of two that were written at the same time", () => {
    const both = write()
      .at(0)
      .connected("p")
      .connected("q")
      .published("p", 1, { retain: true, answered: false })
      .at(50)
      .published("q", 1, { retain: true })
      .at(100)
      .acknowledged("p", 1)
    assertBroken(read(read(both, "s", 200, "p/m1"), "z", 300, "p/m1"))
  })

  it("may be written once more by a resend", () => {
    const resent = () =>
      write()
        .at(0)
        .connected("p", { expiry: 60 })
        .connected("q")
        .published("p", 1, { retain: true, answered: false })
        .at(10)
        .closed("p")
        .at(20)
        .published("q", 1, { retain: true })
        .at(30)
        .connected("p", { expiry: 60, cleanStart: false, sessionPresent: true })
    assertBroken(read(resent().published("p", 1, { retain: true, dup: true }), "s", 200, "p/m1"))
    assertBroken(read(resent(), "s", 200, "p/m1"))
    const late = resent().at(40).published("q", 2, { retain: true })
    assertBroken(read(late, "s", 200, "p/m1"), "retained-stale")
  })

  it("is gone when it was cleared", () => {
    assertBroken(read(wrote({ number: "clear" }), "s", 200, undefined))
    assertBroken(read(wrote({ number: "clear" }), "s", 200, "p/m1"), "retained-resurrected")
    assertBroken(read(wrote({ number: "clear", qos: 0 }), "s", 200, "p/m1"))
    assertBroken(read(wrote({ number: "clear" }), "s", 200, "clear"), "retained-empty")
  })

  it("is gone when it has expired, by the broker's clock", () => {
    const expiring = () => write().at(0).connected("p").published("p", 1, { retain: true, expiry: 1 })
    assertBroken(read(expiring(), "s", 1_005, "p/m1"))
    assertBroken(read(expiring(), "s", 1_100, "p/m1"), "retained-resurrected")
    assertBroken(read(expiring().jumped(-500), "s", 1_100, "p/m1"), "retained-resurrected")
    assertBroken(read(expiring().jumped(-500).started(), "s", 1_100, "p/m1"))
  })

  it("never goes back from one read to the next", () => {
    const unanswered = () => wrote({ answered: false })
    assertBroken(read(read(unanswered(), "a", 200, "p/m1"), "b", 300, "p/m2"))
    assertBroken(read(read(unanswered(), "a", 200, "p/m2"), "b", 300, "p/m1"), "retained-inversion")
    assertBroken(read(read(unanswered(), "a", 200, "p/m2"), "b", 203, "p/m1"))
    assertBroken(read(read(unanswered(), "a", 200, "p/m2").at(250).started().ended(), "b", 300, "p/m1"))
  })

  it("is published anew when its QoS 2 message is sent again to a broker that died before it was durable", () => {
    const again = (died: boolean) => {
      const written = write().at(0).connected("p", { expiry: 60 })
      read(written.published("p", 1, { qos: 2, retain: true, answered: false }), "r", 10, "p/m1")
      if (died) written.at(20).ended().at(30).started()
      written.at(40).connected("s").subscribed("s", "t", { retainAsPublished: true })
      written.at(50).connected("p", { expiry: 60, cleanStart: false, sessionPresent: true })
      return written.published("p", 1, { qos: 2, retain: true, dup: true })
    }
    const live = { retain: true, packetId: 1 } as const
    const twice = (written: Written) =>
      written.delivered("s", "p/m1", live).delivered("s", "p/m1", { ...live, packetId: 2 })
    assertBroken(twice(again(true)))
    assertBroken(twice(again(false)), "retain-handling")
  })

  it("comes once for each SUBSCRIBE that asks for it", () => {
    const again = (options: SubscribeOptions) =>
      read(wrote(), "s", 200, "p/m2").at(300).subscribed("s", "t", options).at(310)
    const second = { retain: true, packetId: 2 } as const
    assertBroken(again({}).delivered("s", "p/m2", second))
    assertBroken(again({ retainHandling: 2 }).delivered("s", "p/m2", second), "retain-handling")
    assertBroken(again({ retainHandling: 1 }).delivered("s", "p/m2", second), "retain-handling")
    assertBroken(
      again({})
        .delivered("s", "p/m2", second)
        .at(320)
        .delivered("s", "p/m2", { ...second, dup: true })
    )
    const anew = read(wrote(), "s", 200, "p/m2")
      .unsubscribed("s", "t")
      .at(300)
      .subscribed("s", "t", { retainHandling: 1 })
    assertBroken(anew.at(310).delivered("s", "p/m2", second))
    assertBroken(read(wrote(), "s", 200, "p/m2", { retainHandling: 1 }))
  })

  it("is not a live message that keeps its flag", () => {
    const live = write().at(0).connected("s").subscribed("s", "t", { retainAsPublished: true, retainHandling: 2 })
    live.at(10).connected("p").published("p", 1, { retain: true }).at(20).delivered("s", "p/m1", { retain: true })
    assertBroken(live)
    assertBroken(read(wrote(), "s", 200, "p/m1", { retainAsPublished: true }), "retained-stale")
  })

  it("was sent to be retained, on that topic", () => {
    assertBroken(read(wrote({ retain: false }), "s", 200, "p/m2"), "retained-unasked")
    assertBroken(read(wrote({ topic: "t/2" }), "s", 200, "p/m2"), "retained-unasked")
  })

  it("may be a Will", () => {
    const will = () =>
      write()
        .at(0)
        .connected("w", { will: { topic: "t", retain: true } })
        .connected("p")
        .published("p", 1, { retain: true })
    assertBroken(read(will(), "s", 200, "w/w0"))
    assertBroken(read(will(), "s", 200, "p/m1"))
    const seen = will().connected("o").subscribed("o", "t").at(100).delivered("o", "w/w0").at(200)
    assertBroken(read(seen.published("p", 2, { retain: true }), "s", 300, "w/w0"), "retained-stale")
  })

  it("comes to who subscribes when it certainly stands", () => {
    const healed = (options: PublishOptions & { readonly number?: "clear" } = {}) =>
      wrote(options).at(150).phase("healed")
    const end = (written: Written) => written.at(20_000).phase("cleared")
    assertBroken(end(read(healed(), "s", 200, "p/m2")))
    assertBroken(end(read(healed(), "s", 200, undefined)), "retained-lost")
    assertBroken(end(read(healed({ qos: 0 }), "s", 200, undefined)), "retained-lost")
    assertBroken(end(read(healed({ number: "clear" }), "s", 200, undefined)))
    assertBroken(end(read(healed({ number: "clear", answered: false }), "s", 200, undefined)))
    assertBroken(end(read(healed({ expiry: 60 }), "s", 200, undefined)))
    assertBroken(end(read(healed(), "s", 200, undefined, { retainHandling: 2 })))
    assertBroken(end(read(healed(), "s", 200, undefined).at(300).closed("s")))
    assertBroken(end(read(healed(), "s", 200, undefined, { answered: 0x97 })))
  })

  it("of a QoS 0 subscription comes before what was written later, at any time", () => {
    const later = (written: Written) => written.at(0).phase("chaos").at(6_000).received("s", { _tag: "PingResp" })
    assertBroken(later(read(wrote(), "s", 200, undefined, { qos: 0 })), "retained-lost")
    assertBroken(later(read(wrote(), "s", 200, "p/m2", { qos: 0 }, { qos: 0 })))
    assertBroken(read(wrote(), "s", 200, undefined, { qos: 0 }).at(0).phase("chaos"))
    assertBroken(later(read(wrote(), "s", 200, undefined, { qos: 1 })))
  })

  it("is judged in histories of real processes, too", () => {
    const real = (name: string) =>
      writeReal()
        .at(0)
        .connected("p")
        .published("p", 1, { retain: true })
        .at(100)
        .published("p", 2, { retain: true })
        .at(200)
        .connected("s")
        .subscribed("s", "t")
        .at(210)
        .delivered("s", name, { retain: true })
    assertBroken(real("p/m1"), "retained-stale")
    assertBroken(real("p/m2"))
  })
})
