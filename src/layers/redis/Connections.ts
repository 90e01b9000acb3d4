import { Context, Effect, Layer, Redacted, Schedule, Scope, Semaphore } from "effect"
import type { Connection } from "./Connection.ts"
import { connect } from "./connect.ts"
import type { Where } from "./where.ts"

/** How often all connections are checked (milliseconds). */
const PULSE = 1000
/**
 * A connection that has received nothing for this long is pinged, so that a dead one is found before it is needed (milliseconds).
 */
const QUIET = 1500

/** The connections of one process to Redis, as few as its promises need. */
export class Connections extends Context.Service<
  Connections,
  {
    /** The connection for commands to this address. The first caller opens it; all share it. */
    readonly commands: (where: Where) => Effect.Effect<Connection>
    /** A connection for the caller alone, for the life of the scope: blocking and listening must not delay other commands. */
    readonly own: (where: Where) => Effect.Effect<Connection, never, Scope.Scope>
  }
>()("model-generator/layers/redis/Connections") {}

const nameOf = ({ address, keyPrefix, sentinel }: Where) => JSON.stringify([Redacted.value(address), sentinel.master, keyPrefix])

export const layer = Layer.effect(
  Connections,
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const open = new Set<Connection>()
    const shared = new Map<string, Connection>()
    const opening = yield* Semaphore.make(1)

    const own = (where: Where) =>
      Effect.tap(connect(where, "commands"), (connection) =>
        Effect.acquireRelease(
          Effect.sync(() => open.add(connection)),
          () => Effect.sync(() => open.delete(connection))
        )
      )
    const pulse = Effect.sync(() => {
      const since = performance.now() - QUIET
      for (const connection of open)
        if (connection.status === "ready" && connection.heardAt < since) connection.ping().catch(() => {})
    })
    yield* Effect.forkScoped(Effect.repeat(pulse, Schedule.spaced(PULSE)))

    return {
      own,
      commands: (where) =>
        opening.withPermits(1)(
          Effect.gen(function* () {
            const name = nameOf(where)
            const connection = shared.get(name) ?? (yield* Effect.provideService(own(where), Scope.Scope, scope))
            shared.set(name, connection)
            return connection
          })
        )
    }
  })
)
