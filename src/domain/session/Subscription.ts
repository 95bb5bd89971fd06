/** A subscription of a session (section 3.8.3.1): the filter as the client wrote it, and its options. */
import { Schema } from "effect"
import { QoS, RetainHandling } from "../packet/Packet.ts"
import { SubscriptionIdentifier } from "../packet/Property.ts"

export const Subscription = Schema.Struct({
  /** Verbatim, `$share/group/` included: it is the subscription's name within its session. */
  filter: Schema.String,
  qos: QoS,
  noLocal: Schema.Boolean,
  retainAsPublished: Schema.Boolean,
  retainHandling: RetainHandling,
  identifier: Schema.optionalKey(SubscriptionIdentifier)
})
export type Subscription = typeof Subscription.Type
