import { assert, describe, it } from "@effect/vitest"
import { ClientError } from "../../../src/domain/client/ClientError.ts"
import { type Acknowledgement, ClientSession } from "../../../src/domain/client/ClientSession.ts"
import type { ConnAck, Packet, QoS } from "../../../src/domain/packet/Packet.ts"

const plenty = 1_000_000

/** A session with all that it sends and settles. */
const make = (sendMaximum = 65_535) => {
  const sent: Array<Packet> = []
  const outcomes: Array<Acknowledgement | ClientError> = []
  const session = new ClientSession({ version: 5, sendMaximum, send: (packet) => sent.push(packet) })
  return {
    session,
    outcomes,
    /** What was sent since the last call. */
    sent: () => sent.splice(0),
    open: (connAck: Partial<ConnAck> = {}) =>
      session.opened({ _tag: "ConnAck", sessionPresent: false, reasonCode: 0, ...connAck }, 0),
    publish: (payload: string, qos: QoS, properties = {}, now = 0) =>
      session.publish({ topic: "t", payload: Buffer.from(payload), qos, retain: false, properties }, now, (outcome) =>
        outcomes.push(outcome)
      )
  }
}

const message = (packetId: number, qos: QoS, topic = "t", topicAlias?: number): Packet => ({
  _tag: "Publish",
  topic,
  payload: new Uint8Array(),
  qos,
  retain: false,
  dup: false,
  packetId,
  ...(topicAlias !== undefined && { properties: { topicAlias } })
})

const brief = (packet: Packet) =>
  packet._tag === "Publish"
    ? `${packet.payload.toString()} ${packet.packetId}${packet.dup ? " dup" : ""}`
    : `${packet._tag} ${"packetId" in packet ? packet.packetId : ""}`

describe("publishing", () => {
  it("QoS 0 is done when it is written, QoS 1 when PUBACK comes, QoS 2 when PUBCOMP comes", () => {
    const { session, sent, outcomes, open, publish } = make()
    open()
    for (const qos of [0, 1, 2] as const) publish(`q${qos}`, qos)
    session.pump(0, plenty)
    assert.deepStrictEqual(sent().map(brief), ["q0 0", "q1 1", "q2 2"])
    assert.strictEqual(outcomes.length, 1)
    session.receive({ _tag: "PubAck", packetId: 1, reasonCode: 0x10 })
    session.receive({ _tag: "PubRec", packetId: 2, reasonCode: 0 })
    assert.deepStrictEqual(sent().map(brief), ["PubRel 2"])
    assert.deepStrictEqual(outcomes.slice(1), [{ reasonCode: 0x10 }])
    session.receive({ _tag: "PubComp", packetId: 2, reasonCode: 0 })
    assert.deepStrictEqual(outcomes.slice(2), [{ reasonCode: 0 }])
  })

  it("no more is under way than the server's Receive Maximum [MQTT-3.3.4-9]", () => {
    const { session, sent, open, publish } = make()
    open({ properties: { receiveMaximum: 2 } })
    for (const text of ["a", "b", "c"]) publish(text, 1)
    assert.isFalse(session.pump(0, plenty))
    assert.deepStrictEqual(sent().map(brief), ["a 1", "b 2"])
    session.receive({ _tag: "PubAck", packetId: 2, reasonCode: 0 })
    session.pump(0, plenty)
    assert.deepStrictEqual(sent().map(brief), ["c 3"])
  })

  it("no more is sent than there is room for", () => {
    const { session, sent, open, publish } = make()
    open()
    for (const text of ["a", "b"]) publish(text, 0)
    assert.isTrue(session.pump(0, 1))
    assert.deepStrictEqual(sent().map(brief), ["a 0"])
  })

  it("a resumed session sends again what is unfinished, in order and with DUP [MQTT-4.4.0-1]", () => {
    const { session, sent, open, publish } = make()
    open()
    publish("a", 1)
    publish("b", 2)
    publish("c", 2)
    session.pump(0, plenty)
    session.receive({ _tag: "PubRec", packetId: 2, reasonCode: 0 })
    session.closed()
    publish("d", 1)
    sent()
    session.pump(0, plenty)
    assert.deepStrictEqual(sent(), [])
    open({ sessionPresent: true })
    session.pump(0, plenty)
    assert.deepStrictEqual(sent().map(brief), ["a 1 dup", "PubRel 2", "c 3 dup", "d 4"])
  })

  it("to a server that lost the session the unfinished is new, and the released is done", () => {
    const { session, sent, outcomes, open, publish } = make()
    open()
    publish("a", 1)
    publish("b", 2)
    session.pump(0, plenty)
    session.receive({ _tag: "PubRec", packetId: 2, reasonCode: 0 })
    session.closed()
    sent()
    open()
    session.pump(0, plenty)
    assert.deepStrictEqual(sent().map(brief), ["a 1"])
    assert.deepStrictEqual(outcomes, [{ reasonCode: 0 }])
  })

  it("what expires before it can be sent is not sent, and what is sent late says how long it has left", () => {
    const { session, sent, outcomes, open, publish } = make()
    publish("gone", 1, { messageExpiryInterval: 1 })
    publish("gone too", 0, { messageExpiryInterval: 1 })
    publish("late", 1, { messageExpiryInterval: 10 })
    open()
    session.pump(4_000, plenty)
    const [late, ...others] = sent()
    assert.deepStrictEqual(others, [])
    assert.deepStrictEqual(late?._tag === "Publish" && late.properties, { messageExpiryInterval: 6 })
    assert.deepStrictEqual(
      outcomes.map((outcome) => outcome instanceof ClientError && outcome.reason._tag),
      ["Expired", "Expired"]
    )
  })

  it("what the server says that it does not take is not sent to it", () => {
    const { session, sent, outcomes, open, publish } = make()
    open({ properties: { maximumQoS: 0, maximumPacketSize: 20 } })
    publish("a", 1)
    publish("longer than the packet may be", 0)
    publish("fits", 0)
    session.pump(0, plenty)
    assert.deepStrictEqual(sent().map(brief), ["fits 0"])
    assert.deepStrictEqual(
      outcomes.map((outcome) => outcome instanceof ClientError),
      [true, false, true]
    )
  })
})

