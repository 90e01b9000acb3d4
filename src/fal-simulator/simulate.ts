import { Effect, FiberSet, Schema } from "effect"
import { createServer } from "node:http"
import type { Fault, Route } from "./Fault.ts"
import { serve } from "./serve.ts"
import type { Change, Settings } from "./SimulatorSettings.ts"
import { ledger, type LedgerRow, World } from "./World.ts"

export class SimulatorError extends Schema.TaggedError<SimulatorError>()("SimulatorError", {
  host: Schema.String,
  port: Schema.Int,
  cause: Schema.Defect()
}) {}

export interface Options extends Change {
  /** "127.0.0.1" */
  readonly host?: string
  /** 0: any that is free. */
  readonly port?: number
  /** The one key that will do; any but an empty one when left out. */
  readonly key?: string
  /** The one key that may read the billing events; the same as `key` when left out. */
  readonly adminKey?: string
}

export interface Simulator {
  /** For `FAL_BASE_URL`. */
  readonly url: string
  readonly ledger: Effect.Effect<ReadonlyArray<LedgerRow>>
  /** HTTP requests so far, whatever became of them. */
  readonly calls: Effect.Effect<Readonly<Record<Route, number>>>
  /** Connections that are open. */
  readonly connections: Effect.Effect<number>
  /** Status streams that are open. */
  readonly streams: Effect.Effect<number>
  /** Adds faults to those still to come. */
  readonly setFaults: (...faults: ReadonlyArray<Fault>) => Effect.Effect<void>
  readonly clearFaults: Effect.Effect<void>
  readonly settings: Effect.Effect<Settings>
  readonly configure: (change: Change) => Effect.Effect<void>
  /** Moves the simulator's clock ahead of everybody else's. */
  readonly jump: (seconds: number) => Effect.Effect<void>
}

/**
 * fal's queue API over HTTP, with honest accounts: every accepted POST is executed and has a row in the ledger, whether or not
 * its client got the answer. Time is the `Clock`'s. It ends with its scope, with all its connections. Left out: webhooks,
 * uploads, direct calls (`fal.run`), `sync_mode`, and fal's own retries (not billed and invisible from outside).
 */
export const simulate = Effect.fn("fal.simulate")(function* (options: Options = {}) {
  const { adminKey, host = "127.0.0.1", key, port = 0, ...change } = options
  const run = yield* FiberSet.makeRuntime<never, unknown, never>()
  const world = new World({ key, adminKey: adminKey ?? key }, change, (effect) => void run(effect))
  const server = yield* Effect.acquireRelease(
    Effect.callback<ReturnType<typeof createServer>, SimulatorError>((resume) => {
      const server = createServer((request, response) => void run(serve(world, request, response)))
      server.once("error", (cause) => resume(Effect.fail(new SimulatorError({ host, port, cause }))))
      server.listen(port, host, () => resume(Effect.succeed(server)))
    }),
    (server) =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  )
  const address = server.address()
  const simulator: Simulator = {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${typeof address === "object" && address !== null ? address.port : port}`,
    ledger: ledger(world),
    calls: Effect.sync(() => ({ ...world.calls })),
    connections: Effect.callback((resume) => {
      server.getConnections((_, count) => resume(Effect.succeed(count)))
    }),
    streams: Effect.sync(() => world.streams),
    setFaults: (...faults) => Effect.sync(() => world.faults.add(faults)),
    clearFaults: Effect.sync(() => world.faults.clear()),
    settings: Effect.sync(() => world.settings),
    configure: (change) =>
      Effect.andThen(
        ledger(world),
        Effect.sync(() => world.configure(change))
      ),
    jump: (seconds) => Effect.sync(() => world.jump(seconds * 1000))
  }
  return simulator
})
