import { Schema } from "effect"

/** `retryable`: the database is away or busy, and the same call may work later. */
export class LibraryError extends Schema.TaggedError<LibraryError>()("LibraryError", {
  operation: Schema.String,
  detail: Schema.String,
  retryable: Schema.Boolean
}) {
  override get message() {
    return `${this.operation}: ${this.detail}`
  }
}
