/** PUBLISH from a client, and its acknowledgement (sections 3.3, 4.3 and 4.6). */
import * as Encoder from "../../domain/packet/Encoder.ts"
import type { PubAck, Publish, PubRec } from "../../domain/packet/Packet.ts"
import { ReasonCode } from "../../domain/packet/ReasonCode.ts"
import { fromPublish } from "../../domain/Message.ts"
import type { Record } from "../../domain/partition/Record.ts"
import { countLevels, isReserved, type TopicName } from "../../domain/topic/TopicName.ts"
import type { Change } from "../Partitions.ts"
import type { Destination, Subscriber } from "../Router.ts"
import { holdFor } from "./BackPressure.ts"
import { type BrokerState, hold, log, sendWritten, whenDurable } from "./BrokerState.ts"
import { type Connection, type OwedAck, Phase } from "./Connection.ts"
import { audienceOf, deliver, deliverOnce, queueingCost } from "./Deliver.ts"
import type { Encodings } from "./Encodings.ts"
import { endConnection } from "./End.ts"

/** How long a PUBLISH of MQTT 3.1.1, which cannot be refused, may wait for credit, in milliseconds. */
const refusalPatienceMillis = 30_000

/** How much may wait for the journal before publishers have to wait with it, in bytes. */
const journalBacklogBytes = 8 * 1024 * 1024

/** The topic of a PUBLISH, its alias resolved and remembered; undefined: the connection has been ended. */
const topicOf = (b: BrokerState, c: Connection, packet: Publish): string | undefined => {
  const alias = packet.properties?.topicAlias
  if (alias === undefined) return packet.topic
  if (alias > b.limits.topicAliasMaximum) {
    endConnection(b, c, { reasonCode: ReasonCode.TopicAliasInvalid, detail: "the topic alias is above the maximum" })
    return undefined
  }
  const aliases = (c.aliases ??= [])
  if (packet.topic !== "") {
    aliases[alias] = packet.topic
    return packet.topic
  }
  const topic = aliases[alias]
  if (topic === undefined) {
    endConnection(b, c, { reasonCode: ReasonCode.ProtocolError, detail: "the topic alias has not been set" })
  }
  return topic
}

/** Why a client may not publish on this topic, as a reason code and words; undefined: it may. */
const topicObjection = (b: BrokerState, topic: string): readonly [number, string] | undefined => {
  if (isReserved(topic)) return [ReasonCode.NotAuthorized, "topics that begin with $ are the server's own"]
  if (topic.length > b.limits.maximumTopicLevels && countLevels(topic) > b.limits.maximumTopicLevels) {
    return [ReasonCode.TopicNameInvalid, "the topic has too many levels"]
  }
  return undefined
}

export const handlePublish = (b: BrokerState, c: Connection, packet: Publish, encodings: Encodings): void => {
  const topic = topicOf(b, c, packet)
  if (topic === undefined) return
  const { qos, packetId } = packet
  if (qos > 0) {
    if (qos === 2 && c.subscriber!.session.received.has(packetId)) {
      repeatPubRec(b, c, packetId)
      return
    }
    c.unacknowledged++
    if (c.version === 5 && c.unacknowledged > b.limits.receiveMaximum) {
      if (c.owed === undefined) {
        endConnection(b, c, {
          reasonCode: ReasonCode.ReceiveMaximumExceeded,
          detail: "more messages are unacknowledged than Receive Maximum allows"
        })
        return
      }
      // Acknowledgements wait for our journal, and many clients publish on without heeding the Receive Maximum: they
      // are slowed down, not cut off.
      if (!c.isHeldByOwed) {
        c.isHeldByOwed = true
        hold(c)
      }
    }
  }
  const objection = topicObjection(b, topic)
  if (objection !== undefined) {
    refuse(b, c, packet, ...objection)
    return
  }
  accept(b, c, packet, topic, encodings, b.now)
}

