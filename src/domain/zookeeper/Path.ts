/**
 * Paths of znodes, checked as ZooKeeper 3.8 checks them ("The ZooKeeper Data Model" in its Programmer's Guide).
 */
import { Schema } from "effect"

/** The root of the tree: it always exists and cannot be deleted. */
export const root = "/"

/**
 * Why ZooKeeper refuses a string as the path of a znode, or undefined when it is one.
 *
 * The server completes the path of a sequential create with a number and checks that: `isSequential` does the same, so
 * such a path may end with a slash.
 */
export const refusalOf = (path: string, isSequential = false): string | undefined => {
  const checked = isSequential ? `${path}0` : path
  if (checked.length === 0) return "is empty"
  if (checked.charCodeAt(0) !== slash) return "does not begin with /"
  const end = checked.length
  if (end === 1) return undefined
  if (checked.charCodeAt(end - 1) === slash) return "ends with /"
  let levelStart = 1
  for (let at = 1; at <= end; at++) {
    const code = at === end ? slash : checked.charCodeAt(at)
    if (code === slash) {
      const length = at - levelStart
      if (length === 0) return "has an empty level"
      if (isDots(checked, levelStart, length)) return "has a relative level (. or ..)"
      levelStart = at + 1
    } else if (isForbidden(code)) {
      return `holds the character U+${code.toString(16).toUpperCase().padStart(4, "0")}`
    }
  }
  return undefined
}

/** The absolute path of a znode, such as `/mqttzoo/members/b0`. */
export const Path = Schema.String.pipe(
  Schema.check(Schema.makeFilter((path: string) => refusalOf(path) ?? true)),
  Schema.brand("Path")
)
export type Path = typeof Path.Type

/** The path of the parent: `/a` for `/a/b`, `/` for `/a`. The root has none; its answer is `/` again. */
export const parentOf = (path: string): string => {
  const at = path.lastIndexOf("/")
  return at <= 0 ? root : path.slice(0, at)
}

/** The last level of a path: `b` for `/a/b`. */
export const nameOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1)

const slash = 0x2f
const dot = 0x2e

const isDots = (path: string, start: number, length: number): boolean =>
  (length === 1 || length === 2) && path.charCodeAt(start) === dot && path.charCodeAt(start + length - 1) === dot

/** Control characters, the surrogates (so all above U+FFFF), the private use area and the specials. */
const isForbidden = (code: number): boolean =>
  code <= 0x1f || (code >= 0x7f && code <= 0x9f) || (code >= 0xd800 && code <= 0xf8ff) || code >= 0xfff0
