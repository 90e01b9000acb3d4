import { Clock, Duration, Effect, Layer, Schema, Scope } from "effect"
import { spans } from "../../services/Budget.ts"
import { GONE, Journal, JournalError, KEEP, MOST_TAKEN, PRESENT, states, TAKEN } from "../../services/Journal.ts"
import { NanoDollars } from "../../services/NanoDollars.ts"
import * as Settings from "../../services/Settings.ts"
import * as Budget from "../journal/money.ts"
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
import { oweDebt } from "./scripts/oweDebt.ts"
import { takeDebts } from "./scripts/takeDebts.ts"
import { replaceEntry } from "./scripts/replaceEntry.ts"
import { bind } from "./scripts/script.ts"
import { broker } from "./where.ts"
import { attempting } from "../attempting.ts"

const Stored = Schema.Tuple([Schema.NullOr(Schema.String), Schema.String, Schema.FiniteFromString])
const Replaced = Schema.Literals(["written", "changed"])
const Amount = Schema.FiniteFromString.pipe(Schema.decodeTo(NanoDollars))
const about = {
  span: Schema.Literals(spans),
  subject: Schema.Union([
    Schema.Literal("all"),
    Schema.TemplateLiteral(["caller:", Schema.String]),
    Schema.TemplateLiteral(["model:", Schema.String])
  ]),
  limit: Amount,
  used: Amount
}
const Admitted = Schema.fromJsonString(
  Schema.Union([
    Schema.TaggedStruct("written", {
      warnings: Schema.optionalKey(Schema.Array(Schema.Struct({ ...about, period: Schema.String })))
    }),
    Schema.Struct({ _tag: Schema.Literals(["changed", "contended", "full"]) }),
    Schema.TaggedStruct("over", { ...about, ends: Schema.FiniteFromString, first: Schema.Boolean }),
    Schema.TaggedStruct("no period", { now: Schema.FiniteFromString })
  ])
)
const Counts = Schema.Tuple([Schema.Int, Schema.Int, Schema.Int])

const attempt = attempting(JournalError)
const answered = <S extends Schema.ConstraintDecoder<unknown>>(operation: string, schema: S, ask: () => Promise<unknown>) => {
  const decode = Schema.decodeUnknownEffect(schema)
  return attempt(operation, ask).pipe(
    Effect.flatMap((answer) => Effect.mapError(decode(answer), (cause) => new JournalError({ operation, cause })))
  )
}

/**
 * A script's arguments. `reserving`: what days and months there are, for a step that may reserve: an intent, or the first write of
 * an entry that the store does not have.
 */
const writingOf = (taskId: string, { expected, money, open, state, text, told }: Write, reserving: string) => ({
  entry: kombu.journal(taskId),
  task: taskId,
  expected,
  text: text ?? undefined,
  keep: KEEP,
  count: open,
  state: state === undefined ? 0 : states.indexOf(state) + 1,
  attempt: money.attempt,
  price: money.price,
  money: reserving,
  settles: money.settles?.attempt,
  cost: money.settles?.cost,
  told: toldArguments(told).told
})
/** "" where there is nothing to reserve. Days and months are those around `now` (Unix milliseconds). */
const reservingOf = ({ alert, around, counted }: Budget.Rules, { price, subjects }: Budget.Money, now: number) =>
  price === 0
    ? ""
    : JSON.stringify({
        alert,
        around: around(now),
        caps: counted.flatMap(({ limit, span, subject }) =>
          subjects.includes(subject) ? [{ span, subject, ...(limit === null ? {} : { limit: String(limit) }) }] : []
        )
      })

export const layer = Layer.effect(
  Journal,
  Effect.gen(function* () {
    const settings = yield* Settings.of("FAL_MAX_CONCURRENT", "TASK_TIME_LIMIT")
    const { name } = yield* WorkerIdentity
    const rules = yield* Budget.rules
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
      owe: bind(redis, oweDebt),
      owed: bind(redis, takeDebts),
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
            return Effect.flatMap(Clock.currentTimeMillis, (now) => {
              const reserving = write.expected === "" ? reservingOf(rules, write.money, now) : ""
              return answered(operation, Replaced, () => replace(writingOf(taskId, write, reserving)))
            })
          }),
        intend: Effect.fnUntraced(function* (taskId, write, ifEnded) {
          let now = yield* Clock.currentTimeMillis
          for (let tries = 0; tries < 2; tries++) {
            const answer = yield* answered("intend", Admitted, () =>
              run.intend({
                ...writingOf(taskId, write, reservingOf(rules, write.money, now)),
                limit: settings.FAL_MAX_CONCURRENT,
                present: PRESENT,
                gone: GONE,
                ifEnded: ifEnded ? "1" : "0"
              })
            )
            switch (answer._tag) {
              case "written":
                return { _tag: "written" as const, warnings: answer.warnings ?? [] }
              case "over":
                return answer
              case "no period":
                // This machine's clock is off by days: the store's own counts.
                now = answer.now * 1000
                break
              default:
                return answer._tag
            }
          }
          return yield* new JournalError({ operation: "intend", cause: "the clock of Redis has jumped" })
        }),
        close: (taskId, cost, told) =>
          attempt("close", () => run.close({ entry: kombu.journal(taskId), task: taskId, cost, told: toldArguments(told).told })),
        owe: (text) => attempt("owe", () => run.owe({ debt: text, seconds: TAKEN })),
        owed: answered("owed", Schema.Array(Schema.String), () => run.owed({ seconds: TAKEN, limit: MOST_TAKEN })),
        settled: (text) => Effect.asVoid(attempt("settled", () => redis.zrem(kombu.owed, text))),
        owing: attempt("owing", () => redis.zcard(kombu.owed)),
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
