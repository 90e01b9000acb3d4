import { Clock, Context, Effect, Fiber, Option, Random, Result } from "effect"
import { Generator, type GeneratorError, type Picture, type SaidEnded, type Ticket } from "../../services/Generator.ts"
import type { Noticer } from "../../services/Metrics.ts"

/** How long requests of an endpoint have been taking, seen from here (milliseconds). Shared by the tasks of a process. */
export interface Usual {
  readonly of: (endpoint: string) => number
  /** Whether fal itself has told, so that looks can be few and close together. */
  readonly sure: (endpoint: string) => boolean
  /** `inference` is what fal says the work alone took, where it says so: closer to the truth than when we happened to look. */
  readonly saw: (endpoint: string, took: number, inference: number | null) => void
}

/** What lies between the work's own time and its end as seen from here: fal's bookkeeping and one round trip. */
const AROUND = 60

/** fal-ai/flux/dev's usual time, until a process has seen some pictures of its own. */
const FIRST_GUESS = 2000

/** A running mean that follows a change within a few pictures and forgives one outlier. */
export const makeUsual = (): Usual => {
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

/** What this process has seen so far; a test that wants a fresh process gives another. */
export const UsualTimes = Context.Reference<Usual>("model-generator/programs/UsualTimes", { defaultValue: makeUsual })

const MIN_GAP = 40
const MAX_GAP = 2000

/**
 * When to look next (milliseconds from the start): first a little before the usual time, then at short steps until half as
 * long again, then ever more slowly. When fal has told the usual time, the first look comes closer to it and the steps are 2 %
 * of it instead of 4 %. Completion is noticed within about half a step, with few requests.
 */
export const nextLook = (elapsed: number, usual: number, sure = false): number => {
  const first = usual * (sure ? 0.98 : 0.94)
  if (elapsed < first) return first
  const step = Math.max(MIN_GAP, usual * (sure ? 0.02 : 0.04))
  const gap = elapsed < usual * 1.5 && !sure ? step : Math.max(step, (elapsed - usual) * 0.25)
  return elapsed + Math.min(gap, MAX_GAP)
}

const TROUBLE_GAP = 250
/** A pause that fal asks for and that is longer is not slept in the slot: the caller is told (milliseconds). */
const LONG_PAUSE = 10_000
/** Looks in a row that may fail before the caller is told; the request itself is unharmed. */
const TROUBLES = 6

/** Of whether the request has ended, when it is the answer to a question for its result. */
const saysNothing = ({ reason: { _tag } }: GeneratorError) =>
  _tag === "Unknown" || _tag === "Unreachable" || _tag === "AccountProblem"

export interface Waited {
  readonly tookMs: number
  readonly inferenceSeconds: number | null
  /** What fal says it failed of. */
  readonly failure: GeneratorError["reason"] | undefined
  /** What its result has been found to be already. */
  readonly result: Result.Result<Picture, GeneratorError> | undefined
  readonly noticedBy: Noticer
}

/**
 * How much later the looks come while a stream may still tell (milliseconds): most pictures then need none, and the end of one
 * whose stream is silent is noticed within a second of the time at which it would have been.
 */
const LAG = 500

/** The hint of a wait that has none. */
export const untold: Effect.Effect<Option.Option<SaidEnded>> = Effect.succeedNone

/**
 * Waits until fal has ended the request, well or badly; the result tells which. `submittedAt` lets a request found again after a
 * crash be looked at at once when its time has passed. `hint` may tell of the end before a look does. It is believed only where the
 * result bears it out, and what it does not say the looks find out. There is no limit of its own.
 */
export const waitUntilEnded = Effect.fn("generation.wait")(function* (
  ticket: Ticket,
  usual: Usual,
  submittedAt: number,
  hint: Effect.Effect<Option.Option<SaidEnded>>
) {
  const generator = yield* Generator
  let startedAt = submittedAt
  // Found again after its time: when it ended nobody saw, so it says nothing about how long one takes.
  const late = (yield* Clock.currentTimeMillis) - submittedAt > usual.of(ticket.endpoint)
  const hinted = yield* Effect.forkScoped(late ? untold : hint, { startImmediately: true })
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
    // Whole milliseconds, as clocks count them: a fraction would be slept off at once, and looked at again and again.
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
