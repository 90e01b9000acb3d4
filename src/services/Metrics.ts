import { Context, type Effect } from "effect"
import { REASONS } from "./Generator.ts"
import { spans } from "./Budget.ts"
import { states } from "./Journal.ts"
import { MEDIA_OPERATIONS, MEDIA_REASONS } from "./MediaStore.ts"
import { PRIORITIES } from "./QueueInspector.ts"

const seconds = [0.005, 0.025, 0.1, 0.5, 1, 2, 3, 5, 8, 13, 21, 34, 60, 120, 240, 300]
const minutes = [1, 5, 15, 60, 300, 900, 1800, 3600, 14_400, 86_400]

/** A label that names something in the world, such as a task, a queue or a server: no list of its values exists. */
const open = "open"

/** How a task has ended, or gone back to be run again. */
export const TASK_OUTCOMES = [
  "succeeded",
  "failed",
  "retried",
  "put back",
  "terminated",
  "soft limit",
  "hard limit",
  "lost",
  "broken",
  "not registered",
  "refused"
] as const
export type TaskOutcome = (typeof TASK_OUTCOMES)[number]

/** Why a task is put back to be run later. */
export const RETRY_REASONS = [
  "journal",
  "journal unreadable",
  "contended",
  "late",
  "uncertain",
  "fal busy",
  "fal unreachable",
  "fal job failed",
  "result lost",
  "database",
  "save",
  "media",
  "redis"
] as const
export type RetryReason = (typeof RETRY_REASONS)[number]

/** Why a task that fal could not be asked for yet is parked as it is. */
export const WAIT_REASONS = ["no room at fal", "rate limit", "fal is down", "the broker is away"] as const
export type WaitReason = (typeof WAIT_REASONS)[number]

/** Why a task is parked whose dependency is closed: until a person acts, until fal's Retry-After, until there is money again. */
export const CLOSURES = ["closed", "fal busy", "budget"] as const

/** Why no task at all is taken until a person acts. */
export const PAUSE_REASONS = ["fal account"] as const

/** Why a message became a dead letter. */
export const BURIAL_REASONS = [
  "unreadable",
  "too large",
  "crashed its worker",
  "crash cannot be counted",
  "could not be settled"
] as const
export type BurialReason = (typeof BURIAL_REASONS)[number]

/** Why a pool's child has ended. */
export const RETIREMENT_REASONS = ["quota", "renewed", "spent", "memory", "last", "stopped", "crashed"] as const
export type RetirementReason = (typeof RETIREMENT_REASONS)[number]

/** Requests to fal. */
export const FAL_OPERATIONS = ["submit", "progress", "stream", "result", "cancel", "probe"] as const
export type FalOperation = (typeof FAL_OPERATIONS)[number]

/** What first noticed that fal had ended a request. */
export const NOTICERS = ["stream", "poll"] as const
export type Noticer = (typeof NOTICERS)[number]

/** Calls to the database. */
export const DATABASE_OPERATIONS = [
  "save",
  "find",
  "having",
  "list",
  "remove",
  "replace",
  "at fal",
  "rehearse",
  "record",
  "totals",
  "decide",
  "audit",
  "ping",
  "migrate",
  "preconditions"
] as const
export type DatabaseOperation = (typeof DATABASE_OPERATIONS)[number]

/** Whether a task got the picture that was paid for. */
export const USES = ["used", "wasted"] as const
export type Use = (typeof USES)[number]

