import { type DateTime, Effect, Option } from "effect"
import type { Delivery } from "../../services/TaskQueue.ts"
import type { Vitals } from "../../services/Vitals.ts"
import * as Message from "../celery/Message.ts"
import { requestOf } from "../celery/Request.ts"

/** Shows a message that waits for a slot, until it is let go of; one that cannot be read is not shown. */
export const reserve = Effect.fnUntraced(function* (vitals: Vitals["Service"], delivery: Delivery, zone: DateTime.TimeZone) {
  const message = yield* Effect.option(Message.decode(delivery.raw, zone))
  if (Option.isNone(message) || vitals.requests.has(message.value.id)) return { release: Effect.void }
  const request = requestOf(message.value, delivery)
  vitals.requests.set(request.id, request)
  return {
    release: Effect.sync(() => {
      // By then the task may be shown as running, and that is for whoever runs it to end.
      if (vitals.requests.get(request.id) === request) vitals.requests.delete(request.id)
    })
  }
})
