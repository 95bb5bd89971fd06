import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestConsole } from "effect/testing"
import { run } from "../../src/cli/command.ts"
import { version } from "../../src/domain/Version.ts"

/** What a command prints on stdout and stderr, and whether it succeeded. */
const ran = (...args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const exit = yield* Effect.exit(run(args).pipe(Effect.provide(NodeServices.layer)))
    const [out, err] = [yield* TestConsole.logLines, yield* TestConsole.errorLines]
    return { ok: exit._tag === "Success", out: out.join("\n"), err: err.join("\n") }
  })

describe("the command line", () => {
  it.effect("prints its version", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* ran("--version"), { ok: true, out: `mqttzoo ${version}`, err: "" })
    })
  )

  it.effect("prints help with examples for every command", () =>
    Effect.gen(function* () {
      const commands = [
        [],
        ["broker"],
        ["config", "check"],
        ["config", "show"],
        ["config", "schema"],
        ["sim"],
        ["sim", "shrink"],
        ["sim", "twice"]
      ]
      for (const command of commands) {
        const { out, err, ok } = yield* ran(...command, "--help")
        assert.isTrue(ok)
        assert.strictEqual(err, "")
        assert.match(out, new RegExp(`EXAMPLES[^]*mqttzoo ${command.join(" ")}`))
      }
    })
  )

  it.effect("prints completions for bash, zsh and fish", () =>
    Effect.gen(function* () {
      for (const shell of ["bash", "zsh", "fish"]) {
        const { out, ok } = yield* ran("--completions", shell)
        assert.isTrue(ok)
        assert.include(out, "mqttzoo")
        assert.include(out, "log-level")
      }
    })
  )

  it.effect("answers a wrong flag or command with one line that says how to get help", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* ran("broker", "--prot", "1"), {
        ok: false,
        out: "",
        err: "mqttzoo broker: unknown flag --prot, did you mean --port? (see mqttzoo broker --help)"
      })
    })
  )

  it.effect("answers a wrong command with the one that was meant", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* ran("borker"), {
        ok: false,
        out: "",
        err: `mqttzoo: unknown command "borker", did you mean broker? (see mqttzoo --help)`
      })
    })
  )
})

describe("config", () => {
  it.effect("check accepts what is valid", () =>
    Effect.gen(function* () {
      const checked = yield* ran("config", "check", "--set", "limits.receiveMaximum=3")
      assert.deepStrictEqual(checked, { ok: true, out: "The configuration is valid.", err: "" })
    })
  )

  it.effect("show prints each value with where it came from", () =>
    Effect.gen(function* () {
      const { out } = yield* ran("config", "show", "--port", "18830", "--set", "limits.receiveMaximum=3")
      assert.match(out, /^ {4}port: 18830 +# flag --port$/m)
      assert.match(out, /^ {2}receiveMaximum: 3 +# flag --set$/m)
      assert.match(out, /^ {2}level: info +# default$/m)
    })
  )

  it.effect("schema prints a JSON Schema", () =>
    Effect.gen(function* () {
      const { out } = yield* ran("config", "schema")
      assert.strictEqual(JSON.parse(out).title, "MQTTZoo configuration")
    })
  )
})
