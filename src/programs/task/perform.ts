import { Cause, Clock, Effect, Option, Result } from "effect"
import { Metrics, type TaskOutcome } from "../../services/Metrics.ts"
import type { Publisher } from "../../services/Publisher.ts"
import { ResultStore } from "../../services/ResultStore.ts"
import type { Claimed, TaskQueue } from "../../services/TaskQueue.ts"
import * as Text from "../../services/Text.ts"
import { Vitals } from "../../services/Vitals.ts"
import type { WorkerIdentity } from "../../services/WorkerIdentity.ts"
import * as Message from "../celery/Message.ts"
import * as Carried from "../generation/Carried.ts"
import { Begin, type Knowledge, nothingKnown, type Program, standingOf } from "../Task.ts"
import { type Admission, admission, isExpired, type Refusal } from "./admission.ts"
import { type Attempt, attemptOf, isRedelivered, type NextClaim } from "./Attempt.ts"
import { beginningOf } from "./begin.ts"
import { type Ending, endingOf, isAside } from "./ending.ts"
import { insist } from "./insist.ts"
import { limitsOf } from "./limits.ts"
import { permit, revocation } from "./orders.ts"
import { type Outside, Policy } from "./Outside.ts"
import { run } from "./run.ts"
import * as Settle from "./settle.ts"
import { broken, unreadable } from "./unreadable.ts"

/**
 * One task's life, from the claimed message to the acknowledgement: decode, admit, run, classify, settle. It never fails. `"spent"`
 * says that work was left behind at the hard limit.
 */
export const perform = <R>(
  programs: ReadonlyMap<string, Program<R>>,
  delivery: Claimed,
  knowledge: Knowledge = nothingKnown(),
  next: NextClaim = { isWanted: Effect.succeed(false), delivery: undefined, foundNothing: false }
) => {
  let message: Message.Message | undefined
  return Effect.gen(function* (): Effect.gen.Return<"reusable" | "spent", never, Needs<R>> {
    const policy = yield* Policy
    const decoded = yield* Effect.result(Message.decode(delivery.raw, policy.zone))
    if (Result.isFailure(decoded)) {
      yield* unreadable(delivery, decoded.failure, next)
      yield* (yield* Metrics).count("tasks_total", { task: "unknown", outcome: "refused" })
      return "reusable"
    }
    message = decoded.success
    const { timeLimits } = yield* Vitals
    const attempt = attemptOf(delivery, message, {
      program: programs.get(message.task),
      limits: limitsOf(message.limits, timeLimits.get(message.task), policy),
      knowledge: Object.assign(knowledge, { id: message.id, generation: Carried.read(message) }),
      startedAt: yield* Clock.currentTimeMillis,
      next
    })
    return yield* Effect.annotateLogs(live(attempt), { task: Text.cut(message.task, 200), id: message.id })
  }).pipe(
    // A child that crashed over it would take the same message again, and the worker with it in the end.
    Effect.catchCauseIf(
      (cause) => !Cause.hasInterrupts(cause),
      (cause) => Effect.as(broken(delivery, message, cause), "reusable" as const)
    )
  )
}

/** What a program of these needs, and the life of its task around it. */
export type Needs<R> = R | Metrics | Outside | Policy | Publisher | ResultStore | TaskQueue | Vitals | WorkerIdentity

const live = Effect.fnUntraced(function* <R>(attempt: Attempt<R>) {
  const admitted = yield* admit(attempt)
  if (admitted._tag !== "Admitted") {
    yield* Settle.refused(attempt, admitted)
    yield* afterRefusal(attempt, admitted)
    return "reusable"
  }
  const { requests } = yield* Vitals
  attempt.request.startedAt = attempt.startedAt / 1000
  requests.set(attempt.message.id, attempt.request)
  const running = Effect.flatMap(runToEnding(attempt, admitted.program), (ending) =>
    // A stop: the message stays held, and whoever stopped us hands it back.
    ending._tag === "Interrupted" ? Effect.interrupt : Effect.as(Settle.ended(attempt, ending), ending)
  )
  const ending = yield* Effect.ensuring(
    running,
    Effect.sync(() => requests.delete(attempt.message.id))
  )
  yield* afterEnding(attempt, ending)
  return ending._tag === "HardLimit" ? "spent" : "reusable"
})

