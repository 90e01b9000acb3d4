import { Result } from "effect"
import {
  AcceptedWithoutId,
  AccountProblem,
  Busy,
  Cancelled,
  type GeneratorError,
  JobFailed,
  type Picture,
  type Progress,
  Refused,
  type SaidEnded,
  type Ticket,
  Uncertain,
  Unknown,
  Unreachable,
  Unreadable
} from "../../services/Generator.ts"
import * as Body from "./BoundedBody.ts"
import type { Answered, Exchange } from "./exchange.ts"
import { outputOf } from "./output.ts"
import { retryAfterOf } from "./retryAfter.ts"

/** The meaning of one exchange with fal. docs/fal.md lists every case. */
export type Verdict<A> = Result.Result<A, GeneratorError["reason"]>

const fail = Result.fail<GeneratorError["reason"]>
const isOk = (answer: Answered) => answer.status >= 200 && answer.status < 300

const billed = (answer: Answered): number | undefined => {
  const units = Body.numberOf(answer.header("x-fal-billable-units"))
  return units !== undefined && units >= 0 ? units : undefined
}

// 402 is in no table of fal's; no task should fail for an unpaid bill. 407 is a proxy's.
const isAccount = (status: number) => status === 401 || status === 402 || status === 403 || status === 407
/**
 * fal gives a locked account and a model that the key may not use the same 403, and tells them apart by its words alone. Read
 * wrongly, they cost time and no money: a whole account is taken for refused, or its endpoints are one after the other.
 */
const isLocked = (words: string) => /^user is locked/i.test(words)
const account = (endpoint: string, { status }: Answered, words: string) =>
  new AccountProblem({
    status,
    detail: words,
    scope: isAccount(status) && (status !== 403 || isLocked(words)) ? "account" : "endpoint",
    endpoint
  })

/** These say that nothing was done at this address and will not be; 303 would say that something was. */
const isElsewhere = (status: number) => status === 301 || status === 307 || status === 308
const moved = (endpoint: string, answer: Answered) =>
  new AccountProblem({
    status: answer.status,
    detail: `redirected to ${URL.parse(answer.header("location") ?? "")?.origin ?? "another address"}: FAL_BASE_URL must be the address itself`,
    scope: "account",
    endpoint
  })

/** No task waits longer than this because fal asked it to (seconds). */
const LONGEST_WAIT = 3600
/** Between two looks less: fal keeps some results for six minutes. */
const LONGEST_PAUSE = 120
const waiting = (answer: Answered, longest: number) => {
  const retryAfter = retryAfterOf(answer)
  return retryAfter === undefined ? {} : { retryAfter: Math.min(retryAfter, longest) }
}

/**
 * The answer to a POST. Any 2xx is an acceptance, even if the body broke off. Of the others, all but a clear refusal may have
 * been accepted and billed.
 */
export const submitted = (exchange: Exchange, endpoint: string, base?: string): Verdict<Ticket> => {
  if (exchange._tag === "NotSent") return fail(new Unreachable({ detail: exchange.detail }))
  const answer = exchange._tag === "Lost" ? exchange.begun : exchange
  if (answer !== undefined && isOk(answer)) {
    const requestId = Body.requestIdOf(answer)
    const paths = Body.pathsOf(answer, base)
    return requestId === undefined
      ? fail(new AcceptedWithoutId({ detail: `HTTP ${answer.status} without a request id (${Body.shapeOf(answer)})` }))
      : Result.succeed({ endpoint, requestId, ...(paths === undefined ? {} : { paths }) })
  }
  if (exchange._tag === "Lost") return fail(new Uncertain({ detail: exchange.detail }))
  const { status } = exchange
  const { words } = Body.said(exchange)
  if (status === 429) return fail(new Busy({ detail: words, ...waiting(exchange, LONGEST_WAIT) }))
  if (isAccount(status) || status === 404 || status === 405 || status === 410) return fail(account(endpoint, exchange, words))
  if (isElsewhere(status)) return fail(moved(endpoint, exchange))
  if (status === 502 || status === 503) return fail(new Uncertain({ detail: words, answered: status }))
  if (status < 400 || status >= 500 || status === 408) return fail(new Uncertain({ detail: words }))
  return fail(new Refused({ status, detail: words, billableUnits: billed(exchange) ?? 0 }))
}

