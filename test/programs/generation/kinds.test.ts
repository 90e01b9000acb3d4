import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { TestClock } from "effect/testing"
import { plan } from "../../../src/programs/generation/tasks/plan.ts"
import { combinations, templateIdOf } from "../../../src/programs/generation/tasks/Parameters.ts"
import type { NewModel } from "../../../src/services/ModelLibrary.ts"
import { empty, five, makeWorld, template } from "../world.ts"

const row = (over: Partial<NewModel> = {}): NewModel => ({
  templateId: template,
  version: null,
  imageUrl: "https://fal.example/old.jpg",
  thumbnailUrl: null,
  gender: "female",
  ageRange: "25-35",
  bodyType: "average",
  pose: "front standing",
  style: "professional",
  prompt: "old",
  metadata: null,
  falRequestId: `old-${++old}`,
  processingTimeMs: 1,
  ...over
})
let old = 0

/** What a picture of the model that settings choose by default costs. */
const cost = { cost_usd: 0.025, cost_source: "units" }

describe("generate_model", () => {
  it.effect("without save makes the picture and no row", () =>
    Effect.gen(function* () {
      const { ledger, rows, seconds, send, start, success } = yield* makeWorld
      yield* start()
      const id = yield* send({ kwargs: { ...five, save: false } })
      yield* seconds(30)
      assert.deepInclude(yield* success(id), { id: null, saved: false, version: null, template_id: template })
      assert.deepStrictEqual([(yield* ledger).length, (yield* rows()).length], [1, 0])
    })
  )

  it.effect("of a version that exists fails before any money is spent", () =>
    Effect.gen(function* () {
      const { counts, failure, ledger, library, seconds, send, start } = yield* makeWorld
      yield* library.save(row({ version: 3 }))
      yield* start()
      const id = yield* send({ kwargs: { ...five, version: 3 } })
      yield* seconds(30)
      const failed = yield* failure(id)
      assert.strictEqual(failed.type, "VersionExists")
      assert.match(failed.message, /version: .* version 3/)
      assert.strictEqual((yield* ledger).length, 0)
      assert.deepStrictEqual(yield* counts, empty)
    })
  )

  it.effect("whose version is taken meanwhile keeps the paid picture under the next free one, and says so", () =>
    Effect.gen(function* () {
      const { database, ledger, library, seconds, send, start, success } = yield* makeWorld
      database.before = library.save(row({ version: 3, falRequestId: "faster" }))
      yield* start()
      const id = yield* send({ kwargs: { ...five, version: 3 } })
      yield* seconds(30)
      const value = yield* success(id)
      assert.deepInclude(value, { version: 4, saved: true })
      assert.match(String(value["note"]), /version 3 was taken meanwhile, saved as version 4/)
      assert.strictEqual((yield* ledger).length, 1)
    })
  )

  it.effect("takes the template it is told, keeps metadata, and a seed of its own when it is given none", () =>
    Effect.gen(function* () {
      const { ledger, rows, seconds, send, start, success } = yield* makeWorld
      yield* start()
      const id = yield* send({ kwargs: { ...five, template_id: "моя-модель", metadata: { a: ["я"] } } })
      yield* seconds(30)
      const [paid] = yield* ledger
      const seed = Number(paid!.input["seed"])
      assert.isTrue(Number.isInteger(seed) && seed >= 0 && seed < 2 ** 31)
      assert.deepInclude(yield* success(id), { template_id: "моя-модель", seed })
      assert.deepStrictEqual((yield* rows("моя-модель"))[0]!.metadata, { a: ["я"], seed, ...cost })
    })
  )
})

