/** One client connection: what the protocol has to remember of it. Its session is something else (section 4.1). */
import type { Decoder } from "../../domain/packet/Decoder.ts"
import type { Packet, Publish } from "../../domain/packet/Packet.ts"
import type { Subscriber } from "../Router.ts"
import type { Socket } from "../Transport.ts"
import type { Outbox } from "./Outbox.ts"

/** How far a connection has come. */
export const Phase = {
  /** Nothing is known but the address. */
  AwaitingConnect: 0,
  /** The CONNECT is accepted; the session waits for the journal, and nothing is read until then. */
  Claiming: 1,
  Open: 2,
  /** Over for the protocol: what still arrives is ignored. */
  Closed: 3
} as const
export type Phase = (typeof Phase)[keyof typeof Phase]

/** An acknowledgement that is owed to a publisher, in the order of its PUBLISH packets [MQTT-4.6.0-2]. */
export interface OwedAck {
  readonly type: "PubAck" | "PubRec"
  readonly packetId: number
  reasonCode: number
  reason: string | undefined
  /** What has still to be durable before it may be sent. */
  waitingFor: number
}

/** A PUBLISH of MQTT 3.1.1 that there is no credit for: it is tried again until the time is up. */
export interface Refused {
  readonly packet: Publish
  readonly topic: string
  readonly since: number
}

export class Connection {
  readonly socket: Socket
  readonly decoder: Decoder
  phase: Phase = Phase.AwaitingConnect
  /** 0 before the CONNECT. */
  version: 0 | 3 | 4 | 5 = 0
  clientId = ""
  subscriber: Subscriber | undefined = undefined
  /** Whether the session is older than the connection, as the CONNACK's Session Present says. */
  isResumed = false
  /** Set while the pass has something to send. */
  outbox: Outbox | undefined = undefined
  /** When bytes came last, in milliseconds of the shared clock. */
  lastReceived: number
  /** One and a half times the Keep Alive in milliseconds, 0 when it is off [MQTT-3.1.2-22]. */
  keepAliveMillis = 0
  /** Session Expiry Interval as it stands, in seconds. */
  expiryInterval = 0
  /** Delay of the Will in seconds; undefined when there is none. */
  willDelay: number | undefined = undefined
  /** The largest packet that the client takes [MQTT-3.1.2-24]. */
  maximumPacketSize = Infinity
  /** Whether the client wants Reason Strings and User Properties on every packet [MQTT-3.1.2-29]. */
  wantsProblemInformation = true
  /** Topics by the alias that the client gave them on this connection. */
  aliases: Array<string | undefined> | undefined = undefined
  /** Aliases that we gave to topics, and how many the client allows [MQTT-3.1.2-26]. */
  aliasesGiven: Map<string, number> | undefined = undefined
  aliasesAllowed = 0
  /** PUBLISH packets of QoS 1 and 2 that are not fully acknowledged: the Receive Maximum counts them. */
  unacknowledged = 0
  /** Acknowledgements that may not be sent yet, oldest first. */
  owed: Array<OwedAck> | undefined = undefined
  /** Whether nothing is read until acknowledgements have been sent, because the client exceeds the Receive Maximum. */
  isHeldByOwed = false
  /** Reasons for which nothing is read at present. */
  holds = 0
  /** The peer has closed while we were not reading: what it had sent before is handled first. */
  isLeft = false
  /** Its PUBLISH that waits for room. One of the holds, but acknowledgements are still read: they may make room. */
  refused: Refused | undefined = undefined
  /** What came after that PUBLISH and has to wait for its turn. */
  deferred: Array<Packet> | undefined = undefined
  /** Whether nothing at all is read because so much has been deferred. */
  isHeldByDeferred = false
  /** Whether more waits in the socket than we like: nothing is added but what may be dropped. */
  isCongested = false
  /** Publishers that are held until this connection keeps up. */
  holding: Set<Connection> | undefined = undefined
  /** Since when, and at which place of its queue, it has stood still with publishers held. */
  heldSince = 0
  heldAt = 0
  /** It has stood still for too long: no publisher waits for it until it has caught up. */
  isGivenUp = false

  /** Whether nothing is read: the wait of a PUBLISH for room alone does not stop the reading. */
  get isHeld(): boolean {
    return this.holds > (this.refused === undefined ? 0 : 1)
  }

  constructor(socket: Socket, decoder: Decoder, now: number) {
    this.socket = socket
    this.decoder = decoder
    this.lastReceived = now
  }
}
