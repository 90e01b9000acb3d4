import { Effect, Layer, Option } from "effect"
import { type Left, Payloads, PayloadsError } from "../../services/Payloads.ts"
import * as Settings from "../../services/Settings.ts"
import { makeAsk, PLATFORM } from "./askPlatform.ts"
import { fieldsOf, isFields } from "./BoundedBody.ts"

/** The settings it reads. */
export const settings = ["FAL_ADMIN_KEY", "FAL_BASE_URL"] as const satisfies ReadonlyArray<Settings.Name>

const leftOf = (result: unknown): ReadonlyArray<Left> => {
  if (!isFields(result)) return []
  const { exception, link } = result
  if (typeof link !== "string" || exception === null || exception === undefined) return []
  return [{ address: link, why: typeof exception === "string" ? exception : JSON.stringify(exception) }]
}

/** fal's platform API "delete request payloads", with the key of an administrator. */
export const layer = Layer.effect(
  Payloads,
  Effect.gen(function* () {
    const { FAL_ADMIN_KEY, FAL_BASE_URL } = yield* Settings.of(...settings)
    if (Option.isNone(FAL_ADMIN_KEY))
      return Payloads.of({
        isDeletable: false,
        remove: () => Effect.fail(new PayloadsError({ detail: "FAL_ADMIN_KEY is not set" }))
      })
    const key = FAL_ADMIN_KEY.value
    const ask = yield* makeAsk
    const base = Option.getOrElse(FAL_BASE_URL, () => PLATFORM)
    return Payloads.of({
      isDeletable: true,
      remove: Effect.fn("Payloads.remove")(function* (requestId: string) {
        const url = new URL(`${base}/v1/models/requests/${encodeURIComponent(requestId)}/payloads`)
        const answer = yield* Effect.mapError(ask("DELETE", url, key), (detail) => new PayloadsError({ detail }))
        if (answer.status === 404) return { _tag: "not known" }
        const results = fieldsOf(answer)?.["cdn_delete_results"]
        if (answer.status !== 200 || !Array.isArray(results))
          return yield* new PayloadsError({ detail: `${url.pathname}: fal answered ${answer.status}` })
        return { _tag: "deleted", left: results.flatMap(leftOf) }
      })
    })
  })
)
