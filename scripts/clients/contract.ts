import { ConfigProvider, Effect, Layer, Option, Schema } from "effect"
import { createHash } from "node:crypto"
import * as FalCatalogue from "../../src/layers/fal/FalCatalogue.ts"
import * as Batch from "../../src/programs/generation/tasks/batchGenerate.ts"
import * as Edit from "../../src/programs/generation/tasks/editModel.ts"
import * as Generate from "../../src/programs/generation/tasks/generateModel.ts"
import * as Parameters from "../../src/programs/generation/tasks/Parameters.ts"
import * as Results from "../../src/programs/generation/tasks/Results.ts"
import { Catalogue, costOf, type PictureRequest, PORTRAIT, upperPrice } from "../../src/services/Catalogue.ts"
import * as failures from "./failures.ts"

/** The part of JSON Schema 2020-12 that our tasks need, and two checks that it has no word for. */
export interface JsonSchema {
  readonly type?: string
  readonly anyOf?: ReadonlyArray<JsonSchema>
  readonly allOf?: ReadonlyArray<JsonSchema>
  readonly enum?: ReadonlyArray<string>
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: ReadonlyArray<string>
  readonly items?: JsonSchema
  readonly [keyword: string]: unknown
}

/** Effect puts checks of its own into `allOf`: here they stand beside the type. */
const flat = (schema: JsonSchema): JsonSchema => {
  const { allOf = [], ...own } = schema
  const merged: JsonSchema = Object.assign({}, own, ...allOf)
  if (merged.anyOf?.length === 1) return flat(merged.anyOf[0]!)
  return {
    ...merged,
    ...(merged.anyOf === undefined ? {} : { anyOf: merged.anyOf.map(flat) }),
    ...(merged.items === undefined ? {} : { items: flat(merged.items) }),
    ...(merged.properties === undefined
      ? {}
      : { properties: Object.fromEntries(Object.entries(merged.properties).map(([name, inner]) => [name, flat(inner)])) })
  }
}

const closed = (schema: Schema.Constraint) =>
  flat(Schema.toJsonSchemaDocument(schema, { onExcessProperty: "error" }).schema as JsonSchema) // plain JSON
const open = (schema: Schema.Constraint) => flat(Schema.toJsonSchemaDocument(schema).schema as JsonSchema) // plain JSON

export interface Task {
  /** In the order of positional arguments. */
  readonly names: ReadonlyArray<string>
  readonly request: JsonSchema
  readonly result: "Picture" | "Batch" | "Health"
  /** What its arguments must be together. */
  readonly rules: JsonSchema
}

const given = (name: string): JsonSchema => ({ required: [name], properties: { [name]: { not: { type: "null" } } } })

export const tasks: Readonly<Record<string, Task>> = {
  generate_model: { names: Generate.names, request: closed(Generate.Request), result: "Picture", rules: {} },
  edit_model: {
    names: Edit.names,
    request: closed(Edit.Request),
    result: "Picture",
    rules: { oneOf: Edit.SOURCES.map(given), anyOf: [{ not: given("version") }, given("template_id")] }
  },
  batch_generate: {
    names: Batch.names,
    request: closed(Batch.Request),
    result: "Batch",
    rules: { anyOf: ["count", "templates"].map(given) }
  },
  health_check: { names: [], request: closed(Schema.Struct({})), result: "Health", rules: {} }
}

/** The picture that `edit_model` takes as a dict: what `generate_model` gave. Other keys are not looked at. */
export const returned = open(Edit.Returned)

export const results = { Picture: open(Results.Picture), Batch: open(Results.Batch), Health: open(Results.Health) }

/** What a batch is made of where it says nothing. */
export const presets = {
  gender: Parameters.genders,
  age_range: Parameters.ageRanges,
  body_type: Parameters.bodyTypes,
  pose: Parameters.poses,
  style: Parameters.styles
}

/** Changes with every argument, result or failure; prices may change without it. */
export const hash = createHash("sha256")
  .update(JSON.stringify({ tasks, returned, results, failures: { ...failures } }))
  .digest("hex")
  .slice(0, 12)

const requests: Readonly<Record<"generate" | "edit", PictureRequest>> = {
  generate: { _tag: "Generate", prompt: "", seed: 0, size: PORTRAIT },
  edit: { _tag: "Edit", prompt: "", seed: 0, source: "", strength: null }
}

/** Nano-dollars a picture by model, as the list prices stand. */
export const prices = Effect.gen(function* () {
  const catalogue = yield* Catalogue
  const priceOf = (request: PictureRequest) =>
    Object.fromEntries(
      FalCatalogue.priced.map((endpoint) => {
        const input = catalogue.inputOf(request, endpoint)
        const price = Option.getOrThrow(catalogue.priceOf(endpoint)) // it is one of those with a price
        return [
          endpoint,
          { likely: Number(costOf(price, input, null).amount), most: Number(upperPrice(catalogue, { endpoint, input })) }
        ]
      })
    )
  return {
    default: { generate: catalogue.endpoints.Generate, edit: catalogue.endpoints.Edit },
    generate: priceOf(requests.generate),
    edit: priceOf(requests.edit)
  }
}).pipe(
  Effect.provide(FalCatalogue.layer.pipe(Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({}))))),
  Effect.runPromise
)
