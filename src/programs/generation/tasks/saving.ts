import { Clock, Effect } from "effect"
import { attemptOf } from "../../../services/Journal.ts"
import { type Model, ModelLibrary, type NewModel } from "../../../services/ModelLibrary.ts"
import { Metrics } from "../../../services/Metrics.ts"
import * as NanoDollars from "../../../services/NanoDollars.ts"
import { isNews, Vitals } from "../../../services/Vitals.ts"
import * as TaskFailure from "../../celery/TaskFailure.ts"
import { RetryLater, type Task } from "../../task/Task.ts"
import type * as Results from "./Results.ts"
import { wentBadly, wentWell } from "./libraryCircuit.ts"
import { type Kept, keepPicture } from "./keeping.ts"
import { account, rowsOfPicture } from "../purchase/account.ts"
import { type Bought, delivering } from "../purchase/payOnce.ts"

/** A library call before anything is paid: a failure costs nothing, so it is one of the task's retries. */
export const asking = <A, R>(call: Effect.Effect<A, { readonly message: string; readonly retryable: boolean }, R>) =>
  Effect.mapError(call, (error) =>
    error.retryable
      ? new RetryLater({ reason: "database", failure: TaskFailure.libraryError(error.message), counted: true, atLeast: 0 })
      : TaskFailure.libraryError(error.message)
  )

/**
 * Saves a paid picture. While the database is away, or takes no row at all, only the save is repeated, without using up retries.
 * If the database refuses this picture alone, the task's retries are used up, and the failure then names the picture.
 */
const save = Effect.fn("generation.save")(function* (task: Task, { generated }: Bought, model: NewModel) {
  const library = yield* ModelLibrary
  const metrics = yield* Metrics
  const before = yield* Clock.currentTimeMillis
  const tried = yield* Effect.result(library.save(model, yield* rowsOfPicture(task, generated)))
  if (tried._tag === "Failure") {
    const { failure: error } = tried
    const isFirst = isNews(yield* Vitals, "save", yield* Clock.currentTimeMillis)
    const about = { error: error.message, requestId: model.falRequestId }
    yield* Effect.logWithLevel(isFirst ? "Warn" : "Debug")("a paid picture cannot be saved yet", about)
    return yield* new RetryLater({
      reason: "save",
      failure: TaskFailure.libraryError(`${error.message} (the picture is at ${model.imageUrl})`),
      counted: yield* wentBadly(model.falRequestId, error),
      atLeast: 0
    })
  }
  task.knowledge.accounted = attemptOf(generated)
  yield* wentWell
  yield* metrics.observe("save_duration_seconds", {}, ((yield* Clock.currentTimeMillis) - before) / 1000)
  return tried.success
})

/** What a task says of the row-to-be. */
type About = Pick<
  NewModel,
  "templateId" | "version" | "gender" | "ageRange" | "bodyType" | "pose" | "style" | "prompt" | "metadata"
>

/** The largest INTEGER of PostgreSQL: a clock that jumped must not keep a picture out of the table. */
const LONGEST_MS = 2_147_483_647

/** By which its request is found in fal's history, and a picture like it can be made again. */
const seedFields = ({ seed }: Bought) => (seed === null ? {} : { seed })

/** What the picture cost, and where the figure comes from. Nothing for a model whose price is not known. */
const costFields = ({ cost }: Bought) =>
  cost === undefined ? {} : { cost_usd: NanoDollars.toUsd(cost.amount), cost_source: cost.source }

/**
 * The row-to-be of a bought picture: at our addresses if its bytes were `kept`, else at fal's. fal makes no thumbnail, so there
 * the picture serves as its own.
 */
const newModel = (bought: Bought, kept: Kept | undefined, of: About): NewModel => ({
  ...of,
  metadata: { ...of.metadata, ...seedFields(bought), ...costFields(bought), ...kept?.metadata },
  imageUrl: kept?.imageUrl ?? bought.picture.url,
  thumbnailUrl: kept?.thumbnailUrl ?? bought.picture.url,
  falRequestId: bought.requestId,
  processingTimeMs: Math.min(Math.max(Math.round(bought.tookMs), 0), LONGEST_MS)
})

/**
 * Delivers a bought picture: keeps its bytes and saves its row with the ledger's, or only the ledger's where it is not to be
 * saved. If the task fails here, its picture is wasted, and the ledger says so.
 */
export const deliver = <E, R>(task: Task, bought: Bought, about: Effect.Effect<About, E, R>, saves: boolean) =>
  delivering(
    task,
    Effect.gen(function* () {
      const of = yield* about
      if (saves) return yield* save(task, bought, newModel(bought, yield* keepPicture(task, bought), of))
      yield* account(task, bought.generated, { outcome: "used", units: bought.picture.billableUnits })
      return newModel(bought, undefined, of)
    })
  )

/** The task's result: the row, and what fal said of the picture. */
export const resultOf = (bought: Bought, model: NewModel | Model, wanted: number | null): typeof Results.Picture.Type => {
  const saved = "id" in model
  return {
    status: "completed",
    id: saved ? model.id : null,
    template_id: model.templateId,
    version: model.version,
    image_url: model.imageUrl,
    thumbnail_url: model.thumbnailUrl,
    gender: model.gender,
    age_range: model.ageRange,
    body_type: model.bodyType,
    pose: model.pose,
    style: model.style,
    prompt: model.prompt,
    seed: bought.seed,
    width: bought.picture.width,
    height: bought.picture.height,
    fal_request_id: bought.requestId,
    // The row's, so that a task that is run again tells the same: the task that follows it in a chain is known by its arguments.
    processing_time_ms: model.processingTimeMs,
    saved,
    ...costFields(bought),
    ...(saved && wanted !== null && model.version !== wanted
      ? { note: `version ${wanted} was taken meanwhile, saved as version ${model.version}` }
      : {})
  }
}
