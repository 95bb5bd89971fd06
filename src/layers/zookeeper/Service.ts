/**
 * The ZooKeeper service over any servers that can be dialled: those of a real ensemble, and those of a simulated one.
 */
import { Cause, Effect, Option, Queue, type Scope, Stream } from "effect"
import { refusalOf } from "../../domain/zookeeper/Path.ts"
import {
  create,
  type Operation,
  type OperationResult,
  packetBytes,
  remove,
  set,
  type Stat,
  type Znode
} from "../../domain/zookeeper/Znode.ts"
import { ZooKeeper, type ZooKeeperError } from "../../services/ZooKeeper.ts"
import { atOperation, createdOf, failure, firstInvalid, isSameZnode, statOf } from "../ZooKeeperOperations.ts"
import * as Client from "./Client.ts"
import type { Notification } from "./Protocol.ts"

export interface ServiceOptions {
  /** The servers of the ensemble, as they are dialled; at least one. */
  readonly servers: ReadonlyArray<string>
  readonly sessionTimeoutMillis: number
  /** The largest request in bytes; 1,048,575 by default, as in ZooKeeper. */
  readonly maximumPacketBytes?: number
  /** What stands before each path in a packet; nothing by default. */
  readonly chroot?: string
  /** The number that the first request follows; 0 by default. */
  readonly lastXid?: number
}

