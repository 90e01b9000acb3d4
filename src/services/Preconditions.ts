import { Context, Effect } from "effect"

/** One fact about a server that our promises rest on and that its operator provides. */
export interface Finding {
  readonly what: string
  /** `bad`: a promise cannot be kept, so nothing is taken. `note`: it may be broken when something else goes wrong too. */
  readonly state: "ok" | "note" | "bad"
  readonly says: string
  /** What the operator should do; "" when nothing. */
  readonly advice: string
}

export const ok = (what: string, says: string): Finding => ({ what, state: "ok", says, advice: "" })
export const note = (what: string, says: string, advice: string): Finding => ({ what, state: "note", says, advice })
export const bad = (what: string, says: string, advice: string): Finding => ({ what, state: "bad", says, advice })

/**
 * Facts about Redis and PostgreSQL. A server that does not answer or does not tell is left out. In tests without servers there
 * are none.
 */
export const Preconditions = Context.Reference<{ readonly look: Effect.Effect<ReadonlyArray<Finding>> }>(
  "model-generator/services/Preconditions",
  { defaultValue: () => ({ look: Effect.succeed([]) }) }
)
