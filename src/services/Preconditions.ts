import { Context, Effect } from "effect"

/** One thing that the promises rest on and that is somebody else's to provide. */
export interface Finding {
  readonly what: string
  /** `bad`: a promise cannot be kept, so nothing is taken. `note`: it may be broken when something else goes wrong too. */
  readonly state: "ok" | "note" | "bad"
  readonly says: string
  /** What to do; "" when nothing needs doing. */
  readonly advice: string
}

export const ok = (what: string, says: string): Finding => ({ what, state: "ok", says, advice: "" })
export const note = (what: string, says: string, advice: string): Finding => ({ what, state: "note", says, advice })
export const bad = (what: string, says: string, advice: string): Finding => ({ what, state: "bad", says, advice })

/**
 * What Redis and PostgreSQL are like, as far as they tell: who does not answer or tells nothing is not in it. In a world without
 * them there is nothing to look at.
 */
export const Preconditions = Context.Reference<{ readonly look: Effect.Effect<ReadonlyArray<Finding>> }>(
  "model-generator/services/Preconditions",
  { defaultValue: () => ({ look: Effect.succeed([]) }) }
)
