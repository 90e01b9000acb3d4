import { Schema } from "effect"

/** A key that may be missing, or null as Python writes None. */
export const nullish = <S extends Schema.Constraint>(schema: S) => Schema.optionalKey(Schema.NullOr(schema))
