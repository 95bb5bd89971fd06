import * as NodeServices from "@effect/platform-node/NodeServices"
import { afterAll, assert, beforeAll, describe, it, vi } from "@effect/vitest"
import { Effect } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import * as fs from "node:fs"
import { createServer } from "node:net"
import type { AddressInfo, Server } from "node:net"
import * as os from "node:os"
import * as path from "node:path"
import { run } from "../../src/cli/command.ts"
import * as Mosquitto from "../interoperability/Mosquitto.ts"
import { BrokerProcess } from "../process/BrokerProcess.ts"

interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

interface Running {
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
  /** Waits until this has been written. */
  readonly says: (words: RegExp) => Promise<void>
}

/** Milliseconds until a program that hangs is killed. */
const patience = 50_000

const mqttzoo = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>> = {}): Running => {
  const child = spawn(process.execPath, ["dist/mqttzoo.js", ...args], {
    timeout: patience,
    killSignal: "SIGKILL",
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...process.env, ...env }
  })
  const written = { out: "", err: "" }
  const keep = (name: "out" | "err") => (chunk: Buffer) => {
    written[name] += chunk.toString()
    child.emit("written")
  }
  child.stdout.on("data", keep("out"))
  child.stderr.on("data", keep("err"))
  child.stdin.on("error", () => {})
  const ended = once(child, "close").then(([code]) => ({ code: code as number | null, ...written }))
  const says = async (words: RegExp) => {
    while (!words.test(written.out + written.err)) {
      const which = await Promise.race([once(child, "written"), ended])
      if ("code" in which && !words.test(written.out + written.err)) assert.fail(`it ended: ${JSON.stringify(which)}`)
    }
  }
  return { child, ended, says }
}

/** Runs a command to its end with this input. */
const ran = (args: ReadonlyArray<string>, input = "", env: Readonly<Record<string, string>> = {}): Promise<Ended> => {
  const { child, ended } = mqttzoo(args, env)
  child.stdin!.end(input)
  return ended
}

/** Runs `pub` in this process, which is quicker. */
const published = (...args: ReadonlyArray<string>): Promise<void> =>
  Effect.runPromise(run(["pub", ...at, ...args]).pipe(Effect.provide(NodeServices.layer)))

/** A server that answers every CONNECT with these bytes. */
const answering = async (bytes: ReadonlyArray<number>): Promise<Server> => {
  const server = createServer((socket) =>
    socket.on("error", () => {}).once("data", () => socket.end(Buffer.from(bytes)))
  )
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  return server
}

// Each starts a process or two: more at a time would only wait for each other.
vi.setConfig({ maxConcurrency: 4, testTimeout: 60_000 })

let broker: BrokerProcess
let at: ReadonlyArray<string>
beforeAll(async () => {
  broker = await BrokerProcess.start()
  at = ["-h", broker.host, "-p", String(broker.port)]
})
afterAll(() => broker.dispose())

/** Starts `sub` and waits until its subscription holds. */
const subscribed = async (...args: ReadonlyArray<string>): Promise<Running> => {
  const running = mqttzoo(["sub", ...at, "-d", ...args])
  await running.says(/received SUBACK/)
  return running
}

