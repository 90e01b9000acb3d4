import { Context, Effect, Schema } from "effect"
import type { Generation, JournalError } from "../../services/Journal.ts"
import { CLOSURES, PAUSE_REASONS, RETRY_REASONS, type RetryReason, WAIT_REASONS } from "../../services/Metrics.ts"
import type { NanoDollars } from "../../services/NanoDollars.ts"
import { TaskFailure } from "../celery/TaskFailure.ts"

/** The retry reason of a task whose journal entry could not be read: it may be paid. */
export const JOURNAL_AWAY = "journal" satisfies RetryReason

/** A failure that may pass: the message is parked until its retry, with exponential back-off, and the slot is free meanwhile. */
export class RetryLater extends Schema.TaggedError<RetryLater>()("RetryLater", {
  reason: Schema.Literals(RETRY_REASONS),
  failure: TaskFailure,
  /** Whether it uses up one of the task's retries. A paid picture that only waits to be saved does not. */
  counted: Schema.Boolean,
  /** Never sooner than this (seconds). */
  atLeast: Schema.Finite
}) {}

/**
 * No task can succeed until a person acts (wrong key, locked account): the message is handed back unchanged and the worker
 * pauses.
 */
export class PutBack extends Schema.TaggedError<PutBack>()("PutBack", {
  reason: Schema.Literals(PAUSE_REASONS),
  detail: Schema.String
}) {}

/** Not this task's turn yet: nothing was done. The message is parked unchanged for `after` seconds or a little more. */
export class NotYet extends Schema.TaggedError<NotYet>()("NotYet", {
  reason: Schema.Literals(WAIT_REASONS),
  after: Schema.Finite
}) {}

/**
 * A dependency of this task is closed: the message is parked unchanged for `after` seconds or longer, and the worker goes on with
 * tasks that do not need it.
 */
export class Blocked extends Schema.TaggedError<Blocked>()("Blocked", {
  /** An endpoint of fal, `model_library`, or a budget. */
  by: Schema.String,
  why: Schema.String,
  after: Schema.Finite,
  reason: Schema.Literals(CLOSURES)
}) {}

export type Failure = TaskFailure | RetryLater | PutBack | NotYet | Blocked

/** How a task was called, as its message has it. */
export interface Call {
  readonly args: ReadonlyArray<unknown>
  readonly kwargs: Readonly<Record<string, unknown>>
}

/** A task as its program sees it. */
export interface Task extends Call {
  readonly id: string
  readonly queue: string
  /** 0 to 9 as Celery counts them: 0 is taken first. */
  readonly priority: number
  readonly rootId: string
  /** Who pays for what it buys: at most 100 characters, on one line. */
  readonly caller: () => string
  readonly retries: number
  /** How long it may run at most (seconds). */
  readonly timeLimit: number
  /** Digest of the task's name and arguments: the same id with another digest is another task. */
  readonly digest: () => string
  readonly knowledge: Knowledge
}

/**
 * What this process knows of a task's paid request, from its message and from what was done here. If the journal has lost its
 * entry, this still counts, and it is written into the message when that is handed back.
 */
export interface Knowledge {
  /** The task's id, once its message has been decoded. */
  id: string | undefined
  /** `null`: we know that there is none. undefined: we know nothing. */
  generation: Generation | null | undefined
  /** The journal's entry under this id belongs to another task, with other arguments. */
  another: boolean
  /** What the request that has ended has cost; undefined where that is not known. */
  settled?: NanoDollars | undefined
  /** How far the journal's clock is ahead of this machine's (milliseconds), as far as is known. */
  ahead: number
  /** The number of the generation that the ledger knows, or is sure to hear of. */
  accounted?: number
  /** The name of the debt that its end left, if it left one. */
  debt?: string
  /** What was paid in this run, as far as the price is known. */
  cost?: NanoDollars
}

export const nothingKnown = (): Knowledge => ({ id: undefined, generation: undefined, another: false, ahead: 0 })

/**
 * How far a task has got. `asked`: a request may have been made. `paid`: fal accepted it. `done`: its picture exists. `another`:
 * this task has not started, but another task with the same id has.
 */
export type Standing = "nothing" | "another" | "asked" | "paid" | "done"

export interface Result {
  readonly value: Schema.JsonObject
  /** Result tuples of the tasks this one sent. */
  readonly children: ReadonlyArray<Schema.Json>
}

/** A program that `waits` runs this when its turn has come. From then on its task has started and is not parked any more. */
export const Begin = Context.Reference<Effect.Effect<unknown>>("model-generator/programs/Begin", {
  defaultValue: () => Effect.void
})

/** The code that runs for a task name. */
export interface Program<R> {
  readonly name: string
  readonly run: (task: Task) => Effect.Effect<Result, Failure, R>
  /** The program may fail with `NotYet`, and runs `Begin` when it starts. Without `waits` it starts when it is run. */
  readonly waits?: boolean
  /** Runs after the soft limit. `true`: the work was done after all, so a second run ends at once with its result. */
  readonly afterSoftLimit?: (task: Task) => Effect.Effect<boolean, Failure, R>
  /**
   * Run before the end is told of a task that is not run again, whose request may not be accounted for. `mayGoOn`: its run was
   * left, and may make one yet.
   */
  readonly owe?: (task: Task, mayGoOn: boolean) => Effect.Effect<void, JournalError, R>
  /** Cancels and accounts for a request that a finished task has left. Runs in the background, for minutes if it must. */
  readonly abandon?: (task: Task) => Effect.Effect<void, Failure, R>
  /** How far the task has got, asked when its message is redelivered or late. */
  readonly standing?: (task: Task) => Effect.Effect<Standing, RetryLater, R>
}

export const standingOf = <R>(program: Program<R> | undefined, task: Task): Effect.Effect<Standing, RetryLater, R> =>
  program?.standing?.(task) ?? Effect.succeed("nothing")
