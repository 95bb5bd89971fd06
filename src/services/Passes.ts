/**
 * What the broker has to deal with in its next pass: bytes that arrived, commits that are done, ticks of the clock.
 * Everything that touches the broker's state goes through this list, so a pass is the only one to change it.
 */
import { Context, Layer } from "effect"
import * as ReadyList from "./ReadyList.ts"

export class Passes extends Context.Service<Passes, ReadyList.ReadyList<() => void>>()("mqttzoo/services/Passes") {
  static readonly layer = Layer.sync(Passes, () => ReadyList.make<() => void>())
}
