/** A command could not do its work: what to say about it, in one line, and the exit status. */
import { Runtime, Schema } from "effect"
import type { ClientError } from "../domain/client/ClientError.ts"

/** An empty `detail` says nothing. */
export class CommandFailure extends Schema.TaggedError<CommandFailure>()("CommandFailure", {
  detail: Schema.String,
  status: Schema.Int
}) {
  override get message(): string {
    return this.detail
  }

  override get [Runtime.errorExitCode](): number {
    return this.status
  }
}

/** Something is wrong with what the command was given. */
export const misuse = (detail: string): CommandFailure => new CommandFailure({ detail, status: 1 })

/** The same for a command whose status 1 says what it has found. */
export const unusable = (detail: string): CommandFailure => new CommandFailure({ detail, status: 2 })

/** What a client's error means for the command: a refused connection ends it with the code of the CONNACK, others with 1. */
export const clientFailure = (error: ClientError): CommandFailure =>
  new CommandFailure({ detail: error.message, status: error.reason._tag === "Refused" ? error.reason.code : 1 })
