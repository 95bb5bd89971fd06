/**
 * Scripts for ZooKeeper servers: what clients do, which faults strike, and what each client sees, as plain data.
 *
 * Each script is one rule of what a ZooKeeper ensemble does. Its expectations are what a real one answered (3.8.0), so
 * they are golden data: a test with real servers checks them, and whatever claims to behave like ZooKeeper runs the
 * same scripts as a {@link Subject} (`Runner.ts`).
 */
import type { CreateMode, Operation, OperationResult, SessionId, Stat } from "../../src/domain/zookeeper/Znode.ts"
import type { ZooKeeperReason } from "../../src/services/ZooKeeper.ts"

/** A server of the ensemble by the part it has when the script begins, whatever becomes of it. */
export type Role = "leader" | "first" | "second"

/** What a client asks of the server it is connected to; `watch` leaves a one-shot watch. */
export type Request =
  | Exclude<Operation, { readonly _tag: "Check" }>
  | { readonly _tag: "Multi"; readonly operations: ReadonlyArray<Operation> }
  | { readonly _tag: "Get"; readonly path: string; readonly watch: boolean }
  | { readonly _tag: "Exists"; readonly path: string; readonly watch: boolean }
  | { readonly _tag: "Children"; readonly path: string; readonly watch: boolean }
  | { readonly _tag: "Sync"; readonly path: string }
  | { readonly _tag: "AddWatch"; readonly path: string; readonly recursive: boolean }
  | { readonly _tag: "SetWatches"; readonly watches: Watches }
  | { readonly _tag: "Close" }

/** What a client that has come back asks to watch again, by path, as of the last zxid that its session saw before. */
export interface Watches {
  /** Watches of get, and of exists where there was a znode. */
  readonly data?: ReadonlyArray<string>
  /** Watches of exists where there was none. */
  readonly exist?: ReadonlyArray<string>
  readonly child?: ReadonlyArray<string>
  readonly persistent?: ReadonlyArray<string>
  readonly recursive?: ReadonlyArray<string>
}

/** The answer to a request. A Children's names are sorted, and a multi that failed has the index of what did. */
export type Reply =
  | OperationResult
  | { readonly _tag: "Multi"; readonly results: ReadonlyArray<MultiResult> }
  | { readonly _tag: "Get"; readonly data: Uint8Array; readonly stat: Stat }
  | { readonly _tag: "Exists"; readonly stat: Stat }
  | { readonly _tag: "Children"; readonly names: ReadonlyArray<string> }
  | { readonly _tag: "Sync" | "AddWatch" | "SetWatches" | "Close" }
  | { readonly _tag: "Failed"; readonly error: ZooKeeperReason["_tag"] | `code ${number}`; readonly operation?: number }

/** A server does not tell the stat of what a multi has created; where there is one, it is not compared. */
export type MultiResult =
  | Exclude<OperationResult, { readonly _tag: "Create" }>
  | { readonly _tag: "Create"; readonly path: string; readonly stat?: Stat }

/** The kind of a watch event. */
export type EventType = "NodeCreated" | "NodeDeleted" | "NodeDataChanged" | "NodeChildrenChanged"

/** What reaches a client on its connection; the order is that of arrival. */
export type Observation =
  | { readonly _tag: "Replied"; readonly reply: Reply }
  | { readonly _tag: "Event"; readonly type: EventType; readonly path: string }
  /** The server has taken the client, under this session. */
  | { readonly _tag: "Connected"; readonly session: SessionId }
  /** The server says that the session to go on with is over. The connection ends. */
  | { readonly _tag: "Expired" }
  /** The connection has ended, or there never was one: the server does not serve or refuses the client. */
  | { readonly _tag: "Disconnected" }

/**
 * What a client sees next, as `Runner.ts` writes it. Zxids are ranks among all those that the script sees, 1 for the
 * smallest, and a session is named after the client that opened it. An array holds all lawful outcomes; where a script
 * has one array in several places, the same outcome must come in each.
 */
export type Expectation = string | ReadonlyArray<string>

export type Step =
  | { readonly _tag: "Open"; readonly client: string; readonly at: Role; readonly timeout: number }
  | {
      readonly _tag: "Attach"
      readonly client: string
      readonly former: string
      readonly at: Role
      readonly how: AttachHow
      readonly sees: Expectation
    }
  | { readonly _tag: "Send"; readonly client: string; readonly requests: ReadonlyArray<Request> }
  | {
      readonly _tag: "Ask"
      readonly client: string
      readonly requests: ReadonlyArray<Request>
      readonly sees: ReadonlyArray<Expectation>
    }
  | { readonly _tag: "Await"; readonly client: string; readonly sees: ReadonlyArray<Expectation> }
  | { readonly _tag: "Nothing"; readonly client: string }
  | { readonly _tag: "Drop"; readonly client: string }
  | { readonly _tag: "Fault"; readonly fault: Fault; readonly at: Role }
  | { readonly _tag: "StartWatch" }
  | { readonly _tag: "Elapse"; readonly milliseconds: number }
  | { readonly _tag: "AtLeast"; readonly milliseconds: number }

