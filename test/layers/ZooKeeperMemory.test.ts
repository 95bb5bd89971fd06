import { Effect } from "effect"
import * as ZooKeeperMemory from "../../src/layers/ZooKeeperMemory.ts"
import { subjectOf, zooKeeperContract } from "../contract/ZooKeeperContract.ts"

zooKeeperContract(
  "in memory",
  Effect.map(ZooKeeperMemory.makeServer, (server) => subjectOf(ZooKeeperMemory.layerSession(server), 1_048_575))
)
