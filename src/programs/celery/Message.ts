import { type DateTime, Effect, Option, Result, Schema } from "effect"
import * as PythonJson from "../../wire/PythonJson.ts"
import * as Text from "../../wire/Text.ts"
import * as Bounded from "../../wire/Bounded.ts"
import * as Body from "./Body.ts"
import { digest } from "./digest.ts"
import * as TaskFailure from "./TaskFailure.ts"
import { moment } from "./Time.ts"
import { nullish } from "../../wire/nullish.ts"

/** A message without a readable id: no client can be told, so it becomes a dead letter. */
export class Unreadable extends Schema.TaggedError<Unreadable>()("Unreadable", { problem: Schema.String }) {}

/** The id can be read but not what to do: who waits for that id gets `failure`. */
export class Undeliverable extends Schema.TaggedError<Undeliverable>()("Undeliverable", {
  id: Schema.String,
  task: Schema.NullOr(Schema.String),
  failure: TaskFailure.TaskFailure
}) {}

const Envelope = Schema.Struct({
  body: Schema.String,
  headers: Bounded.Properties,
  properties: Schema.optionalKey(Bounded.Properties),
  "content-type": nullish(Schema.String),
  "content-encoding": nullish(Schema.String)
})
export type Envelope = typeof Envelope.Type

const Moment = Schema.String.check(Schema.makeFilter((text) => !Number.isNaN(moment(text)) || "expected an ISO 8601 time"))

const Headers = Schema.Struct({
  task: Schema.NonEmptyString,
  id: Schema.NonEmptyString,
  shadow: nullish(Schema.String),
  eta: nullish(Moment),
  expires: nullish(Moment),
  group: nullish(Schema.String),
  group_index: nullish(Schema.Int),
  retries: nullish(Schema.Natural),
  timelimit: nullish(Schema.Tuple([Schema.NullOr(Schema.Finite), Schema.NullOr(Schema.Finite)])),
  root_id: nullish(Schema.String),
  parent_id: nullish(Schema.String),
  ignore_result: nullish(Schema.Boolean),
  compression: nullish(Schema.String)
})

/** One Celery task message, protocol 2. An absent header has its default. Times are Unix milliseconds. */
export interface Message {
  readonly id: string
  readonly task: string
  readonly args: ReadonlyArray<unknown>
  readonly kwargs: Readonly<Record<string, unknown>>
  readonly embed: Body.Embed
  readonly eta: Option.Option<number>
  readonly expires: Option.Option<number>
  readonly retries: number
  /** Seconds; null where the message does not say. */
  readonly limits: { readonly soft: number | null; readonly hard: number | null }
  readonly group: string | null
  readonly groupIndex: number | null
  readonly rootId: string
  /** Who pays for what the task buys. */
  readonly caller: () => string
  readonly parentId: string | null
  readonly ignoreResult: boolean
  readonly replyTo: string | null
  readonly priority: number
  /** Digest of the task's name and arguments, whatever their JSON form. The same id with another digest is another task. */
  readonly digest: () => string
  /** How often a worker died with this message in its hands. */
  readonly crashes: number
  /** After how many of them it has rested. */
  readonly rested: number
  /** How many of its retries do not count against the limit. */
  readonly uncounted: number
  /** What an earlier run knew of the task's paid request, as the message carries it; undefined if it carries nothing. */
  readonly generation: unknown
  readonly envelope: Envelope
}

const problems = (error: { readonly message: string }) => Text.line(error.message, 1000)

/** Headers that are absent say nothing, but the properties may still tell whose message it is. */
const withHeaders = (value: unknown) =>
  typeof value === "object" && value !== null && !Array.isArray(value) && (!("headers" in value) || value.headers === null)
    ? { ...value, headers: {} }
    : value

/** A longer message is not read at all (characters). It is four times the largest body, which leaves room for any headers. */
const LONGEST_RAW = 64 * 1024 * 1024

const readEnvelope = (raw: string): Result.Result<Envelope, Unreadable> =>
  Result.try({
    try: () => {
      if (raw.length > LONGEST_RAW) throw new RangeError(`${raw.length} characters, at most ${LONGEST_RAW} are read`)
      return withHeaders(PythonJson.parse(raw))
    },
    catch: (error) =>
      new Unreadable({ problem: Text.cut(`not JSON: ${error instanceof Error ? error.message : String(error)}`, 1000) })
  }).pipe(
    Result.flatMap((value) =>
      Result.mapError(
        Schema.decodeUnknownResult(Envelope, { errors: "all" })(value),
        (error) => new Unreadable({ problem: problems(error) })
      )
    )
  )

/** A longer id counts as none: no Python client can ask for it, and it would be a burden wherever it is written. */
const LONGEST_ID = 1000
const idOf = (value: unknown) =>
  typeof value === "string" && value !== "" && value.length <= LONGEST_ID && value.isWellFormed() ? value : null
