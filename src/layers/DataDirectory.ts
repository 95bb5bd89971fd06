/**
 * The directory that holds what must survive a restart.
 */
import { Effect, Schema } from "effect"
import * as fs from "node:fs"
import { meaningOf } from "./SystemError.ts"

/** The data directory cannot be used. */
export class DataDirectoryError extends Schema.TaggedError<DataDirectoryError>()("DataDirectoryError", {
  directory: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `cannot keep data in ${this.directory}: ${this.reason}`
  }
}

/** Makes the directory, with its parents, where it is not there, and makes sure that files can be made in it. */
export const prepare = (directory: string): Effect.Effect<void, DataDirectoryError> =>
  Effect.try({
    try: () => {
      fs.mkdirSync(directory, { recursive: true })
      fs.accessSync(directory, fs.constants.R_OK | fs.constants.W_OK | fs.constants.X_OK)
    },
    catch: (cause) => new DataDirectoryError({ directory, reason: meaningOf(cause) })
  })
