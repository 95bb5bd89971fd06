/**
 * The Store on LMDB, a memory-mapped B+tree with copy-on-write pages, by npm `lmdb`.
 *
 * Durability: with `overlappingSync: false` one commit is one LMDB transaction, which writes its pages, calls fdatasync,
 * and then writes the root that makes them visible through a descriptor opened with O_DSYNC; the promise of the last
 * put resolves after both. A failure before the root is written aborts the transaction, so a failed commit has not
 * happened. The faster modes do not give that: `overlappingSync` shows a transaction before it is synced and cannot
 * take it back when the sync fails, `noMetaSync` loses the latest transactions in a power cut, and `transactionSync`
 * saves 0.5 ms of thread changes but stops the event loop for the whole write.
 *
 * A full disk is noticed before LMDB is asked, with some space in reserve, and a later commit may succeed. Whatever
 * fails inside LMDB ends all writing until the process starts again: the kernel reports a failed sync only once, LMDB
 * may have given up its environment, and its native module does not stand being asked again.
 */
import { Effect, Layer, Semaphore } from "effect"
import { type Database, open, type RootDatabase } from "lmdb"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { type Change, type Entry, maximumKeyBytes, Store, StoreError, type StoreReason } from "../services/Store.ts"
import * as DataDirectory from "./DataDirectory.ts"
import * as DirectoryLock from "./DirectoryLock.ts"

/**
 * A store in this directory, which is made if need be and locked until the scope ends. It fails with a StoreError when
 * the directory cannot be used or another process has it.
 */
export const layer = (directory: string): Layer.Layer<Store, StoreError> =>
  Layer.effect(
    Store,
    Effect.gen(function* () {
      const failed = (cause: unknown) => new StoreError({ directory, reason: reasonOf(cause) })
      const { owner, entries } = yield* Effect.acquireRelease(
        Effect.try({ try: () => openEnvironment(directory), catch: failed }),
        ({ root }) => Effect.promise(() => root.close())
      )
      const isOurs = yield* Effect.mapError(DirectoryLock.acquire(directory, ownerRegister(owner)), failed)
      if (!isOurs) return yield* new StoreError({ directory, reason: { _tag: "Locked" } })
      const order = yield* Semaphore.make(1)

      /** Why no commit is tried any more. */
      let broken: StoreError | undefined

      const write = (changes: ReadonlyArray<Change>): Effect.Effect<void, StoreError> =>
        Effect.suspend(() => {
          if (broken !== undefined) return Effect.fail(broken)
          if (freeBytes(directory) < reservedBytes + 2 * bytesOf(changes)) {
            return Effect.fail(new StoreError({ directory, reason: { _tag: "NoSpace" } }))
          }
          return Effect.tapError(Effect.tryPromise({ try: () => putAll(entries, changes), catch: failed }), (error) =>
            Effect.sync(() => void (broken = error))
          )
        })

      return Store.of({
        directory,
        load: Effect.try({ try: () => readAll(entries), catch: failed }),
        commit: (changes) =>
          Effect.suspend(() => {
            const bytes = changes.map(({ key }) => Buffer.byteLength(key)).find((n) => n === 0 || n > maximumKeyBytes)
            if (bytes !== undefined) {
              return Effect.fail(new StoreError({ directory, reason: { _tag: "BadKey", bytes } }))
            }
            if (changes.length === 0) return Effect.void
            return Effect.uninterruptible(order.withPermit(write(changes)))
          })
      })
    })
  )

/** What is left free on the disk: room for the pages that a commit rewrites, and for whoever else fills it. */
const reservedBytes = 16 * 1024 * 1024

type Table = Database<Uint8Array, Uint8Array>

interface Environment {
  readonly root: RootDatabase<Uint8Array, Uint8Array>
  /** Who has the directory; see `DirectoryLock.ts`. */
  readonly owner: Table
  readonly entries: Table
}

const openEnvironment = (directory: string): Environment => {
  const firstMade = DataDirectory.make(directory)
  Fs.accessSync(directory, Fs.constants.R_OK | Fs.constants.W_OK | Fs.constants.X_OK)
  checkHeader(Path.join(directory, "data.mdb"))
  const format = { encoding: "binary", keyEncoding: "binary", compression: false, cache: false } as const
  const root = open<Uint8Array, Uint8Array>({
    path: directory,
    noSubdir: false,
    maxDbs: 2,
    overlappingSync: false,
    // Otherwise lmdb makes a promise of its own each turn, which nobody awaits: a failed commit would end the process.
    eventTurnBatching: false,
    ...format
  })
  const owner = root.openDB<Uint8Array, Uint8Array>({ name: "owner", ...format })
  const entries = root.openDB<Uint8Array, Uint8Array>({ name: "entries", ...format })
  syncDirectories(directory, firstMade ?? directory)
  return { root, owner, entries }
}

