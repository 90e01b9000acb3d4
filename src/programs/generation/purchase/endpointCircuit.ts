import { Effect, Exit, Option } from "effect"
import { Endpoints } from "../../services/Endpoints.ts"
import { type AccountProblem, type Busy, Generator, GeneratorError } from "../../services/Generator.ts"
import * as Settings from "../../services/Settings.ts"
import { Blocked } from "../Task.ts"
import { brokerAway, tellingFailure, whileUp } from "./gate.ts"
import { pause } from "./putOff.ts"

/**
 * A refusal (403, 404) is the endpoint's until shown otherwise: its tasks are parked, and the worker goes on with others. The
 * whole account is at fault when fal says so, when a question that costs nothing is refused too, or when every endpoint that
 * this worker uses is closed.
 */

const blocked = (endpoint: string, closed: { readonly reason: string; readonly why: string; readonly seconds: number }) =>
  new Blocked({ by: endpoint, why: closed.why, after: closed.seconds, serious: closed.reason === "refused" })

/** Whether an answer to a submit shows that the endpoint takes requests, whatever it thought of this one. */
const isTaking = (exit: Exit.Exit<unknown, unknown>) => {
  if (Exit.isSuccess(exit)) return true
  const error = Option.getOrUndefined(Exit.findErrorOption(exit))
  if (!(error instanceof GeneratorError)) return false
  const { reason } = error
  return (
    reason._tag === "Refused" ||
    reason._tag === "AcceptedWithoutId" ||
    (reason._tag === "Busy" && reason.retryAfter === undefined)
  )
}

/** Nothing was sent: there was no room, or no time. */
const isNotMade = (exit: Exit.Exit<unknown, unknown>) =>
  Exit.isFailure(exit) && !(Option.getOrUndefined(Exit.findErrorOption(exit)) instanceof GeneratorError)

/**
 * Submits unless the endpoint is closed or fal is down. When an endpoint's time is over the first to come tries it, and the others wait
 * for what that shows. Where nothing is known against a submit, as nearly always, that is all that is asked.
 */
export const whileOpen = <A, E, R>(endpoint: string, submit: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const endpoints = yield* Endpoints
    if (yield* Effect.mapError(endpoints.isClear(endpoint), () => brokerAway)) return yield* tellingFailure(submit)
    const admitted = yield* Effect.mapError(endpoints.admit(endpoint), () => brokerAway)
    const throughCircuit = whileUp(submit)
    switch (admitted._tag) {
      case "Open":
        return yield* throughCircuit
      case "Closed":
        return yield* blocked(endpoint, admitted)
      case "Trial": {
        const exit = yield* Effect.exit(throughCircuit)
        if (isTaking(exit)) {
          yield* Effect.logInfo("fal takes requests to this endpoint again", { endpoint })
          yield* Effect.ignore(endpoints.opened(endpoint))
        } else if (isNotMade(exit)) yield* Effect.ignore(endpoints.untried(endpoint))
        return yield* exit
      }
    }
  })

/** What becomes of a task whose submit, or whose look at its request, fal refused for the account's or the endpoint's sake. */
export const refused = Effect.fnUntraced(function* (problem: AccountProblem) {
  if (problem.scope === "account") return yield* pause(problem)
  const generator = yield* Generator
  const probe = yield* Effect.result(generator.probe)
  if (probe._tag === "Failure" && probe.failure.reason._tag === "AccountProblem") return yield* pause(problem)

  const endpoints = yield* Endpoints
  const { endpoint } = problem
  const why = `fal answered ${problem.status}: ${problem.detail}`
  const closed = yield* Effect.mapError(endpoints.refused(endpoint, why), () => brokerAway)
  yield* Effect.logError("fal refuses this endpoint: its tasks wait, others go on", {
    endpoint,
    why,
    nextTryInSeconds: Math.round(closed.seconds)
  })
  const { FAL_EDIT_MODEL, FAL_MODEL } = yield* Settings.of("FAL_MODEL", "FAL_EDIT_MODEL").pipe(Effect.orDie)
  const all = yield* Effect.orElseSucceed(endpoints.closed, () => [])
  const isRefused = (one: string) => all.some((other) => other.endpoint === one && other.reason === "refused")
  if (isRefused(FAL_MODEL) && isRefused(FAL_EDIT_MODEL)) return yield* pause(problem)
  return yield* blocked(endpoint, closed)
})

/** fal named the time to come again: until then nobody asks. Told or not, the task itself waits for as long. */
export const busy = Effect.fnUntraced(function* (endpoint: string, { detail, retryAfter }: Busy) {
  if (retryAfter === undefined || retryAfter <= 0) return
  const endpoints = yield* Endpoints
  yield* Effect.ignore(endpoints.busy(endpoint, `fal: ${detail}`, retryAfter))
  yield* Effect.logWarning("fal named a time to come again: nothing is submitted to this endpoint until then", {
    endpoint,
    seconds: retryAfter
  })
})
