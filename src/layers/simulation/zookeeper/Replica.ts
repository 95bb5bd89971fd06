/**
 * What each server of an ensemble holds, and what one committed transaction after the other makes of it: the tree and
 * the sessions. The same transactions give the same replica, and the same answers, on every server.
 */
import * as DataTree from "../../../domain/zookeeper/DataTree.ts"
import type { Operation, SessionId } from "../../../domain/zookeeper/Znode.ts"
import type { ZooKeeperReason } from "../../../services/ZooKeeper.ts"
import type { Answer } from "../../zookeeper/Protocol.ts"

/** What the leader has given a place in the order. */
export type Change =
  | { readonly _tag: "OpenSession"; readonly timeoutMillis: number }
  | { readonly _tag: "CloseSession" }
  | { readonly _tag: "Write"; readonly operations: ReadonlyArray<Operation> }
  /** Changes nothing: the leader has refused it, and says so at its place in the order. */
  | { readonly _tag: "Refused"; readonly reason: ZooKeeperReason }

/** A transaction: a change by a session, its number and the leader's wall clock, in milliseconds. */
export interface Transaction {
  readonly zxid: number
  readonly time: number
  readonly session: SessionId
  readonly change: Change
}

/** What a transaction has done. */
export interface Outcome {
  readonly answer: Answer
  readonly events: ReadonlyArray<DataTree.Event>
}

const noEvents: ReadonlyArray<DataTree.Event> = []
const done: Outcome = { answer: { _tag: "Done", value: undefined }, events: noEvents }

export class Replica {
  readonly tree = DataTree.make()
  /** The open sessions with their timeouts in milliseconds. */
  readonly sessions = new Map<SessionId, number>()
  /** How many transactions were applied. */
  applied = 0
  /** The number of the last one; at a leader also that of its own election, until there is a first one after it. */
  zxid = 0

  /** Applies the next transaction. */
  apply(transaction: Transaction): Outcome {
    const { zxid, session, change } = transaction
    this.zxid = zxid
    this.applied++
    switch (change._tag) {
      case "OpenSession":
        this.sessions.set(session, change.timeoutMillis)
        return done
      case "CloseSession": {
        this.sessions.delete(session)
        const closed = DataTree.apply(this.tree, { _tag: "CloseSession", session }, zxid, transaction.time)
        return closed._tag === "Applied" ? { ...done, events: closed.events } : done
      }
      case "Refused":
        return { answer: { _tag: "Failed", reason: change.reason }, events: noEvents }
      case "Write": {
        const { operations } = change
        const applied = DataTree.apply(this.tree, { _tag: "Multi", session, operations }, zxid, transaction.time)
        return applied._tag === "Applied"
          ? { answer: { _tag: "Done", value: applied.results }, events: applied.events }
          : {
              answer: { _tag: "Failed", reason: applied.refusal, operation: applied.operation },
              events: noEvents
            }
      }
    }
  }
}
