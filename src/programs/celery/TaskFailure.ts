import { Schema } from "effect"
import * as Text from "../../wire/Text.ts"

/** The longest text of a failure (characters): errors quote what they found, which may be as long as a message. */
const LONGEST = 8000

/** A task's end as a Python exception: what is stored is what the client raises. */
export class TaskFailure extends Schema.TaggedError<TaskFailure>()("TaskFailure", {
  type: Schema.String,
  messages: Schema.Array(Schema.Json),
  module: Schema.String
}) {
  override get message() {
    return Text.cut(`${this.type}: ${this.messages.join(", ")}`, LONGEST)
  }
}

const make =
  (module: string, type: string) =>
  (...messages: ReadonlyArray<Schema.Json>) =>
    new TaskFailure({ type, messages, module })

// The package in clients/python has this module. A client without it makes classes of these names up.
const ours = "model_generator.errors"
export const validationError = make(ours, "ValidationError")
export const generationError = make(ours, "GenerationError")
export const contentRefused = make(ours, "ContentRefused")
export const pictureFlagged = make(ours, "PictureFlagged")
export const versionExists = make(ours, "VersionExists")
export const modelNotFound = make(ours, "ModelNotFound")
export const libraryError = make(ours, "LibraryError")
export const mediaError = make(ours, "MediaError")
export const pictureUnusable = make(ours, "PictureUnusable")
export const internalError = make(ours, "InternalError")
export const notRegistered = make("celery.exceptions", "NotRegistered")
export const contentDisallowed = make("kombu.exceptions", "ContentDisallowed")
export const decodeError = make("kombu.exceptions", "DecodeError")
export const softTimeLimitExceeded = make("billiard.exceptions", "SoftTimeLimitExceeded")
export const timeLimitExceeded = make("billiard.exceptions", "TimeLimitExceeded")
export const workerLost = make("billiard.exceptions", "WorkerLostError")

/** Celery's words for an exception: the document's `result`, and Python's repr for events and logs. */
export const document = (failure: TaskFailure) => ({
  exc_type: failure.type,
  exc_message: failure.messages.map((message) => (typeof message === "string" ? Text.cut(message, LONGEST) : message)),
  exc_module: failure.module
})
