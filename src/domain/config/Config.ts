/**
 * The configuration of a broker: every key, what it does, its unit, its default and its bounds. What reads it from
 * files, variables and flags is in `Provenance.ts`.
 *
 * Durations decode to `Duration`, sizes to a number of bytes.
 */
import { Schema } from "effect"
import * as Setting from "./Setting.ts"

/** A socket that clients connect to. */
const Listener = Schema.Struct({
  host: Setting.text(
    { description: "The address that the listener binds to. `0.0.0.0` is every IPv4 address.", default: "0.0.0.0" },
    { allowed: "an IP address or a host name", pattern: /^[^\s/]+$/u }
  ),
  port: Setting.count(
    { description: "The TCP port that the listener binds to; 0 takes any free port.", default: 1883 },
    { minimum: 0, maximum: 65_535 }
  )
})

const Limits = Schema.Struct({
  maximumPacketSize: Setting.size(
    {
      description: "The largest packet that a client may send. A larger one ends the connection with reason 0x95.",
      default: "1 MiB"
    },
    { minimum: 1_024, maximum: 268_435_456 }
  ),
  connectTimeout: Setting.duration(
    {
      description: "How long a client may take from opening the connection to a complete CONNECT.",
      default: "10 seconds"
    },
    { minimum: "100 ms", maximum: "10 minutes" }
  ),
  maximumConnections: Setting.count(
    { description: "How many clients may be connected to this broker at a time.", default: 1_000_000 },
    { minimum: 1, maximum: 10_000_000 }
  ),
  maximumClientIdLength: Setting.count(
    { description: "The longest client identifier, in bytes of UTF-8.", default: 256 },
    { minimum: 23, maximum: 65_535 }
  ),
  maximumTopicLevels: Setting.count(
    { description: "How many levels a topic name or a topic filter may have.", default: 128 },
    { minimum: 1, maximum: 65_535 }
  ),
  maximumFiltersPerSubscribe: Setting.count(
    { description: "How many topic filters one SUBSCRIBE may name.", default: 256 },
    { minimum: 1, maximum: 65_535 }
  ),
  maximumSubscriptionsPerClient: Setting.count(
    { description: "How many subscriptions a client may hold.", default: 1_000 },
    { minimum: 1, maximum: 1_000_000 }
  ),
  receiveMaximum: Setting.count(
    {
      description: "How many QoS 1 and 2 messages a client may have sent without our acknowledgement being complete.",
      default: 1_024
    },
    { minimum: 1, maximum: 65_535 }
  ),
  maximumInflight: Setting.count(
    {
      description:
        "How many QoS 1 and 2 messages a client may have from us unacknowledged; its own Receive Maximum lowers this.",
      default: 256
    },
    { minimum: 1, maximum: 65_535 }
  ),
  topicAliasMaximum: Setting.count(
    {
      description: "How many topic aliases a client may use towards us, and we towards it. 0 turns them off.",
      default: 16
    },
    { minimum: 0, maximum: 65_535 }
  ),
  queue: Schema.Struct({
    messages: Setting.count(
      {
        description: "How many messages may wait for one session. A message that finds a full queue is refused.",
        default: 100_000
      },
      { minimum: 1, maximum: 10_000_000 }
    ),
    bytes: Setting.size(
      { description: "How much the messages that wait for one session may take.", default: "64 MiB" },
      { minimum: 1_024, maximum: 1_099_511_627_776 }
    )
  }),
  outbox: Schema.Struct({
    messages: Setting.count(
      {
        description: "How many messages may wait for one connected client before its publishers are held.",
        default: 1_000
      },
      { minimum: 1, maximum: 10_000_000 }
    ),
    bytes: Setting.size(
      {
        description:
          "How much may wait for one connected client before its publishers are held. Once they are not any more, QoS 0 messages above it are dropped, and above four times of it in any case.",
        default: "1 MiB"
      },
      { minimum: 1_024, maximum: 1_073_741_824 }
    )
  }),
  retained: Schema.Struct({
    payload: Setting.size(
      { description: "The largest payload of a retained message.", default: "64 KiB" },
      { minimum: 0, maximum: 262_144 }
    ),
    messages: Setting.count(
      { description: "How many retained messages there may be.", default: 100_000 },
      { minimum: 0, maximum: 100_000_000 }
    )
  })
})

