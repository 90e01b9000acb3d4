import * as Text from "./Text.ts"
import { createHash } from "node:crypto"
import * as PythonJson from "./PythonJson.ts"

/** kombu's layout on Redis: names, priority steps, and the edits a restored message carries. */

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
/** The bindings by which kombu knows a worker's queues for control messages and for other workers' events. */
export const controlBindings = (name: string, boot: string) => [
  { key: bindings(pidbox), member: member({ routingKey: "", queue: `${name}.${pidbox}` }) },
  { key: bindings("celeryev"), member: member({ routingKey: "worker.#", queue: `celeryev.${boot}` }) }
]

// Ours, beside kombu's: who holds what, until when, and what waits for its time.
export const held = "model-generator.held"
export const leases = "model-generator.leases"
export const workers = "model-generator.workers"
export const scheduled = "model-generator.scheduled"
/** Since when a worker's beats have come on time without a break (Unix seconds by Redis's clock). */
export const steady = "model-generator.steady"
/** How much a dead worker held, until all of it has gone back: with one message it is that one which counts a crash. */
export const company = "model-generator.company"
/** When the messages of a list came, as far as the beats saw it: a list of marks, the oldest at its right end. */
export const arrivals = (list: string) => `model-generator.arrivals:${list}`
export const revoked = { ids: "model-generator.revoked", stamps: "model-generator.revoked-stamps" }
export const once = (key: string) => `model-generator.once:${key}`
/** Batches that have been sent, scored with the time until which that is remembered. */
export const onceKept = "model-generator.once-kept"
/** Task ids whose request fal may be working on, and those that wait for room to make one. */
export const inFlight = "model-generator.in-flight"
export const line = "model-generator.line"
export const lineAsked = "model-generator.line-asked"
/** fal's endpoints that are closed for now, and until when: a hash. */
export const endpoints = "model-generator.endpoints"
/** Effect's circuit breaker keeps a hash under each of these. */
export const circuit = (key: string) => `model-generator.circuit:${key}`
export const journal = (taskId: string) => `model-generator.journal:${taskId}`
/** Task ids that have an entry in the journal, by when it is to be removed. */
export const journalKept = "model-generator.journal-kept"
/** What is spent and reserved in a day or a month, by subject: a hash for each, under `budget("day:2026-11-27")`. */
export const budget = (period: string) => `model-generator.budget:${period}`
/** Those days and months, by when they end. */
export const budgetPeriods = "model-generator.budget-periods"
/** Requests whose outcome is not known yet: by task id the price that is reserved for it, and where it is counted. */
export const budgetReserved = "model-generator.budget-reserved"
/** Caps that hold for a while instead of those in the settings, and until when. */
export const budgetOverrides = "model-generator.budget-overrides"
/** Task ids in a state of the journal, by when their entries end. */
export const journalState = (state: string) => `model-generator.journal-state:${state}`

/** Task ids that have a life, scored with the time of its last event; a life lies under its own key beside it. */
export const lives = "model-generator.lives"
export const life = (taskId: string) => `${lives}:${taskId}`
/** Requests whose rows in the ledger are still to be written, by when somebody may take them up. */
export const owed = "model-generator.owed"

/** A worker's hold on its messages lasts this long without a beat (seconds). Five beats may fail before others step in. */
export const LEASE = 30
/** A beat that comes later than this after the one before breaks the row (seconds). */
export const LATE = 10
/**
 * A worker may call others dead only when its own beats have been on time for this many seconds: after Redis was away, every
 * living worker has renewed its lease by then.
 */
export const STEADY = 15

const record = (value: unknown) =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? ({ ...value } as Record<string, unknown>) : undefined // own keys only

/**
 * Why a message goes back before its task has ended: with its worker, or its child, alone in its hands when that died, or not.
 */
export type Crash = "none" | "alone" | "company"

/**
 * A message as it goes back to its queue: flagged as redelivered as kombu does it, with its crashes counted, its priority kept,
 * and what is known of its paid request. Undefined for a text that is no message and cannot carry that. The Lua scripts do the
 * same in Redis, and leave the rest of the text as it is.
 */