describe("edit_model", () => {
  const edit = (kwargs: object, args: ReadonlyArray<unknown> = []) => ({ task: "edit_model", args, kwargs: { ...kwargs } })

  it.effect("finds its source by model, by id, by template and by template and version, and saves the next version", () =>
    Effect.gen(function* () {
      const { counts, ledger, library, rows, seconds, send, start, success } = yield* makeWorld
      const first = yield* library.save(row({ imageUrl: "https://fal.example/1.jpg" }))
      const second = yield* library.save(row({ imageUrl: "https://fal.example/2.jpg" }))
      yield* start()
      const generated = {
        id: first.id,
        template_id: template,
        version: 1,
        image_url: "https://fal.example/dict.jpg",
        gender: "female",
        status: "completed",
        unknown: 1
      }
      const asked = [
        [edit({ prompt: "a" }, [generated]), "https://fal.example/dict.jpg", { id: first.id, template_id: template, version: 1 }],
        [
          edit({ prompt: "b", model: first.id }),
          "https://fal.example/1.jpg",
          { id: first.id, template_id: template, version: 1 }
        ],
        [
          edit({ prompt: "c", model_id: second.id.toUpperCase() }),
          "https://fal.example/2.jpg",
          { id: second.id, template_id: template, version: 2 }
        ],
        [
          edit({ prompt: "d", template_id: template, version: 1 }),
          "https://fal.example/1.jpg",
          { id: first.id, template_id: template, version: 1 }
        ]
      ] as const
      const ids = []
      for (const [task] of asked) ids.push(yield* send(task))
      yield* seconds(60)
      for (const [at, [, image, from]] of asked.entries()) {
        const value = yield* success(ids[at]!)
        assert.deepInclude(value, { template_id: template, version: at + 3, saved: true })
        const paid = (yield* ledger)[at]!
        assert.deepInclude(paid, { endpoint: "fal-ai/flux/dev/image-to-image" })
        assert.deepInclude(paid.input, { image_url: image, prompt: "abcd"[at] })
        const seed = Number(value["seed"])
        assert.deepStrictEqual((yield* rows())[at + 2]!.metadata, {
          edited_from: from,
          seed,
          cost_usd: 0.03,
          cost_source: "units"
        })
      }
      // Without a version: the newest, which is the last edit.
      const newest = yield* send(edit({ prompt: "e", template_id: template, strength: 0.4, seed: 5 }))
      yield* seconds(60)
      assert.strictEqual((yield* success(newest))["version"], 7)
      assert.deepInclude((yield* ledger)[4]!.input, { image_url: (yield* rows())[5]!.imageUrl, strength: 0.4, seed: 5 })
      assert.deepStrictEqual(yield* counts, empty)
    })
  )

  const refused: Record<string, readonly [task: ReturnType<typeof edit>, type: string, says: RegExp]> = {
    "without a source": [edit({ prompt: "x" }), "ValidationError", /model: exactly one of/],
    "with two sources": [edit({ prompt: "x", model: "a", template_id: "b" }), "ValidationError", /model: exactly one of/],
    "with a version and no template": [edit({ prompt: "x", model_id: "a", version: 1 }), "ValidationError", /version: /],
    "of a model that is not there": [
      edit({ prompt: "x", model_id: "00000000-0000-4000-8000-000000000000" }),
      "ModelNotFound",
      /model_id: /
    ],
    "of a template that is not there": [edit({ prompt: "x", template_id: "nothing" }), "ModelNotFound", /template_id: /],
    "of a dict without a picture": [edit({ prompt: "x" }, [{ template_id: "t" }]), "ValidationError", /model.*image_url/],
    "of a dict with a picture that is a file": [
      edit({ prompt: "x" }, [{ template_id: "t", image_url: "file:///etc/passwd" }]),
      "ValidationError",
      /image_url/
    ],
    ...Object.fromEntries(
      (
        [
          ["gender", 20],
          ["age_range", 20],
          ["body_type", 20],
          ["pose", 50],
          ["style", 50],
          ["id", 100]
        ] as const
      ).map(([name, most]) => [
        `of a dict whose ${name} is longer than its column`,
        [
          edit({ prompt: "x" }, [{ template_id: "t", image_url: "https://fal.example/1.jpg", [name]: "x".repeat(most + 1) }]),
          "ValidationError",
          new RegExp(`model\\.${name}: expected at most ${most} characters`)
        ]
      ])
    ),
    "of a dict with a NUL": [
      edit({ prompt: "x" }, [{ template_id: "t", image_url: "https://fal.example/1.jpg", pose: "a\u0000" }]),
      "ValidationError",
      /model\.pose: expected text without NUL/
    ],
    "of a dict with a picture of 9 MB in its address": [
      edit({ prompt: "x" }, [{ template_id: "t", image_url: `data:image/png;base64,${"A".repeat(9_000_000)}` }]),
      "ValidationError",
      /model\.image_url: expected at most 8388608 characters/
    ],
    "of something that is not an id": [edit({ prompt: "x", model_id: "not-a-uuid" }), "ModelNotFound", /model_id: /]
  }
  for (const [what, [task, type, says]] of Object.entries(refused)) {
    it.effect(`${what} fails at once, unpaid`, () =>
      Effect.gen(function* () {
        const { counts, failure, ledger, seconds, send, start } = yield* makeWorld
        yield* start()
        const id = yield* send(task)
        yield* seconds(1)
        const failed = yield* failure(id)
        assert.strictEqual(failed.type, type)
        assert.match(failed.message, says)
        assert.strictEqual((yield* ledger).length, 0)
        assert.deepStrictEqual(yield* counts, empty)
      })
    )
  }
})

