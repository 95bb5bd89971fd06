import { assert, describe, it } from "@effect/vitest"
import { probesOf } from "../../../src/domain/simulation/HistoryProbes.ts"
import type { History } from "../../../src/domain/simulation/History.ts"
import { write } from "./HistoryBuilder.ts"

const durable = { cleanStart: false, expiry: 3600 } as const
const resumed = { ...durable, sessionPresent: true } as const
const fault = { _tag: "pause", at: 0, duration: 1_000, broker: "broker-1" } as const

/** How often a history reaches a path. */
const reached = (name: string, builder: { history: () => History }) => probesOf(builder.history()).get(name) ?? 0

const crashed = () => write().at(0).started().connected("s", durable).subscribed("s", "t")

describe("a history shows that", () => {
  it("a session was taken over while messages were under way", () => {
    const takenOver = (answered: boolean) => write().at(0).connected("p", durable).published("p", 1, { answered })
    assert.strictEqual(reached("session.taken-over-in-flight", takenOver(false).at(1).connected("p", resumed)), 1)
    assert.strictEqual(reached("session.taken-over-in-flight", takenOver(true).at(1).connected("p", resumed)), 0)
    const closed = takenOver(false).at(1).closed("p").connected("p", resumed)
    assert.strictEqual(reached("session.taken-over-in-flight", closed), 0)
  })

  it("packets were sent again, by either side", () => {
    const history = write()
      .at(0)
      .connected("p", durable)
      .published("p", 1, { answered: false })
      .published("p", 2, { qos: 2 })
      .delivered("p", "q/m1", { qos: 2 })
      .at(1)
      .closed("p")
      .connected("p", resumed)
      .published("p", 1, { dup: true })
      .sent("p", { _tag: "PubRel", packetId: 2, reasonCode: 0 })
      .released("p")
      .delivered("p", "q/m2", { dup: true, packetId: 2 })
    for (const name of [
      "exchange.publish-resent-by-client",
      "exchange.publish-resent-by-broker",
      "exchange.pubrel-resent-by-client",
      "exchange.pubrel-resent-by-broker"
    ]) {
      assert.strictEqual(reached(name, history), 1, name)
    }
    assert.strictEqual(reached("exchange.released-after-crash", history), 0)
  })

  it("no packet was sent again when all went well", () => {
    const history = write()
      .at(0)
      .connected("p")
      .published("p", 1, { qos: 2 })
      .sent("p", { _tag: "PubRel", packetId: 1, reasonCode: 0 })
      .delivered("p", "q/m1", { qos: 2 })
      .released("p")
    assert.deepStrictEqual([...probesOf(history.history())], [["client.served-5", 1]])
  })

  it("a session had expired when its client came back", () => {
    const away = () => write().at(0).connected("s", durable).at(1).disconnected("s")
    assert.strictEqual(reached("session.expired-while-away", away().connected("s", durable)), 1)
    assert.strictEqual(reached("session.expired-while-away", away().connected("s")), 0)
    assert.strictEqual(reached("session.expired-while-away", away().connected("s", resumed)), 0)
  })

  it("a session, and what waited for it, went on after a crash", () => {
    const kept = crashed().connected("p").published("p", 1).at(1).ended().closed("s").at(2).started()
    const back = kept.connected("s", resumed).delivered("s", "p/m1")
    assert.strictEqual(reached("session.resumed-after-crash", back), 1)
    assert.strictEqual(reached("session.message-survived-crash", back), 1)
    const stopped = crashed().at(1).ended("broker-1", "stopped").closed("s").started().connected("s", resumed)
    assert.strictEqual(reached("session.resumed-after-crash", stopped), 0)
  })

  it("a broker died between a PUBLISH and its acknowledgement", () => {
    const cut = (taken: boolean) =>
      crashed().published("s", 1, { answered: false, taken }).at(1).ended("broker-1", "power")
    assert.strictEqual(reached("exchange.crash-before-acknowledgement", cut(true)), 1)
    assert.strictEqual(reached("exchange.crash-before-acknowledgement", cut(false)), 0)
    // The acknowledgement was on its way.
    assert.strictEqual(reached("exchange.crash-before-acknowledgement", cut(true).at(2).acknowledged("s", 1)), 0)
  })

  it("a Will was published after a crash, after its delay, or not at all", () => {
    const seen = (delay: number) =>
      write()
        .at(0)
        .started()
        .connected("s")
        .connected("w", { ...durable, will: { topic: "t", delay } })
        .at(1_000)
    const will = seen(0).ended().at(2_000).started().connected("s").delivered("s", "w/w1", { qos: 0 })
    assert.strictEqual(reached("will.after-crash", will), 1)
    const late = seen(5).closed("w").at(6_100).delivered("s", "w/w1", { qos: 0 })
    assert.strictEqual(reached("will.after-delay", late), 1)
    assert.strictEqual(reached("will.after-crash", late), 0)
    const back = seen(5).closed("w").at(4_000).connected("w", resumed)
    assert.strictEqual(reached("will.delayed-and-cancelled", back), 1)
    const published = back.at(7_000).delivered("s", "w/w1", { qos: 0 })
    assert.strictEqual(reached("will.delayed-and-cancelled", published), 0)
  })

  it("a retained message outlived a crash", () => {
    const read = (retainAsPublished: boolean) =>
      write()
        .at(0)
        .started()
        .connected("p")
        .published("p", 1, { retain: true })
        .at(1)
        .ended()
        .at(2)
        .started()
        .connected("s")
        .subscribed("s", "t", { retainAsPublished })
        .delivered("s", "p/m1", { retain: true })
    assert.strictEqual(reached("retained.read-after-crash", read(false)), 1)
    assert.strictEqual(reached("retained.read-after-crash", read(true)), 0)
  })

  it("a message expired in the queue of a session", () => {
    const away = () =>
      write()
        .at(0)
        .connected("s", durable)
        .subscribed("s", "t")
        .at(1)
        .disconnected("s")
        .connected("p")
        .published("p", 1, { expiry: 2 })
    const back = (at: number) => away().at(at).connected("s", resumed)
    assert.strictEqual(reached("session.message-expired-in-queue", back(3_000)), 1)
    assert.strictEqual(reached("session.message-expired-in-queue", back(1_000)), 0)
    assert.strictEqual(reached("session.message-expired-in-queue", back(3_000).delivered("s", "p/m1")), 0)
    assert.strictEqual(reached("session.message-expired-in-queue", away().at(3_000).connected("s", durable)), 0)
  })

  it("the flow was held, and messages refused", () => {
    const client = write()
      .at(0)
      .connected("s", { receiveMaximum: 2 })
      .delivered("s", "p/m1", { answered: false })
      .delivered("s", "p/m2", { answered: false, packetId: 2 })
    assert.strictEqual(reached("flow.receive-maximum-of-client", client), 1)
    const broker = write()
      .at(0)
      .connected("p", { connackProperties: { receiveMaximum: 1 } })
      .published("p", 1, { answered: 0x97 })
      .published("p", 2, { answered: false })
    assert.strictEqual(reached("flow.receive-maximum-of-broker", broker), 2)
    assert.strictEqual(reached("flow.refused-for-room", broker), 1)
  })

  it("topic aliases stood for topics", () => {
    const history = write()
      .at(0)
      .connected("s")
      .published("s", 1, { alias: 1 })
      .published("s", 2, { topic: "", alias: 1 })
      .delivered("s", "s/m2", { topic: "", alias: 2 })
    assert.strictEqual(reached("alias.used-by-client", history), 1)
    assert.strictEqual(reached("alias.used-by-broker", history), 1)
  })

  it("a shared message moved to another member", () => {
    const group = () =>
      write().at(0).connected("a").subscribed("a", "$share/g/t").connected("b").subscribed("b", "$share/g/t")
    const moved = () => group().connected("p").published("p", 1).delivered("a", "p/m1").delivered("b", "p/m1")
    assert.strictEqual(reached("shared.moved-to-another-member", moved()), 1)
    const twice = group().connected("p").published("p", 1).published("p", 1, { dup: true })
    assert.strictEqual(
      reached("shared.moved-to-another-member", twice.delivered("a", "p/m1").delivered("b", "p/m1")),
      0
    )
  })

  it("connections were refused or ended by the broker", () => {
    const history = write()
      .at(0)
      .connected("s", { version: 4 })
      .received("s", { _tag: "Disconnect", reasonCode: 0x8e })
      .connected("s", { version: 4, connackCode: 3 })
    assert.strictEqual(reached("disconnect.0x8e", history), 1)
    assert.strictEqual(reached("client.served-3.1.1", history), 1)
    assert.strictEqual(reached("client.refused-3.1.1", history), 1)
  })

  it("a broker ended while it started, and a run converged out of a fault", () => {
    const history = write()
      .at(0)
      .event({ _tag: "Started", at: 0, broker: "broker-1" })
      .ended()
      .struck(fault)
      .at(1)
      .phase("healed")
      .lifted(fault)
      .at(2)
      .phase("cleared")
    assert.strictEqual(reached("broker.ended-while-starting", history), 1)
    assert.strictEqual(reached("run.healed-while-struck", history), 1)
    const early = write().at(0).struck(fault).at(1).lifted(fault).phase("healed").at(2).phase("cleared")
    assert.strictEqual(reached("run.healed-while-struck", early), 0)
  })
})
