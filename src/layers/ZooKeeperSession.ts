/**
 * A session with the ZooKeeper server in this process, as the {@link ZooKeeper} service, with the faults that a real
 * connection has.
 */
import { Cause, Deferred, Effect, Latch, Layer, Option, PubSub, Queue, type Scope, Stream } from "effect"
import * as DataTree from "../domain/zookeeper/DataTree.ts"
import { refusalOf } from "../domain/zookeeper/Path.ts"
import {
  create,
  type Operation,
  type OperationResult,
  packetBytes,
  remove,
  set,
  type Znode
} from "../domain/zookeeper/Znode.ts"
import { type Session, ZooKeeper, type ZooKeeperError } from "../services/ZooKeeper.ts"
import {
  atOperation,
  createdOf,
  failure,
  firstInvalid,
  isSameZnode,
  notConnected,
  statOf
} from "./ZooKeeperOperations.ts"
import type { Answer, Reply, Server, Watched } from "./ZooKeeperServer.ts"

/** What a test can do to the session. */
export interface Faults {
  /** Cuts the connection: what is under way is lost with an unknown outcome, what follows is not sent. */
  readonly suspend: Effect.Effect<void>
  /** Connects again: with the same session, or with the next one if the server has ended it meanwhile. */
  readonly resume: Effect.Effect<void>
  /** Has the server end the session. It returns when the next one is connected; at once while suspended. */
  readonly expire: Effect.Effect<void>
  /** The next write fails with ConnectionLoss, and was not applied. */
  readonly loseNextRequest: Effect.Effect<void>
  /** The next write fails with ConnectionLoss, and was applied. */
  readonly loseNextReply: Effect.Effect<void>
}

