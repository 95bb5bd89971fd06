// `npm run bench`: this broker beside others on the same machine, round after round in turn, medians and ratios at the end.
import { execFile, execFileSync } from "node:child_process"
import { mkdirSync, statfsSync, writeFileSync } from "node:fs"
import { availableParallelism, tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import * as Brokers from "./brokers.ts"
import type { LoadOrder, LoadResult } from "./load/scenario.ts"
import { type Sample, report } from "./report.ts"
import { type Row, rows } from "./rows.ts"

const usage = `npm run bench -- [options]
  --rows a,b         rows to measure (default: all): ${rows.map((row) => row.name).join(", ")}
  --brokers a,b      brokers, the first is the one compared with the others (default: mqttzoo,mosquitto,aedes)
  --broker 'n=cmd'   a further broker n started by cmd, in which {port} and {data} are replaced; may be repeated
  --rounds n         times that every row is measured with every broker (default: 3)
  --seconds n        measured time of a throughput row (default: 4)
  --warmup n         seconds of load before it (default: 2)
  --version v        3.1.1 or 5 (default: 3.1.1)
  --data dir         where brokers keep their data; for the durable rows it should be a real disk (default: the system's
                     directory for temporary files)
  --priority         as root: lets other work on the machine disturb less
  --json file        also write every single measurement`

const LOAD_LIMIT_MS = 120_000
const SETTLE_MS = 500
const TMPFS = 0x01021994

const fail = (message: string): never => {
  console.error(message)
  process.exit(2)
}

const options = (() => {
  try {
    return parseArgs({
      options: {
        rows: { type: "string" },
        brokers: { type: "string" },
        broker: { type: "string", multiple: true, default: [] },
        rounds: { type: "string", default: "3" },
        seconds: { type: "string", default: "4" },
        warmup: { type: "string", default: "2" },
        version: { type: "string", default: "3.1.1" },
        data: { type: "string", default: tmpdir() },
        priority: { type: "boolean", default: false },
        json: { type: "string" },
        help: { type: "boolean", default: false }
      }
    }).values
  } catch (error) {
    return fail(`${(error as Error).message}\n${usage}`)
  }
})()
if (options.help) {
  console.log(usage)
  process.exit(0)
}

const positive = (name: "rounds" | "seconds" | "warmup"): number => {
  const value = Number(options[name])
  return value > 0 ? value : fail(`--${name} ${options[name]}: a number above 0 is needed`)
}

const named = <A extends { readonly name: string }>(kind: string, known: ReadonlyArray<A>, list: string): Array<A> =>
  list.split(",").map((name) => {
    const one = known.find((candidate) => candidate.name === name)
    return one ?? fail(`there is no ${kind} ${name}; known: ${known.map((candidate) => candidate.name).join(", ")}`)
  })

const bundled = (name: string): string => fileURLToPath(new URL(name, import.meta.url))
const added = options.broker.map((text) => {
  const equals = text.indexOf("=")
  return equals > 0
    ? Brokers.commandBroker(text.slice(0, equals), text.slice(equals + 1))
    : fail(`--broker ${text}: name=command is needed`)
})
const known = [Brokers.mqttzoo, Brokers.mosquitto, Brokers.aedes(bundled("aedes.mjs")), ...added]
const preset = ["mqttzoo", "mosquitto", "aedes", ...added.map((broker) => broker.name)].join(",")
const brokers = named("broker", known, options.brokers ?? preset)
const chosenRows = options.rows === undefined ? rows : named("row", rows, options.rows)
const rounds = positive("rounds")
const seconds = positive("seconds")
const warmupSeconds = positive("warmup")
const version = options.version === "3.1.1" ? 4 : options.version === "5" ? 5 : fail("--version: 3.1.1 or 5 is needed")
mkdirSync(options.data, { recursive: true })

/** The cores that brokers and load generator have to themselves; undefined where the system cannot do that. */
const cores = ((): { readonly broker: number; readonly load: number } | undefined => {
  try {
    if (availableParallelism() < 2) throw new Error("there is but one core")
    execFileSync("taskset", ["-a", "-cp", "1", String(process.pid)], { stdio: "ignore" })
    return { broker: 0, load: 1 }
  } catch (error) {
    console.error(
      `Brokers and load generator share their cores, so that figures mean little: ${(error as Error).message}`
    )
    return undefined
  }
})()

const placement = (core: number | undefined): Brokers.Placement => ({ core, priority: options.priority })
const interruption = new AbortController()

const generate = (order: LoadOrder): Promise<LoadResult> =>
  new Promise((resolve, reject) => {
    const command = [process.execPath, bundled("load.mjs"), JSON.stringify(order)]
    const [program, ...args] = Brokers.placed(placement(cores?.load), command)
    const limits = { timeout: LOAD_LIMIT_MS, killSignal: "SIGKILL", signal: interruption.signal } as const
    execFile(program!, args, limits, (error, stdout, stderr) => {
      if (error === null) return resolve(JSON.parse(stdout) as LoadResult)
      const said = /^\w*Error: .*$/m.exec(stderr)?.[0] ?? stderr.trim()
      reject(new Error(error.killed === true ? `no result within ${LOAD_LIMIT_MS / 1000} s` : said))
    })
  })

const running = new Set<Brokers.RunningBroker>()
const stopAll = async (): Promise<void> => {
  interruption.abort()
  await Promise.all([...running].map((broker) => broker.stop()))
  process.exit(130)
}
process.once("SIGINT", stopAll)
process.once("SIGTERM", stopAll)

/** One row with one broker, started anew for it. */
const measure = async (row: Row, broker: Brokers.Broker): Promise<LoadResult> => {
  const process_ = await Brokers.start(broker, placement(cores?.broker), options.data)
  running.add(process_)
  try {
    if (row.scenario.kind === "startup") return { value: process_.startupMs, generatorShare: 0, problems: [] }
    await sleep(SETTLE_MS)
    const { port, pid } = process_
    return await generate({ scenario: row.scenario, port, pid, version, warmupSeconds, seconds })
  } catch (error) {
    const end = process_.ended()
    throw end === undefined ? error : new Error(`the broker ${end}`, { cause: error })
  } finally {
    await process_.stop()
    running.delete(process_)
  }
}

const samples: Array<Sample> = []
for (let round = 1; round <= rounds; round++) {
  for (const row of chosenRows) {
    for (const broker of brokers) {
      if (!broker.versions.includes(version)) continue
      const sample: Sample = await measure(row, broker).then(
        (result) => ({ row, broker, round, result }),
        (error: Error) => ({ row, broker, round, result: { value: NaN, generatorShare: 0, problems: [error.message] } })
      )
      samples.push(sample)
      const { value, problems } = sample.result
      const verdict = problems.length === 0 ? "" : `  FAILED: ${problems.slice(0, 3).join("; ")}`
      console.error(`${round}/${rounds} ${row.name} ${broker.name}: ${Math.round(value)} ${row.unit}${verdict}`)
    }
  }
}

if (options.json !== undefined) {
  const lines = samples.map(({ row, broker, round, result }) =>
    JSON.stringify({ row: row.name, broker: broker.name, round, version: options.version, ...result })
  )
  writeFileSync(options.json, lines.join("\n") + "\n")
}
console.log(report(samples, chosenRows, brokers))
if (statfsSync(options.data).type === TMPFS) {
  console.log(
    `\n${join(options.data)} is in memory, where fsync costs nothing: name a disk with --data for the durable rows.`
  )
}
if (samples.some((sample) => sample.result.problems.length > 0)) process.exit(1)
process.exit(0)
