import { Schema } from "effect"

/** The broker could not do it. The same call may work later; nothing is half done. */
export class QueueError extends Schema.TaggedError<QueueError>()("QueueError", {
  operation: Schema.String,
  cause: Schema.Defect()
}) {}
