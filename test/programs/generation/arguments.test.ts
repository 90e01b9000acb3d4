import type * as Task from "../../../src/programs/task/Task.ts"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import * as Message from "../../../src/programs/celery/Message.ts"
import { UTC } from "../../../src/programs/celery/Time.ts"
import * as Arguments from "../../../src/programs/generation/tasks/Arguments.ts"
import * as Batch from "../../../src/programs/generation/tasks/batchGenerate.ts"
import * as Edit from "../../../src/programs/generation/tasks/editModel.ts"
import * as Generate from "../../../src/programs/generation/tasks/generateModel.ts"
import * as Parameters from "../../../src/programs/generation/tasks/Parameters.ts"
import { message } from "../../support.ts"
import { five } from "../world.ts"

type Call = Partial<Task.Call>
const bound = <S extends Schema.ConstraintDecoder<unknown>>(schema: S, names: ReadonlyArray<string>, call: Call) =>
  Effect.result(Arguments.bind(schema, names, { args: [], kwargs: {}, ...call }))
const generate = (call: Call) => bound(Generate.Request, Generate.names, call)
const edit = (call: Call) =>
  Effect.result(Arguments.bind(Edit.Request, Edit.names, { args: [], kwargs: {}, ...call }, { firstIsDict: true }))
const batch = (call: Call) => bound(Batch.Request, Batch.names, call)
const said = <A>(result: Result.Result<A, { readonly type?: string; readonly message: string }>) => {
  const failure = Result.getOrThrow(Result.flip(result))
  assert.strictEqual(failure.type, "ValidationError")
  return failure.message
}

