/**
 * A small, ordered, durable key-value store: the disk below the embedded ZooKeeper.
 */
import { Context, type Effect, Schema } from "effect"

/** Another process, or another layer in this one, has the directory open. */
export const Locked = Schema.TaggedStruct("Locked", {})
/** The path is not a directory. */
export const NotADirectory = Schema.TaggedStruct("NotADirectory", {})
/** The directory cannot be made, read or written with our permissions. */
export const NotWritable = Schema.TaggedStruct("NotWritable", {})
/** What is in the directory is not a store of ours, or damaged. */
export const Damaged = Schema.TaggedStruct("Damaged", { why: Schema.String })
/** The disk is full, or the quota used up. */
export const NoSpace = Schema.TaggedStruct("NoSpace", {})
/** Reading or writing failed for another reason. */
export const InputOutput = Schema.TaggedStruct("InputOutput", { why: Schema.String })
/** A key is empty or longer than {@link maximumKeyBytes}. */
export const BadKey = Schema.TaggedStruct("BadKey", { bytes: Schema.Natural })

export const StoreReason = Schema.Union([Locked, NotADirectory, NotWritable, Damaged, NoSpace, InputOutput, BadKey])
export type StoreReason = typeof StoreReason.Type

/** The one error of {@link Store}. After a failed commit nothing of its batch is in the store. */
export class StoreError extends Schema.TaggedError<StoreError>()("StoreError", {
  /** Where the data is kept. */
  directory: Schema.String,
  reason: StoreReason
}) {
  override get message(): string {
    return `data directory ${this.directory}: ${describe(this.reason)}`
  }
}

/** A key is 1 to 1,024 bytes of UTF-8. */
export const maximumKeyBytes = 1024

/** A key with its value. The value is shared: not to be written to. */
export interface Entry {
  readonly key: string
  readonly value: Uint8Array
}

/** One change of a batch: the new value of a key, or undefined to remove it. Of two for one key the later holds. */
export interface Change {
  readonly key: string
  readonly value: Uint8Array | undefined
}

/** An ordered durable key-value store that its owner keeps to itself. */
export class Store extends Context.Service<
  Store,
  {
    /** Where the data is kept, for messages. */
    readonly directory: string

    /** All entries, in the order of their keys' UTF-8 bytes. */
    readonly load: Effect.Effect<ReadonlyArray<Entry>, StoreError>

    /**
     * Makes all changes or none. It succeeds when they are on the disk, so that neither the end of the process nor a
     * power cut undoes them; when it fails, none was made. Batches take effect in the order of the calls. It cannot
     * be interrupted once begun.
     */
    readonly commit: (changes: ReadonlyArray<Change>) => Effect.Effect<void, StoreError>
  }
>()("mqttzoo/services/Store") {}

const describe = (reason: StoreReason): string => {
  switch (reason._tag) {
    case "Locked":
      return "another broker is using it"
    case "NotADirectory":
      return "is not a directory"
    case "NotWritable":
      return "cannot be written; check its owner and permissions"
    case "Damaged":
      return `cannot be read: ${reason.why}`
    case "NoSpace":
      return "the disk is full"
    case "InputOutput":
      return `reading or writing failed: ${reason.why}`
    case "BadKey":
      return `a key of ${reason.bytes} bytes; 1 to ${maximumKeyBytes} are possible`
  }
}
