/**
 * One run of a plan: brokers, clients, network, disks and ZooKeeper, from the first start to the last check, in one
 * call. It never waits for anything real, and the same plan gives the same run.
 *
 * A run has phases. In the chaos the clients do what they are planned to do, and faults strike. Then everything is
 * healed, and has to converge: every client that is to be there comes back and gets what it is owed. Then the clients
 * clear up, and the brokers must hold what they held in the beginning: nothing.
 */
import type { Event, History, Violation } from "../../domain/simulation/History.ts"
import { probesOf } from "../../domain/simulation/HistoryProbes.ts"
import { ModelClient } from "../../domain/simulation/ModelClient.ts"
import { type Plan, serverHost } from "../../domain/simulation/Plan.ts"
import { judge } from "../../domain/simulation/Promises.ts"
import { BrokerHost } from "./BrokerHost.ts"
import { worldOf } from "./ClientLinks.ts"
import { Kernel } from "./Kernel.ts"
import { Network } from "./Network.ts"
import { poisoned, SimulationLeak } from "./Poison.ts"
import type { Process } from "./Process.ts"
import { strike } from "./Striking.ts"
import { Ensemble } from "./zookeeper/Ensemble.ts"
import * as ZooKeeperSimulated from "./zookeeper/ZooKeeperSimulated.ts"

/** What came of a plan. */
export interface Run {
  readonly plan: Plan
  readonly history: History
  readonly violations: ReadonlyArray<Violation>
  /** 16 hexadecimal digits over everything that happened, the choice of tasks included. */
  readonly hash: string
  /** How often each rare path was reached, by name. */
  readonly reached: ReadonlyMap<string, number>
  readonly simulatedMillis: number
}

const second = 1_000_000

/** The ZooKeeper servers of a run, and the session timeout that brokers ask for. */
const servers = [serverHost(0), serverHost(1), serverHost(2)]
const sessionTimeoutMillis = 6_000

/** How long the brokers may take to be ready in the beginning, and everything to converge after the healing. */
const startLimit = 120 * second
const convergenceLimit = 240 * second

/** How often it is tried to clear the retained messages. */
const clearingRounds = 20

/** How long nothing may have happened but pings until a run counts as converged. */
const quiet = 5 * second

/** How often it is looked whether a phase is over. */
const lookInterval = second / 4

/** Runs a plan. */
export const run = (plan: Plan): Run => {
  const simulation = new Simulation(plan)
  poisoned(() => simulation.run())
  const { kernel, history } = simulation
  return {
    plan,
    history,
    violations: judge(history),
    hash: kernel.hash(),
    reached: new Map([...kernel.reached, ...probesOf(history)]),
    simulatedMillis: Math.round(kernel.now / 1000)
  }
}

class Simulation {
  readonly kernel: Kernel
  readonly history: Array<Event> = []
  readonly #plan: Plan
  readonly #network: Network
  readonly #brokers: ReadonlyArray<BrokerHost>
  readonly #clients: ReadonlyArray<ModelClient>
  readonly #ensemble: Ensemble | undefined
  /** When a client has last sent or received anything but a ping. */
  #lastActivity = 0

  constructor(plan: Plan) {
    this.#plan = plan
    const kernel = new Kernel({ seed: plan.seed, ...plan.schedule })
    const network = new Network(kernel, plan.network)
    const note = (event: Event): void => this.#note(event)
    this.kernel = kernel
    this.#network = network
    this.#ensemble = plan.store === "ensemble" ? new Ensemble(kernel, network) : undefined
    const ensemble =
      this.#ensemble === undefined
        ? undefined
        : (process: Process) => ZooKeeperSimulated.layer(network, process, { servers, sessionTimeoutMillis })
    const surroundings = { kernel, network, plan, note, ensemble }
    this.#brokers = Array.from({ length: plan.brokers }, (_, index) => new BrokerHost(surroundings, index))
    let connections = 0
    const shared = {
      kernel,
      network,
      plan,
      note,
      nextConnection: () => connections++,
      brokers: this.#brokers.map(({ name }) => name)
    }
    this.#clients = plan.clients.map((client) => new ModelClient(client, worldOf(shared, client.name)))
  }

  run(): void {
    try {
      this.#phases()
    } catch (error) {
      const isLeak = error instanceof SimulationLeak
      this.#note({ _tag: "Failed", at: this.kernel.now, kind: isLeak ? "leak" : "defect", detail: String(error) })
    }
  }

