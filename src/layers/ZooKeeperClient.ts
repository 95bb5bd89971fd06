/**
 * ZooKeeper as a client of a real ensemble.
 *
 * Its parts are in `zookeeper/`: `Client.ts` keeps the session, `Service.ts` is the service over it (the simulated
 * ensemble has the same two), `DialTcp.ts` and `Packets.ts` bring both to the network. How the client behaves:
 *
 * - A request that is not answered within the session timeout, and two thirds of that time without a byte from the
 *   server, end the connection: what was under way fails with ConnectionLoss, and the next server is tried. A server
 *   that takes the connection and says nothing has its part of the session timeout, by the number of servers.
 * - 200 requests are under way at most, those beyond it wait here. Without a connection nothing waits: requests, and
 *   those that still waited when the connection went, fail with Unavailable at once.
 * - No request is sent twice.
 * - Whether the session is over is for the ensemble to say, which keeps sessions through its own outages. Until then the
 *   session is Suspended; whoever owns something by it has to stop by then.
 */
import { Effect, Fiber, Layer, type Scope, Stream } from "effect"
import { type ConnectString, formatServer } from "../domain/zookeeper/ConnectString.ts"
import { create } from "../domain/zookeeper/Znode.ts"
import { supervised } from "../services/Supervision.ts"
import { type Session, ZooKeeper, type ZooKeeperError } from "../services/ZooKeeper.ts"
import * as DialTcp from "./zookeeper/DialTcp.ts"
import * as Service from "./zookeeper/Service.ts"

export interface ClientOptions {
  readonly ensemble: ConnectString
  /** What to ask for; the ensemble may grant more or less. */
  readonly sessionTimeoutMillis: number
  /** The largest request in bytes, as the servers have it in `jute.maxbuffer`; 1,048,575 by default. */
  readonly maximumPacketBytes?: number
  /** The number that the first request follows; 0 by default. Near 2^31 in tests. */
  readonly lastXid?: number
}

/**
 * Opens a session, which ends with the scope. It waits until a server lets it have one, and says so in the log. The
 * chroot is created where it does not exist; the error is the ensemble's refusal to.
 */
export const make = Effect.fnUntraced(function* (
  options: ClientOptions
): Effect.fn.Return<ZooKeeper["Service"], ZooKeeperError, Scope.Scope> {
  const { ensemble, ...rest } = options
  const servers = ensemble.servers.map(formatServer)
  const open = (at: ConnectString) => Service.make(DialTcp.make(at), { ...rest, servers, chroot: at.chroot })

  const complaint = yield* Effect.forkChild(complain(servers))
  const createChroot = Effect.scoped(
    Effect.flatMap(open({ ...ensemble, chroot: "" }), (zooKeeper) => createAll(zooKeeper, ensemble.chroot))
  )
  const opened = Effect.andThen(ensemble.chroot === "" ? Effect.void : createChroot, open(ensemble))
  const zooKeeper = yield* Effect.ensuring(opened, Fiber.interrupt(complaint))
  yield* Effect.forkScoped(supervised("the log of the ZooKeeper session", logChanges(zooKeeper)))
  return zooKeeper
})

/** {@link make} as a layer. */
export const layer = (options: ClientOptions): Layer.Layer<ZooKeeper, ZooKeeperError> =>
  Layer.effect(ZooKeeper, make(options))

/** Between two complaints, at most: the time doubles from one to the next. */
const leastComplaintMillis = 2_000
const maximumComplaintMillis = 60_000

/** Says that no server can be reached, for as long as it runs. */
const complain = (servers: ReadonlyArray<string>, everyMillis = leastComplaintMillis): Effect.Effect<never> =>
  Effect.sleep(everyMillis).pipe(
    Effect.andThen(Effect.logWarning(`no ZooKeeper server of ${servers.join(", ")} serves us yet: trying again`)),
    Effect.andThen(Effect.suspend(() => complain(servers, Math.min(maximumComplaintMillis, 2 * everyMillis))))
  )

/** Creates a znode and those above it, where they do not exist. */
const createAll = (zooKeeper: ZooKeeper["Service"], path: string): Effect.Effect<void, ZooKeeperError> => {
  const levels = path.split("/").slice(1)
  const paths = levels.map((_, at) => `/${levels.slice(0, at + 1).join("/")}`)
  return Effect.forEach(paths, (path) => createOne(zooKeeper, path), { discard: true })
}

const createOne = (zooKeeper: ZooKeeper["Service"], path: string): Effect.Effect<void, ZooKeeperError> =>
  untilConnected(zooKeeper).pipe(
    Effect.andThen(zooKeeper.multi([create(path, new Uint8Array(0))])),
    Effect.catchIf(
      ({ reason }) => reason._tag === "NodeExists",
      () => Effect.void
    ),
    // To create it again is harmless.
    Effect.retry({ while: ({ reason }) => passing.has(reason._tag) }),
    Effect.asVoid
  )

/** What the next connection may not have. */
const passing: ReadonlySet<ZooKeeperError["reason"]["_tag"]> = new Set(["ConnectionLoss", "SessionLost", "Unavailable"])

const untilConnected = (zooKeeper: ZooKeeper["Service"]): Effect.Effect<void> =>
  zooKeeper.sessionChanges.pipe(
    Stream.takeUntil(({ state }) => state === "Connected"),
    Stream.runDrain
  )

const logChanges = (zooKeeper: ZooKeeper["Service"]): Effect.Effect<void> =>
  Stream.runForEach(zooKeeper.sessionChanges, ({ id, generation, state }: Session) => {
    const session = `session ${id} (generation ${generation})`
    switch (state) {
      case "Connected":
        return Effect.logInfo(`connected to ZooKeeper, ${session}`)
      case "Suspended":
        return Effect.logWarning(`the connection to ZooKeeper is lost, ${session}`)
      case "Lost":
        return Effect.logInfo(`the ZooKeeper ${session} is over`)
      case "Connecting":
        return Effect.void
    }
  })
