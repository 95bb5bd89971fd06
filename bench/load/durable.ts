import { measureLoad, settle } from "./measure.ts"
import type { LoadOrder, LoadResult, Traffic } from "./scenario.ts"
import { assemble, problemsOf } from "./traffic.ts"

/**
 * Messages acknowledged a second while the subscribers have persistent sessions: connected (`online`), or disconnected, and
 * then everything acknowledged is asked for afterwards.
 */
export const durable = async (order: LoadOrder, traffic: Traffic, online: boolean): Promise<LoadResult> => {
  const parties = await assemble(order, traffic, { persistent: true, acknowledgementOnly: !online })
  const { publishers, subscribers } = parties
  const acknowledged = (): number => publishers.reduce((sum, publisher) => sum + publisher.acknowledged, 0)
  const delivered = (): number => subscribers.reduce((sum, subscriber) => sum + subscriber.deliveries.received, 0)
  if (!online) await Promise.all(subscribers.map((_, index) => parties.leave(index)))
  for (const publisher of publishers) publisher.start()
  const measured = await measureLoad(order, acknowledged)
  for (const publisher of publishers) publisher.stop()
  await settle(() => publishers.every((publisher) => publisher.isSettled()), acknowledged)
  if (!online) {
    const sent = publishers.reduce((sum, publisher) => sum + publisher.sent, 0)
    await Promise.all(subscribers.map((_, index) => parties.reconnect(index)))
    await settle(() => delivered() >= sent, delivered)
  }
  return { ...measured, problems: await problemsOf(parties, traffic) }
}
