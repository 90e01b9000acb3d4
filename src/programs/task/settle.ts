import { Duration, Effect, Random } from "effect"
import * as NanoDollars from "../../services/NanoDollars.ts"
import type { TaskResult } from "../../services/ResultStore.ts"
import type { Delivery } from "../../services/TaskQueue.ts"
import { isNews } from "../../services/Vitals.ts"
import * as Text from "../../wire/Text.ts"
import * as Canvas from "../celery/canvas/Canvas.ts"
import * as FollowUps from "../celery/canvas/followUps.ts"
import type * as Message from "../celery/Message.ts"
import * as NewMessage from "../celery/NewMessage.ts"
import * as Reply from "../celery/Reply.ts"
import * as TaskEvent from "../celery/TaskEvent.ts"
import * as TaskFailure from "../celery/TaskFailure.ts"
import { derivedId } from "../../wire/derivedId.ts"
import * as GenerationProperty from "./GenerationProperty.ts"
import { type Blocked, JOURNAL_AWAY, type NotYet, type PutBack, type Result, type RetryLater } from "./Task.ts"
import type { Refusal } from "./admission.ts"
import type { Attempt } from "./Attempt.ts"
import type { Ending } from "./ending.ts"
import { buryAndTell, claiming, defect, finish } from "./finish.ts"
import { untilDone, tried } from "./untilDone.ts"
import * as Life from "./life.ts"
import { meet } from "./obstacles.ts"
import { signumOf } from "./revocation.ts"
import { delaySeconds } from "./retryPolicy.ts"
import type { TaskContext } from "./TaskContext.ts"

/**
 * The steps after a refusal, and after a run. Always in this order: send the follow-up tasks, store the result, acknowledge the
 * message, publish the event.
 */

/** How long a task is parked when the journal does not answer (milliseconds). */
const UNKNOWN = 5000
/** How long a second delivery is parked while this worker runs the first (milliseconds). */
const IN_HAND = 5000

/** The fields of the log line at a task's end: how it ended, its seconds, and what it cost if it has paid. */
const lineOf = (event: string, { context, startedAt, task }: Any, more: Readonly<Record<string, unknown>> = {}) => ({
  event,
  seconds: Math.round(nowOf(context) - startedAt) / 1000,
  ...(task.knowledge.cost === undefined ? {} : { cost_usd: NanoDollars.toUsd(task.knowledge.cost) }),
  ...more
})

/** An attempt of which only the message is needed. */
type Any = Omit<Attempt<never>, "program">

/** Unix milliseconds. */
const nowOf = ({ clock }: TaskContext) => clock.currentTimeMillisUnsafe()

/** Settles a task that is not run now. */
export const refused = Effect.fnUntraced(function* (attempt: Any, refusal: Refusal) {
  const { context, delivery, message, startedAt } = attempt
  switch (refusal._tag) {
    case "StandingUnknown":
      yield* Effect.logWarning("the journal cannot be asked how far a task has got: the task is parked")
      return yield* park(attempt, startedAt + UNKNOWN, {
        reason: "journal",
        detail: "it cannot be asked how far the task has got"
      })
    case "AlreadyRunning":
      return yield* park(attempt, startedAt + IN_HAND, { reason: "already running", detail: "another message of this id" })
    case "NotDue":
      return yield* park(attempt, refusal.at, { reason: "not due", detail: "" })
    case "RateLimited":
      return yield* park(attempt, refusal.at, { reason: "rate limit", detail: "of the task" })
    case "Expired":
      return yield* revoked(attempt, "expired", null)
    case "Revoked":
      return yield* revoked(attempt, "revoked", null)
    case "NotRegistered":
      return yield* failed(attempt, TaskFailure.notRegistered(message.task))
    case "CrashedTooOften":
      return yield* crashedTooOften(attempt)
    case "RestsAfterCrashes":
      yield* Effect.logWarning("workers died over a task whose picture is paid: it will be resumed later", {
        crashes: message.crashes,
        inSeconds: refusal.seconds
      })
      return yield* parkPaid(attempt, startedAt + refusal.seconds * 1000, {
        reason: "rests after crashes",
        detail: `${message.crashes} workers died over it`
      })
    case "AlreadySucceeded": {
      // The earlier delivery may have stored its result and died before it counted in its chord.
      const sender = senderOf(context, message, delivery)
      const told = Life.ended(attempt, "SUCCESS", "it had succeeded before")
      return yield* finish(context, delivery, context.canvas.counted(message, refusal.before, sender), attempt.next, told)
    }
  }
})

