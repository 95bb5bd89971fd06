/**
 * What happened in a run, as its observers saw it: the clients write down what they send and receive, the world what
 * struck it. Brokers write nothing, so a history cannot be wrong in the way a broker is. The checkers read nothing else.
 *
 * A history of real processes has the same events, without those that only an omniscient observer can know
 * (`Taken`, `writtenAt`).
 */
import { Schema } from "effect"
import { Packet, ProtocolVersion } from "../packet/Packet.ts"
import { Fault } from "./Plan.ts"

/** Microseconds since the run began, by a clock that nobody in the run has and nothing disturbs. */
const Micros = Schema.Natural

/** The number of a connection: unique in the run, in the order in which they were opened. */
const ConnectionNumber = Schema.Natural

/** A client has opened a connection to a broker: the network is through, nothing is sent yet. */
export const Opened = Schema.TaggedStruct("Opened", {
  at: Micros,
  connection: ConnectionNumber,
  /** The client identifier that it will give. */
  client: Schema.String,
  broker: Schema.String,
  version: ProtocolVersion
})
export type Opened = typeof Opened.Type

/** A client has handed a packet to its socket; it may never arrive. */
export const Sent = Schema.TaggedStruct("Sent", {
  at: Micros,
  connection: ConnectionNumber,
  /** Counts the packets that were sent by this connection, from 0. */
  index: Schema.Natural,
  packet: Packet
})
export type Sent = typeof Sent.Type

/** The broker's process was handed the last byte of a packet. What it has done with it is not said. */
export const Taken = Schema.TaggedStruct("Taken", {
  at: Micros,
  connection: ConnectionNumber,
  /** Which packet: the `index` of its {@link Sent}. */
  index: Schema.Natural
})
export type Taken = typeof Taken.Type

/** A client has received a packet. */
export const Received = Schema.TaggedStruct("Received", {
  at: Micros,
  connection: ConnectionNumber,
  packet: Packet,
  /** When the broker wrote its last byte to the socket. */
  writtenAt: Schema.optionalKey(Micros)
})
export type Received = typeof Received.Type

/** A client has received bytes that are no packet, or not one of a server. */
export const Garbled = Schema.TaggedStruct("Garbled", {
  at: Micros,
  connection: ConnectionNumber,
  detail: Schema.String
})

/** A connection is over for the client. Nothing follows for it but what the broker has {@link Taken} of it since. */
export const Closed = Schema.TaggedStruct("Closed", {
  at: Micros,
  connection: ConnectionNumber,
  /**
   * `client`: it closed; `broker`: the end of the broker's stream came, after all that it had written; `reset`: it broke
   * off, and what was on its way is lost; `silence`: nothing came for so long that the client gave up, or it fell silent
   * itself, and the broker is told nothing.
   */
  by: Schema.Literals(["client", "broker", "reset", "silence"])
})
export type Closed = typeof Closed.Type

/** A broker's process has been started; it does not listen yet. */
export const Started = Schema.TaggedStruct("Started", {
  at: Micros,
  broker: Schema.String,
  /** How many messages it keeps for a session; absent: more than there will be. */
  queueMessages: Schema.optionalKey(Schema.Int)
})

/** A broker listens. */
export const Ready = Schema.TaggedStruct("Ready", { at: Micros, broker: Schema.String })

/** A broker's process has ended. */
export const Ended = Schema.TaggedStruct("Ended", {
  at: Micros,
  broker: Schema.String,
  /** `kill`: SIGKILL; `power`: its machine lost power; `stopped`: as it was told to; `failed`: of its own accord. */
  how: Schema.Literals(["kill", "power", "stopped", "failed"]),
  detail: Schema.optionalKey(Schema.String)
})
export type Ended = typeof Ended.Type

/** A broker has logged a warning or an error. */
export const Logged = Schema.TaggedStruct("Logged", {
  at: Micros,
  broker: Schema.String,
  level: Schema.Literals(["Warn", "Error", "Fatal"]),
  message: Schema.String
})

/** A fault of the plan begins to act. One without a duration acts at this moment only. */
export const Struck = Schema.TaggedStruct("Struck", { at: Micros, fault: Fault })
export type Struck = typeof Struck.Type

/** A fault has stopped acting. */
export const Lifted = Schema.TaggedStruct("Lifted", { at: Micros, fault: Fault })

/** The wall clock of a broker now differs from the run's own by this much more than before. */
export const ClockJumped = Schema.TaggedStruct("ClockJumped", {
  at: Micros,
  broker: Schema.String,
  millis: Schema.Int
})

/** A new phase begins: faults may strike; nothing strikes any more; the clients clear up what they have left behind. */
export const Phase = Schema.TaggedStruct("Phase", {
  at: Micros,
  phase: Schema.Literals(["chaos", "healed", "cleared"])
})

/** What a broker and the world hold at a quiet moment, in numbers by name. */
export const Snapshot = Schema.TaggedStruct("Snapshot", {
  at: Micros,
  broker: Schema.String,
  /** `empty`: before the first client came; `end`: after everything was cleared. */
  moment: Schema.Literals(["empty", "end"]),
  holds: Schema.Record(Schema.String, Schema.Number)
})

/** The run itself went wrong: a process died of a defect, nothing was left to do, something leaked past the simulation. */
export const Failed = Schema.TaggedStruct("Failed", {
  at: Micros,
  kind: Schema.Literals(["defect", "stuck", "leak", "late"]),
  detail: Schema.String
})

/** One line of a history. */
export const Event = Schema.Union([
  Opened,
  Sent,
  Taken,
  Received,
  Garbled,
  Closed,
  Started,
  Ready,
  Ended,
  Logged,
  Struck,
  Lifted,
  ClockJumped,
  Phase,
  Snapshot,
  Failed
]).pipe(Schema.toTaggedUnion("_tag"))
export type Event = typeof Event.Type

/** In the order in which it happened; `at` never falls. */
export type History = ReadonlyArray<Event>

/** A promise that a history breaks. */
export const Violation = Schema.Struct({
  /** The promise, as a name that does not change: `acknowledged-lost`, `will-twice`. */
  promise: Schema.String,
  /** When it was broken, as far as that can be said. */
  at: Micros,
  /** What happened, for a reader who wants to find it in the trace: client, connection, message, times. */
  detail: Schema.String
})
export type Violation = typeof Violation.Type

/** Judges a whole history. A pure function: the same history, the same answer. */
export type Checker = (history: History) => ReadonlyArray<Violation>
