import { Config, ConfigProvider, DateTime, Duration, Effect, Option, Result, Schema } from "effect"
import * as NanoDollars from "./NanoDollars.ts"
import type { Cap } from "./Budget.ts"
import type { Role } from "./People.ts"
import * as Form from "./settings/Form.ts"
import * as forms from "./settings/forms.ts"

export { MOST_CHILDREN } from "./settings/forms.ts"

/** How one setting is read; where it is absent or empty it is what stands in `otherwise`, and `None` must be given. */
interface Setting<A> extends Form.Form<A> {
  readonly otherwise: Option.Option<A>
}

const required = <A>(form: Form.Form<A>): Setting<A> => ({ ...form, otherwise: Option.none() })
const setting = <A>(form: Form.Form<A>, fallback: A): Setting<A> => ({ ...form, otherwise: Option.some(fallback) })
const optional = <A>(form: Form.Form<A>): Setting<Option.Option<A>> => setting(Form.map(form, Option.some), Option.none())

/** Ten days: no wait of a worker's is longer. */
const seconds = (fallback: number, minimum = 0.05, maximum = 864_000) =>
  setting(Form.seconds(minimum, maximum), Duration.seconds(fallback))
const natural = (fallback: number, minimum = 1, maximum = 1_000_000) => setting(Form.whole(minimum, maximum), fallback)
const flag = (fallback: boolean) => setting(Form.flag, fallback)
/** Longer than anybody keeps anything (seconds): a hundred years. */
const FOR_EVER = 100 * 366 * 86_400

