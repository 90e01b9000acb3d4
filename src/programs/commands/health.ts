import { Console, Effect, type Layer, Option, Result } from "effect"
import { Command, Flag } from "effect/cli"
import type { HttpClient } from "effect/http"
import type { LibraryError } from "../../services/ModelLibrary.ts"
import type { QueueInspector } from "../../services/QueueInspector.ts"
import { print } from "./client.ts"
import { diagnose, type Row } from "./diagnosis.ts"
import * as Display from "./Display.ts"
import * as flags from "./flags.ts"
import { Failed, inJson, WrongUse } from "./outcome.ts"
import * as self from "./self.ts"
import type { Answer } from "./asking.ts"
import { type Survey, surveyOf, type World } from "./survey.ts"

const plain = (answer: Answer<unknown>) =>
  Result.isSuccess(answer.said)
    ? { ok: true, latency_ms: answer.ms }
    : { ok: false, latency_ms: answer.ms, error: answer.said.failure }

const document = (survey: Survey, rows: ReadonlyArray<Row>, healthy: boolean) => {
  const status = Result.getOrUndefined(survey.queue.said)
  return {
    status: healthy ? "healthy" : "unhealthy",
    checks: {
      broker: plain(survey.broker),
      results: plain(survey.results),
      database: plain(survey.database),
      migrations: { ...plain(survey.migrations), pending: Result.getOrElse(survey.migrations.said, () => null) },
      media: { ...plain(survey.media), set: Result.getOrElse(survey.media.said, () => "set") !== "unset" },
      fal: plain(survey.fal)
    },
    queues: status?.queues.map((queue) => ({ ...queue, oldestSeconds: Option.getOrNull(queue.oldestSeconds) })) ?? null,
    scheduled: status?.scheduled ?? null,
    unacknowledged: status?.unacknowledged ?? null,
    pictures_older_than_fal_keeps: Result.getOrElse(survey.overdue.said, () => null),
    clock_ahead_seconds: status?.clockAheadSeconds ?? null,
    workers: status?.workers ?? null,
    preconditions: Result.getOrElse(survey.preconditions.said, () => null),
    problems: rows.filter((row) => row.state !== "ok").map(({ advice, says, state, what }) => ({ what, state, says, advice }))
  }
}

const everything = <E, E2>(
  json: boolean,
  world: Layer.Layer<World, E>,
  pending: Effect.Effect<ReadonlyArray<string>, LibraryError | E2>
) =>
  Effect.gen(function* () {
    const survey = yield* surveyOf(world, pending)
    const rows = diagnose(survey)
    const problems = rows.filter((row) => row.state === "bad")
    const healthy = problems.length === 0
    if (json) yield* print(document(survey, rows, healthy))
    else {
      const paint = yield* Display.paint
      const mark = { ok: paint.green("ok"), note: paint.yellow("look"), bad: paint.red("bad") }
      yield* Console.log(
        Display.table(
          paint,
          ["", "what", ""],
          rows.flatMap((row) => [
            [mark[row.state], row.what, row.says],
            ...(row.advice === "" ? [] : [["", "", paint.dim(`→ ${row.advice}`)]])
          ])
        )
      )
      yield* Console.log(
        healthy ? `\n${paint.green("healthy")}` : `\n${paint.red("not healthy")}: ${problems.map(({ what }) => what).join(", ")}`
      )
    }
    if (!healthy) return yield* new Failed({ message: "" })
  })

/** How the whole stands, for an operator; `--self` how the worker in this container does, for Docker. */
export const health = <E1, E2, E3>(
  world: Layer.Layer<World, E1>,
  client: Layer.Layer<QueueInspector, E2>,
  own: Effect.Effect<void, E3>,
  pending: Effect.Effect<ReadonlyArray<string>, LibraryError | E1>
) =>
  Command.make(
    "health",
    {
      self: Flag.Boolean("self").pipe(
        Flag.withDescription("Only ask the worker of this container, in one line (for HEALTHCHECK)"),
        Flag.withoutNegation,
        Flag.withDefault(false)
      ),
      tree: Flag.Boolean("tree").pipe(
        Flag.withDescription("Draw a worker's supervision tree"),
        Flag.withoutNegation,
        Flag.withDefault(false)
      ),
      worker: flags.optional(
        Flag.String("worker").pipe(Flag.withDescription("With --tree: the worker of this name instead of this container's"))
      ),
      json: flags.json
    },
    (input) =>
      Effect.gen(function* (): Effect.fn.Return<void, Failed | WrongUse | E1 | E2 | E3 | self.Errors, HttpClient.HttpClient> {
        if (input.self && input.tree) return yield* new WrongUse({ message: "--self and --tree are two questions: ask one" })
        if (input.worker !== null && !input.tree) return yield* new WrongUse({ message: "--worker goes with --tree" })
        if (!input.self && !input.tree) return yield* everything(input.json, world, pending)
        if (input.worker !== null) {
          const address = yield* Effect.provide(self.addressOf(input.worker), client)
          return yield* self.tree(address, input.json)
        }
        yield* own
        const address = yield* self.ownAddress
        return yield* input.self ? self.health(address, input.json) : self.tree(address, input.json)
      }).pipe(inJson(input.json, print))
  ).pipe(
    Command.withDescription("See how everything is: dependencies, workers, queue; exit 1 when it is not healthy"),
    Command.withExamples([
      { command: "model-generator health", description: "Everything, with what to do about what is wrong" },
      { command: "model-generator health --self", description: "For a container's HEALTHCHECK" },
      { command: "model-generator health --tree --worker celery@generator", description: "What a worker's actors are doing" }
    ])
  )
