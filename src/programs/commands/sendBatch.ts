import { Clock, Console, Duration, Effect, Option, Schema } from "effect"
import { awaitResult, errorOf, mustReachBoth, print, queueName, send, type Waiting, warnWhenAlone } from "./client.ts"
import * as Display from "./Display.ts"

const Sent = Schema.Struct({
  group_id: Schema.String,
  task_ids: Schema.Array(Schema.String),
  templates: Schema.Array(Schema.String)
})
const decodeSent = Schema.decodeUnknownOption(Sent)

const eta = (done: number, total: number, millis: number) =>
  done === 0 || done === total ? "" : `  about ${Math.ceil(((millis / done) * (total - done)) / 1000)} s left`

/** Sends a batch and waits for its pictures. Gives why it did not go well, "" when it did, `None` when it does not wait. */
export const sendBatch = Effect.fn("client.sendBatch")(function* (kwargs: Readonly<Record<string, unknown>>, options: Waiting) {
  const paint = yield* Display.paint
  const started = yield* Clock.currentTimeMillis
  if (options.wait) yield* mustReachBoth
  const id = yield* send("batch_generate", kwargs)
  if (!options.wait) {
    yield* options.json
      ? print({ task_id: id, status: "SENT", queue: yield* queueName })
      : Console.log(`batch_generate ${id} is on ${yield* queueName}`)
    return Option.none()
  }

  const state = { total: 0, done: 0, failed: 0, pacedFrom: 0 }
  const display = yield* Display.make((millis) => {
    const ended = state.done + state.failed
    if (state.total === 0) return [`${Display.spinner(millis)} batch_generate ${id}  ${Math.floor(millis / 1000)} s`]
    const failed = state.failed === 0 ? "" : `  ${paint.red(`${state.failed} failed`)}`
    return [
      `${Display.bar(ended, state.total, 30)}  ${ended}/${state.total}${failed}${eta(ended, state.total, millis - state.pacedFrom)}`
    ]
  })
  yield* display.line(`batch_generate ${id} is on ${yield* queueName}`)
  yield* Effect.forkScoped(warnWhenAlone(display))
  const left = Effect.map(Clock.currentTimeMillis, (now) => Duration.millis(Math.max(0, started + options.timeout * 1000 - now)))
  const tooLate = `no result within ${options.timeout} s; what is left stays on the queue`

  const batch = yield* awaitResult(id, yield* left)
  if (Option.isNone(batch)) {
    if (options.json) yield* print({ task_id: id, status: "PENDING", error: { type: "TimeoutError", message: tooLate } })
    return Option.some(tooLate)
  }
  const sent = decodeSent(batch.value.result)
  if (batch.value.status !== "SUCCESS" || Option.isNone(sent)) {
    const error = errorOf(batch.value)
    if (options.json) yield* print({ task_id: id, status: batch.value.status, error })
    return Option.some(`batch_generate ${id} ended in ${batch.value.status}: ${error.type}: ${error.message}`)
  }

  const { task_ids, templates } = sent.value
  state.total = task_ids.length
  state.pacedFrom = (yield* Clock.currentTimeMillis) - started
  const children = yield* Effect.forEach(
    task_ids,
    Effect.fnUntraced(function* (child, at) {
      const result = yield* awaitResult(child, yield* left)
      const name = templates[at] ?? child
      if (Option.isNone(result))
        return { task_id: child, template_id: name, status: "PENDING", error: { type: "TimeoutError", message: tooLate } }
      const count = `${state.done + state.failed + 1}/${state.total}`
      if (result.value.status === "SUCCESS") {
        state.done++
        yield* display.line(`${paint.green("✓")} ${count} ${name}`)
        return { task_id: child, template_id: name, status: "SUCCESS", result: result.value.result }
      }
      state.failed++
      const error = errorOf(result.value)
      yield* display.line(`${paint.red("✗")} ${count} ${name}  ${error.type}: ${error.message}`)
      return { task_id: child, template_id: name, status: result.value.status, error }
    }),
    { concurrency: "unbounded" }
  )
  const missing = state.total - state.done - state.failed
  if (options.json)
    yield* print({
      task_id: id,
      status: "SUCCESS",
      group_id: sent.value.group_id,
      done: state.done,
      failed: state.failed,
      pending: missing,
      models: children
    })
  else {
    yield* Console.log(
      state.total === 0
        ? "nothing to do: the library has every combination asked for (--all makes new versions)"
        : `${state.done} of ${state.total} pictures made${state.failed > 0 ? `, ${state.failed} failed` : ""}`
    )
  }
  if (missing > 0) return Option.some(`${missing} of ${state.total}: ${tooLate}`)
  return Option.some(state.failed > 0 ? `${state.failed} of ${state.total} pictures failed` : "")
}, Effect.scoped)
