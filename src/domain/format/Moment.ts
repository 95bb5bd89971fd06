/** A point in time as a wall clock somewhere shows it, and its conversions as of strftime in the C locale. */

export interface Moment {
  /** Milliseconds since 1970-01-01T00:00Z. */
  readonly epochMillis: number
  /** Nanoseconds within the second. */
  readonly nanos: number
  /** Minutes that the wall clock is ahead of UTC. */
  readonly offsetMinutes: number
  /** The time zone's name; it is only asked for when it is printed. */
  readonly zone: () => string
}

const days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
const months = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December"
]

const padded = (value: number, width: number, fill = "0"): string => String(value).padStart(width, fill)

const dayMillis = 86_400_000

/** The moment's wall clock, as the UTC fields of a Date. */
const wallClock = ({ epochMillis, offsetMinutes }: Moment): Date => new Date(epochMillis + offsetMinutes * 60_000)

/** Days since January 1st. */
const dayOfYear = (date: Date): number =>
  Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / dayMillis)

/** The year and the number of the week by ISO 8601: week 1 is the one with the year's first Thursday. */
const isoWeek = (date: Date): { readonly year: number; readonly week: number } => {
  const thursday = new Date(date.getTime() + (3 - ((date.getUTCDay() + 6) % 7)) * dayMillis)
  return { year: thursday.getUTCFullYear(), week: Math.floor(dayOfYear(thursday) / 7) + 1 }
}

const offset = ({ offsetMinutes }: Moment): string => {
  const minutes = Math.abs(offsetMinutes)
  return `${offsetMinutes < 0 ? "-" : "+"}${padded(Math.floor(minutes / 60), 2)}${padded(minutes % 60, 2)}`
}

const hour12 = (date: Date): number => date.getUTCHours() % 12 || 12

type Conversion = (date: Date, moment: Moment) => string

const join = (parts: string): Conversion => {
  return (date, moment) => parts.replaceAll(/%(.)/g, (_, letter: string) => conversions[letter]!(date, moment))
}

const conversions: { readonly [letter: string]: Conversion } = {
  "%": () => "%",
  a: (d) => days[d.getUTCDay()]!.slice(0, 3),
  A: (d) => days[d.getUTCDay()]!,
  b: (d) => months[d.getUTCMonth()]!.slice(0, 3),
  B: (d) => months[d.getUTCMonth()]!,
  c: join("%a %b %e %H:%M:%S %Y"),
  C: (d) => padded(Math.floor(d.getUTCFullYear() / 100), 2),
  d: (d) => padded(d.getUTCDate(), 2),
  D: join("%m/%d/%y"),
  e: (d) => padded(d.getUTCDate(), 2, " "),
  F: join("%Y-%m-%d"),
  g: (d) => padded(isoWeek(d).year % 100, 2),
  G: (d) => String(isoWeek(d).year),
  h: join("%b"),
  H: (d) => padded(d.getUTCHours(), 2),
  I: (d) => padded(hour12(d), 2),
  j: (d) => padded(dayOfYear(d) + 1, 3),
  k: (d) => padded(d.getUTCHours(), 2, " "),
  l: (d) => padded(hour12(d), 2, " "),
  m: (d) => padded(d.getUTCMonth() + 1, 2),
  M: (d) => padded(d.getUTCMinutes(), 2),
  n: () => "\n",
  N: (_, { nanos }) => padded(nanos, 9),
  p: (d) => (d.getUTCHours() < 12 ? "AM" : "PM"),
  P: (d) => (d.getUTCHours() < 12 ? "am" : "pm"),
  r: join("%I:%M:%S %p"),
  R: join("%H:%M"),
  s: (_, { epochMillis }) => String(Math.floor(epochMillis / 1000)),
  S: (d) => padded(d.getUTCSeconds(), 2),
  t: () => "\t",
  T: join("%H:%M:%S"),
  u: (d) => String(d.getUTCDay() || 7),
  U: (d) => padded(Math.floor((dayOfYear(d) + 7 - d.getUTCDay()) / 7), 2),
  V: (d) => padded(isoWeek(d).week, 2),
  w: (d) => String(d.getUTCDay()),
  W: (d) => padded(Math.floor((dayOfYear(d) + 7 - ((d.getUTCDay() + 6) % 7)) / 7), 2),
  x: join("%m/%d/%y"),
  X: join("%H:%M:%S"),
  y: (d) => padded(d.getUTCFullYear() % 100, 2),
  Y: (d) => String(d.getUTCFullYear()),
  z: (_, moment) => offset(moment),
  Z: (_, { zone }) => zone()
}

/** One conversion of strftime, and `N` for the nanoseconds; an unknown one is given back with its `%`. */
export const converted = (letter: string, moment: Moment): string => {
  const conversion = Object.hasOwn(conversions, letter) ? conversions[letter] : undefined
  return conversion === undefined ? `%${letter}` : conversion(wallClock(moment), moment)
}

const iso = join("%FT%T%z")

/** `2026-11-23T19:09:18+0000`. */
export const isoTime = (moment: Moment): string => iso(wallClock(moment), moment)

/** `2026-11-23T19:09:18.020692Z+0000`, as mosquitto_sub has it in its JSON. */
export const isoMicroseconds = (moment: Moment): string =>
  `${join("%FT%T")(wallClock(moment), moment)}.${padded(Math.floor(moment.nanos / 1000), 6)}Z${offset(moment)}`

/** Seconds since 1970 with nine decimals. */
export const unixTime = (moment: Moment): string =>
  `${Math.floor(moment.epochMillis / 1000)}.${padded(moment.nanos, 9)}`
