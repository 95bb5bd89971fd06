/** When the world was as it should be: only then can a checker say how soon something has to happen. */
import type { Account } from "../Account.ts"
import type { FaultName } from "../Plan.ts"

/** Whether one of these faults, or any, acted at some moment of a time. */
export const isStruck = (account: Account, from: number, to: number, names?: ReadonlyArray<FaultName>): boolean =>
  account.faults.some(({ struck: { at, fault }, liftedAt }) => {
    if (names !== undefined && !names.includes(fault._tag)) return false
    const until = liftedAt ?? ("duration" in fault ? Infinity : at)
    return at <= to && until >= from
  })

/** Whether one process of the broker ran, and listened, from one moment to another. A broker nobody speaks of did. */
export const isUp = ({ brokers }: Account, broker: string, from: number, to: number): boolean => {
  const lives = brokers.filter((life) => life.broker === broker)
  if (lives.length === 0) return true
  return lives.some(({ readyAt, ended }) => readyAt !== undefined && readyAt <= from && (ended?.at ?? Infinity) > to)
}

/** Whether a process of any broker ended from one moment to another. */
export const hasEnded = ({ brokers }: Account, from: number, to: number): boolean =>
  brokers.some(({ ended }) => ended !== undefined && ended.at >= from && ended.at <= to)

/** A time of the run for people: seconds. */
export const seconds = (micros: number): string => `${(micros / 1_000_000).toFixed(3)} s`