describe("a bad argument is named, and so is what was expected of it", () => {
  const generated: Record<string, readonly [field: string, kwargs: Record<string, unknown>]> = {
    "of a wrong type": ["gender", { ...five, gender: 3 }],
    "that is no choice": ["body_type", { ...five, body_type: "huge" }],
    "of a minor": ["age_range", { ...five, age_range: "17-25" }],
    "with an age upside down": ["age_range", { ...five, age_range: "30-20" }],
    "with an age of one year": ["age_range", { ...five, age_range: "30-30" }],
    "with an age in other digits": ["age_range", { ...five, age_range: "２０-３０" }],
    "with an age and more": ["age_range", { ...five, age_range: "20-30\n" }],
    "with an age of three digits": ["age_range", { ...five, age_range: "20-100" }],
    "one character too long": ["template_id", { ...five, template_id: "x".repeat(101) }],
    "that is empty": ["template_id", { ...five, template_id: "" }],
    "with a NUL": ["template_id", { ...five, template_id: "a\u0000b" }],
    "with half a surrogate pair": ["template_id", { ...five, template_id: "a\ud800b" }],
    "that nobody knows": ["colour", { ...five, colour: "red" }],
    "called __proto__": ["__proto__", JSON.parse(`{"__proto__": {"gender": "male"}}`) as Record<string, unknown>], // as it comes from the wire
    "called constructor": ["constructor", { ...five, constructor: "x" }],
    "that is not a number": ["seed", { ...five, seed: Number.NaN }],
    "that is infinite": ["seed", { ...five, seed: Number.POSITIVE_INFINITY }],
    "beyond 2^53": ["seed", { ...five, seed: 9007199254740993n }],
    "just beyond 2^53": ["seed", { ...five, seed: 2 ** 53 }],
    "below zero": ["seed", { ...five, seed: -1 }],
    "that is not whole": ["seed", { ...five, seed: 1.5 }],
    "that is a boolean where a number belongs": ["seed", { ...five, seed: true }],
    "that is a string where a boolean belongs": ["save", { ...five, save: "yes" }],
    "of version 0": ["version", { ...five, version: 0 }],
    "of a version PostgreSQL cannot hold": ["version", { ...five, version: 2 ** 31 }],
    "that would leave no room for the next": ["version", { ...five, version: 1_000_000_001 }],
    "deeper than PostgreSQL reads JSON": [
      "metadata",
      { ...five, metadata: JSON.parse(`{"a":${"[".repeat(5000)}${"]".repeat(5000)}}`) as unknown } // as it comes from the wire
    ],
    "of a list where a dict belongs": ["metadata", { ...five, metadata: ["a"] }],
    "with a NUL deep inside": ["metadata", { ...five, metadata: { a: { b: ["\u0000"] } } }],
    "with half a surrogate pair deep inside": ["metadata", { ...five, metadata: { a: { b: ["\udfff"] } } }],
    "with half a surrogate pair in a key": ["metadata", { ...five, metadata: { "\ud800": 1 } }],
    "of more than 16 KB": ["metadata", { ...five, metadata: { a: "x".repeat(20_000) } }],
    "with a number no JSON has": ["metadata", { ...five, metadata: { a: Number.NaN } }],
    "with an integer JSON.parse would change": ["metadata", { ...five, metadata: { a: 9007199254740993n } }],
    "of a type only kombu knows": ["metadata", { ...five, metadata: { a: { __type__: "zzz", __value__: 1 } } }]
  }
  for (const [what, [field, kwargs]] of Object.entries(generated)) {
    it.effect(`${field} ${what}`, () =>
      Effect.gen(function* () {
        assert.include(said(yield* generate({ kwargs })), `${field}: `.replace(/: $/, ""))
        assert.match(said(yield* generate({ args: [kwargs] })), new RegExp(`${field}[.:\\w]`)) // as one dict too
      })
    )
  }

  const edited: Record<string, readonly [field: string, kwargs: Record<string, unknown>]> = {
    "that is missing": ["prompt", { model_id: "x" }],
    "of 5 MB": ["prompt", { model_id: "x", prompt: "x".repeat(5_000_000) }],
    "with a NUL": ["prompt", { model_id: "x", prompt: "a\u0000" }],
    "above 1": ["strength", { model_id: "x", prompt: "x", strength: 1.01 }],
    "of 0": ["strength", { model_id: "x", prompt: "x", strength: 0 }],
    "that is a number": ["model", { model: 3, prompt: "x" }]
  }
  for (const [what, [field, kwargs]] of Object.entries(edited)) {
    it.effect(`${field} ${what}`, () =>
      Effect.gen(function* () {
        const text = said(yield* edit({ kwargs }))
        assert.include(text, `${field}: `)
        assert.isBelow(text.length, 1000) // not the prompt itself
      })
    )
  }

  const batched: Record<string, readonly [field: string, kwargs: Record<string, unknown>]> = {
    "of 0": ["count", { count: 0 }],
    "so high that its last child's is none": ["seed", { count: 2, seed: Number.MAX_SAFE_INTEGER }],
    "of 1001": ["count", { count: 1001 }],
    "that is an empty list": ["gender", { count: 1, gender: [] }],
    "with a wrong one among right ones": ["pose.1", { count: 1, pose: ["side", "flying"] }],
    "of nothing": ["templates", { templates: [] }],
    "with a wrong field in one of them": ["templates.1.style", { templates: [five, { ...five, style: "x" }] }],
    "with an unknown field in one of them": ["templates.0.colour", { templates: [{ ...five, colour: "x" }] }]
  }
  for (const [what, [field, kwargs]] of Object.entries(batched)) {
    it.effect(`${field} ${what}`, () => Effect.map(batch({ kwargs }), (result) => assert.include(said(result), `${field}: `)))
  }

  it.effect("all of them at once", () =>
    Effect.map(generate({ kwargs: { gender: "x", age_range: "1", save: 3, colour: 1 } }), (result) => {
      for (const field of ["gender", "age_range", "body_type", "pose", "style", "save", "colour"])
        assert.include(said(result), `${field}: `)
    })
  )

  const came: Record<string, readonly [wrong: unknown, got: string]> = {
    "a text": ["huge", "got 'huge'"],
    "a long text by its beginning": ["x".repeat(5_000_000), `got '${"x".repeat(37)}...' (5000000 characters)`],
    "an address not at all": ["https://user:secret@host/x?token=secret", "got a URL of 39 characters"],
    "a picture not at all": ["data:image/png;base64,AAAA", "got a URL of 26 characters"],
    "a number": [1.5, "got 1.5"],
    "a number of any size": [10n ** 4000n, "got 1000000000000000000000000000000000000..."],
    "nothing as Python calls it": [null, "got None"],
    "a list by its length": [Array.from({ length: 50_000 }, () => 1), "got a list of 50000"],
    "a dict by its length": [{ input: "x".repeat(5_000_000) }, "got a dict of 1"]
  }
  for (const [what, [wrong, got]] of Object.entries(came)) {
    it.effect(`with what came instead: ${what}`, () =>
      Effect.map(generate({ kwargs: { ...five, body_type: wrong } }), (result) => {
        assert.strictEqual(
          said(result),
          `ValidationError: body_type: expected "slim" | "average" | "athletic" | "plus-size", ${got}`
        )
      })
    )
  }

  it.effect("and a thousand unknown ones in a message of bearable length", () =>
    Effect.map(
      generate({ kwargs: Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`${"k".repeat(1000)}${n}`, n])) }),
      (result) => assert.isBelow(said(result).length, 10_000)
    )
  )
})

