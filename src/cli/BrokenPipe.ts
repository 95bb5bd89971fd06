/**
 * Ends the program quietly when nobody reads its output any more, as in `mqttzoo sub | head -1`.
 */
import { Effect } from "effect"

/**
 * Waits until stdout or stderr is a closed pipe, then interrupts. The listeners stay for the rest of the process: what
 * is written while it ends fails as well, and without a listener Node would end it with a trace.
 */
export const untilBrokenPipe: Effect.Effect<never> = Effect.callback<never>((resume) => {
  const onError = (error: NodeJS.ErrnoException): void => {
    if (error.code === "EPIPE") resume(Effect.interrupt)
    else if (error.code !== "ERR_STREAM_DESTROYED") throw error
  }
  process.stdout.on("error", onError)
  process.stderr.on("error", onError)
})
