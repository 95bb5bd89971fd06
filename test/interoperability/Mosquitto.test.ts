import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { BrokerProcess } from "../process/BrokerProcess.ts"
import { type Finished, isSkipped, reason, requireClients, run, Subscriber, type Version } from "./Mosquitto.ts"

let broker: BrokerProcess
let lastName = 0

beforeAll(async () => {
  requireClients()
  broker = await BrokerProcess.start()
})

afterAll(async () => {
  await broker?.dispose()
  assert.deepEqual(broker?.complaints() ?? [], [])
})

/** A topic, or a client identifier, that no other test has. */
const fresh = (): string => `mosquitto-${++lastName}`

const to = (version: Version): ReadonlyArray<string> => ["-h", broker.host, "-p", String(broker.port), "-V", version]

/** Publishes, and expects that to succeed. */
const publish = async (version: Version, args: ReadonlyArray<string>, input?: string | Buffer): Promise<void> => {
  const { code, stderr } = await run("mosquitto_pub", [...to(version), ...args], input)
  assert.strictEqual(code, 0, stderr)
}

const subscribe = (version: Version, args: ReadonlyArray<string>, format?: string): Promise<Subscriber> =>
  Subscriber.start([...to(version), ...args], format)

/** Runs `mosquitto_sub` to its end. */
const subscribeToEnd = (version: Version, args: ReadonlyArray<string>): Promise<Finished> =>
  run("mosquitto_sub", [...to(version), ...args])

/** How a session is made to outlive its connection. */
const persistent = (version: Version, id: string): ReadonlyArray<string> =>
  version === "5" ? ["-c", "-x", "60", "-i", id] : ["-c", "-i", id]

const versions: ReadonlyArray<Version> = ["311", "5"]
const pairs = versions.flatMap((sender) => versions.map((receiver) => ({ sender, receiver })))

