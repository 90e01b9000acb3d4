import { Clock, Effect } from "effect"
import { MAX_REVOKED, REVOKED_FOR } from "../../services/Fleet.ts"
import type { Desk } from "./Desk.ts"

type Place = Pick<Desk, "vitals" | "fleet">

/** The oldest go first when there are too many, as in a stock worker. */
const trim = ({ vitals }: Place) => {
  for (const id of vitals.revoked.keys()) {
    if (vitals.revoked.size <= MAX_REVOKED) return
    vitals.revoked.delete(id)
  }
}

/** Flags the ids, here and, beside the broker, for workers that start later. That the broker is away does not hinder it here. */
export const merge = Effect.fnUntraced(function* (place: Place, ids: ReadonlyArray<string>) {
  const until = (yield* Clock.currentTimeMillis) + REVOKED_FOR
  const fresh = new Map(ids.filter((id) => !place.vitals.revoked.has(id)).map((id) => [id, until]))
  for (const [id, at] of fresh) place.vitals.revoked.set(id, at)
  trim(place)
  yield* Effect.ignore(place.fleet.remember(fresh))
})

/** What was flagged before this worker started. */
export const recall = Effect.fnUntraced(function* (place: Place) {
  for (const [id, until] of yield* place.fleet.remembered) place.vitals.revoked.set(id, until)
  trim(place)
})

/**
 * The ids as mingle sends them: `{id: [when, id]}`. Stock wants a float, which for JSON means a fraction. Its own times are of
 * a clock that starts with the machine, and nobody else's; Unix time says at least that the id is not to be forgotten soon.
 */
export const mine = (place: Place) =>
  Effect.map(Clock.currentTimeMillis, (now) =>
    Object.fromEntries(
      [...place.vitals.revoked]
        .filter(([, until]) => until > now)
        .map(([id, until]) => [id, [Math.floor((until - REVOKED_FOR) / 1000) + 0.5, id]])
    )
  )
