import { Clock, Console, type Context, Effect, Fiber, Layer, Logger, Predicate, References, Schema, Scope } from "effect"
import { Command, Flag } from "effect/cli"
import { HttpServer } from "effect/http"
import { simulate } from "../../fal-simulator/simulate.ts"
import * as AtFal from "../console/AtFal.ts"
import * as Changes from "../console/Changes.ts"
import * as Door from "../console/Door.ts"
import { type Needs as ConsoleNeeds, serve } from "../console/server.ts"
import * as Parameters from "../generation/tasks/Parameters.ts"
import { worker } from "../worker/worker.ts"
import { print } from "./client.ts"
import { account, keep, prepare, row, TITLES } from "./demoKeep.ts"
import { story, titleOf, type Told } from "./demoStory.ts"
import * as Display from "./Display.ts"
import * as flags from "./flags.ts"
import { loadable } from "./loadable.ts"
import { Failed, inJson, WrongUse } from "./outcome.ts"

const PICTURE_SECONDS = 1
/** The text of fal's 429 answer. */
const BUSY = "Concurrent requests limit reached"

/** The demo's own settings, and no others. */
type Settings = Readonly<Record<string, string>>
const settingsFor = (falUrl: string, store: string): Settings => ({
  CELERY_BROKER_URL: "redis://nowhere/0",
  CELERY_RESULT_BACKEND: "redis://nowhere/1",
  DATABASE_URL: "postgresql://nobody@nowhere/nothing",
  FAL_KEY: "demo:key",
  FAL_BASE_URL: falUrl,
  MEDIA_STORE: store,
  WORKER_NAME: "demo",
  WORKER_CONCURRENCY: "2",
  TASK_RETRY_BACKOFF: "1"
})

/** Warnings as lines among the others, so that they do not tear the display. */
const warnings = (display: Display.Display, paint: Display.Paint) =>
  Layer.merge(
    Layer.succeed(References.MinimumLogLevel, "Warn"),
    Logger.layer([
      Logger.make(({ fiber, message }) => {
        const [text, about] = Array.isArray(message) ? message : [message]
        if (text === "task failed") return // the demo prints how each task ended anyway
        const error = Predicate.hasProperty(about, "error") ? `: ${String(about.error)}` : ""
        Effect.runForkWith(fiber.context)(display.line(paint.dim(`  worker's log: ${String(text)}${error}`)))
      })
    ])
  )

/** Whether the demo has shown what it is there to show. */
const isKept = (money: ReturnType<typeof account>) => money.failed === 0 && money.paid_twice === 0

type Needs = Effect.Services<typeof worker> | ConsoleNeeds

interface Options {
  readonly count: number
  readonly seed: number
  readonly output: string
  /** The media store, as MEDIA_STORE names it. */
  readonly store: string
  readonly json: boolean
}

/** What is shown has an end; the world that it happens in stays for as long as the scope does. */
const show = Effect.fn("demo.show")(function* <E>(
  options: Options,
  world: (settings: Settings) => Layer.Layer<Needs, E>,
  stay: Scope.Scope
) {
  const paint = yield* Display.paint
  const began = yield* Clock.currentTimeMillis
  const state = {
    doing: "starting PostgreSQL inside this process, which takes some seconds",
    expected: 0,
    ended: 0,
    isOver: false
  }
  const display = yield* Display.make((millis) => {
    const seconds = `${(millis / 1000).toFixed(0).padStart(3)} s`
    if (state.isOver) return []
    const tasks = `${String(state.ended).padStart(String(state.expected).length)}/${state.expected} tasks`
    return [
      state.expected === 0
        ? `${Display.spinner(millis)} ${seconds}  ${state.doing}`
        : `${Display.spinner(millis)} ${seconds}  ${tasks}  ${Display.bar(state.ended, state.expected, 30)}`
    ]
  })
  const told: Told = {
    expecting: (more) => {
      state.expected += more
    },
    retrying: (what, why) =>
      display.line(
        `${paint.yellow("↻")} ${what}  ${why.includes(BUSY) ? "fal is busy, on purpose: tried again" : `is tried again: ${why}`}`
      ),
    ended: (ended) => {
      state.ended++
      if (ended._tag === "Made")
        return display.line(
          `${paint.green("✓")} ${titleOf(ended.made)}  ${(ended.made.processing_time_ms / 1000).toFixed(1)} s${ended.editedFrom === null ? "" : "  (edited)"}`
        )
      const why = `${ended.type}: ${ended.message}`
      return display.line(
        ended.onPurpose
          ? `${paint.green("✓")} ${ended.what}  refused, on purpose: ${paint.dim(why)}`
          : `${paint.red("✗")} ${ended.what}  ${why}`
      )
    }
  }

  const simulator = yield* Scope.provide(simulate({ pictureSeconds: PICTURE_SECONDS, variation: 0.3 }), stay)
  yield* simulator.setFaults({ route: "submit", kind: "busy", skip: 3 })
  yield* display.line(`fal simulator on ${simulator.url}`)
  yield* display.line("starting in this process: queue, results, PostgreSQL (takes some seconds), a worker of 2 slots")
  const asking = Effect.suspend(() => {
    state.doing = "asking for a batch, an edit, and a picture that must be refused"
    return story(options.count, options.seed, told)
  })
  const telling = warnings(display, paint)
  const context = yield* Layer.buildWithScope(world(settingsFor(simulator.url, options.store)), stay).pipe(
    Effect.provide(telling)
  )
  const working = yield* Effect.andThen(
    Effect.scoped(worker),
    Effect.fail(new Failed({ message: "the worker has stopped by itself" }))
  ).pipe(Effect.provideContext(context), Effect.provide(telling), Effect.forkIn(stay))
  const ended = yield* Effect.raceFirst(asking, Fiber.join(working)).pipe(Effect.provideContext(context), Effect.provide(telling))
  state.isOver = true

  const money = account(yield* simulator.ledger, ended)
  const promise =
    `fal's ledger: ${money.paid} pictures paid, ${money.saved} saved, ${money.paid_twice} paid twice` +
    (money.refused_unpaid > 0 ? `; ${money.refused_unpaid} task refused before anything was paid` : "") +
    (money.failed > 0 ? `; ${money.failed} tasks failed` : "")
  const saved = yield* keep(ended, options.output, promise)
  const seconds = ((yield* Clock.currentTimeMillis) - began) / 1000
  return { ended, money, promise, saved, seconds, context, working }
})

