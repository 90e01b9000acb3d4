/** What `why` tells of ten kinds of lives. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, DateTime, Effect } from "effect"
import { appendFileSync } from "node:fs"
import { text } from "../../../src/programs/commands/why.ts"
import type { Facts } from "../../../src/programs/commands/whyFacts.ts"
import { inJson, tell } from "../../../src/programs/commands/whyStory.ts"
import { makeWorld } from "../world.ts"

type World = Effect.Success<typeof makeWorld>
interface Kind {
  readonly name: string
  /** Lives it, and gives the task's id. */
  readonly lives: (world: World) => Effect.Effect<string, unknown, never | Effect.Services<ReturnType<World["start"]>>>
  /** What its lines say, in this order, each beginning with who did it. */
  readonly tells: ReadonlyArray<RegExp>
  readonly state: string
  /** What is said beside them. */
  readonly knows?: ReadonlyArray<RegExp>
}

const plain = { bold: String, dim: String, red: String, green: String, yellow: String }
/** What a terminal would obey, beside the end of a line. */
// oxlint-disable-next-line no-control-regex -- these are looked for
const obeyed = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/
const UTC = DateTime.zoneMakeNamedUnsafe("UTC")
/** A folder or file where the tales are put for a person to read. */
const SAMPLES = process.env["WHY_SAMPLES"]

const only = Effect.fnUntraced(function* ({ lookFor }: World, id: string) {
  const found = yield* lookFor(id)
  if (found._tag !== "One") return yield* Effect.die(new Error(`${id} is ${JSON.stringify(found)}`))
  return found.facts
})
const told = (facts: Facts) => tell(facts, String).lines.map(({ says, worker }) => (worker === "" ? says : `${worker} ${says}`))

const took = /^celery@one took it$/
const intends = /^celery@one wrote down that it asks fal for a picture \(fal-ai\/flux\/dev\)$/
const accepted = /^celery@one fal accepted it as request 0{8}-/
const made = /^celery@one fal made the picture in 1\.8 s/
const good = /^celery@one SUCCESS, saved as row 0{8}-/