describe("receiving", () => {
  it("a message is acknowledged when it is taken, and no sooner", () => {
    const { session, sent, open } = make()
    open()
    for (const qos of [0, 1, 2] as const) session.receive(message(qos, qos))
    assert.deepStrictEqual(sent(), [])
    assert.strictEqual(session.take(2).length, 2)
    assert.deepStrictEqual(sent().map(brief), ["PubAck 1"])
    assert.strictEqual(session.take(2).length, 1)
    assert.deepStrictEqual(sent().map(brief), ["PubRec 2"])
    session.receive({ _tag: "PubRel", packetId: 2, reasonCode: 0 })
    assert.deepStrictEqual(sent(), [{ _tag: "PubComp", packetId: 2, reasonCode: 0 }])
    session.receive({ _tag: "PubRel", packetId: 2, reasonCode: 0 })
    assert.deepStrictEqual(sent(), [{ _tag: "PubComp", packetId: 2, reasonCode: 0x92 }])
  })

  it("a QoS 2 message that was taken is not given twice [MQTT-4.3.3-10]", () => {
    const { session, sent, open } = make()
    open()
    session.receive(message(9, 2))
    session.closed()
    assert.strictEqual(session.take(1).length, 1)
    open({ sessionPresent: true })
    sent()
    session.receive(message(9, 2))
    assert.strictEqual(session.waiting, 0)
    assert.deepStrictEqual(sent().map(brief), ["PubRec 9"])
  })

  it("what was not taken before the connection was lost is given once, whether it comes again or not", () => {
    for (const sessionPresent of [true, false]) {
      const { session, sent, open } = make()
      open()
      session.receive(message(1, 1))
      session.closed()
      open({ sessionPresent })
      if (sessionPresent) session.receive(message(1, 1))
      assert.strictEqual(session.take(10).length, 1)
      assert.deepStrictEqual(sent().map(brief), sessionPresent ? ["PubAck 1"] : [])
    }
  })

  it("a topic alias stands for its topic until the connection ends", () => {
    const { session } = make()
    const connAck = { _tag: "ConnAck", sessionPresent: false, reasonCode: 0 } as const
    session.opened(connAck, 2)
    session.receive(message(0, 0, "long/name", 1))
    assert.isUndefined(session.receive(message(0, 0, "", 1)))
    assert.deepStrictEqual(
      session.take(2).map(({ topic }) => topic),
      ["long/name", "long/name"]
    )
    assert.isString(session.receive(message(0, 0, "", 2)))
    assert.isString(session.receive(message(0, 0, "x", 3)))
    session.opened(connAck, 2)
    assert.isString(session.receive(message(0, 0, "", 1)))
  })
})

describe("subscribing", () => {
  const subscription = (filter: string) =>
    ({ filter, qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 }) as const

  it("is asked for again of a server that lost the session, but not when it was refused or given up", () => {
    const { session, sent, open } = make()
    open()
    session.subscribe([subscription("a"), subscription("b")], { subscriptionIdentifier: 5 }, () => {})
    session.subscribe([subscription("c")], undefined, () => {})
    const [first, second] = sent()
    assert.notStrictEqual(brief(first!), brief(second!))
    if (first?._tag !== "Subscribe" || second?._tag !== "Subscribe") return assert.fail("two SUBSCRIBE packets")
    session.receive({ _tag: "SubAck", packetId: first.packetId, reasonCodes: [1, 0x87] })
    session.receive({ _tag: "SubAck", packetId: second.packetId, reasonCodes: [1] })
    session.unsubscribe(["c"], undefined, () => {})
    sent()
    session.closed()
    open()
    const [again, pending] = sent()
    assert.deepInclude(again, { subscriptions: [subscription("a")], properties: { subscriptionIdentifier: 5 } })
    assert.strictEqual(pending?._tag, "Unsubscribe")
  })

  it("uses no packet identifier of a message, nor does a message use one of its own [MQTT-2.2.1-3]", () => {
    const { session, sent, open, publish } = make()
    open()
    session.subscribe([subscription("a")], undefined, () => {})
    const [subscribe] = sent()
    if (subscribe?._tag !== "Subscribe") return assert.fail("a SUBSCRIBE")
    const count = 66_000
    for (let i = 0; i < count; i++) publish("x", 1)
    const used: Array<number> = []
    const drain = () => {
      for (let isOver = false; !isOver;) {
        session.pump(0, Infinity)
        const packets = sent()
        isOver = packets.length === 0
        for (const packet of packets) {
          if (packet._tag !== "Publish") continue
          used.push(packet.packetId)
          session.receive({ _tag: "PubAck", packetId: packet.packetId, reasonCode: 0 })
        }
      }
    }
    drain()
    assert.notInclude(used, subscribe.packetId)
    session.receive({ _tag: "SubAck", packetId: subscribe.packetId, reasonCodes: [1] })
    drain()
    assert.strictEqual(used.length, count)
  })

  it("answers that were not asked for end the connection", () => {
    const { session, open } = make()
    open()
    assert.isString(session.receive({ _tag: "SubAck", packetId: 1, reasonCodes: [0] }))
    assert.isString(session.receive({ _tag: "UnsubAck", packetId: 1, reasonCodes: [] }))
    assert.isString(session.receive({ _tag: "PingReq" }))
  })
})
