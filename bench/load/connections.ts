import { setTimeout as sleep } from "node:timers/promises"
import { residentBytes } from "../proc.ts"
import { Measurement } from "./measure.ts"
import { Network } from "./network.ts"
import type { LoadOrder, LoadResult } from "./scenario.ts"

// Opened and dropped before the measurement, so that the compilers of both ends have seen what is to be measured.
const WARMUP_CONNECTIONS = 2000
const PAUSE_MS = 500

/** Connections a second, from the first SYN to the last CONNACK; all stay open. */
export const connectionRate = async (
  order: LoadOrder,
  connections: number,
  concurrency: number
): Promise<LoadResult> => {
  const network = new Network(order.port, order.version)
  const first = await network.openAll(WARMUP_CONNECTIONS, concurrency, (index) => network.open(`warmup-${index}`))
  for (const connection of first) connection.drop()
  await sleep(PAUSE_MS)
  let opened = 0
  const measurement = new Measurement(order.pid, () => opened)
  const all = await network.openAll(connections, concurrency, async (index) => {
    const connection = await network.open(`connection-${index}`)
    opened++
    return connection
  })
  const measured = measurement.end()
  for (const connection of all) connection.drop()
  return { ...measured, problems: network.problems }
}

/** Bytes of broker memory a connection with one subscription of its own, after a silence. */
export const idleMemory = async (
  order: LoadOrder,
  connections: number,
  concurrency: number,
  holdSeconds: number
): Promise<LoadResult> => {
  const network = new Network(order.port, order.version)
  const before = residentBytes(order.pid)
  let opened = 0
  const measurement = new Measurement(order.pid, () => opened)
  const all = await network.openAll(connections, concurrency, async (index) => {
    const connection = await network.open(`idle-${index}`)
    await connection.subscribe(`bench/${network.run.toString(16)}/idle/${index}`, 0)
    opened++
    return connection
  })
  await sleep(holdSeconds * 1000)
  const { generatorShare } = measurement.end()
  const value = (residentBytes(order.pid) - before) / connections
  for (const connection of all) connection.drop()
  return { value, generatorShare, problems: network.problems }
}
