/**
 * Reads the broker's configuration out of environment variables: `MQTTZOO_LISTENERS__TCP__PORT=1883`, or, to keep a
 * secret out of the environment, `MQTTZOO_LISTENERS__TCP__PORT_FILE=/run/secrets/port` with the value in that file.
 */
import * as Key from "./Key.ts"
import type { Problem, Source } from "./Provenance.ts"

/** The variable that names the configuration file. */
export const fileVariable = `${Key.variablePrefix}CONFIG`

/** A variable that concerns us: it has a value, or it names the file that has it. */
export type Variable =
  | { readonly kind: "value"; readonly source: string; readonly key: string; readonly value: string }
  | { readonly kind: "file"; readonly source: string; readonly key: string; readonly file: string }

const suffix = "_FILE"

const withoutSuffix = (name: string): string | undefined =>
  name.toUpperCase().endsWith(suffix) ? name.slice(0, -suffix.length) : undefined

/** Finds the variables that concern us; every other one that begins with our prefix is a problem. */
export const variables = (
  environment: Readonly<Record<string, string | undefined>>
): { readonly variables: ReadonlyArray<Variable>; readonly problems: ReadonlyArray<Problem> } => {
  const found = new Map<string, Variable>()
  const problems: Array<Problem> = []
  for (const [name, value] of Object.entries(environment)) {
    if (value === undefined || !name.startsWith(Key.variablePrefix) || name === fileVariable) continue
    const source = `environment ${name}`
    const direct = Key.ofVariable(name)
    const base = withoutSuffix(name)
    const key = direct ?? (base === undefined ? undefined : Key.ofVariable(base))
    if (key === undefined) {
      const rest = (variable: string) => variable.slice(Key.variablePrefix.length)
      const meant = Key.nearest(rest(name), [fileVariable, ...Key.keys.map(Key.variableOf)].map(rest))
      const hint = meant === undefined ? "" : `; did you mean ${Key.variablePrefix}${meant}?`
      problems.push({ source, key: "", complaint: `is not a known variable${hint}` })
      continue
    }
    const other = found.get(key.name)
    if (other !== undefined) {
      problems.push({ source, key: key.name, complaint: `is also set by ${other.source}; set only one of them` })
      continue
    }
    found.set(
      key.name,
      direct === undefined
        ? { kind: "file", source, key: key.name, file: value }
        : { kind: "value", source, key: key.name, value }
    )
  }
  return { variables: [...found.values()], problems }
}

/** The source that a variable is, once its text is known; the newline that ends a file is not part of the value. */
export const sourceOf = (variable: Variable, text: string): Source => ({
  kind: "text",
  name: variable.source,
  key: variable.key,
  value: variable.kind === "file" ? text.replace(/\r?\n$/, "") : text,
  secret: variable.kind === "file"
})
