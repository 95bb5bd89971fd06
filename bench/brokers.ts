import { type ChildProcess, spawn } from "node:child_process"
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { connect, createServer, type AddressInfo } from "node:net"
import { userInfo } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import * as packets from "./load/packets.ts"

const START_LIMIT_MS = 20_000
const ANSWER_LIMIT_MS = 1000
const STOP_LIMIT_MS = 10_000

/** A broker that can be measured. */
export interface Broker {
  readonly name: string
  readonly versions: ReadonlyArray<4 | 5>
  /** What an acknowledgement of a QoS 1 message to a persistent session means here. */
  readonly durability: string
  /** The command that starts it; may write configuration into `directory`, which is empty and its own. */
  readonly command: (port: number, directory: string) => ReadonlyArray<string>
}

/** A broker from a command line in which `{port}` and `{data}` stand for the port and a directory of its own. */
export const commandBroker = (name: string, commandLine: string): Broker => ({
  name,
  versions: [4, 5],
  durability: "as its command says",
  command: (port, directory) =>
    commandLine
      .split(/\s+/)
      .filter((word) => word !== "")
      .map((word) => word.replaceAll("{port}", String(port)).replaceAll("{data}", directory))
})

/** This project's broker as built into dist/. */
export const mqttzoo: Broker = {
  ...commandBroker("mqttzoo", "node dist/mqttzoo.js broker --host 127.0.0.1 --port {port} --data {data}"),
  durability: "fsync before the acknowledgement"
}

/** The installed mosquitto with Debian's persistence setting and no limit on the queue of a session. */
export const mosquitto: Broker = {
  name: "mosquitto",
  versions: [4, 5],
  durability: "memory, saved every 30 minutes: no fsync",
  command: (port, directory) => {
    const file = join(directory, "mosquitto.conf")
    const lines = [
      `listener ${port} 127.0.0.1`,
      "allow_anonymous true",
      `user ${userInfo().username}`,
      "persistence true",
      `persistence_location ${directory}/`,
      "max_queued_messages 0",
      "log_dest none"
    ]
    writeFileSync(file, lines.join("\n") + "\n")
    // Debian keeps servers out of an ordinary user's PATH.
    return ["env", `PATH=${process.env["PATH"] ?? ""}:/usr/local/sbin:/usr/sbin`, "mosquitto", "-c", file]
  }
}

/** Aedes of the installed version with its defaults, which keep sessions in memory. */
export const aedes = (script: string): Broker => ({
  name: "aedes",
  versions: [4],
  durability: "memory: no fsync",
  command: (port) => [process.execPath, script, String(port)]
})

/** A broker that runs. */
export interface RunningBroker {
  readonly port: number
  readonly pid: number
  /** From the start of the process to the first CONNACK, in ms. */
  readonly startupMs: number
  /** How the process ended, if it has. */
  readonly ended: () => string | undefined
  /** Ends it (SIGTERM, then SIGKILL after 10 s) and removes its directory. */
  readonly stop: () => Promise<void>
}

/** Where and with which precedence a process runs. */
export interface Placement {
  /** Undefined: any. */
  readonly core: number | undefined
  /** In a session of its own with the greatest scheduling weight, which only root may give. */
  readonly priority: boolean
}

/** The command line that runs `command` in that place, with as many file descriptors as the system allows; it keeps its process id. */
export const placed = (placement: Placement, command: ReadonlyArray<string>): ReadonlyArray<string> => {
  const pin = placement.core === undefined ? [] : ["taskset", "-c", String(placement.core)]
  const limit = 'ulimit -n "$(ulimit -Hn)"'
  const run = 'exec "$@"'
  return placement.priority
    ? ["setsid", "sh", "-c", `echo -20 > /proc/self/autogroup; ${limit}; ${run}`, "sh", ...pin, ...command]
    : ["sh", "-c", `${limit}; ${run}`, "sh", ...pin, ...command]
}

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.on("error", reject)
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })

/** Whether an MQTT 3.1.1 client is accepted on the port now. */
const accepts = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port, noDelay: true }, () => {
      socket.write(packets.connect(4, "bench-ready", false))
    })
    socket.on("data", (bytes) => {
      resolve(bytes[0] === 0x20 && bytes[3] === 0)
      socket.end(packets.disconnect)
    })
    socket.setTimeout(ANSWER_LIMIT_MS, () => socket.destroy())
    socket.on("error", () => resolve(false))
    socket.on("close", () => resolve(false))
  })

/** Starts the broker on a free port, its data in a new directory under `dataRoot`; resolves at its first CONNACK. */
export const start = async (broker: Broker, placement: Placement, dataRoot: string): Promise<RunningBroker> => {
  const directory = mkdtempSync(join(dataRoot, `bench-${broker.name}-`))
  const port = await freePort()
  const logFile = join(directory, "log")
  const log = openSync(logFile, "w")
  const [program, ...args] = placed(placement, broker.command(port, directory))
  const started = performance.now()
  const child: ChildProcess = spawn(program!, args, { stdio: ["ignore", log, log] })
  closeSync(log)
  let end: string | undefined
  const exited = new Promise<void>((resolve) => {
    child.on("exit", (code, signal) => {
      end = signal === null ? `ended with code ${code}` : `was ended by ${signal}`
      resolve()
    })
  })
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM")
    await Promise.race([exited, sleep(STOP_LIMIT_MS, undefined, { ref: false })])
    child.kill("SIGKILL")
    await exited
    rmSync(directory, { recursive: true, force: true })
  }
  while (!(await accepts(port))) {
    if (end !== undefined || performance.now() - started > START_LIMIT_MS) {
      const state = end ?? "still ran"
      const said = readFileSync(logFile, "utf8").trim().split("\n").slice(-3).join(" / ")
      await stop()
      throw new Error(`${broker.name} does not accept connections (it ${state}): ${said}`)
    }
    await sleep(1)
  }
  return { port, pid: child.pid!, startupMs: performance.now() - started, ended: () => end, stop }
}
