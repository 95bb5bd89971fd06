/**
 * The client's half of ZooKeeper's protocol: it keeps a session with an ensemble over whichever of its servers can be
 * reached, and numbers, sends and matches requests. How a connection is made is an argument.
 *
 * One fiber connects, and watches over the connection while there is one. All else happens when a message comes in or a
 * request is made, in one step each, so that the state of the session, the requests and the connection always agree.
 */
import { Clock, Deferred, Effect, Fiber, Latch, PubSub, Random, type Scope } from "effect"
import { noSession, type SessionId } from "../../domain/zookeeper/Znode.ts"
import type { Session, ZooKeeperError } from "../../services/ZooKeeper.ts"
import { supervised } from "../../services/Supervision.ts"
import { failure, notConnected } from "../ZooKeeperOperations.ts"
import type {
  Answer,
  ClientMessage,
  Connected,
  Notification,
  Reply,
  Request,
  ServerMessage,
  Values
} from "./Protocol.ts"

/** A connection to a server, or what may become one. After `close` nothing is heard of it. */
export interface Wire {
  readonly send: (message: ClientMessage) => void
  readonly close: () => void
}

/** What a connection tells. Nothing comes before `opened` but `closed`, and nothing after that. */
export interface WireHandlers {
  readonly opened: () => void
  readonly message: (message: ServerMessage) => void
  readonly closed: () => void
}

/** Begins to connect to a server. It tells nothing before it has returned. */
export type Dial = (server: string, handlers: WireHandlers) => Wire

export interface ClientOptions {
  readonly dial: Dial
  /** The servers of the ensemble; at least one. They are tried in an order that is drawn. */
  readonly servers: ReadonlyArray<string>
  /** The session timeout to ask for. Without a word from the server for two thirds of it, the connection is given up. */
  readonly sessionTimeoutMillis: number
  /** A request that is not answered for so long shows that the connection is of no use; the session timeout by default. */
  readonly operationTimeoutMillis?: number
  /** How many requests may be under way; 200 by default. Those beyond it wait here. */
  readonly maximumInFlight?: number
  /** The number that the first request follows. */
  readonly lastXid: number
  /** What a watch has seen. */
  readonly onNotification: (notification: Notification) => void
  /** The session is connected, again or for the first time: one-shot watches have to be set again. */
  readonly onConnected: () => void
}

export interface Client {
  /** Sends a request while connected, and fails with Unavailable otherwise. The path is for errors only. */
  readonly ask: <T extends Request["_tag"]>(
    request: Extract<Request, { readonly _tag: T }>,
    path: string
  ) => Effect.Effect<Values[T], ZooKeeperError>
  /** Sends a request whose answer nobody wants; nothing while there is no connection. */
  readonly tell: (request: Request) => void
  readonly session: () => Session
  /** The session after each change; whoever subscribes hears how it stands first. */
  readonly changes: PubSub.PubSub<Session>
  /** Open while connected, and when the client is closed. */
  readonly isConnected: Latch.Latch
  readonly isClosed: () => boolean
}

/** A request that waits for its answer. */
interface Pending {
  readonly request: Request
  readonly path: string
  /** Absent when nobody waits. */
  resume: ((answer: Effect.Effect<unknown, ZooKeeperError>) => void) | undefined
  xid: number
  /** In milliseconds of monotonic time. */
  sentAt: number
  /** Whoever asked was interrupted: it is not sent any more. */
  isAbandoned: boolean
}

/** The connection that is being made or used. */
interface Link {
  readonly wire: Wire
  readonly ended: Deferred.Deferred<void>
  readonly dialledAt: number
  /** Whether the server has let us have the session. */
  isAccepted: boolean
  heardAt: number
  sentAt: number
}