/**
 * Refuses a file that does not begin as LMDB's does. LMDB looks at the same fields, but its native module ends the
 * process with SIGSEGV or SIGBUS where they are wrong.
 */
const checkHeader = (path: string): void => {
  if (!Fs.existsSync(path)) return
  const { size } = Fs.statSync(path)
  if (size === 0) return
  const fd = Fs.openSync(path, "r")
  const header = Buffer.alloc(headerBytes)
  try {
    Fs.readSync(fd, header, 0, headerBytes, 0)
  } finally {
    Fs.closeSync(fd)
  }
  const isLmdb = header.readUInt32LE(magicAt) === magic && header.readUInt32LE(magicAt + 4) === dataVersion
  if (!isLmdb) throw new DamagedFile(`${path} was not written by LMDB, or by another version`)
  if (size < 2 * header.readUInt32LE(pageSizeAt)) throw new DamagedFile(`${path} is cut off`)
}

class DamagedFile extends Error {}

const headerBytes = 64
/** After the header of the first page; then the version, 16 bytes of addresses, and the page size. */
const magicAt = 24
const pageSizeAt = 48
const magic = 0xbeefc0de
const dataVersion = 2

/** LMDB syncs its file, not the directories that lead to it: a new one could be gone after a power cut. */
const syncDirectories = (directory: string, firstMade: string): void => {
  const last = Path.dirname(Path.resolve(firstMade))
  for (let at = Path.resolve(directory); at.length >= last.length; at = Path.dirname(at)) {
    syncDirectory(at)
    if (at === last) return
  }
}

const syncDirectory = (directory: string): void => {
  const fd = Fs.openSync(directory, "r")
  try {
    Fs.fsyncSync(fd)
  } finally {
    Fs.closeSync(fd)
  }
}

const ownerRegister = (owner: Table): DirectoryLock.OwnerRegister => {
  const key = Buffer.from("owner")
  const read = () => {
    const value = owner.get(key)
    return value === undefined ? undefined : Buffer.from(value).toString()
  }
  return {
    read: () => {
      owner.resetReadTxn()
      return read()
    },
    compareAndSet: (expected, next) =>
      owner.transactionSync(() => {
        if (read() !== expected) return false
        owner.putSync(key, Buffer.from(next))
        return true
      })
  }
}

const readAll = (entries: Table): ReadonlyArray<Entry> => {
  const all: Array<Entry> = []
  for (const { key, value } of entries.getRange()) all.push({ key: Buffer.from(key).toString(), value })
  return all
}

const freeBytes = (directory: string): number => {
  const { bavail, bsize } = Fs.statfsSync(directory)
  return bavail * bsize
}

const bytesOf = (changes: ReadonlyArray<Change>): number =>
  changes.reduce((bytes, { key, value }) => bytes + key.length + (value?.length ?? 0), 0)

/** One batch is one transaction. Its promise is the only one: the puts within it make none that could reject, too. */
const putAll = async (entries: Table, changes: ReadonlyArray<Change>): Promise<void> => {
  try {
    await entries.batch(() => {
      for (const { key, value } of changes) {
        if (value === undefined) void entries.remove(Buffer.from(key))
        else void entries.put(Buffer.from(key), value)
      }
    })
  } catch (error) {
    // The reason comes by a second promise, which must be awaited or it ends the process as unhandled.
    await (error as { readonly commitError?: Promise<never> }).commitError
    throw error
  }
}

const reasonOf = (cause: unknown): StoreReason => {
  const { code, message } = cause as { readonly code?: unknown; readonly message?: unknown }
  const why = typeof message === "string" ? message : String(cause)
  if (cause instanceof DamagedFile) return { _tag: "Damaged", why }
  switch (code) {
    case "EEXIST":
    case "ENOTDIR":
    case 20:
      return { _tag: "NotADirectory" }
    case "EACCES":
    case "EPERM":
    case "EROFS":
    case 1:
    case 13:
    case 30:
      return { _tag: "NotWritable" }
    case "ENOSPC":
    case "EDQUOT":
    case 28:
    case 122:
      return { _tag: "NoSpace" }
    case invalidFile:
    case corruptedPage:
    case versionMismatch:
      return { _tag: "Damaged", why }
    default:
      return { _tag: "InputOutput", why }
  }
}

/** Return codes of LMDB: MDB_CORRUPTED, MDB_VERSION_MISMATCH, MDB_INVALID. */
const corruptedPage = -30796
const versionMismatch = -30794
const invalidFile = -30793
