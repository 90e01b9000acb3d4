import { Schema } from "effect"
import { COST_SOURCES } from "../../../services/Catalogue.ts"

/** What the tasks give, for the compiler and for the clients' contract: nothing is decoded with these at run time. */

const Value = Schema.NullOr(Schema.String)
/** Of `generate_model` and `edit_model`. */
export const Picture = Schema.Struct({
  status: Schema.Literals(["completed"]),
  /** Null where the picture was not to be saved. */
  id: Value,
  template_id: Schema.String,
  /** Null where the picture was not saved and none was asked for. */
  version: Schema.NullOr(Schema.Int),
  image_url: Schema.String,
  thumbnail_url: Value,
  gender: Value,
  age_range: Value,
  body_type: Value,
  pose: Value,
  style: Value,
  prompt: Value,
  seed: Schema.NullOr(Schema.Int),
  /** Null where fal did not say. */
  width: Schema.NullOr(Schema.Int),
  height: Schema.NullOr(Schema.Int),
  fal_request_id: Schema.String,
  processing_time_ms: Schema.NullOr(Schema.Int),
  saved: Schema.Boolean,
  /** By fal's list price; absent for a model without one. */
  cost_usd: Schema.optionalKey(Schema.Finite),
  cost_source: Schema.optionalKey(Schema.Literals(COST_SOURCES)),
  /** The version asked for was taken meanwhile. */
  note: Schema.optionalKey(Schema.String)
})

export const Batch = Schema.Struct({
  group_id: Schema.String,
  task_ids: Schema.Array(Schema.String),
  count: Schema.Int,
  templates: Schema.Array(Schema.String)
})

const Check = Schema.Struct({ ok: Schema.Boolean, latency_ms: Schema.Finite, error: Schema.optionalKey(Schema.String) })
export const Health = Schema.Struct({
  status: Schema.Literals(["healthy", "degraded", "unhealthy"]),
  worker: Schema.String,
  version: Schema.String,
  /** Which tasks, arguments, results and failures this worker has: the clients compare it with theirs. */
  contract: Schema.String,
  uptime_s: Schema.Int,
  processed: Schema.Int,
  checks: Schema.Struct({ redis: Check, database: Check, fal: Check })
})
