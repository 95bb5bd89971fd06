/** Real ZooKeeper servers on this machine, that a test can kill, stop, continue and start again. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { existsSync } from "node:fs"
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { connect, createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"

/** Where Debian's packages zookeeper and libzookeeper-java put what a server needs. */
const jars = ["/usr/share/java/zookeeper.jar", "/usr/share/java/slf4j-simple.jar"]

const lacks = [
  ...jars.filter((jar) => !existsSync(jar)),
  ...(spawnSync("java", ["-version"]).error === undefined ? [] : ["java"])
]

const because = lacks.length === 0 ? "" : `: ${lacks.join(", ")} not installed (Debian's zookeeper, libzookeeper-java)`

/** Whether the tests with real servers are left out, for want of ZooKeeper; never where CI is set. */
export const isSkipped = lacks.length > 0 && process.env["CI"] === undefined

/** What to add to the title of tests that are left out. */
export const reason = isSkipped ? because : ""

/** The length of a server's tick in milliseconds: a session's timeout is at least two of them. */
export const tickTime = 500

/** Milliseconds until servers that do not serve are given up: a busy machine needs up to 20 s. */
const patience = 60_000

/** How often a server is asked how it is, in milliseconds. */
const askEvery = 50

/** Ports that outgoing connections do not take. */
const lowestPort = 15_000
const highestPort = 32_000

interface Server {
  readonly port: number
  readonly configuration: string
  process: ChildProcess | undefined
  exited: Promise<unknown>
  isPaused: boolean
  log: string
}

/** How a server says that it stands: `none` while it does not serve. */
export type Mode = "leader" | "follower" | "standalone" | "none"

/** One server, or an ensemble. `dispose` ends them and removes what they leave. */
export class RealEnsemble {
  readonly host = "127.0.0.1"
  readonly #servers: ReadonlyArray<Server>
  readonly #directory: string

  private constructor(servers: ReadonlyArray<Server>, directory: string) {
    this.#servers = servers
    this.#directory = directory
  }

  /** Starts one server or three with an empty tree, and waits until all of them serve. */
  static async start(count: 1 | 3): Promise<RealEnsemble> {
    if (lacks.length > 0) throw new Error(`these tests need ZooKeeper${because}`)
    const directory = await mkdtemp(join(tmpdir(), "mqttzoo-ensemble-"))
    const ports = await freePorts(count * 3)
    const peers = Array.from(
      { length: count },
      (_, at) => `server.${at + 1}=127.0.0.1:${ports[at]}:${ports[count + at]}`
    )
    const servers: Array<Server> = []
    for (let at = 0; at < count; at++) {
      const data = join(directory, String(at + 1))
      const port = ports[2 * count + at]!
      await mkdir(data)
      await writeFile(join(data, "myid"), `${at + 1}\n`)
      const lines = [`dataDir=${data}`, `clientPort=${port}`, ...common, ...(count > 1 ? [...quorum, ...peers] : [])]
      const configuration = join(data, "zoo.cfg")
      await writeFile(configuration, `${lines.join("\n")}\n`)
      servers.push({ port, configuration, process: undefined, exited: Promise.resolve(), isPaused: false, log: "" })
    }
    const ensemble = new RealEnsemble(servers, directory)
    try {
      await ensemble.heal()
    } catch (error) {
      await ensemble.dispose()
      throw error
    }
    return ensemble
  }

  get count(): number {
    return this.#servers.length
  }

  portOf(server: number): number {
    return this.#servers[server]!.port
  }

  /** Continues, or starts again, whatever does not run, and waits until all servers serve. */
  async heal(): Promise<void> {
    for (let at = 0; at < this.count; at++) {
      this.resume(at)
      this.restart(at)
    }
    const deadline = performance.now() + patience
    for (let at = 0; at < this.count; at++) {
      while ((await this.mode(at)) === "none") {
        const { log, process: child } = this.#servers[at]!
        if (performance.now() > deadline || !runs(child)) throw new Error(`ZooKeeper ${at} does not serve:\n${log}`)
        await pause(askEvery)
      }
    }
  }

  /** How a server stands now. */
  async mode(server: number): Promise<Mode> {
    const { port, isPaused } = this.#servers[server]!
    const answer = isPaused ? "" : await fourLetterWord(this.host, port, "srvr")
    return (/^Mode: (\w+)$/m.exec(answer)?.[1] as Mode | undefined) ?? "none"
  }

