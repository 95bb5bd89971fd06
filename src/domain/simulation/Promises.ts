/** All promises that histories are held to (docs/guarantees.md), and the judgement of a history by them. */
import type { Promised } from "./Account.ts"
import type { Checker } from "./History.ts"
import { liveness } from "./promises/Liveness.ts"
import { nothingLeaks } from "./promises/NothingLeaks.ts"
import { oneConnection } from "./promises/OneConnection.ts"
import { retainedRegister } from "./promises/RetainedRegister.ts"
import { sessionPresent } from "./promises/SessionPresent.ts"
import { wills } from "./promises/Wills.ts"
import { wireMonitor } from "./promises/WireMonitor.ts"
import { acknowledged } from "./promises/Acknowledged.ts"
import { content } from "./promises/Content.ts"
import { exactlyOnce } from "./promises/ExactlyOnce.ts"
import { expiry } from "./promises/Expiry.ts"
import { order } from "./promises/Order.ts"
import { sharedGroups } from "./promises/SharedGroups.ts"
import { unsubscribed } from "./promises/Unsubscribed.ts"
import { reconstruct } from "./Reconstruction.ts"

/** The checks by name. One check may know several violations. */
export const promises: Readonly<Record<string, Promised>> = {
  acknowledged,
  content,
  exactlyOnce,
  expiry,
  order,
  sharedGroups,
  unsubscribed,
  wireMonitor,
  oneConnection,
  sessionPresent,
  retainedRegister,
  wills,
  liveness,
  nothingLeaks
}

/** Judges a history by all promises. A pure function; violations come in the order of their times. */
export const judge: Checker = (history) => {
  const account = reconstruct(history)
  return Object.values(promises)
    .flatMap((promise) => promise(account))
    .sort((a, b) => a.at - b.at)
}
