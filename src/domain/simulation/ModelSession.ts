/**
 * The session state of a model client (section 4.1) and what it does by the book with it (sections 4.3, 4.4 and 4.6):
 * its exchanges of QoS 1 and 2 in both directions, and its subscriptions. Written apart from the broker's sessions, so
 * that a mistake of theirs is not shared.
 */
import { size } from "../packet/Encoder.ts"
import type { ConnAck, Packet, Publish } from "../packet/Packet.ts"
import type { ModelConnection } from "./ModelConnection.ts"
import * as Payload from "./Payload.ts"
import type { Publish as PublishAction, Subscribe, ClientPlan } from "./Plan.ts"
import type { World } from "./World.ts"

/** How many publications of QoS 1 and 2 wait for a connection or for the broker's Receive Maximum; more are left out. */
const waitingLimit = 256

/** How often a refused subscription is asked for. */
const attempts = 10

const empty = new Uint8Array()

/** A message that the client sends with QoS 1 or 2. */
interface Exchange {
  readonly publish: Publish
  readonly usesAlias: boolean
  /** `release`: of QoS 2, and the PUBREC has come. */
  stage: "publish" | "release"
  /** The number of the connection on which it was sent last. */
  connection: number
}

/** A SUBSCRIBE or UNSUBSCRIBE that has to be answered. */
interface Request {
  readonly filter: string
  /** Without one it is an UNSUBSCRIBE. */
  readonly subscribe: Subscribe | undefined
  readonly attempt: number
  /** 0: not sent on this connection. */
  packetId: number
}

type Acknowledgement = Extract<Packet, { readonly _tag: "PubAck" | "PubRec" | "PubRel" | "PubComp" }>

export class ModelSession {
  readonly #plan: ClientPlan
  readonly #world: World
  /** The connection that carries the session. */
  #connection: ModelConnection | undefined
  #limits: NonNullable<ConnAck["properties"]> = {}
  /** In the order of their sending; a release moves to the end, which is the order of the PUBRECs [MQTT-4.6.0-4]. */
  readonly #exchanges = new Map<number, Exchange>()
  /** Exchanges of an earlier connection whose PUBLISH is to be sent again, in order [MQTT-4.6.0-1]. */
  #resends: Array<Exchange> = []
  /** How many exchanges were begun or resumed on this connection and are not complete. */
  #inFlight = 0
  /** Publications that were never sent. */
  #waiting: Array<PublishAction> = []
  /** Packet identifiers of QoS 2 messages that were received and not released. */
  readonly #taken = new Set<number>()
  /** Those of them that the broker may have forgotten: a CONNECT that nobody answered may have begun a new session. */
  #doubtful = new Set<number>()
  /** The subscriptions that the client wants to have, by filter. */
  readonly #wanted = new Map<string, Subscribe>()
  #requests: Array<Request> = []
  /** How many refused requests will be made again after a while. */
  #postponed = 0
  /** Acknowledgements to be sent, in order, and when the last of them is due. */
  #answers: Array<Acknowledgement> = []
  #isInHurry = false
  #answersDue = 0
  /** Topic aliases that the client and the broker use on this connection (section 3.3.2.3.4). */
  #aliases = new Map<string, number>()
  #aliasesOfBroker = new Map<number, string>()
  #lastPacketId = 0
  #lastNumber = 0

  constructor(plan: ClientPlan, world: World) {
    this.#plan = plan
    this.#world = world
  }

  /** Whether the broker owes an answer. */
  get isAwaiting(): boolean {
    return this.#exchanges.size > 0 || this.#requests.length > 0
  }

  /** Whether nothing is under way in either direction. */
  get isIdle(): boolean {
    return (
      !this.isAwaiting &&
      this.#waiting.length === 0 &&
      this.#postponed === 0 &&
      this.#taken.size === this.#doubtful.size &&
      this.#answers.length === 0
    )
  }

  /** A CONNECT was never answered: it may have found no session, or have ended it [MQTT-3.1.2-4]. */
  doubt(): void {
    this.#doubtful = new Set(this.#taken)
  }

