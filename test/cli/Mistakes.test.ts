import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestConsole } from "effect/testing"
import { printFailure, run } from "../../src/cli/command.ts"

const mistakes: ReadonlyArray<readonly [ReadonlyArray<string>, string]> = [
  [["pub", "-p", "1", "-m", "x"], "mqttzoo: cannot connect to localhost:1: nothing listens there\n"],
  [["pub", "-t", "a/#", "-m", "x"], 'mqttzoo: cannot publish to "a/#": a topic is not empty and has no + or #\n'],
  [["pub", "-f", "/no/file"], "mqttzoo: cannot read /no/file: there is no such file or directory\n"],
  [["pub", "-m", "x", "-n"], "mqttzoo: give only one of -m, -f, -n, -s and -l\n"],
  [["pub", "-V", "311", "-m", "x", "-x", "5"], "mqttzoo: --session-expiry-interval needs MQTT 5\n"],
  [["pub", "--will-payload", "x", "-m", "x"], "mqttzoo: a will needs its topic: --will-topic\n"],
  [
    ["pub", "-q", "3", "-m", "x"],
    'mqttzoo pub: Invalid value for flag --qos: "3". Expected: "0" | "1" | "2" (see mqttzoo pub --help)\n'
  ],
  [
    ["pub", "-p", "99999", "-m", "x"],
    'mqttzoo pub: Invalid value for flag --port: "99999". Expected: a whole number from 1 to 65535 (see mqttzoo pub --help)\n'
  ],
  [["sub", "-t", "a/#/b"], 'mqttzoo: the topic filter "a/#/b" has "#" before its end\n'],
  [["sub", "-c"], "mqttzoo: a session that is kept needs a name: --id\n"],
  [["sub", "-F", "%z"], 'mqttzoo: the format has no sequence "%z"\n'],
  [["sub", "-L", "http://x"], "mqttzoo: URLs with http:// are not supported, only mqtt://\n"]
]

it.live.each(mistakes)("a mistake is told in one line: %j", ([args, line]) =>
  Effect.gen(function* () {
    const exit = yield* Effect.exit(Effect.tapCause(run(args), printFailure))
    assert.strictEqual(exit._tag, "Failure")
    assert.deepStrictEqual(yield* TestConsole.errorLines, [line.trimEnd()])
    assert.deepStrictEqual(yield* TestConsole.logLines, [])
  }).pipe(Effect.provide(TestConsole.layer), Effect.provide(NodeServices.layer))
)
