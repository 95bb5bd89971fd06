/** CONNECT: who the client is, which session it gets, and the CONNACK (sections 3.1 and 3.2). */
import { Result } from "effect"
import { never } from "../../domain/Message.ts"
import * as Encoder from "../../domain/packet/Encoder.ts"
import type { ConnAck, Connect, ProtocolVersion } from "../../domain/packet/Packet.ts"
import type { ConnAckProperties } from "../../domain/packet/Property.ts"
import { ReasonCode, ReturnCode } from "../../domain/packet/ReasonCode.ts"
import * as Outbound from "../../domain/session/Outbound.ts"
import * as Session from "../../domain/session/Session.ts"
import { parseTopicFilter } from "../../domain/topic/TopicFilter.ts"
import { countLevels, isReserved } from "../../domain/topic/TopicName.ts"
import type { Subscriber } from "../Router.ts"
import { type BrokerState, hold, log, sendWritten, whenDurable } from "./BrokerState.ts"
import { type Connection, Phase } from "./Connection.ts"
import { pump } from "./Deliver.ts"
import { closeConnection, endConnection, endSession, publishWill, sendFitting } from "./End.ts"

/** Receive Maximum where a CONNECT names none (section 3.1.2.11.3). */
const defaultReceiveMaximum = 65_535

/** The return code of MQTT 3.1.1 that is nearest to a reason code; undefined: close without a CONNACK. */
const returnCodeOf = (reasonCode: number): ConnAck["reasonCode"] | undefined => {
  switch (reasonCode) {
    case ReasonCode.UnsupportedProtocolVersion:
      return ReturnCode.UnacceptableProtocolVersion
    case ReasonCode.ClientIdentifierNotValid:
      return ReturnCode.IdentifierRejected
    case ReasonCode.ServerUnavailable:
    case ReasonCode.ServerBusy:
    case ReasonCode.QuotaExceeded:
      return ReturnCode.ServerUnavailable
    case ReasonCode.BadUserNameOrPassword:
      return ReturnCode.BadUserNameOrPassword
    case ReasonCode.NotAuthorized:
      return ReturnCode.NotAuthorized
    default:
      return undefined
  }
}

/** Refuses a CONNECT: with a CONNACK that the client's version understands, if it has one, then the close. */
export const refuseConnect = (
  b: BrokerState,
  c: Connection,
  version: ProtocolVersion,
  reasonCode: number,
  detail: string
): void => {
  const code = version === 5 ? (reasonCode as ConnAck["reasonCode"]) : returnCodeOf(reasonCode)
  if (code !== undefined) {
    const packet: ConnAck = { _tag: "ConnAck", sessionPresent: false, reasonCode: code }
    c.version = version
    sendFitting(b, c, { ...packet, properties: { reasonString: detail } }, packet)
  }
  log(b, "Debug", `connection refused: ${detail}`, c, { reasonCode })
  closeConnection(b, c, { isGraceful: false })
}

/** What is wrong with a CONNECT that is well-formed, as a reason code and words; undefined: nothing. */
const objection = (b: BrokerState, packet: Connect): readonly [number, string] | undefined => {
  const { protocolVersion: version, clientId, cleanStart, will, properties } = packet
  const { limits } = b
  if (clientId === "" && version === 3) return [ReasonCode.ClientIdentifierNotValid, "the client identifier is empty"]
  // [MQTT-3.1.3-8] of MQTT 3.1.1: without a name there is no session to come back to.
  if (clientId === "" && version === 4 && !cleanStart) {
    return [ReasonCode.ClientIdentifierNotValid, "an empty client identifier needs Clean Session"]
  }
  if (Buffer.byteLength(clientId) > limits.maximumClientIdLength) {
    return [ReasonCode.ClientIdentifierNotValid, "the client identifier is too long"]
  }
  if (properties?.authenticationMethod !== undefined) {
    return [ReasonCode.BadAuthenticationMethod, "there is no such authentication method"]
  }
  if (b.clients.size >= limits.maximumConnections && !b.clients.has(clientId)) {
    return [ReasonCode.ServerBusy, "there are too many connections"]
  }
  if (will !== undefined) {
    if (isReserved(will.topic)) return [ReasonCode.NotAuthorized, "the Will's topic is reserved for the server"]
    if (countLevels(will.topic) > limits.maximumTopicLevels) {
      return [ReasonCode.TopicNameInvalid, "the Will's topic has too many levels"]
    }
  }
  return undefined
}

