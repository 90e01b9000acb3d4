import { createHash } from "node:crypto"
import * as PythonJson from "../../services/PythonJson.ts"
import type { DeadLetter, GivenBack } from "../../services/TaskQueue.ts"

/** kombu's layout on Redis (celery-wire 3): names, priority steps, and the edits a restored message carries. */

export const steps = [0, 3, 6, 9] as const
export const unacked = "unacked"
export const unackedIndex = "unacked_index"

/** The list of a queue at a priority: the greatest step not above it, 0 being the queue's own name. */
export const list = (queue: string, priority: number) => {
  const step = steps.findLast((step) => step <= Math.min(Math.max(priority, 0), 9)) ?? 0
  return step === 0 ? queue : `${queue}\u0006\u0016${step}`
}

/** All lists in the order they are served: priority before queue. */
export const lists = (queues: ReadonlyArray<string>) =>
  steps.flatMap((step) => queues.map((queue) => ({ queue, key: list(queue, step) })))

export const dead = (queue: string) => `${queue}.dead`

const SEP = "\u0006\u0016"
/** The set in which kombu looks up where an exchange delivers; its members are `routing key SEP pattern SEP queue`. */
export const bindings = (exchange: string) => `_kombu.binding.${exchange}`
export const member = (to: { readonly routingKey: string; readonly pattern?: string; readonly queue: string }) =>
  `${to.routingKey}${SEP}${to.pattern ?? ""}${SEP}${to.queue}`
export const binding = (queue: string) => ({ key: bindings(queue), member: member({ routingKey: queue, queue }) })

export const pidbox = "celery.pidbox"
export const replyExchange = `reply.${pidbox}`
export const replyQueue = (oid: string) => `${oid}.${replyExchange}`
/** The bindings by which a worker's ears for control messages and for other workers' events are known. */
export const ears = (name: string, boot: string) => [
  { key: bindings(pidbox), member: member({ routingKey: "", queue: `${name}.${pidbox}` }) },
  { key: bindings("celeryev"), member: member({ routingKey: "worker.#", queue: `celeryev.${boot}` }) }
]

// Ours, beside kombu's: who holds what, until when, and what waits for its time.
export const held = "model-generator.held"
export const leases = "model-generator.leases"
export const workers = "model-generator.workers"
export const scheduled = "model-generator.scheduled"
/** When the messages of a list came, as far as the beats saw it: a list of marks, the oldest at its right end. */
export const arrivals = (list: string) => `model-generator.arrivals:${list}`
export const revoked = { ids: "model-generator.revoked", stamps: "model-generator.revoked-stamps" }
export const once = (key: string) => `model-generator.once:${key}`
/** Task ids whose request fal may be working on, and those that wait for room to make one. */
export const inFlight = "model-generator.in-flight"
export const line = "model-generator.line"
export const lineAsked = "model-generator.line-asked"
/** fal's endpoints that are closed for now, and until when: a hash. */
export const endpoints = "model-generator.endpoints"
export const journal = (taskId: string) => `model-generator.journal:${taskId}`
/** Task ids that have an entry in the journal, by when it is to be removed. */
export const journalKept = "model-generator.journal-kept"
/** Task ids in a state of the journal, by when their entries end. */
export const journalState = (state: string) => `model-generator.journal-state:${state}`

/** A worker's hold on its messages lasts this long without a beat (seconds). Five beats may fail before others step in. */
export const LEASE = 30

const record = (value: unknown) =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? ({ ...value } as Record<string, unknown>) : undefined // own keys only

/**
 * The message as it goes back to its queue: flagged as kombu flags it, its crashes counted, its priority kept, and with what is
 * known of the request it pays for.
 */
export const restored = (
  raw: string,
  crashed: boolean,
  generation?: GivenBack["generation"]
): { readonly raw: string; readonly priority: number } => {
  let envelope: Record<string, unknown> | undefined
  try {
    envelope = record(PythonJson.parse(raw))
  } catch {
    envelope = undefined
  }
  if (envelope === undefined) return { raw, priority: 0 }
  const headers = record(envelope["headers"])
  const { generation: before, ...properties } = record(envelope["properties"]) ?? {}
  const known = generation === undefined ? before : generation
  const crashes = typeof properties["crashes"] === "number" ? properties["crashes"] : 0
  return {
    raw: PythonJson.stringify({
      ...envelope,
      ...(headers === undefined ? {} : { headers: { ...headers, redelivered: true } }),
      properties: {
        ...properties,
        ...(crashed ? { crashes: crashes + 1 } : {}),
        ...(known === undefined || known === null ? {} : { generation: known }),
        delivery_info: { ...record(properties["delivery_info"]), redelivered: true }
      }
    }),
    priority: typeof properties["priority"] === "number" ? properties["priority"] : 0
  }
}

export const priorityOf = (raw: string): number => restored(raw, false).priority

/** An entry of `unacked`, `[envelope, exchange, routing key]`: the message, and where its sender put it. */
export interface Entry {
  readonly raw: string
  readonly exchange: string
  readonly routingKey: string | undefined
}

export const entry = (triple: string): Entry => {
  try {
    const value = PythonJson.parse(triple)
    if (!Array.isArray(value)) return { raw: triple, exchange: "", routingKey: undefined }
    const [envelope, exchange, routingKey]: ReadonlyArray<unknown> = value
    return {
      raw: typeof envelope === "string" ? envelope : PythonJson.stringify(envelope),
      exchange: typeof exchange === "string" ? exchange : "",
      routingKey: typeof routingKey === "string" && routingKey !== "" ? routingKey : undefined
    }
  } catch {
    return { raw: triple, exchange: "", routingKey: undefined }
  }
}

/** The queue that an exchange's bindings lead a routing key to. */
export const boundTo = (members: ReadonlyArray<string>, routingKey: string): string | undefined =>
  members.map((one) => one.split(SEP)).find(([key]) => key === routingKey)?.[2]

/** One element of a `.dead` list. */
export const deadLetter = (raw: string, letter: DeadLetter, worker: string, now: number) => {
  let deliveries = 1
  try {
    const crashes = record(record(PythonJson.parse(raw))?.["properties"])?.["crashes"]
    if (typeof crashes === "number") deliveries += crashes
  } catch {
    // Not JSON, so never restored either: this was its only delivery.
  }
  return JSON.stringify({
    raw,
    reason: letter.reason,
    error: letter.error,
    worker,
    time: new Date(now).toISOString(),
    deliveries
  })
}

/** Names a dead letter by its text. */
export const letterId = (text: string) => createHash("sha1").update(text).digest("hex").slice(0, 10)

/** The message inside a dead letter as it goes back: as it was, with a clean record. The letter itself when it is not one of ours. */
export const redriven = (text: string): { readonly raw: string; readonly priority: number } => {
  let raw = text
  try {
    const inside = record(PythonJson.parse(text))?.["raw"]
    if (typeof inside === "string") raw = inside
    const envelope = record(PythonJson.parse(raw))
    const properties = record(envelope?.["properties"])
    if (envelope === undefined || properties === undefined) return { raw, priority: 0 }
    const { crashes: _, ...clean } = properties
    return { raw: PythonJson.stringify({ ...envelope, properties: clean }), priority: priorityOf(raw) }
  } catch {
    return { raw, priority: 0 }
  }
}
