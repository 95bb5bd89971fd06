import type { Broker } from "./brokers.ts"
import type { LoadResult } from "./load/scenario.ts"
import type { Row } from "./rows.ts"
import { figure, median, ratio, table } from "./stats.ts"

// A process that uses more than this share of its core may be what limits the figure.
const BUSY = 0.9

/** One measurement. */
export interface Sample {
  readonly row: Row
  readonly broker: Broker
  readonly round: number
  readonly result: LoadResult
}

const ifKnown = (value: number, unit: string): string => (Number.isFinite(value) ? `${figure(value)}${unit}` : "")

/** The table of medians, with the ratios of the first broker to each other one, and what is to be said about it. */
export const report = (
  samples: ReadonlyArray<Sample>,
  rows: ReadonlyArray<Row>,
  brokers: ReadonlyArray<Broker>
): string => {
  const first = brokers[0]
  const resultsOf = (row: Row, broker: Broker): Array<LoadResult> =>
    samples.filter((sample) => sample.row === row && sample.broker === broker).map((sample) => sample.result)
  const medianOf = (results: Array<LoadResult>): number =>
    median(results.map((result) => result.value).filter((value) => Number.isFinite(value)))
  const costOf = (results: Array<LoadResult>): number =>
    median(results.flatMap((result) => result.brokerMicroseconds ?? []))

  const lines: Array<Array<string>> = []
  const notes = new Set<string>()
  for (const row of rows) {
    for (const broker of brokers) {
      const results = resultsOf(row, broker)
      if (results.length === 0) continue
      const values = results.map((result) => result.value).filter((value) => Number.isFinite(value))
      const failed = results.filter((result) => result.problems.length > 0)
      const share = median(results.map((result) => result.generatorShare))
      const cost = costOf(results)
      const ours = resultsOf(row, first!)
      const better = broker === first ? Number.NaN : ratio(medianOf(ours), medianOf(results), row.better)
      const cheaper = broker === first ? Number.NaN : ratio(costOf(ours), cost, "lower")
      const brokerShare = (medianOf(results) * cost) / 1e6
      const mark = share > BUSY && !(brokerShare > BUSY) ? " *" : ""
      if (mark !== "")
        notes.add(
          "* the load generator used more than 90 % of its core and the broker did not: the broker may be faster than that."
        )
      if (row.scenario.kind === "durable") notes.add(`durable, ${broker.name}: ${broker.durability}.`)
      for (const result of failed)
        notes.add(`FAILED ${row.name}, ${broker.name}: ${result.problems.slice(0, 5).join("; ")}`)
      lines.push([
        `${row.title}, ${row.unit}`,
        broker.name,
        figure(median(values)),
        values.length < 2 ? "" : `${figure(Math.min(...values))} to ${figure(Math.max(...values))}`,
        ifKnown(cost, ""),
        ifKnown(brokerShare * 100, " %"),
        row.scenario.kind === "startup" ? "" : `${figure(share * 100)} %${mark}`,
        ifKnown(better, " ×"),
        ifKnown(cheaper, " ×"),
        failed.length === 0 ? "passed" : "FAILED"
      ])
    }
  }
  const header = ["measured", "broker", "median", "range", "broker µs each", "broker CPU", "generator CPU"]
  const comparison = [`${first!.name} better`, "by CPU time", "checks"]
  return [table([...header, ...comparison], lines), "", ...notes].join("\n")
}
