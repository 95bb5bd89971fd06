/** PUBACK, PUBREC and PUBCOMP from a client: it has taken over what we sent (sections 3.4 to 3.7, and 4.3). */
import * as Encoder from "../../domain/packet/Encoder.ts"
import type { PubAck, PubComp, PubRec } from "../../domain/packet/Packet.ts"
import { ReasonCode } from "../../domain/packet/ReasonCode.ts"
import * as Outbound from "../../domain/session/Outbound.ts"
import { type BrokerState, sendWritten } from "./BrokerState.ts"
import { type Connection, Phase } from "./Connection.ts"
import { finish, pump } from "./Deliver.ts"
import { endConnection } from "./End.ts"

const noted = (): void => {}

/** An acknowledgement that belongs to another QoS than the message that it names. */
const mismatch = (b: BrokerState, c: Connection): void =>
  endConnection(b, c, {
    reasonCode: ReasonCode.ProtocolError,
    detail: "the acknowledgement does not fit the QoS of the message"
  })

export const handlePubAck = (b: BrokerState, c: Connection, { packetId }: PubAck): void => {
  const subscriber = c.subscriber!
  const delivery = Outbound.find(subscriber.session.outbound, packetId)
  // An identifier that is not in use: acknowledged twice, or before a restart that forgot. There is nothing to answer.
  if (delivery === undefined) return
  if (delivery.qos !== 1) {
    mismatch(b, c)
    return
  }
  finish(b, subscriber, delivery, noted)
  pump(b, subscriber)
}

export const handlePubRec = (b: BrokerState, c: Connection, { packetId, reasonCode }: PubRec): void => {
  const subscriber = c.subscriber!
  const { outbound, clientId } = subscriber.session
  const delivery = Outbound.find(outbound, packetId)
  if (delivery === undefined) {
    pubRel(b, c, packetId, ReasonCode.PacketIdentifierNotFound)
    return
  }
  if (delivery.qos !== 2) {
    mismatch(b, c)
    return
  }
  if (reasonCode >= 0x80) {
    finish(b, subscriber, delivery, noted)
    pump(b, subscriber)
    return
  }
  if (!subscriber.durable) {
    Outbound.release(delivery)
    pubRel(b, c, packetId, ReasonCode.Success)
    return
  }
  // A PUBREC that is repeated changes nothing: its PUBREL comes when the first one's is due.
  if (delivery.stage === Outbound.Stage.Release) return
  // PUBREL tells the client to forget the identifier: after it we must never send the PUBLISH again.
  const record = { _tag: "Released", clientId, sequence: delivery.sequence } as const
  b.partitions.change([{ partition: b.partitions.of(clientId), record }], () => {
    pubRel(b, c, packetId, ReasonCode.Success)
  })
}

const pubRel = (b: BrokerState, c: Connection, packetId: number, reasonCode: number): void => {
  if (c.phase !== Phase.Open) return
  Encoder.writeAck(b.replies, "PubRel", packetId, reasonCode, c.version as 3 | 4 | 5)
  sendWritten(b, c, b.replies)
}

export const handlePubComp = (b: BrokerState, c: Connection, { packetId }: PubComp): void => {
  const subscriber = c.subscriber!
  const delivery = Outbound.find(subscriber.session.outbound, packetId)
  if (delivery === undefined) return
  if (delivery.qos !== 2 || delivery.stage !== Outbound.Stage.Release) {
    mismatch(b, c)
    return
  }
  finish(b, subscriber, delivery, noted)
  pump(b, subscriber)
}
