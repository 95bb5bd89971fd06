import { defineConfig } from "vitest/config"

// vitest's reporter groups failures with Map.groupBy, which Node 20 does not have.
const groupBy = <K, T>(items: Iterable<T>, keyOf: (item: T, index: number) => K): Map<K, Array<T>> => {
  const groups = new Map<K, Array<T>>()
  let index = 0
  for (const item of items) {
    const key = keyOf(item, index++)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [item])
    else group.push(item)
  }
  return groups
}
if (!("groupBy" in Map)) Object.assign(Map, { groupBy })

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Half of the suite waits for brokers and clients in processes of their own.
    maxWorkers: 4,
    testTimeout: 20_000,
    hookTimeout: 30_000
  }
})
