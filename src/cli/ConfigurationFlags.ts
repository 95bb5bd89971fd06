/**
 * The flags that configure a broker, for every command that reads its configuration.
 */
import { Option } from "effect"
import { Flag } from "effect/cli"
import type { FlagValues } from "../domain/config/Flags.ts"
import type { Sources } from "../layers/ConfigurationSources.ts"

const value = (name: string, metavar: string, description: string) =>
  Flag.String(name).pipe(Flag.withMetavar(metavar), Flag.withDescription(description), Flag.optional)

/** Flags for single keys. */
export const keyFlags = {
  host: value("host", "ADDRESS", "Address to listen on (listeners.tcp.host, 0.0.0.0)"),
  port: value("port", "PORT", "Port to listen on (listeners.tcp.port, 1883)"),
  data: Flag.Path("data").pipe(
    Flag.withMetavar("DIRECTORY"),
    Flag.withDescription("Where to keep what must survive a restart (data.directory, ./data)"),
    Flag.optional
  ),
  id: value("id", "NAME", "Name of the broker in the cluster (id, the host's name)"),
  zookeeper: value(
    "zookeeper",
    "HOST:PORT,…/PATH",
    "ZooKeeper ensemble to keep everything in (zookeeper.connect, embedded: in the data directory)"
  ),
  "zookeeper-session-timeout": value(
    "zookeeper-session-timeout",
    "TIME",
    "How long ZooKeeper waits for a broker that is silent (zookeeper.sessionTimeout, 6 seconds)"
  ),
  "log-level": Flag.Literals("log-level", ["trace", "debug", "info", "warn", "error", "fatal", "none"]).pipe(
    Flag.withMetavar("LEVEL"),
    Flag.withDescription("The least severe messages to log (log.level, info)"),
    Flag.optional
  ),
  "log-format": Flag.Literals("log-format", ["auto", "human", "json"]).pipe(
    Flag.withMetavar("FORMAT"),
    Flag.withDescription("How the log looks (log.format, auto: human on a terminal, else JSON)"),
    Flag.optional
  ),
  set: Flag.String("set").pipe(
    Flag.withMetavar("KEY=VALUE"),
    Flag.withDescription("Set any key of the configuration; repeatable"),
    Flag.atLeast(0)
  )
}

/** The flag for the file. */
export const configFlag = Flag.Path("config").pipe(
  Flag.withMetavar("FILE"),
  Flag.withDescription("Configuration file, YAML or JSON (MQTTZOO_CONFIG)"),
  Flag.optional
)

/** What the flags of `keyFlags` parse to. */
interface Parsed extends Readonly<Record<Exclude<keyof typeof keyFlags, "set">, Option.Option<string>>> {
  readonly set: ReadonlyArray<string>
}

/** The sources of the configuration, by the flags that were given. */
export const sourcesOf = (file: Option.Option<string>, { set, ...named }: Parsed): Sources => ({
  file: Option.getOrUndefined(file),
  settings: set,
  flags: Object.fromEntries(
    Object.entries(named).flatMap(([name, given]) =>
      Option.isOption(given) && Option.isSome(given) ? [[name, given.value]] : []
    )
  ) as FlagValues,
  environment: process.env
})
