import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { message, timed } from "../../support.ts"
import { empty, five, makeWorld } from "../world.ts"

/** Arguments that are small to send and were a burden to check. */
const burdens: Record<string, { readonly task: Parameters<typeof message>[0]; readonly says: RegExp }> = {
  "2 MB of templates that are none": {
    task: { task: "batch_generate", kwargs: { templates: Array.from({ length: 1_000_000 }, () => 1) } },
    says: /^body: more than 100000 values, which is the most that is read/
  },
  "90,000 templates that are none": {
    task: { task: "batch_generate", kwargs: { templates: Array.from({ length: 90_000 }, () => 1) } },
    says: /^templates: expected at most 1000 elements, got a list of 90000$/
  },
  "1,001 templates": {
    task: { task: "batch_generate", kwargs: { templates: Array.from({ length: 1001 }, () => five) } },
    says: /^templates: expected at most 1000 elements, got a list of 1001$/
  },
  "1,000 templates of 90 unknown fields": {
    task: {
      task: "batch_generate",
      kwargs: {
        templates: Array.from({ length: 1000 }, () => Object.fromEntries(Array.from({ length: 90 }, (_, at) => [`k${at}`, 1])))
      }
    },
    says: /^templates.0.k0: is not an argument of this task$/
  },
  "90,000 values to choose from": {
    task: { task: "batch_generate", kwargs: { count: 1, gender: Array.from({ length: 90_000 }, () => "x") } },
    says: /^gender: expected at most 1000 elements, got a list of 90000$/
  },
  "90,000 arguments": {
    task: { task: "generate_model", kwargs: Object.fromEntries(Array.from({ length: 90_000 }, (_, at) => [`k${at}`, 1])) },
    says: /^args: expected at most 10 arguments, got 90000$/
  },
  "20,000 callbacks": {
    task: { task: "generate_model", kwargs: five, embed: { callbacks: Array.from({ length: 20_000 }, () => ({})) } },
    says: /^body: expected at most 10000 elements/
  }
}

describe("a message may be a burden neither to the worker nor to its neighbours:", () => {
  for (const [name, { says, task }] of Object.entries(burdens)) {
    it.effect(
      name,
      () =>
        Effect.gen(function* () {
          const { counts, failure, pushRaw, seconds, send, start, success } = yield* makeWorld
          yield* start()
          const { raw } = message({ id: "burden", ...task })
          yield* pushRaw(raw)
          const began = performance.now()
          yield* seconds(1)
          const took = performance.now() - began
          assert.match((yield* failure("burden")).message, says)
          assert.isBelow(took, 1000) // on a quiet machine 0.2 s at most
          const neighbour = yield* send()
          yield* seconds(20)
          yield* success(neighbour)
          assert.deepStrictEqual(yield* counts, empty)
        }),
      timed()
    )
  }

  it.effect("an id of a million characters, which nobody can ask for", () =>
    Effect.gen(function* () {
      const { left, pushRaw, seconds, start } = yield* makeWorld
      yield* start()
      for (const id of ["x".repeat(1_000_000), "half a \ud83d character"]) yield* pushRaw(message({ id, tag: "t" }).raw)
      yield* seconds(5)
      assert.deepStrictEqual(
        (yield* left).dead.map(({ reason }) => reason),
        ["unreadable", "unreadable"]
      )
    })
  )
})
