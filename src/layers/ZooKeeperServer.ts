/**
 * A ZooKeeper server in this process: the one place that numbers transactions, applies them and tells the watches.
 * `ZooKeeperSession.ts` is its client; `ZooKeeperMemory.ts` and `ZooKeeperEmbedded.ts` compose the two.
 *
 * One fiber takes whatever requests have gathered as a batch: it applies their transactions to the tree, commits what
 * they changed (embedded: to the disk), and only then tells the watches and replies to all, reads included. So nobody
 * sees a change that is not durable, and while a commit is under way the next batch gathers. When a commit fails, the
 * batch is undone: its writes were not applied, its reads are answered again from what stands.
 */
import { Cause, Clock, Deferred, Effect, Option, Queue, type Scope } from "effect"
import * as DataTree from "../domain/zookeeper/DataTree.ts"
import type { Operation, OperationResult, SessionId } from "../domain/zookeeper/Znode.ts"
import type { StoreError } from "../services/Store.ts"
import type { ZooKeeperReason } from "../services/ZooKeeper.ts"

/** The answer to a transaction; `operation` is the index of the refused operation, absent when the whole failed. */
export type Answer<A> =
  | { readonly _tag: "Done"; readonly value: A }
  | { readonly _tag: "Failed"; readonly reason: ZooKeeperReason; readonly operation?: number }

/** Where an answer is awaited. */
export type Reply<A> = Deferred.Deferred<Answer<A>>

/** What a watch listens to: the data of a znode, or the names of its children. */
export type Watched = "data" | "children"

/** A server that is running. It ends with the scope it was made in. */
export interface Server {
  /** Opens a session; `ended` is done when it is over, whoever ended it. None once the server has stopped. */
  readonly openSession: () => Option.Option<{ readonly id: SessionId; readonly ended: Effect.Effect<void> }>
  /** Whether a session has been opened and not ended. */
  readonly isOpen: (session: SessionId) => boolean
  /** Ends a session and removes its ephemeral znodes in one transaction. Ending one twice is no error. */
  readonly closeSession: (session: SessionId) => Effect.Effect<void>
  /** Applies the operations in one transaction. The path of each must be valid. */
  readonly write: (
    session: SessionId,
    operations: ReadonlyArray<Operation>,
    reply: Reply<ReadonlyArray<OperationResult>>
  ) => Effect.Effect<void>
  /** Answers from the tree, after all that was asked before. */
  readonly read: <A>(session: SessionId, from: (tree: DataTree.DataTree) => A, reply: Reply<A>) => Effect.Effect<void>
  /** Calls `wake` after each change of what is watched, before any reply that shows it; returns how to stop that. */
  readonly watch: (path: string, watched: Watched, wake: () => void) => () => void
  /** How many watches are set. */
  readonly watchCount: () => number
}

export interface ServerOptions {
  readonly tree: DataTree.DataTree
  /** The number of the last transaction in the tree. */
  readonly zxid: number
  /** Makes the znodes as they now stand durable, those included that are no longer in the tree, and the zxid. */
  readonly commit?: (changed: ReadonlySet<DataTree.Node>, zxid: number) => Effect.Effect<void, StoreError>
}

/** How many requests may wait for the next batch; beyond it, asking waits. */
const maximumWaitingRequests = 4096

type Request =
  | { readonly _tag: "Write"; readonly transaction: DataTree.Transaction; readonly reply: Reply<never> }
  | { readonly _tag: "Read"; readonly session: SessionId; readonly from: Read; readonly reply: Reply<never> }

type Read = (tree: DataTree.DataTree) => unknown

/**
 * Starts a server over a tree. Sessions that own ephemerals in it, of a process that is gone, are ended first; it fails
 * when that cannot be committed.
 */