/** Takes a message over if there is room and credit for all of it. */
const accept = (
  b: BrokerState,
  c: Connection,
  packet: Publish,
  topic: string,
  encodings: Encodings,
  since: number
): void => {
  const { qos, packetId } = packet
  const message = fromPublish(packet, topic, c.clientId, b.now)
  const audience = audienceOf(b, topic as TopicName, c.clientId)
  const cost = queueingCost(b, message, audience)
  const retainRefusal = message.retain ? b.retained.refusal(message, cost) : undefined
  if (qos > 0 && (retainRefusal !== undefined || cost > b.bank.free())) {
    b.counts.refused++
    if (c.version === 5) {
      refuse(b, c, packet, ReasonCode.QuotaExceeded, "there is no room or no credit for the message")
    } else if (retainRefusal === "PacketTooLarge" || b.now - since > refusalPatienceMillis) {
      endConnection(b, c, { reasonCode: ReasonCode.QuotaExceeded, detail: "there is no room for a message" })
    } else {
      waitForCredit(b, c, { packet, topic, since })
    }
    return
  }
  encodings.begin(message, b.now)
  if (topic === packet.topic) encodings.offerFrame(c.decoder, packet)
  b.sawCongestion = false
  if (qos > 0) {
    takeOver(b, c, packetId, encodings, audience)
  } else {
    if (message.retain && retainRefusal === undefined) b.retained.put(message, noted)
    else if (message.retain) b.counts.refused++
    deliver(b, encodings, audience, c.subscriber, undefined, noted)
  }
  if (b.sawCongestion) holdFor(b, c, message, audience)
  if (b.journal.pendingBytes() > journalBacklogBytes) holdForJournal(b, c)
}

/** Delivers a message of QoS 1 or 2, and acknowledges it when all that it changed is durable. */
const takeOver = (
  b: BrokerState,
  c: Connection,
  packetId: number,
  encodings: Encodings,
  audience: ReadonlyArray<Destination>
): void => {
  const message = encodings.message!
  const publisher = c.subscriber!
  const ack: OwedAck = {
    type: message.qos === 1 ? "PubAck" : "PubRec",
    packetId,
    reasonCode: audience.length === 0 ? ReasonCode.NoMatchingSubscribers : ReasonCode.Success,
    reason: undefined,
    waitingFor: 0
  }
  const settled = (): void => {
    ack.waitingFor--
    settle(b, c)
  }
  if (message.retain) {
    ack.waitingFor++
    b.retained.put(message, settled)
  }
  const changes = message.qos === 2 ? takePacketId(b, publisher, packetId) : undefined
  if (changes === undefined) {
    if (deliver(b, encodings, audience, publisher, undefined, settled)) ack.waitingFor++
  } else {
    ack.waitingFor++
    deliverOnce(b, encodings, audience, publisher, changes, () => {
      if (b.sawCongestion && c.phase === Phase.Open) holdFor(b, c, message, audience)
      settled()
    })
  }
  owe(b, c, ack)
}

/** Nothing more is read from a publisher while too much waits for the journal. */
const holdForJournal = (b: BrokerState, c: Connection): void => {
  if (b.heldByJournal.has(c)) return
  b.heldByJournal.add(c)
  hold(c)
  whenDurable(b, () => {
    if (b.heldByJournal.delete(c)) b.released.push(c)
  })
}

const noted = (): void => {}

/** Notes the identifier of a QoS 2 message until PUBREL [MQTT-4.3.3-10]: in the journal for a durable session. */
const takePacketId = (
  b: BrokerState,
  { durable, session }: Subscriber,
  packetId: number
): ReadonlyArray<Change> | undefined => {
  if (!durable) {
    session.received.add(packetId)
    return undefined
  }
  const record: Record = { _tag: "Received", clientId: session.clientId, packetId }
  return [{ partition: b.partitions.of(session.clientId), record }]
}

/** A PUBLISH whose message we have: only its PUBREC is sent again, in its turn, unless that is still to come. */
const repeatPubRec = (b: BrokerState, c: Connection, packetId: number): void => {
  if (c.owed?.some((ack) => ack.type === "PubRec" && ack.packetId === packetId) === true) return
  // A resumed exchange: the first connection counted it, this one has not yet.
  owe(b, c, { type: "PubRec", packetId, reasonCode: ReasonCode.Success, reason: undefined, waitingFor: 0 })
}

/** Answers a PUBLISH that is not taken over; MQTT 3.1.1 has no answer but the end of the connection. */
const refuse = (
  b: BrokerState,
  c: Connection,
  { qos, packetId }: Publish,
  reasonCode: number,
  detail: string
): void => {
  log(b, "Debug", `message refused: ${detail}`, c, { reasonCode })
  if (c.version !== 5) {
    if (qos === 0) return
    // [MQTT-3.3.5-2] of 3.1.1: acknowledge it all the same, or close. A client that hears nothing would send it again.
    owe(b, c, { type: qos === 1 ? "PubAck" : "PubRec", packetId, reasonCode: 0, reason: undefined, waitingFor: 0 })
    if (qos === 2) c.subscriber!.session.received.add(packetId)
    return
  }
  if (qos === 0) return
  owe(b, c, { type: qos === 1 ? "PubAck" : "PubRec", packetId, reasonCode, reason: detail, waitingFor: 0 })
}

