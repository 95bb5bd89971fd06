/**
 * Byte streams to and from clients. What happens to a connection is told by synchronous calls, in order; whoever
 * listens collects them for its next pass.
 */
import { Context, type Effect, Schema, type Scope } from "effect"

/** Why a listener could not be opened. */
export const ListenReason = Schema.Literals([
  "AddressInUse",
  "AddressNotAvailable",
  "UnknownHost",
  "PermissionDenied",
  "Other"
])

/** A listener could not be opened. */
export class ListenError extends Schema.TaggedError<ListenError>()("ListenError", {
  host: Schema.String,
  port: Schema.Int,
  reason: ListenReason,
  detail: Schema.String
}) {
  override get message() {
    return `cannot listen on ${this.host}:${this.port}: ${this.detail}`
  }
}

/** One connection, from our side. No method throws, and none calls back at once. */
export interface Socket {
  /** `address:port` of the peer. */
  readonly remoteAddress: string
  /** Sends the buffers, in order and as one flush. They belong to the socket from then on. */
  readonly write: (buffers: ReadonlyArray<Uint8Array>) => void
  /** Bytes written that the operating system has not taken yet. */
  readonly buffered: () => number
  /** Stops reading: the peer feels it as a full connection. */
  readonly pause: () => void
  /** Reads again. */
  readonly resume: () => void
  /**
   * Sends what was written, which may take `flushMillis`, then closes and leaves the peer `closeMillis` to do the same.
   * When either is over, it closes at once.
   */
  readonly end: (flushMillis: number, closeMillis: number) => void
  /** Closes at once. */
  readonly destroy: () => void
}

/** What happens to a connection. `closed` comes once and last; `drained` when `buffered` is back to 0. */
export interface Events {
  readonly data: (bytes: Buffer) => void
  readonly drained: () => void
  readonly closed: () => void
}

export interface Address {
  readonly host: string
  readonly port: number
}

export class Transport extends Context.Service<
  Transport,
  {
    /**
     * Opens a listener for the life of the scope; its end stops the accepting, not the connections. `accept` is called
     * for each new connection and answers with what is to be called for it. Port 0 takes a free one.
     */
    readonly listen: (
      address: Address,
      accept: (socket: Socket) => Events
    ) => Effect.Effect<Address, ListenError, Scope.Scope>
  }
>()("mqttzoo/services/Transport") {}
