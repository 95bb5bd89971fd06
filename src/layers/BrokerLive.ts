/**
 * The one place that knows all layers: a broker that stands alone, with its ZooKeeper inside and its data on disk, or
 * with a tree in an ensemble.
 */
import { Duration, Effect, Layer } from "effect"
import { embeddedZooKeeper } from "../domain/config/Config.ts"
import * as ConnectString from "../domain/zookeeper/ConnectString.ts"
import { Bank } from "../services/Bank.ts"
import { Broker } from "../services/Broker.ts"
import { Configuration } from "../services/Configuration.ts"
import { Journal } from "../services/Journal.ts"
import { Partitions } from "../services/Partitions.ts"
import { Passes } from "../services/Passes.ts"
import { Retained } from "../services/Retained.ts"
import { Router } from "../services/Router.ts"
import { SharedClock } from "../services/SharedClock.ts"
import type { Transport } from "../services/Transport.ts"
import type { ZooKeeperError } from "../services/ZooKeeper.ts"
import * as OneBroker from "./OneBroker.ts"
import * as StoreLmdb from "./StoreLmdb.ts"
import * as TransportTcp from "./TransportTcp.ts"
import * as ZooKeeperClient from "./ZooKeeperClient.ts"
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

/** ZooKeeper inside this process, which keeps its tree in the data directory. */
const layerEmbedded = layerServices.pipe(
  Layer.provide(
    Layer.unwrap(
      Effect.map(Configuration, ({ config }) =>
        // In one process there is no packet to be too large: the Bank limits what is stored.
        ZooKeeperEmbedded.layer({ maximumPacketBytes: Number.MAX_SAFE_INTEGER }).pipe(
          Layer.provide(StoreLmdb.layer(config.data.directory))
        )
      )
    )
  )
)

/** A tree in an ensemble that this broker holds alone; when another has it, the broker cannot go on. */
const layerEnsemble = (ensemble: ConnectString.ConnectString) =>
  Layer.unwrap(
    Effect.map(Configuration, ({ config }) => {
      const sessionTimeoutMillis = Duration.toMillis(config.zookeeper.sessionTimeout)
      // The end of a predecessor's session comes up to a tick of the servers late.
      const holding = { id: config.id, patienceMillis: sessionTimeoutMillis + holdMarginMillis }
      return Layer.unwrap(Effect.map(OneBroker.hold(holding), layerHeld)).pipe(
        Layer.provide(ZooKeeperClient.layer({ ensemble, sessionTimeoutMillis }))
      )
    })
  )

const layerHeld = (isTaken: Effect.Effect<never, ZooKeeperError>) =>
  Layer.effect(
    Broker,
    Effect.map(Broker, (broker) => Broker.of({ ...broker, failure: Effect.raceFirst(broker.failure, isTaken) }))
  ).pipe(Layer.provide(layerServices))

const holdMarginMillis = 4_000

/** A running broker: it serves for as long as the layer's scope is open. */
export const layer = Layer.unwrap(
  Effect.gen(function* () {
    const { connect } = (yield* Configuration).config.zookeeper
    const chosen: Layer.Layer<Broker, Layer.Error<typeof layerEmbedded> | Layer.Error<Ensemble>, Needs> =
      connect === embeddedZooKeeper
        ? layerEmbedded
        : layerEnsemble(yield* Effect.fromResult(ConnectString.parse(connect)))
    return chosen
  })
).pipe(Layer.provide(TransportTcp.layer))

type Ensemble = ReturnType<typeof layerEnsemble>
type Needs = Configuration | Transport
