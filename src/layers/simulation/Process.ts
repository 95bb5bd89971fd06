/**
 * A process of a simulated run: a program in a root fiber of its own, with the run's scheduler, a clock that may be
 * wrong, and random numbers of its own. Whatever the program builds it builds inside that fiber, so it ends with it.
 */
import { Cause, Clock, Context, Duration, Effect, Exit, type Fiber, Logger, Random, Scheduler } from "effect"
import { SecureRandom } from "effect/crypto"
import type { RandomStream } from "../../domain/simulation/RandomStream.ts"
import type { Kernel, TaskQueue } from "./Kernel.ts"

/** How a process has ended: see `Ended` of the history. */
export type End =
  | { readonly how: "kill" | "power" | "stopped" }
  | { readonly how: "failed"; readonly cause: Cause.Cause<unknown> }

/** What a process tells the run. */
export interface Listener {
  readonly ended: (end: End) => void
  readonly logged: (level: "Warn" | "Error" | "Fatal", message: string) => void
}

/** Where the wall clocks of all runs begin, without skew: a date that no machine has. */
const epochMillis = Date.UTC(2030, 0, 1)

export class Process {
  readonly name: string
  /** Counts how often it was started. */
  incarnation = 0
  isAlive = false
  isPaused = false
  /** What its wall clock shows too much, in milliseconds. It jumps; monotonic time does not. */
  skewMillis = 0
  /** By how much its clocks run fast, in parts per million. */
  driftPpm = 0
  /** Events and queues that wait for the end of a pause. */
  held: Array<{ readonly time: number }> = []
  waiting = new Set<TaskQueue>()
  readonly #kernel: Kernel
  readonly #random: RandomStream
  #fiber: Fiber.Fiber<unknown, unknown> | undefined
  #listener: Listener | undefined
  #isStopping = false
  #whenDead: Array<(how: "kill" | "power" | "exit") => void> = []

  constructor(kernel: Kernel, name: string) {
    this.#kernel = kernel
    this.name = name
    this.#random = kernel.stream(`process ${name}`)
  }

  /** Whether the process runs that was started as the given incarnation. */
  runs(incarnation: number): boolean {
    return this.isAlive && this.incarnation === incarnation
  }

  /** Called once, when the process that runs now has ended: what its operating system has to tidy up. */
  whenDead(call: (how: "kill" | "power" | "exit") => void): void {
    this.#whenDead.push(call)
  }

