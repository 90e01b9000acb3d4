import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { Catalogue } from "../../src/services/Catalogue.ts"
import { Generator } from "../../src/services/Generator.ts"
import { generatorContract, Ground } from "../contracts/generator.ts"
import { empty, five, makeWorldWith } from "../programs/world.ts"
import * as Atelier from "./Atelier.ts"

const mishaps: Record<Parameters<Ground["Service"]["next"]>[0], Atelier.Mishap> = {
  "answer lost": "connection lost",
  "no id": "nameless",
  busy: "house full",
  "busy for a minute": "come back in a minute",
  locked: "unpaid bill",
  "endpoint refused": "line closed",
  flagged: "blocked",
  unreadable: "gibberish",
  "job fails": "broken",
  "content refused": "indecent",
  stuck: "never begun",
  "cancel ignored": "deaf to stop",
  "stream refused": "no bell",
  "stream silent": "silent bell",
  "stream lies": "false bell"
}
const ground = Layer.effect(
  Ground,
  Effect.map(Atelier.Studio, ({ jobs, listeners, mishap }) =>
    Ground.of({
      next: (what) => mishap(mishaps[what]),
      executions: Effect.map(jobs, (all) => all.length),
      streaming: (count) =>
        Effect.gen(function* () {
          while ((yield* listeners) !== count) yield* Effect.yieldNow
        })
    })
  )
)
generatorContract("a second provider", Layer.provideMerge(ground, Atelier.layer))

describe("with a second provider in fal's place, and no program changed,", () => {
  const stage = Effect.gen(function* () {
    const provider = yield* Layer.build(Layer.fresh(Atelier.layer))
    const world = yield* makeWorldWith({ generator: Context.get(provider, Generator) })
    const catalogue = Layer.succeed(Catalogue, Context.get(provider, Catalogue))
    const { jobs, mishap } = Context.get(provider, Atelier.Studio)
    return { ...world, jobs, mishap, start: world.start({ catalogue }) }
  })

  it.effect("generate_model is asked for in its words, and the picture is saved and returned", () =>
    Effect.gen(function* () {
      const { counts, jobs, rows, seconds, send, start, success } = yield* stage
      yield* start
      const id = yield* send({ kwargs: { ...five, seed: 7 } })
      yield* seconds(30)
      const [job] = yield* jobs
      assert.deepInclude(job, { line: "line/portrait", random: 7 })
      assert.match(job!.text, /^Fashion model, /)
      assert.deepInclude(yield* success(id), { image_url: "https://atelier.example/job-1.jpg", seed: 7, width: 768, saved: true })
      assert.deepStrictEqual(
        (yield* rows()).map(({ falRequestId, imageUrl }) => [falRequestId, imageUrl]),
        [["job-1", "https://atelier.example/job-1.jpg"]]
      )
      assert.deepStrictEqual(yield* counts, empty)
    })
  )

  it.effect("a lost answer is made again once with the same seed, after its grace, by a worker that knows only the journal", () =>
    Effect.gen(function* () {
      const { jobs, mishap, seconds, send, start, success } = yield* stage
      yield* mishap("connection lost")
      const first = yield* start
      const id = yield* send({})
      yield* seconds(5)
      yield* first.kill
      yield* start
      yield* seconds(3600)
      yield* success(id)
      const made = yield* jobs
      assert.lengthOf(made, 2)
      assert.strictEqual(made[0]!.random, made[1]!.random)
    })
  )
})
