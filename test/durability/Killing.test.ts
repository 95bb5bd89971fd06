import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { BrokerProcess } from "../process/BrokerProcess.ts"
import { numbers } from "../process/Numbers.ts"
import { PersistentClient, type Received, type Version } from "./PersistentClient.ts"

const topic = "load"

/** Messages of each publisher. */
const each = 250

/** Messages that a publisher has under way; the broker allows 64. */
const window = 30

/** What each publisher publishes, in order. */
const payloadsOf = ({ clientId }: PersistentClient): ReadonlyArray<string> =>
  Array.from({ length: each }, (_, i) => `${clientId} ${i}`)

/** Publishes all of its messages, some at a time. */
const publishAll = async (publisher: PersistentClient, qos: 1 | 2, acknowledged: () => void): Promise<void> => {
  const waiting = [...payloadsOf(publisher)]
  const one = async (): Promise<void> => {
    for (let payload = waiting.shift(); payload !== undefined; payload = waiting.shift()) {
      await publisher.publish(topic, payload, qos)
      acknowledged()
    }
  }
  await Promise.all(Array.from({ length: window }, one))
}

/** The payloads that came from this publisher, as they came. */
const from = (publisher: PersistentClient, received: ReadonlyArray<Received>): ReadonlyArray<Received> =>
  received.filter(({ payload }) => payload.startsWith(`${publisher.clientId} `))

interface Case {
  readonly qos: 1 | 2
  readonly version: Version
  readonly subscriber: "away" | "there"
  readonly end: "kill" | "stop"
  readonly seed: number
}

const cases: ReadonlyArray<Case> = [
  { qos: 1, version: 5, subscriber: "away", end: "kill", seed: 1 },
  { qos: 1, version: 4, subscriber: "there", end: "kill", seed: 2 },
  { qos: 2, version: 4, subscriber: "away", end: "kill", seed: 3 },
  { qos: 2, version: 5, subscriber: "there", end: "kill", seed: 4 },
  { qos: 1, version: 5, subscriber: "there", end: "stop", seed: 5 },
  { qos: 2, version: 4, subscriber: "there", end: "stop", seed: 6 }
]

/** Starting a broker takes its time on a machine that does other work. */
const timeout = 60_000

describe("a durable session under load", { timeout }, () => {
  let broker: BrokerProcess

  beforeEach(async () => {
    broker = await BrokerProcess.start()
  })

  afterEach(async () => {
    await broker.dispose()
    assert.deepEqual(broker.complaints(), [])
  })

  it.each(cases)(
    "gets every acknowledged message of QoS $qos when its broker ends by $end again and again while it is $subscriber",
    async ({ qos, version, subscriber: place, end, seed }) => {
      const below = numbers(seed)
      const subscriber = new PersistentClient(broker, version, "subscriber")
      await subscriber.connect()
      await subscriber.subscribe(topic, 2)
      if (place === "away") await subscriber.disconnect()
      const publishers = ([4, 5, 5] as const).map((v, i) => new PersistentClient(broker, v, `publisher-${i}`))
      for (const publisher of publishers) await publisher.connect()

      // The broker ends when so many messages are acknowledged or delivered since its last start.
      let untilEnd = 1 + below(60)
      let endsLeft = 4
      let restarting: Promise<void> = Promise.resolve()
      const restart = async (): Promise<void> => {
        if (end === "kill") await broker.kill()
        else assert.strictEqual((await broker.stop()).code, 0)
        await broker.restart()
        untilEnd = 1 + below(200)
      }
      const happened = (): void => {
        untilEnd--
        if (untilEnd !== 0 || endsLeft === 0) return
        endsLeft--
        restarting = restart()
      }
      subscriber.onMessage = happened
      await Promise.all(publishers.map((publisher) => publishAll(publisher, qos, happened)))
      await restarting
      if (place === "away") await subscriber.connect()

      // The end of what there is to come: nobody else publishes any more.
      const last = publishers[0]!
      await last.publish(topic, "end", qos)
      const received: Array<Received> = []
      for (let message = await subscriber.received.next(); message.payload !== "end";) {
        received.push(message)
        message = await subscriber.received.next()
      }

      assert.strictEqual(endsLeft, 0)
      for (const client of [subscriber, ...publishers]) assert.deepEqual(client.faults, [])
      for (const publisher of publishers) {
        const came = from(publisher, received)
        const payloads = came.map(({ payload }) => payload)
        // Lost is nothing, and what came first came in order; at QoS 2 that is all that came.
        assert.deepEqual(qos === 2 ? payloads : [...new Set(payloads)], payloadsOf(publisher))
        for (const payload of payloadsOf(publisher)) {
          const copies = came.filter((message) => message.payload === payload)
          // Another copy is either the broker's resend, marked with DUP, or the publisher's.
          const unmarked = copies.filter(({ dup }) => !dup)
          assert.isAtMost(unmarked.length, publisher.timesSent(payload), payload)
          if (place === "away") assert.isAtMost(copies.length, publisher.timesSent(payload), payload)
          if (place === "away") assert.deepEqual(unmarked, copies, "nothing was sent before")
        }
      }
      await Promise.all([subscriber, ...publishers].map((client) => client.disconnect()))
    }
  )
})
