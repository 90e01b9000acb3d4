import { Context, type Duration, Effect, Schema } from "effect"
import type { Generation } from "../services/Journal.ts"
import { PAUSE_REASONS, RETRY_REASONS, type RetryReason, WAIT_REASONS } from "../services/Metrics.ts"
import { TaskFailure } from "./celery/TaskFailure.ts"

/** The reason of a task that was put off because nobody could read whether it is paid. */
export const JOURNAL_AWAY = "journal" satisfies RetryReason

/** It may go well later: the task is put back, due after a delay that grows, with its slot free meanwhile. */
export class RetryLater extends Schema.TaggedError<RetryLater>()("RetryLater", {
  reason: Schema.Literals(RETRY_REASONS),
  failure: TaskFailure,
  /** Whether it uses up one of the task's retries. A paid picture that only waits to be saved does not. */
  counted: Schema.Boolean,
  /** Never sooner than this (seconds). */
  atLeast: Schema.Finite
}) {}

/** No task of this kind can go well until a person acts: the task goes back as it was and the worker pauses. */
export class PutBack extends Schema.TaggedError<PutBack>()("PutBack", {
  reason: Schema.Literals(PAUSE_REASONS),
  detail: Schema.String
}) {}

/** Nothing is wrong and nothing was done: it is put aside as it is, in nobody's hands, for so many seconds or a little more. */
export class NotYet extends Schema.TaggedError<NotYet>()("NotYet", {
  reason: Schema.Literals(WAIT_REASONS),
  after: Schema.Finite
}) {}

/**
 * What it needs takes nothing for now, and other tasks do not need it: parked as it is for so many seconds or longer, while the
 * worker goes on with others.
 */
export class Blocked extends Schema.TaggedError<Blocked>()("Blocked", {
  /** An endpoint of fal, or `model_library`. */
  by: Schema.String,
  why: Schema.String,
  after: Schema.Finite,
  /** Whether a person has to act before it is otherwise. */
  serious: Schema.Boolean
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
  readonly retries: number
  /** How long it may run at most (seconds). */
  readonly timeLimit: number
  /** Of its name and arguments: the same id with others is another task. */
  readonly digest: string
  readonly knowledge: Knowledge
}

/**
 * What is known in this process of the request a task pays for, by its message and by what was done here. It counts for more than
 * what a store has forgotten, and goes along with the message when that is given back.
 */
export interface Knowledge {
  /** Of the task, once its message has been read. */
  id: string | undefined
  /** `null`: that there is none. */
  generation: Generation | null | undefined
  /** What the journal has under this task's id is another task's, with other arguments. */
  another: boolean
  /** How far the journal's clock is ahead of this machine's (milliseconds), as far as is known. */
  ahead: number
}

export const nothingKnown = (): Knowledge => ({ id: undefined, generation: undefined, another: false, ahead: 0 })

/**
 * How far a task has got: its request may have been made, fal has taken it, its picture is there. `"another"`: it has not begun, but
 * another task of the same id had.
 */
export type Standing = "nothing" | "another" | "asked" | "paid" | "done"

export interface Result {
  readonly value: Schema.JsonObject
  /** Result tuples of the tasks this one sent. */
  readonly children: ReadonlyArray<Schema.Json>
}

/** What a program that `waits` does when its turn has come: from then on its task has begun, and is no longer put aside. */
export const Begin = Context.Reference<Effect.Effect<unknown>>("model-generator/programs/Begin", {
  defaultValue: () => Effect.void
})

/** What happens when a task of this name is run. */
export interface Program<R> {
  readonly name: string
  readonly run: (task: Task) => Effect.Effect<Result, Failure, R>
  /** It may be `NotYet` its turn, and says by `Begin` when it is. Any other begins when it is run. */
  readonly waits?: boolean
  /** After the soft limit: `true` when the work turned out to be done, so that running it again ends at once. */
  readonly salvage?: (task: Task) => Effect.Effect<boolean, Failure, R>
  /** Nobody wants what it may have left behind: ends it, and accounts for it. Run beside what comes next, for minutes if need be. */
  readonly abandon?: (task: Task) => Effect.Effect<void, Failure, R>
  /** Where it is found when its message comes again, or too late. */
  readonly standing?: (task: Task) => Effect.Effect<Standing, RetryLater, R>
  /** Limits of this task that differ from the settings. */
  readonly limit?: Duration.Duration
}

export const standingOf = <R>(program: Program<R> | undefined, task: Task): Effect.Effect<Standing, RetryLater, R> =>
  program?.standing?.(task) ?? Effect.succeed("nothing")
