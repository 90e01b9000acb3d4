import { Duration, type Effect } from "effect"
import type { Claimed } from "../../services/TaskQueue.ts"
import type { Request } from "../../services/Vitals.ts"
import type * as Message from "../celery/Message.ts"
import { requestOf } from "../celery/Request.ts"
import type { Knowledge, Program, Task } from "../Task.ts"
import type { Limits } from "./limits.ts"

/** One claimed message on its way through this worker: everything that a step needs, in one place. */
export interface Attempt<R> {
  readonly delivery: Claimed
  readonly message: Message.Message
  /** Undefined where this worker knows no task of that name. */
  readonly program: Program<R> | undefined
  /** The program's name, and the task's in metrics: a name that nobody knows is not shown there. */
  readonly name: string
  /** The call as its program sees it. */
  readonly task: Task
  /** The call as remote control and events show it. */
  readonly request: Request
  readonly limits: Limits
  /** When this worker took it up (Unix milliseconds). */
  readonly startedAt: number
  readonly next: NextClaim
}

/** The command that ends an attempt may claim the next message for the same slot. */
export interface NextClaim {
  /** Asked just before that command. */
  readonly isWanted: Effect.Effect<boolean>
  /** What it has claimed. */
  delivery: Claimed | undefined
  /** It was to claim, and there was nothing. */
  foundNothing: boolean
}

export const attemptOf = <R>(
  delivery: Claimed,
  message: Message.Message,
  at: {
    readonly program: Program<R> | undefined
    readonly limits: Limits
    readonly knowledge: Knowledge
    readonly startedAt: number
    readonly next: NextClaim
  }
): Attempt<R> => ({
  delivery,
  message,
  program: at.program,
  name: at.program?.name ?? "unknown",
  task: {
    id: message.id,
    args: message.args,
    kwargs: message.kwargs,
    queue: delivery.queue,
    priority: message.priority,
    rootId: message.rootId,
    retries: message.retries,
    timeLimit: Duration.toSeconds(at.limits.hard),
    // Made when it is asked for: only a task that pays needs it.
    get digest() {
      return message.digest
    },
    knowledge: at.knowledge
  },
  request: requestOf(message, delivery),
  limits: at.limits,
  startedAt: at.startedAt,
  next: at.next
})

/** Whether its message was given back before: then it is not known when it first came, and it may have got somewhere. */
export const isRedelivered = ({ message }: Pick<Attempt<never>, "message">): boolean =>
  message.envelope.headers["redelivered"] === true
