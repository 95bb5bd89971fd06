/**
 * The flags of `mqttzoo pub` and `mqttzoo sub` that say where to connect and how: those of mosquitto_pub and
 * mosquitto_sub, with their meaning.
 */
import { Effect, FileSystem, Option, Redacted, Result } from "effect"
import { Flag } from "effect/cli"
import { type GivenProperties, parseProperties } from "../domain/client/PropertyArgument.ts"
import type { Packet, ProtocolVersion, QoS, Will } from "../domain/packet/Packet.ts"
import { neverExpires } from "../domain/session/Session.ts"
import { isTopicName } from "../domain/topic/TopicName.ts"
import { meaningOf } from "../layers/SystemError.ts"
import type { ClientOptions } from "../services/Client.ts"
import type { Direction } from "../services/client/Wire.ts"
import type { Address } from "../services/Transport.ts"
import { type FlagNames, wordSeparator } from "./Arguments.ts"
import * as BrokerUrl from "./BrokerUrl.ts"
import { type CommandFailure, misuse } from "./CommandFailure.ts"

const text = (name: string, metavar: string, description: string) =>
  Flag.String(name).pipe(Flag.withMetavar(metavar), Flag.withDescription(description))

/** A flag that is on or off. */
export const onOff = (name: string, description: string) =>
  Flag.Boolean(name).pipe(Flag.withDescription(description), Flag.withDefault(false), Flag.withoutNegation)

/** A whole number within bounds. */
export const wholeNumber = (name: string, metavar: string, minimum: number, maximum: number, description: string) =>
  Flag.Int(name).pipe(
    Flag.filter(
      (value) => value >= minimum && value <= maximum,
      () => `a whole number from ${minimum} to ${maximum}`
    ),
    Flag.withMetavar(metavar),
    Flag.withDescription(description)
  )

/** A number of seconds. */
export const seconds = (name: string, description: string) =>
  Flag.Finite(name).pipe(
    Flag.filter(
      (value) => value >= 0 && value <= 1_000_000,
      () => "a number of seconds"
    ),
    Flag.withMetavar("SECONDS"),
    Flag.withDescription(description)
  )

const qosFlag = (name: string, description: string) =>
  Flag.Literals(name, ["0", "1", "2"]).pipe(
    Flag.withDescription(description),
    Flag.map((value) => Number(value) as QoS),
    Flag.withDefault(0 as QoS)
  )

const versions = { mqttv5: 5, "5": 5, mqttv311: 4, "311": 4, mqttv31: 3, "31": 3 } as const

/** The flags; `-t` and what is about messages is the command's own. */
export const clientFlags = {
  host: text("host", "HOST", "Broker to connect to (localhost)").pipe(Flag.withAlias("h"), Flag.optional),
  port: wholeNumber("port", "PORT", 1, 65_535, "Port of the broker (1883)").pipe(Flag.withAlias("p"), Flag.optional),
  url: text("url", "URL", "mqtt://[user[:password]@]host[:port][/topic] (MQTT_URL)").pipe(
    Flag.withAlias("L"),
    Flag.optional
  ),
  qos: qosFlag("qos", "Quality of service (0)").pipe(Flag.withAlias("q")),
  id: text("id", "ID", "Client identifier (the broker chooses one)").pipe(Flag.withAlias("i"), Flag.optional),
  "id-prefix": text("id-prefix", "PREFIX", "Client identifier that ends with the process id").pipe(
    Flag.withAlias("I"),
    Flag.optional
  ),
  username: text("username", "NAME", "User name (MQTT_USERNAME)").pipe(Flag.withAlias("u"), Flag.optional),
  pw: text("pw", "PASSWORD", "Password, seen by all users of this machine: better --pw-file or MQTT_PASSWORD").pipe(
    Flag.withAlias("P"),
    Flag.optional
  ),
  "pw-file": text("pw-file", "FILE", "File with the password (MQTT_PASSWORD_FILE)").pipe(Flag.optional),
  keepalive: wholeNumber("keepalive", "SECONDS", 0, 65_535, "Keep alive, 0 is off (60)").pipe(
    Flag.withAlias("k"),
    Flag.withDefault(60)
  ),
  "disable-clean-session": onOff("disable-clean-session", "Resume the session, and keep it; needs --id").pipe(
    Flag.withAlias("c")
  ),
  "session-expiry-interval": text(
    "session-expiry-interval",
    "SECONDS",
    "How long the session outlives the connection, -1 is for ever (-1 with -c, else 0); MQTT 5"
  ).pipe(Flag.withAlias("x"), Flag.optional),
  "protocol-version": Flag.Literals("protocol-version", ["mqttv5", "5", "mqttv311", "311", "mqttv31", "31"]).pipe(
    Flag.withAlias("V"),
    Flag.withMetavar("VERSION"),
    Flag.withDescription("mqttv5, mqttv311 or mqttv31 (mqttv5)"),
    Flag.map((name): ProtocolVersion => versions[name]),
    Flag.withDefault(5 as ProtocolVersion)
  ),
  property: text(
    "property",
    "PACKET NAME VALUE",
    "Property of a packet, as: -D publish content-type text; MQTT 5"
  ).pipe(Flag.withAlias("D"), Flag.atLeast(0)),
  "max-inflight": wholeNumber("max-inflight", "COUNT", 1, 65_535, "QoS 1 and 2 messages under way at once").pipe(
    Flag.withAlias("M"),
    Flag.optional
  ),
  "will-topic": text("will-topic", "TOPIC", "Where the broker publishes a will if the connection breaks").pipe(
    Flag.optional
  ),
  "will-payload": text("will-payload", "TEXT", "Message of the will (empty)").pipe(Flag.optional),
  "will-qos": qosFlag("will-qos", "Quality of service of the will (0)"),
  "will-retain": onOff("will-retain", "Retain the will"),
  reconnect: Flag.Boolean("reconnect").pipe(
    Flag.withDescription("Connect again when the connection is lost; --no-reconnect ends instead"),
    Flag.withDefault(true)
  ),
  debug: onOff("debug", "Print each packet on stderr").pipe(Flag.withAlias("d")),
  quiet: onOff("quiet", "Print no errors")
}

