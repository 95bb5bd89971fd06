/**
 * The ZooKeeper service of a process over an ensemble in the same simulation. It is built, as in production, inside the
 * process that uses it, and runs on its clock.
 */
import { Effect, Layer } from "effect"
import { ZooKeeper } from "../../../services/ZooKeeper.ts"
import type { Dial } from "../../zookeeper/Client.ts"
import type { ServerMessage } from "../../zookeeper/Protocol.ts"
import { make, type ServiceOptions } from "../../zookeeper/Service.ts"
import type { End, Network } from "../Network.ts"
import type { Process } from "../Process.ts"
import { clientPort } from "./Ensemble.ts"
import type { Message } from "./Requests.ts"

/** Connects a process with servers of a simulated ensemble. */
export const dialOver =
  (network: Network, process: Process): Dial =>
  (server, { opened, message, closed }) => {
    let end: End<Message> | undefined
    let isClosed = false
    network.dial<Message>(process, server, clientPort, (dialled) => {
      if (dialled === undefined) {
        closed()
      } else if (isClosed) {
        dialled.reset()
      } else {
        end = dialled
        end.attach({ message: (received) => message(received as ServerMessage), closed })
        opened()
      }
    })
    return {
      send: (sent) => end?.send(sent),
      close: () => {
        isClosed = true
        end?.close()
        // What the server still sends is for nobody.
        end?.vanish()
      }
    }
  }

/** A session for a process of a simulation, as a layer. To be built inside that process. */
export const layer = (network: Network, process: Process, options: ServiceOptions): Layer.Layer<ZooKeeper> =>
  Layer.effect(
    ZooKeeper,
    Effect.suspend(() => make(dialOver(network, process), options))
  )
