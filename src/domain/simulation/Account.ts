/**
 * What a history tells of connections, sessions, subscriptions, messages and their deliveries: the ground that all
 * checkers stand on. `Reconstruction.ts` makes it. All times are microseconds of the run.
 *
 * Observers at the clients' end cannot know everything that a broker did. Where a moment is not known, the account has
 * its bounds, and a checker takes the one that speaks for the broker.
 */
import type { ConnAck, Connect, Packet, ProtocolVersion, Publish, QoS, SubscriptionRequest } from "../packet/Packet.ts"
import type { BrokerClock } from "./BrokerClock.ts"
import type { Event, History, Violation } from "./History.ts"
import type { MessageId } from "./Payload.ts"

/** A packet that a client sent. */
export interface SentPacket<P extends Packet = Packet> {
  readonly at: number
  readonly index: number
  readonly packet: P
  /** When the broker's process was handed it; undefined: never, or nobody knows ({@link Account.isOmniscient}). */
  takenAt: number | undefined
}

/** A packet that a client received. */
export interface ReceivedPacket {
  readonly at: number
  readonly writtenAt: number | undefined
  readonly packet: Packet
}

export interface Connection {
  readonly number: number
  readonly client: string
  readonly broker: string
  readonly version: ProtocolVersion
  readonly openedAt: number
  readonly sent: Array<SentPacket>
  readonly received: Array<ReceivedPacket>
  /** The CONNECT that was sent, if any. */
  connect: SentPacket<Connect> | undefined
  /** Which message the Will is, if it has one and its payload says so. */
  willId: MessageId | undefined
  /** The CONNACK that was received, if any, whatever its reason code. */
  connack: { readonly at: number; readonly writtenAt: number | undefined; readonly packet: ConnAck } | undefined
  /** The last DISCONNECT that the client sent. */
  disconnect: SentPacket | undefined
  closed: Extract<Event, { _tag: "Closed" }> | undefined
  /** The session that a CONNACK with reason code 0 gave it. */
  session: Session | undefined
  /** Until when the broker certainly had it open: the last packet that it wrote or was handed. */
  aliveUntil: number
}

/** One time that a SUBSCRIBE named a filter, and how long its options may have held. */
export interface Subscription {
  readonly session: Session
  readonly connection: Connection
  /** As the client wrote it. */
  readonly filter: string
  /** Without `$share/{ShareName}/`. */
  readonly inner: string
  /** The whole filter where it is shared. */
  readonly group: string | undefined
  readonly options: SubscriptionRequest
  readonly identifier: number | undefined
  /** When the SUBSCRIBE was sent: nothing comes of it before. */
  readonly sentAt: number
  /** When the SUBACK was received: it certainly holds from here on. Undefined: nobody knows whether it ever did. */
  acknowledgedAt: number | undefined
  /** Of its SUBACK. From 0x80 on: it was refused, and never held. */
  reasonCode: number | undefined
  /** From here on it may not hold any more: an UNSUBSCRIBE or another SUBSCRIBE was sent, or the session is in doubt. */
  endsFrom: number
  /** From here on it certainly does not hold any more. Infinity: it may hold for good. */
  endsBy: number
  /** When the first UNSUBSCRIBE that followed was sent. Infinity: none was. */
  unsubscribedFrom: number
}

/** A session of a client, as far as the client can tell one from the next. */
export interface Session {
  readonly client: string
  /** Counts the sessions of its client, from 0. */
  readonly number: number
  /** When the CONNECT that made it was sent. */
  readonly begunFrom: number
  /** The connections that had it, by their CONNACKs. */
  readonly connections: Array<Connection>
  /** In the order in which they were sent. */
  readonly subscriptions: Array<Subscription>
  /**
   * Moments from which it may have been another session than before, although the client was told that it went on: the
   * CONNACK of the connection that replaced it was lost.
   */
  readonly doubts: Array<number>
  /** Whether even its beginning is in doubt: it was there at the first CONNACK, or the version cannot tell. */
  isUncertain: boolean
  /** From here on the broker may have ended it. Infinity: it lives at the end of the history. */
  endsFrom: number
  /** From here on it is certainly over: the CONNACK of the next session. Infinity: it may live on. */
  endsBy: number
  /** The client was told that it is over when it should have lived. */
  isLost: boolean
  readonly deliveries: Array<Delivery>
}

