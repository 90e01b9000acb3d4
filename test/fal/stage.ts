/**
 * Whole workers before the honest simulator: the real client and its HTTP, the real programs, and what is paid read from the
 * simulator's own ledger. Redis and PostgreSQL are those in this process. Time is the test clock's; what travels takes real time.
 */
import { Context, Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { createServer } from "node:net"
import type { Options } from "../../src/fal-simulator/simulate.ts"
import { Generator } from "../../src/services/Generator.ts"
import { falAt, falOver } from "../layers/falOver.ts"
import { makeWorldWith } from "../programs/world.ts"

/** A request on its way, and for how many milliseconds the clock has been held for it. */
interface Travelling {
  held: number
}
/**
 * After so many milliseconds a request is taken for one that hangs. The simulator is in this process: what is answered at all
 * takes a few.
 */
const PATIENCE = 100

/** Keeps the requests that are on their way, so that the clock can be held until they have arrived. */
const watched = (generator: Generator["Service"]) => {
  const travelling = new Set<Travelling>()
  const watch = <A, E>(call: Effect.Effect<A, E>) =>
    Effect.suspend(() => {
      const mine = { held: 0 }
      travelling.add(mine)
      return Effect.ensuring(
        call,
        Effect.sync(() => travelling.delete(mine))
      )
    })
  return {
    travelling,
    generator: Generator.of({
      submit: (request) => watch(generator.submit(request)),
      progress: (ticket) => watch(generator.progress(ticket)),
      // On its way for as long as the request runs: nothing waits for it.
      awaitEnd: generator.awaitEnd,
      result: (ticket) => watch(generator.result(ticket)),
      cancel: (ticket) => watch(generator.cancel(ticket)),
      probe: watch(generator.probe)
    })
  }
}

const worldOver = Effect.fnUntraced(function* (real: Generator["Service"], env: Readonly<Record<string, string>>) {
  const { generator, travelling } = watched(real)
  const world = yield* makeWorldWith({ env: { FAL_WAIT: "poll", ...env }, generator })
  /** Until nothing travels but requests that hang: each is waited for once, not at every step. */
  const arrived = TestClock.withLive(
    Effect.gen(function* () {
      for (let calm = 0; calm < 2;) {
        yield* Effect.sleep("1 milli")
        const waited = [...travelling].filter(({ held }) => held < PATIENCE)
        for (const request of waited) request.held++
        calm = waited.length === 0 ? calm + 1 : 0
      }
    })
  )
  /** Lets so much time pass, a step at a time, and everything arrive in between. */
  const pass = Effect.fnUntraced(function* (seconds: number, step = 1) {
    yield* arrived
    for (let passed = 0; passed < seconds; passed += step) {
      yield* TestClock.adjust(step * 1000)
      yield* arrived
    }
  })
  return { ...world, pass }
})

/** A world before a simulator of its own. It looks at each status itself, unless `env` says otherwise. */
export const stage = Effect.fnUntraced(function* (options: Options = {}, env: Readonly<Record<string, string>> = {}) {
  const { generator, simulator } = yield* falOver(options)
  const world = yield* worldOver(generator, env)
  const outcomes = Effect.map(simulator.ledger, (rows) => rows.map(({ outcome }) => outcome))
  const paid = Effect.map(simulator.ledger, (rows) => rows.reduce((sum, { units }) => sum + units, 0))
  return { ...world, simulator, outcomes, paid }
})
export type Stage = Effect.Success<ReturnType<typeof stage>>

/** A world whose fal is looked for at `url`, whatever is there. */
export const stageAt = Effect.fnUntraced(function* (url: string) {
  const context = yield* Layer.build(falAt(url))
  return yield* worldOver(Context.get(context, Generator), {})
})

export const freePort = Effect.callback<number>((resume) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const address = server.address()
    server.close(() => resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0)))
  })
})
