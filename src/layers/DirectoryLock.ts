/**
 * Keeps a second process out of a directory, for as long as the first one lives and not a moment longer.
 *
 * A process holds the lock by listening on a Unix socket of its own in the directory: the kernel closes it with the
 * process, also on `kill -9`, and a socket file works between containers that share a volume, where a process id or an
 * abstract socket would mean nothing. Whose socket counts is written in a register that the caller provides, and that
 * can be compared and set atomically by processes: so of two that find a dead owner only one takes its place.
 */
import { Effect, type Scope } from "effect"
import { randomUUID } from "node:crypto"
import * as Fs from "node:fs"
import * as Net from "node:net"
import * as Path from "node:path"

/** One value that all processes which use the directory share. */
export interface OwnerRegister {
  readonly read: () => string | undefined
  /** Writes `next` if the value is still `expected`, atomically; false if it was not. */
  readonly compareAndSet: (expected: string | undefined, next: string) => boolean
}

/** Takes the lock until the scope ends; false when another holds it. What the system refuses is thrown as a defect. */
export const acquire = (directory: string, owner: OwnerRegister): Effect.Effect<boolean, Error, Scope.Scope> =>
  Effect.gen(function* () {
    const handle = yield* Effect.acquireRelease(
      attempt(() => Fs.openSync(directory, "r")),
      (fd) => Effect.sync(() => Fs.closeSync(fd))
    )
    const ours = `owner-${randomUUID()}.sock`
    yield* listen(socketPath(directory, handle, ours))
    while (true) {
      const present = yield* attempt(owner.read)
      if (present !== undefined && (yield* isAlive(socketPath(directory, handle, present)))) return false
      if (yield* attempt(() => owner.compareAndSet(present, ours))) {
        if (present !== undefined) yield* attempt(() => Fs.rmSync(Path.join(directory, present), { force: true }))
        return true
      }
    }
  })

const attempt = <A>(run: () => A): Effect.Effect<A, Error> =>
  Effect.try({ try: run, catch: (cause) => (cause instanceof Error ? cause : new Error(String(cause))) })

/** The address of a Unix socket is at most 107 bytes long on Linux; through the open directory any path is short. */
const maximumSocketPathBytes = 100

const socketPath = (directory: string, handle: number, name: string): string => {
  const path = Path.resolve(directory, name)
  return process.platform === "linux" && Buffer.byteLength(path) > maximumSocketPathBytes
    ? `/proc/self/fd/${handle}/${name}`
    : path
}

const listen = (path: string): Effect.Effect<void, Error, Scope.Scope> =>
  Effect.asVoid(
    Effect.acquireRelease(
      Effect.callback<Net.Server, Error>((resume) => {
        const server = Net.createServer((socket) => socket.destroy())
        server.unref()
        server.once("error", (error) => resume(Effect.fail(error)))
        server.listen(path, () => resume(Effect.succeed(server)))
      }),
      (server) => Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
    )
  )

/** Whether somebody listens there. Only a refusal, or no such file, says that nobody does. */
const isAlive = (path: string): Effect.Effect<boolean> =>
  Effect.callback<boolean>((resume) => {
    const socket = Net.connect(path)
    socket.once("connect", () => {
      socket.destroy()
      resume(Effect.succeed(true))
    })
    socket.once("error", (error: NodeJS.ErrnoException) =>
      resume(Effect.succeed(error.code !== "ECONNREFUSED" && error.code !== "ENOENT"))
    )
  })
