/**
 * The version of MQTTZoo, as package.json has it.
 */
import manifest from "../../package.json" with { type: "json" }

/** The version, by semantic versioning. */
export const version: string = manifest.version