const cancelledTypes = new Set(["client_cancelled", "client_disconnected"])
/** fal reports these in a list of problems, like errors of the input, and the docs give them statuses from 400 to 504. */
const ownFaults = new Set([
  "internal_server_error",
  "generation_timeout",
  "downstream_service_error",
  "downstream_service_unavailable"
])
/** The platform's, which it tells in one sentence. */
const isPlatforms = (type: string) => /^(runner_|request_timeout$|startup_timeout$|internal_error$)/.test(type)
const yes = new Set(["1", "true", "yes"])
const worthRepeating = (answer: Answered) =>
  yes.has((answer.header("x-fal-needs-retry") ?? answer.header("x-fal-retryable") ?? "").toLowerCase())

/**
 * Whether an error answer is how the job ended, or a failure on the way to fal with the same status: only the former has this
 * header.
 */
const isOfTheJob = (answer: Answered, { listed, type }: Body.Said) =>
  answer.header("x-fal-request-id") !== undefined && (listed || type !== "")

/** Why a GET did not give what it should. `undefined` when the answer tells of the job itself. */
const unreadable = (answer: Answered, said: Body.Said, endpoint: string): GeneratorError["reason"] | undefined => {
  const { status } = answer
  // A list of problems comes from the model, under whatever status its author chose: 403 and 404 are then no answer of the platform's.
  if (said.listed && isOfTheJob(answer, said)) return undefined
  if (isAccount(status)) return account(endpoint, answer, said.words)
  if (status === 404 && Body.isOfFal(answer)) return new Unknown({ detail: said.words })
  if (isOfTheJob(answer, said) || status === 499 || status === 422) return undefined
  // Read too early is a 400 with a sentence and no type.
  if (status < 400 || status >= 500 || status === 400 || status === 408 || status === 429 || !Body.isOfFal(answer))
    return new Unreachable({ detail: said.words, ...waiting(answer, LONGEST_PAUSE) })
  return undefined
}

const ended = (inferenceSeconds: number | null, failure?: GeneratorError["reason"]): Progress => ({
  _tag: "Ended",
  inferenceSeconds,
  ...(failure === undefined ? {} : { failure })
})

export const progress = (exchange: Exchange, endpoint: string): Verdict<Progress> => {
  if (exchange._tag !== "Answered") return fail(new Unreachable({ detail: exchange.detail }))
  const said = Body.said(exchange)
  if (!isOk(exchange)) {
    const reason = unreadable(exchange, said, endpoint)
    if (reason !== undefined) return fail(reason)
    // Whether the status itself may answer with the job's failure is not documented; the result will tell.
    return Result.succeed(ended(null))
  }
  if (!Body.isOfFal(exchange)) return fail(new Unreachable({ detail: "the status cannot be read" }))
  const { queue_position } = Body.fieldsOf(exchange) ?? {}
  switch (said.status) {
    case "IN_QUEUE":
      return Result.succeed({ _tag: "Queued", position: Body.numberOf(queue_position) ?? null })
    case "IN_PROGRESS":
      return Result.succeed({ _tag: "Running" })
    default: {
      // A status that we do not know: fal answers 202 while a request runs. If we take it for ended too early, its result says
      // so.
      if (said.status !== "COMPLETED" && exchange.status === 202) return Result.succeed({ _tag: "Running" })
      return Result.succeed(ended(inferenceOf(exchange), said.type === "" ? undefined : jobEnded(exchange, said)))
    }
  }
}

const inferenceOf = (answer: Answered): number | null => {
  const { metrics } = Body.fieldsOf(answer) ?? {}
  const seconds = Body.numberOf(Body.isFields(metrics) ? metrics["inference_time"] : undefined)
  return seconds !== undefined && seconds >= 0 ? seconds : null
}

/** Whether an event of a status stream says that the request has ended. Any other, and what cannot be read, says nothing. */
export const told = (event: Answered): SaidEnded | undefined =>
  Body.said(event).status === "COMPLETED" ? { inferenceSeconds: inferenceOf(event) } : undefined

