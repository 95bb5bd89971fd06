/**
 * Reads the configuration out of the command line: the flags that have a name of their own, and `--set key=value`
 * for every other key.
 */
import type { Problem, Source } from "./Provenance.ts"

/** The key that each named flag sets. */
export const keyOfFlag = {
  id: "id",
  host: "listeners.tcp.host",
  port: "listeners.tcp.port",
  data: "data.directory",
  zookeeper: "zookeeper.connect",
  "zookeeper-session-timeout": "zookeeper.sessionTimeout",
  "log-level": "log.level",
  "log-format": "log.format"
} as const

/** The values of the named flags that were given. */
export type FlagValues = Readonly<Partial<Record<keyof typeof keyOfFlag, string>>>

/** The sources that the flags are. A named flag wins over `--set`, and a later `--set` over an earlier one. */
export const sources = (
  settings: ReadonlyArray<string>,
  values: FlagValues
): { readonly sources: ReadonlyArray<Source>; readonly problems: ReadonlyArray<Problem> } => {
  const sources: Array<Source> = []
  const problems: Array<Problem> = []
  for (const setting of settings) {
    const equals = setting.indexOf("=")
    if (equals < 1) {
      problems.push({
        source: "flag --set",
        key: "",
        complaint: `${JSON.stringify(setting)} is not of the form key=value`
      })
      continue
    }
    const [key, value] = [setting.slice(0, equals), setting.slice(equals + 1)]
    sources.push({ kind: "text", name: "flag --set", key, value, secret: false })
  }
  for (const [flag, key] of Object.entries(keyOfFlag)) {
    const value = values[flag as keyof typeof keyOfFlag]
    if (value !== undefined) sources.push({ kind: "text", name: `flag --${flag}`, key, value, secret: false })
  }
  return { sources, problems }
}