  /** Starts a program as this process. */
  start(program: Effect.Effect<unknown, unknown>, listener: Listener): void {
    this.incarnation++
    this.isAlive = true
    this.isPaused = false
    this.#isStopping = false
    this.#listener = listener
    const { incarnation } = this
    const services = this.#services()
    const queue = this.#kernel.makeQueue(this)
    this.#kernel.addTask(
      queue,
      () => {
        const fiber = Effect.runForkWith(services)(program)
        this.#fiber = fiber
        fiber.addObserver((exit) => {
          if (this.runs(incarnation)) this.#exited(exit)
        })
      },
      0
    )
  }

  /** SIGTERM: the program is interrupted, and ends in its own time. */
  stop(): void {
    if (!this.isAlive || this.#fiber === undefined) return
    this.#isStopping = true
    const fiber = this.#fiber
    this.#kernel.later(0, () => fiber.interruptUnsafe(), this)
  }

  /** Ends it at once: nothing of it runs any more, no finalizer either. */
  crash(how: "kill" | "power"): void {
    if (!this.isAlive) return
    this.#die(how)
    this.#listener?.ended({ how })
  }

  /** It stands still: its tasks, timers and what comes in wait. Time and the world go on. */
  pause(): void {
    if (this.isAlive) this.isPaused = true
  }

  resume(): void {
    if (!this.isPaused) return
    this.isPaused = false
    const { held, waiting } = this
    this.held = []
    this.waiting = new Set()
    this.#kernel.resume(waiting, held)
  }

  /** What its wall clock shows, in milliseconds since 1970. */
  wallMillis(): number {
    return Math.floor(epochMillis + (this.#kernel.now / 1000) * this.#rate() + this.skewMillis)
  }

  #exited(exit: Exit.Exit<unknown, unknown>): void {
    this.#die("exit")
    if (this.#isStopping && (Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause))) {
      this.#listener?.ended({ how: "stopped" })
    } else {
      const cause = Exit.isFailure(exit) ? exit.cause : Cause.die("the program has ended by itself")
      this.#listener?.ended({ how: "failed", cause })
    }
  }

  #die(how: "kill" | "power" | "exit"): void {
    this.isAlive = false
    this.isPaused = false
    this.#fiber = undefined
    this.held = []
    this.waiting = new Set()
    const calls = this.#whenDead
    this.#whenDead = []
    for (const call of calls) call(how)
  }

  #rate(): number {
    return 1 + this.driftPpm / 1_000_000
  }

  #services(): Context.Context<never> {
    const random = this.#random.split(`random ${this.incarnation}`)
    const secure = this.#random.split(`secure ${this.incarnation}`)
    const span = Number.MAX_SAFE_INTEGER - Number.MIN_SAFE_INTEGER + 1
    return Context.empty().pipe(
      Context.add(Scheduler.Scheduler, this.#scheduler()),
      Context.add(Clock.Clock, this.#clock()),
      Context.add(Random.Random, {
        nextIntUnsafe: () => Math.floor(random.float() * span) + Number.MIN_SAFE_INTEGER,
        nextDoubleUnsafe: () => random.float()
      }),
      Context.add(
        SecureRandom.SecureRandom,
        SecureRandom.make((size) => Uint8Array.from({ length: size }, () => secure.bits() & 0xff))
      ),
      Context.add(Logger.CurrentLoggers, new Set([this.#logger()]))
    ) as Context.Context<never>
  }

  #scheduler(): Scheduler.Scheduler {
    const kernel = this.#kernel
    const { incarnation } = this
    let untilPreemption = kernel.nextPreemption()
    return {
      executionMode: "async",
      shouldYield: (fiber) => {
        // A dead process yields for ever: its tasks are dropped.
        if (!this.runs(incarnation)) return true
        if (--untilPreemption <= 0) {
          untilPreemption = kernel.nextPreemption()
          return true
        }
        return fiber.currentOpCount >= fiber.cache.maxOpsBeforeYield
      },
      makeDispatcher: () => {
        const queue = kernel.makeQueue(this)
        return {
          scheduleTask: (run, priority) => {
            if (this.runs(queue.incarnation)) kernel.addTask(queue, run, priority)
          },
          flush: () => {
            throw new Error("an effect is run synchronously inside a simulated process")
          }
        }
      }
    }
  }

  #clock(): Clock.Clock {
    const kernel = this.#kernel
    const wallMillis = () => this.wallMillis()
    const wallNanos = () => BigInt(wallMillis()) * 1_000_000n
    const monotonicNanos = () => BigInt(Math.floor(kernel.now * this.#rate())) * 1000n
    return {
      currentTimeMillisUnsafe: wallMillis,
      currentTimeMillis: Effect.sync(wallMillis),
      currentTimeNanosUnsafe: wallNanos,
      currentTimeNanos: Effect.sync(wallNanos),
      monotonicTimeNanosUnsafe: monotonicNanos,
      monotonicTimeNanos: Effect.sync(monotonicNanos),
      sleep: (duration) => {
        const millis = Duration.toMillis(duration)
        if (millis <= 0) return Effect.yieldNow
        if (!Number.isFinite(millis)) return Effect.never
        return Effect.callback<void>((resume) => {
          const timer = kernel.later((millis * 1000) / this.#rate(), () => resume(Effect.void), this)
          return Effect.sync(timer.cancel)
        })
      }
    }
  }

  #logger(): Logger.Logger<unknown, void> {
    return Logger.make(({ logLevel, message, cause }) => {
      if (logLevel !== "Warn" && logLevel !== "Error" && logLevel !== "Fatal") return
      const parts = Array.isArray(message) ? message : [message]
      // Without the stack: it names files and lines, which are not part of the run.
      const why = cause.reasons.map((reason) => (reason._tag === "Die" ? String(reason.defect) : reason._tag))
      this.#listener?.logged(logLevel, [...parts.map(String), ...why].join(": "))
    })
  }
}
