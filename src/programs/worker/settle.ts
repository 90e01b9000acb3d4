import { type Cause, Clock, Duration, Effect, Random } from "effect"
import { Metrics } from "../../services/Metrics.ts"
import { Publisher } from "../../services/Publisher.ts"
import { ResultStore, type TaskResult } from "../../services/ResultStore.ts"
import * as Settings from "../../services/Settings.ts"
import { type Delivery, type GivenBack, MAX_MESSAGE, TaskQueue } from "../../services/TaskQueue.ts"
import * as Text from "../../services/Text.ts"
import { WorkerIdentity } from "../../services/WorkerIdentity.ts"
import * as Canvas from "../celery/Canvas.ts"
import * as CarryOut from "../celery/canvas/carryOut.ts"
import { remains } from "../celery/canvas/remains.ts"
import type * as Message from "../celery/Message.ts"
import * as NewMessage from "../celery/NewMessage.ts"
import * as Reply from "../celery/Reply.ts"
import * as TaskEvent from "../celery/TaskEvent.ts"
import * as TaskFailure from "../celery/TaskFailure.ts"
import { derivedId } from "../derivedId.ts"
import type { PutBack, Result, RetryLater } from "../Task.ts"
import { BROKEN, defect, insist, makeEnding, tried } from "./ending.ts"

export interface Outside {
  /** Makes the worker take nothing for a while. */
  readonly pause: (reason: PutBack) => Effect.Effect<void>
  /** Tells who listens to the event stream; the event is made only when somebody does. */
  readonly emit: (event: () => TaskEvent.TaskEvent) => Effect.Effect<void>
}

