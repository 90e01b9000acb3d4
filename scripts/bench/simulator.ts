import { Effect, Exit, Scope } from "effect"
import { simulate } from "../../src/fal-simulator/simulate.ts"

/** fal's simulator in this process, for code that is not Effect. It makes any number of pictures at once. */
export const startSimulator = async () => {
  const scope = Scope.makeUnsafe()
  const simulator = await Effect.runPromise(Scope.provide(simulate({ concurrency: 1_000_000 }), scope))
  return {
    url: simulator.url,
    pictureTakes: (seconds: number) => Effect.runPromise(simulator.configure({ pictureSeconds: seconds })),
    /** HTTP requests so far, downloads of pictures not counted. */
    calls: async () => {
      const { media: _, ...calls } = await Effect.runPromise(simulator.calls)
      return Object.values(calls).reduce((sum, count) => sum + count, 0)
    },
    stop: () => Effect.runPromise(Scope.close(scope, Exit.void))
  }
}
