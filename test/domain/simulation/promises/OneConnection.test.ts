import { assert, describe, it } from "@effect/vitest"
import { oneConnection } from "../../../../src/domain/simulation/promises/OneConnection.ts"
import { reconstruct } from "../../../../src/domain/simulation/Reconstruction.ts"
import { write, writeReal } from "../HistoryBuilder.ts"

type Written = ReturnType<typeof write>

const assertBroken = (written: Written, ...promises: ReadonlyArray<string>): void =>
  assert.deepStrictEqual(
    oneConnection(reconstruct(written.history())).map(({ promise }) => promise),
    promises
  )

/** The client's first connection receives a packet although the client has a second one. */
const onFirst = (written: Written, packet: "message" | "taken over", at: number, writtenAt: number): Written =>
  written.event({
    _tag: "Received",
    at: at * 1000,
    connection: 0,
    writtenAt: writtenAt * 1000,
    packet:
      packet === "message"
        ? { _tag: "Publish", topic: "t", payload: new Uint8Array(0), qos: 0, retain: false, dup: false, packetId: 0 }
        : { _tag: "Disconnect", reasonCode: 0x8e }
  })

const twice = (): Written => write().at(0).connected("c").at(100).connected("c")

describe("one connection", () => {
  it("is told that another one has taken over, and nothing else after that one's CONNACK", () => {
    assertBroken(onFirst(twice(), "taken over", 110, 101))
    assertBroken(onFirst(twice(), "message", 110, 99))
    assertBroken(onFirst(twice(), "message", 110, 101), "two-connections")
  })

  it("may be served again where the later one was not confirmed", () => {
    const refused = write().at(0).connected("c").at(100).connected("c", { connackCode: 0x97 })
    assertBroken(onFirst(refused, "message", 110, 105))
    const unanswered = write().at(0).connected("c").at(100).connected("c", { answered: false })
    assertBroken(onFirst(unanswered, "message", 110, 105))
  })

  it("is judged by what answers what, where nobody knows when it was written", () => {
    const real = () => writeReal().at(0).connected("c").at(100).connected("c")
    assertBroken(real().event({ _tag: "Received", at: 110_000, connection: 0, packet: { _tag: "PingResp" } }))
    const asked = real()
      .event({
        _tag: "Sent",
        at: 110_000,
        connection: 0,
        index: 1,
        packet: { _tag: "Unsubscribe", packetId: 9, filters: ["t"] }
      })
      .event({
        _tag: "Received",
        at: 120_000,
        connection: 0,
        packet: { _tag: "UnsubAck", packetId: 9, reasonCodes: [0] }
      })
    assertBroken(asked, "two-connections")
  })

  it("is closed soon when nothing is in the way", () => {
    const healed = () => write().at(0).connected("c").at(100).connected("c").at(1_000).phase("healed")
    assertBroken(healed().at(60_000).phase("cleared"), "old-connection-open")
    assertBroken(healed().at(5_000).phase("cleared"))
    const closed = { _tag: "Closed", at: 2_000_000, connection: 0, by: "broker" } as const
    assertBroken(healed().event(closed).at(60_000).phase("cleared"))
    const cut = { _tag: "cut", at: 0, duration: 1, from: "c", to: "broker-1", oneWay: false } as const
    assertBroken(healed().at(2_000).struck(cut).at(60_000).phase("cleared"))
    assertBroken(healed().at(50).struck(cut).at(150).lifted(cut).at(60_000).phase("cleared"))
  })
})
