import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import { Event, type History } from "../../../src/domain/simulation/History.ts"
import * as Payload from "../../../src/domain/simulation/Payload.ts"
import type { Fault, Plan } from "../../../src/domain/simulation/Plan.ts"
import {
  EventJson,
  faultText,
  historyAsJson,
  historyAsText,
  sizeText,
  summary,
  violationText
} from "../../../src/domain/simulation/Rendering.ts"

const payload = Payload.encode({ publisher: "pub-1", kind: "m", number: 17 }, 40)
const will = Payload.encode({ publisher: "pub-1", kind: "w", number: 2 }, 0)

const history: History = [
  { _tag: "Started", at: 0, broker: "broker-1" },
  { _tag: "Ready", at: 1_999, broker: "broker-1" },
  { _tag: "Snapshot", at: 2_000, broker: "broker-1", moment: "empty", holds: { sessions: 0, credit: 1_000 } },
  { _tag: "Phase", at: 5_000, phase: "chaos" },
  { _tag: "Opened", at: 6_000, connection: 0, client: "observer", broker: "broker-1", version: 5 },
  {
    _tag: "Sent",
    at: 6_000,
    connection: 0,
    index: 0,
    packet: {
      _tag: "Connect",
      protocolVersion: 5,
      clientId: "observer",
      cleanStart: true,
      keepAlive: 60,
      properties: { sessionExpiryInterval: 30 },
      will: { topic: "w", payload: will, qos: 1, retain: true, properties: { willDelayInterval: 5 } }
    }
  },
  { _tag: "Taken", at: 6_100, connection: 0, index: 0 },
  {
    _tag: "Received",
    at: 11_000,
    connection: 0,
    packet: { _tag: "ConnAck", sessionPresent: true, reasonCode: 0, properties: { receiveMaximum: 3 } },
    writtenAt: 6_200
  },
  {
    _tag: "Received",
    at: 12_345_678,
    connection: 0,
    packet: {
      _tag: "Publish",
      topic: "t/2",
      payload,
      qos: 2,
      retain: false,
      dup: true,
      packetId: 5,
      properties: { subscriptionIdentifiers: [1, 2] }
    }
  },
  { _tag: "Opened", at: 12_400_000, connection: 1, client: "sub-1", broker: "broker-1", version: 4 },
  {
    _tag: "Received",
    at: 12_500_000,
    connection: 1,
    packet: { _tag: "ConnAck", sessionPresent: false, reasonCode: 3 }
  },
  {
    _tag: "Sent",
    at: 12_600_000,
    connection: 1,
    index: 1,
    packet: {
      _tag: "Subscribe",
      packetId: 7,
      subscriptions: [
        { filter: "t/+", qos: 1, noLocal: true, retainAsPublished: false, retainHandling: 2 },
        { filter: "#", qos: 0, noLocal: false, retainAsPublished: true, retainHandling: 0 }
      ]
    }
  },
  {
    _tag: "Received",
    at: 12_700_000,
    connection: 1,
    packet: { _tag: "SubAck", packetId: 7, reasonCodes: [1, 0x97] }
  },
  { _tag: "Taken", at: 12_710_000, connection: 1, index: 1 },
  {
    _tag: "Struck",
    at: 13_000_000,
    fault: { _tag: "crash", at: 12_995, duration: 2_500, broker: "broker-1" }
  },
  { _tag: "Ended", at: 13_000_000, broker: "broker-1", how: "kill" },
  { _tag: "Closed", at: 13_000_000, connection: 1, by: "reset" },
  { _tag: "Garbled", at: 13_000_500, connection: 0, detail: "no packet\n  has type 0" },
  { _tag: "Logged", at: 13_001_000, broker: "broker-1", level: "Error", message: "disk full\nat write" },
  { _tag: "ClockJumped", at: 13_002_000, broker: "broker-1", millis: -700 },
  { _tag: "Failed", at: 14_000_000, kind: "stuck", detail: "nothing is left to do" }
]

const plan: Plan = {
  seed: 4711,
  seconds: 30,
  brokers: 1,
  store: "embedded",
  schedule: { policy: "random", preemption: 0.02 },
  network: { latencyMicros: 400, segmentation: 0.3 },
  clocks: { driftPpm: -20, skewMillis: 100 },
  limits: {
    partitions: 4,
    capital: 100_000,
    receiveMaximum: 3,
    maximumInflight: 2,
    queueMessages: 10,
    outboxBytes: 4_096
  },
  clients: [{ name: "observer", version: 5, keepAlive: 60, acknowledgeMillis: 5, actions: [] }],
  faults: [{ _tag: "crash", at: 12_995, duration: 2_500, broker: "broker-1" }]
}

