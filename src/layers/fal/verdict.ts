import { Option, Result } from "effect"
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
  Uncertain,
  Unknown,
  Unreachable
} from "../../services/Generator.ts"
import * as Body from "./Body.ts"
import type { Answered, Exchange } from "./exchange.ts"

/** What one exchange with fal amounts to, by fal's status and types and never by its wording. */
export type Verdict<A> = Result.Result<A, GeneratorError["reason"]>

const fail = Result.fail<GeneratorError["reason"]>
const isOk = (answer: Answered) => answer.status >= 200 && answer.status < 300

const billed = (answer: Answered): number | undefined => {
  const units = Number(answer.header("x-fal-billable-units") || Number.NaN)
  return Number.isFinite(units) && units >= 0 ? units : undefined
}

// 402 is in no table of fal's; no task should fail for an unpaid bill.
const isAccount = (status: number) => status === 401 || status === 402 || status === 403
/**
 * fal gives a locked account and a model that the key may not use the same 403, and tells them apart by its words alone. Read
 * wrongly, they cost time and no money: a whole account is taken for refused, or its endpoints are one after the other.
 */
const isLocked = (words: string) => /^user is locked/i.test(words)
const account = (endpoint: string, { status }: Answered, words: string) =>
  new AccountProblem({
    status,
    detail: words,
    scope: status === 401 || status === 402 || (status === 403 && isLocked(words)) ? "account" : "endpoint",
    endpoint
  })

/** The answer of a POST: anything but a clear yes or a clear no may have been taken, and billed. */
export const submitted = (exchange: Exchange, endpoint: string): Verdict<string> => {
  if (exchange._tag === "NotSent") return fail(new Unreachable({ detail: exchange.detail }))
  if (exchange._tag === "Lost") return fail(new Uncertain({ detail: exchange.detail }))
  if (isOk(exchange)) {
    return Option.match(Body.read(Body.Accepted, exchange.text), {
      onNone: () => fail(new AcceptedWithoutId({ detail: `HTTP ${exchange.status} without a request id` })),
      onSome: ({ request_id }) => Result.succeed(request_id)
    })
  }
  const { status } = exchange
  const { words } = Body.said(exchange)
  if (status === 429) {
    const wait = exchange.header("retry-after")
    return fail(new Busy({ detail: wait === undefined ? words : `${words} (retry after ${wait.slice(0, 40)})` }))
  }
  if (isAccount(status) || status === 404) return fail(account(endpoint, exchange, words))
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
const yes = new Set(["1", "true", "yes"])
const worthRepeating = (answer: Answered) =>
  yes.has((answer.header("x-fal-needs-retry") ?? answer.header("x-fal-retryable") ?? "").toLowerCase())

/** Tells the end of a job from trouble on the way to it, which has the same statuses: only the former is signed like this. */
const isOfTheJob = (answer: Answered, { listed, type }: Body.Said) =>
  answer.header("x-fal-request-id") !== undefined && (listed || type !== "")

/** Why a GET did not give what it should. `undefined` when the answer tells of the job itself. */
const unreadable = (answer: Answered, said: Body.Said, endpoint: string): GeneratorError["reason"] | undefined => {
  const { status } = answer
  if (isAccount(status)) return account(endpoint, answer, said.words)
  if (status === 404) return new Unknown({ detail: said.words })
  if (isOfTheJob(answer, said) || status === 499 || status === 422) return undefined
  // Read too early is a 400 with a sentence and no type.
  if (status < 400 || status >= 500 || status === 400 || status === 408 || status === 429)
    return new Unreachable({ detail: said.words })
  return undefined
}

export const progress = (exchange: Exchange, endpoint: string): Verdict<Progress> => {
  if (exchange._tag !== "Answered") return fail(new Unreachable({ detail: exchange.detail }))
  if (!isOk(exchange)) {
    const said = Body.said(exchange)
    const reason = unreadable(exchange, said, endpoint)
    if (reason !== undefined) return fail(reason)
    // Whether the status itself may answer with the job's failure is not documented; the result will tell.
    if (isOfTheJob(exchange, said) || exchange.status === 499) return Result.succeed({ _tag: "Ended", inferenceSeconds: null })
    return fail(new Refused({ status: exchange.status, detail: said.words, billableUnits: billed(exchange) ?? 0 }))
  }
  return Option.match(Body.read(Body.Status, exchange.text), {
    onNone: () => fail(new Unreachable({ detail: "the status cannot be read" })),
    onSome: (seen) =>
      Result.succeed<Progress>(
        seen.status === "IN_QUEUE"
          ? { _tag: "Queued", position: seen.queue_position ?? null }
          : seen.status === "IN_PROGRESS"
            ? { _tag: "Running" }
            : { _tag: "Ended", inferenceSeconds: seen.metrics?.inference_time ?? null }
      )
  })
}

const jobEnded = (answer: Answered, said: Body.Said): GeneratorError["reason"] => {
  const { status } = answer
  const units = billed(answer)
  if (status === 499 || cancelledTypes.has(said.type)) return new Cancelled({ detail: said.words })
  // A 4xx that fal itself calls worth repeating costs nothing only if fal says so.
  const repeat = ownFaults.has(said.type) || (worthRepeating(answer) && units === 0)
  if (status >= 500 || repeat || status === 429) return new JobFailed({ status, type: said.type, detail: said.words })
  return new Refused({ status, detail: said.words, billableUnits: units ?? 0 })
}

export const result = (exchange: Exchange, endpoint: string): Verdict<Picture> => {
  if (exchange._tag !== "Answered") return fail(new Unreachable({ detail: exchange.detail }))
  if (!isOk(exchange)) {
    const said = Body.said(exchange)
    return fail(unreadable(exchange, said, endpoint) ?? jobEnded(exchange, said))
  }
  const output = Option.getOrUndefined(Body.read(Body.Output, exchange.text))
  if (output === undefined) return fail(new Unreachable({ detail: "the result cannot be read" }))
  const [image] = output.images
  const units = billed(exchange) ?? null
  // A success is billed, so asking again would be paying again.
  if (image === undefined) {
    return fail(new Refused({ status: exchange.status, detail: "fal ended without a picture", billableUnits: units ?? 0 }))
  }
  return Result.succeed({
    url: image.url,
    width: image.width ?? null,
    height: image.height ?? null,
    contentType: image.content_type ?? null,
    seed: output.seed ?? null,
    flagged: output.has_nsfw_concepts?.includes(true) ?? false,
    billableUnits: units
  })
}

export const cancelled = (exchange: Exchange, endpoint: string): Verdict<"asked" | "ended" | "unknown"> => {
  if (exchange._tag !== "Answered") return fail(new Unreachable({ detail: exchange.detail }))
  if (isOk(exchange)) return Result.succeed("asked")
  const said = Body.said(exchange)
  if (exchange.status === 400 && said.status === "ALREADY_COMPLETED") return Result.succeed("ended")
  if (exchange.status === 404) return Result.succeed("unknown")
  const reason = unreadable(exchange, said, endpoint)
  return fail(reason ?? new Refused({ status: exchange.status, detail: said.words, billableUnits: 0 }))
}

/** Of a status nobody can have: that fal does not know it is the good answer. */
export const probed = (exchange: Exchange, endpoint: string): Verdict<void> => {
  if (exchange._tag !== "Answered") return fail(new Unreachable({ detail: exchange.detail }))
  if (isOk(exchange) || exchange.status === 404) return Result.void
  const { words } = Body.said(exchange)
  return isAccount(exchange.status) ? fail(account(endpoint, exchange, words)) : fail(new Unreachable({ detail: words }))
}
