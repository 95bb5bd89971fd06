/**
 * ZooKeeper in memory, for tests: a server that several sessions share, and layers that open one.
 */
import { Effect, Layer, type Scope } from "effect"
import * as DataTree from "../domain/zookeeper/DataTree.ts"
import type { ZooKeeper } from "../services/ZooKeeper.ts"
import * as Server from "./ZooKeeperServer.ts"
import * as Session from "./ZooKeeperSession.ts"

/** The limit of a ZooKeeper server that was not told another (`jute.maxbuffer`). */
const defaultMaximumPacketBytes = 1_048_575

export interface MemoryOptions {
  /** The largest request in bytes; 1,048,575 by default, as in ZooKeeper. */
  readonly maximumPacketBytes?: number
}

/** A server with an empty tree, which ends with the scope. Its sessions must be closed before. */
export const makeServer: Effect.Effect<Server.Server, never, Scope.Scope> = Effect.suspend(() =>
  Server.make({ tree: DataTree.make(), zxid: 0 })
).pipe(Effect.orDie)

/** Opens a session with a server, which ends with the scope; with the faults that can be done to it. */
export const connect = (
  server: Server.Server,
  options: MemoryOptions = {}
): Effect.Effect<{ readonly zooKeeper: ZooKeeper["Service"]; readonly faults: Session.Faults }, never, Scope.Scope> =>
  Session.make(server, { maximumPacketBytes: options.maximumPacketBytes ?? defaultMaximumPacketBytes })

/** A session with a server that others use, too. */
export const layerSession = (server: Server.Server, options: MemoryOptions = {}): Layer.Layer<ZooKeeper> =>
  Session.layer(server, { maximumPacketBytes: options.maximumPacketBytes ?? defaultMaximumPacketBytes })

/** A session with a server of its own. */
export const layer: Layer.Layer<ZooKeeper> = Layer.unwrap(Effect.map(makeServer, (server) => layerSession(server)))
