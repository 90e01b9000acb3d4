import type { Schema } from "effect"

/** How a job ended: what the result answers from then on. */
export interface Ending {
  readonly status: number
  readonly body: Schema.JsonObject
  readonly headers: Readonly<Record<string, string>>
  readonly units: number
  /** "picture", "flagged" or the type of the error. */
  readonly outcome: string
  /** The fields that the status has beside `COMPLETED`. */
  readonly error?: { readonly error: string; readonly error_type: string }
  /** Nothing is left to be had as its result. */
  readonly forgotten?: boolean
}

const platform = {
  request_timeout: [504, "Request timed out"],
  startup_timeout: [504, "Runner startup timed out"],
  runner_scheduling_failure: [503, "No runner could be scheduled"],
  runner_connection_timeout: [503, "Connecting to the runner timed out"],
  runner_connection_refused: [503, "The runner refused the connection"],
  runner_connection_error: [503, "The connection to the runner failed"],
  runner_disconnected: [503, "Runner disconnected"],
  runner_incomplete_response: [502, "The runner's response was incomplete"],
  runner_server_error: [500, "The runner failed"],
  internal_error: [500, "Internal error"],
  client_cancelled: [499, "Request was cancelled by the client"],
  client_disconnected: [499, "Client disconnected"]
} as const
/** The toolkit's source sends 504 for the first four; the docs give 500, 504, 400 and 500 [?]. */
const model = {
  internal_server_error: [504, "Internal server error"],
  generation_timeout: [504, "The generation timed out"],
  downstream_service_error: [504, "A downstream service failed"],
  downstream_service_unavailable: [504, "A downstream service is unavailable"],
  content_policy_violation: [422, "The content could not be processed because it was flagged by a content checker"],
  no_media_generated: [422, "No media was generated"]
} as const

export const types = [...Object.keys(platform), ...Object.keys(model)]

export interface Problem {
  readonly loc: ReadonlyArray<string>
  readonly msg: string
  readonly type: string
  readonly input?: Schema.Json
}

/** A list of problems with the input, as FastAPI writes them; `input` echoes what was sent, as fal's does. */
export const invalid = (problems: ReadonlyArray<Problem>): Ending => ({
  status: 422,
  body: { detail: problems.map((problem) => ({ ...problem, url: `https://docs.fal.ai/errors#${problem.type}` })) },
  headers: {},
  units: 0,
  outcome: problems[0]?.type ?? "invalid"
})

/** [?] Whether a refusal after work on a runner is billed; here it is not. */
export const failed = (type: string): Ending => {
  const listed = Object.entries(model).find(([name]) => name === type)?.[1]
  if (listed !== undefined) {
    const [status, msg] = listed
    return { ...invalid([{ loc: ["body"], msg, type }]), status, headers: status === 504 ? { "x-fal-retryable": "false" } : {} }
  }
  const [status, detail] = Object.entries(platform).find(([name]) => name === type)?.[1] ?? [500, "Internal error"]
  return {
    status,
    body: { detail, error_type: type },
    headers: { "x-fal-error-type": type },
    units: 0,
    outcome: type,
    error: { error: detail, error_type: type }
  }
}

/** Only the status tells of it. */
export const forgotten = (type: string): Ending => ({
  ...failed(type),
  error: { error: "The request failed", error_type: type },
  forgotten: true
})

/** The deadline to start that the caller set has passed. */
export const notStartedInTime: Ending = {
  ...failed("request_timeout"),
  headers: { "x-fal-error-type": "request_timeout", "x-fal-request-timeout-type": "user" }
}
