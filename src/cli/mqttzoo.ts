/**
 * The program `mqttzoo`. Exit status: 0 when all went well, also when a signal or a closed pipe ended it; 1 for a wrong
 * flag, a wrong configuration, or anything else that keeps it from working; commands may add their own.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Cause, Effect, Exit, Runtime } from "effect"
import { printFailure, run } from "./command.ts"
import { outputWritten, untilOutputFails } from "./OutputFailure.ts"

const main = run(process.argv.slice(2)).pipe(
  Effect.provide(NodeServices.layer),
  Effect.andThen(outputWritten),
  Effect.raceFirst(untilOutputFails),
  Effect.tapCause(printFailure)
)

NodeRuntime.runMain(main, {
  disableErrorReporting: true,
  teardown: (exit, onExit) =>
    Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause) ? onExit(0) : Runtime.defaultTeardown(exit, onExit)
})