/** Keeps a session with an ensemble until the scope ends; the session is closed then. */
export const make = Effect.fnUntraced(function* (options: ClientOptions): Effect.fn.Return<Client, never, Scope.Scope> {
  const { dial, onConnected, onNotification, sessionTimeoutMillis } = options
  const maximumInFlight = options.maximumInFlight ?? defaultMaximumInFlight
  const operationTimeout = options.operationTimeoutMillis ?? sessionTimeoutMillis
  const clock = yield* Clock.Clock
  const now = (): number => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
  const servers = yield* Random.shuffle(options.servers)
  const connectTimeout = Math.max(1, Math.floor(sessionTimeoutMillis / servers.length))

  const changes = yield* PubSub.unbounded<Session>({ replay: 1 })
  const isConnected = Latch.makeUnsafe(false)
  let session: Session = { id: noSession, generation: 1, state: "Connecting" }
  PubSub.publishUnsafe(changes, session)
  /** What the server grants. */
  let timeout = sessionTimeoutMillis
  let link: Link | undefined
  let lastZxid = 0
  let { lastXid } = options
  let isClosed = false
  let inFlight: Array<Pending> = []
  let queued: Array<Pending> = []

  const become = (state: Session["state"], id: SessionId = session.id, generation = session.generation): void => {
    session = { id, generation, state }
    if (state === "Connected" || isClosed) isConnected.openUnsafe()
    else isConnected.closeUnsafe()
    PubSub.publishUnsafe(changes, session)
  }

  const transmit = (pending: Pending, through: Link): void => {
    lastXid = lastXid === maximumXid ? 1 : lastXid + 1
    pending.xid = lastXid
    pending.sentAt = now()
    through.sentAt = pending.sentAt
    inFlight.push(pending)
    through.wire.send({ _tag: "Ask", xid: lastXid, request: pending.request })
  }

  const submit = (pending: Pending): void => {
    if (queued.length === 0 && inFlight.length < maximumInFlight) transmit(pending, link!)
    else queued.push(pending)
  }

  const submitQueued = (): void => {
    while (queued.length > 0 && inFlight.length < maximumInFlight) {
      const next = queued.shift()!
      if (!next.isAbandoned) transmit(next, link!)
    }
  }

  /** The connection is over. What was under way may have happened, what was not sent has not. */
  const lose = (lost: Link): void => {
    if (link !== lost) return
    link = undefined
    lost.wire.close()
    const unanswered = inFlight
    const unsent = queued
    inFlight = []
    queued = []
    if (session.state === "Connected") become("Suspended")
    for (const { resume, path } of unanswered) resume?.(Effect.fail(failure({ _tag: "ConnectionLoss" }, path)))
    for (const { resume, path } of unsent) resume?.(Effect.fail(failure(notConnected, path)))
    Deferred.doneUnsafe(lost.ended, Effect.void)
  }

  const greeted = (accepting: Link, { session: id, timeoutMillis }: Connected): void => {
    if (id === noSession) {
      become("Lost")
      become("Connecting", noSession, session.generation + 1)
      lose(accepting)
      return
    }
    accepting.isAccepted = true
    timeout = timeoutMillis
    become("Connected", id)
    onConnected()
  }

  const replied = (from: Link, { xid, zxid, answer }: Reply): void => {
    if (xid === pingXid) return
    const pending = inFlight.shift()
    if (pending?.xid !== xid) {
      // Not the protocol: the connection cannot be trusted any more.
      if (pending !== undefined) inFlight.unshift(pending)
      lose(from)
      return
    }
    lastZxid = Math.max(lastZxid, zxid)
    submitQueued()
    pending.resume?.(resultOf(answer, pending.path))
    // The server drops the connection, and says at the next one that the session is over.
    if (answer._tag === "Failed" && answer.reason._tag === "SessionLost") lose(from)
  }

  const received = (from: Link, message: ServerMessage): void => {
    if (link !== from) return
    from.heardAt = now()
    if (message._tag === "Reply") replied(from, message)
    else if (message._tag === "Notification") onNotification(message)
    else greeted(from, message)
  }

  /** Ends when the connection is of no use any more. */
  const watchOver = (watched: Link): Effect.Effect<void> =>
    Effect.suspend(() => {
      const time = now()
      const pingInterval = timeout / 3
      let deadline = watched.dialledAt + connectTimeout
      if (watched.isAccepted) {
        deadline = watched.heardAt + 2 * pingInterval
        const oldest = inFlight[0]
        if (oldest !== undefined) deadline = Math.min(deadline, oldest.sentAt + operationTimeout)
      }
      if (time >= deadline) return Effect.void
      let wakeAt = Math.min(deadline, time + pingInterval)
      if (watched.isAccepted) {
        if (time >= watched.sentAt + pingInterval) {
          watched.sentAt = time
          watched.wire.send({ _tag: "Ask", xid: pingXid, request: { _tag: "Ping" } })
        }
        wakeAt = Math.min(wakeAt, watched.sentAt + pingInterval)
      }
      return Effect.andThen(Effect.sleep(Math.max(1, wakeAt - time)), watchOver(watched))
    })

  const dialServer = (server: string): Link => {
    const time = now()
    const dialled: Link = {
      wire: dial(server, {
        opened: () => {
          dialled.wire.send({ _tag: "Connect", session: session.id, timeoutMillis: sessionTimeoutMillis, lastZxid })
        },
        message: (message) => received(dialled, message),
        closed: () => lose(dialled)
      }),
      ended: Deferred.makeUnsafe(),
      dialledAt: time,
      isAccepted: false,
      heardAt: time,
      sentAt: time
    }
    link = dialled
    return dialled
  }

  /** Connects to a server and stays with it; whether it has let us have a session, or said that ours is over. */
  const visit = (server: string): Effect.Effect<boolean> =>
    Effect.suspend(() => {
      const { generation } = session
      return Effect.acquireUseRelease(
        Effect.sync(() => dialServer(server)),
        (dialled) =>
          Effect.map(
            Effect.raceFirst(Deferred.await(dialled.ended), watchOver(dialled)),
            () => dialled.isAccepted || session.generation > generation
          ),
        (dialled) => Effect.sync(() => lose(dialled))
      )
    })

  const keepConnected = Effect.gen(function* () {
    let failures = 0
    for (let at = 0; ; at++) {
      failures = (yield* visit(servers[at % servers.length]!)) ? 0 : failures + 1
      if (failures >= servers.length) {
        const rounds = Math.floor(failures / servers.length)
        const most = Math.min(maximumBackOffMillis, leastBackOffMillis * 2 ** (rounds - 1))
        yield* Effect.sleep((yield* Random.nextBetween(0.5, 1)) * most)
      }
    }
  })
  yield* Effect.forkScoped(supervised("the connection to ZooKeeper", keepConnected))

  const ask: Client["ask"] = <T extends Request["_tag"]>(
    request: Extract<Request, { readonly _tag: T }>,
    path: string
  ) =>
    Effect.callback<Values[T], ZooKeeperError>((resume) => {
      if (session.state !== "Connected") {
        resume(Effect.fail(failure(notConnected, path)))
        return
      }
      const pending = pendingOf(request, path)
      pending.resume = resume as NonNullable<Pending["resume"]>
      submit(pending)
      return Effect.sync(() => {
        pending.resume = undefined
        pending.isAbandoned = true
      })
    })

  const tell = (request: Request): void => {
    if (session.state === "Connected") submit(pendingOf(request, ""))
  }

  yield* Effect.addFinalizer(() => {
    isClosed = true
    const wasConnected = session.state === "Connected"
    become("Lost")
    if (!wasConnected || link === undefined) return Effect.void
    const closed = Deferred.makeUnsafe<void>()
    const pending = pendingOf({ _tag: "CloseSession" }, "")
    pending.resume = () => Deferred.doneUnsafe(closed, Effect.void)
    submit(pending)
    // A scope that ends by an interruption would interrupt at once whatever could be: the timer runs on its own.
    return Effect.flatMap(Effect.forkDetach(Effect.delay(Deferred.succeed(closed, undefined), timeout / 3)), (timer) =>
      Effect.andThen(Deferred.await(closed), Fiber.interrupt(timer))
    )
  })

  return {
    ask,
    tell,
    session: () => session,
    changes,
    isConnected,
    isClosed: () => isClosed
  }
})

/** The number of all pings. Nobody waits for their answers, which show that there is a server. */
const pingXid = -2
/** The number of a request has 31 bits. */
const maximumXid = 2 ** 31 - 1
const defaultMaximumInFlight = 200
/** Between two rounds of all servers, at most: it doubles from one to the other. */
const leastBackOffMillis = 100
const maximumBackOffMillis = 1000

const pendingOf = (request: Request, path: string): Pending => ({
  request,
  path,
  resume: undefined,
  xid: 0,
  sentAt: 0,
  isAbandoned: false
})

const resultOf = (answer: Answer, path: string): Effect.Effect<unknown, ZooKeeperError> =>
  answer._tag === "Done" ? Effect.succeed(answer.value) : Effect.fail(failure(answer.reason, path, answer.operation))
