import { Predicate } from "effect"

const messageOf = (value: unknown): string => {
  if (value instanceof AggregateError) return messageOf(value.errors[0]) // Node's, when a name has several addresses
  // Of a transaction that Redis refused: the reason is that of the command it refused.
  if (Predicate.hasProperty(value, "previousErrors") && Array.isArray(value.previousErrors) && value.previousErrors.length > 0)
    return messageOf(value.previousErrors[0])
  const message = Predicate.hasProperty(value, "message") && typeof value.message === "string" ? value.message : String(value)
  return message === "" && Predicate.hasProperty(value, "code") ? String(value.code) : message
}

const taken = (cause: unknown) => Predicate.hasProperty(cause, "code") && cause.code === "EADDRINUSE"

/** What to do where Redis fails. */
const lookAt = (setting: string, why: string) =>
  /^database \S+ is refused/.test(why)
    ? `look at the number at the end of ${setting}, at Redis's "databases" and at the rights of the user`
    : `is Redis up, and are ${setting} and REDIS_PASSWORD right?`

/** An expected error in one line for a person: what is wrong and what to do about it. */
export const explain = (error: unknown): string => {
  if (!Predicate.hasProperty(error, "_tag")) return messageOf(error)
  const cause = Predicate.hasProperty(error, "cause") ? error.cause : undefined
  const operation = Predicate.hasProperty(error, "operation") ? String(error.operation) : ""
  switch (error._tag) {
    case "QueueError":
    case "JournalError":
    case "FleetError":
      return `the queue cannot be reached (${operation}: ${messageOf(cause)}): ${lookAt("CELERY_BROKER_URL", messageOf(cause))}`
    case "ResultStoreError":
      return `the results cannot be reached (${operation}: ${messageOf(cause)}): ${lookAt("CELERY_RESULT_BACKEND", messageOf(cause))}`
    case "LibraryError":
      return `the database: ${messageOf(error)}`
    case "ServeError":
      return taken(cause)
        ? `the metrics port is taken (${messageOf(cause)}): another worker on this machine? Set METRICS_PORT to a free one`
        : `the metrics port cannot be opened (${messageOf(cause)}): look at METRICS_HOST and METRICS_PORT`
    case "SimulatorError":
      return taken(cause)
        ? `the port is taken (${messageOf(cause)}): choose another with --port, or 0 for any`
        : `the simulator cannot listen: ${messageOf(cause)}`
    case "ConfigError":
      return messageOf(error).split("\n")[0] ?? "a setting is wrong"
    default:
      return messageOf(error)
  }
}
