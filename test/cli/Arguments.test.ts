import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { TestConsole } from "effect/testing"
import { type FlagNames, normalized } from "../../src/cli/Arguments.ts"
import { run } from "../../src/cli/command.ts"
import { pubFlagNames } from "../../src/cli/pub.ts"
import { subFlagNames } from "../../src/cli/sub.ts"

const pub = (...args: ReadonlyArray<string>) => normalized(args, pubFlagNames)

describe("arguments as mosquitto's users write them", () => {
  it("a value may follow its letter, with or without a space or an equals sign", () => {
    for (const args of [["-p", "18830"], ["-p18830"], ["-p=18830"], ["--port", "18830"], ["--port=18830"]]) {
      assert.deepStrictEqual(pub(...args), ["--port=18830"])
    }
  })

  it("letters without a value may stand together, before one with a value", () => {
    assert.deepStrictEqual(pub("-rd", "-lt", "a/b"), ["--retain", "--debug", "--stdin-line", "--topic=a/b"])
  })

  it("a value may begin with a dash, be empty, or look like a flag", () => {
    assert.deepStrictEqual(pub("-m", "-5", "-t", "--help", "-i", ""), ["--message=-5", "--topic=--help", "--id="])
  })

  it("a property is its packet, name and value, and a user property has two", () => {
    assert.deepStrictEqual(
      pub("-D", "publish", "user-property", "k", "v", "-D", "connect", "receive-maximum", "5", "-r"),
      ["--property=publish\0user-property\0k\0v", "--property=connect\0receive-maximum\u00005", "--retain"]
    )
  })

  it("what is unknown or cut short stays for the parser to complain of", () => {
    assert.deepStrictEqual(pub("--foo", "x", "-Zr", "-t"), ["--foo", "x", "-Z", "--retain", "-t"])
  })

  it("after -- nothing is a flag", () => {
    assert.deepStrictEqual(pub("-r", "--", "-t"), ["--retain", "--", "-t"])
  })
})

const commands: ReadonlyArray<readonly [string, FlagNames]> = [
  ["pub", pubFlagNames],
  ["sub", subFlagNames]
]

it.effect.each(commands)("all flags of %s are known with their letters", ([command, { letters, switches, values }]) =>
  Effect.gen(function* () {
    yield* run([command, "--help"])
    const help = (yield* TestConsole.logLines).join("\n")
    const listed = [...help.matchAll(/^ {2}--([a-z-]+)(?:, -(\w))?/gm)]
    const own = listed.filter(([, name]) => !["help", "version", "completions", "reconnect"].includes(name!))
    assert.sameMembers(
      own.map(([, name]) => name),
      [...switches, ...values]
    )
    assert.deepStrictEqual(
      Object.fromEntries(own.flatMap(([, name, letter]) => (letter === undefined ? [] : [[letter, name]]))),
      letters
    )
  }).pipe(Effect.provide(NodeServices.layer))
)
