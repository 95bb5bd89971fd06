/** What the layers of the ZooKeeper service have in common: how operations are checked and their answers read. */
import { Option } from "effect"
import { refusalOf, root } from "../domain/zookeeper/Path.ts"
import { isSequential, type Operation, type OperationResult, type Stat, type Znode } from "../domain/zookeeper/Znode.ts"
import { ZooKeeperError, type ZooKeeperReason } from "../services/ZooKeeper.ts"

/** Why an operation is not even sent. */
export const notConnected: ZooKeeperReason = { _tag: "Unavailable", why: "there is no connection to ZooKeeper" }

/** An error, of one operation of a multi if an index is given. */
export const failure = (reason: ZooKeeperReason, path: string, operation?: number): ZooKeeperError =>
  new ZooKeeperError(operation === undefined ? { reason, path } : { reason, path, operation })

/** The error of a multi with the path of the operation that has failed. */
export const atOperation = (error: ZooKeeperError, operations: ReadonlyArray<Operation>): ZooKeeperError =>
  error.operation === undefined ? error : failure(error.reason, operations[error.operation]!.path, error.operation)

/** InvalidPath for the first operation whose path is none. */
export const firstInvalid = (operations: ReadonlyArray<Operation>): ZooKeeperError | undefined => {
  for (let at = 0; at < operations.length; at++) {
    const operation = operations[at]!
    const why =
      operation._tag === "Delete" && operation.path === root
        ? "is the root, which cannot be deleted"
        : refusalOf(operation.path, operation._tag === "Create" && isSequential(operation.mode))
    if (why !== undefined) return failure({ _tag: "InvalidPath", why }, operation.path, at)
  }
  return undefined
}

/** Whether nothing has happened to a znode from one look to the next, other than to its children. */
export const isSameZnode = (a: Option.Option<Znode>, b: Option.Option<Znode>): boolean =>
  Option.isSome(a) && Option.isSome(b)
    ? a.value.stat.mzxid === b.value.stat.mzxid
    : Option.isNone(a) && Option.isNone(b)

/** The answer to a create that stands alone, which has a stat everywhere. */
export const createdOf = (result: OperationResult): { readonly path: string; readonly stat: Stat } => {
  if (result._tag !== "Create" || result.stat === undefined) {
    throw new Error(`a create was answered with the result of a ${result._tag}`)
  }
  return { path: result.path, stat: result.stat }
}

/** The answer to a set. */
export const statOf = (result: OperationResult): Stat => {
  if (result._tag !== "Set") throw new Error(`a set was answered with the result of a ${result._tag}`)
  return result.stat
}
