import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Result, Schema } from "effect"
import * as Session from "../../src/domain/session/Session.ts"
import type { Subscription } from "../../src/domain/session/Subscription.ts"
import { matches, parseTopicFilter } from "../../src/domain/topic/TopicFilter.ts"
import type { Connection } from "../../src/services/broker/Connection.ts"
import { Configuration } from "../../src/services/Configuration.ts"
import { Router, type Subscriber } from "../../src/services/Router.ts"
import { name } from "../domain/topic/alphabet.ts"

const makeRouter = (sharedSubscriptionStrategy: "round-robin" | "sticky" = "round-robin") =>
  Effect.map(
    Layer.build(Router.layer.pipe(Layer.provide(Configuration.layer({ session: { sharedSubscriptionStrategy } })))),
    (services) => Context.get(services, Router)
  )

const subscriber = (clientId: string): Subscriber => ({
  session: Session.make(clientId, 0, 10),
  durable: false,
  connection: undefined
})

const subscription = (filter: string, more: Partial<Subscription> = {}): Subscription => ({
  filter,
  qos: 0,
  noLocal: false,
  retainAsPublished: false,
  retainHandling: 0,
  ...more
})

const parse = (filter: string) => Result.getOrThrow(parseTopicFilter(filter))

const subscribe = (router: Router["Service"], who: Subscriber, filter: string, more?: Partial<Subscription>) =>
  router.subscribe(who, parse(filter), subscription(filter, more))

describe("the router", () => {
  it.effect("folds the subscriptions of one subscriber that match into one destination [MQTT-3.3.4-2]", () =>
    Effect.gen(function* () {
      const router = yield* makeRouter()
      const a = subscriber("a")
      subscribe(router, a, "t/#", { qos: 2, identifier: 7 })
      subscribe(router, a, "t/+", { qos: 1, identifier: 8, retainAsPublished: true })
      subscribe(router, a, "t/x", { qos: 0 })
      subscribe(router, a, "other", { qos: 2, identifier: 9 })
      const { direct, shared } = router.destinations(name("t/x"))
      assert.lengthOf(direct, 1)
      assert.deepStrictEqual(shared, [])
      assert.deepInclude(direct[0], { subscriber: a, qos: 2, retainAsPublished: true })
      assert.sameMembers([...direct[0]!.identifiers!], [7, 8])
      assert.strictEqual(direct[0]!.own, direct[0])
      assert.deepStrictEqual(router.destinations(name("t")).direct[0]!.identifiers, [7])
    })
  )

  it.effect("knows what is left for the publisher itself when some of its subscriptions are No Local", () =>
    Effect.gen(function* () {
      const router = yield* makeRouter()
      const a = subscriber("a")
      subscribe(router, a, "t", { qos: 2, noLocal: true, identifier: 1, retainAsPublished: true })
      assert.isUndefined(router.destinations(name("t")).direct[0]!.own)
      subscribe(router, a, "#", { qos: 1, identifier: 2 })
      const [destination] = router.destinations(name("t")).direct
      assert.deepInclude(destination, { qos: 2, retainAsPublished: true })
      assert.deepInclude(destination!.own, { qos: 1, identifiers: [2], retainAsPublished: false })
      assert.strictEqual(destination!.own!.own, destination!.own)
    })
  )

  it.effect("forgets what it knew of a topic when any subscription changes", () =>
    Effect.gen(function* () {
      const router = yield* makeRouter()
      const [a, z] = [subscriber("a"), subscriber("z")]
      const who = () =>
        router.destinations(name("t")).direct.map((each) => [each.subscriber.session.clientId, each.qos])
      assert.deepStrictEqual(who(), [])
      subscribe(router, a, "t", { qos: 1 })
      assert.deepStrictEqual(who(), [["a", 1]])
      subscribe(router, z, "+", { qos: 0 })
      assert.deepStrictEqual(who(), [
        ["a", 1],
        ["z", 0]
      ])
      subscribe(router, a, "t", { qos: 2 })
      assert.deepStrictEqual(who(), [
        ["a", 2],
        ["z", 0]
      ])
      router.unsubscribe(a, parse("t"))
      assert.deepStrictEqual(who(), [["z", 0]])
      router.unsubscribe(z, parse("+"))
      router.unsubscribe(z, parse("never/there"))
      assert.deepStrictEqual(who(), [])
      assert.strictEqual(router.size(), 0)
    })
  )

  it.effect("gives a shared subscription's message to one member, one that is connected before one that is not", () =>
    Effect.gen(function* () {
      const router = yield* makeRouter()
      const members = ["a", "b", "c"].map(subscriber)
      for (const [i, member] of members.entries()) {
        subscribe(router, member, "$share/g/t/#", { qos: i as 0 | 1 | 2, identifier: i + 1 })
      }
      subscribe(router, members[0]!, "$share/other/t/#")
      const { direct, shared } = router.destinations(name("t/x"))
      assert.deepStrictEqual(direct, [])
      assert.lengthOf(shared, 2)
      const [group] = shared
      const chosen = () => router.choose(group!, "p")!
      assert.deepStrictEqual(
        [chosen(), chosen(), chosen(), chosen()].map(({ qos }) => qos),
        [0, 1, 2, 0]
      )
      members[2]!.connection = {} as Connection
      assert.deepInclude(chosen(), { qos: 2, identifiers: [3] })
      assert.deepInclude(chosen(), { qos: 2 })
      for (const member of members) router.unsubscribe(member, parse("$share/g/t/#"))
      assert.lengthOf(router.destinations(name("t/x")).shared, 1)
      assert.isUndefined(router.choose(group!, "p"))
      router.unsubscribe(members[0]!, parse("$share/other/t/#"))
      assert.strictEqual(router.size(), 0)
    })
  )

  const filters = ["a", "a/b", "+", "a/+", "#", "a/#", "$share/g/a", "$share/g/#", "$share/h/a/+"] as const
  const Step = Schema.Struct({
    who: Schema.Literals([0, 1, 2]),
    filter: Schema.Literals(filters),
    isSubscribe: Schema.Boolean,
    qos: Schema.Literals([0, 1, 2])
  })

  it.effect.prop("finds what a list of subscriptions says, after any changes", [Schema.Array(Step)], ([steps]) =>
    Effect.gen(function* () {
      const router = yield* makeRouter()
      const everyone = ["x", "y", "z"].map(subscriber)
      const list = new Map<string, { readonly who: number; readonly filter: string; readonly qos: number }>()
      for (const { who, filter, isSubscribe, qos } of steps) {
        if (isSubscribe) {
          subscribe(router, everyone[who]!, filter, { qos })
          list.set(`${who} ${filter}`, { who, filter, qos })
        } else {
          router.unsubscribe(everyone[who]!, parse(filter))
          list.delete(`${who} ${filter}`)
        }
        for (const topic of ["a", "a/b", "c"]) {
          const { direct, shared } = router.destinations(name(topic))
          const matching = [...list.values()].filter((each) => matches(parse(each.filter).filter, topic))
          const highest = new Map<string, number>()
          for (const each of matching) {
            if (each.filter.startsWith("$share")) continue
            const { clientId } = everyone[each.who]!.session
            highest.set(clientId, Math.max(each.qos, highest.get(clientId) ?? 0))
          }
          assert.deepStrictEqual(new Map(direct.map((d) => [d.subscriber.session.clientId, d.qos])), highest)
          const groups = new Set(matching.map((each) => each.filter).filter((each) => each.startsWith("$share")))
          assert.strictEqual(shared.length, groups.size)
        }
      }
    })
  )
})
