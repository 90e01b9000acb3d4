import { Clock, Duration, Effect, Random } from "effect"
import { Metrics } from "../../services/Metrics.ts"
import { ResultStore, type TaskResult } from "../../services/ResultStore.ts"
import { type Delivery, TaskQueue } from "../../services/TaskQueue.ts"
import * as Text from "../../services/Text.ts"
import { Vitals } from "../../services/Vitals.ts"
import { WorkerIdentity } from "../../services/WorkerIdentity.ts"
import * as Canvas from "../celery/Canvas.ts"
import * as CarryOut from "../celery/canvas/carryOut.ts"
import type * as Message from "../celery/Message.ts"
import * as NewMessage from "../celery/NewMessage.ts"
import * as Reply from "../celery/Reply.ts"
import * as TaskEvent from "../celery/TaskEvent.ts"
import * as TaskFailure from "../celery/TaskFailure.ts"
import { derivedId } from "../derivedId.ts"
import * as Carried from "../generation/Carried.ts"
import { type Blocked, JOURNAL_AWAY, type NotYet, type PutBack, type Result, type RetryLater } from "../Task.ts"
import type { Refusal } from "./admission.ts"
import type { Attempt } from "./Attempt.ts"
import type { Ending } from "./ending.ts"
import { buryAndTell, claiming, defect, finish } from "./finish.ts"
import { insist, tried } from "./insist.ts"
import { meet } from "./obstacles.ts"
import { signumOf } from "./orders.ts"
import { Outside, Policy } from "./Outside.ts"
import { delaySeconds } from "./retryPolicy.ts"

/**
 * What becomes of a task that is not run now, and of one whose run has ended. Each in this order: what follows is sent, the result
 * stored, the message given up, the event told.
 */

/** When a task is looked at again of which the journal could not say how far it has got (milliseconds). */
const UNKNOWN = 5000
/** And one that this worker has in hand already. */
const IN_HAND = 5000

/** The program is not asked any more. */
type Any = Omit<Attempt<never>, "program">

/** It is not run now. */
export const refused = Effect.fnUntraced(function* (attempt: Any, refusal: Refusal) {
  const { delivery, message, startedAt } = attempt
  switch (refusal._tag) {
    case "StandingUnknown":
      yield* Effect.logWarning("the journal does not say how far a task has got: it waits")
      return yield* park(attempt, startedAt + UNKNOWN)
    case "AlreadyRunning":
      return yield* park(attempt, startedAt + IN_HAND)
    case "NotDue":
    case "RateLimited":
      return yield* park(attempt, refusal.at)
    case "Expired":
      return yield* revoked(attempt, "expired", null)
    case "Revoked":
      return yield* revoked(attempt, "revoked", null)
    case "NotRegistered":
      return yield* failed(attempt, TaskFailure.notRegistered(message.task))
    case "CrashedTooOften":
      return yield* crashedTooOften(attempt)
    case "RestsAfterCrashes":
      yield* Effect.logWarning("workers died over a task whose picture is paid: it is taken up again later", {
        crashes: message.crashes,
        inSeconds: refusal.seconds
      })
      return yield* parkPaid(attempt, startedAt + refusal.seconds * 1000)
    case "AlreadySucceeded": {
      // That delivery may have stopped between the result and the chord it counts for.
      const canvas = yield* CarryOut.canvas
      const sender = yield* senderOf(message, delivery)
      return yield* finish(delivery, canvas.counted(message, refusal.before, sender), attempt.next)
    }
  }
})

/** Its run has ended. */
export const ended = Effect.fnUntraced(function* (attempt: Any, ending: Exclude<Ending, { _tag: "Interrupted" }>) {
  switch (ending._tag) {
    case "Succeeded":
      return yield* succeeded(attempt, ending.result)
    case "Terminated":
      return yield* revoked(attempt, "terminated", signumOf(ending.signal))
    case "Failed":
      return yield* failed(attempt, ending.failure)
    case "Exhausted":
      yield* noteJournal(ending.later)
      return yield* failed(attempt, ending.later.failure)
    case "Retry":
      yield* noteJournal(ending.later)
      return yield* retried(attempt, ending.later)
    case "PutBack":
      return yield* putBack(attempt, ending.reason)
    case "Held":
      return yield* held(attempt, ending.until)
    case "Parked":
      return yield* parked(attempt, ending.by)
    case "SoftLimit":
      return yield* failed(attempt, TaskFailure.softTimeLimitExceeded())
    case "HardLimit":
      return yield* failed(attempt, TaskFailure.timeLimitExceeded(Duration.toSeconds(attempt.limits.hard)))
    case "Broken":
      yield* Effect.logError("a task's program is broken", ending.cause)
      return yield* failed(attempt, TaskFailure.internalError(defect(ending.cause)))
  }
})

