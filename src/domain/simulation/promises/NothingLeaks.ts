/**
 * When everything was cleared up, a broker holds what it held before the first client came, and its Bank has all its
 * credit back.
 */
import type { Event } from "../History.ts"
import type { Promised } from "../Account.ts"
import type { Violation } from "../History.ts"

type Snapshot = Extract<Event, { _tag: "Snapshot" }>

/** What is counted since a broker's start says nothing of what it holds. */
const isCount = (name: string): boolean => name.startsWith("counts.")

/** Whether a number is about the credit of the Bank. */
const isCredit = (name: string): boolean => /credit/i.test(name)

const compare = (empty: Snapshot, end: Snapshot): ReadonlyArray<Violation> => {
  const names = new Set([...Object.keys(empty.holds), ...Object.keys(end.holds)])
  const different = Array.from(names)
    .filter((name) => !isCount(name) && empty.holds[name] !== end.holds[name])
    .toSorted()
  const say = (name: string): string =>
    `${name} was ${empty.holds[name] ?? "absent"}, is ${end.holds[name] ?? "absent"}`
  const violation = (promise: string, which: ReadonlyArray<string>): ReadonlyArray<Violation> =>
    which.length === 0
      ? []
      : [{ promise, at: end.at, detail: `${end.broker} is not empty again: ${which.map(say).join("; ")}` }]
  return [
    ...violation(
      "credit-lost",
      different.filter((name) => isCredit(name))
    ),
    ...violation(
      "left-behind",
      different.filter((name) => !isCredit(name))
    )
  ]
}

/** Promises: `left-behind`, `credit-lost`, `credit-negative`. */
export const nothingLeaks: Promised = ({ history }) => {
  const violations: Array<Violation> = []
  const empty = new Map<string, Snapshot>()
  for (const event of history) {
    if (event._tag !== "Snapshot") continue
    const { at, broker, moment, holds } = event
    for (const [name, value] of Object.entries(holds)) {
      if (!isCredit(name) || value >= 0) continue
      violations.push({ promise: "credit-negative", at, detail: `${name} of ${broker} is ${value}` })
    }
    if (moment === "empty") empty.set(broker, event)
    const before = empty.get(broker)
    if (moment === "end" && before !== undefined) violations.push(...compare(before, event))
  }
  return violations
}
