import { Config, ConfigProvider, DateTime, Duration, Effect, Option, Schema } from "effect"

const seconds = (name: string, fallback: number) =>
  Config.schema(Schema.FiniteFromString.check(Schema.isBetween({ minimum: 0.05, maximum: 864_000 })), name).pipe(
    Config.withDefault(fallback),
    Config.map(Duration.seconds)
  )
const natural = (name: string, fallback: number, minimum = 1, maximum = 1_000_000) =>
  Config.schema(Schema.FiniteFromString.check(Schema.isInt(), Schema.isBetween({ minimum, maximum })), name).pipe(
    Config.withDefault(fallback)
  )
const text = (name: string, fallback: string) => Config.String(name).pipe(Config.withDefault(fallback))
/** As many children as a pool may have. */
export const MOST_CHILDREN = 64
const range = (text: string) => {
  const [max = 0, min = 1] = text
    .split(",")
    .map(Number)
    .toSorted((one, other) => other - one)
  return { max, min: Math.max(min, 1) }
}
const isRange = (text: string) =>
  (/^\d{1,3}(,\d{1,3})?$/.test(text) && range(text).max >= 1 && range(text).max <= MOST_CHILDREN) ||
  `expected max,min with a max of 1 to ${MOST_CHILDREN}`
const secretUrl = (name: string, pattern: RegExp, expected: string) =>
  Config.schema(Schema.Redacted(Schema.String.check(Schema.isPattern(pattern, { message: `expected ${expected}` }))), name)

const redisUrl = (name: string) =>
  secretUrl(name, /^(rediss?|sentinel):\/\/\S+$/, "redis://, rediss:// or sentinel:// with a host")

