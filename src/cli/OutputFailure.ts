/**
 * What becomes of the program when its output cannot be written any more.
 */
import { Effect, Schema } from "effect"
import { meaningOf } from "../layers/SystemError.ts"

/** The output went nowhere: the disk is full, say. */
export class OutputError extends Schema.TaggedError<OutputError>()("OutputError", { reason: Schema.String }) {
  override get message(): string {
    return `cannot write the output: ${this.reason}`
  }
}

/**
 * Waits until stdout or stderr fails. A closed pipe, as in `mqttzoo sub | head -1`, interrupts, which ends the program
 * quietly. The listeners stay for the rest of the process: what is written while it ends fails as well, and without a
 * listener Node would end it with a trace.
 */
export const untilOutputFails: Effect.Effect<never, OutputError> = Effect.callback<never, OutputError>((resume) => {
  const onError = (error: NodeJS.ErrnoException): void =>
    resume(error.code === "EPIPE" ? Effect.interrupt : Effect.fail(new OutputError({ reason: meaningOf(error) })))
  process.stdout.on("error", onError)
  process.stderr.on("error", onError)
})

/** Waits until all that was printed has been handed to the system, so that its failure is not missed. */
export const outputWritten: Effect.Effect<void> = Effect.callback<void>((resume) => {
  process.stdout.write("", () => resume(Effect.void))
})
