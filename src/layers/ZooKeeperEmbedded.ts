/**
 * ZooKeeper for one broker without an ensemble: a server in this process that keeps its tree in a {@link Store}.
 *
 * A write is confirmed, and seen by anyone, after the store has it: what was confirmed survives `kill -9` and a power
 * cut. Writes that arrive while a commit is under way share the next one.
 */
import { Effect, Layer, type Scope } from "effect"
import * as DataTree from "../domain/zookeeper/DataTree.ts"
import * as ZnodeRecord from "../domain/zookeeper/ZnodeRecord.ts"
import { type Change, Store, StoreError } from "../services/Store.ts"
import type { ZooKeeper } from "../services/ZooKeeper.ts"
import * as Server from "./ZooKeeperServer.ts"
import * as Session from "./ZooKeeperSession.ts"

/** The limit where no network is in between: 16 MiB. */
const defaultMaximumPacketBytes = 16 * 1024 * 1024

export interface EmbeddedOptions {
  /** The largest request in bytes; 16 MiB by default. */
  readonly maximumPacketBytes?: number
}

/**
 * A server over the tree in the store, which ends with the scope. It removes the ephemerals of the process that had
 * the store before, and goes on with its zxids. A store that cannot be read or written is a StoreError.
 */
export const makeServer: Effect.Effect<Server.Server, StoreError, Store | Scope.Scope> = Effect.gen(function* () {
  const store = yield* Store
  const tree = DataTree.make()
  const zxid = yield* load(store, tree)
  return yield* Server.make({
    tree,
    zxid,
    commit: (changed, last) => store.commit(changesOf(tree, changed, last))
  })
})

/** A session with a server of its own over the store. */
export const layer = (options: EmbeddedOptions = {}): Layer.Layer<ZooKeeper, StoreError, Store> =>
  Layer.unwrap(Effect.map(makeServer, (server) => layerSession(server, options)))

/** A session with a server that others use, too. */
export const layerSession = (server: Server.Server, options: EmbeddedOptions = {}): Layer.Layer<ZooKeeper> =>
  Session.layer(server, { maximumPacketBytes: options.maximumPacketBytes ?? defaultMaximumPacketBytes })

/** Fills the tree and returns the last zxid. */
const load = Effect.fnUntraced(function* (store: Store["Service"], tree: DataTree.DataTree) {
  const damaged = (error: ZnodeRecord.BadRecord) =>
    new StoreError({ directory: store.directory, reason: { _tag: "Damaged", why: error.message } })
  let zxid = 0
  for (const { key, value } of yield* store.load) {
    if (key === ZnodeRecord.zxidKey) {
      zxid = yield* Effect.mapError(Effect.fromResult(ZnodeRecord.decodeZxid(value)), damaged)
    } else {
      const node = yield* Effect.mapError(Effect.fromResult(ZnodeRecord.decodeNode(key, value)), damaged)
      if (!DataTree.restore(tree, node)) {
        return yield* damaged(new ZnodeRecord.BadRecord({ key, why: `is ${node.path} without its parent` }))
      }
    }
  }
  return zxid
})

const changesOf = (
  tree: DataTree.DataTree,
  changed: ReadonlySet<DataTree.Node>,
  zxid: number
): ReadonlyArray<Change> => {
  const changes: Array<Change> = [{ key: ZnodeRecord.zxidKey, value: ZnodeRecord.encodeZxid(zxid) }]
  for (const node of changed) {
    const isThere = tree.nodes.get(node.path) === node
    changes.push({
      key: ZnodeRecord.keyOf(node.serial),
      value: isThere ? ZnodeRecord.encodeNode(node) : undefined
    })
  }
  return changes
}
