import { Cause, Effect, Option } from "effect"
import type { TaskOutcome } from "../../services/Metrics.ts"
import type { TaskResult } from "../../services/ResultStore.ts"
import type { Claimed } from "../../services/TaskQueue.ts"
import * as Text from "../../wire/Text.ts"
import * as Message from "../celery/Message.ts"
import * as GenerationProperty from "./GenerationProperty.ts"
import { Begin, type Knowledge, type Program, type Standing, standingOf } from "./Task.ts"
import { type Admission, admission, isExpired, type Refusal } from "./admission.ts"
import { type Attempt, attemptOf, isRedelivered, type NextClaim } from "./Attempt.ts"
import { beginningOf } from "./begin.ts"
import { type Ending, endingOf, isNotStarted } from "./ending.ts"
import { untilDone } from "./untilDone.ts"
import { limitsOf } from "./taskLimits.ts"
import { permit } from "./rateLimit.ts"
import { revocation } from "./revocation.ts"
import { run } from "./run.ts"
import * as Settle from "./settle.ts"
import type { TaskContext } from "./TaskContext.ts"
import { broken, unreadable } from "./unreadable.ts"

/** `"spent"` means that the hard limit left a program running in this child, which must be replaced. */
type Child = "reusable" | "spent"

/** One task's life, from the claimed message to the acknowledgement: decode, admit, run, classify, settle. It never fails. */
export const perform = <R>(
  context: TaskContext,
  programs: ReadonlyMap<string, Program<R>>,
  delivery: Claimed,
  knowledge: Knowledge,
  next: NextClaim
): Effect.Effect<Child, never, R> => {
  const { clock, metrics, policy, vitals } = context
  let message: Message.Message | undefined
  return Message.decode(delivery.raw, policy.zone).pipe(
    Effect.matchEffect({
      onFailure: (problem) =>
        unreadable(context, delivery, problem, next).pipe(
          Effect.andThen(metrics.count("tasks_total", { task: "unknown", outcome: "refused" })),
          Effect.as<Child>("reusable")
        ),
      onSuccess: (decoded) => {
        message = decoded
        const attempt = attemptOf(context, delivery, decoded, {
          program: programs.get(decoded.task),
          limits: limitsOf(decoded.limits, vitals.timeLimits.get(decoded.task), policy),
          knowledge: Object.assign(knowledge, { id: decoded.id, generation: GenerationProperty.read(decoded) }),
          startedAt: clock.currentTimeMillisUnsafe(),
          next
        })
        return Effect.annotateLogs(live(attempt), { task: Text.cut(decoded.task, 200), id: decoded.id })
      }
    }),
    // If the child crashed here, the message would come back and crash the next child, until the worker gives up.
    Effect.catchCauseIf(
      (cause) => !Cause.hasInterrupts(cause),
      (cause) => Effect.as(broken(context, delivery, message, cause), "reusable" as const)
    )
  )
}

const live = <R>(attempt: Attempt<R>): Effect.Effect<Child, never, R> =>
  Effect.flatMap(admit(attempt), (admitted) => {
    if (admitted._tag === "Admitted") return runAndSettle(attempt, admitted.program)
    return beforeRefusal(attempt, admitted).pipe(
      Effect.andThen(Settle.refused(attempt, admitted)),
      Effect.andThen(afterRefusal(attempt, admitted)),
      Effect.as("reusable")
    )
  })

const runAndSettle = <R>(attempt: Attempt<R>, program: Program<R>): Effect.Effect<Child, never, R> => {
  const { requests } = attempt.context.vitals
  attempt.request.startedAt = attempt.startedAt / 1000
  requests.set(attempt.message.id, attempt.request)
  return runToEnding(attempt, program).pipe(
    Effect.flatMap((ending) =>
      // The worker stops: this attempt acknowledges nothing, and the code that stops the child hands the message back.
      ending._tag === "Interrupted"
        ? Effect.interrupt
        : beforeEnding(attempt, ending).pipe(Effect.andThen(Settle.ended(attempt, ending)), Effect.as(ending))
    ),
    Effect.ensuring(Effect.sync(() => requests.delete(attempt.message.id))),
    Effect.flatMap((ending) => Effect.as(afterEnding(attempt, ending), ending._tag === "HardLimit" ? "spent" : "reusable"))
  )
}

/** Collects the facts that `admission` decides by; asks Redis only for those that this message needs. */
const admit = <R>(attempt: Attempt<R>): Effect.Effect<Admission<Program<R>>, never, R> => {
  const { message, program, startedAt, task } = attempt
  // A first delivery that is on time cannot have started before, so the journal is not asked.
  const mayHaveBegun = isRedelivered(attempt) || message.retries > 0 || message.generation !== undefined
  if (!mayHaveBegun && !isExpired(message, startedAt))
    return Effect.succeed(decide(attempt, Option.some("nothing"), Option.none()))
  return Effect.gen(function* () {
    const standing = yield* Effect.option(standingOf(program, task))
    const asks = isRedelivered(attempt) && Option.isSome(standing)
    return decide(attempt, standing, asks ? yield* earlierResult(attempt) : Option.none())
  })
}

