/**
 * A simulated machine with a broker on it: the production code over simulated edges, its process, its disk, and whoever
 * starts it again when it has ended.
 */
import { Effect, Layer } from "effect"
import type { Event } from "../../domain/simulation/History.ts"
import { brokerHost, type Plan } from "../../domain/simulation/Plan.ts"
import { Broker } from "../../services/Broker.ts"
import type { Stats } from "../../services/broker/BrokerState.ts"
import { Configuration, type Settings } from "../../services/Configuration.ts"
import type { ZooKeeper } from "../../services/ZooKeeper.ts"
import * as BrokerLive from "../BrokerLive.ts"
import * as ZooKeeperEmbedded from "../ZooKeeperEmbedded.ts"
import { Disk } from "./Disk.ts"
import type { Kernel } from "./Kernel.ts"
import type { Network } from "./Network.ts"
import { type End, Process } from "./Process.ts"
import * as TransportSimulated from "./TransportSimulated.ts"

/** A broker that has failed is started again after this time, in microseconds. */
const restartDelay = 1_000_000

/** What the machine needs of the run. */
export interface Surroundings {
  readonly kernel: Kernel
  readonly network: Network
  readonly plan: Plan
  readonly note: (event: Event) => void
  /** The ZooKeeper ensemble for a process, where the plan has one. */
  readonly ensemble: ((process: Process) => Layer.Layer<ZooKeeper>) | undefined
}

export class BrokerHost {
  readonly name: string
  readonly process: Process
  readonly disk: Disk
  readonly #surroundings: Surroundings
  #stats: (() => Stats) | undefined
  #restartDelay = 0

  constructor(surroundings: Surroundings, index: number) {
    const { kernel, plan } = surroundings
    this.#surroundings = surroundings
    this.name = brokerHost(index)
    this.process = new Process(kernel, this.name)
    this.process.driftPpm = plan.clocks.driftPpm
    this.process.skewMillis = plan.clocks.skewMillis
    this.disk = new Disk(kernel, this.name)
  }

  /** Whether the broker listens. */
  get isReady(): boolean {
    return this.#stats !== undefined
  }

  /** What the broker holds. Undefined while it does not listen. */
  stats(): Stats | undefined {
    return this.#stats?.()
  }

  /** Starts the broker, unless it runs. */
  start(): void {
    if (this.process.isAlive) return
    const { kernel, note, plan } = this.#surroundings
    note({ _tag: "Started", at: kernel.now, broker: this.name, queueMessages: plan.limits.queueMessages })
    this.process.start(this.#program(), {
      ended: (end) => this.#ended(end),
      logged: (level, message) => note({ _tag: "Logged", at: kernel.now, broker: this.name, level, message })
    })
  }

  /** The machine loses power, and with it the disk what was not synced. */
  losePower(): void {
    this.process.crash("power")
    this.disk.losePower()
  }

  /** SIGTERM; it is started again so many microseconds after it has ended. */
  stop(micros: number): void {
    this.#restartDelay = micros
    this.process.stop()
  }

  #startAfter(micros: number): void {
    this.#surroundings.kernel.later(micros, () => this.start())
  }

  #ended(end: End): void {
    const { kernel, note } = this.#surroundings
    this.#stats = undefined
    const ended = { _tag: "Ended", at: kernel.now, broker: this.name, how: end.how } as const
    if (end.how !== "failed") {
      note(ended)
      if (end.how === "stopped") this.#startAfter(this.#restartDelay)
      return
    }
    const defect = end.cause.reasons.find((reason) => reason._tag === "Die")
    const failure = end.cause.reasons.find((reason) => reason._tag === "Fail")
    note({ ...ended, detail: String(defect === undefined ? failure?.error : defect.defect) })
    if (defect !== undefined) {
      note({ _tag: "Failed", at: kernel.now, kind: "defect", detail: `${this.name}: ${String(defect.defect)}` })
    }
    this.#startAfter(restartDelay)
  }

  #program(): Effect.Effect<unknown, unknown> {
    const { kernel, network, plan, note, ensemble } = this.#surroundings
    const { process } = this
    const ZooKeeperLayer =
      ensemble === undefined
        ? ZooKeeperEmbedded.layer({ maximumPacketBytes: Number.MAX_SAFE_INTEGER }).pipe(
            Layer.provide(this.disk.layer(process))
          )
        : ensemble(process)
    const { segmentation } = plan.network
    const random = kernel.stream(`sockets ${this.name} ${process.incarnation}`)
    const live = BrokerLive.layerServices.pipe(
      Layer.provide(TransportSimulated.layer({ network, process, random, segmentation })),
      Layer.provide(ZooKeeperLayer),
      Layer.provide(Configuration.layer(settingsOf(plan)))
    )
    const serve = Effect.gen({ self: this }, function* () {
      const { stats, failure } = yield* Broker
      this.#stats = stats
      note({ _tag: "Ready", at: kernel.now, broker: this.name })
      return yield* failure
    })
    return Effect.provide(serve, live)
  }
}

const settingsOf = ({ limits }: Plan): Settings => ({
  partitions: limits.partitions,
  bank: { capital: `${limits.capital} B` },
  limits: {
    receiveMaximum: limits.receiveMaximum,
    maximumInflight: limits.maximumInflight,
    queue: { messages: limits.queueMessages },
    outbox: { bytes: `${limits.outboxBytes} B` }
  }
})
