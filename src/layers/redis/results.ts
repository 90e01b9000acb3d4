import { Duration, Redacted } from "effect"
import * as PythonJson from "../../services/PythonJson.ts"
import type { QueueError } from "../../services/QueueError.ts"
import { type ResultStore, ResultStoreError, type TaskResult } from "../../services/ResultStore.ts"
import { isSameServer, type Where } from "./where.ts"

/** How a task's result lies in Redis, for every script that stores one. */

/** The key of a task's document, which is the channel it is published on too. */
export const keyOf = (taskId: string) => `celery-task-meta-${taskId}`
export const documentOf = (result: TaskResult) => PythonJson.stringify(result)
/** Whole seconds: 0 is for ever, and a part of a second is not. */
export const expiresIn = (setting: Duration.Duration) => Math.ceil(Duration.toSeconds(setting))

/** How the step that acknowledges stores a result. */
export interface Storing {
  /** Whether it can: queue and results lie on one server. False from when Redis has refused it. */
  inOneStep: boolean
  /** What the script needs to know of a result, or of none. */
  readonly argumentsFor: (result: TaskResult | undefined) => ReadonlyArray<string | number>
  /** A step of its own. */
  readonly store: ResultStore["Service"]["store"]
}

const NOTHING = ["", "", "", "", "", ""]

export const storing = (queue: Where, results: Where, expires: Duration.Duration, { store }: ResultStore["Service"]): Storing => {
  const [from, to] = [Redacted.value(queue.address).db, Redacted.value(results.address).db]
  const databases = from === to ? ["", ""] : [to, from]
  const seconds = expiresIn(expires)
  return {
    inOneStep: isSameServer(queue, results),
    argumentsFor: (result) =>
      result === undefined
        ? NOTHING
        : [results.keyPrefix + keyOf(result.task_id), documentOf(result), seconds, result.status, ...databases],
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

/**
 * store_result(key, document, seconds, status): keeps the document for so many seconds ('0': for ever) and publishes it, where the one
 * already there `givesWay` to it. Needs `json`. Raises what Redis refuses.
 */
export const storeResult = `
local function stored_status(old)
  local readable, document = pcall(cjson.decode, old)
  if readable then return type(document) == 'table' and document.status end
  local top = members(old) -- cjson refuses what nests more than 1000 deep, as a result of Python's may
  return top and string.match(member(old, top, 'status') or '', '^"(.*)"$')
end
local function store_result(key, document, seconds, status)
  local function set(...) return seconds == '0' and redis.call('SET', key, document, ...) or seconds ~= '0' and redis.call('SET', key, document, 'EX', seconds, ...) end
  if not set('NX') then
    local before = stored_status(redis.call('GET', key))
    local ends = status == 'SUCCESS' or status == 'FAILURE' or status == 'REVOKED'
    if before == 'SUCCESS' or (not ends and (before == 'FAILURE' or before == 'REVOKED')) then return end
    set()
  end
  redis.call('PUBLISH', key, document)
end`