  #phases(): void {
    const { kernel } = this
    for (const broker of this.#brokers) broker.start()
    if (!this.#until(startLimit, "the brokers to be ready", () => this.#brokers.every(({ isReady }) => isReady))) return
    this.#snapshot("empty")

    this.#phase("chaos")
    const heal = this.#schedule()
    if (kernel.run(() => false, kernel.now + this.#plan.seconds * second) === "stuck") return this.#fail("stuck", "")

    this.#phase("healed")
    heal()
    for (const client of this.#clients) client.comeOnline()
    if (!this.#until(convergenceLimit, "the run to converge", () => this.#hasConverged())) return

    this.#phase("cleared")
    // The observer last: the end of the others' sessions may bring Wills, and those may be retained.
    const [observer, ...others] = this.#clients
    if (!this.#clear(others)) return
    // Again and again: what does not fit into the observer's own queue is refused.
    for (let round = 0; round < clearingRounds && this.#retainsAnything(); round++) {
      this.#clearRetained(observer!, round)
      if (!this.#until(convergenceLimit, "the retained messages to be cleared", () => this.#hasConverged())) return
    }
    if (!this.#clear([observer!])) return
    this.#snapshot("end")
  }

  /** Sets what clients do and what strikes on its way; returns how to undo what strikes then. */
  #schedule(): () => void {
    const { kernel } = this
    this.#plan.clients.forEach(({ actions }, at) => {
      const client = this.#clients[at]!
      for (const action of actions) kernel.later(action.at * 1000, () => client.perform(action))
    })
    const target = {
      kernel,
      network: this.#network,
      brokers: this.#brokers,
      ensemble: this.#ensemble,
      note: (event: Event): void => this.#note(event)
    }
    const lifts: Array<() => void> = []
    let isHealed = false
    for (const fault of this.#plan.faults) {
      kernel.later(fault.at * 1000, () => {
        if (!isHealed) lifts.push(strike(target, fault))
      })
    }
    return () => {
      isHealed = true
      for (const lift of lifts) lift()
      this.#ensemble?.heal()
    }
  }

  #clear(clients: ReadonlyArray<ModelClient>): boolean {
    for (const client of clients) client.clear()
    const areGone = () => clients.every(({ isGone }) => isGone) && this.#isQuiet()
    return this.#until(convergenceLimit, "the clients to be gone", areGone)
  }

  #retainsAnything(): boolean {
    return this.#brokers.some((broker) => (broker.stats()?.retained ?? 0) > 0)
  }

  /** Has a client clear every topic that a retained message may stand at. */
  #clearRetained(client: ModelClient, round: number): void {
    const topics = new Set<string>()
    for (const event of this.history) {
      if (event._tag !== "Sent") continue
      const { packet } = event
      if (packet._tag === "Publish" && packet.retain && packet.topic !== "") topics.add(packet.topic)
      if (packet._tag === "Connect" && packet.will?.retain === true) topics.add(packet.will.topic)
    }
    const all = [...topics]
    // Each round begins with another topic, since the last ones may find no room.
    const first = round % Math.max(1, all.length)
    for (const topic of [...all.slice(first), ...all.slice(0, first)]) {
      client.perform({ _tag: "Publish", at: 0, topic, qos: 1, retain: true, bytes: 0, alias: false })
    }
  }

  #hasConverged(): boolean {
    return (
      this.#brokers.every(({ isReady }) => isReady) &&
      this.#clients.every(({ isSettled }) => isSettled) &&
      this.#isQuiet()
    )
  }

  #isQuiet(): boolean {
    return this.kernel.now - this.#lastActivity >= quiet
  }

  /** Goes on until it is so; a failure of the run when that takes too long. */
  #until(limit: number, what: string, isSo: () => boolean): boolean {
    const { kernel } = this
    let nextLook = 0
    let isOver = false
    const isDone = (): boolean => {
      if (kernel.now < nextLook) return false
      nextLook = kernel.now + lookInterval
      isOver = isSo()
      return isOver
    }
    const outcome = kernel.run(isDone, kernel.now + limit)
    if (outcome === "stuck") this.#fail("stuck", `nothing is left to do while waiting for ${what}`)
    if (outcome === "time") this.#fail("late", `${limit / second} s were not enough for ${what}`)
    return outcome === "done"
  }

  #fail(kind: "stuck" | "late", detail: string): void {
    this.#note({ _tag: "Failed", at: this.kernel.now, kind, detail })
  }

  #phase(phase: "chaos" | "healed" | "cleared"): void {
    this.#note({ _tag: "Phase", at: this.kernel.now, phase })
  }

  #snapshot(moment: "empty" | "end"): void {
    for (const { name: broker, stats } of this.#brokers.map((host) => ({ name: host.name, stats: host.stats() }))) {
      if (stats === undefined) continue
      const { counts, ...holds } = stats
      let sockets = 0
      for (const { host } of this.#network.open) if (host === broker) sockets++
      const named = Object.entries(counts).map(([name, value]) => [`counts.${name}`, value] as const)
      this.#note({
        _tag: "Snapshot",
        at: this.kernel.now,
        broker,
        moment,
        holds: { ...holds, sockets, ...Object.fromEntries(named) }
      })
    }
  }

  #note(event: Event): void {
    this.history.push(event)
    const { kernel } = this
    kernel.mix(event._tag)
    kernel.mixNumber(event.at)
    if (event._tag !== "Sent" && event._tag !== "Received") return
    const { connection, packet } = event
    kernel.mix(packet._tag)
    kernel.mixNumber(connection)
    kernel.mixNumber("packetId" in packet ? (packet.packetId ?? 0) : 0)
    if (packet._tag !== "PingReq" && packet._tag !== "PingResp") this.#lastActivity = kernel.now
  }
}
