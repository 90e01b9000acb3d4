import { Cause, Clock, Deferred, Duration, Effect, Exit, Latch, Option, Random } from "effect"
import { Metrics } from "../../services/Metrics.ts"
import { ResultStore } from "../../services/ResultStore.ts"
import * as Settings from "../../services/Settings.ts"
import type { Claimed, Delivery } from "../../services/TaskQueue.ts"
import { type Request, Vitals } from "../../services/Vitals.ts"
import * as Message from "../celery/Message.ts"
import { requestOf } from "../celery/Request.ts"
import * as TaskEvent from "../celery/TaskEvent.ts"
import * as TaskFailure from "../celery/TaskFailure.ts"
import { withTimeLimits } from "../pool/TimeLimits.ts"
import type { Failure, Program, Result, Task } from "../Task.ts"
import { permit, revocation, signumOf } from "./orders.ts"
import { insist, makeSettle, type Outside } from "./settle.ts"

/** A message whose worker died this often while holding it is not run again. */
const MAX_CRASHES = 3

const seconds = (first: number | null, second: number | null | undefined, setting: Duration.Duration) => {
  const own = first ?? second ?? null
  // 0 is no limit of its own, as in Celery.
  return own === null || own <= 0 ? setting : Duration.seconds(own)
}

/**
 * One task's life, from the claimed message to the acknowledgement. It never fails: whatever happens ends in one of the rows
 * of product.md 6. `"spent"` says that work was left behind at the hard limit.
 */
