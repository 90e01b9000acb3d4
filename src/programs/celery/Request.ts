import { Effect } from "effect"
import type { Delivery } from "../../services/TaskQueue.ts"
import type { Request } from "../../services/Vitals.ts"
import type { Message } from "./Message.ts"
import { safeArgsRepr, safeRepr } from "./pythonRepr.ts"

const text = (value: unknown) => (typeof value === "string" ? value : undefined)

/** The message as remote control and events show it. */
export const requestOf = (message: Message, delivery: Delivery): Request => {
  const { headers } = message.envelope
  const stamped = headers["stamps"]
  return {
    id: message.id,
    name: text(headers["shadow"]) ?? message.task,
    type: message.task,
    args: message.args,
    kwargs: message.kwargs,
    argsrepr: text(headers["argsrepr"]) ?? safeArgsRepr(message.args),
    kwargsrepr: text(headers["kwargsrepr"]) ?? safeRepr(message.kwargs),
    queue: delivery.queue,
    priority: message.priority,
    redelivered: headers["redelivered"] === true,
    stamps: typeof stamped === "object" && stamped !== null ? { ...stamped } : {},
    startedAt: null,
    terminate: () => Effect.succeed(false)
  }
}

/** A Request as `inspect` replies it (celery-wire 8.2); `safe` shows the reprs instead of the values. */
export const infoOf = (request: Request, hostname: string, pid: number, safe: boolean) => ({
  id: request.id,
  name: request.name,
  args: safe ? request.argsrepr : request.args,
  kwargs: safe ? request.kwargsrepr : request.kwargs,
  type: request.type,
  hostname,
  time_start: request.startedAt,
  // Always late: a message in hand is never acknowledged yet.
  acknowledged: false,
  delivery_info: { exchange: "", routing_key: request.queue, priority: request.priority, redelivered: request.redelivered },
  worker_pid: request.startedAt === null ? null : pid
})