  /** The server that leads now; -1 while there is none. */
  async leader(): Promise<number> {
    const modes = await Promise.all(this.#servers.map((_, at) => this.mode(at)))
    return modes.findIndex((mode) => mode === "leader" || mode === "standalone")
  }

  /** `kill -9`; when it returns, the process is gone. */
  async kill(server: number): Promise<void> {
    const { process: child, exited } = this.#servers[server]!
    if (runs(child)) child!.kill("SIGKILL")
    await exited
  }

  /** Stops a server without ending it: its connections stay. When it returns, all of its threads stand still. */
  async pause(server: number): Promise<void> {
    const child = this.#servers[server]!.process!
    child.kill("SIGSTOP")
    this.#servers[server]!.isPaused = true
    while (!(await standsStill(child.pid!))) await pause(1)
  }

  /** Lets a paused server go on. */
  resume(server: number): void {
    const { process: child, isPaused } = this.#servers[server]!
    if (!isPaused) return
    if (runs(child)) child!.kill("SIGCONT")
    this.#servers[server]!.isPaused = false
  }

  /** Starts a killed server again on its data; it does not wait until it serves. */
  restart(at: number): void {
    const server = this.#servers[at]!
    if (runs(server.process)) return
    const child = spawn("java", [...javaOptions, mainClass, server.configuration], {
      stdio: ["ignore", "pipe", "pipe"]
    })
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk: Buffer) => {
        server.log = (server.log + chunk.toString()).slice(-logLength)
      })
    }
    // A server must not outlive the tests, however they end.
    const killChild = () => void child.kill("SIGKILL")
    process.once("exit", killChild)
    server.process = child
    server.isPaused = false
    server.exited = once(child, "close").finally(() => process.off("exit", killChild))
  }

  /** Ends the servers and removes their data. */
  async dispose(): Promise<void> {
    await Promise.all(this.#servers.map((_, at) => this.kill(at)))
    await rm(this.#directory, { recursive: true, force: true })
  }
}

const mainClass = "org.apache.zookeeper.server.quorum.QuorumPeerMain"

/** Small and quick to start. What a killed process has written stays, so nothing has to reach the disk. */
const javaOptions = [
  "-cp",
  jars.join(":"),
  "-Xms64m",
  "-Xmx256m",
  "-XX:+UseSerialGC",
  "-XX:TieredStopAtLevel=1",
  "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
  "-Dzookeeper.forceSync=no",
  "-Dzookeeper.preAllocSize=1024"
]

/** The end of a server's log that an error shows, in characters. */
const logLength = 10_000

const common = [
  `tickTime=${tickTime}`,
  "clientPortAddress=127.0.0.1",
  "maxClientCnxns=0",
  `minSessionTimeout=${2 * tickTime}`,
  "maxSessionTimeout=60000",
  "admin.enableServer=false",
  "4lw.commands.whitelist=srvr"
]

/** In ticks: patient enough for a busy machine. */
const quorum = ["initLimit=20", "syncLimit=10"]

const runs = (child: ChildProcess | undefined): boolean =>
  child !== undefined && child.exitCode === null && child.signalCode === null

const standsStill = async (pid: number): Promise<boolean> => {
  for (const thread of await readdir(`/proc/${pid}/task`)) {
    if (!/^State:\tT/m.test(await readFile(`/proc/${pid}/task/${thread}/status`, "utf8"))) return false
  }
  return true
}

const fourLetterWord = (host: string, port: number, word: string): Promise<string> =>
  new Promise((resolve) => {
    let answer = ""
    const socket = connect(port, host, () => socket.end(word))
    socket.on("data", (chunk) => {
      answer += chunk.toString()
    })
    socket.on("error", () => {})
    socket.setTimeout(1_000, () => socket.destroy())
    socket.once("close", () => resolve(answer))
  })

const isFree = async (port: number): Promise<boolean> => {
  const server = createServer().listen(port, "127.0.0.1")
  const isBound = await once(server, "listening").then(
    () => true,
    () => false
  )
  if (!isBound) return false
  server.close()
  await once(server, "close")
  return true
}

const freePorts = async (count: number): Promise<ReadonlyArray<number>> => {
  const ports = new Set<number>()
  while (ports.size < count) {
    const port = lowestPort + Math.floor(Math.random() * (highestPort - lowestPort))
    if (await isFree(port)) ports.add(port)
  }
  return [...ports]
}
