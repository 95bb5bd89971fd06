/**
 * The rare paths that many seeds together have to reach: a run in which nothing was wrong says little when nothing that
 * is hard has happened in it.
 */

export interface Probe {
  /** A name that does not change: `takeover-while-sending`. */
  readonly name: string
  /** What happens there, for people. */
  readonly description: string
}

/**
 * All that have to be reached. Each was by at least one of a hundred seeds of the default plan when it was listed; what is
 * rarer is counted and shown as well, and asked of nobody.
 */
export const probes: ReadonlyArray<Probe> = [
  {
    name: "session.taken-over-in-flight",
    description: "a client connects again while messages of its older connection are under way"
  },
  { name: "session.expired-while-away", description: "a client comes back for a durable session whose time is over" },
  { name: "session.resumed-after-crash", description: "a session goes on after its broker was killed or lost power" },
  {
    name: "session.message-survived-crash",
    description: "a message that was acknowledged before a crash is delivered after it"
  },
  { name: "session.message-expired-in-queue", description: "a message expires while its durable subscriber is away" },
  { name: "exchange.publish-resent-by-client", description: "a client sends a PUBLISH again, with DUP" },
  { name: "exchange.publish-resent-by-broker", description: "a broker sends a PUBLISH again, with DUP" },
  {
    name: "exchange.pubrel-resent-by-client",
    description: "a client's PUBREL comes on a later connection than its PUBLISH"
  },
  {
    name: "exchange.pubrel-resent-by-broker",
    description: "a broker's PUBREL comes on a later connection than its PUBLISH"
  },
  { name: "exchange.released-after-crash", description: "an exchange of QoS 2 goes on with PUBREL after a crash" },
  {
    name: "exchange.crash-before-acknowledgement",
    description: "a broker dies when it has a PUBLISH and has not acknowledged it"
  },
  { name: "will.after-crash", description: "a Will is published because its broker died" },
  { name: "will.after-delay", description: "a Will is published when its delay is over" },
  { name: "will.delayed-and-cancelled", description: "a client is back before the delay of its Will is over" },
  { name: "retained.read-after-crash", description: "a retained message of before a crash is read after it" },
  {
    name: "shared.moved-to-another-member",
    description: "a shared message goes to a second member because the first one's session has ended"
  },
  { name: "flow.refused-for-room", description: "a message is refused with 0x97, for want of room" },
  {
    name: "flow.receive-maximum-of-client",
    description: "as much is under way to a client as its Receive Maximum allows"
  },
  {
    name: "flow.receive-maximum-of-broker",
    description: "as much is under way to a broker as its Receive Maximum allows"
  },
  { name: "alias.used-by-client", description: "a topic alias stands for the topic in a client's PUBLISH" },
  { name: "alias.used-by-broker", description: "a topic alias stands for the topic in a broker's PUBLISH" },
  { name: "client.served-3.1.1", description: "a client of MQTT 3.1.1 is connected" },
  { name: "client.served-5", description: "a client of MQTT 5.0 is connected" },
  { name: "disconnect.0x8b", description: "a broker says goodbye because it shuts down" },
  { name: "disconnect.0x8e", description: "a broker ends a connection that a later one has taken over" },
  { name: "broker.ended-while-starting", description: "a broker ends before it is ready, and is started again" },
  { name: "disk.failing", description: "a commit meets a disk that fails" },
  { name: "disk.full", description: "a commit meets a disk that is full" },
  { name: "disk.forgot", description: "a power cut undoes what was written and not synced" },
  { name: "disk.synced-after-death", description: "what a broker wrote is synced after it was killed" },
  { name: "network.half-open", description: "a machine's peers sit at connections that it knows nothing of any more" },
  { name: "network.unread-at-death", description: "a broker dies with bytes in its sockets that it has not read" },
  { name: "zookeeper.expired", description: "ZooKeeper ends the session of a broker" },
  {
    name: "zookeeper.proposal-survived",
    description: "a write that its leader did not live to commit happens all the same"
  },
  { name: "zookeeper.proposal-lost", description: "a write that its leader did not live to commit never happens" },
  {
    name: "zookeeper.refused-behind",
    description: "a ZooKeeper server refuses a client that has seen more than it has"
  },
  { name: "zookeeper.reply-lost", description: "the reply to a write is lost, and its outcome is unknown" },
  {
    name: "run.healed-while-struck",
    description: "a fault is still acting when everything heals, and the run converges"
  },
  { name: "fault.crash", description: "a broker is killed" },
  { name: "fault.power", description: "a machine loses power" },
  { name: "fault.stop", description: "a broker is told to stop" },
  { name: "fault.pause", description: "a broker stands still" },
  { name: "fault.cut", description: "two hosts are cut off from each other" },
  { name: "fault.reset", description: "connections are reset" },
  { name: "fault.slow", description: "the network between two hosts is slow" },
  { name: "fault.expire", description: "the ZooKeeper session of a broker is ended" },
  { name: "fault.lose-reply", description: "ZooKeeper's replies are lost" },
  { name: "fault.lag", description: "a ZooKeeper server lags" },
  { name: "fault.leader", description: "ZooKeeper loses its leader" },
  { name: "fault.server", description: "ZooKeeper servers die" },
  { name: "fault.disk", description: "a disk is full, fails or is slow" },
  { name: "fault.clock", description: "the wall clock of a broker jumps" }
]

/** So many seeds of the default plan reach every probe: what one seed in a hundred reaches, all but four in 100,000 times. */
export const seedsForAll = 1_000

/** How often something was reached over many seeds. */
export interface Reached {
  /** The seeds that have reached it. */
  readonly seeds: number
  /** How often, all seeds together. */
  readonly times: number
}

/** Adds what one seed has reached to what the seeds before it have. */
export const added = (
  all: ReadonlyMap<string, Reached>,
  one: Iterable<readonly [name: string, times: number]>
): ReadonlyMap<string, Reached> => {
  const sum = new Map(all)
  for (const [name, times] of one) {
    if (times === 0) continue
    const before = sum.get(name)
    sum.set(name, { seeds: (before?.seeds ?? 0) + 1, times: (before?.times ?? 0) + times })
  }
  return sum
}

/** The probes that were not reached. */
export const unreached = (
  reached: ReadonlyMap<string, Reached>,
  wanted: ReadonlyArray<Probe> = probes
): ReadonlyArray<Probe> => wanted.filter(({ name }) => !reached.has(name))
