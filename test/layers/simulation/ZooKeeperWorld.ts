/** A simulated ensemble, and processes in which a test runs its programs. */
import { Cause, Effect, Exit, type Scope } from "effect"
import type { Policy } from "../../../src/domain/simulation/Plan.ts"
import { Kernel } from "../../../src/layers/simulation/Kernel.ts"
import { Network } from "../../../src/layers/simulation/Network.ts"
import { Process } from "../../../src/layers/simulation/Process.ts"
import { Ensemble } from "../../../src/layers/simulation/zookeeper/Ensemble.ts"
import * as ZooKeeperSimulated from "../../../src/layers/simulation/zookeeper/ZooKeeperSimulated.ts"
import * as Service from "../../../src/layers/zookeeper/Service.ts"
import type { ZooKeeper } from "../../../src/services/ZooKeeper.ts"

export const sessionTimeoutMillis = 6000
export const maximumPacketBytes = 1_048_575

export interface WorldOptions {
  readonly seed: number
  readonly policy?: Policy
  readonly preemption?: number
}

export class World {
  readonly kernel: Kernel
  readonly network: Network
  readonly ensemble: Ensemble
  readonly #processes = new Map<string, Process>()

  constructor({ seed, policy = "random", preemption = 0.02 }: WorldOptions) {
    this.kernel = new Kernel({ seed, policy, preemption })
    this.network = new Network(this.kernel, { latencyMicros: 500 })
    this.ensemble = new Ensemble(this.kernel, this.network)
  }

  process(host: string): Process {
    const known = this.#processes.get(host)
    if (known !== undefined) return known
    const process = new Process(this.kernel, host)
    this.#processes.set(host, process)
    return process
  }

  /** A session of a host with the ensemble; to be opened inside its process. */
  connect(host: string, servers = this.ensemble.hosts): Effect.Effect<ZooKeeper["Service"], never, Scope.Scope> {
    return Effect.suspend(() =>
      Service.make(ZooKeeperSimulated.dialOver(this.network, this.process(host)), {
        servers,
        sessionTimeoutMillis
      })
    )
  }

  /** Starts a program as a host's process. */
  start<A>(host: string, program: Effect.Effect<A, unknown, Scope.Scope>): Running<A> {
    const running: Running<A> = { exit: undefined }
    const whole = Effect.scoped(program).pipe(
      Effect.exit,
      Effect.flatMap((exit) => {
        running.exit = exit
        return Effect.never
      })
    )
    this.process(host).start(whole, { ended: () => {}, logged: () => {} })
    return running
  }

  /** Lets time pass until programs have ended, and gives their results; throws what one of them has failed with. */
  join<A>(all: ReadonlyArray<Running<A>>, limitSeconds = 600): ReadonlyArray<A> {
    const limit = this.kernel.now + limitSeconds * 1e6
    const outcome = this.kernel.run(() => all.every(({ exit }) => exit !== undefined), limit)
    const results = all.flatMap(({ exit }) => (exit === undefined ? [] : [exit]))
    for (const exit of results) if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
    if (outcome !== "done") throw new Error(`a program has not ended: ${outcome}`)
    return results.flatMap((exit) => (Exit.isSuccess(exit) ? [exit.value] : []))
  }

  /** Runs a program as a host's process until it has ended, and gives its result. */
  run<A>(host: string, program: Effect.Effect<A, unknown, Scope.Scope>, limitSeconds = 600): A {
    return this.join([this.start(host, program)], limitSeconds)[0]!
  }

  /** Lets so many seconds pass. */
  pass(seconds: number): void {
    this.kernel.run(() => false, this.kernel.now + Math.round(seconds * 1e6))
  }
}

/** A program that was started, and how it has ended. */
export interface Running<A> {
  exit: Exit.Exit<A, unknown> | undefined
}
