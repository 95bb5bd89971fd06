/**
 * The broker's configuration as a service: the values, and where each came from.
 */
import { Context, Effect, Layer } from "effect"
import type { Config } from "../domain/config/Config.ts"
import { type ConfigError, type Resolved, resolve } from "../domain/config/Provenance.ts"

/** A tree of which every part may be left out. */
type Partly<A> = A extends object ? { readonly [K in keyof A]?: Partly<A[K]> } : A

/** Settings as a file would have them, of which any may be left out: `{ listeners: { tcp: { port: 0 } } }`. */
export type Settings = Partly<typeof Config.Encoded>

/** The configuration that a broker runs with. */
export class Configuration extends Context.Service<Configuration, Resolved>()("mqttzoo/services/Configuration") {
  /** The configuration with these settings over the defaults: for tests, and for a broker inside another program. */
  static readonly layer = (settings: Settings): Layer.Layer<Configuration, ConfigError> =>
    Layer.effect(
      Configuration,
      Effect.suspend(() =>
        Effect.fromResult(resolve([{ kind: "document", name: "settings", content: settings }], { id: "mqttzoo" }))
      )
    )
}
