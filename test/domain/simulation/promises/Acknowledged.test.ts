import { assert, describe, it } from "@effect/vitest"
import type { History } from "../../../../src/domain/simulation/History.ts"
import { acknowledged } from "../../../../src/domain/simulation/promises/Acknowledged.ts"
import { reconstruct } from "../../../../src/domain/simulation/Reconstruction.ts"
import { write, writeReal } from "../HistoryBuilder.ts"

const broken = (history: History) => acknowledged(reconstruct(history)).map(({ promise }) => promise)
const lost = ["acknowledged-lost"]

/** A subscriber with a durable session and a publisher, in the chaos. */
const begun = () => write().at(0).phase("chaos").connected("s", { expiry: 3600 }).subscribed("s", "t/#").connected("p")

/** The subscriber comes back to its session, and everything has time to converge. */
const converged = (history: ReturnType<typeof begun>, from = 20_000) =>
  history
    .at(from)
    .phase("healed")
    .connected("s", { cleanStart: false, sessionPresent: true, expiry: 3600 })
    .at(from + 10_000)
    .phase("cleared")
    .history()

describe("an acknowledged message", () => {
  it("is lost when it never reaches a session that was subscribed", () => {
    assert.deepStrictEqual(broken(converged(begun().at(10).published("p", 1, { topic: "t/a" }))), lost)
    assert.deepStrictEqual(broken(converged(begun().at(10).published("p", 1, { topic: "t", qos: 2 }))), lost)
  })

  it("may come at any time until the end", () => {
    const history = begun().at(10).published("p", 1, { topic: "t/a" }).at(25_000)
    assert.deepStrictEqual(
      broken(
        history
          .at(20_000)
          .phase("healed")
          .connected("s", { cleanStart: false, sessionPresent: true, expiry: 3600 })
          .at(29_000)
          .delivered("s", "p/m1", { topic: "t/a" })
          .at(30_000)
          .phase("cleared")
          .history()
      ),
      []
    )
  })

  it("is not owed before its acknowledgement, when it was refused, or at QoS 0", () => {
    assert.deepStrictEqual(broken(converged(begun().at(10).published("p", 1, { topic: "t", answered: false }))), [])
    assert.deepStrictEqual(broken(converged(begun().at(10).published("p", 1, { topic: "t", answered: 0x97 }))), [])
    assert.deepStrictEqual(broken(converged(begun().at(10).published("p", 1, { topic: "t", qos: 0 }))), [])
  })

  it("is owed only to subscriptions that were acknowledged before it was sent", () => {
    const late = write()
      .at(0)
      .phase("chaos")
      .connected("s", { expiry: 3600 })
      .connected("p")
      .at(10)
      .published("p", 1)
      .at(11)
      .subscribed("s", "t")
    assert.deepStrictEqual(broken(converged(late)), [])
  })

  it("is not owed to a subscription that matches another topic, grants QoS 0 or was refused", () => {
    assert.deepStrictEqual(broken(converged(begun().at(10).published("p", 1, { topic: "u" }))), [])
    for (const options of [{ qos: 0 }, { answered: 0x97 }] as const) {
      const history = write().at(0).phase("chaos").connected("s", { expiry: 3600 }).subscribed("s", "t", options)
      assert.deepStrictEqual(broken(converged(history.connected("p").at(10).published("p", 1))), [])
    }
  })

  it("is not owed any more once UNSUBSCRIBE was sent, but is when only the options changed", () => {
    const published = () => begun().at(10).published("p", 1, { topic: "t" }).at(20)
    assert.deepStrictEqual(broken(converged(published().unsubscribed("s", "t/#", { answered: false }))), [])
    assert.deepStrictEqual(broken(converged(published().subscribed("s", "t/#", { qos: 2 }))), lost)
    assert.deepStrictEqual(broken(converged(published().subscribed("s", "t/#", { qos: 0 }))), [])
  })

  it("is not owed when a subscription was renewed, given up and taken again", () => {
    const history = begun()
      .at(10)
      .published("p", 1, { topic: "t/a" })
      .at(20)
      .subscribed("s", "t/#")
      .at(30)
      .unsubscribed("s", "t/#")
      .at(40)
      .subscribed("s", "t/#")
    assert.deepStrictEqual(broken(converged(history)), [])
  })

  it("is not owed to its own publisher under No Local", () => {
    const own = (noLocal: boolean) =>
      write()
        .at(0)
        .phase("chaos")
        .connected("s", { expiry: 3600 })
        .subscribed("s", "t", { noLocal })
        .at(10)
        .published("s", 1)
    assert.deepStrictEqual(broken(converged(own(true))), [])
    assert.deepStrictEqual(broken(converged(own(false))), lost)
  })

  it("is not owed when it may have expired by the broker's clock", () => {
    const expiring = (expiry: number, jump: number) =>
      broken(converged(begun().at(10).published("p", 1, { topic: "t", expiry }).at(20).jumped(jump)))
    assert.deepStrictEqual(expiring(10, 0), [])
    assert.deepStrictEqual(expiring(300, 0), lost)
    assert.deepStrictEqual(expiring(300, 290_000), [])
  })

  it("is not owed when it is larger than the client takes", () => {
    const history = write().at(0).phase("chaos").connected("s", { expiry: 3600, maximumPacketSize: 200 })
    assert.deepStrictEqual(
      broken(converged(history.subscribed("s", "t").connected("p").at(10).published("p", 1, { bytes: 300 }))),
      []
    )
  })

  it("is not owed on topics of the server's own", () => {
    const history = write().at(0).phase("chaos").connected("s", { expiry: 3600 }).subscribed("s", "$x/#")
    assert.deepStrictEqual(broken(converged(history.connected("p").at(10).published("p", 1, { topic: "$x/y" }))), [])
  })

  it("is not owed to a session that ended, or may have been replaced unseen", () => {
    const published = () => begun().at(10).published("p", 1, { topic: "t" }).at(100).closed("s")
    const ended = published()
      .at(20_000)
      .phase("healed")
      .connected("s", { expiry: 3600 })
      .at(30_000)
      .phase("cleared")
      .history()
    assert.deepStrictEqual(broken(ended), [])
    const unseen = (taken: boolean) =>
      broken(converged(published().at(200).connected("s", { expiry: 3600, answered: false, taken })))
    assert.deepStrictEqual(unseen(true), [])
    assert.deepStrictEqual(unseen(false), lost)
  })

  it("is not owed to a client that is not there at the end", () => {
    const published = () => begun().at(10).published("p", 1, { topic: "t" })
    const away = published().at(100).closed("s").at(20_000).phase("healed").at(30_000).phase("cleared").history()
    assert.deepStrictEqual(broken(away), [])
    const crashed = published().at(21_000).ended().at(30_000).phase("cleared").history()
    assert.deepStrictEqual(broken(crashed), [])
  })

  it("is owed to a transient session whose connection stays open", () => {
    const transient = () =>
      write().at(0).phase("chaos").connected("s").subscribed("s", "t").connected("p").at(10).published("p", 1)
    const end = (history: ReturnType<typeof transient>) =>
      history.at(20_000).phase("healed").sent("s", { _tag: "PingReq" }).at(30_000).phase("cleared").history()
    assert.deepStrictEqual(broken(end(transient())), lost)
    assert.deepStrictEqual(broken(end(transient().at(11).closed("s").at(12).connected("s"))), [])
  })

  it("is not counted as received on a connection that the client had given up", () => {
    const history = begun().at(10).published("p", 1, { topic: "t" }).at(20).reopened("s")
    assert.deepStrictEqual(broken(converged(history.at(21).delivered("s", "p/m1", { topic: "t" }))), lost)
  })

  it("is not judged in a run that did not converge", () => {
    assert.deepStrictEqual(
      broken(begun().at(10).published("p", 1, { topic: "t" }).at(50_000).phase("healed").history()),
      []
    )
  })

  it("is judged among real processes until the client says goodbye", () => {
    const real = (stays: number) =>
      broken(
        writeReal()
          .at(0)
          .connected("s")
          .subscribed("s", "t")
          .connected("p")
          .at(10)
          .published("p", 1)
          .at(stays)
          .disconnected("s")
          .history()
      )
    assert.deepStrictEqual(real(5_000), lost)
    assert.deepStrictEqual(real(500), [])
  })
})
