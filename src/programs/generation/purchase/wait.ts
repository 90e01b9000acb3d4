import { Clock, Context, Effect, Fiber, Option, Random, Result } from "effect"
import { Generator, type GeneratorError, type Picture, type SaidEnded, type Ticket } from "../../../services/Generator.ts"
import type { Noticer } from "../../../services/Metrics.ts"

/** How long this process has seen requests of an endpoint take (milliseconds). Shared by its tasks. */
export interface WaitTimes {
  readonly of: (endpoint: string) => number
  /** Whether fal reported the inference time, so that few status requests close together are enough. */
  readonly sure: (endpoint: string) => boolean
  /**
   * `inference`: the time that fal reports for the work alone, if it does. It is more exact than the time of our status request.
   */
  readonly saw: (endpoint: string, took: number, inference: number | null) => void
}

/** Added to the inference time: fal's own overhead and one round trip (milliseconds). */
const AROUND = 60

/** fal-ai/flux/dev's usual time, until a process has seen some pictures of its own. */
const FIRST_GUESS = 2000

/** A running mean: it follows a change within a few pictures, and one outlier moves it little. */
export const makeWaitTimes = (): WaitTimes => {
  const known = new Map<string, number>()
  const told = new Set<string>()
  const of = (endpoint: string) => known.get(endpoint) ?? FIRST_GUESS
  return {
    of,
    sure: (endpoint) => told.has(endpoint),
    saw: (endpoint, seen, inference) => {
      if (inference !== null) told.add(endpoint)
      const took = inference === null ? seen : Math.min(seen, inference + AROUND)
      known.set(endpoint, known.has(endpoint) ? of(endpoint) * 0.7 + Math.min(took, of(endpoint) * 3) * 0.3 : took)
    }
  }
}

/** The usual times that this process has seen; a test can give a fresh one. */
export const SeenWaitTimes = Context.Reference<WaitTimes>("model-generator/programs/SeenWaitTimes", {
  defaultValue: makeWaitTimes
})

const MIN_GAP = 40
const MAX_GAP = 2000

/**
 * When to ask for the status next (milliseconds from the start): a little before the usual time, then in short steps until half
 * as long again, then ever more slowly. If fal reports inference times, the first request comes closer to the usual time and the
 * steps are 2 % of it instead of 4 %. So the end is noticed within about half a step, with few requests.
 */
export const nextLook = (elapsed: number, usual: number, sure = false): number => {
  const first = usual * (sure ? 0.98 : 0.94)
  if (elapsed < first) return first
  const step = Math.max(MIN_GAP, usual * (sure ? 0.02 : 0.04))
  const gap = elapsed < usual * 1.5 && !sure ? step : Math.max(step, (elapsed - usual) * 0.25)
  return elapsed + Math.min(gap, MAX_GAP)
}

const TROUBLE_GAP = 250
/** A longer pause that fal asks for is not slept in the slot: the task fails with it and is parked (milliseconds). */
const LONG_PAUSE = 10_000
/** Status requests in a row that may fail before the task is told. The request itself is not harmed. */
const TROUBLES = 6

/** Failures of a request for the result that do not tell whether the job has ended. */
const saysNothing = ({ reason: { _tag } }: GeneratorError) =>
  _tag === "Unknown" || _tag === "Unreachable" || _tag === "AccountProblem"

export interface Waited {
  readonly tookMs: number
  readonly inferenceSeconds: number | null
  /** The reason of failure that the status reports. */
  readonly failure: GeneratorError["reason"] | undefined
  /** The answer to a request for the result, if one was made already. */
  readonly result: Result.Result<Picture, GeneratorError> | undefined
  readonly noticedBy: Noticer
}

/**
 * How much later the looks come while a stream may still tell (milliseconds): most pictures then need none, and the end of one
 * whose stream is silent is noticed within a second of the time at which it would have been.
 */
const LAG = 500

/** The hint of a wait that has none. */
export const noHint: Effect.Effect<Option.Option<SaidEnded>> = Effect.succeedNone