describe.concurrent("pub and sub", () => {
  it("a message is printed by whoever subscribed to its topic, and by default both mean /Testing", async () => {
    const sub = await subscribed("-C", "1")
    assert.deepStrictEqual(await ran(["pub", ...at, "-m", "hello"]), { code: 0, out: "", err: "" })
    assert.deepInclude(await sub.ended, { code: 0, out: "hello\n" })
  })

  it("each line of a pipe is a message, empty ones and an unfinished one too", async () => {
    const sub = await subscribed("-tlines", "-q1", "-C4")
    assert.strictEqual((await ran(["pub", ...at, "-tlines", "-q1"], "one\n\ntwo\nthree")).code, 0)
    assert.strictEqual((await sub.ended).out, "one\n\ntwo\nthree\n")
  })

  it("the whole input, a file, an empty message and a repeated one are sent as such", async () => {
    const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), "mqttzoo-pub-")), "file")
    fs.writeFileSync(file, "two\nlines")
    const sub = await subscribed("-t", "ways/#", "-v", "-q", "2", "-C", "5")
    assert.strictEqual((await ran(["pub", ...at, "-q", "2", "-t", "ways/s", "-s"], "a\nb")).code, 0)
    await published("-q", "2", "-t", "ways/f", "-f", file)
    await published("-q", "2", "-t", "ways/n", "-n")
    await published("-q", "2", "-t", "ways/r", "-m", "x", "--repeat", "2", "--repeat-delay", "0.01")
    assert.strictEqual((await sub.ended).out, "ways/s a\nb\nways/f two\nlines\nways/n (null)\nways/r x\nways/r x\n")
    fs.rmSync(path.dirname(file), { recursive: true })
  })

  it("sub prints with -F, leaves out what -T names, and sees properties", async () => {
    const sub = await subscribed("-t", "f/#", "-T", "f/secret/#", "-q", "1", "-C", "1", "-F", "%t|%p|%q|%C|%P")
    await published("-t", "f/secret/x", "-q", "1", "-m", "hidden")
    const properties = ["-D", "publish", "content-type", "text", "-D", "publish", "user-property", "k", "v"]
    await published("-t", "f/x", "-q", "1", "-m", "-shown-", ...properties)
    assert.strictEqual((await sub.ended).out, "f/x|-shown-|1|text|k:v\n")
  })

  it("sub keeps its session with -c, and takes of it no more than -C says", async () => {
    const worker = ["sub", ...at, "-t", "jobs", "-q", "1", "-i", "worker", "-c"]
    assert.deepStrictEqual(await ran([...worker, "-E"]), { code: 0, out: "", err: "" })
    for (const job of ["1", "2", "3"]) await published("-t", "jobs", "-q", "1", "-m", job)
    assert.strictEqual((await ran([...worker, "-C", "2"])).out, "1\n2\n")
    assert.strictEqual((await ran([...worker, "-C", "1"])).out, "3\n")
  })

  it("retained messages are marked, ignored with -R, and removed with --remove-retained", async () => {
    await published("-t", "kept", "-r", "-m", "old")
    assert.strictEqual((await ran(["sub", ...at, "-t", "kept", "-C", "1", "-F", "%r %p"])).out, "1 old\n")
    assert.deepInclude(await ran(["sub", ...at, "-t", "kept", "-R", "-W", "0.3"]), { code: 27, out: "" })
    assert.strictEqual((await ran(["sub", ...at, "-t", "kept", "--remove-retained", "-C", "1"])).out, "old\n")
    assert.deepInclude(await ran(["sub", ...at, "-t", "kept", "-W", "0.3"]), { code: 27, out: "" })
  })

  it("sub ends with 27 when -W is over, and with 0 and a goodbye after Ctrl-C", async () => {
    assert.deepStrictEqual(await ran(["sub", ...at, "-W", "0.2"]), { code: 27, out: "", err: "mqttzoo: timed out\n" })
    const sub = await subscribed("-t", "nothing")
    sub.child.kill("SIGINT")
    const { code, err } = await sub.ended
    assert.strictEqual(code, 0)
    assert.match(err, /sent DISCONNECT reasonCode=0\n$/)
  })

  it("a will is published when sub is killed", async () => {
    const watcher = await subscribed("-t", "gone", "-C", "1", "-F", "%p %q")
    const sub = await subscribed("-t", "x", "--will-topic", "gone", "--will-payload", "bye", "--will-qos", "1")
    sub.child.kill("SIGKILL")
    assert.strictEqual((await watcher.ended).out, "bye 0\n")
  })

  it("sub ends quietly when nobody reads its output any more", async () => {
    const reading = await subscribed("-t", "closed")
    reading.child.stdout!.destroy()
    await published("-t", "closed", "-m", "to nobody", "-q", "1")
    const { code, err } = await reading.ended
    assert.deepStrictEqual([code, err.includes("EPIPE")], [0, false])
  })

  it("a refused connection ends either with the code of the CONNACK and one line", async () => {
    const server = await answering([0x20, 3, 0, 0x87, 0])
    const { port } = server.address() as AddressInfo
    const args = ["-h", "127.0.0.1", `-p${port}`, "-u", "me"]
    assert.deepStrictEqual(await ran(["sub", ...args], "", { MQTT_PASSWORD: "secret" }), {
      code: 135,
      out: "",
      err: "mqttzoo: the server refused the connection: not authorized (0x87)\n"
    })
    assert.deepStrictEqual(await ran(["pub", ...args, "--quiet"]), { code: 135, out: "", err: "" })
    server.close()
    const old = await answering([0x20, 2, 0, 5])
    const oldPort = (old.address() as AddressInfo).port
    assert.deepStrictEqual(await ran(["pub", "-h", "127.0.0.1", `-p${oldPort}`, "-V", "311", "-m", "x"]), {
      code: 5,
      out: "",
      err: "mqttzoo: the server refused the connection: not authorized (5)\n"
    })
    old.close()
  })

  it("where to connect and as whom may come from a URL in the environment", async () => {
    const url = `mqtt://${broker.host}:${broker.port}/from/url`
    const sub = mqttzoo(["sub", "-C1", "-d"], { MQTT_URL: url })
    await sub.says(/received SUBACK/)
    await published("-L", url, "-q", "1", "-m", "there")
    assert.strictEqual((await sub.ended).out, "there\n")
  })

  it("both come back after the broker was away", async () => {
    const restarted = await BrokerProcess.start()
    const args = ["-h", restarted.host, "-p", String(restarted.port), "-t", "back", "-q", "1", "-d"]
    const sub = mqttzoo(["sub", ...args, "-C", "2"])
    await sub.says(/received SUBACK/)
    const pub = mqttzoo(["pub", ...args])
    pub.child.stdin!.write("before\n")
    await pub.says(/received PUBACK/)
    await restarted.kill()
    await Promise.all([pub.says(/connecting again in/), sub.says(/connecting again in/)])
    await restarted.restart()
    await sub.says(/SUBACK[^]*SUBACK/)
    pub.child.stdin!.end("after\n")
    assert.deepInclude(await sub.ended, { code: 0, out: "before\nafter\n" })
    assert.strictEqual((await pub.ended).code, 0)
    await restarted.dispose()
  })

  it("with --no-reconnect a lost connection ends it", async () => {
    const killed = await BrokerProcess.start()
    const sub = mqttzoo(["sub", "-h", killed.host, "-p", String(killed.port), "--no-reconnect", "-d"])
    await sub.says(/received SUBACK/)
    await killed.dispose()
    const { code, err } = await sub.ended
    assert.strictEqual(code, 1)
    assert.match(err, /mqttzoo: the connection was lost\n$/)
  })
})

