/** One normative statement of a standard, in our own words. */
export interface Statement {
  readonly text: string
  /** Why no test exercises it; absent when tests do. */
  readonly untested?: string
}

/** A statement that tests exercise. */
export const tested = (text: string): Statement => ({ text })

/** A statement that no test exercises, and why. */
export const untested = (text: string, why: string): Statement => ({ text, untested: why })

/** A statement about what a client must do, which no server can break. */
export const client = (text: string): Statement => untested(text, "It binds the client.")

const offersWebSocket = "The broker offers no WebSocket listener."

/** The statements on WebSocket of section 6, the same in both standards. */
export const webSocket = {
  "6.0.0-1": untested(
    "MQTT over WebSocket travels in binary frames; any other frame ends the connection.",
    offersWebSocket
  ),
  "6.0.0-2": untested("Packets need not be aligned with WebSocket frames.", offersWebSocket),
  "6.0.0-3": client("A client offers the WebSocket subprotocol `mqtt`."),
  "6.0.0-4": untested("The subprotocol that the server chooses is `mqtt`.", offersWebSocket)
}

/** The reason for a rule on a server that lacks what this broker has. */
export const supportsAll = "It binds a server without full QoS and retained messages; this broker has both."

/** The reason for a rule on AUTH packets that a server sends. */
export const sendsNoAuth = "The broker has no authentication method, so it never sends an AUTH."
