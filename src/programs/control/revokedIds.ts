import { Clock, Effect } from "effect"
import { MAX_REVOKED, REVOKED_FOR, type Revocable, stamp, STAMP_REVOKED_FOR } from "../../services/Fleet.ts"
import { LONGEST_NAME } from "./Command.ts"
import type { ControlledWorker } from "./ControlledWorker.ts"

type Place = Pick<ControlledWorker, "vitals" | "fleet">

/** An id that has expired is new again and comes last. If there are too many the oldest go first, as in a stock worker. */
const flag = (known: Map<string, number>, fresh: ReadonlyMap<string, number>) => {
  for (const [one, until] of fresh) {
    known.delete(one)
    known.set(one, until)
  }
  for (const one of known.keys()) {
    if (known.size <= MAX_REVOKED) return
    known.delete(one)
  }
}

/** Flags them, here and, beside the broker, for workers that start later. That the broker is away does not hinder it here. */
const revoke = Effect.fnUntraced(function* (
  { fleet, vitals }: Place,
  what: Revocable,
  all: ReadonlyArray<string>,
  lasts: number
) {
  const now = yield* Clock.currentTimeMillis
  const known = vitals.revoked[what]
  const fresh = new Map(all.filter((one) => (known.get(one) ?? 0) <= now).map((one) => [one, now + lasts]))
  flag(known, fresh)
  yield* Effect.ignore(fleet.remember(what, fresh))
})

export const merge = (place: Place, ids: ReadonlyArray<string>) =>
  revoke(
    place,
    "ids",
    // A neighbour may say anything too, and no message with a longer id is read.
    ids.slice(-MAX_REVOKED).filter((id) => id.length <= LONGEST_NAME),
    REVOKED_FOR
  )

/** Mingle has no word for stamps, so that only the broker tells those that start later. */
export const mergeStamps = (place: Place, stamps: ReadonlyArray<readonly [header: string, values: ReadonlyArray<string>]>) =>
  revoke(
    place,
    "stamps",
    stamps.flatMap(([header, values]) => values.map((value) => stamp(header, value))),
    STAMP_REVOKED_FOR
  )

/** The ids that were revoked before this worker started. */
export const loadRevoked = Effect.fnUntraced(function* ({ fleet, vitals }: Place) {
  for (const what of ["ids", "stamps"] as const) flag(vitals.revoked[what], yield* fleet.remembered(what))
})

/**
 * The revoked ids as mingle sends them: `{id: [when, id]}`. Stock wants a float, which in JSON needs a fraction. Stock's own
 * times are of a clock that starts with the machine and mean nothing to others; Unix time at least says that the id is not to be
 * dropped soon.
 */
export const mine = (place: Place) =>
  Effect.map(Clock.currentTimeMillis, (now) =>
    Object.fromEntries(
      [...place.vitals.revoked.ids]
        .filter(([, until]) => until > now)
        .map(([id, until]) => [id, [Math.floor((until - REVOKED_FOR) / 1000) + 0.5, id]])
    )
  )
