import { type Cause, Effect } from "effect"
import { type Claimed, type Delivery, MAX_MESSAGE } from "../../services/TaskQueue.ts"
import * as Text from "../../wire/Text.ts"
import { placeInCanvas } from "../celery/canvas/placeInCanvas.ts"
import type * as Message from "../celery/Message.ts"
import * as TaskFailure from "../celery/TaskFailure.ts"
import type { NextClaim } from "./Attempt.ts"
import { BROKEN, bury, buryAndTell, defect, finish } from "./finish.ts"
import { emitFailed, tellFailure, whose } from "./settle.ts"
import type { TaskContext } from "./TaskContext.ts"

/** Fails a message that cannot be read: its client is told under its id; without an id it becomes a dead letter. */
export const unreadable = Effect.fnUntraced(function* (
  context: TaskContext,
  delivery: Claimed,
  problem: Message.Unreadable | Message.Undeliverable,
  next: NextClaim
) {
  if (delivery.tooLarge !== undefined) return yield* tooLarge(context, delivery, delivery.tooLarge, problem)
  if (problem._tag === "Unreadable") return yield* bury(context, delivery, "unreadable", problem.problem)
  yield* Effect.logWarning("message refused", { id: problem.id, error: Text.cut(problem.failure.message, 500) })
  const ended = yield* placeInCanvas(delivery.raw, problem.id)
  yield* finish(context, delivery, tellFailure(context, delivery, ended, problem.failure), next, {
    taskId: problem.id,
    event: { _tag: "Ended", by: context.worker.name, heldMs: 0, status: "FAILURE", why: problem.failure.message }
  })
  yield* emitFailed(context, problem.id, problem.failure)
})

/**
 * The claim has made it a dead letter already. What is left is to tell the client that waits for its id, where the id could be
 * read.
 */
const tooLarge = Effect.fnUntraced(function* (
  context: TaskContext,
  delivery: Delivery,
  bytes: number,
  problem: Message.Unreadable | Message.Undeliverable
) {
  const failure = TaskFailure.decodeError(`message: ${bytes} bytes, at most ${MAX_MESSAGE} are read`)
  if (problem._tag === "Unreadable") return yield* bury(context, delivery, "too large", failure.message)
  const ended = yield* placeInCanvas(delivery.raw, problem.id)
  yield* buryAndTell(context, delivery, "too large", failure.message, () => tellFailure(context, delivery, ended, failure))
  yield* emitFailed(context, problem.id, failure)
})

/**
 * Handles a defect while a message was handled: only the bytes of the message can be relied on. `message` is undefined if it was
 * not even read.
 */
export const broken = Effect.fnUntraced(function* (
  context: TaskContext,
  delivery: Delivery,
  message: Message.Message | undefined,
  cause: Cause.Cause<unknown>
) {
  yield* Effect.logError("a message hit a bug of this worker", cause)
  if (message === undefined) return yield* bury(context, delivery, BROKEN, defect(cause))
  const failure = TaskFailure.internalError(defect(cause))
  const steps = () => tellFailure(context, delivery, whose(context, message), failure)
  yield* buryAndTell(context, delivery, BROKEN, failure.message, steps)
  yield* emitFailed(context, message.id, failure)
})