/** The ways a task can end, each in this order: what follows is sent, the result stored, the message let go, the event told. */
export const makeSettle = Effect.fnUntraced(function* (outside: Outside) {
  const queue = yield* TaskQueue
  const results = yield* ResultStore
  const metrics = yield* Metrics
  const me = yield* WorkerIdentity
  const settings = yield* Settings.of("TASK_RETRY_BACKOFF", "TASK_RETRY_BACKOFF_MAX", "TASK_TRACK_STARTED", "RESULT_EXTENDED")

  const canvas = CarryOut.make(yield* Publisher, results)
  const { bury, buryAndTell, end } = makeEnding(queue, metrics)
  /** Whose result it is, as much of it as is to be told. */
  const whose = (message: Message.Message) =>
    settings.RESULT_EXTENDED ? { ...message, extended: Reply.extended(message, me.name) } : message
  const senderOf = (ended: Canvas.Ended, delivery: Delivery) =>
    Effect.map(Clock.currentTimeMillis, (now) => Canvas.senderOf(ended, delivery.queue, me.name, now))
  /** The steps that tell every client that waits for the task or for what was to follow it. */
  const telling = (delivery: Delivery, ended: Canvas.Ended, document: (whose: Reply.Whose, now: number) => TaskResult) =>
    Effect.map(senderOf(ended, delivery), (sender) => canvas.fail(ended, (whose) => document(whose, sender.now), sender))

  return {
    /**
     * Its work begins. Told, as by Celery 5.3, even where the result is to be ignored; tried once, as its end will say more.
     */
    started: (message: Message.Message) =>
      settings.TASK_TRACK_STARTED
        ? Effect.ignore(results.store(Reply.started(whose(message), me)), { log: "Warn", message: "cannot store STARTED" })
        : Effect.void,

    /** It had ended well at an earlier delivery, which may have stopped between the result and the chord it counts for. */
    acknowledge: Effect.fnUntraced(function* (delivery: Delivery, message: Message.Message, before: TaskResult) {
      const sender = yield* senderOf(message, delivery)
      yield* end(delivery, [canvas.counted(message, before, sender)])
    }),

    succeeded: Effect.fnUntraced(function* (delivery: Delivery, message: Message.Message, result: Result, runtime: number) {
      const sender = yield* senderOf(message, delivery)
      const after = Canvas.afterSuccess(message, result.value, sender)
      const told = Reply.success(whose(message), result.value, [...result.children, ...after.children], sender.now)
      yield* end(delivery, [
        // Sent before the result is stored, so that its children are complete; once, though the message may come again.
        canvas.follow(message, after, sender),
        { what: "store a result", run: message.ignoreResult ? Effect.void : results.store(told) },
        canvas.counted(message, told, sender)
      ])
      yield* outside.emit(() => TaskEvent.succeeded(message.id, result.value, runtime))
    }),

    failed: Effect.fnUntraced(function* (delivery: Delivery, message: Message.Message, failure: TaskFailure.TaskFailure) {
      yield* Effect.logWarning("task failed", { error: Text.cut(failure.message, 500) })
      yield* end(delivery, yield* telling(delivery, whose(message), (whose, now) => Reply.failure(whose, failure, now)))
      yield* outside.emit(() => TaskEvent.failed(message.id, failure))
    }),

    /** It took its worker with it too often: failed, and put aside for a person. */
    lost: Effect.fnUntraced(function* (delivery: Delivery, message: Message.Message) {
      const failure = TaskFailure.workerLost(`Worker exited prematurely ${message.crashes} times while it ran this task`)
      const steps = telling(delivery, whose(message), (whose, now) => Reply.failure(whose, failure, now))
      yield* buryAndTell(delivery, "crashed its worker", failure.message, steps)
      yield* outside.emit(() => TaskEvent.failed(message.id, failure))
    }),

    /** Nobody foresaw it, so that nothing can be relied on but the bytes of the message. `message` undefined: not even read. */
    broken: Effect.fnUntraced(function* (delivery: Delivery, message: Message.Message | undefined, cause: Cause.Cause<unknown>) {
      yield* Effect.logError("a message met a defect of this worker", cause)
      if (message === undefined) return yield* bury(delivery, BROKEN, defect(cause))
      const failure = TaskFailure.internalError(defect(cause))
      const steps = telling(delivery, message, (whose, now) => Reply.failure(whose, failure, now))
      yield* buryAndTell(delivery, BROKEN, failure.message, steps)
      yield* outside.emit(() => TaskEvent.failed(message.id, failure))
    }),

    /** `generation`: what is known of the request it pays for, which goes along. */
    retried: Effect.fnUntraced(function* (
      delivery: Delivery,
      message: Message.Message,
      name: string,
      later: RetryLater,
      generation: GivenBack["generation"]
    ) {
      const ceiling = Math.min(
        Duration.toSeconds(settings.TASK_RETRY_BACKOFF_MAX),
        Duration.toSeconds(settings.TASK_RETRY_BACKOFF) * 2 ** Math.min(message.retries, 30)
      )
      const delaySeconds = Math.max(later.atLeast, (yield* Random.next) * ceiling)
      const now = yield* Clock.currentTimeMillis
      const eta = now + delaySeconds * 1000
      const next = NewMessage.again(message, {
        tag: derivedId(message.id, `retry ${message.retries} ${now}`),
        queue: delivery.queue,
        eta,
        retries: message.retries + 1,
        uncounted: message.uncounted + (later.counted ? 0 : 1),
        generation
      })
      yield* Effect.logInfo("task will be retried", {
        reason: later.reason,
        inSeconds: Math.round(delaySeconds * 10) / 10,
        error: Text.cut(later.failure.message, 500)
      })
      yield* metrics.count("task_retries_total", { task: name, reason: later.reason })
      const told = Reply.retry(whose(message), later.failure, { delaySeconds })
      if (!message.ignoreResult) yield* tried("store RETRY", results.store(told))
      yield* insist("put a retry back", queue.retry(delivery, next, eta))
      yield* outside.emit(() => TaskEvent.retried(message.id, later.failure, told.traceback ?? ""))
    }),

    revoked: Effect.fnUntraced(function* (
      delivery: Delivery,
      message: Message.Message,
      why: "revoked" | "expired" | "terminated",
      signum: number | null
    ) {
      yield* Effect.logInfo("task revoked", { why })
      yield* end(delivery, yield* telling(delivery, whose(message), (whose, now) => Reply.revoked(whose, why, now)))
      yield* outside.emit(() =>
        TaskEvent.revoked(message.id, { terminated: why === "terminated", signum, expired: why === "expired" })
      )
    }),

    /** Until `at` (Unix milliseconds) in nobody's hands. */
    held: (delivery: Delivery, at: number) => insist("hold a task until it is due", queue.hold(delivery, at)),

    /** Held as well, but with what is known of the request it pays for, and the mark that it has rested after its crashes. */
    rested: Effect.fnUntraced(function* (
      delivery: Delivery,
      message: Message.Message,
      at: number,
      generation: GivenBack["generation"]
    ) {
      const tag = derivedId(message.id, `rest ${message.crashes} ${at}`)
      const next = NewMessage.later(message, { tag, queue: delivery.queue, generation })
      yield* insist("hold a task until it is due", queue.retry(delivery, next, at))
    }),

    putBack: Effect.fnUntraced(function* (delivery: Delivery, reason: PutBack, generation: GivenBack["generation"]) {
      yield* outside.pause(reason)
      yield* insist("hand a task back", queue.handBack(delivery, { crashed: false, generation }))
    }),

    /** Nobody can run it, and who waits for its id is told so; without an id it is put aside. */
    refused: Effect.fnUntraced(function* (delivery: Delivery, problem: Message.Unreadable | Message.Undeliverable) {
      if (problem._tag === "Unreadable") return yield* bury(delivery, "unreadable", problem.problem)
      yield* Effect.logWarning("message refused", { id: problem.id, error: Text.cut(problem.failure.message, 500) })
      const ended = yield* remains(delivery.raw, problem.id)
      yield* end(delivery, yield* telling(delivery, ended, (whose, now) => Reply.failure(whose, problem.failure, now)))
      yield* outside.emit(() => TaskEvent.failed(problem.id, problem.failure))
    }),

    /** The claim has made it a dead letter already. What is left is to tell the client that waits for its id, where the id could be read. */
    tooLarge: Effect.fnUntraced(function* (
      delivery: Delivery,
      bytes: number,
      problem: Message.Unreadable | Message.Undeliverable
    ) {
      const failure = TaskFailure.decodeError(`message: ${bytes} bytes, at most ${MAX_MESSAGE} are read`)
      if (problem._tag === "Unreadable") return yield* bury(delivery, "too large", failure.message)
      const { id } = problem
      const ended = yield* remains(delivery.raw, id)
      const steps = telling(delivery, ended, (whose, now) => Reply.failure(whose, failure, now))
      yield* buryAndTell(delivery, "too large", failure.message, steps)
      yield* outside.emit(() => TaskEvent.failed(id, failure))
    })
  }
})