/** Every setting under the name of its environment variable, with its default. Times are in seconds on the outside. */
const all = {
  CELERY_BROKER_URL: required(forms.redisUrl),
  CELERY_RESULT_BACKEND: required(forms.redisUrl),
  /** Used when a Redis URL has no password of its own. */
  REDIS_PASSWORD: optional(forms.password),
  /** The master's name when a Redis URL is `sentinel://`. */
  REDIS_SENTINEL_MASTER: setting(Form.anything, "mymaster"),
  /**
   * The password of the sentinels themselves, as `sentinel_kwargs` of Celery's transport options has it. Sentinels have none by
   * default.
   */
  REDIS_SENTINEL_PASSWORD: optional(forms.password),
  REDIS_SENTINEL_USERNAME: optional(Form.anything),
  /** kombu's `global_keyprefix`: before every key and every channel of the broker. */
  BROKER_GLOBAL_KEYPREFIX: setting(Form.anything, ""),
  /** kombu's `fanout_prefix`: before the channels of events and remote control, after the other one; `{db}` is the database. */
  BROKER_FANOUT_PREFIX: setting(forms.fanoutPrefix, "/{db}."),
  /** kombu's `fanout_patterns`: a channel for each kind of event. Without, all share one. */
  BROKER_FANOUT_PATTERNS: flag(true),
  /** How long stock workers on this broker wait before they restore an unacknowledged message. */
  VISIBILITY_TIMEOUT: seconds(3600, 0.05, FOR_EVER),
  /**
   * The result backend's `global_keyprefix`. An underscore follows it as in Celery 5.6: not after one of `: _ - .`; 5.3 always
   * puts one, and its `app:` is `app:_` here.
   */
  RESULT_GLOBAL_KEYPREFIX: setting(Form.anything, ""),
  RESULT_EXPIRES: seconds(86_400, 0, FOR_EVER),
  /** Celery's `result_extended`: a result also says which task it is of, its arguments, its worker and its queue. */
  RESULT_EXTENDED: flag(false),

  /** Celery's `result_chord_ordered`, of `result_backend_transport_options`: all workers of a fleet have the same. */
  RESULT_CHORD_ORDERED: flag(true),

  DATABASE_URL: required(forms.databaseUrl),
  /** Connections at most; as many as `connectionsFor` the children when it is not set. */
  DATABASE_POOL: optional(Form.whole(1, 100)),

  FAL_KEY: required(forms.falKey),
  FAL_MODEL: setting(forms.falModel, "fal-ai/flux/dev"),
  FAL_EDIT_MODEL: setting(forms.falModel, "fal-ai/flux/dev/image-to-image"),
  /** Models that may be bought from though their price is not known here. */
  FAL_UNPRICED_MODELS: setting<ReadonlyArray<string>>(forms.falModels, []),
  /** When set, every request meant for fal's queue host goes to this base with the same path. */
  FAL_BASE_URL: optional(forms.baseUrl),
  /** How the end of a request is noticed: by fal's status stream, with looks as the net under it, or by looks alone. */
  FAL_WAIT: setting(Form.oneOf<"stream" | "poll">({ stream: "stream", poll: "poll" }), "stream"),
  /** What happens after the grace to a submit whose answer was lost: it is made again once, or its task fails. */
  FAL_UNCERTAIN: setting(Form.oneOf<"resubmit" | "fail">({ resubmit: "resubmit", fail: "fail" }), "resubmit"),
  /** That grace: longer than fal needs to show a request that it has taken. */
  FAL_UNCERTAIN_GRACE: seconds(60),
  /** How many requests may be made for one picture in the place of lost ones. */
  FAL_MAX_RESUBMITS: natural(1, 0, 10),
  /** A key of an administrator of the fal account: with it the bills are read, and lost requests are found in them. */
  FAL_ADMIN_KEY: optional(forms.falKey),
  /** Requests the whole fleet may have in flight; 0 is no limit of ours: fal queues what is more than the account may run. */
  FAL_MAX_CONCURRENT: natural(0, 0, 10_000),
  /** Submits a minute, of the whole fleet; 0 is no limit. Celery's `rate_limit` is per worker and task. */
  FAL_RATE_LIMIT: natural(0, 0, 100_000),

  /** The command `batch` asks before it sends pictures that cost more than this. */
  BATCH_ASK_ABOVE: setting(Form.dollars, NanoDollars.usd("5")),
  /** How many approved pictures of each of the 288 combinations are wanted. */
  LIBRARY_TARGET: natural(1, 0, 1000),
  /** A file with other numbers for some of them. */
  LIBRARY_TARGETS: optional(forms.absolutePath),
  /** The most that the fleet may spend in a day and in a month of BUDGET_TIMEZONE (US dollars). Unset: any amount. */
  BUDGET_DAY: optional(Form.dollars),
  BUDGET_MONTH: optional(Form.dollars),
  /** Caps of single callers and models, as in `caller:shop=5/day,model:fal-ai/flux-2-pro=40/month`. */
  BUDGET_CAPS: setting<ReadonlyArray<Cap>>(forms.caps, []),
  /** The part of a cap at which the log and the metrics say so. */
  BUDGET_ALERT: setting(forms.part, 0.8),
  BUDGET_TIMEZONE: setting(forms.zone, DateTime.zoneMakeNamedUnsafe("UTC")),

  /** Where the bytes of pictures are kept. Unset, rows hold fal's addresses, which end. */
  MEDIA_STORE: optional(forms.mediaStore),
  /** The beginning of the addresses of stored pictures. Default: the address of the folder or the bucket itself. */
  MEDIA_URL: optional(forms.mediaUrl),
  AWS_ACCESS_KEY_ID: optional(forms.password),
  AWS_SECRET_ACCESS_KEY: optional(forms.password),
  /** Goes with credentials that end. */
  AWS_SESSION_TOKEN: optional(forms.password),
  /** PEM files: a certificate with its chain and its key, to sign stored pictures with. Both or neither. */
  C2PA_CERT: optional(Form.anything),
  C2PA_KEY: optional(Form.anything),

  WORKER_NAME: setting(forms.nodeName, "celery@%h"),
  WORKER_QUEUES: setting<ReadonlyArray<string>>(forms.queues, ["generator_queue"]),
  WORKER_CONCURRENCY: natural(1, 1, forms.MOST_CHILDREN),
  /** Celery's `--autoscale=max,min`: as many children as there are messages, within these, in place of WORKER_CONCURRENCY. */
  WORKER_AUTOSCALE: optional(forms.range),
  WORKER_PREFETCH_MULTIPLIER: natural(1, 1, 1000),
  WORKER_MAX_TASKS_PER_CHILD: natural(50),
  /** Kilobytes; over it after a task, the worker hands over and ends, to be started again. Unset, as in Celery, it may grow. */
  WORKER_MAX_MEMORY_PER_CHILD: optional(Form.whole(1, 1_000_000_000)),
  /** Whether every step of a task is published as an event. `enable_events` by remote control turns it on at run time. */
  WORKER_SEND_TASK_EVENTS: flag(false),
  /**
   * The zone of times without an offset in messages (an IANA name). Stock workers read them as UTC, whatever their `timezone`.
   */
  TIMEZONE: setting(forms.zone, DateTime.zoneMakeNamedUnsafe("UTC")),
  TASK_SOFT_TIME_LIMIT: seconds(240),
  TASK_TIME_LIMIT: seconds(300),
  /** Celery's `task_track_started`: a task whose work begins is STARTED; that of a picture begins with its request at fal. */
  TASK_TRACK_STARTED: flag(false),
  TASK_MAX_RETRIES: natural(5, 0, 1000),
  TASK_RETRY_BACKOFF: seconds(2),
  TASK_RETRY_BACKOFF_MAX: seconds(60),
  /** How long the event loop may stand still before the process is ended and its task redelivered. */
  WATCHDOG_LIMIT: seconds(30),
  /**
   * After this long a stop is over, whatever holds the process; the last part of it is for handing back (Celery's soft shutdown).
   */
  SHUTDOWN_GRACE: seconds(110),

  /** Where the console answers. */
  CONSOLE_HOST: setting(forms.listenHost, "127.0.0.1"),
  CONSOLE_PORT: natural(9110, 1, 65_535),
  /** The file of those who may sign in at the console, as `console user add` writes it. */
  CONSOLE_USERS: optional(forms.absolutePath),
  /** The header in which a proxy, at one of these addresses and no other, says who somebody is; and what others may do. */
  CONSOLE_PROXY_HEADER: optional(forms.headerName),
  CONSOLE_PROXY_ADDRESS: setting<ReadonlyArray<string>>(forms.addresses, []),
  CONSOLE_PROXY_ROLE: setting(Form.oneOf<Role>({ viewer: "viewer", curator: "curator", operator: "operator" }), "viewer"),

  METRICS_HOST: setting(forms.listenHost, "127.0.0.1"),
  METRICS_PORT: natural(9101, 1, 65_535),
  LOG_FORMAT: optional(Form.oneOf<"json" | "pretty">({ json: "json", pretty: "pretty" })),
  LOG_LEVEL: setting(forms.level, "info")
} satisfies Readonly<Record<string, Setting<unknown>>>

