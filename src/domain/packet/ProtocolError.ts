/** What is wrong with the bytes of a peer, or with a packet at the time it came (section 4.13 of MQTT 5.0). */
import { Schema } from "effect"

/**
 * A Malformed Packet or a Protocol Error: the connection it came over has to be closed.
 *
 * - `reasonCode`: of a CONNACK or DISCONNECT that tells the peer, as in MQTT 5.0 whatever the version.
 * - `statement`: the normative statement broken (`MQTT-3.3.1-4`, for a connection of MQTT 3.1.1
 *   `3.1.1:MQTT-3.3.1-4`), or the section when the rule has no number (`section 3.3.2.1`).
 * - `detail`: what was found, in words, without content of the packet.
 */
export class ProtocolError extends Schema.TaggedError<ProtocolError>()("ProtocolError", {
  reasonCode: Schema.Int,
  statement: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `${this.detail} (reason code 0x${this.reasonCode.toString(16).padStart(2, "0")}, ${this.statement})`
  }
}