  /** The CONNACK has come: goes on where the last connection ended, or begins anew if the broker knows no session. */
  resume(connection: ModelConnection, connack: ConnAck, isPresent: boolean): void {
    this.#connection = connection
    this.#limits = connack.properties ?? {}
    if (!isPresent) this.#forget()
    for (const exchange of this.#exchanges.values()) {
      if (exchange.stage === "release") this.#release(exchange, connection)
      else this.#resends.push(exchange)
    }
    this.#pump()
    this.#ask()
  }

  /** The connection is over, or carries the session no more. */
  suspend(): void {
    this.#connection = undefined
    this.#resends = []
    this.#inFlight = 0
    this.#answers = []
    this.#answersDue = 0
    this.#aliases = new Map()
    this.#aliasesOfBroker = new Map()
    for (const request of this.#requests) request.packetId = 0
  }

  /** The broker has no session: what was sent has an unknown outcome, and all subscriptions have to be made again. */
  #forget(): void {
    this.#exchanges.clear()
    this.#taken.clear()
    this.#doubtful.clear()
    this.#requests = Array.from(this.#wanted.values(), (subscribe) => ({
      filter: subscribe.filter,
      subscribe,
      attempt: 1,
      packetId: 0
    }))
  }

  /** Publishes; without a connection only QoS 1 and 2 wait for one. */
  publish(action: PublishAction): void {
    if (action.qos > 0) {
      if (this.#waiting.length < waitingLimit) this.#waiting.push(action)
      this.#pump()
    } else if (this.#connection !== undefined) this.#begin(action, this.#connection)
  }

  /** Subscribes, now or as soon as there is a connection. */
  subscribe(action: Subscribe): void {
    this.#wanted.set(action.filter, action)
    this.#request(action.filter, action, 1)
  }

  /** Unsubscribes, now or as soon as there is a connection. */
  unsubscribe(filter: string): void {
    this.#wanted.delete(filter)
    this.#request(filter, undefined, 1)
  }

  #request(filter: string, subscribe: Subscribe | undefined, attempt: number): void {
    this.#requests = this.#requests.filter((request) => request.filter !== filter || request.packetId !== 0)
    this.#requests.push({ filter, subscribe, attempt, packetId: 0 })
    this.#ask()
  }

  /** Sends the requests that were not sent on this connection. */
  #ask(): void {
    const connection = this.#connection
    if (connection === undefined) return
    for (const request of this.#requests) {
      if (request.packetId !== 0) continue
      request.packetId = this.#nextPacketId()
      const { filter, subscribe, packetId } = request
      if (subscribe === undefined) connection.send({ _tag: "Unsubscribe", packetId, filters: [filter] })
      else connection.send(this.#subscribePacket(subscribe, packetId))
    }
  }

  #subscribePacket(subscribe: Subscribe, packetId: number): Packet {
    const { filter, qos, noLocal, retainAsPublished, retainHandling, identifier } = subscribe
    if (this.#plan.version !== 5) {
      const options = { noLocal: false, retainAsPublished: false, retainHandling: 0 } as const
      return { _tag: "Subscribe", packetId, subscriptions: [{ filter, qos, ...options }] }
    }
    return {
      _tag: "Subscribe",
      packetId,
      subscriptions: [{ filter, qos, noLocal, retainAsPublished, retainHandling }],
      ...(identifier !== undefined && { properties: { subscriptionIdentifier: identifier } })
    }
  }

  #nextPacketId(): number {
    const isUsed = (id: number) => this.#exchanges.has(id) || this.#requests.some(({ packetId }) => packetId === id)
    do this.#lastPacketId = (this.#lastPacketId % 0xffff) + 1
    while (isUsed(this.#lastPacketId))
    return this.#lastPacketId
  }

  /** Sends what may be sent: first again what an earlier connection did not complete, then what waits. */
  #pump(): void {
    const connection = this.#connection
    if (connection === undefined) return
    const maximum = this.#limits.receiveMaximum ?? 0xffff
    while (this.#inFlight < maximum && this.#resends.length > 0) {
      const exchange = this.#resends.shift()!
      this.#transmit(exchange, connection, true)
    }
    while (this.#inFlight < maximum && this.#waiting.length > 0) this.#begin(this.#waiting.shift()!, connection)
  }

  /** Sends a message for the first time, unless the broker has said in its CONNACK that it would not take it. */
  #begin(action: PublishAction, connection: ModelConnection): void {
    const { topic, qos, retain, bytes, expiry } = action
    const { maximumQoS = 2, retainAvailable = 1, maximumPacketSize = Infinity } = this.#limits
    if (qos > maximumQoS || (retain && retainAvailable === 0)) return
    const id: Payload.MessageId = { publisher: this.#plan.name, kind: "m", number: this.#lastNumber + 1 }
    const is5 = this.#plan.version === 5
    const publish: Publish = {
      _tag: "Publish",
      topic,
      payload: bytes === 0 ? empty : Payload.encode(id, bytes),
      qos,
      retain,
      dup: false,
      packetId: qos === 0 ? 0 : this.#nextPacketId(),
      ...(is5 && expiry !== undefined && { properties: { messageExpiryInterval: expiry } })
    }
    const aliasSize = 3
    if (size(publish, this.#plan.version) + aliasSize > maximumPacketSize) return
    if (bytes > 0) this.#lastNumber++
    const exchange: Exchange = { publish, usesAlias: is5 && action.alias, stage: "publish", connection: 0 }
    if (qos > 0) this.#exchanges.set(publish.packetId, exchange)
    this.#transmit(exchange, connection, false)
  }

  #transmit(exchange: Exchange, connection: ModelConnection, dup: boolean): void {
    exchange.connection = connection.number
    if (exchange.publish.qos > 0) this.#inFlight++
    const publish = { ...exchange.publish, dup }
    connection.send(exchange.usesAlias ? this.#withAlias(publish) : publish)
  }

  /** Puts a topic alias in the place of the Topic Name, or beside it when it is new [MQTT-3.3.2-9]. */
  #withAlias(publish: Publish): Publish {
    const { topic } = publish
    const known = this.#aliases.get(topic)
    if (known === undefined && this.#aliases.size >= (this.#limits.topicAliasMaximum ?? 0)) return publish
    const topicAlias = known ?? this.#aliases.size + 1
    this.#aliases.set(topic, topicAlias)
    return { ...publish, topic: known === undefined ? topic : "", properties: { ...publish.properties, topicAlias } }
  }

  /** A packet of the broker has come over the connection that carries the session. */
  handle(packet: Packet, connection: ModelConnection): void {
    switch (packet._tag) {
      case "Publish":
        return this.#take(packet, connection)
      case "PubRel": {
        const isKnown = this.#taken.delete(packet.packetId)
        this.#doubtful.delete(packet.packetId)
        return this.#answer({ _tag: "PubComp", packetId: packet.packetId, reasonCode: this.#found(isKnown) })
      }
      case "PubAck":
      case "PubComp":
        return this.#complete(packet)
      case "PubRec":
        return this.#received(packet, connection)
      case "SubAck":
        return this.#answered(packet.packetId, true, (packet.reasonCodes[0] ?? 0) >= 0x80)
      case "UnsubAck":
        return this.#answered(packet.packetId, false, (packet.reasonCodes[0] ?? 0) >= 0x80)
      default:
        // Nothing else is a server's to send on an open connection.
        return connection.protest(0x82)
    }
  }

  /** The reason code of a PUBREL or PUBCOMP: MQTT 3.1.1 has none for an identifier that is not known. */
  #found(isKnown: boolean): 0 | 0x92 {
    return isKnown || this.#plan.version !== 5 ? 0 : 0x92
  }

  /** The receiver's side of the exchanges (sections 4.3.2 and 4.3.3). */
  #take({ topic, qos, packetId, properties }: Publish, connection: ModelConnection): void {
    const alias = properties?.topicAlias
    if (alias !== undefined) {
      const isKnown = topic !== "" || this.#aliasesOfBroker.has(alias)
      if (!isKnown || alias > (this.#plan.topicAliasMaximum ?? 0)) return connection.protest(0x94)
      if (topic !== "") this.#aliasesOfBroker.set(alias, topic)
    }
    if (qos === 1) this.#answer({ _tag: "PubAck", packetId, reasonCode: 0 })
    if (qos === 2) {
      this.#taken.add(packetId)
      this.#doubtful.delete(packetId)
      this.#answer({ _tag: "PubRec", packetId, reasonCode: 0 })
    }
  }

  /** From now on it acknowledges what it receives at once. */
  hurry(): void {
    this.#isInHurry = true
  }

  /** Acknowledges after a while, in the order in which the messages came [MQTT-4.6.0-2, 4.6.0-3]. */
  #answer(acknowledgement: Acknowledgement): void {
    const connection = this.#connection!
    const now = this.#world.now()
    const { acknowledgeMillis } = this.#plan
    const delay =
      acknowledgeMillis === 0 || this.#isInHurry ? 0 : this.#world.random.between(0, acknowledgeMillis * 1000)
    this.#answersDue = Math.max(this.#answersDue, now + delay)
    if (this.#answersDue === now && this.#answers.length === 0) return connection.send(acknowledgement)
    this.#answers.push(acknowledgement)
    this.#world.after(this.#answersDue - now, () => {
      if (this.#connection === connection && connection.phase === "open") connection.send(this.#answers.shift()!)
    })
  }

  /** PUBREC: the second half of an exchange of QoS 2 begins, or the message was refused [MQTT-4.3.3-4]. */
  #received(packet: Acknowledgement, connection: ModelConnection): void {
    const { packetId, reasonCode } = packet
    const exchange = this.#exchanges.get(packetId)
    if (exchange === undefined) {
      connection.send({ _tag: "PubRel", packetId, reasonCode: this.#found(false) })
    } else if (exchange.publish.qos === 2 && reasonCode < 0x80) {
      exchange.stage = "release"
      this.#exchanges.delete(packetId)
      this.#exchanges.set(packetId, exchange)
      connection.send({ _tag: "PubRel", packetId, reasonCode: 0 })
    } else if (exchange.publish.qos === 2) this.#end(exchange)
  }

  #release(exchange: Exchange, connection: ModelConnection): void {
    exchange.connection = connection.number
    this.#inFlight++
    connection.send({ _tag: "PubRel", packetId: exchange.publish.packetId, reasonCode: 0 })
  }

  /** PUBACK or PUBCOMP; one that no exchange waits for changes nothing. */
  #complete({ _tag, packetId }: Acknowledgement): void {
    const exchange = this.#exchanges.get(packetId)
    if (exchange === undefined) return
    const isExpected = _tag === "PubAck" ? exchange.publish.qos === 1 : exchange.stage === "release"
    if (isExpected) this.#end(exchange)
  }

  #end(exchange: Exchange): void {
    this.#exchanges.delete(exchange.publish.packetId)
    if (exchange.connection === this.#connection?.number) this.#inFlight--
    else this.#resends = this.#resends.filter((other) => other !== exchange)
    this.#pump()
  }

  /** SUBACK or UNSUBACK. What was refused is asked for again after a while, if it is still wanted. */
  #answered(packetId: number, isSubscribe: boolean, isRefused: boolean): void {
    const request = this.#requests.find((each) => each.packetId === packetId)
    if (request === undefined || (request.subscribe !== undefined) !== isSubscribe) return
    this.#requests.splice(this.#requests.indexOf(request), 1)
    const { filter, subscribe, attempt } = request
    if (!isRefused || attempt === attempts) return
    this.#postponed++
    this.#world.after(this.#world.random.between(1_000_000, 3_000_000), () => {
      this.#postponed--
      const isOpen = this.#requests.some((other) => other.filter === filter)
      if (this.#wanted.get(filter) === subscribe && !isOpen) this.#request(filter, subscribe, attempt + 1)
    })
  }
}
