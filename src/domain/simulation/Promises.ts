/** All promises that histories are held to (docs/guarantees.md), and the judgement of a history by them. */
import type { Promised } from "./Account.ts"
import type { History, Violation } from "./History.ts"
import { reconstruct } from "./Reconstruction.ts"

/** The checks by name. One check may know several violations. */
export const promises: Readonly<Record<string, Promised>> = {}

/** Judges a history by all promises. A pure function; violations come in the order of their times. */
export const judge = (history: History): ReadonlyArray<Violation> => {
  const account = reconstruct(history)
  return Object.values(promises)
    .flatMap((promise) => promise(account))
    .sort((a, b) => a.at - b.at)
}
