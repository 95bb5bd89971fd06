/** The real program in a process of its own, that a test can kill, stop and start again on the same data and port. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { type AddressInfo, connect, createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import { fileURLToPath } from "node:url"

const program = fileURLToPath(new URL("../../dist/mqttzoo.js", import.meta.url))

/** Milliseconds until a broker that does not listen is given up. */
const patience = 20_000

/** How often a starting broker is tried, in milliseconds. */
const tryEvery = 10

/** A line of the broker's log. */
export interface LogLine {
  readonly level: string
  readonly message: string
}

/** How a broker that was told to stop has ended. */
export interface Ended {
  readonly code: number | null
  readonly milliseconds: number
}

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, "close")
  return port
}

const accepts = (host: string, port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, host)
    socket.once("connect", () => {
      socket.destroy()
      resolve(true)
    })
    socket.once("error", () => resolve(false))
  })

/** The environment without what would configure the broker behind the tests' back. */
const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("MQTTZOO_")))

/** A broker on a port of its own, with a data directory of its own; `dispose` ends it and removes what it leaves. */
export class BrokerProcess {
  readonly host = "127.0.0.1"
  readonly port: number
  readonly #data: string
  readonly #settings: ReadonlyArray<string>
  #child: ChildProcess | undefined
  #exited: Promise<unknown> = Promise.resolve()
  #log = ""

  private constructor(port: number, data: string, settings: ReadonlyArray<string>) {
    this.port = port
    this.#data = data
    this.#settings = settings
  }

  /** Starts a broker on an empty data directory with these settings (`key=value`), and waits until it listens. */
  static async start(...settings: ReadonlyArray<string>): Promise<BrokerProcess> {
    if (!existsSync(program)) throw new Error("dist/mqttzoo.js is missing: run `npm run build` first")
    const data = await mkdtemp(join(tmpdir(), "mqttzoo-process-"))
    const broker = new BrokerProcess(await freePort(), data, settings)
    await broker.restart()
    return broker
  }

  get url(): string {
    return `mqtt://${this.host}:${this.port}`
  }

  /** Starts the broker again after its end, on the same data and port; returns the milliseconds until it listens. */
  async restart(): Promise<number> {
    const begun = performance.now()
    const flags = ["--host", this.host, "--port", String(this.port), "--data", this.#data]
    const child = spawn(
      process.execPath,
      [program, "broker", ...flags, ...this.#settings.flatMap((setting) => ["--set", setting])],
      { stdio: ["ignore", "ignore", "pipe"], env: environment }
    )
    child.stderr.on("data", (chunk: Buffer) => {
      this.#log += chunk.toString()
    })
    // A broker must not outlive the tests, however they end.
    const killChild = () => void child.kill("SIGKILL")
    process.once("exit", killChild)
    this.#child = child
    this.#exited = once(child, "close").finally(() => process.off("exit", killChild))
    while (!(await accepts(this.host, this.port))) {
      if (!this.#isRunning() || performance.now() > begun + patience) {
        await this.dispose()
        throw new Error(`the broker does not listen on port ${this.port}; it wrote:\n${this.#log}`)
      }
      await pause(tryEvery)
    }
    return performance.now() - begun
  }

  /** Everything that the broker has logged, over all of its starts. */
  log(): ReadonlyArray<LogLine> {
    const lines = this.#log.split("\n").filter((line) => line !== "")
    return lines.map((line): LogLine => (line.startsWith("{") ? JSON.parse(line) : { level: "error", message: line }))
  }

  /** What the broker has logged that it should never have to log. */
  complaints(): ReadonlyArray<LogLine> {
    return this.log().filter(({ level }) => level === "error" || level === "fatal")
  }

  #isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** `kill -9`; when it returns, the process is gone. */
  async kill(): Promise<void> {
    if (this.#isRunning()) this.#child!.kill("SIGKILL")
    await this.#exited
  }

  /** Tells the broker to stop, and waits for its end. */
  async stop(signal: "SIGTERM" | "SIGINT" = "SIGTERM"): Promise<Ended> {
    const begun = performance.now()
    this.#child!.kill(signal)
    await this.#exited
    return { code: this.#child!.exitCode, milliseconds: performance.now() - begun }
  }

  /** Ends the broker and removes its data. */
  async dispose(): Promise<void> {
    await this.kill()
    await rm(this.#data, { recursive: true, force: true })
  }
}
