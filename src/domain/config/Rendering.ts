/**
 * The configuration for readers: with the origin of each value, as a JSON Schema, and as a page of documentation.
 */
import { Schema } from "effect"
import { Config } from "./Config.ts"
import * as Key from "./Key.ts"
import { hidden, type Origin } from "./Provenance.ts"

/** A word that YAML would read as something else than itself, or that needs quotes. */
const scalar = (value: unknown): string =>
  typeof value === "string" &&
  /^[A-Za-z0-9./_][A-Za-z0-9 ./_-]*$/.test(value) &&
  !/^[0-9._-]+$|^(true|false|null)$/i.test(value)
    ? value
    : JSON.stringify(value)

/** All values as a YAML file, each with its origin as a comment. */
export const originsAsYaml = (origins: ReadonlyArray<Origin>): string => {
  const lines: Array<{ readonly text: string; readonly source: string }> = []
  let open: ReadonlyArray<string> = []
  for (const { key, value, source, secret } of origins) {
    const path = key.split(".")
    const group = path.slice(0, -1)
    const shared = group.findIndex((level, at) => open[at] !== level)
    for (let at = shared === -1 ? group.length : shared; at < group.length; at++) {
      lines.push({ text: `${"  ".repeat(at)}${group[at]}:`, source: "" })
    }
    open = group
    lines.push({ text: `${"  ".repeat(group.length)}${path.at(-1)}: ${scalar(secret ? hidden : value)}`, source })
  }
  const width = Math.max(...lines.map(({ text, source }) => (source === "" ? 0 : text.length)))
  return lines.map(({ text, source }) => (source === "" ? text : `${text.padEnd(width)}  # ${source}`)).join("\n")
}

/** All values as a JSON list of `{ key, value, source }`. */
export const originsAsJson = (origins: ReadonlyArray<Origin>): string =>
  JSON.stringify(
    origins.map(({ key, value, source, secret }) => ({ key, value: secret ? hidden : value, source })),
    null,
    2
  )

/** No key has to be given: each has a default. */
const withoutRequired = (schema: unknown): unknown => {
  if (Array.isArray(schema)) return schema.map(withoutRequired)
  if (typeof schema !== "object" || schema === null) return schema
  return Object.fromEntries(
    Object.entries(schema)
      .filter(([name]) => name !== "required")
      .map(([name, value]) => [name, withoutRequired(value)])
  )
}

/** The JSON Schema (draft 2020-12) of a configuration file. */
export const jsonSchema = (): unknown => {
  const document = Schema.toJsonSchemaDocument(Config, { onExcessProperty: "error" })
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "MQTTZoo configuration",
    ...(withoutRequired(document.schema) as object),
    ...(Object.keys(document.definitions).length === 0 ? {} : { $defs: withoutRequired(document.definitions) })
  }
}

/** The documentation of every key, as a page in Markdown. */
export const page = (): string => {
  const entries = Key.keys.map((key) => {
    const { description, default: fallback, allowed } = key.documentation
    return [
      `### \`${key.name}\``,
      "",
      description,
      "",
      `- Default: ${fallback === undefined ? "the host's name" : `\`${fallback}\``}`,
      `- Allowed: ${allowed}`,
      `- Variable: \`${Key.variableOf(key)}\``
    ].join("\n")
  })
  return [introduction, ...entries].join("\n\n") + "\n"
}

const introduction = `# Configuration

<!-- Generated from src/domain/config/Config.ts: \`npx vitest run test/domain/config/Rendering.test.ts -u\` -->

A broker reads its configuration from four places; each wins over those before it:

1. the defaults below;
2. one file, YAML or JSON, named by \`--config\` or by the variable \`MQTTZOO_CONFIG\`;
3. environment variables: \`MQTTZOO_\`, then the levels of the key joined by two underscores, then the words of a level
   by one. With \`_FILE\` behind the name, the value is read from the file that the variable names, and is never shown:
   \`MQTTZOO_ID_FILE=/run/secrets/id\`;
4. flags: \`--host\`, \`--port\`, \`--data\`, \`--id\`, \`--zookeeper\`, \`--zookeeper-session-timeout\`, \`--log-level\`,
   \`--log-format\`, and \`--set key=value\` for every key.

An unknown key, an unknown variable that begins with \`MQTTZOO_\`, or a value that is not allowed is an error: the broker
does not start, says what is wrong in a line for each problem, and exits with 1. \`mqttzoo config check\` says the same
without starting one, \`mqttzoo config show\` prints every value and where it came from, and \`mqttzoo config schema\` the
JSON Schema for editors.

\`\`\`yaml
listeners:
  tcp:
    port: 1883
limits:
  maximumPacketSize: 2 MiB
  connectTimeout: 5 seconds
\`\`\`

A duration is a number with its unit: \`500 ms\`, \`10 seconds\` (\`10 s\`), \`5 minutes\` (\`5 min\`), \`1 hour\`, \`7 days\`.
A size is a number of bytes, or a number with its unit: \`64 KiB\` is 65,536 bytes, \`64 kB\` 64,000.

## Keys`