/** Every setting under the name of its environment variable, with its default. Times are in seconds on the outside. */
const all = {
  CELERY_BROKER_URL: redisUrl("CELERY_BROKER_URL"),
  CELERY_RESULT_BACKEND: redisUrl("CELERY_RESULT_BACKEND"),
  /** Used when a Redis URL has no password of its own. */
  REDIS_PASSWORD: Config.option(Config.Redacted("REDIS_PASSWORD")),
  /** The master's name when a Redis URL is `sentinel://`. */
  REDIS_SENTINEL_MASTER: Config.String("REDIS_SENTINEL_MASTER").pipe(Config.withDefault("mymaster")),
  /** kombu's `global_keyprefix`: before every key and every channel of the broker. */
  BROKER_GLOBAL_KEYPREFIX: text("BROKER_GLOBAL_KEYPREFIX", ""),
  /** kombu's `fanout_prefix`: before the channels of events and remote control, after the other one; `{db}` is the database. */
  BROKER_FANOUT_PREFIX: Config.schema(
    // kombu finds the channel behind the first dot, and only where the prefix begins with a slash.
    Schema.String.check(Schema.isPattern(/^(true|false|\/[^.]*\.)$/, { message: "expected false, or /, anything and a dot" })),
    "BROKER_FANOUT_PREFIX"
  ).pipe(
    Config.withDefault("true"),
    Config.map((prefix) => (prefix === "true" ? "/{db}." : prefix === "false" ? "" : prefix))
  ),
  /** kombu's `fanout_patterns`: a channel for each kind of event. Without, all share one. */
  BROKER_FANOUT_PATTERNS: Config.Boolean("BROKER_FANOUT_PATTERNS").pipe(Config.withDefault(true)),
  /** How long stock workers on this broker wait before they restore an unacknowledged message. */
  VISIBILITY_TIMEOUT: seconds("VISIBILITY_TIMEOUT", 3600),
  /**
   * The result backend's `global_keyprefix`. An underscore follows it as in Celery 5.6: not after one of `: _ - .`; 5.3 always
   * puts one, and its `app:` is `app:_` here.
   */
  RESULT_GLOBAL_KEYPREFIX: text("RESULT_GLOBAL_KEYPREFIX", ""),
  RESULT_EXPIRES: seconds("RESULT_EXPIRES", 86_400),
  /** Celery's `result_extended`: a result also says which task it is of, its arguments, its worker and its queue. */
  RESULT_EXTENDED: Config.Boolean("RESULT_EXTENDED").pipe(Config.withDefault(false)),

  /** Celery's `result_chord_ordered`, of `result_backend_transport_options`: all workers of a fleet have the same. */
  RESULT_CHORD_ORDERED: Config.Boolean("RESULT_CHORD_ORDERED").pipe(Config.withDefault(true)),

  DATABASE_URL: secretUrl("DATABASE_URL", /^postgres(ql)?:\/\/\S+$/, "postgresql://user:password@host:port/database"),
  DATABASE_POOL: natural("DATABASE_POOL", 4, 1, 100),

  FAL_KEY: Config.schema(Schema.Redacted(Schema.NonEmptyString), "FAL_KEY"),
  FAL_MODEL: Config.NonEmptyString("FAL_MODEL").pipe(Config.withDefault("fal-ai/flux/dev")),
  FAL_EDIT_MODEL: Config.NonEmptyString("FAL_EDIT_MODEL").pipe(Config.withDefault("fal-ai/flux/dev/image-to-image")),
  /** When set, every request meant for fal's queue host goes to this base with the same path. */
  FAL_BASE_URL: Config.option(
    Config.schema(
      Schema.String.check(Schema.isPattern(/^https?:\/\/\S+$/, { message: "expected http:// or https://" })),
      "FAL_BASE_URL"
    )
  ),
  /** What becomes of a submit whose answer was lost, after its grace: made again at most once, or failed. */
  FAL_UNCERTAIN: Config.Literals(["resubmit", "fail"], "FAL_UNCERTAIN").pipe(Config.withDefault("resubmit")),
  /** That grace: longer than fal needs to show a request that it has taken. */
  FAL_UNCERTAIN_GRACE: seconds("FAL_UNCERTAIN_GRACE", 60),
  /** Requests the whole fleet may have in flight; 0 is no limit of ours: fal queues what is more than the account may run. */
  FAL_MAX_CONCURRENT: natural("FAL_MAX_CONCURRENT", 0, 0, 10_000),
  /** Submits a minute, of the whole fleet; 0 is no limit. Celery's `rate_limit` is per worker and task. */
  FAL_RATE_LIMIT: natural("FAL_RATE_LIMIT", 0, 0, 100_000),

  WORKER_NAME: Config.NonEmptyString("WORKER_NAME").pipe(Config.withDefault("celery@%h")),
  WORKER_QUEUES: Config.NonEmptyString("WORKER_QUEUES").pipe(
    Config.withDefault("generator_queue"),
    Config.map((text) =>
      text
        .split(",")
        .map((queue) => queue.trim())
        .filter((queue) => queue !== "")
    )
  ),
  WORKER_CONCURRENCY: natural("WORKER_CONCURRENCY", 1, 1, MOST_CHILDREN),
  /** Celery's `--autoscale=max,min`: as many children as there are messages, within these, in place of WORKER_CONCURRENCY. */
  WORKER_AUTOSCALE: Config.option(
    Config.schema(Schema.String.check(Schema.makeFilter(isRange)), "WORKER_AUTOSCALE").pipe(Config.map(range))
  ),
  WORKER_PREFETCH_MULTIPLIER: natural("WORKER_PREFETCH_MULTIPLIER", 1, 1, 1000),
  WORKER_MAX_TASKS_PER_CHILD: natural("WORKER_MAX_TASKS_PER_CHILD", 50),
  /** Kilobytes; over it after a task, the worker hands over and ends, to be started again. Unset, as in Celery, it may grow. */
  WORKER_MAX_MEMORY_PER_CHILD: Config.option(
    Config.schema(
      Schema.FiniteFromString.check(Schema.isInt(), Schema.isBetween({ minimum: 1, maximum: 1_000_000_000 })),
      "WORKER_MAX_MEMORY_PER_CHILD"
    )
  ),
  /** Whether every task's life is told to who listens; `enable_events` by remote control turns it on for a while. */
  WORKER_SEND_TASK_EVENTS: Config.Boolean("WORKER_SEND_TASK_EVENTS").pipe(Config.withDefault(false)),
  /** Of times without an offset in messages: an IANA name. Stock workers read them as UTC, whatever their `timezone`. */
  TIMEZONE: Config.schema(Schema.TimeZoneNamedFromString, "TIMEZONE").pipe(
    Config.withDefault(DateTime.zoneMakeNamedUnsafe("UTC"))
  ),
  TASK_SOFT_TIME_LIMIT: seconds("TASK_SOFT_TIME_LIMIT", 240),
  TASK_TIME_LIMIT: seconds("TASK_TIME_LIMIT", 300),
  /** Celery's `task_track_started`: a task whose work begins is STARTED; that of a picture begins with its request at fal. */
  TASK_TRACK_STARTED: Config.Boolean("TASK_TRACK_STARTED").pipe(Config.withDefault(false)),
  TASK_MAX_RETRIES: natural("TASK_MAX_RETRIES", 5, 0, 1000),
  TASK_RETRY_BACKOFF: seconds("TASK_RETRY_BACKOFF", 2),
  TASK_RETRY_BACKOFF_MAX: seconds("TASK_RETRY_BACKOFF_MAX", 60),
  /** How long the event loop may stand still before the process is ended and its task redelivered. */
  WATCHDOG_LIMIT: seconds("WATCHDOG_LIMIT", 30),
  /** After this long a stop is over, whatever holds the process; the last part of it is for handing back (Celery's soft shutdown). */
  SHUTDOWN_GRACE: seconds("SHUTDOWN_GRACE", 110),

  METRICS_HOST: Config.NonEmptyString("METRICS_HOST").pipe(Config.withDefault("127.0.0.1")),
  METRICS_PORT: Config.Port("METRICS_PORT").pipe(Config.withDefault(9101)),
  LOG_FORMAT: Config.option(Config.Literals(["json", "pretty"], "LOG_FORMAT")),
  LOG_LEVEL: Config.Literals(["trace", "debug", "info", "warn", "error", "fatal", "none"], "LOG_LEVEL").pipe(
    Config.withDefault("info")
  )
}

