/** The session of a model client against a small honest broker whose connections break off at any moment. */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import type { Packet, Publish } from "../../../src/domain/packet/Packet.ts"
import * as Payload from "../../../src/domain/simulation/Payload.ts"
import type { QoS } from "../../../src/domain/packet/Packet.ts"
import { RandomStream } from "../../../src/domain/simulation/RandomStream.ts"
import { type BrokerEnd, clientPlan, ScriptedWorld } from "./ScriptedWorld.ts"

const receiveMaximum = 4

/** Takes messages as sections 4.3.2 and 4.3.3 say, and keeps its session over connections. */
class HonestBroker {
  /** The numbers of the messages that it has taken, by QoS, in order. */
  readonly taken = { 0: [] as Array<number>, 1: [] as Array<number>, 2: [] as Array<number> }
  readonly faults: Array<string> = []
  readonly #open = new Set<number>()
  readonly #seen = new Set<number>()
  /** Identifiers of this connection that have no PUBACK or PUBCOMP yet. */
  #unacknowledged = new Set<number>()
  hasSession = false

  /** Answers what has come; `answers` is whether the answers arrive. */
  handle(end: BrokerEnd, answers: boolean): void {
    for (const packet of end.taken()) {
      const answer = this.#answer(packet)
      if (answers && answer !== undefined) end.write(answer)
    }
  }

  #answer(packet: Packet): Packet | undefined {
    switch (packet._tag) {
      case "Connect": {
        this.#unacknowledged = new Set()
        const sessionPresent = this.hasSession
        this.hasSession = true
        return { _tag: "ConnAck", sessionPresent, reasonCode: 0, properties: { receiveMaximum } }
      }
      case "Publish":
        return this.#take(packet)
      case "PubRel":
        this.#open.delete(packet.packetId)
        this.#unacknowledged.delete(packet.packetId)
        return { _tag: "PubComp", packetId: packet.packetId, reasonCode: 0 }
      case "PingReq":
        return { _tag: "PingResp" }
      default:
        this.faults.push(`an unexpected ${packet._tag}`)
        return undefined
    }
  }

  #take({ qos, packetId, payload, dup }: Publish): Packet | undefined {
    const { number } = Payload.decode(payload)!
    if (this.#unacknowledged.has(packetId)) this.faults.push(`identifier ${packetId} is in use`)
    if (qos > 0 && this.#unacknowledged.add(packetId).size > receiveMaximum) this.faults.push("too many at once")
    if (!dup && this.#seen.has(number)) this.faults.push(`message ${number} again without DUP`)
    this.#seen.add(number)
    if (qos < 2) this.taken[qos].push(number)
    else if (!this.#open.has(packetId)) this.taken[2].push(number)
    if (qos === 0) return undefined
    if (qos === 1) this.#unacknowledged.delete(packetId)
    else this.#open.add(packetId)
    return { _tag: qos === 1 ? "PubAck" : "PubRec", packetId, reasonCode: 0 }
  }
}

const firstOfEach = (numbers: ReadonlyArray<number>) => Array.from(new Set(numbers))
const ascending = (numbers: ReadonlyArray<number>) => numbers.toSorted((a, b) => a - b)

describe("the session of a model client", () => {
  it.prop(
    "brings every message over, QoS 2 once and in order, however often the connection breaks off",
    [Schema.Natural],
    ([seed]) => {
      const random = new RandomStream(seed, "test")
      const world = new ScriptedWorld(clientPlan(), seed)
      const broker = new HonestBroker()
      const counts: Record<QoS, number> = { 0: 0, 1: 0, 2: 0 }
      world.perform({ _tag: "Online", at: 0, cleanStart: false, expiry: 100 })
      let end = world.open()
      for (let step = 0; step < 60; step++) {
        const qos = random.pick<QoS>([0, 1, 2, 2])
        world.perform({ _tag: "Publish", at: 0, topic: "t", qos, retain: false, bytes: 48, alias: false })
        counts[qos]++
        if (random.chance(0.7)) broker.handle(end, random.chance(0.9))
        if (random.chance(0.2)) {
          end.events.closed("reset")
          end = world.open()
        }
      }
      // An answer that was lost on a connection that goes on would be none of an honest broker.
      end.events.closed("reset")
      end = world.open()
      for (let round = 0; round < 200; round++) broker.handle(end, true)
      assert.isTrue(world.client.isSettled)
      assert.deepStrictEqual(broker.faults, [])
      for (const qos of [1, 2] as const) {
        const taken = firstOfEach(broker.taken[qos])
        assert.strictEqual(taken.length, counts[qos], `all of QoS ${qos}`)
        assert.deepStrictEqual(taken, ascending(taken), `the order of QoS ${qos}`)
      }
      assert.deepStrictEqual(broker.taken[2], firstOfEach(broker.taken[2]))
      assert.deepStrictEqual(broker.taken[0], ascending(firstOfEach(broker.taken[0])))
    }
  )
})
