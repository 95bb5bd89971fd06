import { assert, describe, it } from "@effect/vitest"
import { reconstruct } from "../../../src/domain/simulation/Reconstruction.ts"
import { isMatch, partsOf } from "../../../src/domain/simulation/TopicMatching.ts"
import { matches } from "../../../src/domain/topic/TopicFilter.ts"
import { write, writeReal } from "./HistoryBuilder.ts"

const seconds = 1_000_000

describe("the account of a history", () => {
  it("follows a message from its sending over its acknowledgement to its delivery", () => {
    const account = reconstruct(
      write()
        .at(0)
        .connected("s")
        .subscribed("s", "t")
        .at(1)
        .connected("p")
        .published("p", 1, { answered: false })
        .at(2)
        .acknowledged("p", 1)
        .at(3)
        .delivered("s", "p/m1")
        .history()
    )
    const publication = account.publications.get("p/m1")!
    assert.strictEqual(publication.acknowledgedAt, 2_000)
    assert.strictEqual(publication.sendings[0]!.sent.takenAt, 1_000)
    const delivery = account.deliveries[0]!
    assert.strictEqual(delivery.publication, publication)
    assert.strictEqual(delivery.session, account.sessions[0])
    assert.strictEqual(delivery.answer?.at, 3_000)
    assert.isTrue(account.isOmniscient)
  })

  it("resolves topic aliases in both directions", () => {
    const account = reconstruct(
      write()
        .connected("p")
        .published("p", 1, { topic: "t/a", alias: 3 })
        .published("p", 2, { topic: "", alias: 3 })
        .delivered("p", "p/m1", { topic: "t/a", alias: 1 })
        .delivered("p", "p/m2", { topic: "", alias: 1 })
        .history()
    )
    assert.deepStrictEqual(
      Array.from(account.publications.values(), ({ topic }) => topic),
      ["t/a", "t/a"]
    )
    assert.deepStrictEqual(
      account.deliveries.map(({ topic }) => topic),
      ["t/a", "t/a"]
    )
  })

  it("counts a repeated QoS 2 message as one exchange until its session ends or it was answered", () => {
    const options = { qos: 2, answered: false } as const
    const account = reconstruct(
      write()
        .connected("p", { expiry: 60 })
        .published("p", 1, options)
        .closed("p")
        .connected("p", { cleanStart: false, sessionPresent: true, expiry: 60 })
        .published("p", 1, { ...options, dup: true })
        .closed("p")
        .connected("p", { cleanStart: false, expiry: 60 })
        .published("p", 1, options)
        .history()
    )
    const { sendings } = account.publications.get("p/m1")!
    assert.deepStrictEqual(
      sendings.map(({ exchange }) => exchange),
      [0, 0, 1]
    )
  })

  it("goes on with a session that is present, and knows when one may have ended", () => {
    const account = reconstruct(
      write()
        .at(0)
        .connected("s", { expiry: 10 })
        .at(100)
        .closed("s")
        .at(5_000)
        .connected("s", { cleanStart: false, sessionPresent: true, expiry: 10 })
        .at(6_000)
        .closed("s")
        .at(60_000)
        .connected("s", { cleanStart: false, expiry: 10 })
        .history()
    )
    const [first, second] = account.sessions
    assert.strictEqual(account.sessions.length, 2)
    assert.strictEqual(first!.connections.length, 2)
    assert.isFalse(first!.isLost)
    // The broker was last seen alive at 5 s; a fast clock shortens the ten seconds.
    assert.approximately(first!.endsFrom, 5 * seconds + 10 * seconds * 0.99, 0.01 * seconds)
    assert.strictEqual(first!.endsBy, 60 * seconds)
    assert.strictEqual(second!.endsFrom, Infinity)
  })

  it("says that a session was lost when it is gone before its time", () => {
    const lost = (expiry: number, jump: number) =>
      reconstruct(
        write()
          .at(0)
          .connected("s", { expiry })
          .at(100)
          .closed("s")
          .jumped(jump)
          .at(5_000)
          .connected("s", { cleanStart: false, expiry })
          .history()
      ).sessions[0]!.isLost
    assert.isTrue(lost(10, 0))
    assert.isFalse(lost(10, 6_000))
    assert.isFalse(lost(4, 0))
    assert.isFalse(lost(0, 0))
  })

  it("doubts a session that an unanswered CONNECT may have replaced", () => {
    const doubts = (cleanStart: boolean, taken: boolean, expiry: number) =>
      reconstruct(
        write()
          .at(0)
          .connected("s", { expiry })
          .at(100)
          .closed("s")
          .at(9_000)
          .connected("s", { cleanStart, expiry, answered: false, taken })
          .at(9_100)
          .closed("s")
          .at(9_200)
          .connected("s", { cleanStart: false, sessionPresent: true, expiry })
          .history()
      ).sessions[0]!.doubts
    assert.deepStrictEqual(doubts(true, true, 3600), [9_000_000])
    assert.deepStrictEqual(doubts(true, false, 3600), [])
    assert.deepStrictEqual(doubts(false, true, 3600), [])
    assert.deepStrictEqual(doubts(false, true, 5), [9_000_000])
  })

  it("keeps an unanswered CONNECT of real processes in mind, since nobody knows whether it was read", () => {
    const account = reconstruct(
      writeReal()
        .at(0)
        .connected("s", { expiry: 3600 })
        .at(100)
        .closed("s")
        .at(200)
        .connected("s", { expiry: 3600, answered: false })
        .at(300)
        .connected("s", { cleanStart: false, sessionPresent: true, expiry: 3600 })
        .history()
    )
    assert.isFalse(account.isOmniscient)
    assert.deepStrictEqual(account.sessions[0]!.doubts, [200_000])
  })

  it("bounds how long a subscription holds", () => {
    const account = reconstruct(
      write()
        .at(1)
        .connected("s")
        .subscribed("s", "t", { qos: 2 })
        .at(2)
        .subscribed("s", "t", { qos: 0 })
        .at(3)
        .unsubscribed("s", "t", { answered: false })
        .subscribed("s", "$share/g/u/#", { answered: 0x8f })
        .history()
    )
    const [first, second, refused] = account.sessions[0]!.subscriptions
    assert.strictEqual(first!.acknowledgedAt, 1_000)
    assert.strictEqual(first!.endsFrom, 2_000)
    assert.strictEqual(first!.endsBy, 2_000)
    assert.strictEqual(second!.endsFrom, 3_000)
    assert.strictEqual(second!.unsubscribedFrom, 3_000)
    assert.strictEqual(second!.endsBy, Infinity)
    assert.strictEqual(refused!.inner, "u/#")
    assert.strictEqual(refused!.endsBy, 3_000)
  })
})

describe("the checkers' own topic matching", () => {
  const filters = [
    "#",
    "+",
    "a",
    "a/",
    "/a",
    "a/#",
    "a/+",
    "+/+",
    "+/a",
    "a/+/b",
    "a/+/#",
    "/",
    "/#",
    "/+",
    "$S/#",
    "$S/+"
  ]
  const topics = ["a", "a/", "/a", "a/b", "a//b", "a/b/b", "a/x/b", "b", "/", "$S", "$S/a", "ab", "a/b/c/d"]

  it("agrees with the words of the specification on every pair", () => {
    for (const filter of filters) {
      for (const topic of topics) {
        assert.strictEqual(isMatch(filter, topic), matches(filter, topic), `${filter} and ${topic}`)
      }
    }
  })

  it("takes the ShareName off", () => {
    assert.deepStrictEqual(partsOf("$share/g/a/#"), { inner: "a/#", group: "$share/g/a/#" })
    assert.deepStrictEqual(partsOf("a/#"), { inner: "a/#", group: undefined })
  })
})
