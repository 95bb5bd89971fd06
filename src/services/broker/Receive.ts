/** What arrives on a connection: the packets of a chunk, one after the other, each to its handler (section 3). */
import * as Encoder from "../../domain/packet/Encoder.ts"
import type { Disconnect, Packet } from "../../domain/packet/Packet.ts"
import { ProtocolError } from "../../domain/packet/ProtocolError.ts"
import { ReasonCode } from "../../domain/packet/ReasonCode.ts"
import { handlePubAck, handlePubComp, handlePubRec } from "./Acknowledge.ts"
import { type BrokerState, hold, log, sendWritten } from "./BrokerState.ts"
import { type Connection, Phase } from "./Connection.ts"
import { handleConnect, refuseConnect } from "./Connect.ts"
import type { Encodings } from "./Encodings.ts"
import { closeConnection, connectionClosed, endConnection } from "./End.ts"
import { handlePublish, handlePubRel } from "./Publish.ts"
import { handleSubscribe, handleUnsubscribe } from "./Subscribe.ts"

/** Handles every packet that is complete, until the connection is held or over. */
export const receive = (b: BrokerState, c: Connection, encodings: Encodings): void => {
  while (!c.isHeld && c.phase !== Phase.Closed) {
    const packet = (c.refused === undefined ? c.deferred?.shift() : undefined) ?? c.decoder.next()
    if (packet === undefined) break
    if (packet instanceof ProtocolError) {
      violation(b, c, packet)
      break
    }
    if (c.phase === Phase.AwaitingConnect) {
      if (packet._tag === "Connect") handleConnect(b, c, packet)
      else closeConnection(b, c, { isGraceful: false })
    } else if (c.refused !== undefined && !mayOvertake(packet)) {
      defer(c, packet)
    } else {
      handle(b, c, packet, encodings)
    }
  }
}

/**
 * What is handled although a PUBLISH before it waits for room. If acknowledgements waited with it, a client whose own
 * queue is full would never make room in it.
 */
const mayOvertake = ({ _tag }: Packet): boolean =>
  _tag === "PubAck" || _tag === "PubRec" || _tag === "PubRel" || _tag === "PubComp" || _tag === "PingReq"

/** How many packets may be deferred until nothing more is read. */
const maximumDeferred = 256

const defer = (c: Connection, packet: Packet): void => {
  const deferred = (c.deferred ??= [])
  deferred.push(packet)
  if (deferred.length < maximumDeferred) return
  c.isHeldByDeferred = true
  hold(c)
}

const handle = (b: BrokerState, c: Connection, packet: Packet, encodings: Encodings): void => {
  switch (packet._tag) {
    case "Publish":
      return handlePublish(b, c, packet, encodings)
    case "PubAck":
      return handlePubAck(b, c, packet)
    case "PubRec":
      return handlePubRec(b, c, packet)
    case "PubRel":
      return handlePubRel(b, c, packet.packetId)
    case "PubComp":
      return handlePubComp(b, c, packet)
    case "Subscribe":
      return handleSubscribe(b, c, packet)
    case "Unsubscribe":
      return handleUnsubscribe(b, c, packet)
    case "PingReq":
      Encoder.write(b.replies, pingResp, c.version as 3 | 4 | 5)
      return sendWritten(b, c, b.replies)
    case "Disconnect":
      return handleDisconnect(b, c, packet)
    case "Connect":
      // [MQTT-3.1.0-2]
      return endConnection(b, c, { reasonCode: ReasonCode.ProtocolError, detail: "a second CONNECT" })
    default:
      // AUTH, when the CONNECT named no method [MQTT-4.12.0-6]; the decoder refuses what only servers send.
      return endConnection(b, c, { reasonCode: ReasonCode.ProtocolError, detail: `${packet._tag} was not expected` })
  }
}

const pingResp: Packet = { _tag: "PingResp" }

/** The client says goodbye (section 3.14): with its Will, unless the reason is 0x00 [MQTT-3.1.2-10]. */
const handleDisconnect = (b: BrokerState, c: Connection, { reasonCode, properties }: Disconnect): void => {
  const expiryInterval = properties?.sessionExpiryInterval
  if (expiryInterval !== undefined) {
    if (c.expiryInterval === 0 && expiryInterval > 0) {
      endConnection(b, c, {
        reasonCode: ReasonCode.ProtocolError,
        detail: "a session without expiry cannot be given one at its end"
      })
      return
    }
    c.expiryInterval = Math.min(expiryInterval, b.limits.maximumExpiryInterval)
  }
  log(b, "Debug", "the client has disconnected", c, { reasonCode })
  closeConnection(b, c, { isGraceful: reasonCode === ReasonCode.NormalDisconnection })
}

/** Bytes that are no packet, or not one that may come now: the specified answer, and the end of the connection. */
const violation = (b: BrokerState, c: Connection, error: ProtocolError): void => {
  if (c.phase !== Phase.AwaitingConnect) {
    endConnection(b, c, { reasonCode: error.reasonCode, detail: error.message })
    return
  }
  const level = c.decoder.protocolLevel
  if (level === undefined) {
    // Not a CONNECT, or not enough of one to know whom we talk to: no word is owed [MQTT-3.1.4-1].
    log(b, "Debug", `connection refused: ${error.message}`, c, { reasonCode: error.reasonCode })
    closeConnection(b, c, { isGraceful: false })
    return
  }
  refuseConnect(b, c, level >= 5 ? 5 : 4, error.reasonCode, error.message)
}

/**
 * The peer, or the network, has closed the connection. What it had sent before, and is held, counts still: messages, and
 * perhaps the DISCONNECT that takes the Will away.
 */
export const closedByPeer = (b: BrokerState, c: Connection): void => {
  if (c.phase === Phase.Closed) return
  if (c.holds > 0) {
    c.isLeft = true
    return
  }
  log(b, "Debug", "the connection was closed by its peer", c)
  connectionClosed(b, c, { isGraceful: false })
}
