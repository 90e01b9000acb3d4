import { Cause, Clock, Duration, Effect, Exit, Option, Random, Schedule } from "effect"
import { Metrics } from "../../services/Metrics.ts"
import { ResultStore, type TaskResult } from "../../services/ResultStore.ts"
import * as Settings from "../../services/Settings.ts"
import { type Delivery, TaskQueue } from "../../services/TaskQueue.ts"
import { Vitals } from "../../services/Vitals.ts"
import { WorkerIdentity } from "../../services/WorkerIdentity.ts"
import * as Canvas from "../celery/Canvas.ts"
import * as Message from "../celery/Message.ts"
import * as Reply from "../celery/Reply.ts"
import * as TaskFailure from "../celery/TaskFailure.ts"
import { HardTimeLimit, SoftTimeLimit, withTimeLimits } from "../pool/TimeLimits.ts"
import { derivedId } from "../derivedId.ts"
import { type Failure, type Program, type PutBack, type Result, RetryLater, type Task } from "../Task.ts"

/** A message whose worker died this often while holding it is not run again. */
const MAX_CRASHES = 3

/** Redis is asked again until it answers: nothing is acknowledged before its result is stored, and meanwhile we hold it. */
const insist = <A, E extends { readonly _tag: string }, R>(what: string, call: Effect.Effect<A, E, R>) =>
  call.pipe(
    Effect.tapError((error) => Effect.logWarning(`cannot ${what} yet`, error)),
    Effect.retry(Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("2 seconds")])),
    Effect.orDie
  )

const whose = (message: Message.Message): Reply.Whose => ({ id: message.id, group: message.group, parentId: message.parentId })
const seconds = (own: number | null, setting: Duration.Duration) => (own === null || own <= 0 ? setting : Duration.seconds(own))

/**
 * One task's life, from the claimed message to the acknowledgement. It never fails: whatever happens ends in one of the rows
 * of product.md 6. `"spent"` says that work was left behind at the hard limit.
 */
