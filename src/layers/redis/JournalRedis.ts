import { Duration, Effect, Layer, Schema, Scope } from "effect"
import { GONE, Journal, JournalError, KEEP, PRESENT, states } from "../../services/Journal.ts"
import * as Settings from "../../services/Settings.ts"
import { make, type Write } from "../journal/entries.ts"
import { replicas } from "./replicas.ts"
import * as Connections from "./Connections.ts"
import { WorkerIdentity } from "../../services/WorkerIdentity.ts"
import { toldArguments } from "../lifeText.ts"
import * as kombu from "../../wire/kombu.ts"
import { closeEntry } from "./scripts/closeEntry.ts"
import { countEntries } from "./scripts/countEntries.ts"
import { countInFlight } from "./scripts/countInFlight.ts"
import { findEntry } from "./scripts/findEntry.ts"
import { intend } from "./scripts/intend.ts"
import { replaceEntry } from "./scripts/replaceEntry.ts"
import { bind } from "./scripts/script.ts"
import { broker } from "./where.ts"
import { attempting } from "../attempting.ts"

const Stored = Schema.Tuple([Schema.NullOr(Schema.String), Schema.String, Schema.FiniteFromString])
const Replaced = Schema.Literals(["written", "changed"])
const Admitted = Schema.Literals(["written", "changed", "contended", "full"])
const Counts = Schema.Tuple([Schema.Int, Schema.Int, Schema.Int])

const attempt = attempting(JournalError)
const answered = <S extends Schema.ConstraintDecoder<unknown>>(operation: string, schema: S, ask: () => Promise<unknown>) => {
  const decode = Schema.decodeUnknownEffect(schema)
  return attempt(operation, ask).pipe(
    Effect.flatMap((answer) => Effect.mapError(decode(answer), (cause) => new JournalError({ operation, cause })))
  )
}

const writingOf = (taskId: string, { expected, open, state, text, told }: Write) => ({
  entry: kombu.journal(taskId),
  task: taskId,
  expected,
  text: text ?? undefined,
  keep: KEEP,
  count: open,
  state: state === undefined ? 0 : states.indexOf(state) + 1,
  told: toldArguments(told).told
})

export const layer = Layer.effect(
  Journal,
  Effect.gen(function* () {
    const settings = yield* Settings.of("FAL_MAX_CONCURRENT", "TASK_TIME_LIMIT")
    const { name } = yield* WorkerIdentity
    const where = yield* broker
    const { commands, own } = yield* Connections.Connections
    const redis = yield* commands(where)
    const replica = yield* replicas(
      redis,
      yield* Effect.cached(Effect.provideService(own(where), Scope.Scope, yield* Effect.scope))
    )
    const run = {
      find: bind(redis, findEntry),
      replace: bind(redis, replaceEntry),
      intend: bind(redis, intend),
      close: bind(redis, closeEntry),
      count: bind(redis, countEntries),
      inFlight: bind(redis, countInFlight)
    }
    const journal = make(
      {
        look: (operation, taskId) =>
          Effect.map(
            answered(operation, Stored, () => run.find({ entry: kombu.journal(taskId) })),
            ([text, print, now]) => ({ text, print, now: now * 1000 })
          ),
        replace: (operation, taskId, write) =>
          Effect.flatMap(operation === "advance" ? replica.writer : Effect.succeed(redis), (connection) => {
            const replace = connection === redis ? run.replace : bind(connection, replaceEntry)
            return answered(operation, Replaced, () => replace(writingOf(taskId, write)))
          }),
        intend: (taskId, write, ifEnded) =>
          answered("intend", Admitted, () =>
            run.intend({
              ...writingOf(taskId, write),
              limit: settings.FAL_MAX_CONCURRENT,
              present: PRESENT,
              gone: GONE,
              ifEnded: ifEnded ? "1" : "0"
            })
          ),
        close: (taskId, told) =>
          attempt("close", () => run.close({ entry: kombu.journal(taskId), task: taskId, told: toldArguments(told).told })),
        inFlight: attempt("inFlight", () => run.inFlight({})),
        counts: Effect.map(
          answered("counts", Counts, () => run.count({ entry: kombu.journal("") })),
          ([Intended, Submitted, Generated]) => ({ Intended, Submitted, Generated })
        )
      },
      Duration.toSeconds(settings.TASK_TIME_LIMIT),
      name
    )
    return Journal.of({
      ...journal,
      advance: (taskId, next) =>
        Effect.tap(journal.advance(taskId, next), (answer) =>
          // A request id that is lost with the server costs money, the more so as the queue may come back in an older state.
          answer === "written" && next._tag !== "Intended" ? replica.wait : Effect.void
        )
    })
  })
).pipe(Layer.provide(Connections.layer))
