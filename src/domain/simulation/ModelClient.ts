/**
 * A client of MQTT 3.1.1 or 5.0 that carries out its part of a plan and behaves by the book whatever happens to its
 * broker: it connects again by itself and keeps its session (`ModelSession.ts`). All that it sends and receives goes
 * into the history.
 */
import type { ConnAck, Connect, Packet, Will } from "../packet/Packet.ts"
import { ModelConnection, type Ending, type Owner } from "./ModelConnection.ts"
import { ModelSession } from "./ModelSession.ts"
import * as Payload from "./Payload.ts"
import type { Action, ClientPlan, Offline, Online, WillPlan } from "./Plan.ts"
import type { Link, World } from "./World.ts"

/** Microseconds until the CONNACK has to be there, counted from the first attempt to open the connection. */
const connectPatience = 10_000_000

/** Microseconds until a client that has lost its connection tries the next one, at least and at most. */
const shortestRetry = 50_000
const longestRetry = 3_000_000

export class ModelClient {
  readonly name: string
  readonly #plan: ClientPlan
  readonly #world: World
  readonly #owner: Owner
  readonly #session: ModelSession
  /** How the client wants to be online, if it does. */
  #online: Online | undefined
  /** How it was last. */
  #lastOnline: Online | undefined
  /** Whether the broker certainly keeps no session of it when it is offline. */
  #isTransient = true
  /** Whether a CONNACK has come since it went online: from then on its session is there to be continued. */
  #isKnown = false
  /** Whether the last CONNECT that was sent has had no answer. */
  #isUnanswered = false
  /** Counts what could lead to a connection, so that what comes too late is known. */
  #attempt = 0
  #isDialing = false
  /** The connection that carries the session or is going to. */
  #current: ModelConnection | undefined
  /** Connections that the broker has to close because a later one took over. */
  readonly #superseded = new Set<ModelConnection>()
  #isClearing = false
  #isCleared = false

