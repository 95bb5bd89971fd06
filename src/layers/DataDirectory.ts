/**
 * Makes the directory that holds what must survive a restart.
 */
import * as fs from "node:fs"
import * as path from "node:path"

const isCode = (cause: unknown, code: string): boolean => (cause as NodeJS.ErrnoException).code === code

/**
 * Makes a directory and its parents; gives the topmost one that was not there, `undefined` when all were. It throws
 * the system's error. Node's own `recursive` never returns where nothing can be made, as below /proc.
 */
export const make = (directory: string): string | undefined => {
  const absolute = path.resolve(directory)
  try {
    fs.mkdirSync(absolute)
    return absolute
  } catch (cause) {
    if (isCode(cause, "EEXIST") && fs.statSync(absolute).isDirectory()) return undefined
    const parent = path.dirname(absolute)
    if (!isCode(cause, "ENOENT") || fs.existsSync(parent)) throw cause
    const topmost = make(parent)
    fs.mkdirSync(absolute)
    return topmost ?? absolute
  }
}
