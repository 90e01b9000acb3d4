import { Duration, type Effect } from "effect"
import type { Claimed } from "../../services/TaskQueue.ts"
import type { Request } from "../../services/Vitals.ts"
import type * as Message from "../celery/Message.ts"
import { requestOf } from "../celery/Request.ts"
import type { Knowledge, Program, Task } from "./Task.ts"
import type { TaskContext } from "./TaskContext.ts"
import type { Limits } from "./taskLimits.ts"

/** One try of a task: a claimed message and everything that the steps need. */
export interface Attempt<R> {
  readonly context: TaskContext
  readonly delivery: Claimed
  readonly message: Message.Message
  /** Undefined where this worker knows no task of that name. */
  readonly program: Program<R> | undefined
  /** Whether tasks of that program buy pictures. */
  readonly pays: boolean
  /** The program's name. In metrics an unknown task name is not shown, because clients may send any number of names. */
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
  /** The next message, claimed in the step that ended this one. */
  delivery: Claimed | undefined
  /** The step was asked to claim, and no message was there. */
  foundNothing: boolean
}

export const attemptOf = <R>(
  context: TaskContext,
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
  context,
  delivery,
  message,
  program: at.program,
  pays: at.program?.standing !== undefined,
  name: at.program?.name ?? "unknown",
  task: {
    id: message.id,
    args: message.args,
    kwargs: message.kwargs,
    queue: delivery.queue,
    priority: message.priority,
    rootId: message.rootId,
    caller: message.caller,
    retries: message.retries,
    timeLimit: Duration.toSeconds(at.limits.hard),
    digest: message.digest,
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
