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
}): Effect.fn.Return<Effect.Effect<never, ZooKeeperError>, AnotherBroker, ZooKeeper | Scope.Scope> {
  const { id, patienceMillis } = options
  const zooKeeper = yield* ZooKeeper
  const isTaken = yield* Deferred.make<never, ZooKeeperError>()

  /** Creates the znode, or fails with who has it. What fails for the connection is tried again with the next one. */
  const take: Effect.Effect<void, AnotherBroker> = zooKeeper.create(path, Buffer.from(id), "Ephemeral").pipe(
    Effect.catch(() => holder),
    Effect.asVoid
  )
  /** Who has it; nobody, and it is tried again, or us. */
  const holder: Effect.Effect<void, AnotherBroker> = Effect.suspend(() =>
    Effect.flatMap(connected(zooKeeper), (session) =>
      zooKeeper.get(path).pipe(
        Effect.matchEffect({
          onFailure: () => Effect.andThen(Effect.sleep(retryMillis), take),
          onSuccess: ({ data, stat }) =>
            stat.ephemeralOwner === session.id
              ? Effect.void
              : Effect.fail(new AnotherBroker({ id: Buffer.from(data).toString() }))
        })
      )
    )
  )
  const whenGone: Effect.Effect<void, ZooKeeperError> = zooKeeper
    .watch(path)
    .pipe(Stream.takeUntil(Option.isNone), Stream.runDrain)
  yield* take.pipe(
    Effect.catch((error) =>
      Effect.logWarning(`${error.message}; it may have crashed, waiting for the end of its session`).pipe(
        Effect.andThen(Effect.timeoutOption(Effect.ignore(whenGone), patienceMillis)),
        Effect.andThen(take)
      )
    )
  )
  const keep = zooKeeper.sessionChanges.pipe(
    Stream.filter(({ state }) => state === "Connected"),
    Stream.runForEach(() => take),
    Effect.catch((error) =>
      Effect.andThen(Effect.logError(error.message), Deferred.fail(isTaken, failure({ _tag: "SessionLost" }, path)))
    )
  )
  yield* Effect.forkScoped(supervised("the hold on the ZooKeeper tree", keep))
  return Deferred.await(isTaken)
})

/** Between two tries for a znode that is neither there nor can be created. */
const retryMillis = 50

const connected = (zooKeeper: ZooKeeper["Service"]): Effect.Effect<Session> =>
  zooKeeper.sessionChanges.pipe(
    Stream.filter(({ state }) => state === "Connected"),
    Stream.runHead,
    // None when the layer is closed, and then nobody waits any more.
    Effect.flatMap(Option.match({ onNone: () => Effect.never, onSome: Effect.succeed }))
  )
