/**
 * Holds a ZooKeeper tree for one broker: the present broker is alone in its tree, and a second one would take its
 * partitions away. Whoever holds it owns the ephemeral znode `/broker`, which tells the broker's id.
 */
import { Deferred, Effect, Option, Schema, type Scope, Stream } from "effect"
import { supervised } from "../services/Supervision.ts"
import { type Session, ZooKeeper, type ZooKeeperError } from "../services/ZooKeeper.ts"
import { failure } from "./ZooKeeperOperations.ts"

const path = "/broker"

/** Another broker holds the tree. */
export class AnotherBroker extends Schema.TaggedError<AnotherBroker>()("AnotherBroker", {
  /** As it calls itself. */
  id: Schema.String
}) {
  override get message(): string {
    return `another broker, ${JSON.stringify(this.id)}, works with this ZooKeeper tree: give this one a chroot of its own`
  }
}

/**
 * Takes the tree until the scope ends. A broker that has crashed holds it until its session is over, so this waits for
 * up to `patienceMillis`. What it returns fails when another broker has taken the tree after our session was over; the
 * log says which.
 */
export const hold = Effect.fnUntraced(function* (options: {
  readonly id: string
  readonly patienceMillis: number
}): Effect.fn.Return<Effect.Effect<never, ZooKeeperError>, AnotherBroker | ZooKeeperError, ZooKeeper | Scope.Scope> {
  const { id, patienceMillis } = options
  const zooKeeper = yield* ZooKeeper
  const isTaken = yield* Deferred.make<never, ZooKeeperError>()

  /** Creates the znode, or fails with who has it. What fails for the connection is tried again with the next one. */
  const take: Effect.Effect<void, AnotherBroker | ZooKeeperError> = Effect.suspend(() =>
    zooKeeper.create(path, Buffer.from(id), "Ephemeral")
  ).pipe(
    Effect.catchIf(isUndecided, () => holder),
    Effect.asVoid
  )
  /** Who has it; nobody, and it is tried again, or us. */
  const holder: Effect.Effect<void, AnotherBroker | ZooKeeperError> = Effect.gen(function* () {
    const session = yield* connected(zooKeeper)
    const { data, stat } = yield* zooKeeper.get(path)
    if (stat.ephemeralOwner !== session.id) return yield* new AnotherBroker({ id: Buffer.from(data).toString() })
  }).pipe(
    Effect.catchIf(
      (error) => error._tag === "ZooKeeperError" && isUndecided(error),
      () => Effect.andThen(Effect.sleep(retryMillis), take)
    )
  )
  const whenGone: Effect.Effect<void, ZooKeeperError> = zooKeeper
    .watch(path)
    .pipe(Stream.takeUntil(Option.isNone), Stream.runDrain)
  yield* take.pipe(
    Effect.catchTag("AnotherBroker", (error) =>
      Effect.logWarning(`${error.message}; it may have crashed, waiting for the end of its session`).pipe(
        Effect.andThen(Effect.timeoutOption(Effect.ignore(whenGone), patienceMillis)),
        Effect.andThen(take)
      )
    )
  )
  const keep = zooKeeper.sessionChanges.pipe(
    Stream.filter(({ state }) => state === "Connected"),
    Stream.runForEach(() => take),
    Effect.catchTag("AnotherBroker", (error) =>
      Effect.andThen(Effect.logError(error.message), Effect.fail(failure({ _tag: "SessionLost" }, path)))
    ),
    Effect.catch((error) => Deferred.fail(isTaken, error))
  )
  yield* Effect.forkScoped(supervised("the hold on the ZooKeeper tree", keep))
  return Deferred.await(isTaken)
})

/** Whether the znode may be there, may be ours, or may be created yet. */
const isUndecided = ({ reason }: ZooKeeperError): boolean => undecided.has(reason._tag)

const undecided: ReadonlySet<ZooKeeperError["reason"]["_tag"]> = new Set([
  "NodeExists",
  "NoNode",
  "ConnectionLoss",
  "SessionLost",
  "Unavailable"
])

/** Between two tries for a znode that is neither there nor can be created. */
const retryMillis = 50

const connected = (zooKeeper: ZooKeeper["Service"]): Effect.Effect<Session> =>
  zooKeeper.sessionChanges.pipe(
    Stream.filter(({ state }) => state === "Connected"),
    Stream.runHead,
    // None when the layer is closed, and then nobody waits any more.
    Effect.flatMap(Option.match({ onNone: () => Effect.never, onSome: Effect.succeed }))
  )