/** Every metric: what it counts, its labels with the words each may hold, and for a histogram its buckets in seconds. */
export const definitions = {
  counters: {
    tasks_total: { help: "Tasks ended, by name and outcome", labels: { task: open, outcome: TASK_OUTCOMES } },
    task_retries_total: { help: "Tasks put back to be run later, by reason", labels: { task: open, reason: RETRY_REASONS } },
    dead_letters_total: { help: "Messages put aside as dead letters, by reason", labels: { reason: BURIAL_REASONS } },
    messages_released_total: { help: "Messages put back on a queue, by why", labels: { why: ["due", "lost"] } },
    children_started_total: { help: "Pool children started", labels: {} },
    children_retired_total: { help: "Pool children that ended, by reason", labels: { reason: RETIREMENT_REASONS } },
    actor_restarts_total: { help: "Actors restarted after a crash", labels: { actor: open } },
    fal_requests_total: {
      help: "HTTP requests to fal, by operation and outcome",
      labels: { operation: FAL_OPERATIONS, outcome: ["ok", "Interrupted", ...REASONS] }
    },
    fal_ends_noticed_total: {
      help: "Requests seen to have ended, by what noticed it first: fal's status stream, or a look at the status",
      labels: { by: NOTICERS }
    },
    generations_total: { help: "Generations ended, by outcome", labels: { outcome: ["picture", "flagged", ...REASONS] } },
    generations_reattached_total: { help: "Generations found in the journal with a request id and not bought again", labels: {} },
    generations_uncertain_total: { help: "Submits whose answer was lost", labels: {} },
    generations_uncertain_ended_total: {
      help: "Submits without an answer after their grace, by how it went on",
      labels: { how: ["resubmitted", "found", "failed"] }
    },
    journal_unreplicated_total: {
      help: "Request ids and pictures written to the broker that no replica confirmed within 500 ms, where there is one",
      labels: {}
    },
    paid_thrown_away_total: {
      help: "Pictures that were paid for and came, and whose task nobody wants any more",
      labels: { endpoint: open }
    },
    billable_units_total: { help: "Units fal charged for, in the endpoint's price unit", labels: { endpoint: open, use: USES } },
    spent_dollars_total: {
      help: "What was charged at fal's list prices: an estimate, by endpoint and whether it was of use",
      labels: { endpoint: open, use: USES }
    },
    pictures_unusable_total: {
      help: "Paid pictures whose file is not usable, by what is wrong with it",
      labels: { reason: open }
    },
    pictures_stored_total: { help: "Pictures whose bytes were put into the media store", labels: {} },
    pictures_unsigned_total: {
      help: "Pictures stored without a signature though a certificate is set",
      labels: {}
    },
    stored_bytes_total: { help: "Bytes put into the media store", labels: { what: ["picture", "thumbnail"] } },
    media_store_errors_total: {
      help: "Operations of the media store that failed, by operation and reason",
      labels: { operation: MEDIA_OPERATIONS, reason: MEDIA_REASONS }
    },
    redis_errors_total: {
      help: "Commands and attempts to connect that failed at Redis, by server and error",
      labels: { server: open, error: open }
    },
    redis_reconnections_total: {
      help: "Connections to Redis made again after one was lost, by server",
      labels: { server: open }
    },
    database_errors_total: {
      help: "Work on the database that failed, by operation and SQLSTATE or network error",
      labels: { operation: DATABASE_OPERATIONS, error: open }
    },
    database_connections_total: {
      help: "Connections to the database begun: new ones and those in the place of lost ones",
      labels: {}
    },
    tasks_held_total: {
      help: "Times a task was put aside for a moment because fal could not be asked yet",
      labels: { task: open, reason: [...WAIT_REASONS, ...CLOSURES] }
    },
    events_dropped_total: { help: "Task events nobody will hear, because the broker was too slow or away", labels: {} },
    pauses_total: { help: "Times the taking of tasks was paused, by reason", labels: { reason: [...PAUSE_REASONS, "closed"] } },
    paused_seconds_total: {
      help: "How long the taking of tasks was paused in all, by reason",
      labels: { reason: [...PAUSE_REASONS, "closed"] }
    }
  },
  gauges: {
    slots: { help: "Slots of the pool", labels: {} },
    slots_busy: { help: "Slots that run a task", labels: {} },
    consuming: { help: "1 when the worker takes tasks, 0 when it is paused or cut off", labels: {} },
    healthy: { help: "1 when this worker can prove that it consumes, 0 when `health --self` says why not", labels: {} },
    broker_up: { help: "1 when the broker answered when it was last asked for the numbers below", labels: {} },
    queue_messages: {
      help: "Messages that wait, by queue and priority (0 is taken first)",
      labels: { queue: open, priority: PRIORITIES }
    },
    queue_oldest_seconds: {
      help: "Age of the oldest message that waits, as the beats saw it come: up to 5 s less than the truth; 0 without one",
      labels: { queue: open }
    },
    queue_dead_letters: { help: "Dead letters that wait for a person", labels: { queue: open } },
    messages_scheduled: { help: "Messages on the broker that wait for their time", labels: {} },
    messages_unacknowledged: { help: "Messages on the broker that are held or wait for their time", labels: {} },
    fal_in_flight: { help: "Requests of the fleet that fal may be working on, also of workers that died", labels: {} },
    fal_max_concurrent: { help: "How many of them there may be; 0 is no limit", labels: {} },
    fal_circuit_open: { help: "1 while nothing is submitted because fal takes nothing", labels: {} },
    fal_endpoint_closed: {
      help: "1 while nothing is submitted to this endpoint because fal refused it or named a time to come again",
      labels: { endpoint: open }
    },
    budget_used_dollars: {
      help: "Spent and reserved in this day or month, by list prices",
      labels: { span: spans, subject: open }
    },
    budget_limit_dollars: { help: "The most that it may be; +Inf for any amount", labels: { span: spans, subject: open } },
    budget_reserved_dollars: { help: "Reserved for requests whose outcome is not known yet", labels: {} },
    ledger_debts: { help: "Paid requests whose row in the ledger is still to be written", labels: {} },
    library_closed: { help: "1 while no picture is bought because it could not be saved", labels: {} },
    messages_held: { help: "Messages this worker holds", labels: {} },
    journal_generations: {
      help: "Generations in the journal that may yet be of use, by state: it keeps each for a week",
      labels: { state: states }
    },
    clock_ahead_seconds: { help: "How far this machine's clock is ahead of Redis's", labels: {} },
    leases: {
      help: "Workers that have reported to the broker, by whether their lease runs",
      labels: { state: ["running", "run out"] }
    },
    last_beat_timestamp_seconds: { help: "When the lease on held messages was last renewed", labels: {} },
    build_info: { help: "Always 1; the labels tell the build", labels: { version: open, node: open } }
  },
  histograms: {
    task_duration_seconds: { help: "From claim to result, by task", labels: { task: open }, buckets: seconds },
    queue_wait_seconds: {
      help: "From arrival on the queue, or from when it was due, to start, by task: up to 5 s less than the truth",
      labels: { task: open },
      buckets: minutes
    },
    fal_wait_seconds: { help: "From submit to the noticed end of a generation", labels: { endpoint: open }, buckets: seconds },
    fal_inference_seconds: { help: "What fal says the work alone took", labels: { endpoint: open }, buckets: seconds },
    fal_queue_seconds: {
      help: "The rest of fal_wait_seconds: fal's queue, its bookkeeping, and until we looked",
      labels: { endpoint: open },
      buckets: seconds
    },
    save_duration_seconds: { help: "Saving a model in the library", labels: {}, buckets: seconds },
    store_duration_seconds: { help: "Reading a picture's bytes, examining and storing them", labels: {}, buckets: seconds }
  }
} as const satisfies Record<string, Record<string, Definition>>

