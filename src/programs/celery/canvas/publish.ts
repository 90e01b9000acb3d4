import { Result } from "effect"
import * as PythonJson from "../../../wire/PythonJson.ts"
import type { Outgoing } from "../../../services/Publisher.ts"
import { derivedId } from "../../../wire/derivedId.ts"
import * as NewMessage from "../NewMessage.ts"
import { packing } from "../pack.ts"
import { iso, isMoment, moment } from "../Time.ts"
import type { Seed } from "./freeze.ts"
import * as Signature from "./Signature.ts"

/** The sender of messages, with the defaults for each message that does not say otherwise. */
export interface Origin extends Omit<Seed, "spend"> {
  readonly rootId: string
  readonly parentId: string
  readonly queue: string
  readonly name: string
  /** Who pays for what the sent tasks buy. */
  readonly caller: string
  /** Unix milliseconds. */
  readonly now: number
}
export type Sender = Origin & Seed

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

/** The message of one task, its options applied, or what is wrong with them. */
export const publish = (
  sender: Sender,
  call: Signature.Call,
  args: ReadonlyArray<unknown>,
  given: Signature.Options,
  id: string
): Result.Result<Outgoing, string> =>
  Result.flatMap(Signature.checkOptions(given), (options) => {
    const times = timesOf(options, sender.now)
    return Result.map(times, (times) => {
      const message = messageOf(sender, call, args, given, options, times, id)
      sender.spend(1, message.raw.length)
      return message
    })
  })

interface Times {
  readonly due: string | null
  readonly until: string | null
}
/** When the task is due and when it expires, as dates. Seconds from now may lead to where no date is. */
const timesOf = ({ countdown, eta, expires }: Signature.Known, now: number): Result.Result<Times, string> => {
  const far = [countdown, expires].find((seconds) => typeof seconds === "number" && !isMoment(now + seconds * 1000))
  if (far !== undefined) return Result.fail(`${far === countdown ? "countdown" : "expires"}: no date is ${far} seconds from now`)
  const after = (seconds: number) => iso(now + seconds * 1000)
  return Result.succeed({
    // A countdown of 0 is none, as in Celery.
    due: countdown ? after(countdown) : instant(eta ?? null),
    until: typeof expires === "number" ? after(expires) : instant(expires ?? null)
  })
}

/** Celery's own options, kombu's for sending, and our notes; every other one becomes a property of the message. */
const notProperties = `add_to_parent chord_size confirm_timeout connection content_encoding content_type declare event_dispatcher
  crashes exchange_type expiration generation immediate mandatory producer publisher result_cls retry retry_policy route_name router serializer stamps
  task_type timeout uncounted`
const consumed = new Set([...Signature.known, ...notProperties.split(/\s+/)])
const propertiesIn = (given: Signature.Options, stamps: ReadonlySet<string>) =>
  Object.fromEntries(Object.entries(given).filter(([name]) => !consumed.has(name) && !stamps.has(name)))

/** Without an exchange the routing key is ignored, as by Celery; with one, what is bound to it is named like the key. */
const queueOf = ({ exchange, queue, routing_key }: Signature.Known) => queue || (exchange ? routing_key : null) || undefined

const messageOf = (
  sender: Sender,
  call: Signature.Call,
  args: ReadonlyArray<unknown>,
  given: Signature.Options,
  options: Signature.Known,
  { due, until }: Times,
  id: string
): Outgoing => {
  const stamps = options.stamped_headers ?? null
  const queue = queueOf(options) ?? sender.queue
  const priority = options.priority ?? 0
  const tag = derivedId(sender.seed, `tag of ${id}`)
  const packed = packing(options.compression)
  const envelope = NewMessage.envelopeOf(
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
      queue,
      tag,
      replyTo: options.reply_to ?? sender.replyTo,
      priority,
      group: options.group_id ?? null,
      groupIndex: options.group_index ?? null,
      rootId: options.root_id ?? sender.rootId,
      parentId: options.parent_id ?? sender.parentId,
      retries: options.retries ?? 0,
      eta: due,
      expires: until,
      headers: { "x-caller": sender.caller, ...options.headers }
    },
    sender.name
  )
  const { body } = envelope
  return NewMessage.outgoing(
    {
      ...envelope,
      body: packed === undefined ? body : packed.pack(Buffer.from(body, "base64")).toString("base64"),
      headers: {
        ...envelope.headers,
        timelimit: [given["time_limit"] ?? null, given["soft_time_limit"] ?? null], // a float stays one
        shadow: options.shadow ?? null,
        ignore_result: options.ignore_result ?? false,
        replaced_task_nesting: options.replaced_task_nesting ?? 0,
        stamped_headers: stamps,
        stamps: Object.fromEntries(
          (stamps ?? []).filter((name) => Object.hasOwn(given, name)).map((name) => [name, given[name]])
        ),
        ...(packed === undefined ? {} : { compression: packed.contentType })
      },
      properties: {
        // Under what the message needs to be read: no option may take its place.
        ...propertiesIn(given, new Set(stamps)),
        ...envelope.properties,
        // The one property of kombu's own that a sender may choose.
        ...(given["delivery_mode"] === 1 || given["delivery_mode"] === 2 ? { delivery_mode: given["delivery_mode"] } : {}),
        ...(until === null ? {} : { expiration: String(Math.max(0, Math.round(moment(until) - sender.now) || 0)) })
      }
    },
    queue,
    priority,
    tag
  )
}
