// The load generator: one order as JSON on the command line, one result as JSON on standard output.
import { connectionRate, idleMemory } from "./connections.ts"
import { durable } from "./durable.ts"
import type { LoadOrder, LoadResult } from "./scenario.ts"
import { throughput } from "./throughput.ts"

const run = (order: LoadOrder): Promise<LoadResult> => {
  const { scenario } = order
  switch (scenario.kind) {
    case "throughput":
      return throughput(order, scenario)
    case "durable":
      return durable(order, scenario, scenario.online)
    case "connect":
      return connectionRate(order, scenario.connections, scenario.concurrency)
    case "idle":
      return idleMemory(order, scenario.connections, scenario.concurrency, scenario.holdSeconds)
  }
}

const result = await run(JSON.parse(process.argv[2]!) as LoadOrder)
// The connections still open must not keep the process.
process.stdout.write(JSON.stringify(result) + "\n", () => process.exit(0))
