import { Effect, Schema } from "effect"
import { ModelLibrary } from "../../../services/ModelLibrary.ts"
import { Publisher } from "../../../services/Publisher.ts"
import { ResultStore } from "../../../services/ResultStore.ts"
import { WorkerIdentity } from "../../../services/WorkerIdentity.ts"
import * as Bounded from "../../../wire/Bounded.ts"
import * as NewMessage from "../../celery/NewMessage.ts"
import * as Reply from "../../celery/Reply.ts"
import * as TaskFailure from "../../celery/TaskFailure.ts"
import { derivedId } from "../../../wire/derivedId.ts"
import { RetryLater, type Task } from "../../task/Task.ts"
import * as Arguments from "./Arguments.ts"
import * as Generate from "./generateModel.ts"
import * as Parameters from "./Parameters.ts"
import { plan } from "./plan.ts"
import type * as Results from "./Results.ts"
import { asking } from "./saving.ts"

const oneOrMore = <A>(schema: Schema.Codec<A>) =>
  Arguments.optional(Schema.Union([schema, Bounded.list(schema, Parameters.MOST_AT_ONCE, 1)]))

export const Request = Schema.Struct({
  count: Arguments.optional(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: Parameters.MOST_AT_ONCE }))),
  templates: Arguments.optional(
    Bounded.list(
      Schema.Struct({ ...Generate.Request.fields, save: Arguments.optional(Schema.Boolean) }),
      Parameters.MOST_AT_ONCE,
      1
    )
  ),
  save: Arguments.flag(true),
  missing_only: Arguments.flag(true),
  seed: Arguments.optional(Parameters.FirstSeed),
  gender: oneOrMore(Parameters.Gender),
  age_range: oneOrMore(Parameters.AgeRange),
  body_type: oneOrMore(Parameters.BodyType),
  pose: oneOrMore(Parameters.Pose),
  style: oneOrMore(Parameters.Style)
})
export const names = ["count", "templates", "save", "missing_only", "seed", "gender", "age_range", "body_type", "pose", "style"]

const asList = <A>(value: A | ReadonlyArray<A> | null): ReadonlyArray<A> | null =>
  // `Array.isArray` does not narrow a readonly array away from A.
  value === null ? null : Array.isArray(value) ? (value as ReadonlyArray<A>) : [value as A]

/** How many pictures a request is for at most, which one of its arguments must say. */
export const bounded = ({ count, templates }: typeof Request.Type) =>
  templates === null && count === null
    ? Effect.fail(TaskFailure.validationError("count: one of count and templates is needed"))
    : Effect.succeed(templates?.length ?? count ?? 0)

/** The `generate_model` arguments of a batch, in order, one for each picture. Sends nothing. */
export const planned = Effect.fn("batch.planned")(function* (request: typeof Request.Type) {
  const most = yield* bounded(request)
  if (request.templates !== null) {
    return request.templates.map((template, at) => ({
      ...template,
      save: template.save ?? request.save,
      seed: template.seed ?? (request.seed === null ? null : request.seed + at)
    }))
  }
  const library = yield* ModelLibrary
  const wanted = plan.candidates({
    gender: asList(request.gender),
    age_range: asList(request.age_range),
    body_type: asList(request.body_type),
    pose: asList(request.pose),
    style: asList(request.style)
  })
  const present = yield* asking(library.having(wanted.map(Parameters.templateIdOf)))
  return plan.choose(wanted, present, most, request.missing_only).map((five, at) => ({
    template_id: null,
    ...five,
    version: null,
    seed: request.seed === null ? null : request.seed + at,
    save: request.save,
    metadata: null
  }))
})

const Note = Schema.fromJsonString(Schema.Struct({ templates: Schema.Array(Schema.String) }))

const run = Effect.fn("task.batch_generate")(function* (task: Task) {
  const request = yield* Arguments.bind(Request, names, task)
  const models = yield* planned(request)
  const publisher = yield* Publisher
  const results = yield* ResultStore
  const me = yield* WorkerIdentity
  const groupId = derivedId(task.id, "group")
  const idOf = (at: number) => derivedId(task.id, String(at))
  const messages = models.map((model, at) =>
    NewMessage.encode(
      {
        id: idOf(at),
        task: "generate_model",
        args: [],
        kwargs: Object.fromEntries(Object.entries(model).filter(([, value]) => value !== null)),
        queue: task.queue,
        tag: derivedId(task.id, `tag ${at}`),
        replyTo: derivedId(task.id, "reply"),
        group: groupId,
        groupIndex: at,
        // Who pays for the batch pays for its pictures.
        headers: { "x-caller": task.caller() },
        // Children stand in line behind what waits at their priority already, and before what comes later. So a large batch that
        // may wait is sent with priority 3, 6 or 9: then single tasks of priority 0 are made between its pictures.
        priority: task.priority,
        rootId: task.rootId,
        parentId: task.id
      },
      me.name
    )
  )
  const note = yield* Effect.orDie(
    Schema.encodeEffect(Note)({ templates: models.map((model) => model.template_id ?? Parameters.templateIdOf(model)) })
  )
  // A second delivery may see a fuller library and plan otherwise: what was sent first is what counts.
  const sent = yield* publisher.publishOnce({ key: task.id, digest: task.digest() }, note, messages).pipe(
    Effect.flatMap((kept) => Effect.orDie(Schema.decodeEffect(Note)(kept))),
    Effect.tap(({ templates }) =>
      results.saveGroup(
        groupId,
        templates.map((_, at) => idOf(at))
      )
    ),
    Effect.mapError(
      (error) =>
        new RetryLater({
          reason: "redis",
          failure: TaskFailure.internalError(`Redis: ${error.operation}`),
          counted: false,
          atLeast: 0
        })
    )
  )
  const taskIds = sent.templates.map((_, at) => idOf(at))
  const value: typeof Results.Batch.Type = {
    group_id: groupId,
    task_ids: taskIds,
    count: taskIds.length,
    templates: sent.templates
  }
  return {
    value,
    children: taskIds.length === 0 ? [] : [Reply.groupTuple(groupId, taskIds)]
  }
})

export const batchGenerate = { name: "batch_generate", run }
