import { assert, describe, it } from "@effect/vitest"
import type { Packet } from "../../../../src/domain/packet/Packet.ts"
import { wireMonitor } from "../../../../src/domain/simulation/promises/WireMonitor.ts"
import { reconstruct } from "../../../../src/domain/simulation/Reconstruction.ts"
import { write, writeReal } from "../HistoryBuilder.ts"

type Written = ReturnType<typeof write>

const broken = (written: Written): ReadonlyArray<string> =>
  wireMonitor(reconstruct(written.history())).map(({ promise }) => promise)

const assertKept = (written: Written): void => assert.deepStrictEqual(broken(written), [])
const assertBroken = (promise: string, written: Written): void => assert.deepStrictEqual(broken(written), [promise])

const pingReq: Packet = { _tag: "PingReq" }
const pingResp: Packet = { _tag: "PingResp" }
const pubAck = (packetId: number): Packet => ({ _tag: "PubAck", packetId, reasonCode: 0 })
const pubRec = (packetId: number, reasonCode: 0 | 0x97 = 0): Packet => ({ _tag: "PubRec", packetId, reasonCode })
const pubRel = (packetId: number, reasonCode: 0 | 0x92 = 0): Packet => ({ _tag: "PubRel", packetId, reasonCode })
const pubComp = (packetId: number, reasonCode: 0 | 0x92 = 0): Packet => ({ _tag: "PubComp", packetId, reasonCode })
const disconnect = (reasonCode: 0 | 0x80 | 0x82 | 0x8d | 0x8e): Packet => ({ _tag: "Disconnect", reasonCode })

/** A subscriber that is connected and subscribed. */
const subscriber = (options = {}): Written => write().connected("s", options).subscribed("s", "#", { qos: 2 }).at(10)