/** Asks what admission depends on, no more than it needs. */
const admit = Effect.fnUntraced(function* <R>(
  attempt: Attempt<R>
): Effect.fn.Return<Admission<Program<R>>, never, R | Vitals | ResultStore> {
  const vitals = yield* Vitals
  const { delivery, message, program, request, startedAt: now, task } = attempt
  // One that comes for the first time and in time has not begun.
  const mayHaveBegun = isRedelivered(attempt) || message.retries > 0 || message.generation !== undefined
  const standing =
    mayHaveBegun || isExpired(message, now) ? yield* Effect.option(standingOf(program, task)) : Option.some("nothing" as const)
  return admission({
    message,
    now,
    standing,
    program,
    isRevoked: revocation(vitals, request, now),
    // Sent twice; or Redis has forgotten that we hold it, and what the run that goes on here knows of its request.
    isRunning: (vitals.requests.get(message.id)?.startedAt ?? null) !== null,
    earlier: isRedelivered(attempt) && Option.isSome(standing) ? yield* earlierResult(message.id) : Option.none(),
    turn: () => permit(vitals, message.task, { id: message.id, tag: delivery.tag }, now)
  })
})

const earlierResult = Effect.fnUntraced(function* (id: string) {
  const results = yield* ResultStore
  return yield* insist(
    "look for an earlier result",
    // A document that is none of ours, or not one at all, tells nothing.
    Effect.catchIf(
      results.get(id),
      ({ operation }) => operation === "read",
      () => Effect.succeedNone
    )
  )
})

/** Runs the program, and tells that its work has begun: when the program says so, or at once where it has nothing to wait for. */
const runToEnding = Effect.fnUntraced(function* <R>(attempt: Attempt<R>, program: Program<R>) {
  const { begin, told } = beginningOf(attempt)
  const running = Effect.provideService(
    run(attempt, program, (over) => abandon(attempt, over)),
    Begin,
    begin
  )
  const exit = yield* Effect.exit(program.waits === true ? running : Effect.andThen(begin, running))
  const { maxRetries } = yield* Policy
  const { retries, uncounted } = attempt.message
  const ending = endingOf(exit, { retries, uncounted, most: maxRetries })
  yield* observeWait(attempt, ending)
  // What fails before its turn comes has begun too.
  if (!isAside(ending)) yield* Effect.andThen(begin, told)
  return ending
})

/** Known only at the end: what was put aside for a moment did not start yet, and one task is to count once. */
const observeWait = Effect.fnUntraced(function* <R>(attempt: Attempt<R>, ending: Ending) {
  // We don't know when a redelivered message first arrived, so its wait is not measured.
  if (ending._tag === "Held" || ending._tag === "Parked" || isRedelivered(attempt)) return
  const metrics = yield* Metrics
  const { delivery, message, name, startedAt } = attempt
  const due = Option.getOrElse(message.eta, () => 0)
  const waited = startedAt - Math.max(delivery.seenSince, due)
  yield* metrics.observe("queue_wait_seconds", { task: name }, Math.max(0, waited) / 1000)
})

/** Ends what a task that has ended for good may have left at fal, in this run or one before it; nobody waits for that. */
const abandon = <R>({ program, task }: Attempt<R>, over: Effect.Effect<unknown> = Effect.void) =>
  program?.abandon === undefined
    ? Effect.void
    : Effect.asVoid(Effect.forkDetach(Effect.ignore(Effect.andThen(over, program.abandon(task)))))

const afterRefusal = <R>(attempt: Attempt<R>, { _tag }: Refusal): Effect.Effect<void, never, R | Vitals | Metrics> => {
  switch (_tag) {
    case "Expired":
    case "Revoked":
      return abandon(attempt)
    case "NotRegistered":
      return count(attempt, "not registered")
    case "CrashedTooOften":
      return count(attempt, "lost")
    default:
      return Effect.void
  }
}

/** How each ending is counted; one that is put aside is none. */
const outcomes = {
  Succeeded: "succeeded",
  Terminated: "terminated",
  Failed: "failed",
  Exhausted: "failed",
  Retry: "retried",
  PutBack: "put back",
  SoftLimit: "soft limit",
  HardLimit: "hard limit",
  Broken: "broken",
  Held: undefined,
  Parked: undefined
} as const satisfies Record<Exclude<Ending["_tag"], "Interrupted">, string | undefined>

const afterEnding = <R>(attempt: Attempt<R>, { _tag }: Exclude<Ending, { _tag: "Interrupted" }>) => {
  const outcome = outcomes[_tag]
  const counted = outcome === undefined ? Effect.void : count(attempt, outcome)
  return _tag === "Exhausted" || _tag === "Broken" ? Effect.andThen(abandon(attempt), counted) : counted
}

const count = Effect.fnUntraced(function* <R>({ name, startedAt }: Attempt<R>, outcome: TaskOutcome) {
  const vitals = yield* Vitals
  const metrics = yield* Metrics
  vitals.processed++
  yield* metrics.count("tasks_total", { task: name, outcome })
  yield* metrics.observe("task_duration_seconds", { task: name }, ((yield* Clock.currentTimeMillis) - startedAt) / 1000)
})
