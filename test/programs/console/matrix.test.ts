import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { randomUUID } from "node:crypto"
import { filling } from "../../../src/programs/generation/tasks/gaps.ts"
import { combinations, promptOf, templateIdOf } from "../../../src/programs/generation/tasks/Parameters.ts"
import { Audit } from "../../../src/services/Audit.ts"
import { ModelLibrary } from "../../../src/services/ModelLibrary.ts"
import { Publisher } from "../../../src/services/Publisher.ts"
import { Reviews } from "../../../src/services/Reviews.ts"
import { TaskQueue } from "../../../src/services/TaskQueue.ts"
import { aModel } from "../../contracts/modelLibrary.ts"
import { message } from "../../support.ts"
import { console_ } from "./stage.ts"
import { visitor } from "./visiting.ts"

describe("what fills the gaps", () => {
  const cell = (at: number, missing: number) => ({
    five: combinations[at]!,
    templateId: templateIdOf(combinations[at]!),
    wanted: missing,
    approved: 0,
    undecided: 0,
    rejected: 0,
    inFlight: 0,
    missing
  })
  it("is as many of each as are missing, one of each first, and no more than are asked for", () => {
    const all = [cell(0, 2), cell(1, 0), cell(287, 1), cell(3, 3)]
    const names = (most: number) => filling(all, most).map((five) => combinations.findIndex((one) => one === five))
    assert.deepStrictEqual(names(100), [0, 287, 3, 0, 3, 3])
    assert.deepStrictEqual(names(4), [0, 287, 3, 0])
    assert.deepStrictEqual(names(0), [])
    assert.deepStrictEqual(filling([], 5), [])
  })
})

describe("the matrix", () => {
  it.live(
    "counts what is approved, waits for review and is on its way, and fills what is missing, once, for what may be spent",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { save } = yield* ModelLibrary
          const { decide } = yield* Reviews
          const publisher = yield* Publisher
          const taskQueue = yield* TaskQueue
          const [full, open, coming] = [combinations[0]!, combinations[50]!, combinations[100]!]
          const row = (five: typeof full) =>
            save(
              aModel({
                ...five,
                ageRange: five.age_range,
                bodyType: five.body_type,
                templateId: templateIdOf(five),
                version: null,
                prompt: promptOf(five)
              })
            )
          for (let n = 0; n < 2; n++) {
            const { id } = yield* row(full)
            yield* decide({ id: randomUUID(), modelId: id, verdict: "approved", reason: null, who: "anna", seen: null })
          }
          yield* row(open)
          const rejected = yield* row(open)
          yield* decide({ id: randomUUID(), modelId: rejected.id, verdict: "rejected", reason: null, who: "anna", seen: null })
          yield* publisher.publish([
            message({ task: "app.tasks.generate_model", kwargs: { ...coming } }),
            message({ task: "health_check" })
          ])

          const { ask, post, signIn } = yield* visitor
          yield* signIn("olga")
          const { text } = yield* ask("/matrix")
          const near = (five: typeof full) => {
            const [, cell = ""] =
              new RegExp(`title="${templateIdOf(five)}"[^>]*>(.*?)</a`).exec(text.replaceAll(/\s+/g, " ")) ?? []
            return [...cell.matchAll(/class="unseen">(.*?) <\/span>/g)].map(([, words]) => words)
          }
          assert.deepStrictEqual(near(full), ["2 of 2 approved"])
          assert.deepStrictEqual(near(open), ["0 of 2 approved", "1 wait for review"])
          assert.deepStrictEqual(near(coming), ["0 of 2 approved", "1 in flight"])
          assert.include(text, "Fill 572 gaps")

          const asked = yield* post("/matrix", { most: "0.10" })
          assert.match(asked.text.replaceAll(/\s+/g, " "), /4 pictures, for about \$0\.10 by the list price/)
          const hidden = Object.fromEntries(
            [...asked.text.matchAll(/name="(\w+)"\s+value="([^"]*)"/g)].map(([, name, value]) => [name!, value!])
          )
          for (const wrong of ["x", "-1", "0.01"])
            assert.isAtLeast((yield* post("/matrix", { ...hidden, most: wrong })).status, 400)
          const both = yield* Effect.all([post("/matrix", hidden), post("/matrix", hidden)], { concurrency: 2 })
          assert.includeMembers(
            [303, 409],
            both.map(({ status }) => status)
          )
          assert.include(
            both.map(({ status }) => status),
            303
          )
          // The batch waits behind everything else, and once.
          const claimed: Array<{ readonly raw: string }> = []
          for (let next = yield* taskQueue.claim; Option.isSome(next); next = yield* taskQueue.claim) claimed.push(next.value)
          const batches = claimed.filter(({ raw }) => raw.includes('"batch_generate"'))
          assert.lengthOf(batches, 1)
          assert.strictEqual(claimed.indexOf(batches[0]!), claimed.length - 1)
          const { body, headers, properties } = JSON.parse(batches[0]!.raw) as {
            body: string
            headers: Record<string, unknown>
            properties: Record<string, unknown>
          }
          assert.deepInclude(headers, { "x-caller": "console" })
          assert.strictEqual(properties["priority"], 9)
          const [, { templates }] = JSON.parse(Buffer.from(body, "base64").toString()) as [
            unknown,
            { templates: ReadonlyArray<Record<string, string>> }
          ]
          assert.lengthOf(templates, 4)
          for (const five of templates)
            assert.notInclude(
              [full, open, coming].map((one) => JSON.stringify(one)),
              JSON.stringify(five)
            )
          // Until it is sent out nobody can count what it brings.
          assert.include((yield* ask("/matrix")).text, "A batch waits in the queue")
          assert.strictEqual((yield* post("/matrix", hidden)).status, 409)
          const [entry] = yield* (yield* Audit).list(null, 1)
          assert.deepInclude(entry, { who: "olga", action: "had gaps filled", detail: { pictures: 4, about: "$0.10" } })
        }).pipe(Effect.provide(console_({ LIBRARY_TARGET: "2" })))
      )
  )

  it.live("lets nobody spend who may not", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { ask, post, signIn } = yield* visitor
        yield* signIn("anna")
        assert.notInclude((yield* ask("/matrix")).text, "Fill 288 gaps")
        assert.strictEqual((yield* post("/matrix", { once: randomUUID(), pictures: "288" })).status, 403)
      }).pipe(Effect.provide(console_()))
    )
  )
})
