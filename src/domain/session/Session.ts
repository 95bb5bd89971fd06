/**
 * The state of an MQTT session (section 4.1): what client and server remember of each other between packets, and,
 * when it is durable, between connections.
 *
 * Whoever holds a session changes it in place through the functions of this folder; they are deterministic, and time
 * is an argument. Nothing here knows whether the session is journaled.
 */
import * as Outbound from "./Outbound.ts"
import type { Subscription } from "./Subscription.ts"

/** Session Expiry Interval of a session that never expires, in seconds (section 3.1.2.11.2). */
export const neverExpires = 0xffff_ffff

export interface Session {
  readonly clientId: string
  /** By filter, as the client wrote it. */
  readonly subscriptions: Map<string, Subscription>
  readonly outbound: Outbound.Outbound
  /** Packet identifiers of QoS 2 messages that were taken over and not yet released [MQTT-4.3.3-10]. */
  readonly received: Set<number>
  /** Seconds that the session outlives its connection; 0 ends with it, `neverExpires` stays. */
  expiryInterval: number
}

/** A new session; `window` is how many messages of QoS 1 and 2 may be in flight to its client. */
export const make = (clientId: string, expiryInterval: number, window: number): Session => ({
  clientId,
  subscriptions: new Map(),
  outbound: Outbound.make(window),
  received: new Set(),
  expiryInterval
})

/** Whether the session may outlive its connection, and so must be kept where a broker's end does not touch it. */
export const isDurable = (expiryInterval: number): boolean => expiryInterval > 0

/** When a session whose connection ended at `at` expires, in milliseconds of the shared clock (`never`: it stays). */
export const expiresAt = (expiryInterval: number, at: number): number =>
  expiryInterval === neverExpires ? Number.MAX_SAFE_INTEGER : at + expiryInterval * 1000