const Session = Schema.Struct({
  maximumExpiryInterval: Setting.duration(
    {
      description: "The longest time that a session outlives its connection; a client that asks for more gets this.",
      default: "7 days"
    },
    { minimum: "0 seconds", maximum: "3650 days" }
  ),
  maximumKeepAlive: Setting.duration(
    {
      description:
        "The longest keep alive; a client that asks for more, or for none, gets this. 0 leaves the client its choice.",
      default: "0 seconds"
    },
    { minimum: "0 seconds", maximum: "65535 seconds" }
  ),
  sharedSubscriptionStrategy: Setting.choice(
    { description: "How a message to a shared subscription finds its one receiver.", default: "round-robin" },
    ["round-robin", "random", "sticky", "hash-by-publisher"]
  )
})

const Bank = Schema.Struct({
  capital: Setting.size(
    {
      description: "How much may be stored in all: retained messages, and messages that wait for durable sessions.",
      default: "1 GiB"
    },
    { minimum: 1_048_576, maximum: 1_099_511_627_776 }
  ),
  recordCost: Setting.size(
    { description: "What a stored record costs beside its own bytes.", default: "64 B" },
    { minimum: 0, maximum: 1_048_576 }
  ),
  znodeCost: Setting.size(
    { description: "What a znode costs beside its own bytes.", default: "512 B" },
    { minimum: 0, maximum: 1_048_576 }
  )
})

/** The value of `zookeeper.connect` that is no connect string: ZooKeeper is inside the broker. */
export const embeddedZooKeeper = "embedded"

/** The whole configuration. */
export const Config = Schema.Struct({
  id: Setting.text(
    { description: "The broker's name in the cluster. Without one it is the host's name." },
    { allowed: "1 to 64 letters, digits, dots, dashes and underscores", pattern: /^[A-Za-z0-9._-]{1,64}$/u }
  ),
  listeners: Schema.Struct({ tcp: Listener }),
  data: Schema.Struct({
    directory: Setting.text(
      {
        description: "The directory that holds what must survive a restart. It is made when it is not there.",
        default: "./data"
      },
      { allowed: "the path of a directory", pattern: /^[^\r\n\0]+$/u }
    )
  }),
  zookeeper: Schema.Struct({
    connect: Setting.text(
      {
        description:
          "The ZooKeeper ensemble that holds what must survive a restart. `embedded` is one inside the broker, which keeps it in the data directory.",
        default: embeddedZooKeeper
      },
      { allowed: "`embedded`, or host:port,host:port/path", pattern: /^[^\r\n\0]+$/u }
    ),
    sessionTimeout: Setting.duration(
      {
        description:
          "After how long without a word from this broker the ensemble takes it for dead. The ensemble has bounds of its own.",
        default: "6 seconds"
      },
      { minimum: "1 second", maximum: "5 minutes" }
    )
  }),
  partitions: Setting.count(
    {
      description: "Into how many partitions the client identifiers are divided. It cannot change once there are data.",
      default: 64
    },
    { minimum: 1, maximum: 4_096 }
  ),
  session: Session,
  limits: Limits,
  bank: Bank,
  shutdown: Schema.Struct({
    graceTime: Setting.duration(
      { description: "How long a broker that was told to stop may take for it.", default: "10 seconds" },
      { minimum: "0 seconds", maximum: "1 hour" }
    )
  }),
  log: Schema.Struct({
    level: Setting.choice({ description: "The least severe messages that are logged.", default: "info" }, [
      "trace",
      "debug",
      "info",
      "warn",
      "error",
      "fatal",
      "none"
    ]),
    format: Setting.choice(
      {
        description: "How the log looks: lines for people, or JSON. `auto` is human on a terminal and JSON elsewhere.",
        default: "auto"
      },
      ["auto", "human", "json"]
    )
  })
})

/** A complete, valid configuration. */
export type Config = typeof Config.Type
