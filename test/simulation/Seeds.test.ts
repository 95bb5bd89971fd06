import { execFile } from "node:child_process"
import { availableParallelism } from "node:os"
import { promisify } from "node:util"
import { assert, describe, it } from "vitest"

const run = promisify(execFile)

/** How many seeds, and from which on: MQTTZOO_SEEDS=10000 looks longer, MQTTZOO_FROM=1001 elsewhere. */
const count = Number(process.env["MQTTZOO_SEEDS"] ?? 150)
const from = Number(process.env["MQTTZOO_FROM"] ?? 1)

describe("a simulated broker", { timeout: 60_000 + count * 5_000 }, () => {
  it(`keeps every promise in the seeds from ${from} to ${from + count - 1}`, async () => {
    const workers = Math.min(4, availableParallelism())
    const args = ["dist/mqttzoo.js", "sim", "--from", `${from}`, "--count", `${count}`, "--workers", `${workers}`]
    const { code, stdout } = await run(process.execPath, args, { maxBuffer: 2 ** 28 }).then(
      ({ stdout }) => ({ code: 0, stdout }),
      (error: { readonly code: number; readonly stdout: string }) => error
    )
    assert.strictEqual(code, 0, stdout)
  })
})
