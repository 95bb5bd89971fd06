/** A world for one model client in which the test is the broker: it takes what the client sends and writes what it likes. */
import { assert } from "@effect/vitest"
import * as Decoder from "../../../src/domain/packet/Decoder.ts"
import { encode } from "../../../src/domain/packet/Encoder.ts"
import type { ConnAck, Packet, ProtocolVersion } from "../../../src/domain/packet/Packet.ts"
import { ProtocolError } from "../../../src/domain/packet/ProtocolError.ts"
import type { Event } from "../../../src/domain/simulation/History.ts"
import { ModelClient } from "../../../src/domain/simulation/ModelClient.ts"
import type { Action, ClientPlan } from "../../../src/domain/simulation/Plan.ts"
import { RandomStream } from "../../../src/domain/simulation/RandomStream.ts"
import type { LinkEvents, World } from "../../../src/domain/simulation/World.ts"

/** The broker's end of a connection. */
export class BrokerEnd {
  /** What the client did to the connection, in order. */
  readonly acts: Array<"close" | "reset" | "vanish" | "stall" | "unstall"> = []
  readonly events: LinkEvents
  readonly #version: ProtocolVersion
  readonly #decoder: Decoder.Decoder

  constructor(version: ProtocolVersion, events: LinkEvents) {
    this.#version = version
    this.events = events
    this.#decoder = Decoder.make({ role: "server", version, maximumPacketSize: 2 ** 28 })
    const act = (name: BrokerEnd["acts"][number]) => () => void this.acts.push(name)
    events.opened({
      broker: "broker-1",
      write: (bytes) => this.#decoder.push(Buffer.from(bytes)),
      close: act("close"),
      reset: act("reset"),
      vanish: act("vanish"),
      stall: act("stall"),
      unstall: act("unstall")
    })
  }

  /** The packets that the client has sent since this was asked last. */
  taken(): ReadonlyArray<Packet> {
    const packets: Array<Packet> = []
    for (let packet = this.#decoder.next(); packet !== undefined; packet = this.#decoder.next()) {
      assert.isFalse(packet instanceof ProtocolError, "the client has sent what is no packet")
      packets.push(packet as Packet)
    }
    return packets
  }

  write(...packets: ReadonlyArray<Packet>): void {
    for (const packet of packets) this.events.data(encode(packet, this.#version))
  }

  /** Accepts the connection. */
  accept(sessionPresent: boolean, properties?: ConnAck["properties"]): void {
    this.write({ _tag: "ConnAck", sessionPresent, reasonCode: 0, ...(properties !== undefined && { properties }) })
  }
}

export const clientPlan = (more: Partial<ClientPlan> = {}): ClientPlan => ({
  name: "c",
  version: 5,
  keepAlive: 0,
  acknowledgeMillis: 0,
  actions: [],
  ...more
})

export class ScriptedWorld {
  readonly client: ModelClient
  readonly history: Array<Event> = []
  now = 0
  /** Attempts to connect that were neither accepted nor refused. */
  readonly dials: Array<LinkEvents> = []
  readonly #version: ProtocolVersion
  #timers: Array<{ readonly at: number; readonly run: () => void }> = []
  #connections = 0

  constructor(plan: ClientPlan, seed = 1) {
    this.#version = plan.version
    const world: World = {
      now: () => this.now,
      after: (micros, run) => void this.#timers.push({ at: this.now + micros, run }),
      random: new RandomStream(seed, plan.name),
      connect: (events) => void this.dials.push(events),
      note: (event) => void this.history.push(event),
      nextConnection: () => ++this.#connections
    }
    this.client = new ModelClient(plan, world)
  }

  perform(...actions: ReadonlyArray<Action>): void {
    for (const action of actions) this.client.perform(action)
  }

  /** Lets time pass. */
  wait(seconds: number): void {
    const end = this.now + seconds * 1_000_000
    for (;;) {
      const due = this.#timers.reduce((least, { at }) => Math.min(least, at), Infinity)
      if (due > end) break
      this.now = Math.max(this.now, due)
      const ready = this.#timers.filter(({ at }) => at === due)
      this.#timers = this.#timers.filter(({ at }) => at !== due)
      for (const { run } of ready) run()
    }
    this.now = end
  }

  /** Opens the connection that the client asks for, waiting for it as long as a client may take. */
  open(): BrokerEnd {
    if (this.dials.length === 0) this.wait(3)
    assert.strictEqual(this.dials.length, 1, "one attempt to connect")
    return new BrokerEnd(this.#version, this.dials.shift()!)
  }

  /** Opens and accepts it; what was sent until then is left out. */
  accepted(sessionPresent: boolean, properties?: ConnAck["properties"]): BrokerEnd {
    const end = this.open()
    assert.deepStrictEqual(
      end.taken().map(({ _tag }) => _tag),
      ["Connect"]
    )
    end.accept(sessionPresent, properties)
    return end
  }
}
