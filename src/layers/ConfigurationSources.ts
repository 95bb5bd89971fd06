/**
 * Gathers the configuration from where people put it: one file, environment variables, flags; each wins over those
 * before it.
 */
import { Effect, Layer, Result } from "effect"
import * as Yaml from "effect/encoding/Yaml"
import * as fs from "node:fs"
import * as os from "node:os"
import * as Environment from "../domain/config/Environment.ts"
import * as Flags from "../domain/config/Flags.ts"
import { ConfigError, type Problem, type Resolved, type Source, resolve } from "../domain/config/Provenance.ts"
import { Configuration } from "../services/Configuration.ts"
import { meaningOf } from "./SystemError.ts"

/** Where to look. */
export interface Sources {
  /** The configuration file; without one it is what `MQTTZOO_CONFIG` names, if anything. */
  readonly file: string | undefined
  /** What `--set` was given, each `key=value`. */
  readonly settings: ReadonlyArray<string>
  /** The flags that have a name of their own. */
  readonly flags: Flags.FlagValues
  /** The environment variables, `process.env` as a rule. */
  readonly environment: Readonly<Record<string, string | undefined>>
}

const readText = (file: string): Result.Result<string, string> =>
  Result.try({ try: () => fs.readFileSync(file, "utf8"), catch: meaningOf })

/** JSON where the name says so, else YAML, of which JSON is a part. */
const readDocument = (file: string): Result.Result<Source, Problem> => {
  const name = `file ${file}`
  const text = readText(file)
  if (Result.isFailure(text))
    return Result.fail({ source: name, key: "", complaint: `cannot be read: ${text.failure}` })
  const [format, parse] = file.endsWith(".json") ? (["JSON", JSON.parse] as const) : (["YAML", Yaml.parse] as const)
  return Result.try({
    try: () => ({ kind: "document", name, content: parse(text.success) }),
    catch: (cause) => ({ source: name, key: "", complaint: `is not valid ${format}: ${meaningOf(cause)}` })
  })
}

const readVariable = (variable: Environment.Variable): Result.Result<Source, Problem> => {
  if (variable.kind === "value") return Result.succeed(Environment.sourceOf(variable, variable.value))
  const { source, file } = variable
  return Result.mapBoth(readText(file), {
    onSuccess: (text) => Environment.sourceOf(variable, text),
    onFailure: (reason) => ({ source, key: "", complaint: `names ${file}, which cannot be read: ${reason}` })
  })
}

/** Reads all sources and merges them; fails with everything that is wrong in any of them. */
export const load = (from: Sources): Effect.Effect<Resolved, ConfigError> =>
  Effect.suspend(() => {
    const file = from.file ?? from.environment[Environment.fileVariable]
    const environment = Environment.variables(from.environment)
    const flags = Flags.sources(from.settings, from.flags)
    const read = [...(file === undefined ? [] : [readDocument(file)]), ...environment.variables.map(readVariable)]
    const problems = [
      ...read.flatMap((one) => (Result.isFailure(one) ? [one.failure] : [])),
      ...environment.problems,
      ...flags.problems
    ]
    const sources = [...read.flatMap((one) => (Result.isSuccess(one) ? [one.success] : [])), ...flags.sources]
    const resolved = resolve(sources, { id: os.hostname() })
    if (problems.length === 0) return Effect.fromResult(resolved)
    const more = Result.isFailure(resolved) ? resolved.failure.problems : []
    return Effect.fail(new ConfigError({ problems: [...problems, ...more] }))
  })

/** The configuration of a broker that was started from the command line. */
export const layer = (from: Sources): Layer.Layer<Configuration, ConfigError> => Layer.effect(Configuration, load(from))
