/** The median of the values (the mean of the middle two when their number is even); NaN of none. */
export const median = (values: ReadonlyArray<number>): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  if (sorted.length === 0) return Number.NaN
  return sorted.length % 2 === 1 ? sorted[Math.floor(middle)]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** How many times better `ours` is than `theirs`. */
export const ratio = (ours: number, theirs: number, better: "higher" | "lower"): number =>
  better === "higher" ? ours / theirs : theirs / ours

/** A figure with three or more significant digits and thousands separators: `1,234,567`, `45.6`, `0.123`. */
export const figure = (value: number): string => {
  if (!Number.isFinite(value)) return "–"
  const size = Math.abs(value)
  const digits = size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

/** A Markdown table whose columns are padded, so that it reads well in a terminal too; the first two columns are text, the rest figures. */
export const table = (header: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = header.map((name, column) => Math.max(name.length, 4, ...rows.map((row) => row[column]!.length)))
  const line = (cells: ReadonlyArray<string>): string =>
    `| ${cells.map((cell, i) => (i < 2 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join(" | ")} |`
  const rule = widths.map((width, i) => (i < 2 ? "-".repeat(width) : "-".repeat(width - 1) + ":"))
  return [line(header), line(rule), ...rows.map(line)].join("\n")
}