/** Opens a session, which ends with the scope. */
export const make = Effect.fnUntraced(function* (
  server: Server,
  options: { readonly maximumPacketBytes: number }
): Effect.fn.Return<{ readonly zooKeeper: ZooKeeper["Service"]; readonly faults: Faults }, never, Scope.Scope> {
  const first = yield* Effect.fromOption(server.openSession()).pipe(Effect.orDie)
  let { id } = first
  const changes = yield* PubSub.unbounded<Session>({ replay: 1 })
  let session: Session = { id, generation: 1, state: "Connected" }
  PubSub.publishUnsafe(changes, session)
  /** Whether requests reach the server, and when they will again. */
  const isConnected = yield* Latch.make(true)
  /** Whether the network, as the faults have it, is whole. */
  const linked = yield* Latch.make(true)
  /** Whoever awaits an answer, to be told when the connection is cut. */
  const pending = new Set<Reply<never>>()
  const kicks = new Set<Queue.Queue<void, Cause.Done>>()
  let isClosed = false
  let nextWrite: "Sent" | "RequestLost" | "ReplyLost" = "Sent"

  /** In one step, so that the latch never says anything else than the state. */
  const become = (next: Session): void => {
    session = next
    if (session.state === "Connected") {
      isConnected.openUnsafe()
      for (const kick of kicks) Queue.offerUnsafe(kick, undefined)
    } else {
      isConnected.closeUnsafe()
      for (const reply of pending) Deferred.doneUnsafe(reply, Effect.succeed(connectionLoss))
    }
    PubSub.publishUnsafe(changes, session)
  }

  const exchange = <A>(
    path: string,
    send: (reply: Reply<A>) => Effect.Effect<void>
  ): Effect.Effect<A, ZooKeeperError> =>
    Effect.suspend(() => {
      if (session.state !== "Connected") return Effect.fail(failure(notConnected, path))
      const reply: Reply<A> = Deferred.makeUnsafe()
      pending.add(reply as Reply<never>)
      return Effect.andThen(send(reply), Deferred.await(reply)).pipe(
        Effect.ensuring(Effect.sync(() => pending.delete(reply as Reply<never>))),
        Effect.flatMap((answer) =>
          answer._tag === "Done"
            ? Effect.succeed(answer.value)
            : Effect.fail(failure(answer.reason, path, answer.operation))
        )
      )
    })

  const read = <A>(path: string, from: (tree: DataTree.DataTree) => A): Effect.Effect<A, ZooKeeperError> =>
    Effect.suspend(() => {
      const refusal = refusalOf(path)
      if (refusal !== undefined) return Effect.fail(failure({ _tag: "InvalidPath", why: refusal }, path))
      return exchange<A>(path, (reply) => server.read(id, from, reply))
    })

  const readNode = <A>(path: string, from: (node: DataTree.Node) => A): Effect.Effect<A, ZooKeeperError> =>
    read(path, (tree) => Option.map(Option.fromUndefinedOr(tree.nodes.get(path)), from)).pipe(
      Effect.flatMap(
        Option.match({ onNone: () => Effect.fail(failure({ _tag: "NoNode" }, path)), onSome: Effect.succeed })
      )
    )

  const multi = (operations: ReadonlyArray<Operation>): Effect.Effect<ReadonlyArray<OperationResult>, ZooKeeperError> =>
    Effect.suspend(() => {
      const invalid = firstInvalid(operations)
      if (invalid !== undefined) return Effect.fail(invalid)
      const path = operations[0]?.path ?? ""
      const bytes = packetBytes(operations)
      if (bytes > options.maximumPacketBytes) {
        const tooLarge = { _tag: "TooLarge", bytes, maximumBytes: options.maximumPacketBytes } as const
        return Effect.fail(failure(tooLarge, path))
      }
      const fault = nextWrite
      nextWrite = "Sent"
      if (fault === "RequestLost") return Effect.fail(failure(connectionLoss.reason, path))
      const sent = exchange<ReadonlyArray<OperationResult>>(path, (reply) => server.write(id, operations, reply))
      const named = Effect.mapError(sent, (error) => atOperation(error, operations))
      return fault === "Sent" ? named : Effect.andThen(named, Effect.fail(failure(connectionLoss.reason, path)))
    })

  const single = (operation: Operation): Effect.Effect<OperationResult, ZooKeeperError> =>
    multi([operation]).pipe(
      Effect.map((results) => results[0]!),
      Effect.mapError((error) => failure(error.reason, error.path))
    )

  const watchWith = <A>(
    path: string,
    watched: Watched,
    from: (tree: DataTree.DataTree) => A
  ): Stream.Stream<A, ZooKeeperError> =>
    Stream.unwrap(
      Effect.gen(function* () {
        const kick = yield* Queue.sliding<void, Cause.Done>(1)
        const wake = () => void Queue.offerUnsafe(kick, undefined)
        yield* Effect.acquireRelease(
          Effect.sync(() => {
            kicks.add(kick)
            return server.watch(path, watched, wake)
          }),
          (unwatch) =>
            Effect.sync(() => {
              unwatch()
              kicks.delete(kick)
            })
        )
        wake()
        const readNow = Effect.andThen(
          isConnected.await,
          Effect.suspend((): Effect.Effect<A, ZooKeeperError | Cause.Done> =>
            isClosed ? Cause.done() : read(path, from)
          )
        ).pipe(Effect.retry({ while: mayPass }))
        return Stream.fromPull(
          Effect.succeed(
            Effect.andThen(
              Queue.take(kick),
              Effect.map(readNow, (value) => [value] as const)
            )
          )
        )
      })
    )

  const zooKeeper = ZooKeeper.of({
    create: (path, data, mode) => Effect.map(single(create(path, data, mode)), createdOf),
    delete: (path, version) => Effect.asVoid(single(remove(path, version))),
    set: (path, data, version) => Effect.map(single(set(path, data, version)), statOf),
    get: (path) => readNode(path, znodeOf),
    exists: (path) => read(path, (tree) => Option.map(Option.fromUndefinedOr(tree.nodes.get(path)), DataTree.statOf)),
    children: (path) => readNode(path, DataTree.childrenOf),
    multi,
    sync: (path) => read(path, () => undefined),
    watch: (path) =>
      watchWith(path, "data", (tree) => Option.map(Option.fromUndefinedOr(tree.nodes.get(path)), znodeOf)).pipe(
        Stream.changesWith(isSameZnode)
      ),
    watchChildren: (path) =>
      watchWith(path, "children", (tree) => {
        const node = tree.nodes.get(path)
        return { pzxid: node?.pzxid ?? 0, names: node === undefined ? [] : DataTree.childrenOf(node) }
      }).pipe(
        Stream.changesWith((a, b) => a.pzxid === b.pzxid || (a.names.length === 0 && b.names.length === 0)),
        Stream.map(({ names }) => names)
      ),
    session: Effect.sync(() => session),
    sessionChanges: Stream.fromPubSub(changes).pipe(Stream.takeUntil(({ state }) => isClosed && state === "Lost"))
  })

  /** Follows a session that the server has ended with the next one; none once the server or the layer is closed. */
  const renew = (): Option.Option<Effect.Effect<void>> => {
    if (isClosed) return Option.none()
    const { generation } = session
    become({ id, generation, state: "Lost" })
    return Option.map(server.openSession(), (next) => {
      id = next.id
      become({ id, generation: generation + 1, state: "Connecting" })
      become({ id, generation: generation + 1, state: "Connected" })
      return next.ended
    })
  }
  const keepRenewing = Effect.gen(function* () {
    let ended = Option.some(first.ended)
    while (Option.isSome(ended)) {
      yield* ended.value
      while (!linked.isOpen()) yield* linked.await
      ended = renew()
    }
  })
  yield* Effect.forkScoped(keepRenewing)

  yield* Effect.addFinalizer(() =>
    Effect.suspend(() => {
      isClosed = true
      become({ ...session, state: "Lost" })
      isConnected.openUnsafe()
      for (const kick of kicks) Queue.endUnsafe(kick)
      return server.closeSession(id)
    })
  )

  const faults: Faults = {
    suspend: Effect.sync(() => {
      linked.closeUnsafe()
      become({ ...session, state: "Suspended" })
    }),
    resume: Effect.sync(() => {
      linked.openUnsafe()
      // Otherwise the server has ended the session, and "keepRenewing" waits for this link.
      if (server.isOpen(id)) become({ ...session, state: "Connected" })
    }),
    expire: Effect.suspend(() => {
      const { generation, state: before } = session
      const isRenewed = Stream.fromPubSub(changes).pipe(
        Stream.filter((next) => next.generation > generation && next.state === "Connected"),
        Stream.take(1),
        Stream.runDrain
      )
      return Effect.andThen(server.closeSession(id), before === "Suspended" ? Effect.void : isRenewed)
    }),
    loseNextRequest: Effect.sync(() => void (nextWrite = "RequestLost")),
    loseNextReply: Effect.sync(() => void (nextWrite = "ReplyLost"))
  }
  return { zooKeeper, faults }
})

/** {@link make} as the service alone. */
export const layer = (server: Server, options: { readonly maximumPacketBytes: number }): Layer.Layer<ZooKeeper> =>
  Layer.effect(
    ZooKeeper,
    Effect.map(make(server, options), ({ zooKeeper }) => zooKeeper)
  )

const mayPass = (error: ZooKeeperError | Cause.Done): boolean =>
  error._tag === "ZooKeeperError" && error.reason._tag !== "InvalidPath"

const znodeOf = (node: DataTree.Node): Znode => ({ data: node.data, stat: DataTree.statOf(node) })

const connectionLoss: Extract<Answer<never>, { _tag: "Failed" }> = {
  _tag: "Failed",
  reason: { _tag: "ConnectionLoss" }
}