/** The console on the demo's pictures, while its worker goes on. */
const open = <E>(context: Context.Context<Needs>, http: Layer.Layer<HttpServer.HttpServer, E>) => {
  const announced = Layer.effectDiscard(
    Effect.flatMap(HttpServer.HttpServer, ({ address }) =>
      Console.log(
        `\nThe console is open on ${HttpServer.formatAddress(address)} until you press Ctrl+C: review the pictures with A and X`
      )
    )
  )
  return Layer.launch(
    announced.pipe(
      Layer.provideMerge(serve(Effect.succeed([]))),
      Layer.provide(http.pipe(Layer.provideMerge(Layer.merge(Changes.layer, AtFal.layer)))),
      Layer.provide(Door.layerOpen),
      Layer.provide(Layer.succeedContext(context))
    )
  )
}

/** The main job with nothing installed: every part but fal is the real one or its in-process twin. */
export const demo = <E, E2>(
  world: (settings: Settings) => Layer.Layer<Needs, E>,
  http: Layer.Layer<HttpServer.HttpServer, E2>,
  untilStopped: Layer.Layer<never>
) =>
  Command.make(
    "demo",
    {
      count: Flag.Int("count").pipe(
        Flag.withDescription("How many models the batch has (10)"),
        Flag.withSchema(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 200 }))),
        Flag.withDefault(10)
      ),
      seed: Flag.Int("seed").pipe(
        Flag.withDescription("The first picture's seed; the others count on from it (1)"),
        Flag.withSchema(Parameters.Seed),
        Flag.withDefault(1)
      ),
      output: Flag.String("output").pipe(
        Flag.withDescription("The folder the pictures and their gallery go to (demo-output)"),
        Flag.withSchema(Schema.NonEmptyString),
        Flag.withDefault("demo-output")
      ),
      console: Flag.Boolean("console").pipe(
        Flag.withDescription("Then leave the console open on the pictures, for whoever is at this machine, until stopped"),
        Flag.withoutNegation,
        Flag.withDefault(false)
      ),
      json: flags.json
    },
    (options) =>
      Effect.gen(function* () {
        if (options.console && options.json)
          return yield* new WrongUse({ message: "--console is for people: leave --json out, or --console" })
        yield* loadable("the demo", "@electric-sql/pglite", "sharp")
        const store = yield* prepare(options.output)
        const shown = yield* Effect.scoped(show({ ...options, store }, world, yield* Effect.scope))
        const { ended, money, promise, saved, seconds } = shown
        if (options.json) {
          yield* print({
            status: isKept(money) ? "SUCCESS" : "FAILURE",
            seconds,
            ledger: money,
            pictures: saved.map(({ editedFrom, file, made }) => ({ ...made, file, edited_from: editedFrom })),
            refused: ended.flatMap((one) =>
              one._tag === "Refused" ? [{ task: one.what, type: one.type, message: one.message }] : []
            ),
            output: options.output
          })
        } else {
          const paint = yield* Display.paint
          const width = yield* Display.width
          yield* Console.log(`\n${Display.table(paint, TITLES, saved.map(row), width)}`)
          yield* Console.log(`\n${Display.wrap(promise, width)}`)
          const where = `${saved.length} pictures in ${options.output}/, the gallery is ${options.output}/index.html`
          yield* Console.log(Display.wrap(`${where}  (${seconds.toFixed(0)} s)`, width))
        }
        if (!isKept(money))
          return yield* new Failed({ message: options.json ? "" : "the demo did not go as it should: see above" })
        if (options.console)
          return yield* Effect.raceFirst(open(shown.context, http), Fiber.join(shown.working)).pipe(Effect.provide(untilStopped))
      }).pipe(Effect.scoped, inJson(options.json, print))
  ).pipe(
    Command.withDescription("See the main job done with nothing installed: queue, database, fal and worker in one process"),
    Command.withExamples([
      { command: "model-generator demo", description: "Ten models, an edit, and what goes wrong on the way" },
      { command: "model-generator demo --console", description: "Then look at the pictures in the browser, and decide on them" }
    ])
  )
