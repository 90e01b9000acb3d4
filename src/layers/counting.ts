import { Effect, Option } from "effect"
import { Metrics } from "../services/Metrics.ts"

/** Counts for who shows metrics. Commands use the same layers and show none, so nobody needs to be there. */
export const counting: Effect.Effect<Metrics["Service"]["count"]> = Effect.map(
  Effect.serviceOption(Metrics),
  Option.match({ onNone: () => () => Effect.void, onSome: ({ count }) => count })
)