  /** A client that is offline. */
  constructor(plan: ClientPlan, world: World) {
    this.name = plan.name
    this.#plan = plan
    this.#world = world
    this.#session = new ModelSession(plan, world)
    this.#owner = {
      client: plan.name,
      version: plan.version,
      maximumPacketSize: plan.maximumPacketSize,
      received: (connection, packet) => this.#received(connection, packet),
      over: (connection) => this.#over(connection),
      isAwaiting: () => this.#session.isAwaiting
    }
  }

  /** Does what the plan says, now. What makes no sense at this moment (going online twice) is left out. */
  perform(action: Action): void {
    switch (action._tag) {
      case "Online":
        if (this.#online === undefined) this.#goOnline(action)
        return
      case "Offline":
        if (this.#online !== undefined) this.#goOffline(action)
        return
      case "TakeOver":
        if (this.#current?.phase === "open" && !this.#isDialing) this.#dial()
        return
      case "Subscribe":
        return this.#session.subscribe(action)
      case "Unsubscribe":
        return this.#session.unsubscribe(action.filter)
      case "Publish":
        return this.#session.publish(action)
      case "Stall":
        return this.#stall(action.duration)
    }
  }

  /**
   * Nothing strikes any more: reads what there is, makes sure of its connection, and fetches what its session holds,
   * without taking its time: how long everything takes to converge shall say something about the broker.
   */
  comeOnline(): void {
    this.#session.hurry()
    for (const connection of this.#superseded) connection.unstall()
    const current = this.#current
    current?.unstall()
    if (current?.phase === "open") current.ping()
    if (this.#online !== undefined || this.#lastOnline === undefined || this.#isTransient) return
    const { _tag, at, expiry } = this.#lastOnline
    this.#goOnline({ _tag, at, cleanStart: false, ...(expiry !== undefined && { expiry }) })
  }

  /** Whether it is connected if it wants to be, and nothing is under way. */
  get isSettled(): boolean {
    if (this.#isDialing) return false
    if (this.#online === undefined) return this.#current === undefined
    return this.#current?.phase === "open" && !this.#current.isPinging && this.#session.isIdle
  }

  /** Ends its session and leaves for good; `isGone` says when. Nothing may be performed after this. */
  clear(): void {
    this.#isClearing = true
    for (const connection of this.#superseded) connection.closed("client", "close")
    if (this.#online !== undefined) this.#goOffline({ _tag: "Offline", at: 0, how: "disconnect" })
    if (this.#lastOnline === undefined) this.#isCleared = true
    else this.#goOnline({ _tag: "Online", at: 0, cleanStart: true })
  }

  /** Whether it has left for good. */
  get isGone(): boolean {
    return this.#isCleared && this.#current === undefined
  }

  /** Whether the session outlives the connection. */
  #isDurable(online: Online): boolean {
    return this.#plan.version === 5 ? (online.expiry ?? 0) > 0 : !online.cleanStart
  }

  #goOnline(action: Online): void {
    this.#online = action
    this.#lastOnline = action
    this.#isKnown = false
    this.#dial()
  }

  #goOffline({ how, expiry }: Offline): void {
    const online = this.#online!
    this.#online = undefined
    this.#attempt++
    this.#isDialing = false
    const current = this.#current
    if (how === "reset") return this.#endAll("reset", "reset")
    if (how === "silence") return this.#endAll("silence", "vanish")
    const is5 = this.#plan.version === 5
    // A session that was to end with its connection cannot be given another expiry (section 3.14.2.2.2).
    const changesExpiry = is5 && expiry !== undefined && this.#isDurable(online)
    if (changesExpiry) this.#isTransient = expiry === 0
    const saysGoodbye = is5 || how === "disconnect"
    if (saysGoodbye && (current?.phase === "open" || current?.phase === "connecting")) {
      current.send({
        _tag: "Disconnect",
        reasonCode: how === "disconnect" ? 0x00 : 0x04,
        ...(changesExpiry && { properties: { sessionExpiryInterval: expiry } })
      })
    }
    this.#endAll("client", "close")
  }

  #endAll(by: "client" | "reset" | "silence", ending: Ending): void {
    this.#current?.closed(by, ending)
    for (const connection of this.#superseded) connection.closed(by, ending)
  }

  #stall(millis: number): void {
    const current = this.#current
    if (current === undefined || current.phase !== "open") return
    current.stall()
    this.#world.after(millis * 1000, () => {
      if (!current.isOver) current.unstall()
    })
  }

  /** Opens a connection, and gives up on it when no CONNACK has come in time. */
  #dial(): void {
    const attempt = ++this.#attempt
    this.#isDialing = true
    let connection: ModelConnection | undefined
    this.#world.connect({
      opened: (link) => {
        if (attempt === this.#attempt) connection = this.#begin(link)
        else link.reset()
      },
      failed: () => {
        if (attempt === this.#attempt) this.#retry()
      },
      data: (bytes, writtenAt) => connection?.data(bytes, writtenAt),
      taken: (bytes) => connection?.taken(bytes),
      closed: (by) => connection?.closed(by)
    })
    this.#world.after(connectPatience, () => {
      if (connection?.phase === "connecting") connection.closed("silence", "reset")
      else if (connection === undefined && attempt === this.#attempt && this.#isDialing) this.#retry()
    })
  }

  /** Tries to connect after a while, unless another connection is there or the client wants none by then. */
  #retry(): void {
    this.#isDialing = false
    const attempt = ++this.#attempt
    if (this.#online === undefined) return
    this.#world.after(this.#world.random.between(shortestRetry, longestRetry), () => {
      if (attempt === this.#attempt && this.#current === undefined) this.#dial()
    })
  }

  #begin(link: Link): ModelConnection {
    this.#isDialing = false
    const old = this.#current
    if (old !== undefined) {
      old.isSuperseded = true
      this.#superseded.add(old)
      this.#session.suspend()
    }
    const connection = new ModelConnection(this.#world, link, this.#owner)
    this.#current = connection
    const online = this.#online!
    if (this.#isUnanswered) this.#session.doubt()
    this.#isUnanswered = true
    if (this.#isDurable(online)) this.#isTransient = false
    connection.send(this.#connectPacket(online, connection.number))
    return connection
  }

  /** A client that has a durable session goes on with it whenever it connects again by itself. */
  #startsClean(online: Online): boolean {
    return online.cleanStart && !(this.#isKnown && this.#isDurable(online))
  }

  #connectPacket(online: Online, connection: number): Connect {
    const { name, version, keepAlive, receiveMaximum, maximumPacketSize, topicAliasMaximum } = this.#plan
    const connect: Connect = {
      _tag: "Connect",
      protocolVersion: version,
      clientId: name,
      cleanStart: this.#startsClean(online),
      keepAlive,
      ...(online.will !== undefined && { will: this.#will(online.will, connection) })
    }
    if (version !== 5) return connect
    const properties = {
      ...(online.expiry !== undefined && { sessionExpiryInterval: online.expiry }),
      ...(receiveMaximum !== undefined && { receiveMaximum }),
      ...(maximumPacketSize !== undefined && { maximumPacketSize }),
      ...(topicAliasMaximum !== undefined && { topicAliasMaximum })
    }
    return Object.keys(properties).length === 0 ? connect : { ...connect, properties }
  }

  #will({ topic, qos, retain, delay, expiry }: WillPlan, connection: number): Will {
    const payload = Payload.encode({ publisher: this.name, kind: "w", number: connection }, 0)
    const will = { topic, payload, qos, retain }
    if (this.#plan.version !== 5 || (delay === undefined && expiry === undefined)) return will
    const properties = {
      ...(delay !== undefined && { willDelayInterval: delay }),
      ...(expiry !== undefined && { messageExpiryInterval: expiry })
    }
    return { ...will, properties }
  }

  #received(connection: ModelConnection, packet: Packet): void {
    if (packet._tag === "ConnAck" && connection.phase === "connecting") return this.#connected(connection, packet)
    if (packet._tag === "Disconnect") {
      this.#session.suspend()
      return connection.awaitEnd()
    }
    if (connection.phase === "connecting") return connection.protest(0x82)
    if (packet._tag !== "PingResp") this.#session.handle(packet, connection)
  }

  #connected(connection: ModelConnection, connack: ConnAck): void {
    this.#isUnanswered = false
    if (connack.reasonCode !== 0) return connection.awaitEnd()
    connection.phase = "open"
    this.#isTransient = !this.#isDurable(this.#online!)
    if (this.#isClearing) {
      this.#isCleared = true
      return this.#goOffline({ _tag: "Offline", at: 0, how: "disconnect" })
    }
    const isPresent = connack.sessionPresent && !this.#startsClean(this.#online!)
    this.#isKnown = true
    connection.watch(connack.properties?.serverKeepAlive ?? this.#plan.keepAlive)
    this.#session.resume(connection, connack, isPresent)
  }

  #over(connection: ModelConnection): void {
    this.#superseded.delete(connection)
    if (connection !== this.#current) return
    this.#current = undefined
    this.#session.suspend()
    if (!this.#isDialing) this.#retry()
  }
}
