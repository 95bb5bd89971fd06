/** Runs within a command. */
import { Console, Effect } from "effect"
import type { Plan } from "../../domain/simulation/Plan.ts"
import { type Run, run } from "../../layers/simulation/Run.ts"
import { CommandFailure } from "../CommandFailure.ts"

/** Runs a plan. A run holds up everything else, so signals and output have their turn before it. */
export const simulated = (plan: Plan): Effect.Effect<Run> =>
  Effect.andThen(
    Effect.yieldNow,
    Effect.sync(() => run(plan))
  )

/** Ends the command with 1: what it had to find is found and printed. */
export const found = new CommandFailure({ detail: "", status: 1 })

/** Prints lines on stdout, all at once. */
export const printLines = (lines: ReadonlyArray<string>): Effect.Effect<void> =>
  lines.length === 0 ? Effect.void : Console.log(lines.join("\n"))

/** A command as people type it. */
export const commandLine = (...words: ReadonlyArray<string>): string =>
  ["mqttzoo", "sim", ...words.map((word) => (/^[\w./,:=-]+$/.test(word) ? word : `'${word}'`))].join(" ")