const decide = <R>(attempt: Attempt<R>, standing: Option.Option<Standing>, earlier: Option.Option<TaskResult>) => {
  const { delivery, message, program, request, startedAt: now } = attempt
  const { vitals } = attempt.context
  return admission({
    message,
    now,
    standing,
    program,
    isRevoked: revocation(vitals, request, now),
    // A client sent the id twice, or a failover lost our claim and the message came again while we still run it.
    isRunning: (vitals.requests.get(message.id)?.startedAt ?? null) !== null,
    earlier,
    turn: () => permit(vitals, message.task, { id: message.id, tag: delivery.tag }, now)
  })
}

const earlierResult = ({ context, message }: Pick<Attempt<never>, "context" | "message">) =>
  untilDone(
    "look for an earlier result",
    // A result document that we cannot read counts as no result.
    Effect.catchIf(
      context.results.get(message.id),
      ({ operation }) => operation === "read",
      () => Effect.succeedNone
    )
  )

/**
 * Runs the program. Publishes task-started when a program that waits for its turn says that it begins; at once for the others.
 */
const runToEnding = <R>(attempt: Attempt<R>, program: Program<R>): Effect.Effect<Ending, never, R> => {
  const { begin, told } = beginningOf(attempt)
  const running = run(attempt, program, (over) => abandon(attempt, over))
  const { maxRetries } = attempt.context.policy
  const { retries, uncounted } = attempt.message
  return Effect.flatMap(
    Effect.exit(program.waits === true ? Effect.provideService(running, Begin, begin) : Effect.andThen(begin, running)),
    (exit) => {
      const ending = endingOf(exit, { retries, uncounted, most: maxRetries })
      const observed = observeWait(attempt, ending)
      // A task that fails while it waits for its turn counts as started too.
      return Effect.as(isNotStarted(ending) ? observed : Effect.andThen(observed, Effect.andThen(begin, told)), ending)
    }
  )
}

/** Measured when the run ends: a parked task has not started, and each task counts once. */
const observeWait = <R>(attempt: Attempt<R>, ending: Ending) => {
  // We don't know when a redelivered message first arrived, so its wait is not measured.
  if (ending._tag === "Held" || ending._tag === "Parked" || isRedelivered(attempt)) return Effect.void
  const { context, delivery, message, name, startedAt } = attempt
  const due = Option.getOrElse(message.eta, () => 0)
  const waited = startedAt - Math.max(delivery.seenSince, due)
  return context.metrics.observe("queue_wait_seconds", { task: name }, Math.max(0, waited) / 1000)
}

/** Cancels in the background a request to fal that a finished task may have left, in this run or an earlier one. */
const abandon = <R>({ program, task }: Attempt<R>, over: Effect.Effect<unknown> = Effect.void) =>
  program?.abandon === undefined
    ? Effect.void
    : Effect.asVoid(Effect.forkDetach(Effect.ignore(Effect.andThen(over, program.abandon(task)))))

/** Before a task's end is told: what its request costs must then be found out, whatever becomes of this worker. */
const owe = <R>({ program, task }: Attempt<R>, mayGoOn = false): Effect.Effect<void, never, R> =>
  program?.owe === undefined ? Effect.void : untilDone("note what a task owes", program.owe(task, mayGoOn))

const beforeRefusal = <R>(attempt: Attempt<R>, { _tag }: Refusal) =>
  _tag === "Expired" || _tag === "Revoked" || _tag === "CrashedTooOften" ? owe(attempt) : Effect.void

const beforeEnding = <R>(attempt: Attempt<R>, { _tag }: Ending) => {
  switch (_tag) {
    case "HardLimit":
    case "Terminated":
      return owe(attempt, true)
    case "SoftLimit":
    case "Exhausted":
    case "Broken":
      return owe(attempt)
    default:
      return Effect.void
  }
}

const afterRefusal = <R>(attempt: Attempt<R>, { _tag }: Refusal): Effect.Effect<void, never, R> => {
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

/** The word for each ending in `tasks_total`. A parked task has not ended, so it is not counted. */
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

const count = <R>({ context, name, startedAt }: Attempt<R>, outcome: TaskOutcome) =>
  Effect.suspend(() => {
    const { clock, metrics, vitals } = context
    // A task that is tried again is counted when it has ended.
    if (outcome !== "retried" && outcome !== "put back") vitals.processed++
    return Effect.andThen(
      metrics.count("tasks_total", { task: name, outcome }),
      metrics.observe("task_duration_seconds", { task: name }, (clock.currentTimeMillisUnsafe() - startedAt) / 1000)
    )
  })
