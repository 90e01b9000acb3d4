import { Schema, SchemaTransformation } from "effect"

/** An array of `least` to `most` items. Its length is checked before any item, so a long one costs nothing. */
export const list = <S extends Schema.Constraint>(item: S, most: number, least = 0) =>
  Schema.Array(Schema.Unknown)
    .check(
      Schema.isMaxLength(most, {
        message: `expected at most ${most} elements`,
        toJsonSchema: () => ({
          ...(least === 0 ? {} : { minItems: least }),
          maxItems: most,
          items: Schema.toJsonSchemaDocument(item, { onExcessProperty: "error" }).schema
        })
      }),
      Schema.isMinLength(least, {
        message: `expected at least ${least} element${least === 1 ? "" : "s"}`,
        toJsonSchema: () => ({})
      })
    )
    .pipe(Schema.decodeTo(Schema.Array(item), SchemaTransformation.passthrough({ strict: false })))

/** An object whose entries are not checked: a schema of them would walk all of them. */
export const Properties = Schema.declare(
  (value): value is Readonly<Record<string, unknown>> => typeof value === "object" && value !== null && !Array.isArray(value),
  { expected: "object" }
)