describe("edit_model of a row made by hand", () => {
  it.effect("whose picture is no address fails at once, unpaid", () =>
    Effect.gen(function* () {
      const { failure, ledger, library, seconds, send, start } = yield* makeWorld
      yield* library.save(row({ imageUrl: "/srv/pictures/1.jpg" }))
      yield* start()
      const id = yield* send({ task: "edit_model", kwargs: { prompt: "x", template_id: template } })
      yield* seconds(5)
      assert.match((yield* failure(id)).message, /template_id: version 1 of .* has no picture at an http or data URL/)
      assert.strictEqual((yield* ledger).length, 0)
    })
  )
})

describe("batch_generate", () => {
  interface Batch {
    readonly group_id: string
    readonly task_ids: ReadonlyArray<string>
    readonly count: number
    readonly templates: ReadonlyArray<string>
  }
  const batch = (kwargs: object) => ({ task: "batch_generate", kwargs: { ...kwargs } })

  it.effect("sends a group of children that become pictures, and names them as its own", () =>
    Effect.gen(function* () {
      const { counts, ledger, result, seconds, send, start, success } = yield* makeWorld
      yield* start()
      const id = yield* send(batch({ count: 5, save: false, seed: 100 }))
      yield* seconds(120)
      const value = (yield* success(id)) as unknown as Batch // a batch_generate
      assert.strictEqual(value.count, 5)
      assert.strictEqual(new Set(value.task_ids).size, 5)
      assert.strictEqual(new Set(value.templates).size, 5)
      assert.deepStrictEqual((yield* result(id))!.children, [
        [[value.group_id, null], value.task_ids.map((child) => [[child, null], null])]
      ])
      for (const [at, child] of value.task_ids.entries()) {
        assert.deepInclude(yield* success(child), { template_id: value.templates[at], saved: false, seed: 100 + at })
        assert.deepInclude((yield* result(child))!, { group_id: value.group_id, parent_id: id })
      }
      assert.strictEqual((yield* ledger).length, 5)
      assert.deepStrictEqual(yield* counts, empty)
    })
  )

  it.effect("delivered twice sends nothing twice, though the library is fuller the second time", () =>
    Effect.gen(function* () {
      const { counts, ledger, metric, seconds, send, start, success } = yield* makeWorld
      yield* start()
      const id = yield* send(batch({ count: 3 }))
      yield* seconds(120)
      const first = yield* success(id)
      // Not flagged as redelivered, so that its stored result does not save it.
      yield* send({ ...batch({ count: 3 }), id, tag: "again" })
      yield* seconds(120)
      assert.deepStrictEqual(yield* success(id), first)
      assert.strictEqual(yield* metric('tasks_total{task="batch_generate",outcome="succeeded"}'), 2)
      assert.strictEqual(yield* metric('tasks_total{task="generate_model",outcome="succeeded"}'), 3)
      assert.strictEqual((yield* ledger).length, 3)
      assert.deepStrictEqual(yield* counts, empty)
    })
  )

  it.effect("gives its children its own priority, so that a batch that may wait goes behind single tasks", () =>
    Effect.gen(function* () {
      const { left, seconds, send, start, success } = yield* makeWorld
      yield* send({ ...batch({ count: 3 }), priority: 9 })
      const worker = yield* start()
      yield* seconds(1)
      const single = yield* send()
      yield* seconds(3.5)
      yield* success(single) // behind the child that had begun, before the two that waited
      yield* worker.kill
      assert.strictEqual((yield* left).queued, 1)
    })
  )

  it.effect("takes a list of templates as they are", () =>
    Effect.gen(function* () {
      const { rows, seconds, send, start, success } = yield* makeWorld
      yield* start()
      const id = yield* send(
        batch({ save: false, templates: [five, { ...five, template_id: "mine", save: true, seed: 9, metadata: { a: 1 } }] })
      )
      yield* seconds(60)
      const value = (yield* success(id)) as unknown as Batch // a batch_generate
      assert.deepStrictEqual(value.templates, [template, "mine"])
      assert.deepInclude(yield* success(value.task_ids[1]!), { template_id: "mine", saved: true, seed: 9 })
      assert.strictEqual((yield* success(value.task_ids[0]!))["saved"], false)
      assert.deepStrictEqual((yield* rows("mine"))[0]!.metadata, { a: 1, seed: 9, ...cost })
    })
  )

  it.effect("with missing_only sends only what the library lacks, and nothing when it lacks nothing", () =>
    Effect.gen(function* () {
      const { library, seconds, send, start, success } = yield* makeWorld
      const wish = { gender: "female", age_range: "20-30", body_type: "slim", pose: "side" }
      const id = (style: string) => `female_20-30_slim_side_${style}`
      yield* library.save(row({ templateId: id("casual") }))
      yield* start()
      const some = yield* send(batch({ count: 10, save: false, ...wish }))
      const again = yield* send(batch({ count: 4, save: false, missing_only: false, ...wish }))
      const none = yield* send(batch({ count: 10, style: "casual", ...wish }))
      yield* seconds(120)
      assert.sameMembers([...((yield* success(some)) as unknown as Batch).templates], [id("professional"), id("editorial")])
      const { templates } = (yield* success(again)) as unknown as Batch // a batch_generate
      assert.strictEqual(templates.length, 4)
      assert.deepStrictEqual([templates[2], templates[3]], [id("casual"), templates[0]]) // those there are come last, then round again
      assert.deepInclude(yield* success(none), { count: 0, task_ids: [], templates: [] })
    })
  )

  it.effect("of neither count nor templates says so", () =>
    Effect.gen(function* () {
      const { failure, seconds, send, start } = yield* makeWorld
      yield* start()
      const id = yield* send(batch({}))
      yield* seconds(1)
      assert.match((yield* failure(id)).message, /count: /)
    })
  )

  it("plans in an order that spreads over the values early", () => {
    const order = plan.choose(combinations, new Set(), 288, true)
    assert.strictEqual(new Set(order.map(templateIdOf)).size, 288)
    for (const key of ["gender", "age_range", "body_type", "pose", "style"] as const) {
      const all = new Set(combinations.map((five) => five[key])).size
      const early = order.slice(0, 4).map((five) => five[key])
      assert.strictEqual(new Set(early).size, Math.min(all, 4), `${key}: ${early.join(", ")}`)
      // And evenly: after any twelve, none is shown twice as often as another plus one.
      const times = new Map<string, number>()
      for (const five of order.slice(0, 12)) times.set(five[key], (times.get(five[key]) ?? 0) + 1)
      assert.isAtMost(Math.max(...times.values()) - Math.min(...times.values()), 1, key)
    }
  })
})

