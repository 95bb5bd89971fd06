/**
 * A run of the simulation as data: who does what and when, and what strikes. A seed gives a plan (`Planning.ts`); a plan
 * can be stored, made smaller and run again. Together with the seed for the random streams it decides the whole run.
 */
import { Schema } from "effect"
import { ProtocolVersion, QoS, RetainHandling } from "../packet/Packet.ts"

/** Milliseconds, virtual ones. */
const Millis = Schema.Natural

const at = { /** When, counted from the beginning of the chaos. */ at: Millis }

/** The Will that a connection is given. Its payload is made by the client, so that it can be told from all others. */
export const WillPlan = Schema.Struct({
  topic: Schema.String,
  qos: QoS,
  retain: Schema.Boolean,
  /** Seconds; MQTT 5.0 only. */
  delay: Schema.optionalKey(Schema.Natural),
  /** Seconds; MQTT 5.0 only. */
  expiry: Schema.optionalKey(Schema.Natural)
})
export type WillPlan = typeof WillPlan.Type

/** The client goes online, and connects again whenever its connection ends, until it goes offline. */
export const Online = Schema.TaggedStruct("Online", {
  ...at,
  cleanStart: Schema.Boolean,
  /** Session Expiry Interval in seconds, for MQTT 5.0; absent is 0. 3.1.1: a session without clean start never expires. */
  expiry: Schema.optionalKey(Schema.Natural),
  will: Schema.optionalKey(WillPlan)
})
export type Online = typeof Online.Type
/**
 * The client goes offline: by DISCONNECT, with a reason and perhaps another session expiry; by a reset; or it falls
 * silent, as if its power were cut.
 */
export const Offline = Schema.TaggedStruct("Offline", {
  ...at,
  how: Schema.Literals(["disconnect", "disconnect-with-will", "reset", "silence"]),
  expiry: Schema.optionalKey(Schema.Natural)
})
export type Offline = typeof Offline.Type
/** A client that is online connects once more, without closing its connection: the broker has to end the old one. */
export const TakeOver = Schema.TaggedStruct("TakeOver", at)
export const Subscribe = Schema.TaggedStruct("Subscribe", {
  ...at,
  filter: Schema.String,
  qos: QoS,
  noLocal: Schema.Boolean,
  retainAsPublished: Schema.Boolean,
  retainHandling: RetainHandling,
  /** Subscription Identifier; MQTT 5.0 only. */
  identifier: Schema.optionalKey(Schema.Natural)
})
export type Subscribe = typeof Subscribe.Type
export const Unsubscribe = Schema.TaggedStruct("Unsubscribe", { ...at, filter: Schema.String })
export const Publish = Schema.TaggedStruct("Publish", {
  ...at,
  topic: Schema.String,
  qos: QoS,
  retain: Schema.Boolean,
  /** Bytes of the payload: 0 clears a retained message, others are at least what identifies the message. */
  bytes: Schema.Natural,
  /** Message Expiry Interval in seconds; MQTT 5.0 only. */
  expiry: Schema.optionalKey(Schema.Natural),
  /** Whether to use a topic alias, where the broker allows one; MQTT 5.0 only. */
  alias: Schema.Boolean
})
export type Publish = typeof Publish.Type
/** The client does not read from its socket for a time. */
export const Stall = Schema.TaggedStruct("Stall", { ...at, duration: Millis })

/**
 * What a client does. Subscriptions and messages of QoS 1 and 2 wait for a connection; what else cannot be done at that
 * moment (a QoS 0 message without a connection, going online twice) is left out.
 */
export const Action = Schema.Union([Online, Offline, TakeOver, Subscribe, Unsubscribe, Publish, Stall]).pipe(
  Schema.toTaggedUnion("_tag")
)
export type Action = typeof Action.Type

export const ClientPlan = Schema.Struct({
  /** The client identifier; not empty. */
  name: Schema.String,
  version: ProtocolVersion,
  /** Seconds; 0 is off. */
  keepAlive: Schema.Natural,
  /** MQTT 5.0 only. */
  receiveMaximum: Schema.optionalKey(Schema.Natural),
  /** MQTT 5.0 only. */
  maximumPacketSize: Schema.optionalKey(Schema.Natural),
  /** Topic Alias Maximum that it allows the broker; MQTT 5.0 only. */
  topicAliasMaximum: Schema.optionalKey(Schema.Natural),
  /** How long it takes to acknowledge what it receives, at most. */
  acknowledgeMillis: Millis,
  /** In the order of their times. */
  actions: Schema.Array(Action)
})
export type ClientPlan = typeof ClientPlan.Type

const lasting = { ...at, duration: Millis }

