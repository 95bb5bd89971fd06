/** The URL of a broker, as `-L` and `MQTT_URL` have it: `mqtt://[user[:password]@]host[:port][/topic]`. */
import { Result } from "effect"

export interface BrokerUrl {
  readonly host: string
  readonly port?: number
  readonly username?: string
  readonly password?: string
  /** Verbatim: an MQTT topic may have `#` and `?`. */
  readonly topic?: string
}

const pattern = /^([a-z][a-z0-9+.-]*):\/\/(?:([^:@/]*)(?::([^@/]*))?@)?(\[[^\]]+\]|[^:/@[\]]+)(?::(\d+))?(?:\/(.*))?$/is

/** A part of the URL that may have `%40` for `@`, and so on. */
const unescaped = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** Reads a URL; the failure says in words what is wrong, without showing its password. */
export const parse = (url: string): Result.Result<BrokerUrl, string> => {
  const [, scheme, username, password, host, port, topic] = pattern.exec(url) ?? []
  if (scheme === undefined || host === undefined) {
    return Result.fail("the URL is not of the form mqtt://[user[:password]@]host[:port][/topic]")
  }
  if (scheme.toLowerCase() !== "mqtt") return Result.fail(`URLs with ${scheme}:// are not supported, only mqtt://`)
  return Result.succeed({
    host: host.replaceAll(/[[\]]/g, ""),
    ...(port !== undefined && { port: Number(port) }),
    ...(username !== undefined && username !== "" && { username: unescaped(username) }),
    ...(password !== undefined && { password: unescaped(password) }),
    ...(topic !== undefined && topic !== "" && { topic })
  })
}
