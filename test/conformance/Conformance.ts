/**
 * How a test of the suite is written: `feature` holds the tests of one subject, each names the normative statements
 * that it exercises, and runs against one broker process a file. `Table.test.ts` reads the same declarations to draw
 * `docs/conformance.md`.
 */
import { afterAll, beforeAll, describe, test, vi } from "vitest"
import { RawClient, type Connect, type Version } from "./RawClient.ts"
import type { Statement311 } from "./statements/mqtt-3.1.1.ts"
import type { Statement5 } from "./statements/mqtt-5.0.ts"
import { isNamed, startTarget, type Target } from "./Target.ts"

/** What a test of `both` exercises in either version. */
export interface Statements {
  readonly v5: ReadonlyArray<Statement5>
  readonly v311: ReadonlyArray<Statement311>
}

/** Options of a CONNECT; an own Client Identifier, Clean Start and no keep-alive unless told otherwise. */
export type ConnectOptions = Partial<Omit<Connect, "cmd" | "protocolVersion" | "protocolId">>

/** What a test has at hand. */
export interface Trial {
  readonly version: Version
  /** The empty property set of MQTT 5.0 as bytes; nothing in 3.1.1. */
  readonly noProperties: Buffer
  /** A topic, client identifier or share name that no other test uses. */
  readonly name: (name: string) => string
  /** Opens a network connection that is dropped when the test ends. */
  readonly open: (version?: Version) => Promise<RawClient>
  /** Opens a connection and gets a CONNECT accepted on it. */
  readonly connect: (options?: ConnectOptions, version?: Version) => Promise<RawClient>
  /** The same, and tells the Session Present of the CONNACK. */
  readonly resume: (options?: ConnectOptions) => Promise<{ client: RawClient; sessionPresent: boolean }>
  /** Waits until so many seconds have passed on the broker's clock: until it publishes a will with that delay. */
  readonly brokerSeconds: (seconds: number) => Promise<void>
}

/** A test: it fails when its promise does. */
export type Body = (trial: Trial) => Promise<void>

/** The three kinds of test: of both versions, of MQTT 5.0 alone, of MQTT 3.1.1 alone. */
export interface Kinds {
  readonly both: (statements: Statements, name: string, body: Body) => void
  readonly v5: (statements: ReadonlyArray<Statement5>, name: string, body: Body) => void
  readonly v311: (statements: ReadonlyArray<Statement311>, name: string, body: Body) => void
}

/** Tests of a file that are under way at once: most of them wait for the broker, not for the processor. */
const concurrency = 50

let serial = 0

const makeTrial = (target: Target, version: Version, clients: Array<RawClient>): Trial => {
  // The process id keeps apart the files of the suite, and its runs, where they share a broker.
  const prefix = `t${process.pid}n${++serial}`
  const name = (local: string) => `${prefix}${local}`
  const open = async (other = version) => {
    const client = await RawClient.open(target, other)
    clients.push(client)
    return client
  }
  const start = async (options: ConnectOptions, other: Version) => {
    const client = await open(other)
    const connack = await client.connect({ clientId: name(`c${++serial}`), clean: true, keepalive: 0, ...options })
    const code = (other === 5 ? connack.reasonCode : connack.returnCode) ?? 0
    if (code !== 0) throw new Error(`CONNECT was refused with ${code}`)
    return { client, sessionPresent: connack.sessionPresent }
  }
  const connect = async (options: ConnectOptions = {}, other = version) => (await start(options, other)).client
  return {
    version,
    noProperties: version === 5 ? Buffer.from([0]) : Buffer.alloc(0),
    name,
    open,
    connect,
    resume: (options = {}) => start({ clean: false, ...options }, version),
    brokerSeconds: async (seconds) => {
      const topic = name(`/clock/${++serial}`)
      const listener = await connect({}, 5)
      await listener.subscribe(topic)
      const timer = await connect(
        {
          properties: { sessionExpiryInterval: seconds + 60 },
          will: { topic, payload: Buffer.from("now"), qos: 0, properties: { willDelayInterval: seconds } }
        },
        5
      )
      timer.drop()
      listener.patience += seconds * 1000
      await listener.expectMessage({ topic, payload: "now" })
    }
  }
}

/**
 * Declares the tests of one subject. They run concurrently, against one broker with these settings (`key=value`). A
 * subject with settings is left out where the environment names the broker.
 */
export const feature = (
  subject: string,
  declare: (kinds: Kinds) => void,
  settings: ReadonlyArray<string> = []
): void => {
  vi.setConfig({ maxConcurrency: concurrency })
  // A broker that the environment names runs already, with settings of its own.
  describe.skipIf(isNamed && settings.length > 0)(`${subject}`, { concurrent: true }, () => {
    let target: Target
    beforeAll(async () => {
      target = await startTarget(settings)
    })
    afterAll(() => target.stop())

    const run = (version: Version, body: Body) => async () => {
      const clients: Array<RawClient> = []
      try {
        await body(makeTrial(target, version, clients))
      } finally {
        for (const client of clients) client.drop()
      }
    }
    // oxlint-disable-next-line vitest/expect-expect -- the assertions are in the body
    const v5: Kinds["v5"] = (_, name, body) => test(`MQTT 5.0: ${name}`, run(5, body))
    // oxlint-disable-next-line vitest/expect-expect -- the assertions are in the body
    const v311: Kinds["v311"] = (_, name, body) => test(`MQTT 3.1.1: ${name}`, run(4, body))
    declare({
      v5,
      v311,
      both: (statements, name, body) => {
        v5(statements.v5, name, body)
        v311(statements.v311, name, body)
      }
    })
  })
}