export const restored = (
  raw: string,
  crash: Crash,
  generation?: Readonly<Record<string, unknown>> | null | undefined
): { readonly raw: string; readonly priority: number } | undefined => {
  let envelope: Record<string, unknown> | undefined
  try {
    envelope = record(PythonJson.parse(raw))
  } catch {
    envelope = undefined
  }
  if (envelope === undefined) return undefined
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
        ...(crash === "alone" ? { crashes: crashes + 1 } : {}),
        ...(crash === "company" ? { suspect: true } : {}),
        ...(known === undefined || known === null ? {} : { generation: known }),
        delivery_info: { ...record(properties["delivery_info"]), redelivered: true }
      }
    }),
    priority: typeof properties["priority"] === "number" ? properties["priority"] : 0
  }
}

export const priorityOf = (raw: string): number => restored(raw, "none")?.priority ?? 0

/**
 * A worker died with this message in its hands. In JSON these quotes are not escaped only where they are a key of ours, and one
 * of a client's own costs no more than that its message runs alone.
 */
export const isSuspect = (raw: string): boolean => raw.includes('"crashes"') || raw.includes('"suspect"')

/** An envelope's headers and properties without its body, which may be large: kombu writes the body first. */
export const outline = (raw: string): Readonly<Record<string, unknown>> | undefined => {
  const open = /^\s*\{\s*"body"\s*:\s*"/.exec(raw)?.[0].length
  const close = open === undefined ? -1 : raw.indexOf('"', open)
  const head = close === -1 || raw[close - 1] === "\\" ? raw : `{"body":""${raw.slice(close + 1)}`
  if (head.length > 1_000_000) return undefined
  try {
    return record(PythonJson.parse(head))
  } catch {
    return undefined
  }
}

/** The id of a message's task, where its headers have one. */
export const taskIdOf = (raw: string) => Text.nonEmptyOf(record(outline(raw)?.["headers"])?.["id"])

/** One element of a `.dead` list. Bytes that are not UTF-8 are kept in base64 beside the text that can be shown. */
export const deadLetter = (
  { bytes, raw }: { readonly bytes?: Uint8Array; readonly raw: string },
  letter: { readonly reason: string; readonly error: string },
  worker: string,
  now: number
) => {
  const envelope = outline(raw)
  const headers = record(envelope?.["headers"])
  const crashes = record(envelope?.["properties"])?.["crashes"]
  return JSON.stringify({
    raw,
    ...(bytes === undefined ? {} : { raw_base64: Buffer.from(bytes).toString("base64") }),
    task: Text.textOf(headers?.["task"]) ?? null,
    task_id: Text.textOf(headers?.["id"]) ?? null,
    reason: letter.reason,
    error: letter.error,
    worker,
    time: new Date(now).toISOString(),
    deliveries: typeof crashes === "number" ? crashes + 1 : 1
  })
}

/** Names a dead letter by its length and its end, where its time is, or the tag of a bare message. */
export const letterId = (letter: string) => {
  const bytes = Buffer.from(letter)
  return createHash("sha1").update(bytes.subarray(-4096)).update(String(bytes.length)).digest("hex").slice(0, 10)
}

/** The message inside a dead letter; nothing when the letter is a bare message, or was not written by us. */
export const inside = (letter: string): Buffer | undefined => {
  try {
    const { raw, raw_base64: bytes } = record(PythonJson.parse(letter)) ?? {}
    if (typeof raw !== "string") return undefined
    return typeof bytes === "string" ? Buffer.from(bytes, "base64") : Buffer.from(raw)
  } catch {
    return undefined
  }
}

/** The task of a dead letter, which may be a bare message. */
export const letterTaskId = (letter: string): string | undefined =>
  Text.nonEmptyOf(outline(letter)?.["task_id"]) ?? taskIdOf(letter)

/** A message that goes back with nothing held against it. */
export const cleared = (raw: string): { readonly raw: string; readonly priority: number } => {
  try {
    const envelope = record(PythonJson.parse(raw))
    const properties = record(envelope?.["properties"])
    if (envelope === undefined || properties === undefined) return { raw, priority: 0 }
    const { crashes: _, suspect: __, ...clean } = properties
    return { raw: PythonJson.stringify({ ...envelope, properties: clean }), priority: priorityOf(raw) }
  } catch {
    return { raw, priority: 0 }
  }
}
