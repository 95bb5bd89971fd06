/** `mqttzoo sim`: brokers, clients and everything around them, simulated; one number decides all that happens. */
import { Effect } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { onOff, wholeNumber } from "./ClientFlags.ts"
import { planFlags, seedFlag, seedOf, seedRule } from "./sim/PlanFlags.ts"

/** The rest is loaded when it is needed: other commands start sooner without it. */
const work = Effect.promise(() => import("./sim/Work.ts"))

const seedArgument = Argument.String("SEED").pipe(
  Argument.filterMap(seedOf, () => seedRule),
  Argument.withDescription("The seed; not needed with --plan"),
  Argument.optional
)

const exitStatus = "Exit status: 0 when every promise was kept, 1 when one was broken, 2 when the command cannot run."

const shrink = Command.make(
  "shrink",
  {
    seed: seedArgument,
    ...planFlags,
    out: Flag.Path("out").pipe(
      Flag.withMetavar("FILE"),
      Flag.withDescription("Write the plan that is left to this file (stdout)"),
      Flag.optional
    ),
    runs: wholeNumber("runs", "COUNT", 1, 1_000_000, "Try so many plans at most (500)").pipe(Flag.withDefault(500))
  },
  (values) => Effect.flatMap(work, ({ shrink }) => shrink(values))
).pipe(
  Command.withDescription(
    "Look for a smaller plan that breaks the same promise: fewer faults, clients and actions, a shorter run.\n\n" +
      "What is left is written as JSON, for --plan.\n\n" +
      "Exit status: 0 when it has been made as small as it can, 2 when there is nothing to shrink or the command cannot run."
  ),
  Command.withShortDescription("Make a failing run smaller"),
  Command.withExamples([
    { command: "mqttzoo sim shrink 4711 --out 4711.json" },
    { command: "mqttzoo sim shrink --plan 4711.json --runs 2000 --out smaller.json", description: "Try harder" }
  ])
)

const twice = Command.make("twice", { seed: seedArgument, ...planFlags }, (values) =>
  Effect.flatMap(work, ({ twice }) => twice(values))
).pipe(
  Command.withDescription(
    "Run a seed twice, and another one between, and show the first line that differs.\n\n" +
      "Exit status: 0 when both are the same, 1 when they differ, 2 when the command cannot run."
  ),
  Command.withShortDescription("See whether a seed gives the same run again"),
  Command.withExamples([{ command: "mqttzoo sim twice 4711" }])
)

/** The command with its subcommands. */
export const sim = Command.make(
  "sim",
  {
    from: seedFlag("from", "The first seed (1)"),
    count: wholeNumber("count", "COUNT", 1, 1_000_000_000, "How many seeds (1000)").pipe(Flag.optional),
    step: wholeNumber("step", "COUNT", 1, 1_000_000, "From one seed to the next (1)").pipe(
      Flag.withDefault(1),
      Flag.withHidden
    ),
    "keep-going": onOff("keep-going", "Go on after a seed that breaks a promise"),
    workers: wholeNumber("workers", "COUNT", 1, 1_024, "Processes to run seeds in (one a core)").pipe(Flag.optional),
    seed: seedFlag("seed", "Only this seed"),
    trace: onOff("trace", "Print what happened in the one run, an event a line"),
    json: onOff("json", "Print JSON: a line for each seed, or with --trace for each event"),
    ...planFlags
  },
  (values) => Effect.flatMap(work, ({ sim }) => sim(values))
).pipe(
  Command.withDescription(
    "Run the broker in a simulated world, where one number, the seed, decides all that happens: what the clients do, " +
      "what strikes, in which order things run. What its clients saw is held to everything that the broker promises.\n\n" +
      exitStatus
  ),
  Command.withShortDescription("Simulate the broker and what may strike it"),
  Command.withExamples([
    { command: "mqttzoo sim", description: "The seeds from 1 to 1000" },
    { command: "mqttzoo sim --from 1001 --count 10000 --keep-going" },
    { command: "mqttzoo sim --seed 4711 --trace", description: "What happens in one seed" },
    { command: "mqttzoo sim --clients 20 --faults crash,cut,pause --seconds 300", description: "A world of this kind" },
    { command: "mqttzoo sim shrink 4711 --out 4711.json", description: "The same failure with less in it" },
    { command: "mqttzoo sim --plan 4711.json --trace", description: "Run what is left" },
    { command: "mqttzoo sim twice 4711", description: "See whether a seed gives the same run again" }
  ]),
  Command.withSubcommands([shrink, twice])
)