describe("the forms of a call", () => {
  const inOrder = [null, "female", "25-35", "average", "side", "casual", 2, 7, false, { a: 1 }]
  const named = {
    template_id: null,
    gender: "female",
    age_range: "25-35",
    body_type: "average",
    pose: "side",
    style: "casual",
    version: 2,
    seed: 7,
    save: false,
    metadata: { a: 1 }
  }

  it.effect("keywords, positions, one dict and a mixture mean the same", () =>
    Effect.gen(function* () {
      for (const call of [
        { kwargs: named },
        { args: inOrder },
        { args: [named] },
        {
          args: inOrder.slice(0, 4),
          kwargs: { pose: "side", style: "casual", version: 2, seed: 7, save: false, metadata: { a: 1 } }
        },
        {
          args: [{ gender: "female", age_range: "25-35", body_type: "average" }],
          kwargs: { pose: "side", style: "casual", version: 2, seed: 7, save: false, metadata: { a: 1 } }
        }
      ])
        assert.deepStrictEqual(Result.getOrThrow(yield* generate(call)), named as never)
    })
  )

  it.effect("what is left out has its default", () =>
    Effect.map(generate({ kwargs: five }), (result) =>
      assert.deepInclude(Result.getOrThrow(result), { template_id: null, version: null, seed: null, save: true, metadata: null })
    )
  )

  it.effect("too many positions are told", () =>
    Effect.map(generate({ args: [...inOrder, 11] }), (result) => assert.match(said(result), /args: expected at most 10 .*got 11/))
  )

  it.effect("what is given twice is told by its name", () =>
    Effect.gen(function* () {
      assert.match(said(yield* generate({ args: [null, "male"], kwargs: { ...five, gender: "female" } })), /gender: given twice/)
      assert.match(said(yield* generate({ args: [five], kwargs: { gender: "male" } })), /gender: given twice/)
    })
  )

  it.effect("a backslash in front of u0000 is six characters like any others", () =>
    Effect.map(generate({ kwargs: { ...five, metadata: { note: "\\u0000 \\ud800" } } }), (result) =>
      assert.deepStrictEqual(Result.getOrThrow(result).metadata, { note: "\\u0000 \\ud800" })
    )
  )

  it.effect("kombu's types come as their text, and decimals as numbers", () =>
    Effect.gen(function* () {
      const typed = (type: string, value: unknown) => ({ __type__: type, __value__: value })
      const request = Result.getOrThrow(
        yield* generate({
          kwargs: {
            ...five,
            template_id: typed("uuid", { hex: "12345678123456781234567812345678" }),
            metadata: {
              when: typed("datetime", "2024-01-02T03:04:05"),
              price: typed("decimal", "1.50"),
              bytes: typed("bytes", "abc")
            }
          }
        })
      )
      assert.strictEqual(request.template_id, "12345678-1234-5678-1234-567812345678")
      assert.deepStrictEqual(request.metadata, { when: "2024-01-02T03:04:05", price: 1.5, bytes: "abc" })
    })
  )

  it.effect("a Decimal is a number wherever one belongs", () =>
    Effect.gen(function* () {
      const decimal = (value: string) => ({ __type__: "decimal", __value__: value })
      const generated = { ...five, version: decimal("2"), seed: decimal("7.0") }
      assert.deepInclude(Result.getOrThrow(yield* generate({ kwargs: generated })), { version: 2, seed: 7 })
      assert.strictEqual(Result.getOrThrow(yield* batch({ kwargs: { count: decimal("5") } })).count, 5)
      assert.deepInclude(Result.getOrThrow(yield* edit({ args: ["m", "p"], kwargs: { strength: decimal("0.80") } })), {
        strength: 0.8
      })
      for (const wrong of ["2.5", "NaN", "-Infinity", "1e99", "9007199254740993", "90071992547409920000000000001", "2,5", ""])
        assert.include(said(yield* generate({ kwargs: { ...five, version: decimal(wrong) } })), "version: ")
    })
  )

  it.effect("edit_model's first argument may be a model's dict, or all arguments in one", () =>
    Effect.gen(function* () {
      const model = { template_id: "t", image_url: "https://x/y.jpg", status: "completed" }
      assert.deepInclude(Result.getOrThrow(yield* edit({ args: [model, "p"] })), { model, prompt: "p" })
      assert.deepInclude(Result.getOrThrow(yield* edit({ args: [model], kwargs: { prompt: "p" } })), { model, prompt: "p" })
      assert.deepInclude(Result.getOrThrow(yield* edit({ args: [{ model_id: "m", prompt: "p" }] })), {
        model_id: "m",
        prompt: "p"
      })
      assert.deepInclude(Result.getOrThrow(yield* edit({ args: ["an-id", "p"] })), { model: "an-id", prompt: "p" })
    })
  )
})