export const make = Effect.fnUntraced(function* (
  options: ServerOptions
): Effect.fn.Return<Server, StoreError, Scope.Scope> {
  const { tree, commit } = options
  const requests = yield* Queue.bounded<Request>(maximumWaitingRequests)
  const sessions = new Map<SessionId, Deferred.Deferred<void>>()
  const watches: Record<Watched, Map<string, Set<() => void>>> = { data: new Map(), children: new Map() }
  let zxid = options.zxid
  /** The batch under way, and those who await it. */
  let batch: ReadonlyArray<Request> = []
  let hasStopped = false

  const applyTransaction = (transaction: DataTree.Transaction, now: number, step: Step): Answer<unknown> => {
    if (!isAlive(transaction.session, step)) return sessionLost
    const outcome = DataTree.apply(tree, transaction, zxid + 1, now)
    if (outcome._tag === "Refused") return { _tag: "Failed", reason: outcome.refusal, operation: outcome.operation }
    zxid += 1
    step.undos.push(outcome.undo)
    for (const event of outcome.events) step.events.push(event)
    if (transaction._tag === "CloseSession") step.closed.add(transaction.session)
    return { _tag: "Done", value: outcome.results }
  }

  const answerRead = (request: Extract<Request, { _tag: "Read" }>, step: Step): Answer<unknown> =>
    isAlive(request.session, step) ? { _tag: "Done", value: request.from(tree) } : sessionLost

  const isAlive = (session: SessionId, step: Step): boolean => sessions.has(session) && !step.closed.has(session)

  const handle = (request: Request, now: number, step: Step): Answer<unknown> =>
    request._tag === "Write" ? applyTransaction(request.transaction, now, step) : answerRead(request, step)

  // The zxids of what is undone are not used again: the numbers of failed transactions are gaps in the real one, too.
  const undo = (step: Step) => {
    for (let at = step.undos.length - 1; at >= 0; at--) step.undos[at]!()
    step.events.length = 0
    step.closed.clear()
  }

  const wakeWatches = (events: ReadonlyArray<DataTree.Event>) => {
    for (const { type, node } of events) {
      if (type !== "NodeChildrenChanged") watches.data.get(node.path)?.forEach(wake)
      if (type !== "NodeDataChanged") watches.children.get(node.path)?.forEach(wake)
    }
  }

  const runBatch = Effect.fnUntraced(function* () {
    const now = yield* Clock.currentTimeMillis
    const step: Step = { undos: [], events: [], closed: new Set() }
    let answers = batch.map((request) => handle(request, now, step))
    if (commit !== undefined && step.events.length > 0) {
      const changed = new Set<DataTree.Node>()
      for (const event of step.events) changed.add(event.node)
      const error = yield* commit(changed, zxid).pipe(Effect.as(undefined), Effect.catch(Effect.succeed))
      if (error !== undefined) {
        undo(step)
        yield* Effect.logError(error.message)
        const failed: Answer<never> = { _tag: "Failed", reason: reasonOf(error) }
        answers = batch.map((request) => (request._tag === "Read" ? answerRead(request, step) : failed))
      }
    }
    wakeWatches(step.events)
    const answered = batch
    batch = []
    for (const id of step.closed) {
      Deferred.doneUnsafe(sessions.get(id)!, Effect.void)
      sessions.delete(id)
    }
    for (let at = 0; at < answered.length; at++) {
      Deferred.doneUnsafe(answered[at]!.reply, Effect.succeed(answers[at] as Answer<never>))
    }
  })

  const serve = Queue.takeAll(requests).pipe(
    Effect.flatMap((taken) => {
      batch = taken
      return runBatch()
    }),
    Effect.forever
  )

  /** Whoever still waits learns that the outcome is unknown, and the sessions that they are over. */
  const stop = Effect.gen(function* () {
    hasStopped = true
    const waiting = [...batch, ...Option.getOrElse(yield* Effect.option(Queue.clear(requests)), () => [])]
    yield* Queue.shutdown(requests)
    for (const request of waiting) Deferred.doneUnsafe(request.reply, Effect.succeed(connectionLoss))
    for (const ended of sessions.values()) Deferred.doneUnsafe(ended, Effect.void)
    sessions.clear()
  })

  const ask = (request: Request): Effect.Effect<void> =>
    Effect.flatMap(Queue.offer(requests, request), (isTaken) =>
      isTaken ? Effect.void : Effect.asVoid(Deferred.succeed(request.reply, stopped))
    )

  const endFormerSessions = Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    const changed = new Set<DataTree.Node>()
    for (const session of tree.ephemerals.keys()) {
      zxid += 1
      const outcome = DataTree.apply(tree, { _tag: "CloseSession", session }, zxid, now)
      if (outcome._tag === "Applied") for (const event of outcome.events) changed.add(event.node)
    }
    if (commit !== undefined && changed.size > 0) yield* commit(changed, zxid)
  })

  yield* endFormerSessions
  yield* serve.pipe(
    Effect.tapCause((cause) =>
      Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.logError("the ZooKeeper server in this process died", cause)
    ),
    Effect.ensuring(stop),
    Effect.forkScoped
  )

  const closeSession = Effect.fnUntraced(function* (session: SessionId) {
    const reply: Reply<never> = Deferred.makeUnsafe()
    yield* ask({ _tag: "Write", transaction: { _tag: "CloseSession", session }, reply })
    yield* Deferred.await(reply)
  })

  return {
    openSession: () => {
      if (hasStopped) return Option.none()
      // The session's number is that of the transaction that opens it: no znode of the tree has such an owner.
      zxid += 1
      const id = `0x${zxid.toString(16)}` as SessionId
      const ended = Deferred.makeUnsafe<void>()
      sessions.set(id, ended)
      return Option.some({ id, ended: Deferred.await(ended) })
    },
    isOpen: (session) => sessions.has(session),
    closeSession,
    write: (session, operations, reply) =>
      ask({ _tag: "Write", transaction: { _tag: "Multi", session, operations }, reply: reply as Reply<never> }),
    read: (session, from, reply) => ask({ _tag: "Read", session, from, reply: reply as Reply<never> }),
    watch: (path, watched, wake) => {
      const wakes = watches[watched].get(path) ?? new Set()
      watches[watched].set(path, wakes.add(wake))
      return () => {
        wakes.delete(wake)
        if (wakes.size === 0) watches[watched].delete(path)
      }
    },
    watchCount: () => watches.data.size + watches.children.size
  }
})

/** What a batch has done so far. */
interface Step {
  readonly undos: Array<() => void>
  readonly events: Array<DataTree.Event>
  /** Sessions that this batch ends: what they ask for after that comes too late. */
  readonly closed: Set<SessionId>
}

const wake = (watcher: () => void) => watcher()

const sessionLost: Answer<never> = { _tag: "Failed", reason: { _tag: "SessionLost" } }
const connectionLoss: Answer<never> = { _tag: "Failed", reason: { _tag: "ConnectionLoss" } }
/** A full disk may have room again; what else fails in a store stays failed until the process starts again. */
const reasonOf = (error: StoreError): ZooKeeperReason =>
  error.reason._tag === "NoSpace" ? { _tag: "Unavailable", why: error.message } : { _tag: "Broken", why: error.message }

const stopped: Answer<never> = { _tag: "Failed", reason: { _tag: "Unavailable", why: "the server has stopped" } }
