import { Clock, Effect, type Latch, Option, Result } from "effect"
import { Journal } from "../../services/Journal.ts"
import { ModelLibrary } from "../../services/ModelLibrary.ts"
import { type Finding, Preconditions } from "../../services/Preconditions.ts"
import { QueueInspector } from "../../services/QueueInspector.ts"
import { ResultStore } from "../../services/ResultStore.ts"
import { Vitals } from "../../services/Vitals.ts"
import { clockFinding } from "./clockSkew.ts"
import { explain } from "../explain.ts"
import type { Self } from "../runtime/Supervisor.ts"

/** A dependency that has not answered by then counts as away. Each layer has a shorter limit of its own. */
const PATIENCE = "6 seconds"
/** How often it is asked until all has answered, until nothing is wrong any more, and from then on. */
const AT_START = "1 second"
const WHILE_WRONG = "5 seconds"
const LATER = "10 seconds"
/** A dependency that is still missing is logged again after this time (milliseconds). */
const REMIND = 60_000
/** An outage is logged only when it has lasted this long: a server that is restarted is back by then (milliseconds). */
const BRIEF = 3000

/**
 * Everything that a paid picture needs on its way to the client, with a question that costs nothing. Before the first task the
 * database is asked whether it would take a row; later who is about to buy asks that.
 */
const needs = Effect.gen(function* () {
  const inspector = yield* QueueInspector
  const results = yield* ResultStore
  const journal = yield* Journal
  const library = yield* ModelLibrary
  const always = { broker: inspector.ping, "result store": results.ping, journal: Effect.asVoid(journal.inFlight) }
  return { atStart: { ...always, database: library.rehearse }, later: { ...always, database: library.ping } }
})
type Questions = Effect.Success<typeof needs>["later"]
type Need = keyof Questions

/** Why each of them does not answer; nothing of those that do. */
const askAll = Effect.fnUntraced(function* (questions: Questions) {
  const answers = yield* Effect.forEach(
    Object.entries(questions),
    ([need, question]) =>
      Effect.result(Effect.mapError(question as Effect.Effect<void, unknown>, explain)).pipe(
        Effect.timeoutOrElse({ duration: PATIENCE, orElse: () => Effect.succeed(Result.fail("no answer")) }),
        Effect.map((answer) => (Result.isFailure(answer) ? [[need as Need, answer.failure] as const] : []))
      ),
    { concurrency: "unbounded" }
  )
  return new Map(answers.flat())
})

const say = (finding: Finding) => {
  const text = `${finding.what}: ${finding.says}`
  return finding.state === "bad" ? Effect.logError(text, { do: finding.advice }) : Effect.logWarning(text, { do: finding.advice })
}

/**
 * Opens `ready` when all that a promise needs has answered once and nothing that it rests on is known to be wrong: a worker that
 * takes tasks before may buy a picture that it cannot save. From then on it keeps what has stopped answering in the vitals.
 */
export const readiness = (ready: Latch.Latch, announce: Effect.Effect<void>) => (self: Self) =>
  Effect.gen(function* () {
    const vitals = yield* Vitals
    const questions = yield* needs
    const inspector = yield* QueueInspector
    const { look } = yield* Preconditions
    const told = new Set<string>()
    const findings = Effect.gen(function* () {
      const status = yield* Effect.option(inspector.status)
      const clock = Option.match(status, {
        onNone: () => [],
        onSome: ({ clockAheadSeconds }) => [clockFinding(clockAheadSeconds)]
      })
      const found = [...(yield* look), ...clock]
      for (const finding of found) {
        const text = `${finding.what}: ${finding.says}`
        if (finding.state !== "ok" && !told.has(text)) yield* say(finding)
        told.add(text)
      }
      return found.filter((finding) => finding.state === "bad")
    })

    let missingSince: number | undefined
    let saidAt = Number.NEGATIVE_INFINITY
    let said = ""
    while (!ready.isOpen()) {
      yield* self.doing("asking all that a task needs")
      const missing = yield* askAll(questions.atStart)
      const wrong = missing.size === 0 ? yield* findings : []
      // If the broker does not answer, neither does the journal, which is on the same server: one line is enough.
      if (missing.has("broker")) missing.delete("journal")
      const whys = [...missing.values(), ...wrong.map(({ says, what }) => `${what}: ${says}`)]
      vitals.notReady = whys.join("; ")
      if (whys.length === 0) {
        yield* ready.open
        yield* announce
        break
      }
      const now = yield* Clock.currentTimeMillis
      missingSince ??= now
      yield* self.doing(`not ready: ${vitals.notReady}`)
      const news = vitals.notReady !== said && now - saidAt >= BRIEF
      if ((news && now - missingSince >= BRIEF) || now - saidAt >= REMIND) {
        yield* Effect.logWarning("not ready: no task is claimed until every dependency has answered", {
          missing: vitals.notReady
        })
        said = vitals.notReady
        saidAt = now
      }
      yield* Effect.sleep(missing.size > 0 ? AT_START : WHILE_WRONG)
    }

    while (true) {
      yield* self.doing(vitals.silent.size === 0 ? "all answers" : `no answer: ${[...vitals.silent.keys()].join(", ")}`)
      yield* Effect.sleep(LATER)
      const missing = yield* askAll(questions.later)
      const now = yield* Clock.currentTimeMillis
      for (const [need, why] of missing) {
        const since = vitals.silent.get(need)?.since
        if (since === undefined) yield* Effect.logWarning(`the ${need} does not answer`, { why })
        vitals.silent.set(need, { since: since ?? now, why })
      }
      for (const need of vitals.silent.keys()) {
        if (missing.has(need as Need)) continue
        vitals.silent.delete(need)
        yield* Effect.logInfo(`the ${need} answers again`)
      }
    }
  })
