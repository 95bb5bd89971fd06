import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Option, Schema } from "effect"
import { TestConsole } from "effect/testing"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { printFailure, run } from "../../src/cli/command.ts"
import { CommandFailure } from "../../src/cli/CommandFailure.ts"
import { OutcomeJson } from "../../src/domain/simulation/Outcome.ts"
import { planOf } from "../../src/domain/simulation/Planning.ts"
import { EventJson } from "../../src/domain/simulation/Rendering.ts"
import { render } from "../../src/domain/simulation/StoredPlan.ts"

/** The exit status of a command, and its lines on stdout and stderr. */
const ran = (...args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const exit = yield* Effect.exit(Effect.tapCause(run(["sim", ...args]), printFailure))
    const failure = Exit.isFailure(exit) ? Option.getOrUndefined(Cause.findErrorOption(exit.cause)) : undefined
    const status = Exit.isSuccess(exit) ? 0 : failure instanceof CommandFailure ? failure.status : undefined
    const [out, err] = [yield* TestConsole.logLines, yield* TestConsole.errorLines]
    return { status, out: out.join("\n").split("\n"), err: err.map(String) }
  }).pipe(Effect.provide(TestConsole.layer), Effect.provide(NodeServices.layer))

const seeds = "a whole number from 0 to 9007199254740991"
const help = "(see mqttzoo sim --help)"

const mistakes: ReadonlyArray<readonly [ReadonlyArray<string>, string]> = [
  [["--seed", "x"], `mqttzoo sim: Invalid value for flag --seed: "x". Expected: ${seeds} ${help}`],
  [["--seed", "-1"], `mqttzoo sim: Invalid value for flag --seed: "-1". Expected: ${seeds} ${help}`],
  [["--seed", "1.5"], `mqttzoo sim: Invalid value for flag --seed: "1.5". Expected: ${seeds} ${help}`],
  [["--from", "1e400"], `mqttzoo sim: Invalid value for flag --from: "1e400". Expected: ${seeds} ${help}`],
  [["--from", "9007199254740991"], "mqttzoo: there are no 1000 seeds from 9007199254740991 on"],
  [
    ["--brokers", "0"],
    `mqttzoo sim: Invalid value for flag --brokers: "0". Expected: 1, more cannot be simulated so far ${help}`
  ],
  [
    ["--clients", "0"],
    `mqttzoo sim: Invalid value for flag --clients: "0". Expected: a whole number from 1 to 1000 ${help}`
  ],
  [
    ["--faults", "crash,flood"],
    'mqttzoo: unknown fault "flood"; there are crash, power, stop, pause, cut, reset, slow, expire, lose-reply, lag, ' +
      "leader, server, disk, clock, or none"
  ],
  [["--wrong"], `mqttzoo sim: unknown flag --wrong ${help}`],
  [["--trace"], "mqttzoo: --trace shows one run: give --seed or --plan with it"],
  [["--seed", "1", "--count", "5"], "mqttzoo: give --from and --count, or one seed, or one plan"],
  [["--plan", "/no/file"], "mqttzoo: cannot read /no/file: there is no such file or directory"],
  [["shrink"], "mqttzoo: give a seed, or --plan"],
  [
    ["shrink", "x"],
    `mqttzoo sim shrink: Invalid value for argument <SEED>: "x". Expected: ${seeds} (see mqttzoo sim shrink --help)`
  ],
  [["twice", "1", "--plan", "x"], "mqttzoo: --plan is a whole plan: give no seed with it, nor what else makes a plan"]
]

describe("a simulation that cannot run", () => {
  it.live.each(mistakes)("is told in one line and ends with 2: %j", ([args, line]) =>
    Effect.map(ran(...args), (ended) => assert.deepStrictEqual(ended, { status: 2, out: [""], err: [line] }))
  )

  it.live("is a file that is no plan, or a plan without brokers", () =>
    Effect.gen(function* () {
      const directory = fs.mkdtempSync(path.join(os.tmpdir(), "mqttzoo-"))
      yield* Effect.addFinalizer(() => Effect.sync(() => fs.rmSync(directory, { recursive: true })))
      const plan = path.join(directory, "plan.json")
      const wrong: ReadonlyArray<readonly [string, RegExp]> = [
        ["no JSON", /is no plan that can run: /],
        ["{}", /is no plan that can run: /],
        [render({ ...planOf(1), brokers: 0 }), /is no plan that can run: a plan needs 1 broker, not 0$/]
      ]
      for (const [content, line] of wrong) {
        fs.writeFileSync(plan, content)
        const { status, out, err } = yield* ran("--plan", plan)
        assert.deepStrictEqual([status, out, err.length], [2, [""], 1])
        assert.match(err[0]!, line)
        assert.notInclude(err[0], "\n")
      }
    })
  )
})

describe("a simulated seed", () => {
  it.live("is shown as a summary, as lines, as an outcome and as events", () =>
    Effect.gen(function* () {
      const seed = ["--seed", "1", "--seconds", "5"]
      const summary = yield* ran(...seed)
      assert.deepStrictEqual([summary.status, summary.err], [0, []])
      assert.match(summary.out[0]!, /^plan {6}seed 1: /)
      const hash = summary.out.at(-1)!.replace(/^hash +/, "")
      assert.match(hash, /^[0-9a-f]{16}$/)

      const [outcome] = (yield* ran(...seed, "--json")).out.map((line) => Schema.decodeSync(OutcomeJson)(line))
      assert.deepStrictEqual([outcome?.seed, outcome?.hash, outcome?.violations], [1, hash, []])

      const events = (yield* ran(...seed, "--trace", "--json")).out.map((line) => Schema.decodeSync(EventJson)(line))
      const trace = (yield* ran(...seed, "--trace")).out
      assert.deepStrictEqual(trace.slice(events.length), ["", ...summary.out])
    })
  )

  it.live("is the same twice", () =>
    Effect.gen(function* () {
      const { status, out } = yield* ran("twice", "2", "--seconds", "5")
      assert.strictEqual(status, 0)
      assert.match(out[0]!, /^the same twice: \d+ lines, [0-9a-f]{16}$/)
    })
  )

  it.live("is not shrunk when it breaks no promise", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* ran("shrink", "1", "--seconds", "5"), {
        status: 2,
        out: [""],
        err: ["mqttzoo: seed 1 breaks no promise: there is nothing to shrink"]
      })
    })
  )
})

describe("many simulated seeds", () => {
  it.live("are counted, with what they reached", () =>
    Effect.gen(function* () {
      const { status, out } = yield* ran("--from", "7", "--count", "3", "--seconds", "5")
      assert.strictEqual(status, 0)
      assert.match(out[0]!, /^reached +seeds +times$/)
      assert.match(out[1]!, /^[\w.-]+ +[123] +\d+$/)
      assert.strictEqual(out.at(-2), "seeds 7 to 9: every promise was kept")
      assert.match(out.at(-1)!, /^\d+ s simulated in \d+\.\d s: \d+\.\d seeds\/s, \d+ simulated s\/s$/)
    })
  )

  it.live("give a line of JSON each, in their order", () =>
    Effect.gen(function* () {
      const { status, out } = yield* ran("--from", "7", "--count", "3", "--seconds", "5", "--json")
      assert.strictEqual(status, 0)
      assert.deepStrictEqual(
        out.map((line) => Schema.decodeSync(OutcomeJson)(line).seed),
        [7, 8, 9]
      )
    })
  )
})
