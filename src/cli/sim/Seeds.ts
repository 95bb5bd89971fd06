/** `mqttzoo sim` over many seeds: which break a promise, and which rare paths were reached. */
import { Clock, Console, Effect, Schema, Stdio, Stream } from "effect"
import { type Outcome, OutcomeJson, outcomeOf } from "../../domain/simulation/Outcome.ts"
import { added, type Reached, seedsForAll, unreached } from "../../domain/simulation/Probes.ts"
import { violationText } from "../../domain/simulation/Rendering.ts"
import type { Plans } from "./Plans.ts"
import { commandLine, found, printLines, simulated } from "./Simulated.ts"
import { outcomesOfWorkers } from "./Workers.ts"

/** Which seeds to run, and how. */
export interface Seeds {
  readonly plans: Plans
  readonly from: number
  readonly count: number
  /** From one seed to the next. */
  readonly step: number
  readonly keepGoing: boolean
  readonly json: boolean
  readonly workers: number
}

/** Violations of one seed that are printed. */
const violationsShown = 10

/** What the seeds so far have come to. */
interface Tally {
  readonly seeds: number
  readonly failed: number
  readonly simulatedMillis: number
  readonly reached: ReadonlyMap<string, Reached>
}

const nothingYet: Tally = { seeds: 0, failed: 0, simulatedMillis: 0, reached: new Map() }

const tallied = (tally: Tally, { violations, simulatedMillis, reached }: Outcome): Tally => ({
  seeds: tally.seeds + 1,
  failed: tally.failed + (violations.length > 0 ? 1 : 0),
  simulatedMillis: tally.simulatedMillis + simulatedMillis,
  reached: added(tally.reached, Object.entries(reached))
})

const rateText = ({ seeds, simulatedMillis }: Tally, millis: number): string => {
  const seconds = Math.max(millis, 1) / 1_000
  return `${(seeds / seconds).toFixed(1)} seeds/s, ${Math.round(simulatedMillis / 1_000 / seconds)} simulated s/s`
}

const failureLines = ({ seed, violations }: Outcome, { args }: Plans): ReadonlyArray<string> => {
  const more = violations.length - violationsShown
  return [
    `seed ${seed} breaks what was promised:`,
    ...violations.slice(0, violationsShown).map((violation) => `  ${violationText(violation)}`),
    ...(more > 0 ? [`  and ${more} more`] : []),
    `  show it:    ${commandLine("--seed", String(seed), ...args, "--trace")}`,
    `  shrink it:  ${commandLine("shrink", String(seed), ...args)}`
  ]
}

/** A table: how many seeds have reached it, and how often in all. */
const reachedLines = (reached: ReadonlyMap<string, Reached>): ReadonlyArray<string> => {
  if (reached.size === 0) return []
  const names = [...reached.keys()].sort()
  const width = Math.max(...names.map((name) => name.length), "reached".length)
  const row = (name: string, seeds: string | number, times: string | number): string =>
    `${name.padEnd(width)}  ${String(seeds).padStart(7)}  ${String(times).padStart(9)}`
  return [
    row("reached", "seeds", "times"),
    ...names.map((name) => row(name, reached.get(name)!.seeds, reached.get(name)!.times)),
    ""
  ]
}

/** Tells on stderr how far it is: on a terminal on one line that changes, otherwise now and then. */
const progress = Effect.gen(function* () {
  const isTerminal = yield* Stdio.Stdio.use(({ stderrIsTerminal }) => stderrIsTerminal)
  const pause = isTerminal ? 500 : 10_000
  const start = yield* Clock.currentTimeMillis
  let told = start
  const tell = (tally: Tally, count: number): Effect.Effect<void> =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => {
      if (now - told < pause) return Effect.void
      told = now
      const text = `${tally.seeds} of ${count} seeds, ${tally.failed} failed, ${rateText(tally, now - start)}`
      if (!isTerminal) return Console.error(text)
      return Effect.sync(() => void process.stderr.write(`\r${text}\u001b[K`))
    })
  const clear = isTerminal ? Effect.sync(() => void process.stderr.write("\r\u001b[K")) : Effect.void
  return { start, tell, clear }
})

const outcomes = ({ plans, from, count, step, keepGoing, workers }: Seeds) =>
  workers > 1 && step === 1
    ? outcomesOfWorkers({ from, count, workers, args: [...plans.args, ...(keepGoing ? ["--keep-going"] : [])] })
    : Stream.range(0, count - 1).pipe(
        Stream.rechunk(1),
        Stream.mapEffect((at) => Effect.map(simulated(plans.of(from + at * step)), outcomeOf))
      )

const encode = Schema.encodeSync(OutcomeJson)

/** One line of JSON for each seed, and nothing else. */
const runAsJson = Effect.fnUntraced(function* (seeds: Seeds) {
  let failed = 0
  yield* outcomes(seeds).pipe(
    Stream.tap((outcome) => Console.log(encode(outcome))),
    Stream.takeUntil(({ violations }) => {
      if (violations.length > 0) failed++
      return failed > 0 && !seeds.keepGoing
    }),
    Stream.runDrain
  )
  if (failed > 0) return yield* found
})

const runForPeople = Effect.fnUntraced(function* (seeds: Seeds) {
  const { plans, from, count, keepGoing } = seeds
  const { start, tell, clear } = yield* progress
  let tally = nothingYet
  yield* outcomes(seeds).pipe(
    Stream.takeUntil((outcome) => {
      tally = tallied(tally, outcome)
      return tally.failed > 0 && !keepGoing
    }),
    Stream.runForEach((outcome) =>
      outcome.violations.length === 0
        ? tell(tally, count)
        : Effect.andThen(clear, printLines(failureLines(outcome, plans)))
    ),
    Effect.ensuring(clear)
  )
  const took = (yield* Clock.currentTimeMillis) - start
  const missing = plans.isDefault && tally.seeds >= seedsForAll ? unreached(tally.reached) : []
  const verdict = tally.failed === 0 ? "every promise was kept" : `${tally.failed} broke a promise`
  yield* printLines([
    ...reachedLines(tally.reached),
    ...missing.map(({ name, description }) => `never reached: ${name} (${description})`),
    `seeds ${from} to ${from + tally.seeds - 1}: ${verdict}`,
    `${Math.round(tally.simulatedMillis / 1_000)} s simulated in ${(took / 1_000).toFixed(1)} s: ${rateText(tally, took)}`
  ])
  if (tally.failed > 0 || missing.length > 0) return yield* found
})

/** Runs the seeds, up to the first that breaks a promise unless it shall keep going; fails with 1 if one did. */
export const runSeeds = (seeds: Seeds) => (seeds.json ? runAsJson(seeds) : runForPeople(seeds))
