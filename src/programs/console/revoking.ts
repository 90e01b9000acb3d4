import { Array as Arr, Clock, Effect } from "effect"
import { Audit } from "../../services/Audit.ts"
import { Fleet, REVOKED_FOR } from "../../services/Fleet.ts"

/** So many ids go into one message to the workers. */
const AT_ONCE = 500
/** So many of them stand in the audit. */
const NAMED = 50

/** Revokes tasks wherever they are: for the workers that run, and for those that start later. */
export const revoke = Effect.fn("console.revoke")(function* (who: string, ids: ReadonlyArray<string>) {
  const fleet = yield* Fleet
  const audit = yield* Audit
  const now = yield* Clock.currentTimeMillis
  yield* ids.length === 1
    ? audit.record({ who, action: "revoked a task", subject: ids[0]!, detail: {} })
    : audit.record({ who, action: "revoked tasks", subject: "", detail: { count: ids.length, first: ids.slice(0, NAMED) } })
  yield* fleet.remember("ids", new Map(ids.map((id) => [id, now + REVOKED_FOR])))
  for (const some of Arr.chunksOf(ids, AT_ONCE))
    yield* fleet.ask({
      method: "revoke",
      arguments: { task_id: some.length === 1 ? some[0] : some, terminate: true, signal: "SIGTERM" },
      destination: null,
      clock: 1,
      patience: 1000
    })
})
