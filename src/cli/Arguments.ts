/**
 * Arguments as people write them for mosquitto_pub and mosquitto_sub, made into what the parser of the command line takes:
 * `-p1883`, `-vt topic`, values that begin with a dash, and properties, which are several words.
 */
import { valueWords } from "../domain/client/PropertyArgument.ts"

/** The flags of a command: the long name of each letter, and the long names that take a value and that take none. */
export interface FlagNames {
  readonly letters: Readonly<Record<string, string>>
  readonly values: ReadonlyArray<string>
  readonly switches: ReadonlyArray<string>
}

/** What joins the words of a property: no argument can contain it. */
export const wordSeparator = "\0"

/** Every flag by its long name, with its value after `=`. What is not understood stays as it is. */
export const normalized = (
  args: ReadonlyArray<string>,
  { letters, values, switches }: FlagNames
): ReadonlyArray<string> => {
  const normal: Array<string> = []
  let at = 0
  const withValue = (raw: string, name: string, attached: string | undefined): void => {
    const words = attached === undefined ? [] : [attached]
    if (attached === undefined && at < args.length) words.push(args[at++]!)
    if (name === "property" && words.length > 0) {
      if (at < args.length) words.push(args[at++]!)
      const count = valueWords(words[1] ?? "")
      for (let i = 0; i < count && at < args.length; i++) words.push(args[at++]!)
    }
    normal.push(words.length === 0 ? raw : `--${name}=${words.join(wordSeparator)}`)
  }
  const long = (arg: string): void => {
    const equals = arg.indexOf("=")
    const name = arg.slice(2, equals < 0 ? undefined : equals)
    if (values.includes(name)) withValue(arg, name, equals < 0 ? undefined : arg.slice(equals + 1))
    else normal.push(arg)
  }
  const short = (arg: string): void => {
    for (let i = 1; i < arg.length; i++) {
      const letter = arg[i]!
      const name = Object.hasOwn(letters, letter) ? letters[letter] : undefined
      if (name === undefined) {
        normal.push(`-${letter}`)
      } else if (switches.includes(name)) {
        normal.push(`--${name}`)
      } else {
        const rest = arg.slice(i + 1)
        withValue(arg, name, rest === "" ? undefined : rest.replace(/^=/, ""))
        return
      }
    }
  }
  while (at < args.length) {
    const arg = args[at++]!
    if (arg === "--") return [...normal, arg, ...args.slice(at)]
    if (arg.startsWith("--")) long(arg)
    else if (arg.startsWith("-") && arg.length > 1) short(arg)
    else normal.push(arg)
  }
  return normal
}
