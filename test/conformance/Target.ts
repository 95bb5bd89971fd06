/** The broker under test: the real program in a process of its own, or any other at `MQTTZOO_TEST_TARGET=host:port`. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { connect, createServer, type AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import { fileURLToPath } from "node:url"

/** Where a broker listens, and how to end it. */
export interface Target {
  readonly host: string
  readonly port: number
  readonly stop: () => Promise<void>
}

const program = fileURLToPath(new URL("../../dist/mqttzoo.js", import.meta.url))

/** Milliseconds until a broker that does not listen is given up. */
const patience = 20_000

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, "close")
  return port
}

const listens = (host: string, port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, host)
    socket.once("connect", () => {
      socket.destroy()
      resolve(true)
    })
    socket.once("error", () => resolve(false))
  })

/** The environment without what would configure the broker behind the suite's back. */
const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("MQTTZOO_")))

const startProgram = async (settings: ReadonlyArray<string>): Promise<Target> => {
  if (!existsSync(program)) throw new Error("dist/mqttzoo.js is missing: run `npm run build` first")
  const host = "127.0.0.1"
  const port = await freePort()
  const data = await mkdtemp(join(tmpdir(), "mqttzoo-conformance-"))
  const flags = ["--host", host, "--port", String(port), "--data", data]
  const child = spawn(
    process.execPath,
    [program, "broker", ...flags, ...settings.flatMap((setting) => ["--set", setting])],
    { stdio: ["ignore", "pipe", "pipe"], env: environment }
  )
  let output = ""
  const keep = (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-4000)
  }
  child.stdout.on("data", keep)
  child.stderr.on("data", keep)
  const exited = once(child, "exit")
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill("SIGKILL")
      await exited
    }
    await rm(data, { recursive: true, force: true })
  }
  const deadline = performance.now() + patience
  while (!(await listens(host, port))) {
    if (child.exitCode !== null || performance.now() > deadline) {
      await stop()
      throw new Error(`the broker does not listen on ${host}:${port}; it wrote:\n${output}`)
    }
    await pause(10)
  }
  return { host, port, stop }
}

const named = process.env["MQTTZOO_TEST_TARGET"]

/** Whether the environment names the broker under test, so that this suite cannot set it up. */
export const isNamed = named !== undefined

/**
 * Starts the program with these settings (`key=value`) and waits until it accepts connections, or takes the broker that
 * the environment names.
 */
export const startTarget = async (settings: ReadonlyArray<string>): Promise<Target> => {
  if (named === undefined) return startProgram(settings)
  const colon = named.lastIndexOf(":")
  return { host: named.slice(0, colon), port: Number(named.slice(colon + 1)), stop: async () => {} }
}