export const makePerform = Effect.fnUntraced(function* <R>(
  programs: ReadonlyMap<string, Program<R>>,
  pause: (reason: PutBack) => Effect.Effect<void>
) {
  const queue = yield* TaskQueue
  const results = yield* ResultStore
  const metrics = yield* Metrics
  const vitals = yield* Vitals
  const me = yield* WorkerIdentity
  const settings = yield* Settings.of(
    "TASK_SOFT_TIME_LIMIT",
    "TASK_TIME_LIMIT",
    "TASK_MAX_RETRIES",
    "TASK_RETRY_BACKOFF",
    "TASK_RETRY_BACKOFF_MAX"
  )

  const store = (result: TaskResult) => insist("store a result", results.store(result))
  const acknowledge = (delivery: Delivery) => insist("acknowledge", queue.acknowledge(delivery))
  const bury = Effect.fnUntraced(function* (delivery: Delivery, reason: string, error: string) {
    yield* Effect.logError("message put aside as a dead letter", { reason, error: error.slice(0, 500) })
    yield* metrics.count("dead_letters_total", { reason })
    yield* insist("put a dead letter aside", queue.bury(delivery, { reason, error }))
  })
  const ended = Effect.fnUntraced(function* (name: string, outcome: string, startedAt: number) {
    vitals.processed++
    yield* metrics.count("tasks_total", { task: name, outcome })
    yield* metrics.observe("task_duration_seconds", { task: name }, ((yield* Clock.currentTimeMillis) - startedAt) / 1000)
  })

  const succeed = Effect.fnUntraced(function* (delivery: Delivery, message: Message.Message, result: Result) {
    const after = Canvas.afterSuccess(message, result.value, delivery.queue, me.name)
    // Sent before the result is stored, so that its children are complete; once, though the message may come again.
    if (after.messages.length > 0)
      yield* insist("send what follows", queue.publishOnce(`after:${message.id}`, "", after.messages))
    const now = yield* Clock.currentTimeMillis
    for (const { id, why } of after.impossible) {
      yield* store(Reply.failure({ id, group: null, parentId: message.id }, TaskFailure.internalError(why), now))
    }
    if (!message.ignoreResult)
      yield* store(Reply.success(whose(message), result.value, [...result.children, ...after.children], now))
    yield* acknowledge(delivery)
  })

  const fail = Effect.fnUntraced(function* (delivery: Delivery, message: Message.Message, failure: TaskFailure.TaskFailure) {
    const now = yield* Clock.currentTimeMillis
    yield* Effect.logWarning("task failed", { error: failure.message.slice(0, 500) })
    yield* store(Reply.failure(whose(message), failure, now))
    for (const id of Canvas.restOfChain(message)) yield* store(Reply.failure({ id, group: null, parentId: null }, failure, now))
    yield* acknowledge(delivery)
  })

  const retry = Effect.fnUntraced(function* (delivery: Delivery, message: Message.Message, name: string, later: RetryLater) {
    const ceiling = Math.min(
      Duration.toSeconds(settings.TASK_RETRY_BACKOFF_MAX),
      Duration.toSeconds(settings.TASK_RETRY_BACKOFF) * 2 ** Math.min(message.retries, 30)
    )
    const delaySeconds = Math.max(later.atLeast, (yield* Random.next) * ceiling)
    const now = yield* Clock.currentTimeMillis
    const eta = now + delaySeconds * 1000
    const next = Message.again(message, {
      tag: derivedId(message.id, `retry ${message.retries} ${now}`),
      queue: delivery.queue,
      eta,
      retries: message.retries + 1,
      uncounted: message.uncounted + (later.counted ? 0 : 1)
    })
    yield* Effect.logInfo("task will be retried", {
      reason: later.reason,
      inSeconds: Math.round(delaySeconds * 10) / 10,
      error: later.failure.message.slice(0, 500)
    })
    yield* metrics.count("task_retries_total", { task: name, reason: later.reason })
    if (!message.ignoreResult) yield* store(Reply.retry(whose(message), later.failure, { delaySeconds }))
    yield* insist("put a retry back", queue.retry(delivery, next, eta))
  })

  const run = (program: Program<R>, message: Message.Message, delivery: Delivery) => {
    const task: Task = {
      id: message.id,
      args: message.args,
      kwargs: message.kwargs,
      queue: delivery.queue,
      rootId: message.rootId,
      retries: message.retries
    }
    const salvage: Effect.Effect<Option.Option<Result>, Failure, R> = program.salvage === undefined
      ? Effect.succeedNone
      : Effect.flatMap(program.salvage(task), (done) => (done ? Effect.asSome(program.run(task)) : Effect.succeedNone))
    return withTimeLimits(program.run(task), {
      soft: seconds(message.limits.soft, settings.TASK_SOFT_TIME_LIMIT),
      hard: seconds(message.limits.hard, settings.TASK_TIME_LIMIT),
      rescue: salvage
    }).pipe(Effect.annotateLogs({ task: program.name, id: message.id }))
  }

  /** The last word on a task whose program failed. */
  const settleFailure = Effect.fnUntraced(function* (
    delivery: Delivery,
    message: Message.Message,
    name: string,
    failure: Failure | SoftTimeLimit | HardTimeLimit
  ) {
    switch (failure._tag) {
      case "TaskFailure":
        yield* fail(delivery, message, failure)
        return "failed"
      case "RetryLater":
        if (failure.counted && message.retries - message.uncounted >= settings.TASK_MAX_RETRIES) {
          yield* fail(delivery, message, failure.failure)
          return "failed"
        }
        yield* retry(delivery, message, name, failure)
        return "retried"
      case "PutBack":
        yield* pause(failure)
        yield* insist("hand a task back", queue.handBack(delivery, { crashed: false }))
        return "put back"
      case "SoftTimeLimit":
        yield* fail(delivery, message, TaskFailure.softTimeLimitExceeded())
        return "soft limit"
      case "HardTimeLimit":
        yield* fail(
          delivery,
          message,
          TaskFailure.timeLimitExceeded(String(message.limits.hard ?? Duration.toSeconds(settings.TASK_TIME_LIMIT)))
        )
        return "hard limit"
    }
  })

  const live = Effect.fnUntraced(function* (delivery: Delivery, message: Message.Message) {
    const startedAt = yield* Clock.currentTimeMillis
    if (Option.isSome(message.expires) && message.expires.value <= startedAt) {
      yield* store(Reply.revoked(whose(message), "expired", startedAt))
      yield* acknowledge(delivery)
      yield* metrics.count("tasks_total", { task: "any", outcome: "expired" })
      return "reusable"
    }
    if (Option.isSome(message.eta) && message.eta.value > startedAt) {
      yield* insist("hold a task until it is due", queue.hold(delivery, message.eta.value))
      return "reusable"
    }
    const program = programs.get(message.task)
    if (program === undefined) {
      yield* fail(delivery, message, TaskFailure.notRegistered(message.task))
      yield* ended("unknown", "not registered", startedAt)
      return "reusable"
    }
    if (message.crashes >= MAX_CRASHES) {
      const lost = TaskFailure.workerLost(`Worker exited prematurely ${message.crashes} times while it ran this task`)
      yield* store(Reply.failure(whose(message), lost, startedAt))
      yield* bury(delivery, "crashed its worker", lost.message)
      yield* ended(program.name, "lost", startedAt)
      return "reusable"
    }
    if (message.envelope.headers["redelivered"] === true) {
      const before = yield* insist("look for an earlier result", results.get(message.id))
      if (Option.isSome(before) && before.value.status === "SUCCESS") {
        yield* acknowledge(delivery)
        return "reusable"
      }
    }
    vitals.running.add(message.id)
    const exit = yield* Effect.exit(run(program, message, delivery)).pipe(
      Effect.ensuring(Effect.sync(() => vitals.running.delete(message.id)))
    )
    if (Exit.isSuccess(exit)) {
      yield* succeed(delivery, message, exit.value)
      yield* ended(program.name, "succeeded", startedAt)
      return "reusable"
    }
    // Asked to stop: the message stays held, and whoever stopped us hands it back.
    if (Cause.hasInterruptsOnly(exit.cause)) return yield* Effect.interrupt
    const failure = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
    if (failure === undefined) {
      yield* Effect.logError("a task's program is broken", exit.cause)
      yield* fail(delivery, message, TaskFailure.internalError(Cause.prettyErrors(exit.cause)[0]?.message ?? "unknown"))
      yield* ended(program.name, "broken", startedAt)
      return "reusable"
    }
    yield* ended(program.name, yield* settleFailure(delivery, message, program.name, failure), startedAt)
    return failure._tag === "HardTimeLimit" ? "spent" : "reusable"
  })

  return Effect.fn("worker.perform")(function* (delivery: Delivery): Effect.fn.Return<"reusable" | "spent", never, R> {
    const message = yield* Effect.result(Message.decode(delivery.raw))
    if (message._tag === "Success")
      return yield* Effect.annotateLogs(live(delivery, message.success), { task: message.success.task, id: message.success.id })
    const problem = message.failure
    if (problem._tag === "Unreadable") yield* bury(delivery, "unreadable", problem.problem)
    else {
      yield* Effect.logWarning("message refused", { id: problem.id, error: problem.failure.message.slice(0, 500) })
      yield* store(
        Reply.failure({ id: problem.id, group: null, parentId: null }, problem.failure, yield* Clock.currentTimeMillis)
      )
      yield* acknowledge(delivery)
      yield* metrics.count("tasks_total", { task: "unknown", outcome: "refused" })
    }
    return "reusable"
  })
})