describe("the wire monitor", () => {
  it("finds nothing in an orderly conversation", () => {
    assertKept(
      subscriber({ receiveMaximum: 1, topicAliasMaximum: 1, maximumPacketSize: 100 })
        .connected("p")
        .published("p", 1)
        .published("p", 2, { qos: 2 })
        .sent("p", pubRel(2))
        .received("p", pubComp(2))
        .sent("p", pingReq)
        .received("p", pingResp)
        .at(20)
        .delivered("s", "p/m1", { qos: 1, alias: 1 })
        .delivered("s", "p/m2", { qos: 2, topic: "", alias: 1, packetId: 2 })
        .released("s", 2)
        .delivered("s", "p/m3", { qos: 1, packetId: 3 })
        .unsubscribed("s", "#")
        .received("s", disconnect(0x8e))
    )
  })

  it("wants one CONNACK, before anything else", () => {
    assertBroken("wire-connack", write().connected("c", { answered: false }).received("c", pingResp))
    const connack: Packet = { _tag: "ConnAck", sessionPresent: false, reasonCode: 0 }
    assertBroken("wire-connack", write().connected("c").at(1).received("c", connack))
    assertBroken(
      "wire-connack",
      write().connected("d").connected("c", { answered: false, taken: false }).received("c", connack)
    )
    assertBroken("wire-connack", write().connected("c", { connackCode: 0x97 }).at(1).received("c", disconnect(0x8e)))
    assertBroken("wire-connack", write().connected("c", { connackCode: 0x97, sessionPresent: true }))
  })

  it("wants nothing after DISCONNECT", () => {
    assertBroken(
      "wire-after-disconnect",
      subscriber().received("s", disconnect(0x8e)).at(20).delivered("s", "p/m1", { answered: false })
    )
  })

  it("wants no packets that the version has not, or that are a client's", () => {
    assertBroken("wire-direction", write().connected("c", { version: 4 }).received("c", disconnect(0x8e)))
    assertBroken("wire-direction", write().connected("c").received("c", { _tag: "Auth", reasonCode: 0 }))
    assertBroken("wire-properties", write().connected("c", { version: 4, connackProperties: { receiveMaximum: 1 } }))
  })

  it("wants a request for each answer", () => {
    const c = () => write().connected("c")
    assertBroken("wire-unasked", c().received("c", pingResp))
    assertBroken("wire-unasked", c().received("c", pubAck(1)))
    assertBroken("wire-unasked", c().published("c", 1, { qos: 2 }).received("c", pubAck(1)))
    assertBroken("wire-unasked", c().published("c", 1).at(1).received("c", pubAck(1)))
    assertBroken("wire-unasked", c().received("c", pubComp(1)))
    assertBroken("wire-unasked", c().received("c", { _tag: "SubAck", packetId: 1, reasonCodes: [0] }))
    assertBroken("wire-unasked", c().received("c", { _tag: "UnsubAck", packetId: 1, reasonCodes: [0] }))
    assertBroken("wire-unasked", c().received("c", pubRel(1)))
  })

  it("knows that an answer was written before the request was taken", () => {
    const early = write().connected("c").at(5).published("c", 1, { answered: false }).at(7).received("c", pubAck(1), 4)
    assertBroken("wire-unasked", early)
    assertKept(write().connected("c").at(5).published("c", 1, { answered: false }).at(7).received("c", pubAck(1), 6))
    assertBroken("wire-unasked", write().connected("c").published("c", 1, { taken: false }))
  })

  it("wants a PUBREL for each PUBREC once, also for exchanges of an earlier connection", () => {
    const begun = () => subscriber({ expiry: 60 }).delivered("s", "p/m1", { qos: 2, packetId: 7 })
    assertBroken("wire-unasked", begun().released("s", 7).at(20).released("s", 7))
    assertBroken(
      "wire-unasked",
      subscriber().delivered("s", "p/m1", { qos: 2, packetId: 7, answerTaken: false }).released("s", 7)
    )
    const again = { cleanStart: false, sessionPresent: true, expiry: 60 }
    assertKept(begun().at(20).closed("s").connected("s", again).released("s", 7))
    assertBroken(
      "wire-unasked",
      begun().at(20).closed("s").connected("s", again).released("s", 7).at(30).released("s", 7)
    )
    assertBroken("wire-unasked", begun().at(20).closed("s").connected("s").released("s", 7))
  })

  it("wants answers in the order of what they answer", () => {
    const two = (qos: 1 | 2) =>
      write()
        .connected("c")
        .published("c", 1, { qos, answered: false })
        .published("c", 2, { qos, answered: false })
        .at(1)
    assertBroken("wire-answer-order", two(1).received("c", pubAck(2)).received("c", pubAck(1)))
    assertBroken("wire-answer-order", two(2).received("c", pubRec(2)).received("c", pubRec(1)))
    assertKept(two(1).received("c", pubAck(1)).received("c", pubAck(2)))
    const mixed = write().connected("c").published("c", 1, { answered: false }).published("c", 2, { qos: 2 }).at(1)
    assertKept(mixed.received("c", pubAck(1)))
    const twoReceived = subscriber()
      .delivered("s", "p/m1", { qos: 2, packetId: 1 })
      .delivered("s", "p/m2", { qos: 2, packetId: 2 })
      .at(20)
    assertBroken("wire-answer-order", twoReceived.released("s", 2).released("s", 1))
  })

  it("wants as many codes as filters, and no more QoS than was asked for", () => {
    const asked = (version: 4 | 5 = 5) =>
      write()
        .connected("c", { version })
        .sent("c", {
          _tag: "Subscribe",
          packetId: 1,
          subscriptions: [{ filter: "t", qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 }]
        })
    assertKept(asked().received("c", { _tag: "SubAck", packetId: 1, reasonCodes: [0] }))
    assertKept(asked(4).received("c", { _tag: "SubAck", packetId: 1, reasonCodes: [0x80] }))
    assertBroken("wire-codes", asked().received("c", { _tag: "SubAck", packetId: 1, reasonCodes: [1, 1] }))
    assertBroken("wire-codes", asked().received("c", { _tag: "SubAck", packetId: 1, reasonCodes: [2] }))
    assertBroken("wire-reason-code", asked(4).received("c", { _tag: "SubAck", packetId: 1, reasonCodes: [0x97] }))
    const left = (version: 4 | 5) =>
      write()
        .connected("c", { version })
        .sent("c", { _tag: "Unsubscribe", packetId: 1, filters: ["t"] })
    assertKept(left(4).received("c", { _tag: "UnsubAck", packetId: 1, reasonCodes: [] }))
    assertBroken("wire-codes", left(5).received("c", { _tag: "UnsubAck", packetId: 1, reasonCodes: [] }))
  })

  it("wants reason codes of MQTT 5 for clients of MQTT 5 alone", () => {
    const refused = (version: 4 | 5) => write().connected("c", { version }).published("c", 1, { answered: 0x97 })
    assertKept(refused(5))
    assertBroken("wire-reason-code", refused(4))
    assertBroken("wire-reason-code", write().connected("c", { version: 4, connackCode: 0x97 }))
    assertKept(write().connected("c", { version: 4, connackCode: 3 }))
  })

  it("wants each packet identifier in flight once", () => {
    const inFlight = (qos: 1 | 2) =>
      subscriber()
        .delivered("s", "p/m1", { qos, packetId: 5, answered: qos === 2 })
        .at(20)
    assertBroken("packet-id-in-flight", inFlight(1).delivered("s", "p/m2", { packetId: 5 }))
    assertBroken("packet-id-in-flight", inFlight(2).delivered("s", "p/m2", { qos: 2, packetId: 5 }))
    assertKept(inFlight(2).released("s", 5).delivered("s", "p/m2", { qos: 2, packetId: 5 }))
    assertKept(inFlight(1).sent("s", pubAck(5)).delivered("s", "p/m2", { packetId: 5 }))
    assertBroken("packet-id-in-flight", inFlight(1).sent("s", pubAck(5), false).delivered("s", "p/m2", { packetId: 5 }))
    const refused = subscriber()
      .delivered("s", "p/m1", { qos: 2, packetId: 5, answered: false })
      .sent("s", pubRec(5, 0x97))
    assertKept(refused.delivered("s", "p/m2", { qos: 2, packetId: 5 }))
    const again = { cleanStart: false, sessionPresent: true, expiry: 60 }
    assertKept(
      subscriber({ expiry: 60 })
        .delivered("s", "p/m1", { packetId: 5, answered: false })
        .connected("s", again)
        .delivered("s", "p/m1", { packetId: 5, dup: true })
    )
  })

  it("wants no more in flight than Receive Maximum", () => {
    const one = () => subscriber({ receiveMaximum: 1 }).delivered("s", "p/m1", { packetId: 1, answered: false }).at(20)
    assertBroken("receive-maximum", one().delivered("s", "p/m2", { packetId: 2 }))
    assertKept(one().delivered("s", "p/m2", { qos: 0 }))
    assertKept(one().sent("s", pubAck(1)).delivered("s", "p/m2", { packetId: 2 }))
    const received = subscriber({ receiveMaximum: 1 }).delivered("s", "p/m1", { qos: 2, packetId: 1 }).at(20)
    assertBroken("receive-maximum", received.delivered("s", "p/m2", { packetId: 2 }))
  })

  it("wants no packet over the Maximum Packet Size", () => {
    const delivered = (bytes: number) => subscriber({ maximumPacketSize: 60 }).delivered("s", "p/m1", { bytes })
    assertKept(delivered(40))
    assertBroken("maximum-packet-size", delivered(60))
  })

  it("wants topic aliases that are allowed and known", () => {
    const s = (topicAliasMaximum: number) => subscriber({ topicAliasMaximum })
    assertBroken("topic-alias", s(1).delivered("s", "p/m1", { alias: 2 }))
    assertBroken("topic-alias", s(1).delivered("s", "p/m1", { topic: "", alias: 1 }))
    assertBroken("topic-alias", s(1).delivered("s", "p/m1", { topic: "" }))
    assertBroken("topic-alias", subscriber().delivered("s", "p/m1", { alias: 1 }))
  })

  it("wants no DUP at QoS 0", () => {
    assertBroken("dup-on-qos0", subscriber().delivered("s", "p/m1", { qos: 0, dup: true }))
    assertKept(subscriber().delivered("s", "p/m1", { qos: 1, dup: true }))
  })

  it("wants subscription identifiers and RETAIN only where a subscription of the client asked for them", () => {
    const s = () =>
      write()
        .connected("s")
        .subscribed("s", "a/+", { identifier: 3, retainHandling: 2 })
        .subscribed("s", "$share/g/b", { identifier: 4 })
        .at(10)
    assertKept(s().delivered("s", "p/m1", { topic: "a/b", identifiers: [3] }))
    assertKept(s().delivered("s", "p/m1", { topic: "b", identifiers: [4], retain: true }))
    assertBroken("subscription-identifier", s().delivered("s", "p/m1", { topic: "a/b", identifiers: [3, 4] }))
    assertBroken("retain-flag", s().delivered("s", "p/m1", { topic: "a/b", retain: true }))
  })

  it("wants exchanges remembered that it has seen begin", () => {
    const c = () => write().connected("c").published("c", 1, { qos: 2 }).sent("c", pubRel(1))
    assertBroken("exchange-forgotten", c().received("c", pubComp(1, 0x92)))
    assertKept(write().connected("c").sent("c", pubRel(1)).received("c", pubComp(1, 0x92)))
    assertBroken("exchange-forgotten", subscriber().delivered("s", "p/m1", { qos: 2 }).received("s", pubRel(1, 0x92)))
  })

  it("wants the broker to be patient for one and a half times the Keep Alive", () => {
    const c = (seconds: number) =>
      write()
        .connected("c", { keepAlive: 10 })
        .at(seconds * 1000)
    assertKept(c(15.5).received("c", disconnect(0x8d)))
    assertBroken("keep-alive", c(14).received("c", disconnect(0x8d)))
    assertBroken(
      "keep-alive",
      c(9).sent("c", pingReq).received("c", pingResp).at(20_000).received("c", disconnect(0x8d))
    )
    const paused = () => c(16).sent("c", pingReq)
    assertKept(paused().received("c", disconnect(0x8d)))
    assertBroken("keep-alive", paused().at(16_500).received("c", disconnect(0x8d)))
    assertKept(c(10).jumped(5_000).at(11_000).received("c", disconnect(0x8d)))
  })

  it("wants nobody blamed who sends nothing but what is legal", () => {
    assertBroken("blamed-client", write().connected("c").received("c", disconnect(0x82)))
    assertBroken("blamed-client", write().connected("c", { connackCode: 0x80 }))
    assertBroken("blamed-client", write().connected("c", { version: 4, connackCode: 2 }))
    assertKept(write().connected("c").received("c", disconnect(0x8e)))
  })

  it("reports what was no packet at all", () => {
    assertBroken(
      "garbled",
      write().connected("c").event({ _tag: "Garbled", at: 0, connection: 0, detail: "no such type" })
    )
  })

  it("judges from the client's end where the history does not know the broker's", () => {
    assertKept(
      writeReal()
        .connected("s")
        .subscribed("s", "t")
        .at(1)
        .delivered("s", "p/m1", { packetId: 1 })
        .delivered("s", "p/m2", { packetId: 1 })
    )
    assertBroken(
      "packet-id-in-flight",
      writeReal()
        .connected("s")
        .subscribed("s", "t")
        .at(1)
        .delivered("s", "p/m1", { packetId: 1, answered: false })
        .delivered("s", "p/m2", { packetId: 1 })
    )
  })
})