export type Name = keyof typeof all
type Value<N extends Name> = (typeof all)[N] extends Config.Config<infer A> ? A : never

/** The named settings, decoded. `yield* Settings.of("FAL_KEY", "FAL_MODEL")` */
export const of = <const Names extends ReadonlyArray<Name>>(
  ...names: Names
): Config.Config<{ readonly [N in Names[number]]: Value<N> }> =>
  // `Config.all` loses the link between a name and its type when the names are picked at run time.
  Config.all(Object.fromEntries(names.map((name) => [name, all[name]]))) as never

export const names = Object.keys(all) as ReadonlyArray<Name> // the keys of a literal are exactly `Name`

/** Wrong use of the environment, every bad variable named and no value shown. */
export class BadSettings extends Schema.TaggedError<BadSettings>()("BadSettings", { problems: Schema.Array(Schema.String) }) {
  override get message() {
    return `These settings are missing or wrong:\n${this.problems.map((problem) => `  ${problem}`).join("\n")}`
  }
}

const isSecret = (name: Name) => /URL|KEY|PASSWORD|BACKEND/.test(name)

/** Succeeds when all the named settings can be read; otherwise fails naming every one that cannot, without its value. */
export const check = Effect.fn("Settings.check")(function* (wanted: ReadonlyArray<Name>) {
  const provider = yield* ConfigProvider.ConfigProvider
  const problems: Array<string> = []
  for (const name of wanted) {
    const setting: Config.Config<unknown> = all[name]
    const exit = yield* Effect.result(setting)
    if (exit._tag === "Success") continue
    const given = yield* Effect.option(provider.load([name]))
    const missing = Option.isNone(given) || given.value === undefined
    const why = missing
      ? "is not set"
      : isSecret(name)
        ? "is not of the right form"
        : exit.failure.message
            .split("\n")[0]!
            .replace(/^SchemaError\W*/, "")
            .replace(/\)$/, "")
    problems.push(`${name} ${why}`)
  }
  if (problems.length > 0) return yield* new BadSettings({ problems })
})
