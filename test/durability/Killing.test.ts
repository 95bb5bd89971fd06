import { assert, describe, it } from "vitest"
import type { Event, History, Received as ReceivedPacket } from "../../src/domain/simulation/History.ts"
import { decode, nameOf } from "../../src/domain/simulation/Payload.ts"
import { judge } from "../../src/domain/simulation/Promises.ts"
import { reconstruct } from "../../src/domain/simulation/Reconstruction.ts"
import { numbers } from "../process/Numbers.ts"
import { PersistentClient, type Received, type Version } from "./PersistentClient.ts"
import { inWorld } from "./RealWorld.ts"

const topic = "load"

/** Messages of each publisher. */
const each = 250

/** Messages that a publisher has under way; the broker allows 64. */
const window = 30

/** What each publisher publishes, in order. */
const messagesOf = ({ name }: PersistentClient): ReadonlyArray<string> =>
  Array.from({ length: each }, (_, i) => `${name}/m${i + 1}`)

/** Publishes all of its messages, some at a time. */
const publishAll = async (publisher: PersistentClient, qos: 1 | 2, acknowledged: () => void): Promise<void> => {
  let left = each
  const one = async (): Promise<void> => {
    while (left-- > 0) {
      await publisher.publish(topic, qos)
      acknowledged()
    }
  }
  await Promise.all(Array.from({ length: window }, one))
}

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

/** Lets the broker end again and again while it is under load. Returns the history, in which nothing was wrong. */
const underLoad = async ({ qos, version, subscriber: place, end, seed }: Case): Promise<History> => {
  const { history } = await inWorld([], async (world) => {
    const below = numbers(seed)
    const subscriber = new PersistentClient(world, version, "subscriber")
    await subscriber.connect()
    await subscriber.subscribe(topic, 2)
    if (place === "away") await subscriber.disconnect()
    const publishers = ([4, 5, 5] as const).map((v, i) => new PersistentClient(world, v, `publisher-${i}`))
    for (const publisher of publishers) await publisher.connect()

    // The broker ends when so many messages are acknowledged or delivered since its last start.
    let untilEnd = 1 + below(60)
    let endsLeft = 4
    let restarting: Promise<void> = Promise.resolve()
    const restart = async (): Promise<void> => {
      if (end === "kill") await world.kill()
      else assert.strictEqual((await world.stop()).code, 0)
      await world.restart()
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
    const last = await publishers[0]!.publish(topic, qos)
    const received: Array<Received> = []
    for (let message = await subscriber.received.next(); message.name !== last;) {
      received.push(message)
      message = await subscriber.received.next()
    }

    assert.strictEqual(endsLeft, 0)
    const { publications } = reconstruct(world.history)
    for (const publisher of publishers) {
      const came = received.filter(({ name }) => name.startsWith(`${publisher.name}/`))
      const names = came.map(({ name }) => name)
      // Lost is nothing, and what came first came in order; at QoS 2 that is all that came.
      assert.deepEqual(qos === 2 ? names : [...new Set(names)], messagesOf(publisher))
      for (const name of messagesOf(publisher)) {
        const copies = came.filter((message) => message.name === name)
        const timesSent = publications.get(name)!.sendings.length
        // Another copy is either the broker's resend, marked with DUP, or the publisher's.
        const unmarked = copies.filter(({ dup }) => !dup)
        assert.isAtMost(unmarked.length, timesSent, name)
        if (place === "away") assert.isAtMost(copies.length, timesSent, name)
        if (place === "away") assert.deepEqual(unmarked, copies, "nothing was sent before")
      }
    }
  })
  return history
}

/** Starting a broker takes its time on a machine that does other work. */
const timeout = 60_000

describe("a durable session under load", { timeout }, () => {
  it.each(cases)(
    "gets every acknowledged message of QoS $qos when its broker ends by $end again and again while it is $subscriber",
    async (one) => {
      const history = await underLoad(one)
      assert.lengthOf(
        history.filter(({ _tag }) => _tag === "Ended"),
        4
      )
    }
  )
})

/** A PUBLISH that a client has received. */
interface Delivery extends ReceivedPacket {
  readonly packet: Extract<ReceivedPacket["packet"], { readonly _tag: "Publish" }>
}

/** The deliveries of this message. */
const isDelivery =
  (name: string) =>
  (event: Event): event is Delivery => {
    if (event._tag !== "Received" || event.packet._tag !== "Publish") return false
    const id = decode(event.packet.payload)
    return id !== undefined && nameOf(id) === name
  }

describe("the checkers of the simulation", { timeout }, () => {
  it("would have caught a broker that loses, doubles or disorders a message when it is killed", async () => {
    const history = await underLoad({ qos: 2, version: 5, subscriber: "there", end: "kill", seed: 7 })
    const names = (of: History): ReadonlyArray<string> =>
      judge(of).map(({ promise, detail }) => `${promise}: ${detail}`)
    const is = isDelivery("publisher-1/m100")
    const isNext = isDelivery("publisher-1/m101")
    const one = history.find(is)!
    const next = history.find(isNext)!

    const [lost, ...noOther] = names(history.filter((event) => !is(event)))
    assert.match(lost!, /^acknowledged-lost: publisher-1\/m100 .* never reached subscriber/)
    assert.deepEqual(noOther, [])

    const again = { ...one, packet: { ...one.packet, packetId: 0xffff } }
    const doubled = names(history.flatMap((event) => (event === one ? [one, again] : [event])))
    assert.match(doubled.join("\n"), /^exactly-once-doubled: .* got publisher-1\/m100 2 times as new/m)

    const swapped = names(
      history.map((event) => {
        if (event === one) return { ...one, packet: next.packet }
        return event === next ? { ...next, packet: one.packet } : event
      })
    )
    assert.match(swapped.join("\n"), /^out-of-order: .* got publisher-1\/m100 .* after publisher-1\/m101/m)
  })
})
