import { Schema, SchemaTransformation } from "effect"

/** An array of at most so many: its length is looked at before any of its elements, however many a client has sent. */
export const list = <S extends Schema.Constraint>(item: S, most: number) =>
  Schema.Array(Schema.Unknown)
    .check(Schema.isMaxLength(most, { message: `expected at most ${most} elements` }))
    .pipe(Schema.decodeTo(Schema.Array(item), SchemaTransformation.passthrough({ strict: false })))

/** An object of which nothing more is looked at: a schema of its entries would walk all of them to say so. */
export const Properties = Schema.declare(
  (value): value is Readonly<Record<string, unknown>> => typeof value === "object" && value !== null && !Array.isArray(value),
  { expected: "object" }
)
