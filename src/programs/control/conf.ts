import { DateTime, Duration, Effect, Option, Redacted, Result } from "effect"
import * as Settings from "../../services/Settings.ts"
import * as RedisAddress from "../../services/settings/RedisAddress.ts"

const STARS = "********"

/** A Redis URL with its password hidden. Parameters can name key files, and are left out. */
export const masked = (secret: Redacted.Redacted): string =>
  Redacted.value(secret) // only what cannot be a secret leaves this function
    .split(";")
    .map((part) => {
      try {
        const url = new URL(part)
        const password = url.password === "" ? "" : `:${STARS}`
        const who = url.username === "" && password === "" ? "" : `${url.username}${password}@`
        return `${url.protocol}//${who}${url.host}${url.pathname}`
      } catch {
        return STARS
      }
    })
    .join(";")

/** The broker as `stats` shows it: where it is and who we are there. */
const brokerOf = (secret: Redacted.Redacted, options: object) => {
  const { at, db, tls, username } = Result.getOrThrow(RedisAddress.parse(Redacted.value(secret))) // as the setting was read
  const node = at._tag === "Server" ? at.node : at._tag === "Sentinels" ? at.nodes[0] : undefined
  return {
    hostname: node?.host ?? (at._tag === "Socket" ? at.path : null),
    userid: username ?? null,
    virtual_host: String(db),
    port: node?.port ?? null,
    insist: false,
    ssl: tls !== undefined,
    transport: at._tag === "Sentinels" ? "sentinel" : "redis",
    connect_timeout: 5,
    transport_options: options,
    login_method: null,
    uri_prefix: null,
    heartbeat: 0,
    failover_strategy: "round-robin",
    alternates: []
  }
}

/** The settings under Celery's names. What could be a secret is starred by its name, as Celery does, whatever it is. */
export const conf = Effect.gen(function* () {
  const s = yield* Settings.of(
    "CELERY_BROKER_URL",
    "CELERY_RESULT_BACKEND",
    "VISIBILITY_TIMEOUT",
    "BROKER_GLOBAL_KEYPREFIX",
    "BROKER_FANOUT_PREFIX",
    "BROKER_FANOUT_PATTERNS",
    "RESULT_GLOBAL_KEYPREFIX",
    "RESULT_EXPIRES",
    "RESULT_EXTENDED",
    "RESULT_CHORD_ORDERED",
    "TASK_TRACK_STARTED",
    "WORKER_CONCURRENCY",
    "WORKER_AUTOSCALE",
    "WORKER_PREFETCH_MULTIPLIER",
    "WORKER_MAX_TASKS_PER_CHILD",
    "WORKER_MAX_MEMORY_PER_CHILD",
    "WORKER_SEND_TASK_EVENTS",
    "WORKER_QUEUES",
    "TIMEZONE",
    "TASK_SOFT_TIME_LIMIT",
    "TASK_TIME_LIMIT",
    "SHUTDOWN_GRACE"
  )
  const options = {
    visibility_timeout: Duration.toSeconds(s.VISIBILITY_TIMEOUT),
    ...(s.BROKER_GLOBAL_KEYPREFIX === "" ? {} : { global_keyprefix: s.BROKER_GLOBAL_KEYPREFIX }),
    ...(s.BROKER_FANOUT_PREFIX === "/{db}." ? {} : { fanout_prefix: s.BROKER_FANOUT_PREFIX }),
    ...(s.BROKER_FANOUT_PATTERNS ? {} : { fanout_patterns: false })
  }
  const backendOptions = {
    ...(s.RESULT_GLOBAL_KEYPREFIX === "" ? {} : { global_keyprefix: s.RESULT_GLOBAL_KEYPREFIX }),
    ...(s.RESULT_CHORD_ORDERED ? {} : { result_chord_ordered: false })
  }
  const changed = {
    broker_url: masked(s.CELERY_BROKER_URL),
    result_backend: masked(s.CELERY_RESULT_BACKEND),
    broker_transport_options: options,
    ...(Object.keys(backendOptions).length === 0 ? {} : { result_backend_transport_options: backendOptions }),
    result_expires: Duration.toSeconds(s.RESULT_EXPIRES),
    result_extended: s.RESULT_EXTENDED,
    task_acks_late: true,
    task_reject_on_worker_lost: true,
    task_soft_time_limit: Duration.toSeconds(s.TASK_SOFT_TIME_LIMIT),
    task_time_limit: Duration.toSeconds(s.TASK_TIME_LIMIT),
    task_track_started: s.TASK_TRACK_STARTED,
    task_default_queue: s.WORKER_QUEUES[0] ?? null,
    worker_concurrency: s.WORKER_CONCURRENCY,
    // An option of its command line in Celery, and by its name no setting.
    ...(Option.isSome(s.WORKER_AUTOSCALE) ? { worker_autoscale: s.WORKER_AUTOSCALE.value } : {}),
    worker_prefetch_multiplier: s.WORKER_PREFETCH_MULTIPLIER,
    worker_max_tasks_per_child: s.WORKER_MAX_TASKS_PER_CHILD,
    ...(Option.isSome(s.WORKER_MAX_MEMORY_PER_CHILD) ? { worker_max_memory_per_child: s.WORKER_MAX_MEMORY_PER_CHILD.value } : {}),
    worker_send_task_events: s.WORKER_SEND_TASK_EVENTS,
    worker_soft_shutdown_timeout: Duration.toSeconds(s.SHUTDOWN_GRACE)
  }
  const all = {
    ...changed,
    accept_content: ["json"],
    broker_connection_retry: true,
    broker_connection_retry_on_startup: true,
    broker_password: STARS,
    control_exchange: "celery",
    database_url: STARS,
    enable_utc: true,
    event_exchange: "celeryev",
    event_serializer: "json",
    redis_password: STARS,
    result_serializer: "json",
    task_acks_on_failure_or_timeout: true,
    task_serializer: "json",
    timezone: DateTime.zoneToString(s.TIMEZONE),
    worker_pool_restarts: true
  }
  return { changed, all, broker: brokerOf(s.CELERY_BROKER_URL, options) }
})
