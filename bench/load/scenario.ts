/** Who publishes to whom, and how much may be under way. */
export interface Traffic {
  readonly publishers: number
  readonly subscribers: number
  /** `shared`: all publish to one topic that all subscribe to; `own`: publisher i and subscriber i share a topic of their own. */
  readonly topics: "shared" | "own"
  readonly qos: 0 | 1 | 2
  /** Messages a publisher may have that are not delivered to all their subscribers or, at QoS 1 and 2, not acknowledged. */
  readonly window: number
  readonly payloadBytes: number
  /**
   * The generator reads at most once in so many ms, so that deliveries to many subscribers gather in the kernel. Reading each
   * at once would cost a broker that writes them one by one a wake-up of the generator for each.
   */
  readonly gatherMs: number
}

/** What the load generator is to do to a broker. */
export type Scenario =
  /** Delivered messages a second. */
  | ({ readonly kind: "throughput" } & Traffic)
  /** QoS 1 messages acknowledged a second while the subscribers' sessions are persistent. */
  | ({ readonly kind: "durable"; readonly online: boolean } & Traffic)
  /** Connections accepted a second, `concurrency` handshakes under way. */
  | { readonly kind: "connect"; readonly connections: number; readonly concurrency: number }
  /** Bytes of the broker's memory a connection with one subscription holds, after `holdSeconds` of silence. */
  | { readonly kind: "idle"; readonly connections: number; readonly concurrency: number; readonly holdSeconds: number }

/** One run of the load generator against one broker. */
export interface LoadOrder {
  readonly scenario: Scenario
  readonly port: number
  /** The broker's process, whose CPU time and memory are read. */
  readonly pid: number
  /** Protocol level: 4 is MQTT 3.1.1. */
  readonly version: 4 | 5
  readonly warmupSeconds: number
  readonly seconds: number
}

/** What one run found. */
export interface LoadResult {
  /** In the unit of the scenario. */
  readonly value: number
  /** CPU time of the broker for each unit counted (a delivery, an acknowledgement, a connection), in µs; none for memory. */
  readonly brokerMicroseconds?: number
  /** The generator's own CPU time over the measured time: near 1 the generator, not the broker, is the limit. */
  readonly generatorShare: number
  /** Everything that was not as it must be; empty when all checks passed. */
  readonly problems: ReadonlyArray<string>
}
