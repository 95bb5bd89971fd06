/** Seeds in processes of their own: each runs every n-th seed, and what they find is put in the order of the seeds. */
import { Effect, Queue, Schema, Stream } from "effect"
import { ChildProcess } from "effect/process"
import { OutcomeJson } from "../../domain/simulation/Outcome.ts"
import { type CommandFailure, unusable } from "../CommandFailure.ts"

/** Outcomes that a worker may be ahead. */
const ahead = 64

/** What the workers are to run. */
export interface Work {
  readonly from: number
  readonly count: number
  readonly workers: number
  /** Further flags of `mqttzoo sim`. */
  readonly args: ReadonlyArray<string>
}

const readOutcome = Schema.decodeUnknownEffect(OutcomeJson)

/** The lines of one worker; they end with a failure, as nobody asks for more than a worker has. */
const linesOf = Effect.fnUntraced(function* (args: ReadonlyArray<string>) {
  const [program = ""] = process.argv.slice(1)
  const child = yield* ChildProcess.make(process.execPath, [...process.execArgv, program, "sim", ...args], {
    stdin: "ignore",
    stderr: "inherit"
  })
  const lines = yield* Queue.bounded<string, CommandFailure>(ahead)
  const ended = unusable("a process that runs seeds has ended before its time")
  yield* child.stdout.pipe(
    Stream.decodeText(),
    Stream.splitLines,
    Stream.runForEach((line) => Queue.offer(lines, line)),
    Effect.ignore,
    Effect.andThen(Queue.fail(lines, ended)),
    Effect.forkScoped
  )
  return lines
})

/** The outcome of each seed, in the order of the seeds. */
export const outcomesOfWorkers = ({ from, count, workers, args }: Work) =>
  Stream.unwrap(
    Effect.gen(function* () {
      const queues = yield* Effect.forEach(Array.from({ length: workers }).keys(), (worker) => {
        const own = Math.ceil((count - worker) / workers)
        return linesOf(["--json", `--from=${from + worker}`, `--count=${own}`, `--step=${workers}`, ...args])
      })
      return Stream.range(0, count - 1).pipe(
        Stream.rechunk(1),
        Stream.mapEffect((at) => Queue.take(queues[at % workers]!)),
        Stream.mapEffect((line) => Effect.orDie(readOutcome(line)))
      )
    }).pipe(Effect.mapError((error) => ("status" in error ? error : unusable(error.message))))
  )
