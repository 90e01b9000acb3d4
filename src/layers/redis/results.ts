import { Duration, Redacted } from "effect"
import * as PythonJson from "../../wire/PythonJson.ts"
import type { QueueError } from "../../services/QueueError.ts"
import { type ResultStore, ResultStoreError, type TaskResult } from "../../services/ResultStore.ts"
import { isSameServer, type Where } from "./where.ts"

/** How a task's result lies in Redis, for every script that stores one. */

/** The key of a task's document, which is the channel it is published on too. */
export const keyOf = (taskId: string) => `celery-task-meta-${taskId}`
export const documentOf = (result: TaskResult) => PythonJson.stringify(result)
/** Whole seconds: 0 is for ever, and a part of a second is not. */
export const expiresIn = (setting: Duration.Duration) => Math.ceil(Duration.toSeconds(setting))

interface StoredArguments {
  readonly result: string | undefined
  readonly document: string | undefined
  readonly seconds: number | undefined
  readonly status: string | undefined
  readonly resultsDb: string | undefined
  readonly queueDb: string | undefined
}

/** How the step that acknowledges stores a result. */
export interface Storing {
  /** Whether it can: queue and results lie on one server. False from when Redis has refused it. */
  inOneStep: boolean
  /** The script's arguments for a result, or for none. */
  readonly argumentsFor: (result: TaskResult | undefined) => StoredArguments
  /** A step of its own. */
  readonly store: ResultStore["Service"]["store"]
}

const NOTHING: StoredArguments = {
  result: undefined,
  document: undefined,
  seconds: undefined,
  status: undefined,
  resultsDb: undefined,
  queueDb: undefined
}

export const storing = (queue: Where, results: Where, expires: Duration.Duration, { store }: ResultStore["Service"]): Storing => {
  const [from, to] = [Redacted.value(queue.address).db, Redacted.value(results.address).db]
  const [resultsDb, queueDb] = from === to ? [undefined, undefined] : [String(to), String(from)]
  const seconds = expiresIn(expires)
  return {
    inOneStep: isSameServer(queue, results),
    argumentsFor: (result) =>
      result === undefined
        ? NOTHING
        : {
            result: results.keyPrefix + keyOf(result.task_id),
            document: documentOf(result),
            seconds,
            status: result.status,
            resultsDb,
            queueDb
          },
    store
  }
}

/** A server may let a connection choose its database and refuse the same to a script. */
export const isSelectRefused = ({ cause }: QueueError) => cause instanceof Error && /\bselect\b/i.test(cause.message)

/** The script says by its first word that it was the result that Redis refused. */
export const unlessStored = (error: QueueError) =>
  error.cause instanceof Error && error.cause.message.startsWith("RESULT ")
    ? new ResultStoreError({ operation: "store", cause: new Error(error.cause.message.slice("RESULT ".length)) })
    : error
