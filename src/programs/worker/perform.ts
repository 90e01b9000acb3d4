import { Cause, Clock, Duration, Effect, Exit, Fiber, Option, Random } from "effect"
import { Metrics } from "../../services/Metrics.ts"
import { ResultStore } from "../../services/ResultStore.ts"
import * as Settings from "../../services/Settings.ts"
import type { Claimed, Delivery } from "../../services/TaskQueue.ts"
import * as Text from "../../services/Text.ts"
import { type Request, Vitals } from "../../services/Vitals.ts"
import * as Message from "../celery/Message.ts"
import { requestOf } from "../celery/Request.ts"
import * as TaskEvent from "../celery/TaskEvent.ts"
import * as TaskFailure from "../celery/TaskFailure.ts"
import * as Carried from "../generation/Carried.ts"
import { Begin, JOURNAL_AWAY, type Knowledge, nothingKnown, type Program, standingOf, type Task } from "../Task.ts"
import { afterCrashes } from "./crashes.ts"
import { begun, meet } from "./obstacles.ts"
import { leavePlace, permit, revocation, signumOf } from "./orders.ts"
import { type Ended, isAside, limitsOf, run } from "./run.ts"
import { insist } from "./ending.ts"
import { makeSettle, type Outside } from "./settle.ts"

