import { assert, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"

/** What `mqttzoo sim` prints in a process of its own, by these flags of Node and this environment. */
const printed = (args: ReadonlyArray<string>, nodeFlags: ReadonlyArray<string> = [], environment = {}) =>
  new Promise<string>((resolve, reject) => {
    execFile(
      process.execPath,
      [...nodeFlags, "dist/mqttzoo.js", "sim", ...args],
      { env: { ...process.env, ...environment }, maxBuffer: 64 * 1_024 * 1_024 },
      // A seed that breaks a promise ends it with 1, and is compared like any other.
      (error, out) => (error === null || error.code === 1 ? resolve(out) : reject(error))
    )
  })

/** Another compiler, another garbage collection, another place on earth. */
const otherwise = [
  ["--no-opt", "--max-semi-space-size=1"],
  { TZ: "Pacific/Chatham", LANG: "tr_TR.UTF-8", LC_ALL: "tr_TR.UTF-8" }
] as const

const seeds = ["--from", "1", "--count", "5", "--seconds", "10", "--json", "--keep-going"]

describe("a seed", () => {
  it("gives the same run in another process, compiled otherwise, in another time zone", async () => {
    const [one, other] = await Promise.all([printed(seeds), printed(seeds, ...otherwise)])
    assert.strictEqual(one.trimEnd().split("\n").length, 5)
    assert.strictEqual(other, one)
  })

  it("gives the same trace there, line by line", async () => {
    const trace = ["--seed", "11", "--seconds", "10", "--trace"]
    const [one, other] = await Promise.all([printed(trace), printed(trace, ...otherwise)])
    assert.isAbove(one.split("\n").length, 100)
    assert.deepStrictEqual(other.split("\n"), one.split("\n"))
  })

  it("gives the same run whatever ran before it, and in however many processes", async () => {
    const [one, shared, last] = await Promise.all([
      printed(seeds),
      printed([...seeds, "--workers", "2"]),
      printed(["--seed", "5", "--seconds", "10", "--json"])
    ])
    assert.strictEqual(shared, one)
    assert.strictEqual(last.trimEnd(), one.trimEnd().split("\n").at(-1))
  })
})
