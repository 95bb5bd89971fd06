/** The broker under test: the real program in a process of its own, or any other at `MQTTZOO_TEST_TARGET=host:port`. */
import { BrokerProcess } from "../process/BrokerProcess.ts"

/** Where a broker listens, and how to end it. */
export interface Target {
  readonly host: string
  readonly port: number
  readonly stop: () => Promise<void>
}

const named = process.env["MQTTZOO_TEST_TARGET"]

/** Whether the environment names the broker under test, so that this suite cannot set it up. */
export const isNamed = named !== undefined

/**
 * Starts the program with these settings (`key=value`) and waits until it accepts connections, or takes the broker that
 * the environment names.
 */
export const startTarget = async (settings: ReadonlyArray<string>): Promise<Target> => {
  if (named !== undefined) {
    const colon = named.lastIndexOf(":")
    return { host: named.slice(0, colon), port: Number(named.slice(colon + 1)), stop: async () => {} }
  }
  const broker = await BrokerProcess.start(...settings)
  return { host: broker.host, port: broker.port, stop: () => broker.dispose() }
}