/** One time that a PUBLISH was sent. */
export interface Sending {
  readonly connection: Connection
  readonly sent: SentPacket<Publish>
  readonly at: number
  /** Its PUBACK or PUBREC, which came on the same connection. */
  answer: { readonly at: number; readonly writtenAt: number | undefined; readonly reasonCode: number } | undefined
  /**
   * Which exchange of the protocol it belongs to: sendings with the same number are one message to a broker that tells
   * duplicates at QoS 2. Counts from 0 within a publication.
   */
  readonly exchange: number
}

/** A message that a client published. */
export interface Publication {
  /** Undefined for an empty payload, which clears a retained message. */
  readonly id: MessageId | undefined
  /** How violations call it. */
  readonly name: string
  readonly client: string
  /** With the client's topic alias resolved. Undefined: the alias was never set. */
  readonly topic: string | undefined
  readonly qos: QoS
  readonly retain: boolean
  /** Message Expiry Interval, in seconds. */
  readonly expiry: number | undefined
  /** An upper bound for the bytes of its PUBLISH to a subscriber, without subscription identifiers. */
  readonly bytes: number
  readonly sendings: Array<Sending>
  readonly firstSentAt: number
  /** When it was first acknowledged with a reason code below 0x80. */
  acknowledgedAt: number | undefined
  /** Whether some sending of it was refused, by a reason code from 0x80 on. */
  isRefused: boolean
}

/** One time that a client received a PUBLISH. */
export interface Delivery {
  readonly at: number
  readonly writtenAt: number | undefined
  /** Its place in the order of all deliveries of the history. */
  readonly order: number
  readonly connection: Connection
  /** Undefined when the PUBLISH came before a CONNACK. */
  readonly session: Session | undefined
  /**
   * Whether the client took notice of it: it had not opened a newer connection yet, and the broker had not said on this
   * one that it is over. What nobody heard is not acknowledged, and is owed still.
   */
  readonly isHeard: boolean
  readonly packet: Publish
  /** With the broker's topic alias resolved. Undefined: the alias was never set. */
  readonly topic: string | undefined
  /** Which message it is. Undefined: the payload is empty, or none that a client of this history makes. */
  readonly id: MessageId | undefined
  readonly name: string | undefined
  /** Undefined: a Will, an empty payload, or a message that nobody published. */
  publication: Publication | undefined
  /** The first PUBACK or PUBREC that the client sent for it. */
  answer: SentPacket | undefined
  /** When PUBREL was received for it, on whichever connection. */
  releasedAt: number | undefined
}

/** When a broker listened, and how its process ended. */
export interface BrokerLife {
  readonly broker: string
  readonly startedAt: number
  /** How many messages it keeps for a session. */
  readonly queueMessages: number
  readyAt: number | undefined
  ended: Extract<Event, { _tag: "Ended" }> | undefined
}

/** A fault, and when it acted. */
export interface FaultSpan {
  readonly struck: Extract<Event, { _tag: "Struck" }>
  liftedAt: number | undefined
}

export interface Account {
  readonly history: History
  /** In the order in which they were opened. */
  readonly connections: ReadonlyArray<Connection>
  /** By their numbers. */
  readonly connection: (number: number) => Connection | undefined
  /** By client, in the order in which they were opened. */
  readonly connectionsOf: ReadonlyMap<string, ReadonlyArray<Connection>>
  readonly sessions: ReadonlyArray<Session>
  /** By name, in the order in which they were first sent; those with an empty payload are in {@link clears}. */
  readonly publications: ReadonlyMap<string, Publication>
  /** Publications with an empty payload. */
  readonly clears: ReadonlyArray<Publication>
  /** The connection whose Will a message is, by the message's name. */
  readonly wills: ReadonlyMap<string, Connection>
  readonly deliveries: ReadonlyArray<Delivery>
  readonly brokers: ReadonlyArray<BrokerLife>
  readonly faults: ReadonlyArray<FaultSpan>
  readonly phases: ReadonlyArray<Extract<Event, { _tag: "Phase" }>>
  /** When the phase began; undefined: it did not. */
  readonly phaseAt: (phase: "chaos" | "healed" | "cleared") => number | undefined
  readonly clock: BrokerClock
  /** Whether the history knows what brokers were handed: then a packet without `takenAt` was never taken. */
  readonly isOmniscient: boolean
  /** The time of the last event. */
  readonly endsAt: number
  /** The subscriptions of a session whose filters match a topic, shared ones as well, and that were not refused. */
  readonly matching: (session: Session, topic: string) => ReadonlyArray<Subscription>
  /** Whether a filter without `$share/` matches a topic. */
  readonly isMatch: (filter: string, topic: string) => boolean
}

/** A promise as a check of a whole account. A pure function. */
export type Promised = (account: Account) => ReadonlyArray<Violation>