/** Opens a session, which ends with the scope. It waits until there is a first connection. */
export const make = Effect.fnUntraced(function* (
  dial: Client.Dial,
  options: ServiceOptions
): Effect.fn.Return<ZooKeeper["Service"], never, Scope.Scope> {
  const maximumBytes = options.maximumPacketBytes ?? defaultMaximumPacketBytes
  /** Those who want to look again, by the path that they look at. */
  const kicks = new Map<string, Set<Kick>>()

  const onNotification = ({ type, path }: Notification): void => {
    const watching = kicks.get(path)
    if (watching === undefined) return
    for (const { queue, watched } of watching) {
      if (concerns(type, watched)) Queue.offerUnsafe(queue, undefined)
    }
  }
  const onConnected = (): void => {
    for (const watching of kicks.values()) for (const { queue } of watching) Queue.offerUnsafe(queue, undefined)
  }
  const client = yield* Client.make({
    dial,
    servers: options.servers,
    sessionTimeoutMillis: options.sessionTimeoutMillis,
    lastXid: options.lastXid ?? 0,
    onNotification,
    onConnected
  })

  const valid = <A>(path: string, asked: Effect.Effect<A, ZooKeeperError>): Effect.Effect<A, ZooKeeperError> => {
    const why = refusalOf(path)
    return why === undefined ? asked : Effect.fail(failure({ _tag: "InvalidPath", why }, path))
  }

  const multi = (operations: ReadonlyArray<Operation>): Effect.Effect<ReadonlyArray<OperationResult>, ZooKeeperError> =>
    Effect.suspend(() => {
      const invalid = firstInvalid(operations)
      if (invalid !== undefined) return Effect.fail(invalid)
      const path = operations[0]?.path ?? ""
      const bytes = packetBytes(operations, options.chroot)
      if (bytes > maximumBytes) return Effect.fail(failure({ _tag: "TooLarge", bytes, maximumBytes }, path))
      return Effect.mapError(client.ask({ _tag: "Write", operations }, path), (error) => atOperation(error, operations))
    })

  const single = (operation: Operation): Effect.Effect<OperationResult, ZooKeeperError> =>
    multi([operation]).pipe(
      Effect.map((results) => results[0]!),
      Effect.mapError((error) => failure(error.reason, error.path))
    )

  const watchExists = (path: string) => client.ask({ _tag: "Exists", path, watch: true }, path)

  const watchNode = (path: string): Effect.Effect<Option.Option<Znode>, ZooKeeperError> =>
    client.ask({ _tag: "Get", path, watch: true }, path).pipe(
      Effect.map(Option.some),
      Effect.catchIf(isNoNode, () =>
        Effect.flatMap(watchExists(path), (stat) =>
          stat === undefined ? Effect.succeed(Option.none()) : watchNode(path)
        )
      )
    )

  const watchNames = (path: string): Effect.Effect<Names, ZooKeeperError> =>
    client.ask({ _tag: "Children", path, watch: true }, path).pipe(
      Effect.map(({ names, stat }) => ({ names, pzxid: stat.pzxid })),
      Effect.catchIf(isNoNode, () =>
        Effect.flatMap(watchExists(path), (stat) =>
          stat === undefined ? Effect.succeed({ names: [], pzxid: 0 }) : watchNames(path)
        )
      )
    )

  const addKick = (path: string, kick: Kick) => {
    const watching = kicks.get(path) ?? new Set()
    kicks.set(path, watching.add(kick))
  }
  const removeKick = (path: string, kick: Kick) => {
    const watching = kicks.get(path)
    if (watching?.delete(kick) !== true || watching.size > 0) return
    kicks.delete(path)
    client.tell({ _tag: "RemoveWatches", path })
  }

  /** Looks at first, after each event, and with each connection; a read that fails for the connection waits for the next. */
  const watchWith = <A>(
    path: string,
    watched: Kick["watched"],
    look: Effect.Effect<A, ZooKeeperError>
  ): Stream.Stream<A, ZooKeeperError> =>
    Stream.unwrap(
      Effect.gen(function* () {
        const queue = yield* Queue.sliding<void, Cause.Done>(1)
        const kick: Kick = { queue, watched }
        yield* Effect.acquireRelease(
          Effect.sync(() => addKick(path, kick)),
          () => Effect.sync(() => removeKick(path, kick))
        )
        Queue.offerUnsafe(queue, undefined)
        const lookNow = Effect.andThen(
          client.isConnected.await,
          Effect.suspend((): Effect.Effect<A, ZooKeeperError | Cause.Done> =>
            client.isClosed() ? Cause.done() : valid(path, look)
          )
        ).pipe(Effect.retry({ while: isGap }))
        return Stream.fromPull(
          Effect.succeed(
            Effect.andThen(
              Queue.take(queue),
              Effect.map(lookNow, (value) => [value] as const)
            )
          )
        )
      })
    )

  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      for (const watching of kicks.values()) for (const { queue } of watching) Queue.endUnsafe(queue)
    })
  )
  yield* client.isConnected.await

  return ZooKeeper.of({
    create: (path, data, mode) => Effect.map(single(create(path, data, mode)), createdOf),
    delete: (path, version) => Effect.asVoid(single(remove(path, version))),
    set: (path, data, version) => Effect.map(single(set(path, data, version)), statOf),
    get: (path) => valid(path, client.ask({ _tag: "Get", path, watch: false }, path)),
    exists: (path) =>
      valid(
        path,
        Effect.map(client.ask({ _tag: "Exists", path, watch: false }, path), (stat: Stat | undefined) =>
          Option.fromUndefinedOr(stat)
        )
      ),
    children: (path) =>
      valid(
        path,
        Effect.map(client.ask({ _tag: "Children", path, watch: false }, path), ({ names }) => names)
      ),
    multi,
    sync: (path) => valid(path, client.ask({ _tag: "Sync", path }, path)),
    watch: (path) => watchWith(path, "data", watchNode(path)).pipe(Stream.changesWith(isSameZnode)),
    watchChildren: (path) =>
      watchWith(path, "children", watchNames(path)).pipe(
        Stream.changesWith((a, b) => a.pzxid === b.pzxid || (a.names.length === 0 && b.names.length === 0)),
        Stream.map(({ names }) => names)
      ),
    session: Effect.sync(client.session),
    sessionChanges: Stream.fromPubSub(client.changes).pipe(
      Stream.takeUntil(({ state }) => client.isClosed() && state === "Lost")
    )
  })
})

/** The limit of a ZooKeeper server that was not told another (`jute.maxbuffer`). */
const defaultMaximumPacketBytes = 1_048_575

/** Somebody who looks at a path, and is to be told when to look again. */
interface Kick {
  readonly queue: Queue.Queue<void, Cause.Done>
  readonly watched: "data" | "children"
}

interface Names {
  readonly names: ReadonlyArray<string>
  readonly pzxid: number
}

/** Birth and death of a znode matter to those who look at its children, too: there are some now, or none. */
const concerns = (type: Notification["type"], watched: Kick["watched"]): boolean =>
  type === "NodeDataChanged" ? watched === "data" : type === "NodeChildrenChanged" ? watched === "children" : true

const isNoNode = (error: ZooKeeperError): boolean => error.reason._tag === "NoNode"

/** Whether the next connection may do what this one could not. */
const isGap = (error: ZooKeeperError | Cause.Done): boolean =>
  error._tag === "ZooKeeperError" && error.reason._tag !== "InvalidPath"
