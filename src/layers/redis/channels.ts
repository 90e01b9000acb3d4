import { Effect, Redacted } from "effect"
import * as Settings from "../../services/Settings.ts"
import * as kombu from "../../wire/kombu.ts"
import type { Where } from "./where.ts"

/** Where kombu's fan-out speaks. Pub/sub is the server's, not the database's, so kombu puts the database in front. */
export const channelsOf = Effect.fnUntraced(function* (where: Where) {
  const settings = yield* Settings.of("BROKER_FANOUT_PREFIX", "BROKER_FANOUT_PATTERNS")
  const { db } = Redacted.value(where.address)
  const prefix = where.keyPrefix + settings.BROKER_FANOUT_PREFIX.replaceAll("{db}", String(db))
  return {
    control: `${prefix}${kombu.pidbox}`,
    events: (routingKey: string) => `${prefix}celeryev${settings.BROKER_FANOUT_PATTERNS ? `/${routingKey}` : ""}`
  }
})