/** Settles a task whose run has ended. */
export const ended = (attempt: Any, ending: Exclude<Ending, { _tag: "Interrupted" }>) => {
  switch (ending._tag) {
    case "Succeeded":
      return succeeded(attempt, ending.result)
    case "Terminated":
      return revoked(attempt, "terminated", signumOf(ending.signal))
    case "Failed":
      return failed(attempt, ending.failure)
    case "Exhausted":
      noteJournal(attempt.context, ending.later)
      return failed(attempt, ending.later.failure)
    case "Retry":
      noteJournal(attempt.context, ending.later)
      return retried(attempt, ending.later)
    case "PutBack":
      return putBack(attempt, ending.reason)
    case "Held":
      return held(attempt, ending.until)
    case "Parked":
      return parked(attempt, ending.by)
    case "SoftLimit":
      return failed(attempt, TaskFailure.softTimeLimitExceeded())
    case "HardLimit":
      return failed(attempt, TaskFailure.timeLimitExceeded(Duration.toSeconds(attempt.limits.hard)))
    case "Broken":
      return Effect.andThen(
        Effect.logError("a task's program crashed", ending.cause),
        failed(attempt, TaskFailure.internalError(defect(ending.cause)))
      )
  }
}

/** Stores STARTED, as Celery 5.3 does even with `ignore_result`. Tried once: the end of the task overwrites it. */
export const started = ({ context, message }: Any) => {
  const told = Reply.started(whose(context, message), context.worker)
  return Effect.ignore(context.results.store(told), { log: "Warn", message: "cannot store STARTED" })
}

const succeeded = (attempt: Any, result: Result) => {
  const { context, delivery, message, next, startedAt } = attempt
  const runtime = (nowOf(context) - startedAt) / 1000
  const told = Effect.andThen(
    Effect.logInfo("task succeeded", lineOf("succeeded", attempt)),
    Effect.suspend(() => context.emit(() => TaskEvent.succeeded(message.id, result.value, runtime)))
  )
  const life = Life.succeeded(attempt, result.value)
  return Effect.andThen(finish(context, delivery, stepsOfSuccess(attempt, result), next, life), told)
}

const stepsOfSuccess = ({ context, delivery, message }: Any, { children, value }: Result): ReadonlyArray<FollowUps.Step> => {
  const about = whose(context, message)
  const now = nowOf(context)
  if (Canvas.isAlone(message)) return message.ignoreResult ? [] : [FollowUps.stored(Reply.success(about, value, children, now))]
  const { canvas } = context
  const sender = senderOf(context, message, delivery)
  const after = Canvas.afterSuccess(message, value, sender)
  const told = Reply.success(about, value, [...children, ...after.children], now)
  return [
    // Sent before the result is stored, because the result lists them as children. A redelivery sends them with the same ids.
    ...canvas.follow(message, after, sender),
    ...(message.ignoreResult ? [] : [FollowUps.stored(told)]),
    ...canvas.counted(message, told, sender)
  ]
}

const failed = Effect.fnUntraced(function* (attempt: Any, failure: TaskFailure.TaskFailure) {
  const { context, delivery, message, next } = attempt
  const why = { exception: failure.type, error: Text.cut(failure.message, 500) }
  yield* Effect.logWarning("task failed", lineOf("failed", attempt, why))
  const told = Life.ended(attempt, "FAILURE", failure.message)
  yield* finish(context, delivery, tellFailure(context, delivery, whose(context, message), failure), next, told)
  yield* emitFailed(context, message.id, failure)
})

const revoked = Effect.fnUntraced(function* (attempt: Any, why: "revoked" | "expired" | "terminated", signum: number | null) {
  const { context, delivery, message, next } = attempt
  yield* Effect.logInfo("task revoked", lineOf("revoked", attempt, { why }))
  const steps = telling(context, delivery, whose(context, message), (whose, now) => Reply.revoked(whose, why, now))
  yield* finish(context, delivery, steps, next, Life.ended(attempt, "REVOKED", why))
  yield* context.emit(() =>
    TaskEvent.revoked(message.id, { terminated: why === "terminated", signum, expired: why === "expired" })
  )
})

const crashedTooOften = Effect.fnUntraced(function* ({ context, delivery, message }: Any) {
  const failure = TaskFailure.workerLost(`Worker exited prematurely ${message.crashes} times while it ran this task`)
  const steps = () => tellFailure(context, delivery, whose(context, message), failure)
  // To the dead letters first: the message may kill this worker as well.
  yield* buryAndTell(context, delivery, "crashed its worker", failure.message, steps)
  yield* emitFailed(context, message.id, failure)
})

const retried = Effect.fnUntraced(function* (attempt: Any, later: RetryLater) {
  const { context, delivery, message, name, task } = attempt
  const { metrics, policy, queue, results } = context
  const delay = delaySeconds(message.retries, later, policy.backOff, yield* Random.next)
  const now = nowOf(context)
  const eta = now + delay * 1000
  const next = NewMessage.again(message, {
    tag: derivedId(message.id, `retry ${message.retries} ${now}`),
    queue: delivery.queue,
    eta,
    retries: message.retries + 1,
    uncounted: message.uncounted + (later.counted ? 0 : 1),
    // The retry finds the paid request by this property, even without the journal.
    generation: GenerationProperty.of(task.knowledge.generation)
  })
  const why = { reason: later.reason, inSeconds: Math.round(delay * 10) / 10, error: Text.cut(later.failure.message, 500) }
  yield* Effect.logInfo("task will be retried", lineOf("retried", attempt, why))
  yield* metrics.count("task_retries_total", { task: name, reason: later.reason })
  const told = Reply.retry(whose(context, message), later.failure, { delaySeconds: delay })
  if (!message.ignoreResult) yield* tried("store RETRY", results.store(told))
  const life = Life.retried(attempt, {
    reason: later.reason,
    error: later.failure.message,
    seconds: delay,
    counted: later.counted
  })
  yield* untilDone("put a retry back", queue.retry(delivery, next, eta, life))
  yield* context.emit(() => TaskEvent.retried(message.id, later.failure, told.traceback ?? ""))
})