/** Its work begins: told, as by Celery 5.3, even where the result is to be ignored; tried once, as its end will say more. */
export const started = Effect.fnUntraced(function* ({ message }: Any) {
  const results = yield* ResultStore
  const told = Reply.started(yield* whose(message), yield* WorkerIdentity)
  yield* Effect.ignore(results.store(told), { log: "Warn", message: "cannot store STARTED" })
})

const succeeded = Effect.fnUntraced(function* ({ delivery, message, next, startedAt }: Any, { children, value }: Result) {
  const { emit } = yield* Outside
  const about = yield* whose(message)
  const now = yield* Clock.currentTimeMillis
  if (Canvas.isAlone(message)) {
    yield* finish(delivery, message.ignoreResult ? [] : [CarryOut.stored(Reply.success(about, value, children, now))], next)
  } else {
    const canvas = yield* CarryOut.canvas
    const sender = yield* senderOf(message, delivery)
    const after = Canvas.afterSuccess(message, value, sender)
    const told = Reply.success(about, value, [...children, ...after.children], now)
    yield* finish(
      delivery,
      [
        // Sent before the result is stored, so that its children are complete; once, though the message may come again.
        ...canvas.follow(message, after, sender),
        ...(message.ignoreResult ? [] : [CarryOut.stored(told)]),
        ...canvas.counted(message, told, sender)
      ],
      next
    )
  }
  yield* emit(() => TaskEvent.succeeded(message.id, value, (now - startedAt) / 1000))
})

const failed = Effect.fnUntraced(function* ({ delivery, message, next }: Any, failure: TaskFailure.TaskFailure) {
  yield* Effect.logWarning("task failed", { error: Text.cut(failure.message, 500) })
  yield* finish(delivery, yield* tellFailure(delivery, yield* whose(message), failure), next)
  yield* emitFailed(message.id, failure)
})

const revoked = Effect.fnUntraced(function* (
  { delivery, message, next }: Any,
  why: "revoked" | "expired" | "terminated",
  signum: number | null
) {
  const { emit } = yield* Outside
  yield* Effect.logInfo("task revoked", { why })
  const steps = yield* telling(delivery, yield* whose(message), (whose, now) => Reply.revoked(whose, why, now))
  yield* finish(delivery, steps, next)
  yield* emit(() => TaskEvent.revoked(message.id, { terminated: why === "terminated", signum, expired: why === "expired" }))
})

const crashedTooOften = Effect.fnUntraced(function* ({ delivery, message }: Any) {
  const failure = TaskFailure.workerLost(`Worker exited prematurely ${message.crashes} times while it ran this task`)
  const steps = tellFailure(delivery, yield* whose(message), failure)
  // Put aside for a person before anybody is told: it may end this worker too.
  yield* buryAndTell(delivery, "crashed its worker", failure.message, steps)
  yield* emitFailed(message.id, failure)
})

const retried = Effect.fnUntraced(function* ({ delivery, message, name, task }: Any, later: RetryLater) {
  const queue = yield* TaskQueue
  const results = yield* ResultStore
  const metrics = yield* Metrics
  const { emit } = yield* Outside
  const { backOff } = yield* Policy
  const delay = delaySeconds(message.retries, later, backOff, yield* Random.next)
  const now = yield* Clock.currentTimeMillis
  const eta = now + delay * 1000
  const next = NewMessage.again(message, {
    tag: derivedId(message.id, `retry ${message.retries} ${now}`),
    queue: delivery.queue,
    eta,
    retries: message.retries + 1,
    uncounted: message.uncounted + (later.counted ? 0 : 1),
    // What is known of the request it pays for goes along.
    generation: Carried.of(task.knowledge.generation)
  })
  yield* Effect.logInfo("task will be retried", {
    reason: later.reason,
    inSeconds: Math.round(delay * 10) / 10,
    error: Text.cut(later.failure.message, 500)
  })
  yield* metrics.count("task_retries_total", { task: name, reason: later.reason })
  const told = Reply.retry(yield* whose(message), later.failure, { delaySeconds: delay })
  if (!message.ignoreResult) yield* tried("store RETRY", results.store(told))
  yield* insist("put a retry back", queue.retry(delivery, next, eta))
  yield* emit(() => TaskEvent.retried(message.id, later.failure, told.traceback ?? ""))
})

