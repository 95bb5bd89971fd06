/** The CONNECT of a client: what it asks of the server, checked once, and how it asks again when it reconnects. */
import { Result, Schema } from "effect"
import * as Packet from "../packet/Packet.ts"
import type { ConnectProperties } from "../packet/Property.ts"
import { type ClientError, invalid } from "./ClientError.ts"

/** What a CONNECT says (section 3.1); what is left out has the value in brackets. */
export interface ConnectRequest {
  /** 5 for MQTT 5.0 [5], 4 for 3.1.1, 3 for 3.1. */
  readonly version?: Packet.ProtocolVersion
  /** Empty [empty]: the server chooses one. */
  readonly clientId?: string
  /** Clean Start, or Clean Session before MQTT 5.0: discard an earlier session [true]. */
  readonly cleanStart?: boolean
  /** Seconds that the session outlives the connection, 0xffffffff for ever [0]; MQTT 5.0. */
  readonly sessionExpiryInterval?: number
  /** Seconds; 0 turns it off [60]. */
  readonly keepAlive?: number
  readonly will?: Packet.Will
  readonly username?: string
  readonly password?: Uint8Array
  /** Further properties of the CONNECT; MQTT 5.0. */
  readonly properties?: ConnectProperties
}

const decode = Schema.decodeResult(Schema.toType(Packet.Connect))

/** The first CONNECT, or what is wrong with the request. */
export const connectPacket = (request: ConnectRequest): Result.Result<Packet.Connect, ClientError> => {
  const { version = 5, clientId = "", cleanStart = true, keepAlive = 60, will, username, password } = request
  const properties = {
    ...request.properties,
    ...(request.sessionExpiryInterval !== undefined && { sessionExpiryInterval: request.sessionExpiryInterval })
  }
  if (version !== 5) {
    if (Object.keys(properties).length > 0) return Result.fail(invalid("only MQTT 5 has properties"))
    if (password !== undefined && username === undefined) {
      return Result.fail(invalid("before MQTT 5 a password needs a user name"))
    }
    if (clientId === "" && (version === 3 || !cleanStart)) {
      return Result.fail(invalid("this connection needs a client identifier"))
    }
  }
  const packet: Packet.Connect = {
    _tag: "Connect",
    protocolVersion: version,
    clientId,
    cleanStart,
    keepAlive,
    ...(will !== undefined && { will }),
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(Object.keys(properties).length > 0 && { properties })
  }
  return Result.mapError(decode(packet), ({ message }) =>
    invalid(`the connection cannot be asked for: ${oneLine(message)}`)
  )
}

const oneLine = (text: string): string => text.replaceAll(/\s+/g, " ")

/** The CONNECT of a later connection: it resumes the session, if that outlives its connections at all. */
export const connectAgain = (packet: Packet.Connect, assignedClientId: string | undefined): Packet.Connect => {
  const outlives = packet.protocolVersion === 5 && (packet.properties?.sessionExpiryInterval ?? 0) > 0
  return {
    ...packet,
    cleanStart: packet.cleanStart && !outlives,
    ...(packet.clientId === "" && assignedClientId !== undefined && { clientId: assignedClientId })
  }
}