// Skipped only where the programs are missing and nobody asked for CI; the suite's name then says so.
// Skipped only where the programs are missing and CI is not set; the suite's name then says so.
describe.skipIf(Mosquitto.isSkipped).concurrent(`with mosquitto's programs${Mosquitto.reason}`, () => {
  const versions: ReadonlyArray<Mosquitto.Version> = ["5", "311", "31"]
  it.each(versions)("either end may be theirs, by version %s", async (version) => {
    Mosquitto.requireClients()
    const topic = `peer/${version}`
    const common = [...at, "-V", version]
    const theirs = await Mosquitto.Subscriber.start([...common, "-t", `${topic}/#`, "-q", "2"], "%t %q %p")
    const ours = await subscribed("-V", version, "-t", `${topic}/#`, "-q", "2", "-C", "4", "-F", "%t %q %p")
    for (const qos of ["0", "1", "2"]) await published("-V", version, "-t", `${topic}/ours`, "-q", qos, "-m", "hi")
    await Mosquitto.run("mosquitto_pub", [...common, "-t", `${topic}/theirs`, "-q", "1", "-m", "hello"])
    const expected = [...[0, 1, 2].map((qos) => `${topic}/ours ${qos} hi`), `${topic}/theirs 1 hello`]
    assert.strictEqual((await ours.ended).out, `${expected.join("\n")}\n`)
    assert.deepStrictEqual(await theirs.take(4), expected)
    await theirs.stop()
  })
})
