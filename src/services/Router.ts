/**
 * Who gets what: the subscriptions of all sessions that this broker knows, and for each topic the list of those that
 * match. The list is worked out once and kept until any subscription changes.
 */
import { Context, Effect, Layer, Random } from "effect"
import type { Session } from "../domain/session/Session.ts"
import type { Subscription } from "../domain/session/Subscription.ts"
import {
  addMember,
  chooseMember,
  makeSharedGroup,
  removeMember,
  type SharedGroup,
  type SharedStrategy
} from "../domain/topic/SharedGroup.ts"
import { SubscriptionTree } from "../domain/topic/SubscriptionTree.ts"
import type { ParsedTopicFilter } from "../domain/topic/TopicFilter.ts"
import type { TopicName } from "../domain/topic/TopicName.ts"
import type { Connection } from "./broker/Connection.ts"
import { Configuration } from "./Configuration.ts"

/** A session as messages reach it: with the connection that holds it now, if any. */
export interface Subscriber {
  readonly session: Session
  /** Whether the session lives in a partition and its changes in the journal. */
  readonly durable: boolean
  connection: Connection | undefined
}

/** One subscriber of a topic, with all of its matching subscriptions folded into one delivery [MQTT-3.3.4-2]. */
export interface Destination {
  readonly subscriber: Subscriber
  /** The highest QoS that a matching subscription asks for. */
  readonly qos: 0 | 1 | 2
  readonly retainAsPublished: boolean
  /** The identifiers of the matching subscriptions, undefined when none has one [MQTT-3.3.4-3]. */
  readonly identifiers: ReadonlyArray<number> | undefined
  /** The shared subscription that chose the subscriber, as its client wrote it; undefined for one that is not shared. */
  readonly share: string | undefined
  /** What holds when the subscriber is the publisher: No Local subscriptions left out. Undefined: gets nothing. */
  readonly own: Destination | undefined
}

/** A shared subscription: each message goes to one of its members (section 4.8.2). */
interface SharedRoute {
  readonly group: SharedGroup<Subscriber>
  readonly subscriptions: Map<Subscriber, Destination>
}

/** Everyone that a topic's messages go to. */
export interface Destinations {
  readonly direct: ReadonlyArray<Destination>
  readonly shared: ReadonlyArray<SharedRoute>
}

export class Router extends Context.Service<
  Router,
  {
    readonly subscribe: (subscriber: Subscriber, filter: ParsedTopicFilter, subscription: Subscription) => void
    readonly unsubscribe: (subscriber: Subscriber, filter: ParsedTopicFilter) => void
    /** Everyone that a message on this topic goes to. Valid until the next subscribe or unsubscribe. */
    readonly destinations: (topic: TopicName) => Destinations
    /** The member of a shared subscription that gets a message of this publisher. */
    readonly choose: (shared: SharedRoute, publisher: string) => Destination | undefined
    /** Another member of a shared subscription for a message whose first one has gone; undefined: there is none. */
    readonly chooseAgain: (filter: ParsedTopicFilter, publisher: string) => Destination | undefined
    /** How many subscriptions there are. */
    readonly size: () => number
  }
>()("mqttzoo/services/Router") {
  static readonly layer = Layer.effect(
    Router,
    Effect.gen(function* () {
      const { config } = yield* Configuration
      const strategy: SharedStrategy = config.session.sharedSubscriptionStrategy
      const random = yield* Random.Random
      const tree = new SubscriptionTree<Subscriber | SharedRoute, Subscription | undefined>()
      /** By filter, then by ShareName. */
      const routes = new Map<string, Map<string, SharedRoute>>()
      const cache = new Map<TopicName, Destinations>()

      const subscribe = (subscriber: Subscriber, parsed: ParsedTopicFilter, subscription: Subscription): void => {
        cache.clear()
        const { filter, group } = parsed
        if (group === undefined) {
          tree.set(filter, subscriber, subscription)
          return
        }
        const groups = routes.get(filter) ?? new Map<string, SharedRoute>()
        routes.set(filter, groups)
        const route = groups.get(group) ?? { group: makeSharedGroup<Subscriber>(), subscriptions: new Map() }
        groups.set(group, route)
        addMember(route.group, subscriber)
        route.subscriptions.set(subscriber, destination(subscriber, [subscription], subscription.filter))
        tree.set(filter, route, undefined)
      }

      const unsubscribe = (subscriber: Subscriber, { filter, group }: ParsedTopicFilter): void => {
        cache.clear()
        if (group === undefined) {
          tree.delete(filter, subscriber)
          return
        }
        const groups = routes.get(filter)
        const route = groups?.get(group)
        if (groups === undefined || route === undefined) return
        removeMember(route.group, subscriber)
        route.subscriptions.delete(subscriber)
        if (route.subscriptions.size > 0) return
        tree.delete(filter, route)
        groups.delete(group)
        if (groups.size === 0) routes.delete(filter)
      }

      const find = (topic: TopicName): Destinations => {
        const matching = new Map<Subscriber, Array<Subscription>>()
        const shared: Array<SharedRoute> = []
        tree.match(topic, (subscription, key) => {
          if (subscription === undefined) {
            shared.push(key as SharedRoute)
            return
          }
          const subscriptions = matching.get(key as Subscriber)
          if (subscriptions === undefined) matching.set(key as Subscriber, [subscription])
          else subscriptions.push(subscription)
        })
        return { direct: Array.from(matching, ([s, subscriptions]) => destination(s, subscriptions)), shared }
      }

      const choose = (shared: SharedRoute, publisher: string): Destination | undefined => {
        const choice = { publisher, random: random.nextDoubleUnsafe() }
        const chosen = chooseMember(shared.group, strategy, choice, isConnected)
        return chosen && shared.subscriptions.get(chosen)
      }

      return Router.of({
        subscribe,
        unsubscribe,
        destinations: (topic) => {
          const known = cache.get(topic)
          if (known !== undefined) return known
          if (cache.size >= cachedTopics) cache.clear()
          const found = find(topic)
          cache.set(topic, found)
          return found
        },
        choose,
        chooseAgain: ({ filter, group }, publisher) => {
          const route = group === undefined ? undefined : routes.get(filter)?.get(group)
          return route && choose(route, publisher)
        },
        size: () => tree.size
      })
    })
  )
}

/** How many topics' destinations are kept. */
const cachedTopics = 65_536

const isConnected = (subscriber: Subscriber): boolean => subscriber.connection !== undefined

/** Folds a subscriber's matching subscriptions, at least one, into one destination. */
const destination = (
  subscriber: Subscriber,
  subscriptions: ReadonlyArray<Subscription>,
  share?: string
): Destination => {
  const identifiers = subscriptions.flatMap(({ identifier }) => (identifier === undefined ? [] : [identifier]))
  const own = subscriptions.filter(({ noLocal }) => !noLocal)
  const folded: Destination = {
    subscriber,
    qos: Math.max(...subscriptions.map(({ qos }) => qos)) as 0 | 1 | 2,
    retainAsPublished: subscriptions.some(({ retainAsPublished }) => retainAsPublished),
    identifiers: identifiers.length === 0 ? undefined : identifiers,
    share,
    own: own.length === 0 || own.length === subscriptions.length ? undefined : destination(subscriber, own)
  }
  // The publisher's own messages are no different: the destination stands for itself.
  return own.length === subscriptions.length ? Object.assign(folded, { own: folded }) : folded
}
