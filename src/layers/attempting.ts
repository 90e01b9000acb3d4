import { Effect } from "effect"

/**
 * How a layer calls its driver: `attempting(QueueError)` gives a function that runs a promise under the name of an operation and
 * fails with that error.
 */
export const attempting =
  <E>(Failure: new (props: { readonly operation: string; readonly cause: unknown }) => E) =>
  <A>(operation: string, run: () => Promise<A>): Effect.Effect<A, E> =>
    Effect.tryPromise({ try: run, catch: (cause) => new Failure({ operation, cause }) })
