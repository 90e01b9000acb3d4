import { Result, Schema } from "effect"
import * as PythonJson from "../../../services/PythonJson.ts"
import type { Outgoing } from "../../../services/TaskQueue.ts"
import { derivedId } from "../../derivedId.ts"
import * as NewMessage from "../NewMessage.ts"
import { packing } from "../pack.ts"
import { safeArgsRepr, safeRepr } from "../pythonRepr.ts"
import { iso, moment } from "../Time.ts"
import type { Seed } from "./freeze.ts"
import * as Signature from "./Signature.ts"

/** Who sends, and what holds for each message that does not say otherwise. */
export interface Sender extends Seed {
  readonly rootId: string
  readonly parentId: string
  readonly queue: string
  readonly name: string
  /** Unix milliseconds. */
  readonly now: number
}

const instant = (value: unknown): string | null => {
  try {
    const plain = PythonJson.plain(value)
    return typeof plain === "string" ? plain : null
  } catch {
    return null // a type only a newer kombu knows: the task is sent without it
  }
}

const records = (value: unknown): ReadonlyArray<Record<string, unknown>> | null =>
  value === null || value === undefined
    ? null
    : ((Array.isArray(value) ? value : [value]) as ReadonlyArray<Record<string, unknown>>) // checked as the options were

const Envelope = Schema.fromJsonString(Schema.Record(Schema.String, Schema.Unknown))
const properties = (value: unknown) => (typeof value === "object" && value !== null ? value : {})

/** What `NewMessage.encode` has no word for. */
const amended = (out: Outgoing, headers: object, more: object, compression: string | null | undefined): Outgoing => {
  const envelope = PythonJson.parse(out.raw)
  if (!Schema.is(Schema.toType(Envelope))(envelope)) return out
  const packed = packing(compression)
  const body = String(envelope["body"])
  return {
    ...out,
    raw: PythonJson.stringify({
      ...envelope,
      body: packed === undefined ? body : packed.pack(Buffer.from(body, "base64")).toString("base64"),
      headers: {
        ...properties(envelope["headers"]),
        ...headers,
        ...(packed === undefined ? {} : { compression: packed.contentType })
      },
      properties: { ...properties(envelope["properties"]), ...more }
    })
  }
}

/** The message of one task, its options applied (celery-wire 1.4), or what is wrong with them. */
export const publish = (
  sender: Sender,
  call: Signature.Call,
  args: ReadonlyArray<unknown>,
  given: Signature.Options,
  id: string
): Result.Result<Outgoing, string> =>
  Result.map(Signature.checkOptions(given), (options) => messageOf(sender, call, args, given, options, id))

/** Celery's own options, and kombu's for sending; every other one becomes a property of the message. */
const notProperties = `add_to_parent chord_size confirm_timeout connection content_encoding content_type declare event_dispatcher
  exchange_type expiration immediate mandatory producer publisher result_cls retry retry_policy route_name router serializer stamps
  task_type timeout`
const consumed = new Set([...Signature.known, ...notProperties.split(/\s+/)])
const propertiesIn = (given: Signature.Options, stamps: ReadonlyArray<string>) =>
  Object.fromEntries(Object.entries(given).filter(([name]) => !consumed.has(name) && !stamps.includes(name)))

/** Without an exchange the routing key is ignored, as by Celery; with one, what is bound to it is named like the key. */
const queueOf = ({ exchange, queue, routing_key }: Signature.Known) =>
  queue ?? (exchange === null || exchange === undefined || exchange === "" ? undefined : routing_key)

const messageOf = (
  sender: Sender,
  call: Signature.Call,
  args: ReadonlyArray<unknown>,
  given: Signature.Options,
  options: Signature.Known,
  id: string
): Outgoing => {
  const { now } = sender
  const stamps = options.stamped_headers ?? null
  const expires = options.expires ?? null
  const until = typeof expires === "number" ? iso(now + expires * 1000) : instant(expires)
  // A countdown of 0 is none, as in Celery.
  const due = options.countdown ? iso(now + options.countdown * 1000) : instant(options.eta ?? null)
  const out = NewMessage.encode(
    {
      id,
      task: call.task,
      args,
      kwargs: call.kwargs,
      embed: {
        callbacks: records(options.link),
        errbacks: records(options.link_error),
        chain: records(options.chain),
        chord: options.chord ?? null
      },
      queue: queueOf(options) ?? sender.queue,
      tag: derivedId(sender.seed, `tag of ${id}`),
      replyTo: options.reply_to ?? sender.replyTo,
      priority: options.priority ?? 0,
      group: options.group_id ?? null,
      groupIndex: options.group_index ?? null,
      rootId: options.root_id ?? sender.rootId,
      parentId: options.parent_id ?? sender.parentId,
      retries: options.retries ?? 0,
      eta: due,
      expires: until,
      headers: options.headers ?? {}
    },
    sender.name
  )
  return amended(
    out,
    {
      argsrepr: safeArgsRepr(args),
      kwargsrepr: safeRepr(call.kwargs),
      timelimit: [given["time_limit"] ?? null, given["soft_time_limit"] ?? null], // a float stays one
      shadow: options.shadow ?? null,
      ignore_result: options.ignore_result ?? false,
      replaced_task_nesting: options.replaced_task_nesting ?? 0,
      stamped_headers: stamps,
      stamps: Object.fromEntries((stamps ?? []).filter((name) => name in given).map((name) => [name, given[name]]))
    },
    {
      ...propertiesIn(given, stamps ?? []),
      ...(until === null ? {} : { expiration: String(Math.max(0, Math.round(moment(until) - now) || 0)) })
    },
    options.compression
  )
}
