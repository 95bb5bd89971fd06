/** Opens byte streams to one server: what a client needs of the world. Each kind of stream is a layer of its own. */
import { Context, type Effect, Schema } from "effect"
import type { Events, Socket } from "./Transport.ts"

/** The server cannot be reached. */
export class DialError extends Schema.TaggedError<DialError>()("DialError", {
  /** `host:port`. */
  address: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `cannot connect to ${this.address}: ${this.detail}`
  }
}

export class Dialer extends Context.Service<
  Dialer,
  {
    /**
     * Opens a stream; from then on `events` tells what happens to it. Interrupted, it leaves nothing open. Whoever gets
     * the socket has to close it.
     */
    readonly dial: (events: Events) => Effect.Effect<Socket, DialError>
  }
>()("mqttzoo/services/Dialer") {}
