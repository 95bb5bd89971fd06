/**
 * The network of a simulated run. A channel is a TCP connection that carries messages: in order in each direction,
 * late by chance, and until it breaks without loss. Channels differ in their delays, so what comes by different ones may
 * overtake each other.
 *
 * What strikes is what a real network does: two hosts are cut off from each other, in one direction or in both, and TCP
 * sends again until that is over or it gives up; a connection is reset; a machine loses power and says nothing, so
 * that its peers sit at a connection half open.
 */
import type { RandomStream } from "../../domain/simulation/RandomStream.ts"
import type { Kernel } from "./Kernel.ts"
import type { Process } from "./Process.ts"

/** What an end of a channel is told, in order. `closed` comes once and last. */
export interface Handlers<M> {
  readonly message: (message: M) => void
  /** `end`: the peer has closed, after all that it had sent; `reset`: the connection broke off. */
  readonly closed: (how: "end" | "reset") => void
}

/** What an answer to a dial is: the channel, or undefined when there is none. */
export type Dialled<M> = (end: End<M> | undefined) => void

interface Listener {
  readonly process: Process
  readonly incarnation: number
  readonly accept: (end: End<never>) => Handlers<never>
}

/** How long TCP sends again what nobody acknowledges, in microseconds: between these two. */
const leastPersistence = 15_000_000
const mostPersistence = 60_000_000

/** How often it does so, in microseconds. */
const retransmission = 1_000_000

/** After so long a dial gives up. */
const dialTimeout = 5_000_000

/** A message in a hundred takes this much longer, on average. */
const tailMicros = 20_000

/** One end of a channel. The other is `peer`. */
export class End<M> {
  readonly host: string
  /** Called when the peer has taken a message out of the channel: it is not under way any more. */
  whenTaken: (message: M) => void = () => {}
  peer!: End<M>
  readonly #network: Network
  readonly #owner: Process | undefined
  #handlers: Handlers<M> | undefined
  /** What has arrived and was not handed over yet. */
  #inbox: Array<() => void> = []
  #isHandingOver = false
  #isPaused = false
  /** What cannot get through at present, in order. */
  #held: Array<() => void> = []
  #lastArrival = 0
  #maySend = true
  #isClosing = false
  /** Whether the end of the peer's stream has come. */
  #hasEnded = false
  #isOver = false
  #wasTold = false

