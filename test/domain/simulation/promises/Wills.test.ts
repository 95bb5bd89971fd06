import { assert, describe, it } from "@effect/vitest"
import { wills } from "../../../../src/domain/simulation/promises/Wills.ts"
import { reconstruct } from "../../../../src/domain/simulation/Reconstruction.ts"
import { type ConnectOptions, type DeliverOptions, write, writeReal } from "../HistoryBuilder.ts"

type Written = ReturnType<typeof write>

const assertBroken = (written: Written, ...promises: ReadonlyArray<string>): void =>
  assert.deepStrictEqual(
    wills(reconstruct(written.history())).map(({ promise }) => promise),
    promises
  )

const will = { topic: "t", qos: 1 } as const

/** An observer, and a client with a Will on connection 1. */
const armed = (options: ConnectOptions = {}, history = write().at(0).started().phase("chaos")): Written =>
  history
    .connected("o", { expiry: 600 })
    .subscribed("o", "#", { qos: 2 })
    .at(10)
    .connected("c", { will, ...options })

const seen = (written: Written, at: number, options: DeliverOptions = {}): Written =>
  written.at(at).delivered("o", "c/w1", options)

const end = (written: Written): Written =>
  written
    .at(60_000)
    .phase("healed")
    .at(90_000)
    .sent("o", { _tag: "PingReq" })
    .received("o", { _tag: "PingResp" })
    .at(120_000)
    .phase("cleared")