interface Definition {
  readonly help: string
  readonly labels: Readonly<Record<string, typeof open | ReadonlyArray<string>>>
  readonly buckets?: ReadonlyArray<number>
}

export type Counter = keyof typeof definitions.counters
export type Gauge = keyof typeof definitions.gauges
export type Histogram = keyof typeof definitions.histograms
type Of<D extends Definition> = {
  readonly [L in keyof D["labels"]]: D["labels"][L] extends ReadonlyArray<infer Word extends string> ? Word : string
}
export type CounterLabels<N extends Counter> = Of<(typeof definitions.counters)[N]>
export type GaugeLabels<N extends Gauge> = Of<(typeof definitions.gauges)[N]>
export type HistogramLabels<N extends Histogram> = Of<(typeof definitions.histograms)[N]>

/** Counts and durations in the words of the domain. Exposed names carry the prefix `model_generator_`. Never fails. */
export class Metrics extends Context.Service<
  Metrics,
  {
    readonly count: <N extends Counter>(name: N, labels: CounterLabels<N>, by?: number) => Effect.Effect<void>
    readonly set: <N extends Gauge>(name: N, labels: GaugeLabels<N>, value: number) => Effect.Effect<void>
    readonly observe: <N extends Histogram>(name: N, labels: HistogramLabels<N>, seconds: number) => Effect.Effect<void>
    /** The text a Prometheus server reads, with its content type. */
    readonly expose: Effect.Effect<{ readonly contentType: string; readonly body: string }>
  }
>()("model-generator/services/Metrics") {}