const kinds: ReadonlyArray<Kind> = [
  {
    name: "a task that goes well",
    lives: Effect.fnUntraced(function* ({ seconds, send, start }) {
      yield* start({ name: "celery@one" })
      const id = yield* send()
      yield* seconds(10)
      return id
    }),
    tells: [took, intends, accepted, made, good],
    state: "SUCCESS",
    knows: [
      /\nrow +\S+ version 1 in model_library/,
      /\npaid +\$0\.025, by the units that fal says it charges: used, 0{8}-\S+, for gen@test$/m
    ]
  },
  {
    name: "one that fal's servers failed",
    lives: Effect.fnUntraced(function* ({ script, seconds, send, start }) {
      yield* script.submits("busy", "away")
      yield* script.jobs({ ends: "failed", after: 1000, type: "runner_disconnected" })
      yield* start({ name: "celery@one", chance: 0.9 })
      const id = yield* send()
      yield* seconds(60)
      return id
    }),
    tells: [
      took,
      intends,
      /the request has cost nothing/,
      /failed for now \(fal busy\), to be tried again in 1\.8 s: GenerationError: fal: Concurrent requests/,
      took,
      intends,
      /the request has cost nothing/,
      /failed for now \(fal unreachable\), to be tried again in 3\.6 s: GenerationError: fal: cannot connect/,
      took,
      intends,
      accepted,
      /the request has cost nothing/,
      /failed for now \(fal job failed\), to be tried again in 7\.2 s: GenerationError: fal: runner_disconnected/,
      took,
      intends,
      accepted,
      made,
      good
    ],
    state: "SUCCESS"
  },
  {
    name: "one whose worker was killed while fal worked on it",
    lives: Effect.fnUntraced(function* ({ script, seconds, send, start }) {
      yield* script.jobs({ ends: "picture", after: 20_000 })
      const first = yield* start({ name: "celery@one" })
      const id = yield* send()
      yield* seconds(5)
      yield* first.kill
      yield* start({ name: "celery@two" })
      yield* seconds(60)
      return id
    }),
    tells: [
      intends,
      accepted,
      /^celery@one the worker is gone.*counts as a crash of the task$/,
      /^celery@two took it$/,
      /^celery@two waits for request 0{8}-.* again: nothing is bought twice$/,
      /^celery@two fal made the picture in /,
      /^celery@two SUCCESS, saved as row 0{8}-/
    ],
    state: "SUCCESS"
  },
  {
    name: "one that a locked account keeps waiting",
    lives: Effect.fnUntraced(function* ({ script, seconds, send, start }) {
      yield* script.submits("locked")
      yield* start({ name: "celery@one" })
      const id = yield* send()
      yield* seconds(60)
      return id
    }),
    tells: [
      took,
      intends,
      /the request has cost nothing/,
      /^celery@one handed it back \(fal account\): fal answered 403: User is locked\. Reason: Exhausted balance\.$/,
      took,
      intends,
      accepted,
      made,
      good
    ],
    state: "SUCCESS"
  },
  {
    name: "one that is not due yet",
    lives: Effect.fnUntraced(function* ({ seconds, send, start }) {
      yield* start({ name: "celery@one" })
      const eta = new Date((yield* Clock.currentTimeMillis) + 3_600_000).toISOString()
      const id = yield* send({ eta })
      yield* seconds(5)
      return id
    }),
    tells: [/^celery@one parked it for 60 min: it is not due yet \(ETA\)$/],
    state: "parked"
  },
  {
    name: "one that was revoked while fal worked on it",
    lives: Effect.fnUntraced(function* ({ script, seconds, send, start }) {
      yield* script.jobs({ ends: "never" })
      const { vitals } = yield* start({ name: "celery@one" })
      const id = yield* send()
      yield* seconds(3)
      yield* vitals.requests.get(id)!.terminate!("SIGTERM")
      yield* seconds(5)
      return id
    }),
    tells: [took, intends, accepted, /^celery@one (REVOKED: terminated|the request has cost nothing)/, /^celery@one /],
    state: "REVOKED"
  },
  {
    name: "one whose picture fal flagged",
    lives: Effect.fnUntraced(function* ({ script, seconds, send, start }) {
      yield* script.jobs({ ends: "flagged", after: 1800 })
      yield* start({ name: "celery@one" })
      const id = yield* send()
      yield* seconds(10)
      return id
    }),
    tells: [
      took,
      intends,
      accepted,
      /^celery@one fal made the picture and flagged it in 1\.8 s/,
      /^celery@one FAILURE: PictureFlagged: /
    ],
    state: "FAILURE"
  },
  {
    name: "one with wrong arguments",
    lives: Effect.fnUntraced(function* ({ seconds, send, start }) {
      yield* start({ name: "celery@one" })
      const id = yield* send({ kwargs: { gender: "\u001b[31mnobody\u0007" } })
      yield* seconds(2)
      return id
    }),
    tells: [took, /^celery@one FAILURE: ValidationError: .*gender/],
    state: "FAILURE"
  },
  {
    name: "one that three workers died over",
    lives: Effect.fnUntraced(function* ({ seconds, send, start }) {
      const id = yield* send()
      for (const name of ["celery@a", "celery@b", "celery@c"]) {
        yield* start({ name, death: { at: "intend", when: "before" } })
        yield* seconds(40)
      }
      yield* start({ name: "celery@one" })
      yield* seconds(45)
      return id
    }),
    tells: [
      /^celery@a the worker is gone/,
      /^celery@b the worker is gone/,
      /^celery@c the worker is gone/,
      /^celery@one put it among the dead letters \(crashed its worker\): WorkerLostError: Worker exited prematurely 3 times/
    ],
    state: "a dead letter"
  },
  {
    name: "one whose submit was never answered",
    lives: Effect.fnUntraced(function* ({ script, seconds, send, start }) {
      yield* script.submits("lost")
      yield* start({ name: "celery@one" })
      const id = yield* send()
      yield* seconds(120)
      return id
    }),
    tells: [
      took,
      intends,
      /failed for now \(uncertain\), to be tried again in .*, not counted as a retry: GenerationError: fal's answer to the submit was lost/,
      took,
      /^celery@one wrote down that it asks fal once more, as the request before was lost/,
      accepted,
      made,
      good
    ],
    state: "SUCCESS",
    knows: [
      /\npaid +\$0\.025, an estimate from the list price: uncertain, a request whose id is not known, for gen@test\npaid +\$0\.025,/
    ]
  }
]

