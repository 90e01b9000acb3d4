import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { describeWith } from "../servers/index.ts"
import { eventually } from "../support.ts"
import { five } from "./pictures.ts"
import { askPython, makeStage, nothing } from "./stage.ts"

const template = "female_25-35_average_front-standing_professional"
const keys = [
  "status",
  "id",
  "template_id",
  "version",
  "image_url",
  "thumbnail_url",
  "gender",
  "age_range",
  "body_type",
  "pose",
  "style",
  "prompt",
  "seed",
  "width",
  "height",
  "fal_request_id",
  "processing_time_ms",
  "saved",
  "cost_usd",
  "cost_source"
]

for (const client of ["celery53", "celery56"] as const) {
  describeWith(["redis", "postgres", client], `a Python client (${client}) of a real worker`, (servers) => {
    const { python } = servers[client]

    it.live(
      "gets its pictures by keywords, by position and by one dict, and finds them in the library",
      () =>
        Effect.gen(function* () {
          const stage = yield* makeStage(servers)
          yield* stage.start()
          const answers = yield* askPython(python, stage, [
            {
              task: "generate_model",
              kwargs: { ...five, seed: 7, metadata: { note: "летняя коллекция", tags: ["a", 1, null] } }
            },
            { task: "app.tasks.generate_model", args: ["by-position", ...Object.values(five), null, 8] },
            { task: "tasks.generate_model", args: [{ ...five, template_id: "by-dict", save: false }] },
            { task: "health_check" }
          ])
          for (const answer of answers) assert.strictEqual(answer["state"], "SUCCESS", JSON.stringify(answer))
          const [byKeywords, byPosition, byDict, health] = answers.map((answer) => answer["value"] as Record<string, unknown>) // each of our tasks returns an object
          for (const value of [byKeywords!, byPosition!, byDict!]) assert.sameMembers(Object.keys(value), keys)
          assert.deepInclude(byKeywords!, { template_id: template, version: 1, seed: 7, saved: true, ...five })
          assert.deepInclude(byPosition!, { template_id: "by-position", seed: 8, saved: true })
          assert.deepInclude(byDict!, { template_id: "by-dict", saved: false, id: null })
          assert.deepInclude(health!, { status: "healthy", worker: "celery@stage" })
          const rows = yield* stage.models
          assert.deepStrictEqual(
            rows.map((row) => row["template_id"]),
            ["by-position", template]
          )
          const row = rows.find((one) => one["template_id"] === template)!
          assert.deepInclude(row, {
            id: byKeywords!["id"],
            version: 1,
            metadata: { note: "летняя коллекция", tags: ["a", 1, null], seed: 7, cost_usd: 0.025, cost_source: "units" },
            ...five
          })
          assert.strictEqual(row["fal_request_id"], byKeywords!["fal_request_id"])
          assert.strictEqual((yield* stage.fal.ledger).length, 3)
          assert.deepStrictEqual(yield* stage.left, nothing)
          const picture = yield* Effect.promise(() => fetch(String(byKeywords!["image_url"])))
          assert.deepStrictEqual([picture.status, picture.headers.get("content-type")], [200, "image/jpeg"])
        }),
      60_000
    )

    it.live(
      "edits what it generated, in a chain and by name, in Russian",
      () =>
        Effect.gen(function* () {
          const stage = yield* makeStage(servers)
          yield* stage.start()
          const [chained] = yield* askPython(python, stage, [
            {
              chain: [
                { task: "generate_model", kwargs: five },
                { task: "edit_model", kwargs: { prompt: "в красном пальто, ёлка" } }
              ]
            }
          ])
          const edited = chained!["value"] as Record<string, unknown> // an edit_model
          const generated = chained!["parent"] as Record<string, unknown> // a generate_model
          assert.deepInclude(edited, { template_id: template, version: 2, prompt: "в красном пальто, ёлка", saved: true })
          assert.sameMembers(Object.keys(edited), keys)
          const [byId, byTemplate] = (yield* askPython(python, stage, [
            { task: "edit_model", args: [generated["id"], "на снегу"] },
            { task: "edit_model", kwargs: { template_id: template, version: 2, prompt: "в шляпе", strength: 0.5, seed: 3 } }
          ])).map((answer) => answer["value"] as Record<string, unknown>) // edit_model both
          assert.deepInclude(byId!, { version: 3, prompt: "на снегу" })
          assert.deepInclude(byTemplate!, { version: 4, seed: 3 })
          const rows = yield* stage.models
          assert.deepStrictEqual(
            rows.map(({ metadata }) => (metadata as { edited_from?: object } | null)?.edited_from ?? null), // jsonb
            [
              null,
              { id: generated["id"], template_id: template, version: 1 },
              { id: generated["id"], template_id: template, version: 1 },
              { id: edited["id"], template_id: template, version: 2 }
            ]
          )
        }),
      60_000
    )

    it.live(
      "has a batch as a group it can restore, its children as results",
      () =>
        Effect.gen(function* () {
          const stage = yield* makeStage(servers)
          yield* stage.start({ WORKER_CONCURRENCY: "2" })
          const [batch] = yield* askPython(python, stage, [{ task: "batch_generate", kwargs: { count: 4, gender: ["female"] } }])
          const value = batch!["value"] as { group_id: string; task_ids: ReadonlyArray<string>; count: number } // a batch_generate
          assert.strictEqual(value.count, 4)
          assert.deepStrictEqual(batch!["children"], [value.group_id])
          const [group] = yield* askPython(python, stage, [{ restore: value.group_id }])
          assert.deepStrictEqual(group!["ids"], value.task_ids)
          const models = group!["value"] as ReadonlyArray<Record<string, unknown>> // generate_model each
          assert.deepStrictEqual(
            models.map((model) => model["gender"]),
            ["female", "female", "female", "female"]
          )
          assert.strictEqual((yield* stage.models).length, 4)
          yield* eventually("all is acknowledged", stage.left, (left) => left.unacked === 0)
          assert.deepStrictEqual(yield* stage.left, nothing)
        }),
      60_000
    )

    it.live(
      "has what goes wrong raised as an exception of its own name",
      () =>
        Effect.gen(function* () {
          const stage = yield* makeStage(servers)
          yield* stage.fal.setFaults({ route: "submit", kind: "job-flagged" })
          yield* stage.start()
          const answers = yield* askPython(python, stage, [
            { task: "generate_model", kwargs: five },
            { task: "generate_model", kwargs: { ...five, gender: "robot", colour: "red" } },
            { task: "app.tasks.make_coffee" },
            { task: "generate_model", kwargs: five, options: { serializer: "pickle" } },
            { task: "generate_model", kwargs: five, options: { expires: -5 } },
            { task: "edit_model", kwargs: { model_id: "00000000-0000-4000-8000-000000000000", prompt: "x" } },
            {
              chain: [
                { task: "generate_model", kwargs: {} },
                { task: "edit_model", kwargs: { prompt: "x" } }
              ]
            }
          ])
          assert.deepStrictEqual(
            answers.map(({ raised }) => raised as unknown),
            [
              "PictureFlagged",
              "ValidationError",
              "NotRegistered",
              "ContentDisallowed",
              "TaskRevokedError",
              "ModelNotFound",
              "ValidationError"
            ]
          )
          for (const field of ["gender: expected", "colour: is not an argument"])
            assert.include(String(answers[1]!["args"]), field)
          assert.strictEqual((yield* stage.fal.ledger).length, 1)
          assert.strictEqual((yield* stage.models).length, 0)
          assert.deepStrictEqual(yield* stage.left, nothing)
        }),
      60_000
    )
  })
}
