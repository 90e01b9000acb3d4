/**
 * What a caller should do about each failure, by the name of its exception. `same`: the same call may succeed as a new task.
 * `changed`: only with other arguments. Where the message has one of the words of `unless`, it is not worth trying again.
 */
interface Failure {
  readonly retry: "yes" | "changed" | "no"
  readonly unless?: ReadonlyArray<string>
  readonly says: string
}

/** The classes of the module `model_generator.errors`. */
export const ours: Readonly<Record<string, Failure>> = {
  ValidationError: { retry: "changed", says: "Arguments are wrong; the message names each. Nothing was paid." },
  VersionExists: { retry: "changed", says: "The version asked for exists. Nothing was paid." },
  ModelNotFound: { retry: "no", says: "The picture to edit is not in the library. Nothing was paid." },
  ContentRefused: { retry: "changed", says: "fal will not make this picture, in fal's own words." },
  PictureFlagged: { retry: "changed", says: "fal's safety checker flagged the picture. It is paid, never saved." },
  PictureUnusable: { retry: "changed", says: "fal's file is no picture, is not the one that was paid for, or was recalled." },
  MediaError: {
    retry: "yes",
    unless: ["not in the media store any more", "too large to be sent"],
    says: "The stored picture to edit is gone or too large, or fal's file stays out of reach."
  },
  GenerationError: {
    retry: "yes",
    unless: ["not asked again"],
    says: "fal made no picture: busy or broken for longer than the retries, or its reply was lost."
  },
  LibraryError: {
    retry: "yes",
    unless: ["(the picture is at "],
    says: "PostgreSQL refused the row or the question, after the retries."
  },
  InternalError: { retry: "no", says: "A defect of the worker: its log has the cause." }
}

/** Classes of Celery's own modules. */
export const stock: Readonly<Record<string, Failure>> = {
  NotRegistered: { retry: "no", says: "No task has this name." },
  NotImplementedError: { retry: "no", says: "celery.map, celery.chunks and the like." },
  ContentDisallowed: { retry: "no", says: "The message is not JSON." },
  DecodeError: { retry: "no", says: "The message cannot be read, or is too large." },
  SoftTimeLimitExceeded: { retry: "yes", says: "The task took longer than its soft limit; its request was cancelled." },
  TimeLimitExceeded: { retry: "yes", says: "The task took longer than its hard limit; its picture may be paid." },
  WorkerLostError: { retry: "no", says: "Three workers died while they ran this task alone." },
  TaskRevokedError: { retry: "no", says: "Somebody revoked the task, or it expired." }
}
