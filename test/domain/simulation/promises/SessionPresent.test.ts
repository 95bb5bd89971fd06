import { assert, describe, it } from "@effect/vitest"
import { sessionPresent } from "../../../../src/domain/simulation/promises/SessionPresent.ts"
import { encode } from "../../../../src/domain/simulation/Payload.ts"
import { reconstruct } from "../../../../src/domain/simulation/Reconstruction.ts"
import { write } from "../HistoryBuilder.ts"

type Written = ReturnType<typeof write>

const assertBroken = (written: Written, ...promises: ReadonlyArray<string>): void =>
  assert.deepStrictEqual(
    sessionPresent(reconstruct(written.history())).map(({ promise }) => promise),
    promises
  )

const resumed = { cleanStart: false, sessionPresent: true, expiry: 60 } as const
const fresh = { cleanStart: false, sessionPresent: false, expiry: 60 } as const
const crash = { _tag: "crash", at: 0, duration: 1, broker: "broker-1" } as const

describe("a session", () => {
  it("is not present after Clean Start", () => {
    assertBroken(write().connected("c", { expiry: 60 }).at(1).connected("c", { expiry: 60 }))
    assertBroken(
      write().connected("c", { expiry: 60 }).at(1).connected("c", { sessionPresent: true }),
      "session-present-after-clean-start"
    )
  })

  it("is present until it has expired, also after the broker's death", () => {
    const left = () => write().at(0).started().connected("c", { expiry: 60 }).at(1_000).disconnected("c")
    assertBroken(left().at(10_000).connected("c", resumed))
    assertBroken(left().at(10_000).connected("c", fresh), "session-lost")
    assertBroken(left().at(2_000).ended().at(3_000).started().at(10_000).connected("c", fresh), "session-lost")
    assertBroken(left().at(70_000).connected("c", fresh))
    assertBroken(left().at(2_000).jumped(60_000).at(10_000).connected("c", fresh))
    assertBroken(left().at(5_000).connected("c", { answered: false }).closed("c").at(10_000).connected("c", fresh))
    const shortened = write().at(0).connected("c", { expiry: 60 }).at(1_000).disconnected("c", { expiry: 1 })
    assertBroken(shortened.at(10_000).connected("c", fresh))
    assertBroken(write().at(0).connected("c").at(1_000).closed("c").at(2_000).connected("c", fresh))
  })

  it("is not present when it is certainly over", () => {
    const left = () => write().at(0).started().connected("c", { expiry: 10 }).at(1_000).disconnected("c")
    assertBroken(left().at(60_000).connected("c", resumed), "session-undead")
    assertBroken(left().at(13_000).connected("c", resumed), "session-undead")
    assertBroken(left().at(12_000).connected("c", resumed))
    const publisher = () => write().at(0).started().connected("c", { expiry: 10 }).published("c", 1, { qos: 0 })
    assertBroken(publisher().at(1_000).disconnected("c").at(25_000).connected("c", resumed))
    assertBroken(publisher().at(1_000).disconnected("c").at(30_000).connected("c", resumed), "session-undead")
    assertBroken(left().at(2_000).struck(crash).lifted(crash).at(60_000).connected("c", resumed))
    assertBroken(left().at(2_000).jumped(-60_000).at(60_000).connected("c", resumed), "session-undead")
    assertBroken(left().at(2_000).jumped(-60_000).started().at(60_000).connected("c", resumed))
    const transient = write().at(0).started().connected("c").at(1_000).disconnected("c")
    assertBroken(transient.at(60_000).connected("c", resumed), "session-undead")
    assertBroken(write().at(0).started().connected("c", resumed), "session-undead")
  })

  it("has what was not acknowledged sent again, with DUP and in its order", () => {
    const left = () =>
      write()
        .at(0)
        .connected("s", { expiry: 60 })
        .subscribed("s", "t")
        .at(10)
        .delivered("s", "p/m1", { packetId: 1, answered: false })
        .delivered("s", "p/m2", { packetId: 2, answered: false })
        .at(20)
        .closed("s")
        .at(30)
        .connected("s", resumed)
        .at(40)
    const again = { dup: true, packetId: 1 } as const
    assertBroken(
      left()
        .delivered("s", "p/m1", again)
        .delivered("s", "p/m2", { ...again, packetId: 2 })
    )
    assertBroken(
      left()
        .delivered("s", "p/m2", { ...again, packetId: 2 })
        .delivered("s", "p/m1", again),
      "resend-order"
    )
    assertBroken(left().delivered("s", "p/m1", { packetId: 1 }), "resend-without-dup")
    assertBroken(left().delivered("s", "p/m3", { packetId: 2 }), "packet-id-reused")
    assertBroken(left().delivered("s", "p/m3", { packetId: 3 }))
  })

  it("has them sent again before the end of a quiet run", () => {
    const left = (qos: 1 | 2, answered: boolean) =>
      write()
        .at(0)
        .connected("s", { expiry: 60 })
        .subscribed("s", "t")
        .at(10)
        .delivered("s", "p/m1", { qos, answered })
        .at(20)
        .closed("s")
        .phase("healed")
        .at(30)
        .connected("s", resumed)
        .at(40)
    const end = (written: Written) => written.at(10_000).phase("cleared")
    assertBroken(end(left(1, false)), "resend-missing")
    assertBroken(end(left(1, false).delivered("s", "p/m1", { dup: true })))
    assertBroken(end(left(1, true)))
    assertBroken(end(left(2, true)), "resend-missing")
    assertBroken(end(left(2, true).released("s")))
    assertBroken(end(left(1, false).at(8_000).closed("s").connected("s", resumed)))
    assertBroken(left(1, false).at(10_000).phase("cleared").at(10_000), "resend-missing")
  })

  it("is not judged by what comes late on the connection before", () => {
    const payload = { topic: "t", qos: 2, retain: false, packetId: 1 } as const
    const overtaken = write()
      .at(0)
      .connected("s", { expiry: 60 })
      .subscribed("s", "t", { qos: 2 })
      .at(20)
      .connected("s", resumed)
      .at(30)
      .delivered("s", "p/m1", { qos: 2, dup: true })
    const late = {
      _tag: "Received",
      at: 40_000,
      connection: 0,
      writtenAt: 10_000,
      packet: { _tag: "Publish", ...payload, dup: false, payload: encode({ publisher: "p", kind: "m", number: 1 }, 0) }
    } as const
    overtaken.event(late).at(50).released("s").at(60).closed("s").phase("healed").at(70).connected("s", resumed)
    assertBroken(overtaken.at(10_000).phase("cleared"))
  })

  it("may reuse an identifier whose message was acknowledged", () => {
    const acknowledged = write()
      .at(0)
      .connected("s", { expiry: 60 })
      .subscribed("s", "t")
      .at(10)
      .delivered("s", "p/m1", { packetId: 1 })
      .at(20)
      .closed("s")
      .connected("s", resumed)
      .at(30)
      .delivered("s", "p/m2", { packetId: 1 })
    assertBroken(acknowledged)
  })
})
