import { type Cause, Effect } from "effect"
import { type Claimed, type Delivery, MAX_MESSAGE } from "../../services/TaskQueue.ts"
import * as Text from "../../services/Text.ts"
import { remains } from "../celery/canvas/remains.ts"
import type * as Message from "../celery/Message.ts"
import * as TaskFailure from "../celery/TaskFailure.ts"
import type { NextClaim } from "./Attempt.ts"
import { BROKEN, bury, buryAndTell, defect, finish } from "./finish.ts"
import { emitFailed, tellFailure, whose } from "./settle.ts"

/** Nobody can run it, and who waits for its id is told so; without an id it is put aside. */
export const unreadable = Effect.fnUntraced(function* (
  delivery: Claimed,
  problem: Message.Unreadable | Message.Undeliverable,
  next: NextClaim
) {
  if (delivery.tooLarge !== undefined) return yield* tooLarge(delivery, delivery.tooLarge, problem)
  if (problem._tag === "Unreadable") return yield* bury(delivery, "unreadable", problem.problem)
  yield* Effect.logWarning("message refused", { id: problem.id, error: Text.cut(problem.failure.message, 500) })
  const ended = yield* remains(delivery.raw, problem.id)
  yield* finish(delivery, yield* tellFailure(delivery, ended, problem.failure), next)
  yield* emitFailed(problem.id, problem.failure)
})

/** The claim has made it a dead letter already. What is left is to tell the client that waits for its id, where the id could be read. */
const tooLarge = Effect.fnUntraced(function* (
  delivery: Delivery,
  bytes: number,
  problem: Message.Unreadable | Message.Undeliverable
) {
  const failure = TaskFailure.decodeError(`message: ${bytes} bytes, at most ${MAX_MESSAGE} are read`)
  if (problem._tag === "Unreadable") return yield* bury(delivery, "too large", failure.message)
  const ended = yield* remains(delivery.raw, problem.id)
  yield* buryAndTell(delivery, "too large", failure.message, tellFailure(delivery, ended, failure))
  yield* emitFailed(problem.id, failure)
})

/** Nobody foresaw it, so that nothing can be relied on but the bytes of the message. `message` undefined: not even read. */
export const broken = Effect.fnUntraced(function* (
  delivery: Delivery,
  message: Message.Message | undefined,
  cause: Cause.Cause<unknown>
) {
  yield* Effect.logError("a message met a defect of this worker", cause)
  if (message === undefined) return yield* bury(delivery, BROKEN, defect(cause))
  const failure = TaskFailure.internalError(defect(cause))
  yield* buryAndTell(delivery, BROKEN, failure.message, tellFailure(delivery, yield* whose(message), failure))
  yield* emitFailed(message.id, failure)
})
