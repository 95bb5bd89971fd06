/**
 * What the operating system's errors mean, in words for the person who started the broker.
 */

const meanings: ReadonlyMap<string, string> = new Map([
  ["EACCES", "permission denied"],
  ["EADDRINUSE", "the port is already in use"],
  ["EADDRNOTAVAIL", "this machine does not have that address"],
  ["EAI_AGAIN", "the host name cannot be resolved now"],
  ["ECONNREFUSED", "nothing listens there"],
  ["EEXIST", "there is a file of that name"],
  ["EISDIR", "it is a directory"],
  ["EMFILE", "too many open files"],
  ["ENOENT", "there is no such file or directory"],
  ["ENOSPC", "no space left on the device"],
  ["ENOTDIR", "a part of the path is not a directory"],
  ["ENOTFOUND", "there is no such host"],
  ["EPERM", "permission denied"],
  ["EROFS", "the file system is read-only"]
])

/** Says in a few words what went wrong: `the port is already in use` for EADDRINUSE. */
export const meaningOf = (cause: unknown): string => {
  if (!(cause instanceof Error)) return String(cause)
  return meanings.get(String((cause as NodeJS.ErrnoException).code)) ?? cause.message
}
