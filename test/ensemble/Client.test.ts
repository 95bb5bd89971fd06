import { describe, it } from "@effect/vitest"
import { Effect, Logger } from "effect"
import { afterAll, beforeAll } from "vitest"
import * as ZooKeeperClient from "../../src/layers/ZooKeeperClient.ts"
import { zooKeeperContractIn } from "../contract/ZooKeeperContract.ts"
import { isSkipped, RealEnsemble, reason } from "./RealEnsemble.ts"

// Skipped only where ZooKeeper is not installed and CI is not set; the title says so.
describe.skipIf(isSkipped).each([1, 3] as const)(`the client with %i real ZooKeeper servers${reason}`, (count) => {
  let ensemble: RealEnsemble
  let chroots = 0

  beforeAll(async () => {
    ensemble = await RealEnsemble.start(count)
  }, 90_000)

  afterAll(() => ensemble?.dispose())

  zooKeeperContractIn("client", (sentence, program) =>
    it.live(sentence, () => {
      const chroot = `/test/${++chroots}`
      const servers = Array.from({ length: count }, (_, at) => ({ host: "127.0.0.1", port: ensemble.portOf(at) }))
      const connect = Effect.orDie(ZooKeeperClient.make({ ensemble: { servers, chroot }, sessionTimeoutMillis: 6_000 }))
      return Effect.provide(program({ connect, maximumPacketBytes: 1_048_575, chroot }), Logger.layer([]))
    })
  )
})