const count = (given: unknown) => {
  const value = PythonJson.numbers(given)
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : 0
}

/** Protocol 1 keeps in the body what protocol 2 keeps in headers. */
const fromProtocol1 = (body: unknown): { readonly headers: Record<string, unknown>; readonly body: unknown } | undefined => {
  if (typeof body !== "object" || body === null || !("task" in body) || Array.isArray(body)) return undefined
  const { args, kwargs, callbacks, errbacks, chord, taskset, ...headers } = body as Record<string, unknown> // an object, just tested
  return {
    headers: { ...headers, group: taskset ?? headers["group"] ?? null },
    body: [
      args ?? [],
      kwargs ?? {},
      { callbacks: callbacks ?? null, errbacks: errbacks ?? null, chain: null, chord: chord ?? null }
    ]
  }
}

const LONGEST_CALLER = 100
/**
 * The header `x-caller`, or where it is absent the message's origin without the process id, so that all processes of a client are
 * one caller.
 */
export const callerOf = (headers: Readonly<Record<string, unknown>>): string => {
  const [given, origin] = [headers["x-caller"], headers["origin"]].map((value) =>
    Text.line((Text.textOf(value) ?? "").slice(0, 4 * LONGEST_CALLER).replaceAll(/\p{Cc}/gu, " "), LONGEST_CALLER).trim()
  )
  return (given !== undefined && given !== "" ? given : origin?.replace(/^gen\d+@/, "gen@")) || "unknown"
}

/** The parts of a message that have been checked. */
interface Checked {
  readonly id: string
  readonly headers: typeof Headers.Type
  readonly args: ReadonlyArray<unknown>
  readonly kwargs: Readonly<Record<string, unknown>>
  readonly embed: Body.Embed
  readonly envelope: Envelope
}

const messageOf = ({ args, embed, envelope, headers, id, kwargs }: Checked, zone: DateTime.TimeZone): Message => {
  const properties = envelope.properties ?? {}
  let made: string | undefined
  return {
    id,
    task: headers.task,
    args,
    kwargs,
    embed,
    eta: Option.map(Option.fromNullishOr(headers.eta), (text) => moment(text, zone)),
    expires: Option.map(Option.fromNullishOr(headers.expires), (text) => moment(text, zone)),
    retries: headers.retries ?? 0,
    limits: { soft: headers.timelimit?.[1] ?? null, hard: headers.timelimit?.[0] ?? null },
    group: headers.group ?? null,
    groupIndex: headers.group_index ?? null,
    rootId: headers.root_id ?? id,
    caller: () => callerOf(envelope.headers),
    parentId: headers.parent_id ?? null,
    ignoreResult: headers.ignore_result ?? false,
    replyTo: Text.nonEmptyOf(properties["reply_to"]) ?? null,
    priority: count(properties["priority"]),
    // Made when it is asked for: most tasks neither pay nor send anything on.
    digest: () => (made ??= digest(headers.task, args, kwargs)),
    crashes: count(properties["crashes"]),
    rested: count(properties["rested"]),
    uncounted: count(properties["uncounted"]),
    generation: PythonJson.numbers(properties["generation"]),
    envelope
  }
}

type Fields = Readonly<Record<string, unknown>>
const isRecord = (value: unknown): value is Fields => typeof value === "object" && value !== null && !Array.isArray(value)
const isAbsent = (value: unknown): value is null | undefined => value === null || value === undefined
const isText = (value: unknown): value is string => typeof value === "string"
const isCount = (value: unknown) => Number.isSafeInteger(value) && Number(value) >= 0
const isSeconds = (value: unknown) => value === null || (typeof value === "number" && Number.isFinite(value))
const isMoment = (value: unknown) => isText(value) && !Number.isNaN(moment(value))
const isSignatures = (value: unknown) => Array.isArray(value) && value.length <= Body.MOST_SIGNATURES && value.every(isRecord)

/**
 * The same as `Headers`, field by field: a task is one message, and a schema costs it more than all else that is done to it here.
 */
const plainHeaders: Readonly<Record<keyof typeof Headers.Type, (value: unknown) => boolean>> = {
  task: (value) => isText(value) && value !== "",
  id: (value) => idOf(value) !== null,
  shadow: isText,
  eta: isMoment,
  expires: isMoment,
  group: isText,
  group_index: Number.isSafeInteger,
  retries: isCount,
  timelimit: (value) => Array.isArray(value) && value.length === 2 && value.every(isSeconds),
  root_id: isText,
  parent_id: isText,
  ignore_result: (value) => typeof value === "boolean",
  compression: () => false
}
const plainEmbed: Readonly<Record<string, (value: unknown) => boolean>> = {
  callbacks: isSignatures,
  errbacks: isSignatures,
  chain: isSignatures,
  chord: isRecord
}
const namesOf = Object.keys(plainHeaders) as ReadonlyArray<keyof typeof plainHeaders> // of a record with exactly these keys
const ENVELOPE = ["body", "content-encoding", "content-type", "headers", "properties"]