const putBack = Effect.fnUntraced(function* ({ delivery, task }: Any, reason: PutBack) {
  const queue = yield* TaskQueue
  const { pause } = yield* Outside
  yield* pause(reason)
  const generation = Carried.of(task.knowledge.generation)
  yield* insist("hand a task back", queue.handBack(delivery, { crashed: false, generation }))
})

const held = Effect.fnUntraced(function* (attempt: Any, { after, reason }: NotYet) {
  const metrics = yield* Metrics
  yield* Effect.logInfo("task held for a moment", { reason, forSeconds: after })
  yield* metrics.count("tasks_held_total", { task: attempt.name, reason })
  // Spread out, so that those that wait for the same thing do not come at once.
  const spread = (yield* Random.next) * Math.max(1, after * 0.25)
  yield* park(attempt, (yield* Clock.currentTimeMillis) + (after + spread) * 1000)
})

const parked = Effect.fnUntraced(function* (attempt: Any, blocked: Blocked) {
  const metrics = yield* Metrics
  const vitals = yield* Vitals
  yield* Effect.logDebug("task parked", { by: blocked.by, why: blocked.why })
  yield* metrics.count("tasks_held_total", { task: attempt.name, reason: blocked.serious ? "closed" : "fal busy" })
  const at = meet(vitals, blocked, yield* Clock.currentTimeMillis)
  const isPaid = Carried.of(attempt.task.knowledge.generation)?.["requestId"] !== undefined
  yield* isPaid ? parkPaid(attempt, at) : park(attempt, at)
})

/** Parks the message as it is until `at` (Unix milliseconds); no worker holds it meanwhile. */
const park = Effect.fnUntraced(function* ({ delivery, next }: Any, at: number) {
  const queue = yield* TaskQueue
  const parking = claiming(next, (isWanted) => queue.hold(delivery, at, { next: isWanted }))
  yield* insist("hold a task until it is due", parking)
})

/** Parks it with what is known of the request it pays for, and with the mark that it has rested after its crashes. */
const parkPaid = Effect.fnUntraced(function* ({ delivery, message, task }: Any, at: number) {
  const queue = yield* TaskQueue
  const generation = Carried.of(task.knowledge.generation)
  const tag = derivedId(message.id, `rest ${message.crashes} ${at}`)
  const next = NewMessage.later(message, { tag, queue: delivery.queue, generation })
  yield* insist("hold a task until it is due", queue.retry(delivery, next, at))
})

/** Nobody could read whether it is paid: no further task is taken before somebody can. */
const noteJournal = Effect.fnUntraced(function* ({ failure, reason }: RetryLater) {
  if (reason !== JOURNAL_AWAY) return
  const vitals = yield* Vitals
  vitals.journalAway ??= { why: failure.message, since: yield* Clock.currentTimeMillis }
  vitals.noticed.openUnsafe()
})

/** Whose result it is, as much of it as is to be told. */
export const whose = (message: Message.Message) =>
  Effect.flatMap(Policy, ({ extendsResults }): Effect.Effect<Canvas.Ended, never, WorkerIdentity> =>
    extendsResults
      ? Effect.map(WorkerIdentity, ({ name }) => ({ ...message, extended: Reply.extended(message, name) }))
      : Effect.succeed(message)
  )

const senderOf = (ended: Canvas.Ended, { queue }: Delivery) =>
  Effect.flatMap(WorkerIdentity, ({ name }) =>
    Effect.map(Clock.currentTimeMillis, (now) => Canvas.senderOf(ended, queue, name, now))
  )

/** The steps that tell every client that waits for the task or for what was to follow it. */
const telling = Effect.fnUntraced(function* (
  delivery: Delivery,
  ended: Canvas.Ended,
  document: (whose: Reply.Whose, now: number) => TaskResult
) {
  const canvas = yield* CarryOut.canvas
  const sender = yield* senderOf(ended, delivery)
  return canvas.fail(ended, (whose) => document(whose, sender.now), sender)
})
export const tellFailure = (delivery: Delivery, ended: Canvas.Ended, failure: TaskFailure.TaskFailure) =>
  telling(delivery, ended, (whose, now) => Reply.failure(whose, failure, now))
export const emitFailed = (id: string, failure: TaskFailure.TaskFailure) =>
  Effect.flatMap(Outside, ({ emit }) => emit(() => TaskEvent.failed(id, failure)))
