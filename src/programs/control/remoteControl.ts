import { Cause, Effect, Exit, type Latch, Option, Schema, Stream } from "effect"
import { type Binding, Fleet, type Heard, type ReplyAddress } from "../../services/Fleet.ts"
import * as PythonJson from "../../wire/PythonJson.ts"
import * as Text from "../../wire/Text.ts"
import type { Self } from "../runtime/Supervisor.ts"
import { within } from "../runtime/within.ts"
import { nok, refuse, SILENCE } from "./Command.ts"
import type { ControlledWorker } from "./ControlledWorker.ts"
import { mingle } from "./mingle.ts"
import { type Panel, panel } from "./panel.ts"
import { isFor, Request } from "./ControlMessage.ts"
import { loadRevoked } from "./revokedIds.ts"

const decode = Schema.decodeUnknownOption(Request)

/** No command takes this long, and who asked has stopped waiting. */
const PATIENCE = "5 seconds"

/** A longer answer is a burden to the broker and to who asked (characters). */
const LONGEST_ANSWER = 12_000_000
const bounded = (body: unknown) => {
  if (body === SILENCE) return body
  const size = PythonJson.stringify(body ?? null).length
  return size <= LONGEST_ANSWER ? body : nok(`the answer has ${size} characters, at most ${LONGEST_ANSWER} are sent`)
}

/** The answer to a command. A command that crashes answers like a crashed one of Celery's, with the repr of the exception. */
const answer = Effect.fn("remote.command")(function* (commands: Panel, request: Request) {
  const chosen = commands.get(request.method)
  const running = chosen === undefined ? Effect.fail(refuse("KeyError", request.method)) : chosen.run(request.arguments ?? {})
  const exit = yield* Effect.exit(
    Effect.timeoutOrElse(running, { duration: PATIENCE, orElse: () => Effect.fail(refuse("TimeoutError", "timed out")) })
  )
  if (Exit.isSuccess(exit)) return bounded(exit.value)
  const refusal = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
  yield* Effect.logWarning("a control command failed", { method: Text.cut(request.method, 200) }, refusal?.repr ?? exit.cause)
  if (refusal !== undefined) return { error: refusal.repr }
  return { error: refuse("RuntimeError", Cause.prettyErrors(exit.cause)[0]?.message ?? "unknown").repr }
})

const Asking = Schema.Struct({
  method: Schema.optionalKey(Schema.Unknown),
  reply_to: Request.fields.reply_to,
  ticket: Request.fields.ticket
})
const decodeAsking = Schema.decodeUnknownOption(Asking)
/** The message is no command. If it says where the answer goes, its sender is told. */
const unread = Effect.fnUntraced(function* (worker: ControlledWorker, body: unknown) {
  yield* Effect.logWarning("a control message cannot be read")
  const asking = Option.getOrUndefined(decodeAsking(body))
  if (asking?.reply_to === undefined || asking.reply_to === null) return
  const { exchange, routing_key: routingKey } = asking.reply_to
  const problem = refuse("ValueError", "expected method, arguments and destination as kombu writes them")
  yield* worker.fleet.reply(
    { exchange, routingKey, ticket: asking.ticket ?? null },
    { [worker.me.name]: nok(problem.repr) },
    worker.lamport.forward()
  )
})

/** Hears one thing. Whatever it is, the worker is none the worse for it. */
const hear = Effect.fnUntraced(function* (worker: ControlledWorker, commands: () => Panel, heard: Heard) {
  if (heard.about === "event") return yield* worker.gossip.heard(heard)
  worker.lamport.adjust(heard.headers["clock"])
  worker.lamport.forward()
  const request = decode(heard.body)
  if (Option.isNone(request)) return yield* unread(worker, heard.body)
  if (!isFor(request.value, worker.me.name)) return
  const body = yield* answer(commands(), request.value)
  const { reply_to: to, ticket } = request.value
  if (body === SILENCE || to === null || to === undefined) return
  const address: ReplyAddress = { exchange: to.exchange, routingKey: to.routing_key, ticket: ticket ?? null }
  yield* worker.fleet.reply(address, { [worker.me.name]: body }, worker.lamport.forward())
})

/**
 * Obeys what `celery inspect`, `celery control` and Flower send, whatever the pool is busy with. `informed` opens when this
 * worker knows what was revoked before it came: no task is taken before that.
 */
export const remoteControl = (worker: ControlledWorker, leased: Effect.Effect<void>, informed: Latch.Latch) => {
  let built: Panel | undefined
  // At the first order: its schemas are a good part of a start.
  const commands = () => (built ??= panel(worker))
  const bound = Effect.map(worker.queue.queues, (queues) =>
    queues.map((queue): Binding => ({ exchange: queue, routingKey: queue, ...worker.bindings.get(queue), queue }))
  )
  return (self: Self) =>
    Effect.gen(function* () {
      const fleet = yield* Fleet
      yield* self.doing("waiting for the lease")
      yield* leased
      yield* Effect.ignore(loadRevoked(worker))
      const heard = yield* fleet.hear.pipe(
        Effect.tapError((error) => Effect.logWarning("cannot subscribe to control messages", error)),
        // If the revoked ids cannot be read, tasks run all the same: to run a revoked task is bad, to run no task is worse.
        Effect.tapError(() => informed.open),
        Effect.tapError(() => Effect.sleep(PATIENCE)),
        Effect.eventually
      )
      yield* Effect.ignore(Effect.flatMap(bound, fleet.join))
      yield* Effect.forkChild(Effect.ensuring(mingle(worker), informed.open))
      yield* self.doing("listening")
      yield* Stream.runForEach(heard, (one) =>
        Effect.catchCauseIf(
          hear(worker, commands, one),
          (cause) => !Cause.hasInterrupts(cause),
          (cause) => Effect.logWarning("failed to handle a broadcast message", cause)
        )
      )
    }).pipe(
      Effect.scoped,
      Effect.onInterrupt(() => within(Effect.ignore(worker.fleet.leave), "1 second"))
    )
}