describe("health_check", () => {
  const check = { task: "health_check", kwargs: {} }

  it.effect("tells of every dependency", () =>
    Effect.gen(function* () {
      const { seconds, send, start, success } = yield* makeWorld
      yield* start({ name: "celery@me" })
      yield* seconds(100)
      const id = yield* send(check)
      const value = yield* success(id)
      assert.deepInclude(value, { status: "healthy", worker: "celery@me", uptime_s: 100, processed: 0 })
      const ok = { ok: true, latency_ms: 0 }
      assert.deepStrictEqual(value["checks"], { redis: ok, database: ok, fal: ok })
    })
  )

  it.effect("is degraded without the database or fal, unhealthy without Redis, and says why", () =>
    Effect.gen(function* () {
      const { away, script, seconds, send, start, success } = yield* makeWorld
      yield* start()
      away.database = true
      yield* script.looks("locked")
      const id = yield* send(check)
      const value = (yield* success(id)) as { status: string; checks: Record<string, { ok: boolean; error?: string }> } // a health_check
      assert.strictEqual(value.status, "degraded")
      assert.deepInclude(value.checks["database"]!, { ok: false, error: "ping: connection refused" })
      assert.match(value.checks["fal"]!.error!, /User is locked/)
      away.results = true
      yield* seconds(2)
      const second = yield* send(check)
      away.results = false
      yield* seconds(5)
      assert.strictEqual((yield* success(second))["status"], "unhealthy")
    })
  )

  it.effect("answers under a second though a dependency hangs", () =>
    Effect.gen(function* () {
      const { away, seconds, send, start, success } = yield* makeWorld
      yield* start()
      away.hangingDatabase = true
      const id = yield* send(check)
      yield* TestClock.adjust(Duration.millis(990))
      const value = (yield* success(id)) as { status: string; checks: Record<string, object> } // a health_check
      assert.strictEqual(value.status, "degraded")
      assert.deepInclude(value.checks["database"]!, { ok: false, error: "no answer within 800 millis" })
      yield* seconds(1)
    })
  )
})