/** Sends an acknowledgement now, if nothing older is owed and it waits for nothing, or in its turn. */
const owe = (b: BrokerState, c: Connection, ack: OwedAck): void => {
  if (c.owed === undefined && ack.waitingFor === 0) {
    sendAck(b, c, ack)
    return
  }
  if (c.owed === undefined) c.owed = [ack]
  else c.owed.push(ack)
}

/** Sends the acknowledgements at the head of the line that wait for nothing any more. */
const settle = (b: BrokerState, c: Connection): void => {
  if (c.phase !== Phase.Open || c.owed === undefined) return
  let sent = 0
  while (sent < c.owed.length && c.owed[sent]!.waitingFor === 0) sendAck(b, c, c.owed[sent++]!)
  c.owed = sent === c.owed.length ? undefined : c.owed.slice(sent)
  if (c.isHeldByOwed && (c.owed === undefined || c.unacknowledged <= b.limits.receiveMaximum)) {
    c.isHeldByOwed = false
    b.released.push(c)
  }
}

const sendAck = (b: BrokerState, c: Connection, { type, packetId, reasonCode, reason }: OwedAck): void => {
  // A QoS 2 exchange that goes on counts until its PUBCOMP.
  if (type === "PubAck" || reasonCode >= 0x80) c.unacknowledged--
  const version = c.version as 3 | 4 | 5
  if (version === 5 && reason !== undefined && c.wantsProblemInformation) {
    const properties = { reasonString: reason }
    const code = reasonCode as PubAck["reasonCode"]
    const packet: PubAck | PubRec =
      type === "PubAck"
        ? { _tag: type, packetId, reasonCode: code, properties }
        : { _tag: type, packetId, reasonCode: code, properties }
    if (Encoder.size(packet, version) <= c.maximumPacketSize) {
      Encoder.write(b.replies, packet, version)
      sendWritten(b, c, b.replies)
      return
    }
  }
  Encoder.writeAck(b.replies, type, packetId, reasonCode, version)
  sendWritten(b, c, b.replies)
}

/** PUBREL: the packet identifier is free again, and PUBCOMP says so [MQTT-4.3.3-11]. */
export const handlePubRel = (b: BrokerState, c: Connection, packetId: number): void => {
  const { session, durable } = c.subscriber!
  const version = c.version as 3 | 4 | 5
  const complete = (reasonCode: number) => (): void => {
    if (c.phase !== Phase.Open) return
    Encoder.writeAck(b.replies, "PubComp", packetId, reasonCode, version)
    sendWritten(b, c, b.replies)
  }
  // Its PUBCOMP gives the sender its quota back, whichever connection the PUBLISH came by (section 4.9).
  if (c.unacknowledged > 0) c.unacknowledged--
  if (!session.received.has(packetId)) {
    // In a resumed session it is a PUBREL whose PUBCOMP was lost, which is no error (section 3.7.2.1): its exchange was
    // completed. Clients take a reason of 0x80 and more for the failure of their PUBLISH.
    const answer = complete(c.isResumed ? ReasonCode.Success : ReasonCode.PacketIdentifierNotFound)
    // The record that forgot it may be on its way still: until it is durable the identifier is not free.
    if (durable) whenDurable(b, answer)
    else answer()
    return
  }
  if (!durable) {
    session.received.delete(packetId)
    complete(ReasonCode.Success)()
    return
  }
  const record: Record = { _tag: "Forgotten", clientId: session.clientId, packetId }
  b.partitions.change([{ partition: b.partitions.of(session.clientId), record }], complete(ReasonCode.Success))
}

/** Nothing but acknowledgements is handled from a client of MQTT 3.1.1 until there is room, or its time is up. */
const waitForCredit = (b: BrokerState, c: Connection, refused: NonNullable<Connection["refused"]>): void => {
  c.refused = refused
  c.holds++
  b.refused.add(c)
}

/** Tries the messages again that there was no credit for. */
export const retryRefused = (b: BrokerState, encodings: Encodings): void => {
  for (const c of Array.from(b.refused)) {
    const { packet, topic, since } = c.refused!
    b.refused.delete(c)
    c.refused = undefined
    accept(b, c, packet, topic, encodings, since)
    b.released.push(c)
    if (c.refused === undefined && c.isHeldByDeferred) {
      c.isHeldByDeferred = false
      b.released.push(c)
    }
  }
}
