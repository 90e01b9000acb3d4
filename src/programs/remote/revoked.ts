import { Clock, Effect, Option, Schema } from "effect"
import { MAX_REVOKED, REVOKED_FOR, STAMP_REVOKED_FOR } from "../../services/Fleet.ts"
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
  const now = yield* Clock.currentTimeMillis
  const { revoked } = place.vitals
  const fresh = new Map(ids.filter((id) => (revoked.get(id) ?? 0) <= now).map((id) => [id, now + REVOKED_FOR]))
  for (const [id, until] of fresh) {
    revoked.delete(id) // one that has run out is new again, and comes last
    revoked.set(id, until)
  }
  trim(place)
  yield* Effect.ignore(place.fleet.remember("ids", fresh))
})

/** More values of one stamp than this are forgotten, the oldest first. */
const MOST_STAMPS = MAX_REVOKED
const Stamp = Schema.fromJsonString(Schema.Tuple([Schema.String, Schema.String]))
const readStamp = Schema.decodeOption(Stamp)

const flagStamp = ({ vitals }: Place, header: string, value: string) => {
  const known = vitals.revokedStamps.get(header) ?? new Set()
  vitals.revokedStamps.set(header, known.add(value))
  for (const oldest of known) if (known.size > MOST_STAMPS) known.delete(oldest)
}

/** Flags the stamps in the same way. Mingle has no word for them, so that only the broker tells those that start later. */
export const mergeStamps = Effect.fnUntraced(function* (
  place: Place,
  stamps: ReadonlyArray<readonly [header: string, values: ReadonlyArray<string>]>
) {
  const until = (yield* Clock.currentTimeMillis) + STAMP_REVOKED_FOR
  const pairs = stamps.flatMap(([header, values]) => values.map((value) => [header, value] as const))
  for (const [header, value] of pairs) flagStamp(place, header, value)
  yield* Effect.ignore(place.fleet.remember("stamps", new Map(pairs.map((pair) => [JSON.stringify(pair), until]))))
})

/** What was flagged before this worker started. */
export const recall = Effect.fnUntraced(function* (place: Place) {
  for (const [id, until] of yield* place.fleet.remembered("ids")) place.vitals.revoked.set(id, until)
  trim(place)
  for (const stamp of (yield* place.fleet.remembered("stamps")).keys())
    Option.map(readStamp(stamp), ([header, value]) => flagStamp(place, header, value))
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