describe("the prompt and the template", () => {
  it("are exactly production's for the example", () => {
    const example = {
      gender: "female",
      age_range: "25-35",
      body_type: "average",
      pose: "front standing",
      style: "professional"
    } as const
    assert.strictEqual(
      Parameters.promptOf(example),
      "Fashion model, female, 25-35 years old, body type: average, pose: front standing, style: professional photo, full body shot, neutral white/gray background, professional studio lighting, high quality, 8k, detailed, clean composition"
    )
    assert.strictEqual(Parameters.templateIdOf(example), "female_25-35_average_front-standing_professional")
  })

  it("are different for each of the 288 combinations, and each fits its column", () => {
    assert.strictEqual(Parameters.combinations.length, 288)
    assert.strictEqual(new Set(Parameters.combinations.map(Parameters.templateIdOf)).size, 288)
    assert.strictEqual(new Set(Parameters.combinations.map(Parameters.promptOf)).size, 288)
    for (const five of Parameters.combinations) assert.isAtMost(Parameters.templateIdOf(five).length, 100)
  })
})

const Age = Schema.Int.check(Schema.isBetween({ minimum: 18, maximum: 98 }))
const Storable = Schema.String.check(
  Schema.makeFilter((text: string) => text.isWellFormed() && !text.includes("\u0000"), { expected: "text PostgreSQL can hold" }),
  Schema.isMaxLength(50)
)
describe("any valid parameters", () => {
  it.effect.prop(
    "survive the wire, whatever form they are sent in",
    {
      gender: Parameters.Gender,
      from: Age,
      body_type: Parameters.BodyType,
      pose: Parameters.Pose,
      style: Parameters.Style,
      seed: Schema.NullOr(Parameters.Seed),
      version: Schema.NullOr(Parameters.Version),
      save: Schema.Boolean,
      metadata: Schema.NullOr(Schema.Record(Storable, Schema.Union([Storable, Schema.Int, Schema.Null, Schema.Array(Storable)])))
    },
    ({ from, metadata, ...rest }) =>
      Effect.gen(function* () {
        // JSON has no -0, and an object's keys come back in JSON's order.
        const plain = JSON.parse(
          JSON.stringify({ ...rest, metadata, age_range: `${from}-${from + 1}`, template_id: null })
        ) as Record<string, unknown> // an object
        const positions = Generate.names.map((name) => plain[name])
        for (const call of [{ kwargs: plain }, { args: positions }, { args: [plain] }]) {
          const sent = yield* Message.decode(message({ task: "generate_model", ...call }).raw, UTC)
          const request = Result.getOrThrow(yield* generate(sent))
          assert.deepStrictEqual(request as unknown, plain)
          assert.isAtMost(Parameters.templateIdOf(request).length, 100)
        }
      })
  )
})
