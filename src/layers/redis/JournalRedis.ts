import { Duration, Effect, Layer, Schema, Scope } from "effect"
import type { Redis } from "ioredis"
import { GONE, Journal, JournalError, KEEP, PRESENT, states } from "../services/Journal.ts"
import * as Settings from "../services/Settings.ts"
import { make, type Write } from "./journal/entries.ts"
import { replicas } from "./journal/replicas.ts"
import * as scripts from "./journal/scripts.ts"
import * as Connections from "./redis/Connections.ts"
import { script } from "./redis/connect.ts"
import * as kombu from "./redis/kombu.ts"
import { broker } from "./redis/where.ts"

const Stored = Schema.Tuple([Schema.NullOr(Schema.String), Schema.String, Schema.FiniteFromString])
const Replaced = Schema.Literals(["written", "changed"])
const Admitted = Schema.Literals(["written", "changed", "contended", "full"])
const Counts = Schema.Tuple([Schema.Int, Schema.Int, Schema.Int])

const tried = <A>(operation: string, run: () => Promise<A>) =>
  Effect.tryPromise({ try: run, catch: (cause) => new JournalError({ operation, cause }) })
const answered = <S extends Schema.ConstraintDecoder<unknown>>(operation: string, schema: S, ask: () => Promise<unknown>) => {
  const decode = Schema.decodeUnknownEffect(schema)
  return tried(operation, ask).pipe(
    Effect.flatMap((answer) => Effect.mapError(decode(answer), (cause) => new JournalError({ operation, cause })))
  )
}

const indexes = states.map(kombu.journalState)
const keysOf = (taskId: string) => [kombu.journal(taskId), kombu.journalKept, kombu.inFlight, ...indexes]
const argumentsOf = (taskId: string, { expected, open, state, text }: Write) => [
  expected,
  text ?? "",
  KEEP,
  taskId,
  open,
  state === undefined ? 0 : states.indexOf(state) + 1
]

export const layer = Layer.effect(
  Journal,
  Effect.gen(function* () {
    const settings = yield* Settings.of("FAL_MAX_CONCURRENT", "TASK_TIME_LIMIT")
    const where = yield* broker
    const { commands, own } = yield* Connections.Connections
    const redis = yield* commands(where)
    const replica = yield* replicas(
      redis,
      yield* Effect.cached(Effect.provideService(own(where), Scope.Scope, yield* Effect.scope))
    )
    const replaceOver = (connection: Redis) => script(connection, "mgReplace", scripts.replace)
    const run = {
      find: script(redis, "mgFind", scripts.find),
      replace: replaceOver(redis),
      intend: script(redis, "mgIntend", scripts.intend),
      close: script(redis, "mgClose", scripts.close),
      count: script(redis, "mgCount", scripts.count),
      inFlight: script(redis, "mgInFlight", scripts.inFlight)
    }
    const journal = make(
      {
        look: (operation, taskId) =>
          Effect.map(
            answered(operation, Stored, () => run.find([kombu.journal(taskId)], [])),
            ([text, print, now]) => ({ text, print, now: now * 1000 })
          ),
        replace: (operation, taskId, write) =>
          Effect.flatMap(operation === "advance" ? replica.writer : Effect.succeed(redis), (connection) => {
            const replace = connection === redis ? run.replace : replaceOver(connection)
            return answered(operation, Replaced, () => replace(keysOf(taskId), argumentsOf(taskId, write)))
          }),
        intend: (taskId, write, ifEnded) =>
          answered("intend", Admitted, () =>
            run.intend(
              [...keysOf(taskId), kombu.line, kombu.lineAsked],
              [...argumentsOf(taskId, write), settings.FAL_MAX_CONCURRENT, PRESENT, GONE, ifEnded ? 1 : 0]
            )
          ),
        close: (taskId) => Effect.asVoid(tried("close", () => run.close(keysOf(taskId), [taskId]))),
        inFlight: Effect.map(
          tried("inFlight", () => run.inFlight([kombu.inFlight], [])),
          Number
        ),
        counts: Effect.map(
          answered("counts", Counts, () => run.count(keysOf(""), [])),
          ([Intended, Submitted, Generated]) => ({ Intended, Submitted, Generated })
        )
      },
      Duration.toSeconds(settings.TASK_TIME_LIMIT)
    )
    return Journal.of({
      ...journal,
      advance: (taskId, next) =>
        Effect.tap(journal.advance(taskId, next), (answer) =>
          // What is lost with the server costs money, the more so as the queue may come back with an older state of its own.
          answer === "written" && next._tag !== "Intended" ? replica.wait : Effect.void
        )
    })
  })
).pipe(Layer.provide(Connections.layer))