/** How long the session shall outlive the connection, in seconds, as far as we allow it. */
const expiryIntervalOf = (b: BrokerState, { protocolVersion, cleanStart, properties }: Connect): number => {
  const { maximumExpiryInterval } = b.limits
  // A session of MQTT 3.1.1 has no expiry of its own [MQTT-3.1.2-23 of 5.0 maps Clean Session 0 to "never"].
  const wanted =
    protocolVersion === 5 ? (properties?.sessionExpiryInterval ?? 0) : cleanStart ? 0 : Session.neverExpires
  return Math.min(wanted, maximumExpiryInterval)
}

export const handleConnect = (b: BrokerState, c: Connection, packet: Connect): void => {
  const { protocolVersion: version, properties } = packet
  c.version = version
  c.maximumPacketSize = properties?.maximumPacketSize ?? Infinity
  const problem = objection(b, packet)
  if (problem !== undefined) {
    refuseConnect(b, c, version, ...problem)
    return
  }
  const clientId = packet.clientId === "" ? assignClientId(b) : packet.clientId
  c.clientId = clientId
  c.expiryInterval = expiryIntervalOf(b, packet)
  c.wantsProblemInformation = properties?.requestProblemInformation !== 0
  c.aliasesAllowed = Math.min(properties?.topicAliasMaximum ?? 0, b.limits.topicAliasMaximum)
  c.willDelay = packet.will === undefined ? undefined : (packet.will.properties?.willDelayInterval ?? 0)
  const keepAlive = keepAliveOf(b, packet.keepAlive)
  c.keepAliveMillis = keepAlive * 1500
  c.decoder.maximumPacketSize = b.limits.maximumPacketSize
  b.deadlines.delete(c)
  if (c.keepAliveMillis > 0) b.deadlines.set(c, b.now + c.keepAliveMillis)

  const accepted: ConnAck = { _tag: "ConnAck", sessionPresent: false, reasonCode: 0 }
  const connack = version === 5 ? { ...accepted, properties: connAckProperties(b, c, packet, keepAlive) } : accepted
  if (Encoder.size(connack, version) > c.maximumPacketSize) {
    refuseConnect(b, c, version, ReasonCode.PacketTooLarge, "the Maximum Packet Size leaves no room for a CONNACK")
    return
  }

  const changesBefore = b.journal.appended()
  takeOver(b, clientId)
  const { subscriber, sessionPresent } = claimSession(b, c, packet)
  c.subscriber = subscriber
  c.isResumed = sessionPresent
  b.clients.set(clientId, c)
  claimWill(b, c, packet)

  const open = (): void => {
    c.phase = Phase.Open
    subscriber.connection = c
    const receiveMaximum = properties?.receiveMaximum ?? defaultReceiveMaximum
    Outbound.resume(subscriber.session.outbound, Math.min(receiveMaximum, b.limits.maximumInflight))
    // MQTT 3.1 has no Session Present.
    Encoder.write(b.replies, { ...connack, sessionPresent: sessionPresent && version !== 3 }, version)
    sendWritten(b, c, b.replies)
    log(b, "Debug", "connected", c, { version, sessionPresent, keepAlive, expiryInterval: c.expiryInterval })
    pump(b, subscriber)
  }
  if (b.journal.appended() === changesBefore) {
    open()
    return
  }
  // What the claim changed has to be durable before the client hears of it; until then it is not read.
  c.phase = Phase.Claiming
  hold(c)
  whenDurable(b, () => {
    if (c.phase !== Phase.Claiming) return
    open()
    b.released.push(c)
  })
}

/** The keep alive that holds, in seconds: the client's, or ours where it asks for more than we allow [MQTT-3.1.2-21]. */
const keepAliveOf = (b: BrokerState, wanted: number): number => {
  const { maximumKeepAlive } = b.limits
  return maximumKeepAlive > 0 && (wanted === 0 || wanted > maximumKeepAlive) ? maximumKeepAlive : wanted
}

