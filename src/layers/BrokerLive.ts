/** The one place that knows all layers: a broker that stands alone, with its ZooKeeper inside and its data on disk. */
import { Effect, Layer } from "effect"
import { Bank } from "../services/Bank.ts"
import { Broker } from "../services/Broker.ts"
import { Configuration } from "../services/Configuration.ts"
import { Journal } from "../services/Journal.ts"
import { Partitions } from "../services/Partitions.ts"
import { Passes } from "../services/Passes.ts"
import { Retained } from "../services/Retained.ts"
import { Router } from "../services/Router.ts"
import { SharedClock } from "../services/SharedClock.ts"
import * as StoreLmdb from "./StoreLmdb.ts"
import * as TransportTcp from "./TransportTcp.ts"
import * as ZooKeeperEmbedded from "./ZooKeeperEmbedded.ts"

/** A broker's services over a ZooKeeper and a Transport, which decide what world it lives in. */
export const layerServices = Broker.layer.pipe(
  Layer.provide(Router.layer),
  Layer.provide(Retained.layer),
  Layer.provide(Partitions.layer),
  Layer.provide(Journal.layer),
  Layer.provide(Bank.layer),
  Layer.provide(SharedClock.layerLocal),
  Layer.provide(Passes.layer)
)

const ZooKeeperOnDisk = Layer.unwrap(
  Effect.map(Configuration, ({ config }) =>
    // In one process there is no packet to be too large: the Bank limits what is stored.
    ZooKeeperEmbedded.layer({ maximumPacketBytes: Number.MAX_SAFE_INTEGER }).pipe(
      Layer.provide(StoreLmdb.layer(config.data.directory))
    )
  )
)

/** A running broker: it serves for as long as the layer's scope is open. */
export const layer = layerServices.pipe(Layer.provide(TransportTcp.layer), Layer.provide(ZooKeeperOnDisk))