/** A longer one is read with care: what it says of itself is then the smaller part of the work (characters). */
const LONGEST_PLAIN = 65_536

/**
 * A message in the form that Celery writes, protocol 2 in JSON and not compressed. Gives nothing for any other, which may be in
 * order all the same: `decode` looks at it again, and says what is wrong.
 */
const readPlain = (raw: string): Checked | undefined => {
  if (raw.length > LONGEST_PLAIN) return undefined
  try {
    const envelope = PythonJson.parse(raw)
    if (!isRecord(envelope) || Object.keys(envelope).length !== ENVELOPE.length) return undefined
    const { body, headers, properties } = envelope
    if (!isText(body) || !isRecord(headers) || !isRecord(properties) || properties["body_encoding"] !== "base64") return undefined
    if (envelope["content-type"] !== "application/json" || !isText(envelope["content-encoding"])) return undefined
    for (const name of namesOf) {
      const value = headers[name]
      if (isAbsent(value) ? name === "task" || name === "id" : !plainHeaders[name](value)) return undefined
    }
    const call = PythonJson.parse(Buffer.from(body, "base64").toString("utf8"))
    if (!Array.isArray(call) || call.length !== 3) return undefined
    const [args, kwargs, embed] = call as ReadonlyArray<unknown>
    if (!Array.isArray(args) || !isRecord(kwargs) || !isRecord(embed)) return undefined
    for (const name of Object.keys(embed)) {
      const check = Object.hasOwn(plainEmbed, name) ? plainEmbed[name] : undefined
      if (check === undefined || (!isAbsent(embed[name]) && !check(embed[name]))) return undefined
    }
    // Each field has just been checked, and each name of the envelope.
    return { id: String(headers["id"]), headers, args, kwargs, embed, envelope } as unknown as Checked
  } catch {
    return undefined
  }
}

/**
 * Reads a whole message. If it cannot be read, the failure says which task's client can be told. It never throws, whatever the
 * queue holds. Times without an offset are in `zone`.
 */
export const decode = (raw: string, zone: DateTime.TimeZone): Effect.Effect<Message, Unreadable | Undeliverable> =>
  Effect.suspend(() => {
    const plain = readPlain(raw)
    return plain === undefined ? decodeWithCare(raw, zone) : Effect.succeed(messageOf(plain, zone))
  })

/** The same of every message, at several times the cost. */
export const decodeWithCare = (raw: string, zone: DateTime.TimeZone) =>
  Effect.map(readWithCare(raw), (checked) => messageOf(checked, zone))

const readWithCare = Effect.fnUntraced(function* (raw: string): Effect.fn.Return<Checked, Unreadable | Undeliverable> {
  const envelope = yield* Effect.fromResult(readEnvelope(raw))
  const properties = envelope.properties ?? {}
  const headerId = idOf(envelope.headers["id"]) ?? idOf(properties["correlation_id"])
  const task = Text.nonEmptyOf(envelope.headers["task"]) ?? null
  const undeliverable = (id: string) => (failure: TaskFailure.TaskFailure) => new Undeliverable({ id, task, failure })

  const packed = yield* Effect.result(
    Body.read({
      body: envelope.body,
      contentType: envelope["content-type"] ?? null,
      encoding: Text.nonEmptyOf(properties["body_encoding"]) ?? null,
      compression: Text.nonEmptyOf(envelope.headers["compression"]) ?? null
    })
  )
  if (Result.isFailure(packed)) {
    if (headerId === null) return yield* new Unreadable({ problem: `no task id, and ${packed.failure.message}` })
    return yield* undeliverable(headerId)(packed.failure)
  }
  const old = task === null ? fromProtocol1(packed.success) : undefined
  const headers: Record<string, unknown> = old?.headers ?? envelope.headers
  const id = idOf(headers["id"]) ?? headerId
  if (id === null) return yield* new Unreadable({ problem: "headers.id: no task id" })

  const checked = yield* Schema.decodeUnknownEffect(Headers, { errors: "all" })(PythonJson.numbers({ ...headers, id })).pipe(
    Effect.mapError((error) => undeliverable(id)(TaskFailure.decodeError(`headers: ${problems(error)}`)))
  )
  const [args, kwargs, embed] = yield* Schema.decodeUnknownEffect(Body.Body, { errors: "all" })(old?.body ?? packed.success).pipe(
    Effect.mapError((error) => undeliverable(id)(TaskFailure.decodeError(`body: ${problems(error)}`)))
  )
  return { id, headers: checked, args, kwargs, embed: embed ?? {}, envelope }
})
