import { assert, describe, it } from "@effect/vitest"
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"

/** Runs the built program to its end. `closeOutput` closes its stdout before it has written anything. */
const ran = (args: ReadonlyArray<string>, options: { readonly closeOutput?: boolean } = {}) =>
  new Promise<{ readonly code: number | null; readonly out: string; readonly err: string }>((resolve) => {
    const child = spawn(process.execPath, ["dist/mqttzoo.js", ...args], { stdio: ["ignore", "pipe", "pipe"] })
    let [out, err] = ["", ""]
    child.stdout.on("data", (chunk) => (out += chunk))
    child.stderr.on("data", (chunk) => (err += chunk))
    if (options.closeOutput === true) child.stdout.destroy()
    child.on("close", (code) => resolve({ code, out, err }))
  })

describe("the program", () => {
  it("ends with 0 after --version", async () => {
    const { code, out, err } = await ran(["--version"])
    assert.match(out, /^mqttzoo \d+\.\d+\.\d+\n$/)
    assert.deepStrictEqual([code, err], [0, ""])
  })

  it("ends with 1 and one line on stderr after a wrong flag", async () => {
    assert.deepStrictEqual(await ran(["broker", "--prot", "1"]), {
      code: 1,
      out: "",
      err: "mqttzoo broker: unknown flag --prot, did you mean --port? (see mqttzoo broker --help)\n"
    })
  })

  it("ends with 1 and a line for each problem after a wrong configuration", async () => {
    assert.deepStrictEqual(await ran(["broker", "--port", "high", "--set", "id"]), {
      code: 1,
      out: "",
      err:
        `mqttzoo: flag --set "id" is not of the form key=value\n` +
        `mqttzoo: flag --port: listeners.tcp.port is "high"; allowed: a whole number from 0 to 65535\n`
    })
  })

  it("ends quietly when nobody reads its output", async () => {
    const { code, err } = await ran(["config", "schema"], { closeOutput: true })
    assert.deepStrictEqual([code, err], [0, ""])
  })

  it("ends with 1 and one line when the data directory cannot be used", async () => {
    const { code, out, err } = await ran(["broker", "--host", "127.0.0.1", "--port", "0", "--data", "package.json"])
    assert.deepStrictEqual([code, out], [1, ""])
    assert.match(err, /^mqttzoo: [^\n]*package\.json[^\n]*\n$/)
  })
})

describe("a broker", () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    it(`ends with 0 after ${signal}`, async () => {
      const data = fs.mkdtempSync(path.join(os.tmpdir(), "mqttzoo-"))
      const args = ["dist/mqttzoo.js", "broker", "--host", "127.0.0.1", "--port", "0", "--data", data]
      const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "pipe"] })
      let log = ""
      child.stderr.on("data", (chunk) => {
        log += chunk
        if (log.includes("listening on 127.0.0.1:")) child.kill(signal)
      })
      const code = await new Promise((resolve) => child.on("close", resolve))
      fs.rmSync(data, { recursive: true })
      assert.strictEqual(code, 0, log)
      for (const line of log.trim().split("\n")) assert.hasAllKeys(JSON.parse(line), ["time", "level", "message"])
    })
  }

  it("ends with 1 and one line when its port is taken", async () => {
    const data = fs.mkdtempSync(path.join(os.tmpdir(), "mqttzoo-"))
    const args = ["dist/mqttzoo.js", "broker", "--host", "127.0.0.1", "--port", "0", "--data", path.join(data, "1")]
    const first = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "pipe"] })
    const ended = new Promise((resolve) => first.on("close", resolve))
    const port = await new Promise<string>((resolve) => {
      let log = ""
      first.stderr.on("data", (chunk) => {
        log += chunk
        const found = /listening on 127\.0\.0\.1:(\d+)/.exec(log)
        if (found !== null) resolve(found[1]!)
      })
    })
    const second = await ran(["broker", "--host", "127.0.0.1", "--port", port, "--data", path.join(data, "2")])
    first.kill("SIGTERM")
    await ended
    fs.rmSync(data, { recursive: true })
    assert.deepStrictEqual([second.code, second.out], [1, ""])
    assert.match(second.err, new RegExp(`^mqttzoo: cannot listen on 127\\.0\\.0\\.1:${port}: [^\\n]+\\n$`))
  })
})