/** When a task is looked at again of which the journal could not say how far it has got (milliseconds). */
const UNKNOWN = 5000
/** And one that this worker has in hand already. */
const IN_HAND = 5000

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

  const limits = (message: Message.Message) => limitsOf(message.limits, vitals.timeLimits.get(message.task), settings)
  const taskOf = (message: Message.Message, delivery: Delivery, knowledge: Knowledge): Task => ({
    id: message.id,
    args: message.args,
    kwargs: message.kwargs,
    queue: delivery.queue,
    priority: message.priority,
    rootId: message.rootId,
    retries: message.retries,
    timeLimit: Duration.toSeconds(limits(message).hard),
    digest: message.digest,
    knowledge
  })

  /** Behind the back of a task that has ended for good, though its last run or one before it may have left something at fal. */
  const abandon = (task: Task, name: string, over: Effect.Effect<unknown> = Effect.void) =>
    Effect.suspend(() => {
      const ending = programs.get(name)?.abandon?.(task) ?? Effect.void
      return Effect.asVoid(Effect.forkDetach(Effect.ignore(Effect.andThen(over, ending))))
    })

  /**
   * Told once, when its work begins: only then has a task been received and started for who listens or counts, and used up its
   * turn at the rate limit. One put aside before has not been seen by anybody, and comes again as if for the first time. The work
   * does not wait for STARTED to be stored, only its end does.
   */
  const beginning = (message: Message.Message, request: Request) =>
    Effect.gen(function* () {
      leavePlace(vitals, message.task, message.id)
      begun(vitals)
      vitals.totals.set(message.task, (vitals.totals.get(message.task) ?? 0) + 1)
      yield* emit(() => TaskEvent.received(message, request))
      yield* emit(() => TaskEvent.started(message.id))
      return yield* Effect.forkDetach(settle.started(message), { startImmediately: true })
    }).pipe(Effect.uninterruptible, Effect.cached)

  const live = Effect.fnUntraced(function* (delivery: Claimed, message: Message.Message, knowledge: Knowledge) {
    const startedAt = yield* Clock.currentTimeMillis
    Object.assign(knowledge, { id: message.id, generation: Carried.read(message.generation, message.digest) })
    const task = taskOf(message, delivery, knowledge)
    const program = programs.get(message.task)
    const isExpired = Option.isSome(message.expires) && message.expires.value <= startedAt
    const isRedelivered = message.envelope.headers["redelivered"] === true
    const isBack = isRedelivered || message.retries > 0 || message.generation !== undefined
    // One that comes for the first time and in time has not begun.
    const found = isExpired || isBack ? yield* Effect.option(standingOf(program, task)) : Option.some("nothing" as const)
    if (Option.isNone(found)) {
      yield* Effect.logWarning("the journal does not say how far a task has got: it waits")
      yield* settle.held(delivery, startedAt + UNKNOWN)
      return "reusable"
    }
    const standing = found.value
    const hasBegun = standing === "asked" || standing === "paid" || standing === "done"
    if (isExpired && !hasBegun) {
      yield* settle.revoked(delivery, message, "expired", null)
      yield* abandon(task, message.task)
      return "reusable"
    }
    if (Option.isSome(message.eta) && message.eta.value > startedAt) {
      yield* settle.held(delivery, message.eta.value)
      return "reusable"
    }
    const request = requestOf(message, delivery)
    if (revocation(vitals, request, startedAt)) {
      yield* settle.revoked(delivery, message, "revoked", null)
      yield* abandon(task, message.task)
      return "reusable"
    }
    if (program === undefined) {
      yield* settle.failed(delivery, message, TaskFailure.notRegistered(message.task))
      yield* ended("unknown", "not registered", startedAt)
      return "reusable"
    }
    const next = afterCrashes(message, standing)
    if (next === "lost") {
      yield* settle.lost(delivery, message)
      yield* ended(program.name, "lost", startedAt)
      return "reusable"
    }
    if (next !== "run") {
      yield* Effect.logWarning("workers died over a task whose picture is paid: it is taken up again later", {
        crashes: message.crashes,
        inSeconds: next.restFor
      })
      yield* settle.rested(delivery, message, startedAt + next.restFor * 1000, Carried.of(knowledge.generation))
      return "reusable"
    }
    // A success is none of ours where our picture is not there yet, or the success is another task's of this id.
    if (isRedelivered && (standing === "nothing" || standing === "done")) {
      const before = yield* insist(
        "look for an earlier result",
        // A document that is none of ours, or not one at all, tells nothing.
        Effect.catchIf(
          results.get(message.id),
          ({ operation }) => operation === "read",
          () => Effect.succeedNone
        )
      )
      if (Option.isSome(before) && before.value.status === "SUCCESS") {
        yield* settle.acknowledge(delivery, message, before.value)
        return "reusable"
      }
    }
    // Sent twice; or Redis has forgotten that we hold it, and what the run that goes on here knows of its request.
    if ((vitals.requests.get(message.id)?.startedAt ?? null) !== null) {
      yield* settle.held(delivery, startedAt + IN_HAND)
      return "reusable"
    }
    // What has begun has had its turn.
    const wait = hasBegun ? startedAt : permit(vitals, message.task, { id: message.id, tag: delivery.tag }, startedAt)
    if (wait > startedAt) {
      yield* settle.held(delivery, wait)
      return "reusable"
    }

    request.startedAt = startedAt / 1000
    vitals.requests.set(message.id, request)
    const within = limits(message)
    const begin = yield* beginning(message, request)
    const running = run(program, task, request, within, (over) => abandon(task, message.task, over)).pipe(
      Effect.provideService(Begin, begin)
    )
    return yield* Effect.exit(program.waits === true ? running : Effect.andThen(begin, running)).pipe(
      Effect.tap((exit) => observeWait(delivery, message, program.name, exit, startedAt)),
      // What fails before its turn comes has begun too.
      Effect.tap((exit) => (isAside(exit) ? Effect.void : Effect.flatMap(begin, Fiber.await))),
      Effect.flatMap((exit) => conclude(delivery, message, task, program.name, exit, startedAt, within.hard)),
      Effect.ensuring(Effect.sync(() => vitals.requests.delete(message.id)))
    )
  })

  /** Known only at the end: what was put aside for a moment did not start yet, and one task is to count once. */
  const observeWait = Effect.fnUntraced(function* (
    delivery: Claimed,
    message: Message.Message,
    name: string,
    exit: Ended,
    startedAt: number
  ) {
    // What comes again came first at a time that nobody has kept.
    if (message.envelope.headers["redelivered"] === true) return
    const failure = Option.getOrUndefined(Exit.findErrorOption(exit))
    if (failure?._tag === "NotYet" || failure?._tag === "Blocked") return
    const due = Option.getOrElse(message.eta, () => 0)
    const waited = startedAt - Math.max(delivery.seenSince, due)
    yield* metrics.observe("queue_wait_seconds", { task: name }, Math.max(0, waited) / 1000)
  })

  const conclude = Effect.fnUntraced(function* (
    delivery: Delivery,
    message: Message.Message,
    task: Task,
    name: string,
    exit: Ended,
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
        yield* abandon(task, message.task)
        yield* ended(name, "broken", startedAt)
        return "reusable"
      case "TaskFailure":
        yield* settle.failed(delivery, message, failure)
        yield* ended(name, "failed", startedAt)
        return "reusable"
      case "RetryLater": {
        if (failure.reason === JOURNAL_AWAY) {
          vitals.journalAway ??= { why: failure.failure.message, since: yield* Clock.currentTimeMillis }
          vitals.noticed.openUnsafe()
        }
        const exhausted = failure.counted && message.retries - message.uncounted >= settings.TASK_MAX_RETRIES
        if (exhausted) yield* Effect.andThen(settle.failed(delivery, message, failure.failure), abandon(task, message.task))
        else yield* settle.retried(delivery, message, name, failure, Carried.of(task.knowledge.generation))
        yield* ended(name, exhausted ? "failed" : "retried", startedAt)
        return "reusable"
      }
      case "PutBack":
        yield* settle.putBack(delivery, failure, Carried.of(task.knowledge.generation))
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
      case "Blocked": {
        yield* Effect.logDebug("task parked", { by: failure.by, why: failure.why })
        yield* metrics.count("tasks_held_total", { task: name, reason: failure.serious ? "closed" : "fal busy" })
        const at = meet(vitals, failure, yield* Clock.currentTimeMillis)
        const generation = Carried.of(task.knowledge.generation)
        yield* generation?.["requestId"] === undefined
          ? settle.held(delivery, at)
          : settle.rested(delivery, message, at, generation)
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

  return Effect.fn("worker.perform")(function* (
    delivery: Claimed,
    knowledge: Knowledge = nothingKnown()
  ): Effect.fn.Return<"reusable" | "spent", never, R> {
    let read: Message.Message | undefined
    return yield* Effect.gen(function* () {
      const message = yield* Effect.result(Message.decode(delivery.raw, settings.TIMEZONE))
      if (message._tag === "Success") {
        read = message.success
        return yield* Effect.annotateLogs(live(delivery, read, knowledge), { task: Text.cut(read.task, 200), id: read.id })
      }
      if (delivery.tooLarge === undefined) yield* settle.refused(delivery, message.failure)
      else yield* settle.tooLarge(delivery, delivery.tooLarge, message.failure)
      yield* metrics.count("tasks_total", { task: "unknown", outcome: "refused" })
      return "reusable"
    }).pipe(
      // A child that crashed over it would take the same message again, and the worker with it in the end.
      Effect.catchCauseIf(
        (cause) => !Cause.hasInterrupts(cause),
        (cause) => Effect.as(settle.broken(delivery, read, cause), "reusable" as const)
      )
    )
  })
})
