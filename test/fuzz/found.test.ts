/** What fuzzing has found, each as a case of its own. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Result } from "effect"
import * as verdict from "../../src/layers/fal/verdict.ts"
import * as Canvas from "../../src/programs/celery/canvas/Canvas.ts"
import * as PythonJson from "../../src/wire/PythonJson.ts"
import { empty, five, makeWorld } from "../programs/world.ts"
import { makeFleet } from "../programs/control/fleet.ts"
import { message } from "../support.ts"
import { checkFailure } from "./checks.ts"
import { checkMessage } from "./messages.ts"

/** JavaScript asks an object how it is as text, and this one does not answer. */
const mute = { toString: 1, valueOf: null }

describe("an object that is no text, where one is expected,", () => {
  it("is no address, and fal's acceptance beside it is one", () => {
    const answer = {
      _tag: "Answered" as const,
      status: 200,
      header: () => undefined,
      text: JSON.stringify({ request_id: "accepted", status_url: mute, response_url: mute }),
      cut: false
    }
    const read = Result.getOrThrow(verdict.submitted(answer, "fal-ai/flux/dev"))
    assert.strictEqual(read.requestId, "accepted")
  })

  it("is no exception's name, and its chord fails all the same", () => {
    const ended = {
      id: "t",
      rootId: "t",
      parentId: null,
      group: null,
      groupIndex: null,
      replyTo: null,
      embed: {},
      caller: () => "gen@test",
      digest: () => ""
    }
    const end = Canvas.afterChord(
      { group: "g", body: { task: "t", options: { task_id: "body" } } },
      [{ taskId: "part", status: "FAILURE", result: { exc_type: mute, exc_message: [mute], exc_module: mute } }],
      Option.none(),
      Canvas.senderOf(ended, "q", "w@host", 0)
    )
    assert.strictEqual(end._tag, "Failed")
    if (end._tag === "Failed") checkFailure(end.failure)
  })

  it.effect("is no number of an argument", () =>
    Effect.gen(function* () {
      const { counts, failure, seconds, send, start } = yield* makeWorld
      yield* start()
      const id = yield* send({ task: "celery.accumulate", args: [1], kwargs: { index: mute } })
      yield* seconds(5)
      assert.match((yield* failure(id)).message, /^index: there is no argument \{'toString': 1, 'valueOf': None\}$/)
      assert.deepStrictEqual(yield* counts, empty)
    })
  )

  it.effect("is no stamp that was revoked", () =>
    Effect.gen(function* () {
      const { ask, counts, pushRaw, seconds, start, success } = yield* makeFleet
      yield* start()
      yield* ask("revoke_by_stamped_headers", { headers: { project: "p1" } })
      const { raw } = message({ id: "stamped", task: "generate_model", kwargs: five })
      const envelope = PythonJson.parse(raw) as { readonly headers: object } // ours
      yield* pushRaw(
        PythonJson.stringify({ ...envelope, headers: { ...envelope.headers, stamps: { project: [mute, { n: 10n ** 30n }] } } })
      )
      yield* seconds(20)
      yield* success("stamped")
      assert.deepStrictEqual(yield* counts, empty)
    })
  )
})

describe("a name that is as long as a message", () => {
  it.effect("is told by its beginning: of a compression, of a content type", () =>
    Effect.gen(function* () {
      const { raw } = message()
      const spoilt = (over: object, headers: object) => {
        const envelope = JSON.parse(raw) as { readonly headers: object } // ours
        return JSON.stringify({ ...envelope, ...over, headers: { ...envelope.headers, ...headers } })
      }
      yield* checkMessage(spoilt({}, { compression: "\u0000".repeat(70_000) }))
      yield* checkMessage(spoilt({ "content-type": "\u0000".repeat(70_000) }, {}))
    })
  )
})
