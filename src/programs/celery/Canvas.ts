import { Option, Schema } from "effect"
import type { Outgoing } from "../../services/TaskQueue.ts"
import { derivedId } from "../derivedId.ts"
import * as Message from "./Message.ts"
import * as Reply from "./Reply.ts"

const maybe = <S extends Schema.Constraint>(schema: S) => Schema.optionalKey(Schema.NullOr(schema))
const Signatures = Schema.Union([
  Schema.Array(Schema.Record(Schema.String, Schema.Unknown)),
  Schema.Record(Schema.String, Schema.Unknown)
])
const Options = Schema.Struct({
  task_id: maybe(Schema.String),
  reply_to: maybe(Schema.String),
  queue: maybe(Schema.String),
  routing_key: maybe(Schema.String),
  priority: maybe(Schema.Int),
  link: maybe(Signatures),
  link_error: maybe(Signatures),
  time_limit: maybe(Schema.Finite),
  soft_time_limit: maybe(Schema.Finite),
  headers: maybe(Schema.Record(Schema.String, Schema.Unknown))
})
/** A call to be made later, as Celery puts it in a message (celery-wire 1.4). */
const Signature = Schema.Struct({
  task: Schema.NonEmptyString,
  args: maybe(Schema.Array(Schema.Unknown)),
  kwargs: maybe(Schema.Record(Schema.String, Schema.Unknown)),
  options: maybe(Options),
  subtask_type: maybe(Schema.String),
  immutable: maybe(Schema.Boolean)
})
type Signature = typeof Signature.Type

export interface FollowUp {
  readonly messages: ReadonlyArray<Outgoing>
  readonly children: ReadonlyArray<Schema.Json>
  /** Tasks that were to follow and cannot: who waits for them is told why. */
  readonly impossible: ReadonlyArray<{ readonly id: string; readonly why: string }>
}

const nothing: FollowUp = { messages: [], children: [], impossible: [] }
const list = (value: typeof Signatures.Type | null | undefined) =>
  value === null || value === undefined ? null : Array.isArray(value) ? value : [value]
// A list of records, by its schema.
const records = (from: typeof Signatures.Type | null | undefined) => list(from) as ReadonlyArray<Record<string, unknown>> | null
const decode = Schema.decodeUnknownOption(Signature)

/** One signature that follows `message`, given its result. `name` tells it from the others that follow the same task. */
const send = (
  message: Message.Message,
  unknown: unknown,
  value: Schema.Json,
  rest: ReadonlyArray<unknown> | null,
  queue: string,
  origin: string,
  name: string
): FollowUp => {
  const signature = Option.getOrUndefined(decode(unknown))
  const options: typeof Options.Type = signature?.options ?? {}
  const id = options.task_id ?? derivedId(message.id, name)
  const cannot = (why: string): FollowUp => ({ ...nothing, children: [Reply.taskTuple(id)], impossible: [{ id, why }] })
  if (signature === undefined) return cannot("its signature cannot be read")
  if (signature.subtask_type !== null && signature.subtask_type !== undefined)
    return cannot(`a ${signature.subtask_type} cannot follow a task of this worker`)
  return {
    messages: [
      Message.encode(
        {
          id,
          task: signature.task,
          args: signature.immutable === true ? (signature.args ?? []) : [value, ...(signature.args ?? [])],
          kwargs: signature.kwargs ?? {},
          embed: {
            callbacks: records(options.link),
            errbacks: records(options.link_error),
            chain: rest as ReadonlyArray<Record<string, unknown>> | null // checked when it is its turn
          },
          queue: options.queue ?? options.routing_key ?? queue,
          tag: derivedId(message.id, `${name} tag`),
          replyTo: options.reply_to ?? message.replyTo ?? derivedId(message.id, "reply"),
          priority: options.priority ?? 0,
          rootId: message.rootId,
          parentId: message.id,
          limits: { soft: options.soft_time_limit ?? null, hard: options.time_limit ?? null },
          headers: options.headers ?? {}
        },
        origin
      )
    ],
    children: [Reply.taskTuple(id)],
    impossible: []
  }
}

/** What a finished task sets off: its `link` callbacks, then the next link of its chain (celery-wire 4.5, 4.6). */
export const afterSuccess = (message: Message.Message, value: Schema.Json, queue: string, origin: string): FollowUp => {
  const { callbacks, chain } = message.embed
  const next = chain?.at(-1)
  const all = [
    ...(callbacks ?? []).map((signature, at) => send(message, signature, value, null, queue, origin, `callback ${at}`)),
    ...(next === undefined ? [] : [send(message, next, value, chain?.slice(0, -1) ?? [], queue, origin, "chain")])
  ]
  return {
    messages: all.flatMap((one) => one.messages),
    children: all.flatMap((one) => one.children),
    impossible: all.flatMap((one) => one.impossible)
  }
}

/** The ids of the rest of a chain: when a link fails, each of them has failed the same way (celery-wire 4.5). */
export const restOfChain = (message: Message.Message): ReadonlyArray<string> =>
  (message.embed.chain ?? []).flatMap((signature) => {
    const id = Option.getOrUndefined(decode(signature))?.options?.task_id
    return typeof id === "string" ? [id] : []
  })
