/**
 * The program `mqttzoo`. Exit status: 0 when all went well, also when a signal or a closed pipe ended it; 1 for a wrong
 * flag, a wrong configuration, or anything else that keeps it from working; commands may add their own.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Cause, Console, Effect, Exit, Runtime } from "effect"
import { untilBrokenPipe } from "./BrokenPipe.ts"
import { run } from "./command.ts"

const main = run(process.argv.slice(2)).pipe(
  Effect.provide(NodeServices.layer),
  Effect.tapDefect((defect) => Console.error("mqttzoo: this should not have happened:", defect)),
  Effect.raceFirst(untilBrokenPipe)
)

NodeRuntime.runMain(main, {
  disableErrorReporting: true,
  teardown: (exit, onExit) =>
    Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause) ? onExit(0) : Runtime.defaultTeardown(exit, onExit)
})
