import { measureLoad, settle } from "./measure.ts"
import type { LoadOrder, LoadResult, Traffic } from "./scenario.ts"
import { assemble, problemsOf } from "./traffic.ts"

/** Delivered messages a second, every delivery checked. */
export const throughput = async (order: LoadOrder, traffic: Traffic): Promise<LoadResult> => {
  const parties = await assemble(order, traffic, { persistent: false, acknowledgementOnly: false })
  const { publishers, subscribers } = parties
  const delivered = (): number => subscribers.reduce((sum, subscriber) => sum + subscriber.deliveries.received, 0)
  for (const publisher of publishers) publisher.start()
  const measured = await measureLoad(order, delivered)
  for (const publisher of publishers) publisher.stop()
  await settle(() => publishers.every((publisher) => publisher.isSettled()), delivered)
  return { ...measured, problems: await problemsOf(parties, traffic) }
}