/**
 * Waits until fal has ended the request, well or badly; the result tells which. With `submittedAt` a request that is found again
 * after a crash is asked about at once if its usual time has passed. `hint` may report the end earlier. It is believed only if
 * the result confirms it; without a hint the status requests find the end. There is no time limit here.
 */
export const waitUntilEnded = Effect.fn("generation.wait")(function* (
  ticket: Ticket,
  usual: WaitTimes,
  submittedAt: number,
  hint: Effect.Effect<Option.Option<SaidEnded>>
) {
  const generator = yield* Generator
  let startedAt = submittedAt
  // Found again after its usual time: we do not know when it ended, so its time is not learnt.
  const late = (yield* Clock.currentTimeMillis) - submittedAt > usual.of(ticket.endpoint)
  const hinted = yield* Effect.forkScoped(late ? noHint : hint, { startImmediately: true })
  let lag = hinted.pollUnsafe() === undefined ? LAG : 0
  let lookNow = late
  let noticedBy: Noticer = "poll"
  let troubles = 0
  let pause = 0
  let queuedLooks = 0
  const ended = (at: number, more: Partial<Waited> = {}): Waited => ({
    tookMs: at - submittedAt,
    inferenceSeconds: null,
    failure: undefined,
    result: undefined,
    noticedBy,
    ...more
  })
  const learn = (at: number, inferenceSeconds: number | null) => {
    if (!late) usual.saw(ticket.endpoint, at - startedAt, inferenceSeconds === null ? null : inferenceSeconds * 1000)
  }

  for (;;) {
    const elapsed = (yield* Clock.currentTimeMillis) - startedAt - lag
    const gap = lookNow
      ? 0
      : troubles > 0
        ? Math.max(pause, TROUBLE_GAP * 2 ** troubles * (0.5 + (yield* Random.next) / 2))
        : queuedLooks > 0
          ? Math.min(MAX_GAP, 200 * 1.3 ** queuedLooks)
          : nextLook(elapsed, usual.of(ticket.endpoint), usual.sure(ticket.endpoint)) - elapsed
    // Whole milliseconds, as clocks count them: after a fraction the time would not have come yet, and would be asked for again
    // and again.
    const look = Effect.delay(Effect.result(generator.progress(ticket)), Math.ceil(gap))
    const seen = yield* lag === 0 ? look : Effect.raceFirst(look, Fiber.join(hinted))
    const at = yield* Clock.currentTimeMillis

    if (Option.isOption(seen)) {
      lag = 0
      if (Option.isNone(seen)) continue
      noticedBy = "stream"
      const { inferenceSeconds } = seen.value
      const result = yield* Effect.result(generator.result(ticket))
      if (Result.isSuccess(result) || !saysNothing(result.failure)) {
        learn(at, inferenceSeconds)
        return ended(at, { inferenceSeconds, result })
      }
      lookNow = true
      continue
    }

    lookNow = false
    if (Result.isSuccess(seen) && seen.success._tag === "Ended") {
      const { failure, inferenceSeconds } = seen.success
      learn(at, inferenceSeconds)
      return ended(at, { inferenceSeconds, failure })
    }
    noticedBy = "poll"
    if (Result.isFailure(seen)) {
      const { reason } = seen.failure
      pause = reason._tag === "Unreachable" ? (reason.retryAfter ?? 0) * 1000 : 0
      // Believed once it is said again and again: fal has been seen not to know a request that it had just accepted, and taking
      // one for lost may pay twice.
      const passing = reason._tag === "Unknown" || (reason._tag === "Unreachable" && pause <= LONG_PAUSE)
      if (passing && ++troubles <= TROUBLES) continue
      // A result that is there tells more than a status that is not.
      const result = reason._tag === "Unknown" ? yield* Effect.result(generator.result(ticket)) : undefined
      if (result === undefined || (Result.isFailure(result) && saysNothing(result.failure))) return yield* seen.failure
      return ended(yield* Clock.currentTimeMillis)
    }
    troubles = 0
    if (seen.success._tag === "Queued") {
      queuedLooks++
      startedAt = at
    } else queuedLooks = 0
  }
}, Effect.scoped)
