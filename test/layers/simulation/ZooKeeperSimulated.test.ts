import { assert, it } from "@effect/vitest"
import * as ZooKeeperSimulated from "../../../src/layers/simulation/zookeeper/ZooKeeperSimulated.ts"
import { subjectOf, zooKeeperContractIn } from "../../contract/ZooKeeperContract.ts"
import { maximumPacketBytes, sessionTimeoutMillis, World } from "./ZooKeeperWorld.ts"

/** One schedule of each kind. */
const schedules = [
  { seed: 1, policy: "fifo", preemption: 0 },
  { seed: 2, policy: "random", preemption: 0.02 },
  { seed: 3, policy: "priorities", preemption: 0.1 }
] as const

zooKeeperContractIn("simulated", (sentence, program) =>
  it.each(schedules)(`${sentence} ($policy)`, (schedule) => {
    const world = new World(schedule)
    const layer = ZooKeeperSimulated.layer(world.network, world.process("broker-1"), {
      servers: world.ensemble.hosts,
      sessionTimeoutMillis
    })
    assert.doesNotThrow(() => world.run("broker-1", program(subjectOf(layer, maximumPacketBytes))))
  })
)