/** What `normalized` has to know of these flags. */
export const clientFlagNames: FlagNames = {
  letters: {
    h: "host",
    p: "port",
    L: "url",
    q: "qos",
    i: "id",
    I: "id-prefix",
    u: "username",
    P: "pw",
    k: "keepalive",
    c: "disable-clean-session",
    x: "session-expiry-interval",
    V: "protocol-version",
    D: "property",
    M: "max-inflight",
    d: "debug"
  },
  values: [
    "host",
    "port",
    "url",
    "qos",
    "id",
    "id-prefix",
    "username",
    "pw",
    "pw-file",
    "keepalive",
    "session-expiry-interval",
    "protocol-version",
    "property",
    "max-inflight",
    "will-topic",
    "will-payload",
    "will-qos"
  ],
  switches: ["disable-clean-session", "will-retain", "debug", "quiet"]
}

/** The flags' values as the parser gives them. */
export interface ClientFlagValues {
  readonly host: Option.Option<string>
  readonly port: Option.Option<number>
  readonly url: Option.Option<string>
  readonly qos: QoS
  readonly id: Option.Option<string>
  readonly "id-prefix": Option.Option<string>
  readonly username: Option.Option<string>
  readonly pw: Option.Option<string>
  readonly "pw-file": Option.Option<string>
  readonly keepalive: number
  readonly "disable-clean-session": boolean
  readonly "session-expiry-interval": Option.Option<string>
  readonly "protocol-version": ProtocolVersion
  readonly property: ReadonlyArray<string>
  readonly "max-inflight": Option.Option<number>
  readonly "will-topic": Option.Option<string>
  readonly "will-payload": Option.Option<string>
  readonly "will-qos": QoS
  readonly "will-retain": boolean
  readonly reconnect: boolean
  readonly debug: boolean
  readonly quiet: boolean
}

/** What the flags and the environment come to. */
export interface Connecting {
  readonly address: Address
  readonly options: ClientOptions
  readonly properties: GivenProperties
  /** The topic of the URL. */
  readonly urlTopic: string | undefined
}

/** Reads a file that a flag or variable names; what is wrong with it is said in one line. */
export const readFile = (path: string): Effect.Effect<Uint8Array, CommandFailure, FileSystem.FileSystem> =>
  FileSystem.FileSystem.use((files) => files.readFile(path)).pipe(
    Effect.mapError((error) => misuse(`cannot read ${path}: ${meaningOf(error.reason.cause ?? error)}`))
  )

const password = Effect.fnUntraced(function* (
  flags: ClientFlagValues,
  environment: NodeJS.ProcessEnv,
  url: BrokerUrl.BrokerUrl | undefined
) {
  if (Option.isSome(flags.pw) && Option.isSome(flags["pw-file"]))
    return yield* misuse("give --pw or --pw-file, not both")
  if (Option.isSome(flags.pw)) return flags.pw.value
  const file = Option.getOrUndefined(flags["pw-file"])
  if (file === undefined && environment["MQTT_PASSWORD"] !== undefined) return environment["MQTT_PASSWORD"]
  const path = file ?? environment["MQTT_PASSWORD_FILE"]
  if (path === undefined) return url?.password
  return Buffer.from(yield* readFile(path))
    .toString("utf8")
    .replace(/\r?\n$/, "")
})

