/**
 * Quantities as people write them in a configuration: a number with its unit, `10 seconds` or `1 MiB`.
 */

/** What one unit is worth, by every spelling that is accepted. The first spelling of a worth is the one printed. */
export type Units = ReadonlyMap<string, number>

/** Units of time, in milliseconds. */
export const durationUnits: Units = new Map([
  ["milliseconds", 1],
  ["millisecond", 1],
  ["ms", 1],
  ["seconds", 1_000],
  ["second", 1_000],
  ["s", 1_000],
  ["minutes", 60_000],
  ["minute", 60_000],
  ["min", 60_000],
  ["m", 60_000],
  ["hours", 3_600_000],
  ["hour", 3_600_000],
  ["h", 3_600_000],
  ["days", 86_400_000],
  ["day", 86_400_000],
  ["d", 86_400_000]
])

/** Units of size, in bytes: `KiB` counts by 1,024 and `kB` by 1,000. */
export const sizeUnits: Units = new Map([
  ["B", 1],
  ["KiB", 1_024],
  ["MiB", 1_048_576],
  ["GiB", 1_073_741_824],
  ["TiB", 1_099_511_627_776],
  ["kB", 1_000],
  ["MB", 1_000_000],
  ["GB", 1_000_000_000],
  ["TB", 1_000_000_000_000]
])

/** The binary units only, which is how sizes are printed. */
const printedSizeUnits: Units = new Map([...sizeUnits].filter(([unit]) => unit === "B" || unit.endsWith("iB")))

/** The pattern of a quantity in these units: a number, at most one space, a unit. */
export const pattern = (units: Units): RegExp =>
  new RegExp(`^[0-9]{1,15}(\\.[0-9]{1,9})? ?(${[...units.keys()].join("|")})$`, "u")

/** Reads a quantity. `undefined` when the text is not one, or not a whole number of the smallest unit. */
export const parse = (text: string, units: Units): number | undefined => {
  if (!pattern(units).test(text)) return undefined
  const unitAt = text.search(/[A-Za-z]/)
  const value = Number(text.slice(0, unitAt)) * units.get(text.slice(unitAt))!
  return Number.isSafeInteger(value) ? value : undefined
}

/** Writes a quantity in the largest unit that holds it as a whole number. */
const format = (value: number, units: Units): string => {
  let unit = ""
  let worth = 0
  for (const [name, candidate] of units) {
    if (candidate > worth && value % candidate === 0 && (value >= candidate || worth === 0)) {
      unit = name
      worth = candidate
    }
  }
  return `${value / worth} ${unit}`
}

/** Writes a number of milliseconds as `parse` reads it: `90000` is `90 seconds`. */
export const formatDuration = (milliseconds: number): string => {
  if (milliseconds === 0) return "0 seconds"
  const text = format(milliseconds, durationUnits)
  return text.startsWith("1 ") ? text.slice(0, -1) : text
}

/** Writes a number of bytes as `parse` reads it: `1048576` is `1 MiB`. */
export const formatSize = (bytes: number): string => format(bytes, printedSizeUnits)
