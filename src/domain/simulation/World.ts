/**
 * What a model client is given of the world. A simulated run and a run against real processes each make one; the client
 * itself has no clock, no randomness and no sockets.
 */
import type { Event } from "./History.ts"
import type { RandomStream } from "./RandomStream.ts"

/** The client's end of a connection to a broker. */
export interface Link {
  /** The host of the broker. */
  readonly broker: string
  /** Hands bytes to the socket; they may never arrive. */
  readonly write: (bytes: Uint8Array) => void
  /** Ends the connection in order: the broker receives all that was written, then the end. */
  readonly close: () => void
  /** Breaks it off: what is on its way is lost. */
  readonly reset: () => void
  /** Falls silent as if the client's power were cut: the broker is told nothing. */
  readonly vanish: () => void
  /** Reads nothing from now on. */
  readonly stall: () => void
  /** Reads again. */
  readonly unstall: () => void
}

/** What a world tells of a connection. Nothing but `taken` follows when the client has ended it or it was `closed`. */
export interface LinkEvents {
  readonly opened: (link: Link) => void
  /** The connection could not be opened; nothing follows. */
  readonly failed: () => void
  /** Bytes of the broker. `writtenAt`: when it wrote the last of them, in microseconds, if the world can tell. */
  readonly data: (bytes: Uint8Array, writtenAt?: number) => void
  /** The broker's process was handed that many bytes of this connection in all. */
  readonly taken: (bytes: number) => void
  /** The connection has ended: by the end of the broker's stream, or it broke off. */
  readonly closed: (by: "broker" | "reset") => void
}

/** Nothing here calls the client back before it returns. */
export interface World {
  /** Microseconds since the run began. */
  readonly now: () => number
  /** Calls once, after that many microseconds. */
  readonly after: (micros: number, run: () => void) => void
  /** This client's own stream. */
  readonly random: RandomStream
  /** Opens a connection to a broker. */
  readonly connect: (events: LinkEvents) => void
  /** Writes the history. */
  readonly note: (event: Event) => void
  /** The number of a connection that has just been opened. */
  readonly nextConnection: () => number
}