  constructor(network: Network, host: string, owner: Process | undefined) {
    this.#network = network
    this.host = host
    this.#owner = owner
    owner?.whenDead((how) => this.#abandon(how))
  }

  /** From here on, who is told. */
  attach(handlers: Handlers<M>): void {
    this.#handlers = handlers
    this.#handOver()
  }

  /** Nothing comes and nothing goes any more. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** Whether its own stream is ended, or will be soon: what still comes in is read only to be thrown away. */
  get hasClosed(): boolean {
    return this.#isClosing || !this.#maySend
  }

  /** Its stream will be ended as soon as what waits has been sent. */
  willClose(): void {
    this.#isClosing = true
  }

  send(message: M): void {
    if (this.#maySend) this.#transmit(() => this.peer.#arrive(() => this.peer.#take(message)))
  }

  /** Ends the stream, after all that was sent. The other direction goes on. */
  close(): void {
    if (!this.#maySend) return
    this.#maySend = false
    this.#transmit(() => this.peer.#arrive(() => this.peer.#ended()))
    if (this.#hasEnded) this.#finish("end")
  }

  /** Breaks it off. The peer hears of it, unless they are cut off from each other. */
  reset(): void {
    if (this.#isOver) return
    const { peer } = this
    this.#forget()
    this.#drop()
    this.#network.later(this.#network.latency(this.host, peer.host), () => {
      if (!this.#network.isCut(this.host, peer.host)) peer.breakOff()
    })
  }

  /** The end of a machine: nothing more is said, not even that it is over. */
  vanish(): void {
    this.#forget()
    this.#drop()
  }

  /** It broke: both directions are over, what was under way is lost. */
  breakOff(): void {
    if (this.#isOver) return
    this.#inbox = []
    this.#stop()
    this.#inbox.push(() => this.#tell("reset"))
    this.#isPaused = false
    this.#handOver()
  }

  /** Nothing is handed over until `resume`. */
  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    this.#handOver()
  }

  /** What could not get through may try again. It stays in front of all that comes after it. */
  retry(): void {
    this.#network.later(this.#network.latency(this.host, this.peer.host), () => {
      if (this.#network.isCut(this.host, this.peer.host)) return
      const held = this.#held
      this.#forget()
      for (const arrive of held) arrive()
    })
  }

  #transmit(arrive: () => void): void {
    const network = this.#network
    const at = Math.max(this.#lastArrival + 1, network.now() + network.latency(this.host, this.peer.host))
    this.#lastArrival = at
    network.later(at - network.now(), () => {
      if (this.#held.length > 0 || network.isCut(this.host, this.peer.host)) this.#hold(arrive)
      else arrive()
    })
  }

  #hold(arrive: () => void): void {
    const network = this.#network
    this.#held.push(arrive)
    if (this.#held.length > 1) return
    network.stuck.add(this as End<never>)
    const first = this.#held
    network.later(network.persistence(), () => {
      if (this.#held !== first) return
      network.reach("network.gave-up-sending")
      this.#forget()
      this.breakOff()
    })
  }

  #forget(): void {
    this.#held = []
    this.#network.stuck.delete(this as End<never>)
  }

  /** Something has come from the peer. It is handed over at once, unless it has to wait for the owner. */
  #arrive(handOver: () => void): void {
    if (!this.#isOver) {
      const isAwaited = this.#handlers !== undefined && !this.#isPaused && this.#owner?.isPaused !== true
      if (isAwaited && this.#inbox.length === 0) {
        handOver()
        return
      }
      this.#inbox.push(handOver)
      this.#handOver()
      return
    }
    if (this.#network.isOff(this.host)) this.#network.reach("network.half-open")
    this.#disown(this.#network.now() + this.#network.persistence())
  }

  /**
   * Says that there is no such connection. A machine without power says nothing: the peer sends again, until it is
   * answered or gives up.
   */
  #disown(deadline: number): void {
    const network = this.#network
    const { peer } = this
    if (!network.isOff(this.host)) network.later(network.latency(this.host, peer.host), () => peer.breakOff())
    else if (network.now() >= deadline) peer.breakOff()
    else network.later(retransmission, () => this.#disown(deadline))
  }

  /** Hands over what has arrived, a piece at a time and in order, inside the process that owns the end. */
  #handOver(): void {
    if (this.#isHandingOver || this.#isPaused || this.#handlers === undefined || this.#inbox.length === 0) return
    this.#isHandingOver = true
    this.#network.later(
      0,
      () => {
        this.#isHandingOver = false
        if (this.#isPaused) return
        this.#inbox.shift()?.()
        this.#handOver()
      },
      this.#owner
    )
  }

  #take(message: M): void {
    if (!this.#isOver) this.#handlers!.message(message)
    this.peer.whenTaken(message)
  }

  #ended(): void {
    this.#hasEnded = true
    if (!this.#maySend) this.#finish("end")
    else this.#tell("end")
  }

  #finish(how: "end" | "reset"): void {
    if (this.#isOver) return
    this.#stop()
    this.#tell(how)
  }

  #tell(how: "end" | "reset"): void {
    if (this.#wasTold) return
    this.#wasTold = true
    this.#handlers?.closed(how)
  }

  #stop(): void {
    this.#isOver = true
    this.#maySend = false
    this.#network.open.delete(this as End<never>)
  }

  #drop(): void {
    this.#stop()
    this.#wasTold = true
    this.#inbox = []
  }

  /** The process that owned this end is gone. */
  #abandon(how: "kill" | "power" | "exit"): void {
    if (this.#isOver) return
    if (how === "power") {
      this.vanish()
      return
    }
    // What was sent still goes out. What had come and was not read turns the end into a reset.
    const hadUnread = this.#inbox.length > 0
    const { peer } = this
    const mayEnd = this.#maySend
    this.#drop()
    if (hadUnread) {
      this.#network.reach("network.unread-at-death")
      this.#transmit(() => peer.breakOff())
    } else if (mayEnd) {
      this.#transmit(() => peer.#arrive(() => peer.#ended()))
    }
  }
}

export interface NetworkOptions {
  /** The usual latency of a message, in microseconds. */
  readonly latencyMicros: number
}

export class Network {
  /** Ends that are not over. */
  readonly open = new Set<End<never>>()
  /** Ends whose messages do not get through. */
  readonly stuck = new Set<End<never>>()
  readonly #kernel: Kernel
  readonly #random: RandomStream
  readonly #options: NetworkOptions
  readonly #listeners = new Map<string, Listener>()
  readonly #off = new Set<string>()
  readonly #cuts = new Map<string, number>()
  readonly #slow = new Map<string, number>()

  constructor(kernel: Kernel, options: NetworkOptions) {
    this.#kernel = kernel
    this.#random = kernel.stream("network")
    this.#options = options
  }

  now(): number {
    return this.#kernel.now
  }

  later(micros: number, run: () => void, owner?: Process): void {
    this.#kernel.later(micros, run, owner)
  }

  reach(probe: string): void {
    this.#kernel.reach(probe)
  }

  /** How long a message from one host to another takes this time, in microseconds. */
  latency(from: string, to: string): number {
    const { latencyMicros } = this.#options
    const usual = latencyMicros * (0.5 + this.#random.float())
    const tail = this.#random.chance(0.01) ? this.#random.exponential(tailMicros) : 0
    const factor = this.#slow.size === 0 ? 1 : (this.#slow.get(direction(from, to)) ?? 1)
    return Math.round((usual + tail) * factor)
  }

  /** How long TCP sends again this time before it gives up. */
  persistence(): number {
    return leastPersistence + this.#random.below(mostPersistence - leastPersistence)
  }

  /** Listens on a port of the process's host, until the process ends. */
  listen<M>(process: Process, port: number, accept: (end: End<M>) => Handlers<M>): () => void {
    const key = `${process.name}:${port}`
    this.#off.delete(process.name)
    const { incarnation } = process
    // Listeners of all kinds of messages stand in one map; whoever dials a port knows what is spoken there.
    const listener = { process, incarnation, accept: accept as unknown as Listener["accept"] }
    this.#listeners.set(key, listener)
    const close = () => {
      if (this.#listeners.get(key) === listener) this.#listeners.delete(key)
    }
    process.whenDead((how) => {
      close()
      if (how === "power") this.#off.add(process.name)
    })
    return close
  }

  /**
   * Opens a channel from a host, or from a process on it, to a port of another host. The answer comes when the other
   * host has answered, or after a time when it does not.
   */
  dial<M>(from: string | Process, to: string, port: number, dialled: Dialled<M>): void {
    const owner = typeof from === "string" ? undefined : from
    const host = typeof from === "string" ? from : from.name
    let isAnswered = false
    let here: End<M> | undefined
    // A process that is started again has not dialled what the one before it has.
    owner?.whenDead(() => {
      isAnswered = true
    })
    const answer = (end: End<M> | undefined): void => {
      if (isAnswered) return
      isAnswered = true
      this.#kernel.later(0, () => dialled(end), owner)
    }
    this.#kernel.later(dialTimeout, () => {
      // The other side may have accepted, and its answer did not get through.
      if (!isAnswered) here?.vanish()
      answer(undefined)
    })
    this.#kernel.later(this.latency(host, to), () => {
      if (isAnswered || this.isCut(host, to) || this.isOff(to)) return
      const listener = this.#listeners.get(`${to}:${port}`)
      if (listener !== undefined && listener.process.runs(listener.incarnation)) {
        here = new End<M>(this, host, owner)
        this.#accept(here, listener)
      }
      this.#kernel.later(this.latency(to, host), () => {
        if (isAnswered) here?.reset()
        else if (!this.isCut(to, host)) answer(here)
      })
    })
  }

  #accept<M>(here: End<M>, listener: Listener): void {
    const there = new End<M>(this, listener.process.name, listener.process)
    here.peer = there
    there.peer = here
    this.open.add(here as End<never>).add(there as End<never>)
    // The kind of message that `listen` was given for this port.
    const accept = listener.accept as unknown as (end: End<M>) => Handlers<M>
    this.#kernel.later(0, () => there.attach(accept(there)), listener.process)
  }

  /** Whether the machine is without power. */
  isOff(host: string): boolean {
    return this.#off.has(host)
  }

  isCut(from: string, to: string): boolean {
    return this.#cuts.size > 0 && (this.#cuts.get(direction(from, to)) ?? 0) > 0
  }

  /** Nothing gets from one host to the other any more. */
  cut(from: string, to: string): void {
    const key = direction(from, to)
    this.#cuts.set(key, (this.#cuts.get(key) ?? 0) + 1)
  }

  /** Undoes one cut. */
  mend(from: string, to: string): void {
    const key = direction(from, to)
    this.#cuts.set(key, Math.max(0, (this.#cuts.get(key) ?? 0) - 1))
    for (const end of this.stuck) end.retry()
  }

  /** Everything from one host to the other takes this many times as long. */
  slowDown(from: string, to: string, factor: number): void {
    this.#slow.set(direction(from, to), factor)
  }

  /** Breaks off all connections between two hosts. */
  resetAll(a: string, b: string): void {
    for (const end of this.open) {
      if (end.host === a && end.peer.host === b) {
        end.peer.breakOff()
        end.breakOff()
      }
    }
  }
}

const direction = (from: string, to: string): string => `${from}>${to}`