export type Name = keyof typeof all
type Value<N extends Name> = (typeof all)[N] extends Setting<infer A> ? A : never

export const names = Object.keys(all) as ReadonlyArray<Name> // the keys of a literal are exactly `Name`

/** Spaces around a value are removed; a password may begin or end with one and is left as it is. */
const trimmed = (name: Name, text: string) => (name.endsWith("PASSWORD") ? text : text.trim())

export const NOT_SET = "is not set"
/** A setting's value, or what is wrong with its text. An empty text counts as not set, as Compose files write it. */
const read = (name: Name, text: string): Result.Result<unknown, string> => {
  const form: Setting<unknown> = all[name]
  const given = trimmed(name, text)
  if (given !== "") return form.read(given)
  return Option.match(form.otherwise, { onNone: () => Result.fail(NOT_SET), onSome: Result.succeed })
}

const textOf = (name: Name) => Config.String(name).pipe(Config.withDefault(""))
const configOf = (name: Name): Config.Config<unknown> =>
  textOf(name).pipe(
    Config.mapEffect((text) =>
      Effect.mapError(
        Effect.fromResult(read(name, text)),
        (problem) => new Config.ConfigError(new ConfigProvider.SourceError({ message: `${name} ${problem}` }))
      )
    )
  )
/** Made once: a worker reads its settings in dozens of places. */
const configs = Object.fromEntries(names.map((name) => [name, configOf(name)]))

/**
 * How many connections to the database serve this many children: a picture needs one for some milliseconds at its end, and none
 * while fal works.
 */
export const connectionsFor = (children: number) => Math.min(Math.max(4, Math.ceil(children / 8)), 16)

/** The named settings, decoded. `yield* Settings.of("FAL_KEY", "FAL_MODEL")` */
export const of = <const Names extends ReadonlyArray<Name>>(
  ...names: Names
): Config.Config<{ readonly [N in Names[number]]: Value<N> }> =>
  // `Config.all` loses the link between a name and its type when the names are picked at run time.
  Config.all(Object.fromEntries(names.map((name) => [name, configs[name]!]))) as never

/** Wrong use of the environment: every bad variable by name, with what is expected and, unless it may be secret, what came. */
export class BadSettings extends Schema.TaggedError<BadSettings>()("BadSettings", { problems: Schema.Array(Schema.String) }) {
  override get message() {
    return `These settings are missing or wrong:\n${this.problems.map((problem) => `  ${problem}`).join("\n")}`
  }
}

/** What is wrong with the named settings: one line each that begins with the setting's name. Empty when all can be read. */
export const problems = Effect.fn("Settings.problems")(function* (wanted: ReadonlyArray<Name>) {
  const found: Array<string> = []
  for (const name of wanted) {
    const result = read(name, yield* Effect.orDie(textOf(name))) // the environment can always be read
    if (Result.isFailure(result)) found.push(`${name} ${result.failure}`)
  }
  return found
})

/** Succeeds when all the named settings can be read; otherwise fails naming every one that cannot. */
export const check = Effect.fn("Settings.check")(function* (wanted: ReadonlyArray<Name>) {
  const found = yield* problems(wanted)
  if (found.length > 0) return yield* new BadSettings({ problems: found })
})

/** Settings that can be read and may still be mistakes, in the same form. */
export const doubts = Effect.fn("Settings.doubts")(function* (wanted: ReadonlyArray<Name>) {
  const found: Array<string> = []
  for (const name of wanted) {
    const form: Setting<unknown> = all[name]
    const text = trimmed(name, yield* Effect.orDie(textOf(name)))
    if (text !== "") found.push(...(form.doubts?.(text) ?? []).map((doubt) => `${name} ${doubt}`))
  }
  return found
})
