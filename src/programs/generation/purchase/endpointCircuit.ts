import { Effect, Exit, Option } from "effect"
import { Catalogue } from "../../../services/Catalogue.ts"
import { Endpoints } from "../../../services/Endpoints.ts"
import { type AccountProblem, type Busy, Generator, GeneratorError } from "../../../services/Generator.ts"
import { Blocked } from "../../task/Task.ts"
import { brokerAway, tellingFailure, whileUp } from "./submitLimits.ts"
import { pause } from "./retryLater.ts"

/**
 * A refusal (403, 404) counts for one endpoint: its tasks are parked, and the worker goes on with others. It counts for the whole
 * account if fal says so, if fal refuses the free probe too, or if every endpoint of this worker is closed.
 */

const blocked = (endpoint: string, closed: { readonly reason: string; readonly why: string; readonly seconds: number }) =>
  new Blocked({
    by: endpoint,
    why: closed.why,
    after: closed.seconds,
    reason: closed.reason === "refused" ? "closed" : "fal busy"
  })

/** Whether an answer to a submit shows that the endpoint accepts requests, even if it refused this one. */
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

/** Nothing was sent: the fleet's limits left no room, or the intent grew too old. */
const isNotMade = (exit: Exit.Exit<unknown, unknown>) =>
  Exit.isFailure(exit) && !(Option.getOrUndefined(Exit.findErrorOption(exit)) instanceof GeneratorError)

/**
 * Submits unless the endpoint is closed or the circuit is open. When a closed endpoint's retry time has come, the first task
 * tries it and the others wait for the outcome. Usually nothing is closed, and one question to Redis finds that out.
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

/** The failure of a task after fal refused its submit or status request because of the account or the endpoint. */
export const refused = Effect.fnUntraced(function* (problem: AccountProblem) {
  if (problem.scope === "account") return yield* pause(problem)
  const generator = yield* Generator
  const probe = yield* Effect.result(generator.probe)
  if (probe._tag === "Failure" && probe.failure.reason._tag === "AccountProblem") return yield* pause(problem)

  const endpoints = yield* Endpoints
  const { endpoint } = problem
  const why = `fal answered ${problem.status}: ${problem.detail}`
  const closed = yield* Effect.mapError(endpoints.refused(endpoint, why), () => brokerAway)
  yield* Effect.logError("fal refuses this endpoint: its tasks are parked, others go on", {
    endpoint,
    why,
    nextTryInSeconds: Math.round(closed.seconds)
  })
  const catalogue = yield* Catalogue
  const all = yield* Effect.orElseSucceed(endpoints.closed, () => [])
  const isRefused = (one: string) => all.some((other) => other.endpoint === one && other.reason === "refused")
  if (Object.values(catalogue.endpoints).every(isRefused)) return yield* pause(problem)
  return yield* blocked(endpoint, closed)
})

/**
 * fal sent Retry-After: until then no worker submits to this endpoint. This task waits even if the other workers could not be
 * told.
 */
export const busy = Effect.fnUntraced(function* (endpoint: string, { detail, retryAfter }: Busy) {
  if (retryAfter === undefined || retryAfter <= 0) return
  const endpoints = yield* Endpoints
  yield* Effect.ignore(endpoints.busy(endpoint, `fal: ${detail}`, retryAfter))
  yield* Effect.logWarning("fal sent Retry-After: submits to this endpoint wait until then", {
    endpoint,
    seconds: retryAfter
  })
})