/**
 * How to attach: once; until a server takes the client, as one refuses a client that has seen more than it has itself;
 * once, pretending to have seen what nobody has written yet.
 */
export type AttachHow = "once" | "patiently" | "from the future"

/** kill: `kill -9`. pause: it stands still, its connections stay. resume ends a pause, restart a death. */
export type Fault = "kill" | "pause" | "resume" | "restart"

/** A rule of what ZooKeeper does, and the steps that show it. */
export interface Script {
  /** The rule, as a sentence. */
  readonly rule: string
  readonly steps: ReadonlyArray<Step>
}

/** Milliseconds of a session's timeout in scripts that do not want it to expire. */
export const longTimeout = 20_000

export const script = (rule: string, ...steps: ReadonlyArray<Step>): Script => ({ rule, steps })

/** The scripts with their rules before them, as titles of tests. */
export const titled = (scripts: ReadonlyArray<Script>): ReadonlyArray<readonly [string, Script]> =>
  scripts.map((each) => [each.rule, each] as const)

/** A client opens a session at a server, and is connected before the next step. */
export const opens = (client: string, at: Role = "leader", timeout: number = longTimeout): Step => ({
  _tag: "Open",
  client,
  at,
  timeout
})

/**
 * A client connects and goes on with the session of a former one, whose own connection it leaves alone. It says what
 * the session has seen so far, and sees this; it tries until the server takes it, unless it shall be refused.
 */
export const attaches = (
  client: string,
  former: string,
  at: Role,
  sees: Expectation,
  how: AttachHow = sees === "Disconnected" ? "once" : "patiently"
): Step => ({ _tag: "Attach", client, former, at, how, sees })

/**
 * A client sends requests at once and waits for all replies, or the end of the connection. It sees this: what came
 * since it last looked, too, and nothing else.
 */
export const asks = (
  client: string,
  requests: Request | ReadonlyArray<Request>,
  ...sees: ReadonlyArray<Expectation>
): Step => ({ _tag: "Ask", client, requests: [requests].flat(), sees })

/** A client sends requests and does not wait for the replies. */
export const sends = (client: string, ...requests: ReadonlyArray<Request>): Step => ({ _tag: "Send", client, requests })

/** A client waits until it has seen this. */
export const awaits = (client: string, ...sees: ReadonlyArray<Expectation>): Step => ({ _tag: "Await", client, sees })

/** Nothing has reached a client that it has not looked at. */
export const hasNothing = (client: string): Step => ({ _tag: "Nothing", client })

/** A client's connection breaks; its session is left alone. */
export const drops = (client: string): Step => ({ _tag: "Drop", client })

export const kill = (at: Role): Step => ({ _tag: "Fault", fault: "kill", at })
export const pause = (at: Role): Step => ({ _tag: "Fault", fault: "pause", at })
export const resume = (at: Role): Step => ({ _tag: "Fault", fault: "resume", at })
export const restart = (at: Role): Step => ({ _tag: "Fault", fault: "restart", at })

/** Starts the one stop watch, which {@link tookAtLeast} reads. */
export const startWatch: Step = { _tag: "StartWatch" }

/** Time passes, where its passing is what the rule is about. */
export const elapse = (milliseconds: number): Step => ({ _tag: "Elapse", milliseconds })

/** Since the stop watch was started, at least this time has passed. */
export const tookAtLeast = (milliseconds: number): Step => ({ _tag: "AtLeast", milliseconds })

export const create = (path: string, data = "", mode: CreateMode = "Persistent") =>
  ({ _tag: "Create", path, data: Buffer.from(data), mode }) as const
export const remove = (path: string, version = -1) => ({ _tag: "Delete", path, version }) as const
export const set = (path: string, data: string, version = -1) =>
  ({ _tag: "Set", path, data: Buffer.from(data), version }) as const
export const check = (path: string, version = -1) => ({ _tag: "Check", path, version }) as const
export const multi = (...operations: ReadonlyArray<Operation>): Request => ({ _tag: "Multi", operations })
export const get = (path: string, watch?: "watch"): Request => ({ _tag: "Get", path, watch: watch !== undefined })
export const exists = (path: string, watch?: "watch"): Request => ({ _tag: "Exists", path, watch: watch !== undefined })
export const children = (path: string, watch?: "watch"): Request => ({
  _tag: "Children",
  path,
  watch: watch !== undefined
})
export const sync = (path: string): Request => ({ _tag: "Sync", path })
/** A persistent watch, of a znode or of a znode and all below it. */
export const addWatch = (path: string, recursive?: "recursive"): Request => ({
  _tag: "AddWatch",
  path,
  recursive: recursive !== undefined
})
export const setWatches = (watches: Watches): Request => ({ _tag: "SetWatches", watches })
export const close: Request = { _tag: "Close" }
