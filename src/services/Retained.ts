/**
 * Retained messages: one for each topic, the latest. All of them are in memory, where a new subscription finds them;
 * each is also a znode, written together with the journal and paid for by the Bank.
 */
import { Context, Effect, Layer, Result } from "effect"
import { fnv1a } from "../domain/Hash.ts"
import { detached, type Message, never } from "../domain/Message.ts"
import * as RetainedMessage from "../domain/retained/RetainedMessage.ts"
import { TimerWheel } from "../domain/time/TimerWheel.ts"
import type { TopicFilter } from "../domain/topic/TopicFilter.ts"
import type { TopicName } from "../domain/topic/TopicName.ts"
import { TopicTree } from "../domain/topic/TopicTree.ts"
import * as Znode from "../domain/zookeeper/Znode.ts"
import { Bank } from "./Bank.ts"
import { Configuration } from "./Configuration.ts"
import { Journal } from "./Journal.ts"
import * as Layout from "./Layout.ts"
import { patiently } from "./Patience.ts"
import { SharedClock } from "./SharedClock.ts"
import { ZooKeeper } from "./ZooKeeper.ts"

/** Why a message is not retained. */
export type Refusal = "QuotaExceeded" | "PacketTooLarge"

export class Retained extends Context.Service<
  Retained,
  {
    /** Why this message could not be retained when `besides` is spent on it elsewhere, or undefined. */
    readonly refusal: (message: Message, besides: number) => Refusal | undefined
    /**
     * Makes the message the topic's retained one, or removes that when its payload is empty [MQTT-3.3.1-6]. It is seen
     * at once; `committed` is called when it is durable.
     */
    readonly put: (message: Message, committed: () => void) => void
    /** Calls `visit` with each retained message whose topic the filter matches and that has not expired. */
    readonly matching: (filter: TopicFilter, now: number, visit: (message: Message) => void) => void
    /** Removes what has expired by now, and gives its credit back. */
    readonly sweep: (now: number) => void
    readonly count: () => number
    /** The credit that all of them take. */
    readonly charge: () => number
  }
>()("mqttzoo/services/Retained") {
  static readonly layer = Layer.effect(
    Retained,
    Effect.gen(function* () {
      const { config } = yield* Configuration
      const { znodeCost } = config.bank
      const limits = config.limits.retained
      const zookeeper = yield* ZooKeeper
      const journal = yield* Journal
      const bank = yield* Bank
      const clock = yield* SharedClock

      const messages = new TopicTree<Message>()
      const expiries = new TimerWheel<TopicName>(sweepMillis, clock.now())
      /** The znode of each topic that has one, and who holds a path: two topics may hash to the same one. */
      const pathOf = new Map<string, string>()
      const taken = new Set<string>()
      let charge = 0

      const freePath = (topic: string): string => {
        const hash = fnv1a(topic)
        const base = `${Layout.topicBucket(hash % Layout.topicBuckets)}/${hash.toString(16).padStart(8, "0")}`
        let path = base
        for (let i = 1; taken.has(path); i++) path = `${base}-${i}`
        return path
      }

      const keep = (message: Message): void => {
        messages.set(message.topic as TopicName, message)
        if (message.expiresAt === never) expiries.delete(message.topic as TopicName)
        else expiries.set(message.topic as TopicName, message.expiresAt)
      }

      const readAll = Effect.gen(function* () {
        const found: Array<{ readonly path: string; readonly data: Uint8Array }> = []
        for (let bucket = 0; bucket < Layout.topicBuckets; bucket++) {
          const parent = Layout.topicBucket(bucket)
          for (const name of yield* zookeeper.children(parent)) {
            const path = `${parent}/${name}`
            found.push({ path, data: (yield* zookeeper.get(path)).data })
          }
        }
        return found
      })
      for (const { path, data } of yield* patiently("the retained messages cannot be read", readAll)) {
        const message = RetainedMessage.decode(data)
        taken.add(path)
        if (Result.isFailure(message)) {
          yield* Effect.logWarning("a retained message cannot be read and is left alone", {
            path,
            why: message.failure
          })
          continue
        }
        keep(message.success)
        pathOf.set(message.success.topic, path)
        charge += RetainedMessage.cost(message.success, znodeCost)
      }

      /** The operation that makes the topic's znode hold what memory holds, the ones before it having happened. */
      const operation = (topic: string): Znode.Operation | undefined => {
        const message = messages.get(topic as TopicName)
        const path = pathOf.get(topic)
        if (message !== undefined) {
          const data = RetainedMessage.encode(message)
          if (path !== undefined) return Znode.set(path, data)
          const created = freePath(topic)
          pathOf.set(topic, created)
          taken.add(created)
          return Znode.create(created, data)
        }
        if (path === undefined) return undefined
        pathOf.delete(topic)
        taken.delete(path)
        return Znode.remove(path)
      }

      /** The credit that a topic's retained message takes now. */
      const costOf = (topic: TopicName): number => {
        const message = messages.get(topic)
        return message === undefined ? 0 : RetainedMessage.cost(message, znodeCost)
      }

      /** Puts a message, or nothing, in a topic's place: in memory, in the Bank's book, and in the next transaction. */
      const change = (topic: TopicName, message: Message | undefined, committed: () => void): void => {
        const before = costOf(topic)
        if (message === undefined) {
          messages.delete(topic)
          expiries.delete(topic)
        } else {
          keep(message)
        }
        const difference = costOf(topic) - before
        charge += difference
        bank.charge(difference)
        const made = operation(topic)
        journal.append({ entries: [], operations: made === undefined ? [] : [made], charge: difference, committed })
      }

      return Retained.of({
        refusal: (message, besides) => {
          if (message.payload.length === 0) return undefined
          if (message.payload.length > limits.payload) return "PacketTooLarge"
          const before = costOf(message.topic as TopicName)
          if (before === 0 && messages.size >= limits.messages) return "QuotaExceeded"
          return RetainedMessage.cost(message, znodeCost) - before + besides > bank.free() ? "QuotaExceeded" : undefined
        },
        put: (message, committed) =>
          change(message.topic as TopicName, message.payload.length === 0 ? undefined : detached(message), committed),
        matching: (filter, now, visit) => {
          messages.matching(filter, (message) => {
            if (message.expiresAt > now) visit(message)
          })
        },
        sweep: (now) => {
          for (const topic of expiries.advance(now)) change(topic, undefined, () => {})
        },
        count: () => messages.size,
        charge: () => charge
      })
    })
  )
}

/** How coarsely expiries are looked at, in milliseconds. */
const sweepMillis = 1_000
