import { Duration, Effect, Layer, Option, Schema } from "effect"
import { GONE, Journal, JournalError, KEEP, PRESENT, states } from "../services/Journal.ts"
import * as Settings from "../services/Settings.ts"
import { replicas } from "./journal/replicas.ts"
import * as Rules from "./journal/rules.ts"
import * as scripts from "./journal/scripts.ts"
import { connect, script } from "./redis/connect.ts"
import * as kombu from "./redis/kombu.ts"
import { broker } from "./redis/where.ts"

/** Somebody else may write between a look and the write that it leads to, but not this often. */
const TRIES = 20
const EMPTY = { text: null, print: "" }

const Stored = Schema.Tuple([Schema.NullOr(Schema.String), Schema.String, Schema.FiniteFromString])
const Replaced = Schema.Literals(["written", "changed"])
const Admitted = Schema.Literals(["written", "changed", "contended", "full"])
const Counts = Schema.Tuple([Schema.Int, Schema.Int, Schema.Int])

const tried = <A>(operation: string, run: () => Promise<A>) =>
  Effect.tryPromise({ try: run, catch: (cause) => new JournalError({ operation, cause }) })

const indexes = states.map(kombu.journalState)
const keysOf = (taskId: string) => [kombu.journal(taskId), kombu.journalKept, kombu.inFlight, ...indexes]

export const layer = Layer.effect(
  Journal,
  Effect.gen(function* () {
    const settings = yield* Settings.of("FAL_MAX_CONCURRENT", "TASK_TIME_LIMIT")
    const redis = yield* connect(yield* broker, "commands")
    const replica = yield* replicas(redis)
    const run = {
      find: script(redis, "mgFind", scripts.find),
      replace: script(redis, "mgReplace", scripts.replace),
      intend: script(redis, "mgIntend", scripts.intend),
      close: script(redis, "mgClose", scripts.close),
      count: script(redis, "mgCount", scripts.count),
      inFlight: script(redis, "mgInFlight", scripts.inFlight)
    }
    const answered = <S extends Schema.ConstraintDecoder<unknown>>(operation: string, schema: S, ask: () => Promise<unknown>) =>
      tried(operation, ask).pipe(
        Effect.flatMap((answer) =>
          Effect.mapError(Schema.decodeUnknownEffect(schema)(answer), (cause) => new JournalError({ operation, cause }))
        )
      )

    const look = (operation: string, taskId: string) =>
      Effect.map(
        answered(operation, Stored, () => run.find([kombu.journal(taskId)], [])),
        ([text, print, now]) => ({ text, print, now: now * 1000 })
      )

    /** Looks, decides, and writes if nothing has changed since. Where it is `likelyEmpty` it is not looked at first. */
    const change = Effect.fnUntraced(function* <R, A extends string>(
      operation: string,
      taskId: string,
      decide: (stored: string | null) => Rules.Change<R>,
      write: (args: ReadonlyArray<string | number>, ifEnded: boolean) => Effect.Effect<A | "changed", JournalError>,
      likelyEmpty = false
    ) {
      for (let tries = 0; tries < TRIES; tries++) {
        const { print, text } = likelyEmpty && tries === 0 ? EMPTY : yield* look(operation, taskId)
        const change = decide(text)
        if (change._tag === "Leave") return change.why
        const { entry, ifEnded } = change
        const index = entry === null ? 0 : states.indexOf(entry._tag) + 1
        const open = Rules.openFor(entry, Duration.toSeconds(settings.TASK_TIME_LIMIT))
        const answer = yield* write([print, change.text ?? "", KEEP, taskId, open, index], ifEnded)
        if (answer !== "changed") return answer
      }
      return yield* new JournalError({ operation, cause: `changed by others ${TRIES} times` })
    })
    const replace = (operation: string, taskId: string) => (args: ReadonlyArray<string | number>) =>
      answered(operation, Replaced, () => run.replace(keysOf(taskId), args))

    return Journal.of({
      find: Effect.fn("Journal.find")(function* (taskId) {
        const { now, text } = yield* look("find", taskId)
        return { entry: Option.map(Option.fromNullOr(text), Rules.read), now }
      }),
      intend: Effect.fn("Journal.intend")((taskId, intent, repeats) =>
        change(
          "intend",
          taskId,
          (stored) => Rules.intend(stored, intent, repeats),
          (args, ifEnded) =>
            answered("intend", Admitted, () =>
              run.intend(
                [...keysOf(taskId), kombu.line, kombu.lineAsked],
                [...args, settings.FAL_MAX_CONCURRENT, PRESENT, GONE, ifEnded ? 1 : 0]
              )
            ),
          Option.isNone(repeats)
        )
      ),
      advance: Effect.fn("Journal.advance")(function* (taskId, next) {
        const answer = yield* change("advance", taskId, (stored) => Rules.advance(stored, next), replace("advance", taskId))
        // What is lost with the server costs money, the more so as the queue may come back with an older state of its own.
        if (answer === "written" && next._tag !== "Intended") yield* replica.wait
        return answer
      }),
      withdraw: Effect.fn("Journal.withdraw")((taskId, generation, before) =>
        Effect.asVoid(
          change("withdraw", taskId, (stored) => Rules.withdraw(stored, generation, before), replace("withdraw", taskId))
        )
      ),
      close: Effect.fn("Journal.close")((taskId) => Effect.asVoid(tried("close", () => run.close(keysOf(taskId), [taskId])))),
      inFlight: Effect.map(
        tried("inFlight", () => run.inFlight([kombu.inFlight], [])),
        Number
      ),
      counts: Effect.map(
        answered("counts", Counts, () => run.count(keysOf(""), [])),
        ([Intended, Submitted, Generated]) => ({ Intended, Submitted, Generated })
      )
    })
  })
)
