import { Effect } from "effect"
import * as PythonJson from "../../wire/PythonJson.ts"
import type { Delivery } from "../../services/TaskQueue.ts"
import * as Text from "../../wire/Text.ts"
import type { Request } from "../../services/Vitals.ts"
import type { Message } from "./Message.ts"
import { safeArgsRepr, safeRepr } from "./pythonRepr.ts"

/** As its sender wrote it, which by Celery is not longer. */
const repr = (value: unknown) => (typeof value === "string" ? Text.shorten(value, 1100) : undefined)

/** Arguments that are longer are shown by their repr: who looks at a fleet does not want its pictures (characters of JSON). */
const LONGEST_SHOWN = 16_384
/** So much may be shown of all requests in one reply together. */
const SHOWN_TOGETHER = 1_048_576
const isShort = (value: unknown, longest: number) => PythonJson.stringify(value).length <= longest

/** The message as remote control and events show it. */
export const requestOf = (message: Message, delivery: Delivery): Request => {
  const { headers } = message.envelope
  const stamped = headers["stamps"]
  return {
    id: message.id,
    name: Text.cut(Text.textOf(headers["shadow"]) ?? message.task, 1000),
    type: Text.cut(message.task, 1000),
    args: message.args,
    kwargs: message.kwargs,
    argsrepr: repr(headers["argsrepr"]) ?? safeArgsRepr(message.args),
    kwargsrepr: repr(headers["kwargsrepr"]) ?? safeRepr(message.kwargs),
    queue: delivery.queue,
    priority: message.priority,
    redelivered: headers["redelivered"] === true,
    stamps: typeof stamped === "object" && stamped !== null ? { ...stamped } : {},
    startedAt: null,
    terminate: () => Effect.succeed(false)
  }
}

/** Requests as `inspect` replies them; `safe` shows the reprs instead of the values. */
export const infosOf = (
  requests: ReadonlyArray<Request>,
  { name, pid }: { readonly name: string; readonly pid: number },
  safe = false
) => {
  const longest = Math.min(LONGEST_SHOWN, SHOWN_TOGETHER / (2 * requests.length))
  return requests.map((request) => ({
    id: request.id,
    name: request.name,
    args: safe || !isShort(request.args, longest) ? request.argsrepr : request.args,
    kwargs: safe || !isShort(request.kwargs, longest) ? request.kwargsrepr : request.kwargs,
    type: request.type,
    hostname: name,
    time_start: request.startedAt,
    // Always true: a message that this worker holds is acknowledged only after its task.
    acknowledged: false,
    delivery_info: { exchange: "", routing_key: request.queue, priority: request.priority, redelivered: request.redelivered },
    worker_pid: request.startedAt === null ? null : pid
  }))
}
