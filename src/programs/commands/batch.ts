import { Console, Effect, type Layer, Option, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import type { Budget } from "../../services/Budget.ts"
import type { Catalogue } from "../../services/Catalogue.ts"
import { ModelLibrary } from "../../services/ModelLibrary.ts"
import type { Publisher } from "../../services/Publisher.ts"
import type { QueueInspector } from "../../services/QueueInspector.ts"
import type { ResultStore } from "../../services/ResultStore.ts"
import type { Reviews } from "../../services/Reviews.ts"
import type { WorkerIdentity } from "../../services/WorkerIdentity.ts"
import { explain } from "../explain.ts"
import { planned } from "../generation/tasks/batchGenerate.ts"
import * as Parameters from "../generation/tasks/Parameters.ts"
import * as Cost from "../generation/purchase/cost.ts"
import { gapsOf, keepFull } from "./fill.ts"
import { mayCost } from "./mayCost.ts"
import { waitForMoney } from "./waitForMoney.ts"
import { print } from "./client.ts"
import * as Display from "./Display.ts"
import * as flags from "./flags.ts"
import { Failed, inJson, WrongUse } from "./outcome.ts"
import { sendBatch } from "./sendBatch.ts"

const input = {
  count: flags.optional(
    Flag.Int("count").pipe(
      Flag.withDescription("How many pictures, 1 to 1000 (with --fill: at most so many)"),
      Flag.withSchema(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1000 })))
    )
  ),
  fill: Flag.Boolean("fill").pipe(
    Flag.withDescription(
      "Make what the library lacks of the approved pictures that are wanted (LIBRARY_TARGET, LIBRARY_TARGETS)"
    ),
    Flag.withoutNegation,
    Flag.withDefault(false)
  ),
  keepFull: Flag.Boolean("keep-full").pipe(
    Flag.withDescription(
      "With --fill and --budget: go on filling, as after rejections, behind everything else, until it is spent"
    ),
    Flag.withoutNegation,
    Flag.withDefault(false)
  ),
  budget: flags.optional(
    Flag.String("budget").pipe(Flag.withDescription("With --fill: for at most so many US dollars, by list prices"))
  ),
  ...flags.filters,
  all: Flag.Boolean("all").pipe(
    Flag.withDescription("Also combinations the library has already, as new versions"),
    Flag.withoutNegation,
    Flag.withDefault(false)
  ),
  seed: flags.seed,
  save: flags.save,
  dryRun: Flag.Boolean("dry-run").pipe(
    Flag.withDescription("Print the plan, the prompts and the cost; put nothing on the queue"),
    Flag.withoutNegation,
    Flag.withDefault(false)
  ),
  yes: Flag.Boolean("yes").pipe(
    Flag.withDescription("Do not ask before pictures are sent that cost more than BATCH_ASK_ABOVE"),
    Flag.withoutNegation,
    Flag.withDefault(false)
  ),
  wait: flags.wait,
  timeout: flags.timeout(3600),
  json: flags.json
}
type Input = Command.Command.Config.Infer<typeof input>

/** The arguments of `batch_generate`: a number of pictures, or the combinations themselves. */
const argumentsOf = (
  { age_range, all, body_type, count, gender, pose, save, seed, style }: Input,
  gaps: ReadonlyArray<Parameters.Five> | null
) => ({
  count: gaps === null ? count : null,
  templates:
    gaps === null
      ? null
      : gaps.map((five) => ({ template_id: null, ...five, version: null, seed: null, save: null, metadata: null })),
  save,
  missing_only: !all,
  seed,
  gender,
  age_range,
  body_type,
  pose,
  style
})

const allows = (input: Input, five: Parameters.Five) =>
  (["gender", "age_range", "body_type", "pose", "style"] as const).every((key) => {
    const values: ReadonlyArray<string> | null = input[key]
    return values === null || values.includes(five[key])
  })

const fillingOf = (input: Input) => ({
  count: input.count,
  budget: input.budget,
  isMeant: (five: Parameters.Five) => allows(input, five)
})

const PATIENCE = "3 seconds"

