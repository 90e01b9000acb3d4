import { Effect, Schema } from "effect"
import { LibraryError } from "../../services/LibraryError.ts"

/** Rows as the schema has them. `what` names one of them in the error that says that it is not so. */
export const reading = <S extends Schema.ConstraintDecoder<unknown>>(schema: S, what: string) => {
  const decode = Schema.decodeUnknownEffect(Schema.Array(schema))
  return (rows: ReadonlyArray<unknown>) =>
    Effect.mapError(
      decode(rows),
      ({ message }) => new LibraryError({ operation: "read", detail: `${what} is not as expected: ${message}`, retryable: false })
    )
}