describe("why tells the life of", () => {
  for (const { knows = [], lives, name, state, tells } of kinds)
    it.effect(name, () =>
      Effect.gen(function* () {
        const world = yield* makeWorld
        const facts = yield* only(world, yield* lives(world))
        const page = text(facts, plain, UTC)
        if (SAMPLES !== undefined) appendFileSync(SAMPLES, `# ${name}\n${page}\n\n`)
        const lines = told(facts).filter((line) => !/first seen waiting/.test(line))
        assert.deepStrictEqual(
          lines.map((line, n) => (tells[n]?.test(line) === true ? "as told" : line)),
          tells.map(() => "as told")
        )
        assert.strictEqual(tell(facts, String).state, state)
        assert.deepStrictEqual(facts.notReached, [])
        for (const known of knows) assert.match(page, known)
        assert.notMatch(page, obeyed)
        assert.doesNotThrow(() => JSON.parse(JSON.stringify(inJson(facts, tell(facts, String)))))
      })
    )

  it.effect("nothing of a task that pays nothing and goes well", () =>
    Effect.gen(function* () {
      const { lives, lookFor, seconds, send, start, success } = yield* makeWorld
      yield* start()
      const id = yield* send({ task: "health_check", kwargs: {} })
      const later = yield* send({
        task: "health_check",
        kwargs: {},
        eta: new Date((yield* Clock.currentTimeMillis) + 3000).toISOString()
      })
      yield* seconds(20)
      for (const one of [id, later]) yield* success(one)
      assert.deepStrictEqual(yield* lives, [])
      const found = yield* lookFor(id) // by its result
      assert.strictEqual(found._tag === "One" && tell(found.facts, String).state, "SUCCESS")
    })
  )
})

describe("why", () => {
  it.effect("says where a task is that waits, and what could not be reached", () =>
    Effect.gen(function* () {
      const { away, lookFor, send } = yield* makeWorld
      yield* send({ id: "first" })
      yield* send({ id: "second" })
      away.results = true
      const found = yield* lookFor("second")
      if (found._tag !== "One") return assert.fail(found._tag)
      const page = text(found.facts, plain, UTC)
      assert.include(page, "generate_model second  waits in its queue")
      assert.include(page, "waits in generator_queue, 1 before it")
      assert.match(page, /not reached +the results: the results cannot be reached/)
    })
  )

  it.effect("says who has a task that runs, and what is reserved for it", () =>
    Effect.gen(function* () {
      const { lookFor, script, seconds, send, start } = yield* makeWorld
      yield* script.jobs({ ends: "never" })
      yield* start({ name: "celery@one" })
      const id = yield* send()
      yield* seconds(6)
      const found = yield* lookFor(id)
      if (found._tag !== "One") return assert.fail(found._tag)
      const page = text(found.facts, plain, UTC)
      assert.match(page, /^generate_model \S+ {2}running\n/)
      assert.match(page, /message +held by celery@one/)
      assert.match(page, /request +0{8}-\S+ to fal-ai\/flux\/dev, Submitted in the journal/)
      assert.match(page, /reserved +\$0\.025 of its budget/)
    })
  )

  it.effect("shows what a terminal would obey as numbers, wherever a task has written it", () =>
    Effect.gen(function* () {
      const { lookFor, pushRaw, seconds, send, start } = yield* makeWorld
      yield* start()
      const evil = "\u001b]0;evil\u0007\u202e\r"
      yield* send({ id: `a${evil}`, task: evil })
      yield* pushRaw(JSON.stringify({ body: "!", headers: { id: `b${evil}`, task: evil, lang: evil } }))
      yield* seconds(2)
      yield* send({ id: `c${evil}`, task: evil, eta: "2099-01-01T00:00:00" })
      yield* seconds(2)
      for (const id of ["a", "b", "c"]) {
        const found = yield* lookFor(`${id}${evil}`)
        if (found._tag !== "One") return assert.fail(`${id}: ${found._tag}`)
        const page = text(found.facts, plain, UTC)
        assert.include(page, `${id}\\u{1b}]0;evil\\u{7}\\u{202e}\\u{d}`)
        assert.notMatch(page, obeyed)
      }
    })
  )

  it.effect("takes the beginning of an id that only one task has, and lists at most ten where several do", () =>
    Effect.gen(function* () {
      const { lookFor, send } = yield* makeWorld
      for (const id of ["ab", "abc", "b1"]) yield* send({ id })
      for (let n = 0; n < 12; n++) yield* send({ id: `many-${n}` })
      const exact = yield* lookFor("ab")
      assert.strictEqual(exact._tag === "One" && exact.facts.taskId, "ab")
      const prefix = yield* lookFor("b")
      assert.strictEqual(prefix._tag === "One" && prefix.facts.taskId, "b1")
      assert.deepStrictEqual(yield* lookFor("a"), { _tag: "Several", ids: ["ab", "abc"], more: false })
      const many = yield* lookFor("many-")
      assert.deepStrictEqual(many._tag === "Several" && [many.ids.length, many.more], [10, true])
      assert.deepStrictEqual(yield* lookFor("x"), { _tag: "None", notReached: [] })
    })
  )
})
