import { spawn } from "node:child_process"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { isSkipped, RealEnsemble, reason } from "../ensemble/RealEnsemble.ts"
import { Client } from "../interoperability/MqttJs.ts"
import { BrokerProcess } from "./BrokerProcess.ts"

const timeout = 60_000
const sessionTimeout = "zookeeper.sessionTimeout=1500 ms"

/** Runs a broker that does not come to serve, to its end. */
const refused = (...args: ReadonlyArray<string>) =>
  new Promise<{ readonly code: number | null; readonly err: string }>((resolve) => {
    const child = spawn(
      process.execPath,
      ["dist/mqttzoo.js", "broker", "--host", "127.0.0.1", "--port", "0", ...args],
      {
        stdio: ["ignore", "ignore", "pipe"]
      }
    )
    let err = ""
    child.stderr.on("data", (chunk) => (err += chunk))
    child.on("close", (code) => resolve({ code, err }))
  })

describe("a broker with a connect string that is none", () => {
  it("ends with 2 and one line that says why", async () => {
    const { code, err } = await refused("--zookeeper", "zk1:99999/x")
    assert.strictEqual(code, 2)
    assert.match(err, /^mqttzoo: "zk1:99999\/x" is not a ZooKeeper connect string [^\n]*99999[^\n]*\n$/)
  })
})

// Skipped only where ZooKeeper is not installed and CI is not set; the title says so.
describe.skipIf(isSkipped)(`a broker on a real ZooKeeper${reason}`, { timeout }, () => {
  let ensemble: RealEnsemble

  beforeAll(async () => {
    ensemble = await RealEnsemble.start(1)
  }, timeout)

  afterAll(() => ensemble?.dispose())

  const at = (chroot: string): string => `127.0.0.1:${ensemble.portOf(0)}${chroot}`

  it("has a durable session's messages and what is retained after kill -9", async () => {
    const broker = await BrokerProcess.start(`zookeeper.connect=${at("/kept/deep")}`, sessionTimeout, "id=b")
    try {
      const absent = await Client.connect(broker, 5, {
        clientId: "absent",
        clean: true,
        properties: { sessionExpiryInterval: 600 }
      })
      await absent.mqtt.subscribeAsync("a/#", { qos: 1 })
      await absent.mqtt.endAsync()
      const publisher = await Client.connect(broker, 5)
      for (let at = 0; at < 50; at++) await publisher.mqtt.publishAsync(`a/${at}`, `message ${at}`, { qos: 1 })
      await publisher.mqtt.publishAsync("kept", "retained", { qos: 1, retain: true })
      await broker.kill()
      await broker.restart()
      const back = await Client.connect(broker, 5, {
        clientId: "absent",
        clean: false,
        properties: { sessionExpiryInterval: 600 }
      })
      assert.isTrue((await back.connacks.next(timeout)).sessionPresent)
      for (let at = 0; at < 50; at++) {
        assert.strictEqual((await back.messages.next(timeout)).payload, `message ${at}`)
      }
      await back.mqtt.subscribeAsync("kept")
      assert.strictEqual((await back.messages.next(timeout)).payload, "retained")
      await back.mqtt.endAsync()
      assert.deepStrictEqual(broker.complaints(), [])
    } finally {
      await broker.dispose()
    }
  })

  it("refuses a second one on its tree, and names the first", async () => {
    const broker = await BrokerProcess.start(`zookeeper.connect=${at("/alone")}`, sessionTimeout, "id=first")
    try {
      const flags = ["--zookeeper", at("/alone"), "--zookeeper-session-timeout", "1500 ms", "--id", "second"]
      const { code, err } = await refused(...flags, "--log-level", "none")
      assert.strictEqual(code, 1)
      assert.match(err, /^mqttzoo: another broker, "first", works with this ZooKeeper tree: [^\n]*\n$/)
      const client = await Client.connect(broker, 4)
      await client.mqtt.endAsync()
      await broker.stop()
      assert.deepStrictEqual(broker.complaints(), [])
    } finally {
      await broker.dispose()
    }
  })

  it("serves through a restart of ZooKeeper, and starts when it comes", async () => {
    const broker = await BrokerProcess.start(`zookeeper.connect=${at("/away")}`, "zookeeper.sessionTimeout=20 s")
    try {
      const client = await Client.connect(broker, 5)
      await ensemble.kill(0)
      const retained = client.mqtt.publishAsync("kept", "1", { qos: 1, retain: true })
      await ensemble.heal()
      await retained
      await client.mqtt.endAsync()
      await broker.stop()
      await ensemble.kill(0)
      const restarting = broker.restart()
      while (!broker.log().some(({ message }) => message.startsWith("no ZooKeeper server of"))) {
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
      await ensemble.heal()
      await restarting
      const again = await Client.connect(broker, 5)
      await again.mqtt.subscribeAsync("kept")
      assert.strictEqual((await again.messages.next(timeout)).payload, "1")
      await again.mqtt.endAsync()
      assert.deepStrictEqual(broker.complaints(), [])
    } finally {
      await broker.dispose()
    }
  })
})
