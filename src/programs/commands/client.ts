import { Console, Duration, Effect, Option, Schedule, Schema } from "effect"
import { randomUUID } from "node:crypto"
import { Publisher } from "../../services/Publisher.ts"
import { QueueInspector } from "../../services/QueueInspector.ts"
import { ResultStore, type TaskResult } from "../../services/ResultStore.ts"
import * as Settings from "../../services/Settings.ts"
import { WorkerIdentity } from "../../services/WorkerIdentity.ts"
import type * as Body from "../celery/Body.ts"
import * as NewMessage from "../celery/NewMessage.ts"
import * as Display from "./Display.ts"
import { Failed } from "./outcome.ts"

export const print = (document: unknown) => Console.log(JSON.stringify(document, null, 2))

/** The queue tasks are sent to: the first of those the workers read. */
export const queueName = Settings.of("WORKER_QUEUES").pipe(
  Effect.map(({ WORKER_QUEUES }) => WORKER_QUEUES[0] ?? "generator_queue"),
  Effect.orDie // a command checks its settings before it starts
)

/** Checks that results can be read before a task is sent: otherwise a picture would be paid whose result cannot be shown. */
export const mustReachBoth = Effect.gen(function* () {
  yield* (yield* QueueInspector).ping
  yield* (yield* ResultStore).ping
})

/** Puts a task on the queue as a Python client would, and returns its id. Arguments that are null are left out. */
export const send = Effect.fn("client.send")(function* (
  task: string,
  kwargs: Readonly<Record<string, unknown>>,
  embed: Body.Embed = {},
  priority = 0
) {
  const publisher = yield* Publisher
  const me = yield* WorkerIdentity
  const [id, tag, replyTo] = yield* Effect.sync(() => [randomUUID(), randomUUID(), randomUUID()] as const)
  const given = Object.fromEntries(Object.entries(kwargs).filter(([, value]) => value !== null))
  const message = { id, task, args: [], kwargs: given, queue: yield* queueName, tag, replyTo, embed, priority }
  yield* publisher.publish([NewMessage.encode(message, me.name)])
  return id
})

const Raised = Schema.Struct({
  exc_type: Schema.String,
  exc_message: Schema.Union([Schema.Array(Schema.Unknown), Schema.String])
})
/** A failure as Celery stores it, whether a worker of ours or a stock one wrote it. */
export const errorOf = ({ result, status }: TaskResult): { readonly type: string; readonly message: string } =>
  Option.match(Schema.decodeUnknownOption(Raised)(result), {
    onNone: () => ({ type: status, message: JSON.stringify(result) }),
    onSome: ({ exc_message, exc_type }) => ({
      type: exc_type,
      message: typeof exc_message === "string" ? exc_message : exc_message.map(String).join(", ")
    })
  })

/** The final result, or `None` when there is none in time. A broker that goes away meanwhile is waited for. */
export const awaitResult = Effect.fn("client.awaitResult")(function* (id: string, timeout: Duration.Duration) {
  const results = yield* ResultStore
  return yield* results.awaitFinal(id).pipe(Effect.retry(Schedule.spaced("1 second")), Effect.timeoutOption(timeout))
})

/** Why a task that has no result was put back, if it was. */
const lastTry = Effect.fnUntraced(function* (id: string) {
  const results = yield* ResultStore
  const now = yield* results.get(id).pipe(Effect.timeout("1 second"), Effect.option, Effect.map(Option.flatten))
  if (Option.isNone(now) || now.value.status !== "RETRY") return ""
  const { message, type } = errorOf(now.value)
  return ` (it will be tried again after ${type}: ${message})`
})

/** Warns, once, that no worker is there to take the task. */
export const warnWhenAlone = Effect.fn("client.warnWhenAlone")(function* (display: Display.Display) {
  const inspector = yield* QueueInspector
  yield* Effect.sleep("2 seconds")
  const status = yield* Effect.option(inspector.status)
  if (Option.isSome(status) && !status.value.workers.some((worker) => worker.alive))
    yield* display.line(
      "no worker of model-generator is alive on this broker: start one (model-generator worker), or look at health"
    )
})

export interface Waiting {
  readonly wait: boolean
  readonly timeout: number
  readonly json: boolean
}

/** Sends one task, waits for it with a spinner on a terminal, and prints its result. */
export const performOne = Effect.fn("client.performOne")(function* (
  task: string,
  kwargs: Readonly<Record<string, unknown>>,
  options: Waiting
) {
  const paint = yield* Display.paint
  if (options.wait) yield* mustReachBoth
  const id = yield* send(task, kwargs)
  if (!options.wait) {
    return yield* options.json
      ? print({ task_id: id, status: "SENT", queue: yield* queueName })
      : Console.log(`${task} ${id} is on ${yield* queueName}`)
  }
  const display = yield* Display.make((millis) => [`${Display.spinner(millis)} ${task} ${id}  ${(millis / 1000).toFixed(0)} s`])
  if (!display.live) yield* display.line(`${task} ${id} is on ${yield* queueName}, waiting`)
  yield* Effect.forkScoped(warnWhenAlone(display))
  const [took, found] = yield* Effect.timed(awaitResult(id, Duration.seconds(options.timeout)))
  if (Option.isNone(found)) {
    const message = `no result within ${options.timeout} s${yield* lastTry(id)}; the task stays on the queue and its result will be under ${id}`
    if (options.json) yield* print({ task_id: id, status: "PENDING", error: { type: "TimeoutError", message } })
    return yield* new Failed({ message })
  }
  const result = found.value
  if (result.status !== "SUCCESS") {
    const error = errorOf(result)
    if (options.json) yield* print({ task_id: id, status: result.status, error })
    return yield* new Failed({ message: `${task} ${id} ended in ${result.status}: ${error.type}: ${error.message}` })
  }
  if (options.json) return yield* print({ task_id: id, status: result.status, result: result.result })
  yield* display.line(`${paint.green("✓")} ${task} ${id}  ${Duration.toSeconds(took).toFixed(1)} s`)
  yield* Console.log(fieldsOf(result.result, paint))
}, Effect.scoped)

const fieldsOf = (value: Schema.Json, paint: Display.Paint) =>
  typeof value === "object" && value !== null
    ? Object.entries(value)
        .map(([key, inner]) => `${paint.dim(key.padEnd(19))} ${typeof inner === "string" ? inner : JSON.stringify(inner)}`)
        .join("\n")
    : JSON.stringify(value)