describe("a history", () => {
  it("is a line for each event: when, who, what", () => {
    assert.deepStrictEqual(historyAsText(history), [
      " 0.000  broker-1    started",
      " 0.001  broker-1    listens",
      " 0.002  broker-1    holds when empty: credit 1000",
      " 0.005  run         chaos: faults may strike from now on",
      " 0.006  observer#0  opened to broker-1 (MQTT 5.0)",
      " 0.006  observer#0  → CONNECT 5.0 observer clean-start keep-alive 60 session-expiry-interval 30 " +
        "will pub-1/w2 w qos 1 retain will-delay-interval 5",
      " 0.006  observer#0  ⇥ CONNECT is with the broker",
      " 0.011  observer#0  ← CONNACK session-present receive-maximum 3 (4 ms on its way)",
      "12.345  observer#0  ← PUBLISH pub-1/m17 t/2 qos 2 id 5 dup subscription-identifiers 1,2",
      "12.400  sub-1#1     opened to broker-1 (MQTT 3.1.1)",
      "12.500  sub-1#1     ← CONNACK server unavailable (3)",
      "12.600  sub-1#1     → SUBSCRIBE id 7 t/+ qos 1 no-local retain-handling 2, # qos 0 retain-as-published",
      "12.700  sub-1#1     ← SUBACK id 7 qos 1, quota exceeded (0x97)",
      "12.710  sub-1#1     ⇥ SUBSCRIBE id 7 is with the broker",
      "13.000  fault       struck: crash broker-1 for 2.5 s",
      "13.000  broker-1    killed",
      "13.000  sub-1#1     reset",
      "13.000  observer#0  ← garbled: no packet | has type 0",
      "13.001  broker-1    logged Error: disk full | at write",
      "13.002  broker-1    its clock jumped by -700 ms",
      "14.000  run         stuck: nothing is left to do"
    ])
  })

  it("is a line of JSON for each event, which reads back as the event", () => {
    const lines = historyAsJson(history)
    assert.strictEqual(lines[1], '{"_tag":"Ready","at":1999,"broker":"broker-1"}')
    assert.deepStrictEqual(
      lines.map((line) => Schema.decodeSync(EventJson)(line)),
      history
    )
  })

  it.prop("is one line whatever the event, in words and in JSON", { event: Arbitrary.schema(Event) }, ({ event }) => {
    const [text] = historyAsText([event])
    const [json] = historyAsJson([event])
    assert.notInclude(json, "\n")
    assert.deepStrictEqual(historyAsJson([Schema.decodeSync(EventJson)(json!)]), [json!])
    assert.match(text!, /^\d+\.\d{3} {2}/)
    assert.notInclude(text, "\n")
  })

  it("is no line when nothing happened", () => {
    assert.deepStrictEqual([historyAsText([]), historyAsJson([])], [[], []])
  })
})

const faults: ReadonlyArray<readonly [Fault, string]> = [
  [{ _tag: "pause", at: 1, duration: 900, broker: "broker-1" }, "pause broker-1 for 900 ms"],
  [{ _tag: "cut", at: 1, duration: 1_000, from: "a", to: "b", oneWay: true }, "cut a → b for 1 s"],
  [{ _tag: "cut", at: 1, duration: 1_000, from: "a", to: "b", oneWay: false }, "cut a ↔ b for 1 s"],
  [{ _tag: "reset", at: 1, from: "a", to: "b" }, "reset a ↔ b"],
  [{ _tag: "slow", at: 1, duration: 1_500, from: "a", to: "b", factor: 20 }, "slow a ↔ b by 20 for 1.5 s"],
  [{ _tag: "expire", at: 1, broker: "broker-1" }, "expire the ZooKeeper session of broker-1"],
  [{ _tag: "lose-reply", at: 1, duration: 2_000, percent: 30 }, "lose-reply of 30 % of the writes for 2 s"],
  [{ _tag: "lag", at: 1, duration: 2_000, server: 1, millis: 250 }, "lag zookeeper-2 by 250 ms for 2 s"],
  [{ _tag: "leader", at: 1, duration: 4_000 }, "leader of ZooKeeper lost for 4 s"],
  [
    { _tag: "server", at: 1, duration: 4_000, server: 0, quorum: true },
    "server zookeeper-1 lost, and the quorum for 4 s"
  ],
  [{ _tag: "disk", at: 1, duration: 4_000, broker: "broker-1", how: "slow" }, "disk of broker-1 slow for 4 s"],
  [{ _tag: "clock", at: 1, broker: "broker-1", millis: -5 }, "clock of broker-1 by -5 ms"]
]

it.each(faults)("a fault begins with the name by which it is chosen: %j", (fault, text) => {
  assert.strictEqual(faultText(fault), text)
  assert.strictEqual(text.split(" ")[0], fault._tag)
})

describe("a run in a few lines", () => {
  const violations = [{ promise: "acknowledged-lost", at: 2_000_001, detail: "pub-1/m3 is\nnowhere" }]
  const result = { plan, history, violations, hash: "0123456789abcdef", simulatedMillis: 61_234 }

  it("says what was planned, what was checked and what was broken", () => {
    assert.deepStrictEqual(summary(result, ["acknowledged-lost", "will-twice"]), [
      "plan      seed 4711: 1 fault, 1 client, 0 actions, 30 s",
      "brokers   1, with a disk",
      "clients   observer (5.0)",
      "schedule  policy random, preemption 0.02",
      "network   latency micros 400, segmentation 0.3",
      "clocks    drift ppm -20, skew millis 100",
      "limits    partitions 4, capital 100000, receive maximum 3, maximum inflight 2, queue messages 10, outbox bytes 4096",
      "faults    12.995 crash broker-1 for 2.5 s",
      "history   21 events in 61.234 s",
      "checked   acknowledged-lost, will-twice",
      "broken    2.000  acknowledged-lost: pub-1/m3 is | nowhere",
      "hash      0123456789abcdef"
    ])
  })

  it("says when nothing was broken", () => {
    assert.include(summary({ ...result, violations: [] }, ["will-twice"]), "broken    nothing")
  })

  it("shows a violation with its time and its promise", () => {
    assert.strictEqual(violationText(violations[0]!), "2.000  acknowledged-lost: pub-1/m3 is | nowhere")
  })

  it("counts what a plan has", () => {
    assert.strictEqual(sizeText({ ...plan, faults: [] }), "0 faults, 1 client, 0 actions, 30 s")
  })
})
