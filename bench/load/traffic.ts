import { setTimeout as sleep } from "node:timers/promises"
import { Network } from "./network.ts"
import { Publisher } from "./publisher.ts"
import type { LoadOrder, Traffic } from "./scenario.ts"
import { Subscriber } from "./subscriber.ts"

const CONCURRENT_HANDSHAKES = 16
// A duplicate may follow when all messages have arrived.
const LATE_DUPLICATES_MS = 100

/** The publishers and subscribers of one run. */
export interface Parties {
  readonly network: Network
  readonly publishers: ReadonlyArray<Publisher>
  readonly subscribers: ReadonlyArray<Subscriber>
  /** Connects subscriber `index` (again, when it has a session) and has its packets handled. */
  readonly reconnect: (index: number) => Promise<void>
  /** Ends subscriber `index`'s connection in good order. */
  readonly leave: (index: number) => Promise<void>
}

/** Connects and subscribes all parties; no message is sent yet. */
export const assemble = async (
  order: LoadOrder,
  traffic: Traffic,
  options: { readonly persistent: boolean; readonly acknowledgementOnly: boolean }
): Promise<Parties> => {
  const network = new Network(order.port, order.version, traffic.gatherMs)
  const { qos, payloadBytes, window } = traffic
  const topicOf = (index: number): string =>
    `bench/${network.run.toString(16)}/${String(traffic.topics === "own" ? index : 0).padStart(4, "0")}`
  const subscriberName = (index: number): string => `subscriber-${index}`

  const connections = await network.openAll(traffic.subscribers, CONCURRENT_HANDSHAKES, async (index) => {
    const connection = await network.open(subscriberName(index), options.persistent)
    await connection.subscribe(topicOf(index), qos)
    return connection
  })
  const subscribers = connections.map((connection, index) => {
    const streams =
      traffic.topics === "own"
        ? { firstPublisher: index, publishers: 1 }
        : { firstPublisher: 0, publishers: traffic.publishers }
    const subscriber = new Subscriber(network, { topic: topicOf(index), qos, payloadBytes, ...streams })
    subscriber.attach(connection)
    return subscriber
  })
  const publishers = await network.openAll(traffic.publishers, CONCURRENT_HANDSHAKES, async (number) => {
    const connection = await network.open(`publisher-${number}`)
    const hearers = traffic.topics === "own" ? [subscribers[number]!] : subscribers
    const receivers = options.acknowledgementOnly ? [] : hearers.map((subscriber) => subscriber.deliveries)
    return new Publisher(network, connection, { topic: topicOf(number), qos, payloadBytes, window, number, receivers })
  })
  for (const subscriber of subscribers) subscriber.publishers = publishers

  return {
    network,
    publishers,
    subscribers,
    reconnect: async (index) => {
      const connection = await network.open(subscriberName(index), true, (opened) => subscribers[index]!.attach(opened))
      connections[index] = connection
    },
    leave: (index) => connections[index]!.close()
  }
}

/** Everything that the checks of a finished run found. */
export const problemsOf = async (parties: Parties, traffic: Traffic): Promise<Array<string>> => {
  await sleep(LATE_DUPLICATES_MS)
  let lost = 0
  let duplicated = 0
  let outOfOrder = 0
  let unexpected = 0
  let damaged = 0
  for (const [index, subscriber] of parties.subscribers.entries()) {
    const { deliveries } = subscriber
    const heard = traffic.topics === "own" ? [parties.publishers[index]!] : parties.publishers
    for (const publisher of heard) lost += deliveries.lost(publisher.number, publisher.sent)
    duplicated += deliveries.duplicated
    outOfOrder += deliveries.outOfOrder
    unexpected += deliveries.unexpected
    damaged += subscriber.damaged
  }
  let unacknowledged = 0
  let badAcknowledgements = 0
  for (const publisher of parties.publishers) {
    unacknowledged += publisher.unacknowledged()
    badAcknowledgements += publisher.badAcknowledgements
  }
  const counts = {
    lost,
    duplicated,
    "out of order": outOfOrder,
    unexpected,
    damaged,
    unacknowledged,
    "bad acknowledgements": badAcknowledgements
  }
  const failed = Object.entries(counts).filter(([, count]) => count > 0)
  return [...parties.network.problems, ...failed.map(([name, count]) => `${count} ${name}`)]
}
