/**
 * The connect string of a ZooKeeper ensemble, `zk1:2181,zk2:2181/chroot`, as ZooKeeper's own clients write it ("Connecting
 * to ZooKeeper" in its Programmer's Guide).
 */
import { Result, Schema } from "effect"
import { refusalOf } from "./Path.ts"

/** One server of an ensemble. An IPv6 address stands here without its brackets. */
export interface Server {
  readonly host: string
  readonly port: number
}

/** What a connect string says. */
export interface ConnectString {
  /** At least one, in the order of the string. */
  readonly servers: ReadonlyArray<Server>
  /** The znode that stands for the root, such as `/mqttzoo`; empty for the root itself. */
  readonly chroot: string
}

/** The string is no connect string. */
export class BadConnectString extends Schema.TaggedError<BadConnectString>()("BadConnectString", {
  text: Schema.String,
  /** To follow the string: "names no server". */
  why: Schema.String
}) {
  override get message(): string {
    return `${JSON.stringify(this.text)} is not a ZooKeeper connect string (host:port,host:port/path): it ${this.why}`
  }
}

/** The port of a server that names none. */
export const defaultPort = 2181

/** Reads a connect string. */
export const parse = (text: string): Result.Result<ConnectString, BadConnectString> => {
  const slash = text.indexOf("/")
  const list = slash === -1 ? text : text.slice(0, slash)
  const path = slash === -1 ? "/" : text.slice(slash)
  const refusal = refusalOf(path)
  if (refusal !== undefined) return bad(text, `ends with a path that ${refusal}`)
  if (list.trim() === "") return bad(text, "names no server")
  const servers: Array<Server> = []
  for (const part of list.split(",")) {
    const server = parseServer(part.trim())
    if (typeof server === "string") return bad(text, server)
    servers.push(server)
  }
  return Result.succeed({ servers, chroot: path === "/" ? "" : path })
}

/** Writes a server as it stands in a connect string, with its port. */
export const formatServer = ({ host, port }: Server): string =>
  host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`

const bad = (text: string, why: string): Result.Result<never, BadConnectString> =>
  Result.fail(new BadConnectString({ text, why }))

/** An address in brackets or a name, and perhaps a port. */
const serverPattern = /^(?:\[([0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|([^\s:[\]@?#]+))(?::(.*))?$/u

/** A server, or why it is none. */
const parseServer = (part: string): Server | string => {
  if (part === "") return "has nothing between two commas, or at an end"
  if (!part.startsWith("[") && part.split(":").length > 2) {
    return `names the server ${JSON.stringify(part)}: an IPv6 address stands in brackets, and a name has one port`
  }
  const match = serverPattern.exec(part)
  const host = match?.[1] ?? match?.[2]
  if (host === undefined) return `names the server ${JSON.stringify(part)}, which is no host`
  const port = match?.[3]
  if (port === undefined) return { host, port: defaultPort }
  const number = /^[0-9]{1,5}$/u.test(port) ? Number(port) : 0
  if (number < 1 || number > 65_535) return `names the port ${JSON.stringify(port)}, which is none from 1 to 65535`
  return { host, port: number }
}
