/** The command-line clients of Eclipse Mosquitto, as processes. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { Inbox } from "../process/Inbox.ts"

/** MQTT 3.1, 3.1.1 and 5.0, as the option `-V` has them. */
export type Version = "31" | "311" | "5"

/** What a client that has ended leaves. */
export interface Finished {
  readonly code: number | null
  readonly stdout: Buffer
  readonly stderr: string
}

/** Milliseconds until a client that hangs is killed. */
const patience = 15_000

const tools = ["mosquitto_pub", "mosquitto_sub", "mosquitto_rr"] as const
export type Tool = (typeof tools)[number]

const missing = tools.filter((tool) => spawnSync(tool, ["--help"]).error !== undefined)

const because = missing.length === 0 ? "" : `: ${missing.join(", ")} not installed`

/** Whether the tests with these clients are left out, for want of a client; never where CI is set. */
export const isSkipped = missing.length > 0 && process.env["CI"] === undefined

/** What to add to the title of tests that are left out. */
export const reason = isSkipped ? because : ""

/** Fails, and says why, where the tests have to run and cannot. */
export const requireClients = (): void => {
  if (missing.length > 0) throw new Error(`these tests need the clients of Mosquitto${because}`)
}

/** Runs a client to its end; `input` is its standard input. */
export const run = async (tool: Tool, args: ReadonlyArray<string>, input: string | Buffer = ""): Promise<Finished> => {
  const child = spawn(tool, args, { timeout: patience, killSignal: "SIGKILL" })
  const out: Array<Buffer> = []
  const err: Array<Buffer> = []
  child.stdout.on("data", (chunk: Buffer) => out.push(chunk))
  child.stderr.on("data", (chunk: Buffer) => err.push(chunk))
  // A client that ends early does not read its input; its exit code says what there is to say.
  child.stdin.on("error", () => {})
  child.stdin.end(input)
  const [code] = (await once(child, "close")) as [number | null]
  return { code, stdout: Buffer.concat(out), stderr: Buffer.concat(err).toString() }
}

/** A `mosquitto_sub` that runs until its test ends it, or it has what it wants. */
export class Subscriber {
  readonly #child: ChildProcess
  readonly #messages = new Inbox<string>()
  readonly ended: Promise<number | null>

  private constructor(child: ChildProcess) {
    this.#child = child
    this.ended = once(child, "close").then(([code]) => {
      this.#messages.end(`mosquitto_sub has ended with ${code}`)
      return code as number | null
    })
  }

  /**
   * Starts it and waits until the broker has acknowledged the subscription. `format` is what it prints of a message
   * with its option `-F`.
   */
  static async start(args: ReadonlyArray<string>, format = "%t %q %r %p"): Promise<Subscriber> {
    // Line by line, so that we hear at once of the subscription.
    const child = spawn("stdbuf", ["-oL", "mosquitto_sub", "-d", "-F", `message ${format}`, ...args], {
      timeout: patience,
      killSignal: "SIGKILL"
    })
    const subscriber = new Subscriber(child)
    const acknowledged = new Inbox<undefined>()
    void subscriber.ended.then(() => acknowledged.end("mosquitto_sub has ended"))
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (line.startsWith("message ")) subscriber.#messages.add(line.slice("message ".length))
      if (line.startsWith("Subscribed ")) acknowledged.add(undefined)
    })
    await acknowledged.next()
    return subscriber
  }

  /** The next message, as `-F` has it. */
  next(): Promise<string> {
    return this.#messages.next()
  }

  take(count: number): Promise<ReadonlyArray<string>> {
    return this.#messages.take(count)
  }

  /** Ends it without a DISCONNECT. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL")
    await this.ended
  }

  /** Ends it with a DISCONNECT. */
  async stop(): Promise<void> {
    this.#child.kill("SIGTERM")
    await this.ended
  }
}
