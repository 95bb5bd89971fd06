/**
 * The directory that holds what must survive a restart.
 */
import { Effect, Schema } from "effect"
import * as fs from "node:fs"
import * as path from "node:path"
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

const isCode = (cause: unknown, code: string): boolean => (cause as NodeJS.ErrnoException).code === code

/** Makes a directory and its parents. Node's own `recursive` never ends where nothing can be made, as in /proc. */
const make = (directory: string): void => {
  try {
    fs.mkdirSync(directory)
  } catch (cause) {
    if (isCode(cause, "EEXIST") && fs.statSync(directory).isDirectory()) return
    const parent = path.dirname(directory)
    if (!isCode(cause, "ENOENT") || fs.existsSync(parent) || parent === directory) throw cause
    make(parent)
    fs.mkdirSync(directory)
  }
}

/** Makes the directory, with its parents, where it is not there, and makes sure that files can be made in it. */
export const prepare = (directory: string): Effect.Effect<void, DataDirectoryError> =>
  Effect.try({
    try: () => {
      make(path.resolve(directory))
      fs.accessSync(directory, fs.constants.R_OK | fs.constants.W_OK | fs.constants.X_OK)
    },
    catch: (cause) => new DataDirectoryError({ directory, reason: meaningOf(cause) })
  })