/** A client identifier that nobody has [MQTT-3.1.3-6]. */
const assignClientId = (b: BrokerState): string => {
  let clientId: string
  do {
    clientId = `mqttzoo-${hex(b.nextRandom())}${hex(b.nextRandom())}`
  } while (b.clients.has(clientId) || b.subscribers.has(clientId))
  return clientId
}

const hex = (n: number): string => (n >>> 0).toString(16).padStart(8, "0")

/** Ends an older connection of the same client [MQTT-3.1.4-3]. */
const takeOver = (b: BrokerState, clientId: string): void => {
  const older = b.clients.get(clientId)
  if (older === undefined) return
  endConnection(b, older, { reasonCode: ReasonCode.SessionTakenOver, detail: "another connection has taken over" })
}

interface Claim {
  readonly subscriber: Subscriber
  readonly sessionPresent: boolean
}

/** Resumes the client's session or makes a new one [MQTT-3.1.2-4, MQTT-3.1.2-5, MQTT-3.1.2-6]. */
const claimSession = (b: BrokerState, { clientId, expiryInterval }: Connection, packet: Connect): Claim => {
  const existing = b.subscribers.get(clientId)
  // The next tick would end it.
  const isOver = (b.partitions.session(clientId)?.expiresAt ?? never) <= b.now
  const cleanStart = packet.cleanStart || isOver
  const resumed = cleanStart ? undefined : existing
  b.sessionEnds.delete(clientId)
  if (existing !== undefined && resumed === undefined) endSession(b, existing)
  const durable = resumed !== undefined || Session.isDurable(expiryInterval)
  if (durable) {
    const record = { _tag: "Opened", clientId, cleanStart, expiryInterval } as const
    b.partitions.change([{ partition: b.partitions.of(clientId), record }], () => {})
  }
  if (resumed !== undefined) return { subscriber: resumed, sessionPresent: true }
  const session = durable
    ? b.partitions.session(clientId)!
    : Session.make(clientId, expiryInterval, b.limits.maximumInflight)
  const subscriber: Subscriber = { session, durable, connection: undefined }
  b.subscribers.set(clientId, subscriber)
  return { subscriber, sessionPresent: false }
}

/**
 * A Will that waits since an earlier connection is not wanted any more when its session goes on in time, and due when
 * the session was discarded (section 3.1.3.2.2). The new connection's own takes its place.
 */
const claimWill = (b: BrokerState, { clientId, isResumed }: Connection, { will }: Connect): void => {
  const partition = b.partitions.of(clientId)
  const waiting = b.partitions.will(clientId)
  if (waiting !== undefined) {
    b.willsDue.delete(clientId)
    if (!isResumed || waiting.dueAt <= b.now) publishWill(b, clientId)
    else b.partitions.change([{ partition, record: { _tag: "WillCleared", clientId } }], () => {})
  }
  if (will === undefined) return
  b.partitions.change([{ partition, record: { _tag: "WillArmed", clientId, will } }], () => {})
}

/** What a client of MQTT 5.0 has to know of us, and where we did not follow its wishes (section 3.2.2.3). */
const connAckProperties = (b: BrokerState, c: Connection, packet: Connect, keepAlive: number): ConnAckProperties => {
  const { limits } = b
  const wanted = packet.properties
  return {
    receiveMaximum: limits.receiveMaximum,
    maximumPacketSize: limits.maximumPacketSize,
    ...(limits.topicAliasMaximum > 0 && { topicAliasMaximum: limits.topicAliasMaximum }),
    ...((wanted?.sessionExpiryInterval ?? 0) !== c.expiryInterval && { sessionExpiryInterval: c.expiryInterval }),
    ...(packet.clientId === "" && { assignedClientIdentifier: c.clientId }),
    ...(keepAlive !== packet.keepAlive && { serverKeepAlive: keepAlive }),
    ...(wanted?.requestResponseInformation === 1 && { responseInformation: `response/${c.clientId}/` })
  }
}

/** Makes the subscriptions of a session that was read from the journal known to the router. */
export const route = (b: BrokerState, subscriber: Subscriber): void => {
  for (const subscription of subscriber.session.subscriptions.values()) {
    const parsed = parseTopicFilter(subscription.filter)
    if (Result.isSuccess(parsed)) b.router.subscribe(subscriber, parsed.success, subscription)
  }
}
