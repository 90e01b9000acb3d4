/** An empty database as a layer, made anew for each build: PGlite in memory, or PostgreSQL through PgBouncer. */
import { ConfigProvider, Effect, Layer } from "effect"
import * as PostgresPg from "../../src/layers/postgres/PostgresPg.ts"
import * as PostgresPglite from "../../src/layers/postgres/PostgresPglite.ts"
import { freshDatabase, type Resources } from "../servers/index.ts"

/** The layer a worker uses, with `url` for its `DATABASE_URL`. */
export const connected = (url: string, settings: { readonly DATABASE_POOL?: string } = {}) =>
  PostgresPg.layer.pipe(Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({ DATABASE_URL: url, ...settings }))))

export const pooled = (postgres: Resources["postgres"]) =>
  Layer.unwrap(Effect.map(freshDatabase(postgres), ({ url }) => connected(url)))

export const embedded = PostgresPglite.layer()
