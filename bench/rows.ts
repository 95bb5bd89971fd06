import type { Scenario } from "./load/scenario.ts"

/** One line of the table: what is measured, in which unit, and which way is better. */
export interface Row {
  readonly name: string
  readonly title: string
  readonly unit: string
  readonly better: "higher" | "lower"
  /** `startup` needs no load: the time from starting the broker's process to the first CONNACK. */
  readonly scenario: Scenario | { readonly kind: "startup" }
}

const plain = { payloadBytes: 64, gatherMs: 0 } as const
const pairs = { publishers: 50, subscribers: 50, topics: "own", ...plain } as const
const connections = { connections: 10_000, concurrency: 64 } as const

/** All rows, in the order in which they are measured and printed. */
export const rows: ReadonlyArray<Row> = [
  {
    name: "one-to-one",
    title: "QoS 0, 1 → 1, window 500",
    unit: "delivered/s",
    better: "higher",
    scenario: { kind: "throughput", publishers: 1, subscribers: 1, topics: "shared", qos: 0, window: 500, ...plain }
  },
  {
    name: "fan-out",
    title: "QoS 0, 1 → 100, window 100",
    unit: "delivered/s",
    better: "higher",
    scenario: {
      kind: "throughput",
      publishers: 1,
      subscribers: 100,
      topics: "shared",
      qos: 0,
      window: 100,
      ...plain,
      gatherMs: 2
    }
  },
  {
    name: "pairs-qos0",
    title: "QoS 0, 50 pairs, window 20",
    unit: "delivered/s",
    better: "higher",
    scenario: { kind: "throughput", ...pairs, qos: 0, window: 20 }
  },
  {
    name: "pairs-qos1",
    title: "QoS 1, 50 pairs, window 20",
    unit: "delivered/s",
    better: "higher",
    scenario: { kind: "throughput", ...pairs, qos: 1, window: 20 }
  },
  {
    name: "pairs-qos2",
    title: "QoS 2, 50 pairs, window 10",
    unit: "delivered/s",
    better: "higher",
    scenario: { kind: "throughput", ...pairs, qos: 2, window: 10 }
  },
  {
    name: "unbatched",
    title: "QoS 0, 100 pairs, window 1",
    unit: "delivered/s",
    better: "higher",
    scenario: { kind: "throughput", publishers: 100, subscribers: 100, topics: "own", qos: 0, window: 1, ...plain }
  },
  {
    name: "durable",
    title: "durable QoS 1, 50 pairs online",
    unit: "acknowledged/s",
    better: "higher",
    scenario: { kind: "durable", ...pairs, online: true, qos: 1, window: 20 }
  },
  {
    name: "durable-offline",
    title: "durable QoS 1, 50 sessions offline",
    unit: "acknowledged/s",
    better: "higher",
    scenario: { kind: "durable", ...pairs, online: false, qos: 1, window: 20 }
  },
  {
    name: "connect",
    title: "connecting, 64 at once",
    unit: "connections/s",
    better: "higher",
    scenario: { kind: "connect", ...connections }
  },
  {
    name: "idle",
    title: "10,000 idle subscribers",
    unit: "bytes each",
    better: "lower",
    scenario: { kind: "idle", ...connections, holdSeconds: 4 }
  },
  {
    name: "startup",
    title: "start to first CONNACK",
    unit: "ms",
    better: "lower",
    scenario: { kind: "startup" }
  }
]