/** The process of a broker dies by SIGKILL and is started again after the duration. */
export const Crash = Schema.TaggedStruct("crash", { ...lasting, broker: Schema.String })
/** The machine of a broker loses power: what was not synced is gone, and its peers hear nothing. */
export const Power = Schema.TaggedStruct("power", { ...lasting, broker: Schema.String })
/** A broker is told to stop (SIGTERM) and started again after the duration, counted from its end. */
export const Stop = Schema.TaggedStruct("stop", { ...lasting, broker: Schema.String })
/** The process of a broker stands still (SIGSTOP), the world goes on. */
export const Pause = Schema.TaggedStruct("pause", { ...lasting, broker: Schema.String })
/** Nothing gets from one host to another, in one direction or both. What was sent is sent again until it does. */
export const Cut = Schema.TaggedStruct("cut", {
  ...lasting,
  from: Schema.String,
  to: Schema.String,
  oneWay: Schema.Boolean
})
/** The connections between two hosts break off, in the middle of a packet if need be. */
export const Reset = Schema.TaggedStruct("reset", { ...at, from: Schema.String, to: Schema.String })
/** Everything between two hosts takes this many times as long. */
export const Slow = Schema.TaggedStruct("slow", {
  ...lasting,
  from: Schema.String,
  to: Schema.String,
  factor: Schema.Natural
})
/** ZooKeeper ends the session of a broker. */
export const Expire = Schema.TaggedStruct("expire", { ...at, broker: Schema.String })
/** ZooKeeper's replies to writes are lost with this chance (percent), and the connection with them. */
export const LoseReply = Schema.TaggedStruct("lose-reply", { ...lasting, percent: Schema.Natural })
/** A ZooKeeper server applies what was committed later than the others. */
export const Lag = Schema.TaggedStruct("lag", { ...lasting, server: Schema.Natural, millis: Millis })
/** The ZooKeeper ensemble loses its leader and has another after the duration. */
export const Leader = Schema.TaggedStruct("leader", lasting)
/** A ZooKeeper server dies and comes back after the duration; so many of them that no quorum is left, if `quorum`. */
export const Server = Schema.TaggedStruct("server", { ...lasting, server: Schema.Natural, quorum: Schema.Boolean })
/** The disk of a broker is full, fails, or takes long to sync. */
export const Disk = Schema.TaggedStruct("disk", {
  ...lasting,
  broker: Schema.String,
  how: Schema.Literals(["full", "failing", "slow"])
})
/** The wall clock of a broker jumps. */
export const Clock = Schema.TaggedStruct("clock", { ...at, broker: Schema.String, millis: Schema.Int })

/** What strikes. `at` and `duration` are milliseconds from the beginning of the chaos. */
export const Fault = Schema.Union([
  Crash,
  Power,
  Stop,
  Pause,
  Cut,
  Reset,
  Slow,
  Expire,
  LoseReply,
  Lag,
  Leader,
  Server,
  Disk,
  Clock
]).pipe(Schema.toTaggedUnion("_tag"))
export type Fault = typeof Fault.Type

/** The names by which faults are chosen on the command line. */
export const FaultName = Schema.Literals([
  "crash",
  "power",
  "stop",
  "pause",
  "cut",
  "reset",
  "slow",
  "expire",
  "lose-reply",
  "lag",
  "leader",
  "server",
  "disk",
  "clock"
])
export type FaultName = typeof FaultName.Type

/** So many brokers a run can have. */
export const maximumBrokers = 1

/** How the next task is chosen among those that are ready. */
export const Policy = Schema.Literals(["random", "priorities", "fifo"])
export type Policy = typeof Policy.Type

export const Plan = Schema.Struct({
  /** Where the random streams of the run begin. */
  seed: Schema.Natural,
  /** How long faults may strike, in seconds. The run goes on after that until it has converged. */
  seconds: Schema.Natural,
  brokers: Schema.Natural,
  /** What the brokers keep their data in: each its own disk, or a ZooKeeper ensemble of three servers. */
  store: Schema.Literals(["embedded", "ensemble"]),
  schedule: Schema.Struct({
    policy: Policy,
    /** The chance that a fiber has to yield before an operation. */
    preemption: Schema.Number
  }),
  network: Schema.Struct({
    /** The usual latency of a message, in microseconds. */
    latencyMicros: Schema.Natural,
    /** The chance that what is written in one go arrives in pieces. */
    segmentation: Schema.Number
  }),
  clocks: Schema.Struct({
    /** By how much the broker's clock runs fast or slow, in parts per million. */
    driftPpm: Schema.Int,
    skewMillis: Schema.Int
  }),
  /** What differs from the broker's default configuration. */
  limits: Schema.Struct({
    partitions: Schema.Natural,
    /** Credit in bytes. */
    capital: Schema.Natural,
    receiveMaximum: Schema.Natural,
    maximumInflight: Schema.Natural,
    queueMessages: Schema.Natural,
    outboxBytes: Schema.Natural
  }),
  clients: Schema.Array(ClientPlan),
  /** In the order of their times. */
  faults: Schema.Array(Fault)
})
export type Plan = typeof Plan.Type

/** The hosts of a run, by the names that faults and events use. */
export const brokerHost = (index: number): string => `broker-${index + 1}`
export const serverHost = (index: number): string => `zookeeper-${index + 1}`
/** Every client is a host of its own. */
export const clientHost = (client: string): string => client
