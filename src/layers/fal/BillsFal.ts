import { Cache, Duration, Effect, Exit, Layer, Option, type Redacted, Schema } from "effect"
import { Bills, BillsError, type Charge, type Made, MOST } from "../../services/Bills.ts"
import { NanoDollars } from "../../services/NanoDollars.ts"
import * as Settings from "../../services/Settings.ts"
import * as Text from "../../wire/Text.ts"
import { makeAsk, PLATFORM } from "./askPlatform.ts"
import { fieldsOf, isFields, numberOf } from "./BoundedBody.ts"
import type { Answered } from "./exchange.ts"
import { outputOf } from "./output.ts"

const QUEUE = "https://queue.fal.run"
/** Charges in one answer: it has some 300 bytes for each, and no answer is read beyond two megabytes. */
const PAGE = 2000

/** Requests of which it is remembered what they were asked for, at most some kilobytes each. */
const REMEMBERED = 1000
interface Asked {
  readonly endpoint: string
  readonly requestId: string
}

const amountOf = Schema.decodeUnknownOption(NanoDollars)
/** Older answers have one figure, newer ones three, of which the total is the same. */
const costOf = ({ cost_estimate_nano_usd: nanos, cost_total: usd }: Readonly<Record<string, unknown>>) => {
  const dollars = numberOf(usd)
  const amount = numberOf(nanos) ?? (dollars === undefined ? undefined : dollars * 1e9)
  return Option.getOrNull(amountOf(amount === undefined ? undefined : Math.round(amount)))
}
/** One that cannot be read is left out: what is not there may still come. */
const chargeOf = (event: unknown): ReadonlyArray<Charge> => {
  if (!isFields(event)) return []
  const { endpoint_id: endpoint, output_units: units, request_id: requestId, timestamp } = event
  const at = typeof timestamp === "string" ? Date.parse(timestamp) : Number.NaN
  if (typeof requestId !== "string" || typeof endpoint !== "string" || Number.isNaN(at)) return []
  return [{ requestId, endpoint, at, units: numberOf(units) ?? null, cost: costOf(event) }]
}

/** The app of an endpoint's name, under which fal keeps its requests: owner and name, behind a namespace where there is one. */
const appOf = (endpoint: string) =>
  endpoint
    .split("/")
    .slice(0, /^(workflows|comfy)\//.test(endpoint) ? 3 : 2)
    .map(encodeURIComponent)
    .join("/")

/** fal's billing events, by its platform API, with the key of an administrator. */
export const layer = Layer.effect(
  Bills,
  Effect.gen(function* () {
    const { FAL_ADMIN_KEY, FAL_BASE_URL, FAL_KEY } = yield* Settings.of("FAL_ADMIN_KEY", "FAL_BASE_URL", "FAL_KEY")
    if (Option.isNone(FAL_ADMIN_KEY)) {
      const none = Effect.fail(new BillsError({ detail: "FAL_ADMIN_KEY is not set" }))
      return Bills.of({ isReadable: false, between: () => none, made: () => none })
    }
    const admin = FAL_ADMIN_KEY.value
    const ask = yield* makeAsk
    const baseOf = (host: string) => Option.getOrElse(FAL_BASE_URL, () => host)

    const get = Effect.fnUntraced(function* (url: URL, key: Redacted.Redacted) {
      const seen = yield* Effect.mapError(ask("GET", url, key), (detail) => new BillsError({ detail }))
      if (seen.status !== 200) return yield* new BillsError({ detail: `${url.pathname}: fal answered ${seen.status}` })
      return seen
    })

    const pageOf = (answer: Answered) => {
      const { billing_events: events, next_cursor: cursor } = fieldsOf(answer) ?? {}
      return Array.isArray(events)
        ? Option.some({ charges: events.flatMap(chargeOf), cursor: typeof cursor === "string" && cursor !== "" ? cursor : null })
        : Option.none()
    }

    const madeBy = Effect.fn("Bills.made")(function* ({ endpoint, requestId }: Asked) {
      const url = new URL(`${baseOf(QUEUE)}/${appOf(endpoint)}/requests/${encodeURIComponent(requestId)}`)
      const body = fieldsOf(yield* get(url, FAL_KEY))
      const prompt = body?.["prompt"]
      return {
        seed: outputOf(body)?.seed ?? null,
        prompt: typeof prompt === "string" ? Text.cut(prompt, 100_000) : null
      } satisfies Made
    })
    // Many requests lost at once are each compared with the same ones, and what one was asked for never changes.
    const known = yield* Cache.makeWith(madeBy, {
      capacity: REMEMBERED,
      timeToLive: Exit.match({ onSuccess: () => Duration.infinity, onFailure: () => Duration.zero })
    })

    return Bills.of({
      isReadable: true,
      between: Effect.fn("Bills.between")(function* (from, to) {
        const charges: Array<Charge> = []
        let cursor: string | null = null
        do {
          const url: URL = new URL(`${baseOf(PLATFORM)}/v1/models/billing-events`)
          url.searchParams.set("start", new Date(from).toISOString())
          url.searchParams.set("end", new Date(to).toISOString())
          url.searchParams.set("limit", String(PAGE))
          if (cursor !== null) url.searchParams.set("cursor", cursor)
          const page = pageOf(yield* get(url, admin))
          if (Option.isNone(page)) return yield* new BillsError({ detail: "the billing events cannot be read" })
          charges.push(...page.value.charges)
          cursor = page.value.cursor
        } while (cursor !== null && charges.length < MOST)
        return charges.toSorted((one, other) => one.at - other.at).slice(0, MOST)
      }),
      made: (endpoint, requestId) => Cache.get(known, { endpoint, requestId })
    })
  })
)