const expiryOf = (flags: ClientFlagValues): Result.Result<number | undefined, string> => {
  const given = flags["session-expiry-interval"]
  if (Option.isNone(given)) {
    const isKept = flags["disable-clean-session"] && flags["protocol-version"] === 5
    return Result.succeed(isKept ? neverExpires : undefined)
  }
  if (flags["protocol-version"] !== 5) return Result.fail("--session-expiry-interval needs MQTT 5")
  if (given.value === "-1" || given.value === "∞") return Result.succeed(neverExpires)
  const number = /^\d+$/.test(given.value) ? Number(given.value) : Number.NaN
  return number <= neverExpires
    ? Result.succeed(number)
    : Result.fail(`--session-expiry-interval must be from -1 to ${neverExpires}, not ${JSON.stringify(given.value)}`)
}

const willOf = (
  flags: ClientFlagValues,
  properties: GivenProperties["will"]
): Result.Result<Will | undefined, string> => {
  const topic = Option.getOrUndefined(flags["will-topic"])
  if (topic === undefined) {
    const isMeant = Option.isSome(flags["will-payload"]) || flags["will-qos"] > 0 || flags["will-retain"]
    return isMeant || properties !== undefined
      ? Result.fail("a will needs its topic: --will-topic")
      : Result.succeed(undefined)
  }
  if (!isTopicName(topic)) return Result.fail(`the will cannot be published to ${JSON.stringify(topic)}`)
  return Result.succeed({
    topic,
    payload: Buffer.from(Option.getOrElse(flags["will-payload"], () => "")),
    qos: flags["will-qos"],
    retain: flags["will-retain"],
    ...(properties !== undefined && { properties })
  })
}

/** Works out where and how to connect. `processId` ends a client identifier that has only a prefix. */
export const connecting = Effect.fnUntraced(function* (
  flags: ClientFlagValues,
  environment: NodeJS.ProcessEnv,
  processId: number
) {
  const orMisuse = <A>(result: Result.Result<A, string>) => Effect.mapError(Effect.fromResult(result), misuse)
  const given = Option.getOrElse(flags.url, () => environment["MQTT_URL"])
  const url = given === undefined || given === "" ? undefined : yield* orMisuse(BrokerUrl.parse(given))
  const properties = yield* orMisuse(parseProperties(flags.property.map((words) => words.split(wordSeparator))))
  const version = flags["protocol-version"]
  if (version !== 5 && flags.property.length > 0) return yield* misuse("--property needs MQTT 5")
  const expiry = yield* orMisuse(expiryOf(flags))
  const will = yield* orMisuse(willOf(flags, properties.will))
  const secret = yield* password(flags, environment, url)
  const username = Option.getOrElse(flags.username, () => environment["MQTT_USERNAME"] ?? url?.username)
  const prefixed = Option.map(flags["id-prefix"], (prefix) => `${prefix}${processId}`)
  if (Option.isSome(flags.id) && Option.isSome(prefixed)) return yield* misuse("give --id or --id-prefix, not both")
  const named = Option.getOrElse(
    Option.orElse(flags.id, () => prefixed),
    () => ""
  )
  if (flags["disable-clean-session"] && named === "") return yield* misuse("a session that is kept needs a name: --id")
  const host = Option.getOrElse(flags.host, () => url?.host ?? "localhost")
  if (!/^[^\s/@]+$/.test(host)) return yield* misuse(`${JSON.stringify(host)} is not a host`)
  const port = Option.getOrElse(flags.port, () => url?.port ?? 1883)
  if (port < 1 || port > 65_535) return yield* misuse(`there is no port ${port}`)
  const options: ClientOptions = {
    version,
    clientId: named === "" && version === 3 ? `mqttzoo-${processId}` : named,
    cleanStart: !flags["disable-clean-session"],
    keepAlive: flags.keepalive,
    ...(expiry !== undefined && { sessionExpiryInterval: expiry }),
    ...(will !== undefined && { will }),
    ...(username !== undefined && { username }),
    ...(secret !== undefined && { password: Redacted.make(secret) }),
    ...(properties.connect !== undefined && { properties: properties.connect }),
    ...(Option.isSome(flags["max-inflight"]) && { sendMaximum: flags["max-inflight"].value }),
    ...(!flags.reconnect && { reconnect: false as const }),
    ...(flags.debug && { trace: printPacket })
  }
  const result: Connecting = { address: { host, port }, options, properties, urlTopic: url?.topic }
  return result
})

/** A packet as `--debug` prints it: never a payload or a password. */
const described = (packet: Packet): string => {
  const details = Object.entries(packet).flatMap(([name, value]) => {
    if (name === "_tag" || name === "password" || name === "will") return []
    if (value instanceof Uint8Array) return [`${name}=(${value.length} bytes)`]
    return [`${name}=${JSON.stringify(value, shortBytes)}`]
  })
  return [packet._tag.toUpperCase(), ...details].join(" ")
}

const shortBytes = (_: string, value: unknown): unknown =>
  value instanceof Uint8Array ? `(${value.length} bytes)` : value

const printPacket = (direction: Direction, packet: Packet): void =>
  void process.stderr.write(`mqttzoo: ${direction} ${described(packet)}\n`)
