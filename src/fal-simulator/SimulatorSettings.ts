import { Schema } from "effect"

const Seconds = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))

/**
 * Settings that can be changed while the simulator runs. The latencies are inputs of whoever runs it, and never findings about
 * fal.
 */
export const Settings = Schema.Struct({
  /** Time on a runner. */
  pictureSeconds: Seconds,
  /** 0.2 spreads that time evenly over ±20 %. */
  variation: Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 })),
  /** Requests of the account that run at once, over all endpoints; the others wait in the queue. */
  concurrency: Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)),
  /** "Exhausted balance": every submit is answered with 403. */
  locked: Schema.Boolean,
  /** The key is not known any more: every call that asks for one is answered with 401. */
  keyRevoked: Schema.Boolean,
  /** Validates the input at submit, as fal does not. */
  strict: Schema.Boolean,
  /** [?] Whether a running request obeys a cancel. Obeyed or not, it is billed: fal's docs do not say that it is free. */
  cancelRunning: Schema.Literals(["stop", "finish"]),
  /** [?] The docs disagree on the status code of a request that waits or runs. */
  waitingStatus: Schema.Literals([200, 202]),
  resultSeconds: Seconds,
  /** For a result of 10 KB or more, or one that fal was told not to store. */
  shortResultSeconds: Seconds,
  /** [?] fal's default is a setting of the account. */
  mediaSeconds: Seconds,
  /** How late the billing event of a request comes. [?] Others have seen 77 s. */
  billingSeconds: Seconds,
  /** [?] The share of requests whose billing event never comes. */
  billingMissing: Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))
})
export interface Settings extends Schema.Schema.Type<typeof Settings> {}

export const defaults: Settings = {
  pictureSeconds: 2,
  variation: 0,
  concurrency: 2,
  locked: false,
  keyRevoked: false,
  strict: false,
  cancelRunning: "stop",
  waitingStatus: 202,
  resultSeconds: 3600,
  shortResultSeconds: 360,
  mediaSeconds: 7 * 86_400,
  billingSeconds: 0,
  billingMissing: 0
}

const { fields } = Settings
/** Some of the settings, as `PUT /_sim/settings` takes them. */
export const Change = Schema.Struct({
  pictureSeconds: Schema.optionalKey(fields.pictureSeconds),
  variation: Schema.optionalKey(fields.variation),
  concurrency: Schema.optionalKey(fields.concurrency),
  locked: Schema.optionalKey(fields.locked),
  keyRevoked: Schema.optionalKey(fields.keyRevoked),
  strict: Schema.optionalKey(fields.strict),
  cancelRunning: Schema.optionalKey(fields.cancelRunning),
  waitingStatus: Schema.optionalKey(fields.waitingStatus),
  resultSeconds: Schema.optionalKey(fields.resultSeconds),
  shortResultSeconds: Schema.optionalKey(fields.shortResultSeconds),
  mediaSeconds: Schema.optionalKey(fields.mediaSeconds),
  billingSeconds: Schema.optionalKey(fields.billingSeconds),
  billingMissing: Schema.optionalKey(fields.billingMissing)
})
export interface Change extends Schema.Schema.Type<typeof Change> {}