describe("a Will", () => {
  it("is published when its connection ends without goodbye", () => {
    assertBroken(end(seen(armed().at(1_000).closed("c"), 1_010)))
    assertBroken(end(armed().at(1_000).closed("c")), "will-lost")
    assertBroken(end(armed().at(1_000).disconnected("c", { reasonCode: 4 })), "will-lost")
    assertBroken(end(armed().at(1_000).disconnected("c", { taken: false })), "will-lost")
    assertBroken(end(armed().at(1_000).disconnected("c")))
    assertBroken(end(armed()))
  })

  it("is published after its broker's death and after a takeover", () => {
    assertBroken(
      end(
        armed()
          .at(1_000)
          .ended()
          .closed("c")
          .at(2_000)
          .started()
          .connected("o", { expiry: 600, cleanStart: false, sessionPresent: true })
      ),
      "will-lost"
    )
    assertBroken(end(armed().at(1_000).connected("c")), "will-lost")
    assertBroken(end(armed().at(1_000).connected("c", { answered: false })))
  })

  it("is missed only where it is certainly owed", () => {
    assertBroken(end(armed({ keepAlive: 10 }).at(1_000).closed("c", "silence")), "will-lost")
    assertBroken(end(armed().at(1_000).closed("c", "silence")))
    assertBroken(
      end(
        armed({ will: { ...will, qos: 0 } })
          .at(1_000)
          .closed("c")
      )
    )
    assertBroken(
      end(
        armed({ will: { ...will, expiry: 5 } })
          .at(1_000)
          .closed("c")
      )
    )
    assertBroken(end(armed({ answered: false }).at(1_000).closed("c")))
    assertBroken(armed().at(1_000).closed("c").at(2_000).phase("healed").at(2_500).phase("cleared"))
    assertBroken(end(armed().at(1_000).closed("c").at(2_000).unsubscribed("o", "#")))
    const short = armed().connected("q").published("q", 1, { answered: 0x97 }).at(1_000).closed("c")
    assertBroken(end(short))
  })

  it("is published once", () => {
    const ended = () => armed().at(1_000).closed("c")
    assertBroken(seen(seen(ended(), 1_010), 1_020, { packetId: 2 }), "will-twice")
    assertBroken(seen(seen(ended(), 1_010), 1_020, { dup: true }))
    assertBroken(seen(seen(ended(), 1_010, { qos: 0 }), 1_020, { qos: 0 }), "will-twice")
    assertBroken(seen(seen(ended(), 1_010, { qos: 0 }).at(1_015).ended(), 1_020, { qos: 0 }))
    assertBroken(seen(seen(ended(), 1_010).at(1_015).ended(), 1_020, { packetId: 2 }), "will-twice")
    assertBroken(seen(seen(ended(), 1_010), 1_020, { packetId: 2, retain: true }))
    const both = armed().at(20).subscribed("o", "t").at(1_000).closed("c")
    assertBroken(seen(seen(both, 1_010), 1_020, { packetId: 2 }))
  })

  it("is retained and published once for a client that can tell the two", () => {
    const retained = () =>
      write()
        .connected("o", { expiry: 600 })
        .subscribed("o", "#", { qos: 2, retainAsPublished: true })
        .at(10)
        .connected("c", { will: { ...will, retain: true } })
        .at(1_000)
        .closed("c")
    assertBroken(seen(retained(), 1_010, { retain: true }))
    assertBroken(seen(seen(retained(), 1_010, { retain: true }), 1_020, { packetId: 2, retain: true }), "will-twice")
  })

  it("is not published after DISCONNECT with 0x00", () => {
    assertBroken(seen(armed().at(1_000).disconnected("c"), 1_010), "will-after-disconnect")
    assertBroken(seen(armed().at(1_000).disconnected("c", { reasonCode: 4 }), 1_010))
    assertBroken(seen(armed().at(1_000).disconnected("c", { taken: false }), 1_010))
  })

  it("may be published after DISCONNECT when the broker ended the connection before, or died before it was durable", () => {
    const goodbye = () => armed().at(1_000).disconnected("c")
    assertBroken(seen(goodbye().at(1_005).ended().at(1_500).started(), 1_600))
    assertBroken(seen(goodbye().at(20_000).ended().at(20_500).started(), 21_000), "will-after-disconnect")
    assertBroken(seen(armed({ keepAlive: 5 }).at(10_000).disconnected("c"), 10_010))
    const unanswered = armed().at(20).published("c", 1, { answered: false }).at(1_000).disconnected("c")
    assertBroken(seen(unanswered, 1_010))
  })

  it("is not published while its connection lives", () => {
    const pong = (written: Written) =>
      written.at(1_000).sent("c", { _tag: "PingReq" }).received("c", { _tag: "PingResp" })
    assertBroken(pong(seen(armed(), 500)), "will-early")
    assertBroken(seen(pong(armed()), 1_010))
    assertBroken(seen(pong(armed()).at(1_020).closed("c"), 1_010))
  })

  it("waits for its delay, or for the end of its session", () => {
    const delayed = (expiry: number) =>
      armed({ will: { ...will, delay: 5 }, expiry })
        .at(1_000)
        .sent("c", { _tag: "PingReq" })
        .received("c", { _tag: "PingResp" })
        .closed("c")
    assertBroken(seen(delayed(60), 3_000), "will-early")
    assertBroken(seen(delayed(60), 5_970))
    assertBroken(seen(delayed(2), 3_000))
    assertBroken(seen(delayed(0), 1_000))
    assertBroken(seen(delayed(60).at(2_000).jumped(3_000), 3_000))
    assertBroken(seen(delayed(60).at(2_500).connected("c"), 3_000))
    assertBroken(end(delayed(60)), "will-lost")
    assertBroken(end(delayed(60).at(5_900).connected("c", { cleanStart: false, sessionPresent: true, expiry: 60 })))
  })

  it("is due when there is a broker again that can publish it, by the clock that it has then", () => {
    const back = { cleanStart: false, sessionPresent: true, expiry: 60 } as const
    const delayed = () =>
      armed({ will: { ...will, delay: 5 }, expiry: 60 })
        .at(1_000)
        .closed("c")
    const again = (written: Written, at: number) =>
      end(
        written
          .at(20_000)
          .started()
          .connected("o", { ...back, expiry: 600 })
          .at(at)
          .connected("c", back)
      )
    assertBroken(again(delayed().at(3_000).ended(), 20_500))
    assertBroken(again(delayed().at(3_000).ended(), 30_000), "will-lost")
    assertBroken(again(delayed().at(3_000).ended().at(10_000).jumped(-20_000), 30_000))
    assertBroken(again(delayed().at(11_000).ended("broker-1", "failed"), 20_500))
    assertBroken(again(delayed().at(11_000).ended("broker-1", "kill"), 20_500), "will-lost")
  })

  it("may find no room while others wait for it", () => {
    const waiting = (from: number, to: number) => {
      const written = armed().connected("q", { version: 4 })
      const before = from < 1_000 ? written.at(from).published("q", 1, { answered: false }) : written
      const over = before.at(1_000).closed("c")
      const after = from < 1_000 ? over : over.at(from).published("q", 1, { answered: false })
      return end(after.at(to).acknowledged("q", 1))
    }
    assertBroken(waiting(900, 1_400))
    assertBroken(waiting(900, 1_000), "will-lost")
    assertBroken(waiting(20_000, 20_500), "will-lost")
  })

  it("may find the queue full", () => {
    const missing = (queueMessages: number) => {
      const history = write().at(0).started("broker-1", queueMessages).phase("chaos")
      return end(armed({}, history).connected("q").published("q", 1).published("q", 2).at(1_000).closed("c"))
    }
    assertBroken(missing(3))
    assertBroken(missing(4), "will-lost")
  })

  it("is not wanted any more when the session goes on before its delay is over", () => {
    const back = { cleanStart: false, sessionPresent: true, expiry: 60 } as const
    const delayed = (at: number) =>
      armed({ will: { ...will, delay: 5 }, expiry: 60 })
        .at(1_000)
        .closed("c")
        .at(at)
        .connected("c", back)
    assertBroken(seen(delayed(3_000), 10_000), "will-not-cancelled")
    assertBroken(seen(delayed(6_500), 10_000))
    assertBroken(end(delayed(3_000)))
  })

  it("of a connection that was refused is never published", () => {
    assertBroken(seen(armed({ connackCode: 0x97 }), 1_000), "will-of-refused")
    assertBroken(seen(armed({ answered: false }), 1_000))
  })

  it("is judged in histories of real processes, too", () => {
    const real = () => armed({}, writeReal()).at(1_000).sent("c", { _tag: "PingReq" })
    const pong = { _tag: "PingResp" } as const
    assertBroken(seen(real(), 990).at(1_001).received("c", pong), "will-early")
    assertBroken(seen(real().received("c", pong).at(1_010).closed("c"), 1_020))
    const closed = () => real().received("c", pong).at(1_010).closed("c", "client")
    assertBroken(closed().at(60_000).received("o", pong), "will-lost")
    assertBroken(closed().at(2_000).received("o", pong))
  })
})
