import { type DateTime, Effect, Option } from "effect"
import type { Delivery } from "../../services/TaskQueue.ts"
import type { Vitals } from "../../services/Vitals.ts"
import * as Message from "../celery/Message.ts"
import { requestOf } from "../celery/Request.ts"

/** Lists a message that waits for a slot under `reserved`. One that cannot be read is not listed. */
export const reserve = Effect.fnUntraced(function* (vitals: Vitals["Service"], delivery: Delivery, zone: DateTime.TimeZone) {
  const message = yield* Effect.option(Message.decode(delivery.raw, zone))
  if (Option.isNone(message) || vitals.requests.has(message.value.id)) return { release: () => {} }
  const request = requestOf(message.value, delivery)
  vitals.requests.set(request.id, request)
  return {
    release: () => {
      // By then the task may be listed as running, and its run removes it.
      if (vitals.requests.get(request.id) === request) vitals.requests.delete(request.id)
    }
  }
})
