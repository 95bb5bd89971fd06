import { assert, describe, it } from "@effect/vitest"
import { liveness } from "../../../../src/domain/simulation/promises/Liveness.ts"
import { reconstruct } from "../../../../src/domain/simulation/Reconstruction.ts"
import { write } from "../HistoryBuilder.ts"

type Written = ReturnType<typeof write>

const assertBroken = (written: Written, ...promises: ReadonlyArray<string>): void =>
  assert.deepStrictEqual(
    liveness(reconstruct(written.history())).map(({ promise }) => promise),
    promises
  )

const healed = (): Written => write().at(0).started().at(1_000).phase("healed")
const end = (written: Written): Written => written.at(300_000).phase("cleared")
const failing = { _tag: "disk", at: 0, duration: 1, broker: "broker-1", how: "failing" } as const

describe("liveness", () => {
  it("has every broker ready again", () => {
    assertBroken(end(healed().at(2_000).ended().at(3_000).started()))
    const late = () =>
      healed().at(2_000).ended().at(3_000).event({ _tag: "Started", at: 3_000_000, broker: "broker-1" })
    assertBroken(end(late()), "not-recovered")
    assertBroken(late().at(10_000).phase("cleared"))
  })

  it("has every client connected again", () => {
    assertBroken(end(healed().at(30_000).connected("c")))
    assertBroken(end(healed().at(30_000).connected("c", { answered: false })), "not-connected")
    assertBroken(end(healed().at(30_000).connected("c", { answered: false }).at(31_000).closed("c", "client")))
    assertBroken(end(healed().at(30_000).connected("c", { answered: false }).at(31_000).closed("c")))
    assertBroken(end(healed().at(2_000).connected("c", { answered: false }).at(12_000).closed("c", "silence")))
    assertBroken(end(healed().at(2_000).connected("c").at(60_000).closed("c", "silence")), "unanswered")
  })

  it("has requests answered on connections that stay open", () => {
    const connected = () => healed().at(2_000).connected("c").at(30_000)
    assertBroken(end(connected().sent("c", { _tag: "PingReq" })), "unanswered")
    assertBroken(end(connected().sent("c", { _tag: "PingReq" }).at(39_000).received("c", { _tag: "PingResp" })))
    assertBroken(end(connected().sent("c", { _tag: "PingReq" }).at(31_000).closed("c")))
    assertBroken(end(connected().subscribed("c", "t", { answered: false })), "unanswered")
    assertBroken(end(connected().subscribed("c", "t")))
    assertBroken(end(connected().published("c", 1, { answered: false })), "unanswered")
    assertBroken(end(connected().published("c", 1, { answered: false }).at(100_000).acknowledged("c", 1)))
    assertBroken(end(connected().published("c", 1, { qos: 0 })))
    assertBroken(end(connected().sent("c", { _tag: "PingReq" }).at(35_000).connected("c")))
    const twice = connected().sent("c", { _tag: "PingReq" }).at(31_000).received("c", { _tag: "PingResp" })
    assertBroken(end(twice.at(50_000).sent("c", { _tag: "PingReq" })), "unanswered")
  })

  it("knows what a run failed of", () => {
    for (const kind of ["defect", "stuck", "leak", "late"] as const) {
      assertBroken(write().event({ _tag: "Failed", at: 0, kind, detail: "" }), kind)
    }
  })

  it("lets no broker end of its own accord, unless its disk fails", () => {
    const failed = (written: Written) => written.at(2_000).ended("broker-1", "failed")
    assertBroken(failed(write().started()), "broker-failed")
    assertBroken(failed(write().started().struck(failing)))
    assertBroken(
      failed(
        write()
          .started()
          .struck({ ...failing, broker: "broker-2" })
      ),
      "broker-failed"
    )
    assertBroken(
      failed(
        write()
          .started()
          .struck({ ...failing, how: "slow" })
      ),
      "broker-failed"
    )
    assertBroken(write().started().at(2_000).ended("broker-1", "kill"))
  })

  it("lets no broker log an error, unless something struck that explains it", () => {
    const logged = (written: Written, level: "Warn" | "Error") =>
      written.event({ _tag: "Logged", at: 2_000_000, broker: "broker-1", level, message: "the journal has failed" })
    assertBroken(logged(write().started(), "Error"), "logged-error")
    assertBroken(logged(write().started(), "Warn"))
    assertBroken(logged(write().started().struck(failing), "Error"))
    const cut = { _tag: "cut", at: 0, duration: 1, from: "c", to: "broker-1", oneWay: false } as const
    assertBroken(logged(write().started().struck(cut), "Error"), "logged-error")
    assertBroken(
      logged(
        write()
          .started()
          .struck({ ...cut, from: "zookeeper-2" }),
        "Error"
      )
    )
  })
})