/** Why a job ended without a picture. */
const jobEnded = (answer: Answered, said: Body.Said): GeneratorError["reason"] => {
  const { status } = answer
  const units = billed(answer)
  if (status === 499 || cancelledTypes.has(said.type)) return new Cancelled({ detail: said.words })
  // A 4xx that fal itself calls worth repeating costs nothing only if fal says so.
  const repeat = ownFaults.has(said.type) || isPlatforms(said.type) || (worthRepeating(answer) && units === 0)
  if (status >= 500 || repeat || status === 429) return new JobFailed({ status, type: said.type, detail: said.words })
  return new Refused({ status, detail: said.words, billableUnits: units ?? 0 })
}

export const result = (exchange: Exchange, endpoint: string): Verdict<Picture> => {
  if (exchange._tag !== "Answered") return fail(new Unreachable({ detail: exchange.detail }))
  const said = Body.said(exchange)
  if (!isOk(exchange)) {
    const reason = unreadable(exchange, said, endpoint) ?? jobEnded(exchange, said)
    const untold = exchange.status === 400 || exchange.status >= 500
    const signed = exchange.header("x-fal-request-id") !== undefined && Body.isOfFal(exchange)
    return fail(reason._tag === "Unreachable" && untold && signed ? new Unreachable({ ...reason, ofTheJob: true }) : reason)
  }
  const output = outputOf(Body.valueOf(exchange))
  const billableUnits = billed(exchange) ?? null
  if (output?.image !== undefined) {
    const { flagged, image, seed } = output
    return Result.succeed({ ...image, seed, flagged, billableUnits })
  }
  if (exchange.status === 202 || said.status === "IN_QUEUE" || said.status === "IN_PROGRESS")
    return fail(new Unreachable({ detail: "the request is still in progress" }))
  // A success is billed, so asking again would be paying again.
  if (output !== undefined) {
    return fail(
      new Refused({ status: exchange.status, detail: "fal ended without a picture", billableUnits: billableUnits ?? 1 })
    )
  }
  // A failure under the status of a success: not billed only if fal says so.
  if (isOfTheJob(exchange, said)) {
    const reason = jobEnded(exchange, said)
    return fail(
      billableUnits === 0 || reason._tag === "Cancelled"
        ? reason
        : new Refused({ status: exchange.status, detail: said.words, billableUnits: billableUnits ?? 1 })
    )
  }
  if (!Body.isOfFal(exchange)) return fail(new Unreachable({ detail: "the result cannot be read" }))
  return fail(new Unreadable({ detail: Body.shapeOf(exchange), billableUnits }))
}

export const cancelled = (exchange: Exchange, endpoint: string): Verdict<"asked" | "ended" | "unknown"> => {
  if (exchange._tag !== "Answered") return fail(new Unreachable({ detail: exchange.detail }))
  const said = Body.said(exchange)
  if (said.status === "ALREADY_COMPLETED") return Result.succeed("ended")
  if (said.status === "NOT_FOUND" || (exchange.status === 404 && Body.isOfFal(exchange))) return Result.succeed("unknown")
  if (isOk(exchange)) return Result.succeed("asked")
  const reason = unreadable(exchange, said, endpoint)
  return fail(reason ?? new Refused({ status: exchange.status, detail: said.words, billableUnits: 0 }))
}

/** The status of a request id that does not exist: fal is up and accepts our key when it answers that it does not know the id. */
export const probed = (exchange: Exchange, endpoint: string): Verdict<void> => {
  if (exchange._tag !== "Answered") return fail(new Unreachable({ detail: exchange.detail }))
  const { words } = Body.said(exchange)
  // The key is refused even what costs nothing: that is the account's.
  if (isAccount(exchange.status))
    return fail(new AccountProblem({ status: exchange.status, detail: words, scope: "account", endpoint }))
  return Body.isOfFal(exchange) && (isOk(exchange) || exchange.status === 404)
    ? Result.void
    : fail(new Unreachable({ detail: words }))
}