// Skipped only where the programs are missing and nobody asked for CI; the suite's name then says so.
describe.skipIf(isSkipped)(`mosquitto_pub and mosquitto_sub${reason}`, { concurrent: true }, () => {
  it.each([...pairs, { sender: "31", receiver: "31" } as const])(
    "exchange messages of every QoS from $sender to $receiver",
    async ({ sender, receiver }) => {
      const topic = fresh()
      const subscribers = await Promise.all(
        [0, 1, 2].map((qos) => subscribe(receiver, ["-t", topic, "-q", String(qos)]))
      )
      for (const qos of [0, 1, 2]) await publish(sender, ["-t", topic, "-q", String(qos), "-m", `at ${qos}`])
      for (const [granted, subscriber] of subscribers.entries()) {
        assert.deepEqual(
          await subscriber.take(3),
          [0, 1, 2].map((qos) => `${topic} ${Math.min(qos, granted)} 0 at ${qos}`)
        )
        await subscriber.stop()
      }
    }
  )

  it.each(pairs)("keep the order of many lines from $sender to $receiver", async ({ sender, receiver }) => {
    const lines = Array.from({ length: 300 }, (_, i) => `line ${i}`)
    for (const qos of [0, 1, 2]) {
      const topic = fresh()
      const subscriber = await subscribe(receiver, ["-t", topic, "-q", "2"], "%p")
      await publish(sender, ["-t", topic, "-q", String(qos), "-l"], `${lines.join("\n")}\n`)
      assert.deepEqual(await subscriber.take(lines.length), lines)
      await subscriber.stop()
    }
  })

  it.each(pairs)("set, replace and clear a retained message, $sender to $receiver", async ({ sender, receiver }) => {
    const topic = fresh()
    const watcher = await subscribe(receiver, ["-t", topic, "-q", "1"])
    const late = ["-t", topic, "-q", "2", "-C", "1", "-F", "%q %r %p"]
    await publish(sender, ["-t", topic, "-q", "1", "-r", "-m", "first"])
    assert.strictEqual((await subscribeToEnd(receiver, late)).stdout.toString(), "1 1 first\n")
    await publish(sender, ["-t", topic, "-q", "2", "-r", "-m", "second"])
    assert.strictEqual((await subscribeToEnd(receiver, late)).stdout.toString(), "2 1 second\n")
    await publish(sender, ["-t", topic, "-q", "1", "-r", "-n"])
    const { code, stdout } = await subscribeToEnd(receiver, [...late, "-W", "1"])
    assert.strictEqual(code, 27)
    assert.strictEqual(stdout.toString(), "")
    // Whom a message reaches as it is published does not see it as a retained one [MQTT-3.3.1-9 of 3.1.1].
    assert.deepEqual(await watcher.take(3), [`${topic} 1 0 first`, `${topic} 1 0 second`, `${topic} 1 0 `])
    await watcher.stop()
  })

  it.each(versions)("tell retained messages from new ones with %s", async (version) => {
    const topic = fresh()
    for (const name of ["a", "b"]) await publish(version, ["-t", `${topic}/${name}`, "-r", "-q", "1", "-m", name])
    const onlyRetained = run("mosquitto_sub", [...to(version), "-t", `${topic}/+`, "--retained-only", "-v", "-C", "2"])
    const { code, stdout } = await onlyRetained
    assert.strictEqual(code, 0)
    assert.deepEqual(stdout.toString().split("\n").sort(), ["", `${topic}/a a`, `${topic}/b b`])
    const onlyNew = await subscribe(version, ["-t", `${topic}/#`, "-R"], "%p")
    await publish(version, ["-t", `${topic}/c`, "-m", "new"])
    assert.strictEqual(await onlyNew.next(), "new")
    await onlyNew.stop()
    // It clears each with an empty message of its own, and has no way to end but the time.
    const removing = ["-t", `${topic}/#`, "--remove-retained", "-W", "1", "-F", "%r %p"]
    const removed = await subscribeToEnd(version, removing)
    assert.strictEqual(removed.stdout.toString(), "1 a\n1 b\n0 \n0 \n")
    const nothingLeft = await subscribeToEnd(version, ["-t", `${topic}/#`, "-W", "1"])
    assert.strictEqual(nothingLeft.stdout.toString(), "")
  })

  it("keep the RETAIN flag for a subscription of 5 that asks for it", async () => {
    const topic = fresh()
    const subscriber = await subscribe("5", ["-t", topic, "--retain-as-published"], "%r %p")
    await publish("5", ["-t", topic, "-r", "-m", "kept"])
    await publish("5", ["-t", topic, "-m", "passing"])
    assert.deepEqual(await subscriber.take(2), ["1 kept", "0 passing"])
    await subscriber.stop()
  })

  it.each(pairs)("publish the will of a killed client, $sender to $receiver", async ({ sender, receiver }) => {
    const topic = fresh()
    const watcher = await subscribe(receiver, ["-t", topic, "-q", "2"])
    for (const qos of ["0", "1", "2"]) {
      const will = ["--will-topic", topic, "--will-payload", `gone ${qos}`, "--will-qos", qos]
      const client = await subscribe(sender, ["-t", fresh(), ...will])
      await client.kill()
      assert.strictEqual(await watcher.next(), `${topic} ${qos} 0 gone ${qos}`)
    }
    await watcher.stop()
  })

  it.each(versions)("publish no will of a client of %s that says goodbye", async (version) => {
    const topic = fresh()
    const own = fresh()
    const watcher = await subscribe(version, ["-t", topic, "-q", "1"], "%p")
    const client = await subscribe(version, ["-t", own, "-C", "1", "--will-topic", topic, "--will-payload", "gone"])
    await publish(version, ["-t", own, "-m", "enough"])
    assert.strictEqual(await client.ended, 0)
    await publish(version, ["-t", topic, "-q", "1", "-m", "marker"])
    assert.strictEqual(await watcher.next(), "marker")
    await watcher.stop()
  })

  it("publish the will of a client of 5 that says goodbye with it", async () => {
    const topic = fresh()
    const watcher = await subscribe("5", ["-t", topic, "-q", "1"], "%p")
    const client = await subscribe("5", ["-t", fresh(), "--will-topic", topic, "--will-payload", "gone"])
    // On SIGTERM mosquitto_sub sends DISCONNECT with reason 0x04 (Disconnect with Will Message).
    await client.stop()
    assert.strictEqual(await watcher.next(), "gone")
    await watcher.stop()
  })

  it.each(versions)("retain a will of %s that asks for it", async (version) => {
    const topic = fresh()
    const will = ["--will-topic", topic, "--will-payload", "gone", "--will-qos", "1", "--will-retain"]
    const client = await subscribe(version, ["-t", fresh(), ...will])
    const watcher = await subscribe(version, ["-t", topic])
    await client.kill()
    await watcher.next()
    await watcher.stop()
    const { stdout } = await subscribeToEnd(version, ["-t", topic, "-C", "1", "-F", "%r %p"])
    assert.strictEqual(stdout.toString(), "1 gone\n")
  })

  it("delay a will of 5, and drop it when the client is back in time", async () => {
    const topic = fresh()
    const id = fresh()
    const will = ["-t", fresh(), "--will-topic", topic, "--will-qos", "1", "-D", "will", "will-delay-interval"]
    const withWill = (payload: string, seconds: string) => [
      ...persistent("5", id),
      ...will,
      seconds,
      "--will-payload",
      payload
    ]
    const watcher = await subscribe("5", ["-t", topic, "-q", "1"], "%p")
    const first = await subscribe("5", withWill("too early", "2"))
    await first.kill()
    // Back in time, and gone again: only the second will is due.
    const second = await subscribe("5", withWill("due", "3"))
    await second.kill()
    const killed = performance.now()
    assert.strictEqual(await watcher.next(), "due")
    assert.isAtLeast(performance.now() - killed, 2_700)
    await watcher.stop()
  })

  it.each(pairs)("queue messages for an absent client, $sender to $receiver", async ({ sender, receiver }) => {
    // mosquitto_sub prints a message of QoS 2 at its PUBREL, so only one QoS at a time shows the order.
    for (const qos of ["1", "2"]) {
      const topic = fresh()
      const session = [...persistent(receiver, fresh()), "-t", topic, "-q", "2"]
      assert.strictEqual((await subscribeToEnd(receiver, [...session, "-E"])).code, 0)
      await publish(sender, ["-t", topic, "-q", "0", "-m", "not kept"])
      await publish(sender, ["-t", topic, "-q", qos, "-l"], "a\nb\nc\n")
      const { code, stdout } = await subscribeToEnd(receiver, [...session, "-C", "3", "-F", "%q %p"])
      assert.strictEqual(code, 0)
      assert.strictEqual(stdout.toString(), `${qos} a\n${qos} b\n${qos} c\n`)
    }
  })

  it.each(versions)("start afresh without -c in %s", async (version) => {
    const topic = fresh()
    const id = fresh()
    await subscribeToEnd(version, [...persistent(version, id), "-t", topic, "-q", "1", "-E"])
    await publish(version, ["-t", topic, "-q", "1", "-m", "queued"])
    const again = await subscribe(version, ["-i", id, "-t", topic, "-q", "1"], "%p")
    await publish(version, ["-t", topic, "-q", "1", "-m", "marker"])
    assert.strictEqual(await again.next(), "marker")
    await again.stop()
  })

  it("forget a session of 5 when its expiry interval is over", async () => {
    const topic = fresh()
    const endings = fresh()
    const id = fresh()
    const watcher = await subscribe("5", ["-t", endings], "%p")
    // The will waits for longer than the session lives, so it marks the session's end.
    const will = ["--will-topic", endings, "--will-payload", "ended", "-D", "will", "will-delay-interval", "60"]
    const session = ["-c", "-i", id, "-t", topic, "-q", "1"]
    const client = await subscribe("5", [...session, "-x", "1", ...will])
    await client.kill()
    await publish("5", ["-t", topic, "-q", "1", "-m", "queued"])
    assert.strictEqual(await watcher.next(), "ended")
    const again = await subscribe("5", [...session, "-x", "1"], "%p")
    await publish("5", ["-t", topic, "-q", "1", "-m", "marker"])
    assert.strictEqual(await again.next(), "marker")
    await Promise.all([again.stop(), watcher.stop()])
  })

  it.each(pairs)("share a subscription, $sender to $receiver", async ({ sender, receiver }) => {
    const topic = fresh()
    const lines = Array.from({ length: 20 }, (_, i) => `line ${i}`)
    const members = await Promise.all(
      [1, 2].map(() => subscribe(receiver, ["-t", `$share/workers/${topic}`, "-q", "1"], "%p"))
    )
    const everything = await subscribe(receiver, ["-t", topic, "-q", "1"], "%p")
    await publish(sender, ["-t", topic, "-q", "1", "-l"], `${lines.join("\n")}\n`)
    assert.deepEqual(await everything.take(lines.length), lines)
    // Round robin is the default, so each member gets every other message.
    const shares = await Promise.all(members.map((member) => member.take(lines.length / 2)))
    assert.sameMembers(shares.flat(), lines)
    await members[0]!.kill()
    await publish(sender, ["-t", topic, "-q", "1", "-l"], "a\nb\nc\n")
    assert.deepEqual(await everything.take(3), ["a", "b", "c"])
    assert.deepEqual(await members[1]!.take(3), ["a", "b", "c"])
    await Promise.all([members[1]!.stop(), everything.stop()])
  })

  it("carry the properties of a PUBLISH of 5", async () => {
    const topic = fresh()
    const subscriber = await subscribe("5", ["-t", topic], "%C|%D|%E|%F|%R|%P|%p")
    const properties = [
      ["content-type", "text/plain"],
      ["correlation-data", "corr-1"],
      ["message-expiry-interval", "60"],
      ["payload-format-indicator", "1"],
      ["response-topic", `${topic}/response`],
      ["user-property", "first", "1"],
      ["user-property", "second", "2"]
    ]
    const options = properties.flatMap((property) => ["-D", "publish", ...property])
    await publish("5", ["-t", topic, "-m", "body", ...options])
    assert.strictEqual(await subscriber.next(), `text/plain|corr-1|60|1|${topic}/response|first:1 second:2|body`)
    await subscriber.stop()
  })

  it("count the expiry of a message down while it waits, and drop what has expired", async () => {
    const topic = fresh()
    const endings = fresh()
    const session = [...persistent("5", fresh()), "-t", topic, "-q", "1"]
    await subscribeToEnd("5", [...session, "-E"])
    const expiring = (seconds: number) => ["-D", "publish", "message-expiry-interval", String(seconds)]
    await publish("5", ["-t", topic, "-q", "1", "-m", "short", ...expiring(1)])
    await publish("5", ["-t", topic, "-q", "1", "-m", "long", ...expiring(60)])
    // A delayed will comes when the broker's time has gone on by two seconds.
    const watcher = await subscribe("5", ["-t", endings], "%p")
    const timer = [...persistent("5", fresh()), "-t", fresh(), "--will-topic", endings, "--will-payload", "now"]
    const client = await subscribe("5", [...timer, "-D", "will", "will-delay-interval", "2"])
    await client.kill()
    await watcher.next()
    await watcher.stop()
    const { stdout } = await subscribeToEnd("5", [...session, "-C", "1", "-F", "%p %E"])
    const [payload, left] = stdout.toString().trim().split(" ")
    assert.strictEqual(payload, "long")
    assert.isAtLeast(Number(left), 50)
    assert.isAtMost(Number(left), 58)
  })

  it.each(versions)("ask and answer with mosquitto_rr over %s", async (version) => {
    const topic = fresh()
    const responses = `${topic}/response`
    const server = await subscribe(version, ["-t", topic, "-q", "1"], "%R %p")
    const asked = run("mosquitto_rr", [...to(version), "-t", topic, "-e", responses, "-q", "1", "-m", "question"])
    const question = await server.next()
    assert.strictEqual(question, version === "5" ? `${responses} question` : " question")
    await publish(version, ["-t", responses, "-q", "1", "-m", "answer"])
    const { code, stdout } = await asked
    assert.strictEqual(code, 0)
    assert.strictEqual(stdout.toString(), "answer\n")
    await server.stop()
  })

  it.each(pairs)(
    "pass on the largest packet that is allowed and none larger, $sender to $receiver",
    async ({ sender, receiver }) => {
      const topic = fresh()
      const maximumPacketSize = 1024 * 1024
      const subscriber = await subscribe(receiver, ["-t", topic, "-q", "2"], "%p")
      for (const qos of [0, 1, 2]) {
        // Fixed header, topic, packet identifier, and in 5 the length of no properties.
        const head = 4 + 2 + topic.length + (qos === 0 ? 0 : 2) + (sender === "5" ? 1 : 0)
        const payload = Buffer.alloc(maximumPacketSize - head, "0123456789abcdef")
        await publish(sender, ["-t", topic, "-q", String(qos), "-s"], payload)
        const received = await subscriber.next()
        assert.isTrue(received === payload.toString(), `${payload.length} bytes at QoS ${qos}`)
        const tooMuch = Buffer.concat([payload, Buffer.from("!")])
        const refused = await run("mosquitto_pub", [...to(sender), "-t", topic, "-q", String(qos), "-s"], tooMuch)
        // At QoS 0 mosquitto_pub has done its part when the message is on its way.
        if (qos > 0) assert.notStrictEqual(refused.code, 0)
      }
      await publish(sender, ["-t", topic, "-q", "1", "-m", "marker"])
      assert.strictEqual(await subscriber.next(), "marker")
      await subscriber.stop()
    }
  )

  it.each(versions)("do without a payload in %s", async (version) => {
    const topic = fresh()
    const subscriber = await subscribe(version, ["-t", topic, "-q", "2"], "%q %l")
    for (const qos of ["0", "1", "2"]) await publish(version, ["-t", topic, "-q", qos, "-n"])
    assert.deepEqual(await subscriber.take(3), ["0 0", "1 0", "2 0"])
    await subscriber.stop()
  })

  it.each(versions)("end after a number of messages or a time in %s", async (version) => {
    const topic = fresh()
    const counting = await subscribe(version, ["-t", topic, "-C", "2"])
    await publish(version, ["-t", topic, "-l"], "a\nb\nc\n")
    assert.strictEqual(await counting.ended, 0)
    assert.strictEqual((await subscribeToEnd(version, ["-t", fresh(), "-W", "1"])).code, 27)
  })

  it.each(versions)("filter, unsubscribe and match wildcards in %s", async (version) => {
    const topic = fresh()
    const args = ["-t", `${topic}/+/x`, "-t", `${topic}/deep/#`, "-T", `${topic}/b/x`, "-U", `${topic}/deep/#`]
    const subscriber = await subscribe(version, args, "%t")
    for (const name of ["a/x", "b/x", "a/y", "c/x"]) await publish(version, ["-t", `${topic}/${name}`, "-m", "m"])
    assert.deepEqual(await subscriber.take(2), [`${topic}/a/x`, `${topic}/c/x`])
    await subscriber.stop()
  })
})