/** Prints what a batch would send. If the library cannot be asked what it has, the plan is as if it were empty, and says so. */
const dryRun = Effect.fn("batch.dryRun")(function* <E, E2>(
  input: Input,
  gaps: ReadonlyArray<Parameters.Five> | null,
  library: Layer.Layer<ModelLibrary, E>,
  budget: Layer.Layer<Budget, E2>
) {
  let unasked: string | null = null
  const having = (templateIds: ReadonlyArray<string>) =>
    ModelLibrary.pipe(
      Effect.flatMap((real) => real.having(templateIds)),
      Effect.provide(library),
      Effect.timeoutOrElse({ duration: PATIENCE, orElse: () => Effect.fail({ message: `no answer within ${PATIENCE}` }) }),
      Effect.catch((error) => {
        unasked = explain(error).replaceAll(/\s+/g, " ")
        return Effect.succeed<ReadonlySet<string>>(new Set())
      })
    )
  const notAsked = Effect.die("a plan only asks which templates there are")
  const models = yield* planned(argumentsOf(input, gaps)).pipe(
    Effect.provideService(ModelLibrary, {
      having,
      save: () => notAsked,
      find: () => notAsked,
      list: () => notAsked,
      replacePicture: () => notAsked,
      remove: () => notAsked,
      atFalSince: () => notAsked,
      rehearse: notAsked,
      ping: notAsked
    })
  )
  const rows = models.map((model) => ({
    template_id: model.template_id ?? Parameters.templateIdOf(model),
    seed: model.seed,
    prompt: Parameters.promptOf(model)
  }))
  const cost = yield* Cost.estimateOf(rows.length)
  const waiting = yield* waitForMoney(budget, cost, rows.length)
  if (input.json) {
    return yield* print({
      dry_run: true,
      count: rows.length,
      models: rows,
      cost: Cost.inJson(cost),
      cost_is: "estimate from the list price",
      waiting_for_money: waiting?.pictures ?? 0,
      library_not_asked: unasked
    })
  }
  const paint = yield* Display.paint
  if (unasked !== null)
    yield* Console.error(
      `${paint.yellow("!")} the library cannot be asked what it has, so this plan takes it as empty: ${unasked}`
    )
  if (rows.length > 0)
    yield* Console.log(
      Display.table(
        paint,
        ["#", "template", "prompt"],
        rows.map((row, at) => [String(at + 1), row.template_id, row.prompt])
      )
    )
  yield* Console.log(`${rows.length === 0 ? "" : "\n"}${rows.length} pictures, ${Cost.describe(cost, rows.length)}`)
  if (waiting !== undefined) yield* Console.log(waiting.says)
  if (input.count !== null && rows.length < input.count)
    yield* Console.log(`fewer than ${input.count}: no more combinations are missing (--all makes new versions of what is there)`)
  yield* Console.log("dry run: nothing was put on the queue")
})

/** Many pictures: enqueues `batch_generate` and waits for all it fans out to. */
export const batch = <E1, E2, E3, E4>(
  client: Layer.Layer<Publisher | QueueInspector | ResultStore | WorkerIdentity, E1>,
  library: Layer.Layer<ModelLibrary | Reviews, E2>,
  catalogue: Layer.Layer<Catalogue, E3>,
  budget: Layer.Layer<Budget, E4>,
  untilStopped: Layer.Layer<never>
) =>
  Command.make("batch", input, (input) =>
    Effect.gen(function* () {
      if (!input.fill && input.count === null)
        return yield* new WrongUse({ message: "say how many with --count, or fill the gaps with --fill" })
      if (!input.fill && input.budget !== null) return yield* new WrongUse({ message: "--budget goes with --fill" })
      if (input.fill && input.all)
        return yield* new WrongUse({ message: "--fill makes what is missing, and --all also what is not: say one of them" })
      if (input.keepFull) {
        if (!input.fill || input.budget === null)
          return yield* new WrongUse({ message: "--keep-full goes with --fill and a --budget, at which it ends" })
        if (input.json || input.dryRun)
          return yield* new WrongUse({ message: "--keep-full runs until its budget is spent: leave --json and --dry-run out" })
        const wish = { ...fillingOf(input), budget: input.budget }
        return yield* keepFull(wish, { save: input.save }).pipe(Effect.provide([library, client, catalogue, untilStopped]))
      }
      const gaps = input.fill ? yield* Effect.provide(gapsOf(fillingOf(input)), [library, client, catalogue]) : null
      if (input.dryRun) return yield* Effect.provide(dryRun(input, gaps, library, budget), catalogue)
      const pictures = gaps?.length ?? input.count ?? 0
      if (pictures === 0) {
        if (input.json) return yield* print({ status: "NOTHING", done: 0, failed: 0, pending: 0, models: [] })
        return yield* Console.log("nothing to fill")
      }
      const cost = yield* Effect.provide(Cost.estimateOf(pictures), catalogue)
      const waiting = yield* waitForMoney(budget, cost, pictures)
      if (waiting !== undefined) yield* Console.error(waiting.says)
      if (!input.yes) yield* mayCost(cost, pictures, input.json)
      const outcome = yield* Effect.provide(sendBatch(argumentsOf(input, gaps), input), client)
      if (Option.isSome(outcome) && outcome.value !== "") return yield* new Failed({ message: outcome.value })
    }).pipe(inJson(input.json, print))
  ).pipe(
    Command.withDescription("Have many models made: those the library lacks first, spread over the values"),
    Command.withExamples([
      { command: "model-generator batch --count 5 --dry-run", description: "See the plan, the prompts and what they would cost" },
      {
        command: "model-generator batch --count 20 --gender female --style casual,editorial",
        description: "Make twenty that are missing"
      },
      { command: "model-generator batch --fill --budget 3.00", description: "Make what is missing, for three dollars at most" },
      { command: "model-generator batch --fill --keep-full --budget 20", description: "And what is rejected from now on" },
      { command: "model-generator batch --count 3 --all --no-save --json", description: "For a script, without saving" }
    ])
  )