export const makePerform = Effect.fnUntraced(function* <R>(
  programs: ReadonlyMap<string, Program<R>>,
  pause: Outside["pause"],
  emit: Outside["emit"] = () => Effect.void
) {
  const results = yield* ResultStore
  const metrics = yield* Metrics
  const vitals = yield* Vitals
  const settings = yield* Settings.of("TASK_SOFT_TIME_LIMIT", "TASK_TIME_LIMIT", "TASK_MAX_RETRIES", "TIMEZONE")
  const settle = yield* makeSettle({ pause, emit })

  const ended = Effect.fnUntraced(function* (name: string, outcome: string, startedAt: number) {
    vitals.processed++
    yield* metrics.count("tasks_total", { task: name, outcome })
    yield* metrics.observe("task_duration_seconds", { task: name }, ((yield* Clock.currentTimeMillis) - startedAt) / 1000)
  })

  const hardLimit = (message: Message.Message) =>
    seconds(message.limits.hard, vitals.timeLimits.get(message.task)?.hard, settings.TASK_TIME_LIMIT)
  const taskOf = (message: Message.Message, delivery: Delivery): Task => ({
    id: message.id,
    args: message.args,
    kwargs: message.kwargs,
    queue: delivery.queue,
    rootId: message.rootId,
    retries: message.retries,
    timeLimit: Duration.toSeconds(hardLimit(message))
  })

  /** Behind the back of a task that has ended for good, though its last run or one before it may have left something at fal. */
  const abandon = (delivery: Delivery, message: Message.Message, over: Effect.Effect<unknown> = Effect.void) =>
    Effect.suspend(() => {
      const ending = programs.get(message.task)?.abandon?.(taskOf(message, delivery)) ?? Effect.void
      return Effect.asVoid(Effect.forkDetach(Effect.ignore(Effect.andThen(over, ending))))
    })

  /** Runs the program within its limits; a revoke with terminate ends it early, and the request to fal with it. */
  const run = (program: Program<R>, message: Message.Message, delivery: Delivery, request: Request, hard: Duration.Duration) => {
    const task = taskOf(message, delivery)
    // A submit that is on its way is not cut short: what came of it is known when the run is over.
    const over = Latch.makeUnsafe(false)
    const abandoned = abandon(delivery, message, over.await)
    const terminated = Deferred.makeUnsafe<{ readonly signal: string }>()
    request.terminate = (signal) => Deferred.succeed(terminated, { signal })
    const salvage: Effect.Effect<Option.Option<Result>, Failure, R> = program.salvage === undefined
      ? Effect.succeedNone
      : Effect.flatMap(program.salvage(task), (done) => (done ? Effect.asSome(program.run(task)) : Effect.succeedNone))
    return withTimeLimits(Effect.ensuring(program.run(task), over.open), {
      soft: seconds(message.limits.soft, vitals.timeLimits.get(message.task)?.soft, settings.TASK_SOFT_TIME_LIMIT),
      hard,
      rescue: salvage
    }).pipe(
      Effect.map((result) => ({ _tag: "Done", result }) as const),
      Effect.raceFirst(Effect.map(Deferred.await(terminated), ({ signal }) => ({ _tag: "Terminated", signal }) as const)),
      Effect.tap((end) => (end._tag === "Terminated" ? abandoned : Effect.void)),
      Effect.tapErrorTag("HardTimeLimit", () => abandoned)
    )
  }

  const live = Effect.fnUntraced(function* (delivery: Claimed, message: Message.Message) {
    const startedAt = yield* Clock.currentTimeMillis
    if (Option.isSome(message.expires) && message.expires.value <= startedAt) {
      yield* settle.revoked(delivery, message, "expired", null)
      yield* abandon(delivery, message)
      return "reusable"
    }
    if (Option.isSome(message.eta) && message.eta.value > startedAt) {
      yield* settle.held(delivery, message.eta.value)
      return "reusable"
    }
    const request = requestOf(message, delivery)
    if (revocation(vitals, request, startedAt)) {
      yield* settle.revoked(delivery, message, "revoked", null)
      yield* abandon(delivery, message)
      return "reusable"
    }
    const program = programs.get(message.task)
    if (program === undefined) {
      yield* settle.failed(delivery, message, TaskFailure.notRegistered(message.task))
      yield* ended("unknown", "not registered", startedAt)
      return "reusable"
    }
    if (message.crashes >= MAX_CRASHES) {
      yield* settle.lost(delivery, message)
      yield* ended(program.name, "lost", startedAt)
      return "reusable"
    }
    if (message.envelope.headers["redelivered"] === true) {
      const before = yield* insist("look for an earlier result", results.get(message.id))
      if (Option.isSome(before) && before.value.status === "SUCCESS") {
        yield* settle.acknowledge(delivery, message, before.value)
        return "reusable"
      }
    }
    const wait = permit(vitals, message.task, message.id, startedAt)
    if (wait > startedAt) {
      yield* settle.held(delivery, wait)
      return "reusable"
    }

    yield* emit(() => TaskEvent.received(message, request))
    request.startedAt = startedAt / 1000
    vitals.requests.set(message.id, request)
    vitals.totals.set(message.task, (vitals.totals.get(message.task) ?? 0) + 1)
    yield* emit(() => TaskEvent.started(message.id))
    const hard = hardLimit(message)
    return yield* Effect.exit(Effect.andThen(settle.started(message), run(program, message, delivery, request, hard))).pipe(
      Effect.tap((exit) => observeWait(delivery, message, program.name, exit, startedAt)),
      Effect.flatMap((exit) => conclude(delivery, message, program.name, exit, startedAt, hard)),
      Effect.ensuring(Effect.sync(() => vitals.requests.delete(message.id)))
    )
  })

  type End = Effect.Success<ReturnType<typeof run>>
  type Broken = Effect.Error<ReturnType<typeof run>>

  /** Known only at the end: what was put aside for a moment did not start yet, and one task is to count once. */
  const observeWait = Effect.fnUntraced(function* (
    delivery: Claimed,
    message: Message.Message,
    name: string,
    exit: Exit.Exit<End, Broken>,
    startedAt: number
  ) {
    // What comes again came first at a time that nobody has kept.
    if (message.envelope.headers["redelivered"] === true) return
    if (Option.getOrUndefined(Exit.findErrorOption(exit))?._tag === "NotYet") return
    const due = Option.getOrElse(message.eta, () => 0)
    const waited = startedAt - Math.max(delivery.seenSince, due)
    yield* metrics.observe("queue_wait_seconds", { task: name }, Math.max(0, waited) / 1000)
  })

  const conclude = Effect.fnUntraced(function* (
    delivery: Delivery,
    message: Message.Message,
    name: string,
    exit: Exit.Exit<End, Broken>,
    startedAt: number,
    hard: Duration.Duration
  ) {
    if (Exit.isSuccess(exit)) {
      const end = exit.value
      if (end._tag === "Terminated") {
        yield* settle.revoked(delivery, message, "terminated", signumOf(end.signal))
        yield* ended(name, "terminated", startedAt)
        return "reusable"
      }
      yield* settle.succeeded(delivery, message, end.result, ((yield* Clock.currentTimeMillis) - startedAt) / 1000)
      yield* ended(name, "succeeded", startedAt)
      return "reusable"
    }
    // Asked to stop: the message stays held, and whoever stopped us hands it back.
    if (Cause.hasInterruptsOnly(exit.cause)) return yield* Effect.interrupt
    const failure = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
    switch (failure?._tag) {
      case undefined:
        yield* Effect.logError("a task's program is broken", exit.cause)
        yield* settle.failed(
          delivery,
          message,
          TaskFailure.internalError(Cause.prettyErrors(exit.cause)[0]?.message ?? "unknown")
        )
        yield* abandon(delivery, message)
        yield* ended(name, "broken", startedAt)
        return "reusable"
      case "TaskFailure":
        yield* settle.failed(delivery, message, failure)
        yield* ended(name, "failed", startedAt)
        return "reusable"
      case "RetryLater": {
        const exhausted = failure.counted && message.retries - message.uncounted >= settings.TASK_MAX_RETRIES
        if (exhausted) yield* Effect.andThen(settle.failed(delivery, message, failure.failure), abandon(delivery, message))
        else yield* settle.retried(delivery, message, name, failure)
        yield* ended(name, exhausted ? "failed" : "retried", startedAt)
        return "reusable"
      }
      case "PutBack":
        yield* settle.putBack(delivery, failure)
        yield* ended(name, "put back", startedAt)
        return "reusable"
      case "NotYet": {
        yield* Effect.logInfo("task held for a moment", { reason: failure.reason, forSeconds: failure.after })
        yield* metrics.count("tasks_held_total", { task: name, reason: failure.reason })
        // Spread out, so that those that wait for the same thing do not come at once.
        const spread = (yield* Random.next) * Math.max(1, failure.after * 0.25)
        yield* settle.held(delivery, (yield* Clock.currentTimeMillis) + (failure.after + spread) * 1000)
        return "reusable"
      }
      case "SoftTimeLimit":
        yield* settle.failed(delivery, message, TaskFailure.softTimeLimitExceeded())
        yield* ended(name, "soft limit", startedAt)
        return "reusable"
      case "HardTimeLimit":
        yield* settle.failed(delivery, message, TaskFailure.timeLimitExceeded(Duration.toSeconds(hard)))
        yield* ended(name, "hard limit", startedAt)
        return "spent"
    }
  })

  return Effect.fn("worker.perform")(function* (delivery: Claimed): Effect.fn.Return<"reusable" | "spent", never, R> {
    const message = yield* Effect.result(Message.decode(delivery.raw, settings.TIMEZONE))
    if (message._tag === "Success") {
      return yield* Effect.annotateLogs(live(delivery, message.success), { task: message.success.task, id: message.success.id })
    }
    yield* settle.refused(delivery, message.failure)
    yield* metrics.count("tasks_total", { task: "unknown", outcome: "refused" })
    return "reusable"
  })
})