const putBack = Effect.fnUntraced(function* (attempt: Any, reason: PutBack) {
  const { context, delivery, task } = attempt
  yield* context.pause(reason)
  const generation = GenerationProperty.of(task.knowledge.generation)
  const told = Life.handedBack(attempt, { reason: reason.reason, detail: reason.detail })
  yield* untilDone("hand a task back", context.queue.handBack(delivery, { crashed: false, generation, told }))
})

const held = Effect.fnUntraced(function* (attempt: Any, { after, reason }: NotYet) {
  const { context, name } = attempt
  const isFirst = isNews(context.vitals, `parked: ${reason}`, nowOf(context))
  yield* Effect.logWithLevel(isFirst ? "Info" : "Debug")("task parked for a moment", {
    event: "parked",
    reason,
    forSeconds: after
  })
  yield* context.metrics.count("tasks_held_total", { task: name, reason })
  // With jitter, so that tasks that wait for the same thing do not return at the same instant.
  const spread = (yield* Random.next) * Math.max(1, after * 0.25)
  yield* park(attempt, nowOf(context) + (after + spread) * 1000, { reason, detail: "" })
})

const parked = Effect.fnUntraced(function* (attempt: Any, blocked: Blocked) {
  const { context, name, task } = attempt
  yield* Effect.logDebug("task parked", { event: "parked", by: blocked.by, why: blocked.why })
  const { reason } = blocked
  yield* context.metrics.count("tasks_held_total", { task: name, reason })
  const at = meet(context.vitals, blocked, nowOf(context))
  const isPaid = GenerationProperty.of(task.knowledge.generation)?.["requestId"] !== undefined
  const why = { reason, detail: `${blocked.by}: ${blocked.why}` }
  yield* isPaid ? parkPaid(attempt, at, why) : park(attempt, at, why)
})

interface Why {
  readonly reason: string
  readonly detail: string
}
const parkedUntil = (attempt: Any, at: number, why: Why) =>
  Life.parked(attempt, { ...why, seconds: Math.max(0, at - nowOf(attempt.context)) / 1000 })

/** Parks the message as it is until `at` (Unix milliseconds); no worker holds it meanwhile. */
const park = (attempt: Any, at: number, why: Why) => {
  const { context, delivery, next } = attempt
  const told = parkedUntil(attempt, at, why)
  const parking = claiming(next, (isWanted) => context.queue.hold(delivery, at, { next: isWanted, told }))
  return untilDone("hold a task until it is due", parking)
}

/** Parks it with what is known of the request it pays for, and with the mark that it has rested after its crashes. */
const parkPaid = (attempt: Any, at: number, why: Why) => {
  const { context, delivery, message, task } = attempt
  const generation = GenerationProperty.of(task.knowledge.generation)
  const tag = derivedId(message.id, `rest ${message.crashes} ${at}`)
  const next = NewMessage.later(message, { tag, queue: delivery.queue, generation })
  return untilDone("hold a task until it is due", context.queue.retry(delivery, next, at, parkedUntil(attempt, at, why)))
}

/**
 * The journal's entry cannot be read, so it is unknown whether the task is paid: this worker claims no other task until the
 * journal can be read again.
 */
const noteJournal = (context: TaskContext, { failure, reason }: RetryLater) => {
  if (reason !== JOURNAL_AWAY) return
  const { vitals } = context
  vitals.journalAway ??= { why: failure.message, since: nowOf(context) }
  vitals.noticed.openUnsafe()
}

/** The task that a result belongs to. */
export const whose = ({ policy, worker }: TaskContext, message: Message.Message): Canvas.Ended =>
  policy.extendsResults ? { ...message, extended: Reply.extended(message, worker.name) } : message

const senderOf = (context: TaskContext, ended: Canvas.Ended, { queue }: Delivery) =>
  Canvas.senderOf(ended, queue, context.worker.name, nowOf(context))

/** The steps that tell every client that waits for the task or for what was to follow it. */
const telling = (
  context: TaskContext,
  delivery: Delivery,
  ended: Canvas.Ended,
  document: (whose: Reply.Whose, now: number) => TaskResult
) => {
  const sender = senderOf(context, ended, delivery)
  return context.canvas.fail(ended, (whose) => document(whose, sender.now), sender)
}
export const tellFailure = (context: TaskContext, delivery: Delivery, ended: Canvas.Ended, failure: TaskFailure.TaskFailure) =>
  telling(context, delivery, ended, (whose, now) => Reply.failure(whose, failure, now))
export const emitFailed = ({ emit }: TaskContext, id: string, failure: TaskFailure.TaskFailure) =>
  Effect.suspend(() => emit(() => TaskEvent.failed(id, failure)))
