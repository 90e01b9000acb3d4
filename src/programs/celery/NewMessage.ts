import { Option, type Schema } from "effect"
import * as PythonJson from "../../wire/PythonJson.ts"
import type { Outgoing } from "../../services/Publisher.ts"
import type * as Body from "./Body.ts"
import type { Envelope, Message } from "./Message.ts"
import { safeArgsRepr, safeRepr } from "./pythonRepr.ts"
import { iso } from "./Time.ts"

export const outgoing = (envelope: Envelope, queue: string, priority: number, tag: string): Outgoing => ({
  tag,
  queue,
  priority,
  raw: PythonJson.stringify(envelope)
})

/** Protocol 1 has no place for what a retry adds to the headers, and what it has is in its body. */
const asProtocol2 = ({ args, embed, envelope, expires, group, groupIndex, ignoreResult, kwargs, limits }: Message): Envelope => {
  const { compression: _, ...headers } = envelope.headers // unpacked it was, and so it stays
  return {
    ...envelope,
    body: Buffer.from(PythonJson.stringify([args, kwargs, embed])).toString("base64"),
    headers: {
      ...headers,
      lang: "py",
      expires: Option.getOrNull(Option.map(expires, iso)),
      group,
      group_index: groupIndex,
      ignore_result: ignoreResult,
      timelimit: [limits.hard, limits.soft]
    },
    properties: { ...envelope.properties, body_encoding: "base64" }
  }
}

/**
 * The same task once more, due at `eta`: same id and body, one retry more a new tag, and what is known of the
 * request it pays for. `generation` null: that there is none; left out: what the message says already.
 */
export const again = (
  message: Message,
  next: {
    readonly tag: string
    readonly queue: string
    readonly eta: number
    readonly retries: number
    readonly uncounted: number
    readonly generation?: Schema.JsonObject | null | undefined
  }
) => {
  const envelope = message.envelope.headers["task"] === message.task ? message.envelope : asProtocol2(message)
  const { redelivered: _, ...headers } = envelope.headers
  const { crashes: __, rested: ___, suspect: ____, generation: before, ...properties } = envelope.properties ?? {}
  const known = next.generation === undefined ? before : next.generation
  return outgoing(
    {
      ...envelope,
      headers: {
        ...headers,
        id: message.id,
        task: message.task,
        retries: next.retries,
        eta: iso(next.eta),
        // The retry of a task without a parent has that task as its parent.
        parent_id: message.parentId ?? message.id,
        root_id: message.rootId
      },
      properties: {
        ...properties,
        ...(next.uncounted === 0 ? {} : { uncounted: next.uncounted }),
        ...(known === undefined || known === null ? {} : { generation: known }),
        delivery_tag: next.tag,
        delivery_info: { exchange: "", routing_key: next.queue }
      }
    },
    next.queue,
    message.priority,
    next.tag
  )
}

/** The message as it is, to be taken up again later, with what is known of the request its task pays for. */
export const later = (
  { crashes, envelope, priority }: Message,
  next: { readonly tag: string; readonly queue: string; readonly generation: Schema.JsonObject | null | undefined }
) => {
  const { generation: before, rested: _, ...properties } = envelope.properties ?? {}
  const known = next.generation === undefined ? before : next.generation
  return outgoing(
    {
      ...envelope,
      properties: {
        ...properties,
        ...(crashes === 0 ? {} : { rested: crashes }),
        ...(known === undefined || known === null ? {} : { generation: known }),
        delivery_tag: next.tag,
        delivery_info: { exchange: "", routing_key: next.queue }
      }
    },
    next.queue,
    priority,
    next.tag
  )
}

export interface NewTask {
  readonly id: string
  readonly task: string
  readonly args: ReadonlyArray<unknown>
  readonly kwargs: Readonly<Record<string, unknown>>
  readonly queue: string
  readonly tag: string
  readonly replyTo: string
  readonly embed?: Body.Embed
  readonly priority?: number
  readonly group?: string | null
  readonly groupIndex?: number | null
  readonly rootId?: string
  readonly parentId?: string | null
  readonly retries?: number
  readonly eta?: string | null
  readonly expires?: string | null
  readonly limits?: { readonly soft: number | null; readonly hard: number | null }
  readonly headers?: Readonly<Record<string, unknown>>
}

/** A task as a Celery producer would send it. */
export const envelopeOf = (task: NewTask, origin: string) => ({
  body: Buffer.from(
    PythonJson.stringify([task.args, task.kwargs, { callbacks: null, errbacks: null, chain: null, chord: null, ...task.embed }])
  ).toString("base64"),
  "content-encoding": "utf-8",
  "content-type": "application/json",
  headers: {
    ...task.headers,
    lang: "py",
    task: task.task,
    id: task.id,
    shadow: null,
    eta: task.eta ?? null,
    expires: task.expires ?? null,
    group: task.group ?? null,
    group_index: task.groupIndex ?? null,
    retries: task.retries ?? 0,
    timelimit: [task.limits?.hard ?? null, task.limits?.soft ?? null],
    root_id: task.rootId ?? task.id,
    parent_id: task.parentId ?? null,
    argsrepr: safeArgsRepr(task.args),
    kwargsrepr: safeRepr(task.kwargs),
    origin,
    ignore_result: false,
    replaced_task_nesting: 0,
    stamped_headers: null,
    stamps: {}
  },
  properties: {
    correlation_id: task.id,
    reply_to: task.replyTo,
    delivery_mode: 2,
    delivery_info: { exchange: "", routing_key: task.queue },
    priority: task.priority ?? 0,
    body_encoding: "base64",
    delivery_tag: task.tag
  }
})

export const encode = (task: NewTask, origin: string): Outgoing =>
  outgoing(envelopeOf(task, origin), task.queue, task.priority ?? 0, task.tag)
