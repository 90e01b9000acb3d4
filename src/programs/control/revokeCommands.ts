import { Effect, Schema } from "effect"
import { pythonRepr } from "../celery/pythonRepr.ts"
import { constants } from "node:os"
import { MAX_REVOKED, stampText } from "../../services/Fleet.ts"
import * as Text from "../../wire/Text.ts"
import { command, type Command, list, named, ok, refuse, Some } from "./Command.ts"
import type { ControlledWorker } from "./ControlledWorker.ts"
import { merge, mergeStamps } from "./revokedIds.ts"
import { nullish } from "../../wire/nullish.ts"

const setRepr = (values: Iterable<string>) => {
  const shown = [...values].map(pythonRepr)
  return shown.length === 0 ? "set()" : `{${shown.join(", ")}}`
}

/** `SIGTERM`, `term`, 15: a signal as Celery takes it, by its name. */
const signalOf = Effect.fnUntraced(function* (given: string | number | null | undefined) {
  if (given === null || given === undefined || given === "") return "SIGTERM"
  const name = String(given).toUpperCase()
  const found = Object.entries(constants.signals).find(
    ([known, number]) => known === name || known === `SIG${name}` || String(number) === name
  )
  return found === undefined ? yield* refuse("KeyError", String(given)) : found[0]
})

const Stamp = Schema.Union([Schema.String, Schema.Finite, Schema.Array(Schema.Union([Schema.String, Schema.Finite]))])
const Stamps = Schema.Record(Schema.String, Schema.NullOr(Stamp))

/** The commands that keep tasks from running, or end them. */
export const orders = (worker: ControlledWorker): ReadonlyArray<Command> => {
  const { vitals } = worker

  const end = Effect.fnUntraced(function* (ids: Iterable<string>, signal: string) {
    const ended: Array<string> = []
    for (const id of ids) {
      const request = vitals.requests.get(id)
      if (request === undefined) continue
      yield* Effect.logInfo("terminating a task by remote control", { id, signal })
      yield* request.terminate(signal)
      ended.push(id) // one that waits for a slot is flagged, and ends when its turn comes
    }
    return ended
  })

  const revoke = Effect.fnUntraced(function* (given: ReadonlyArray<string>, terminate: boolean, asked: string | number | null) {
    const ids = [...new Set(yield* named("task_id", given))]
    const signal = terminate ? yield* signalOf(asked) : ""
    yield* merge(worker, ids)
    if (!terminate) {
      yield* Effect.logInfo("tasks flagged as revoked", { ids: Text.cut(ids.slice(0, 20).join(", "), 500) })
      return ok(`tasks ${setRepr(ids)} flagged as revoked`)
    }
    const ended = yield* end(ids, signal)
    return ok(ended.length === 0 ? "terminate: tasks unknown" : `terminate: ${ended.join(", ")}`)
  })

  const pairs = Effect.fnUntraced(function* (headers: ReadonlyArray<string>) {
    const read: Record<string, string> = {}
    for (const header of headers) {
      const [key, value] = header.split("=")
      if (key === undefined || value === undefined) return yield* refuse("IndexError", "list index out of range")
      read[key] = value
    }
    return read
  })

  const revokeStamped = Effect.fnUntraced(function* (headers: typeof Stamps.Type, terminate: boolean, signal: string) {
    const wanted = Object.entries(headers).map(([header, stamps]) => {
      const values = (Array.isArray(stamps) ? stamps : stamps === null ? [] : [stamps]).map(String)
      return [header, values] as const
    })
    const all = wanted.flatMap(([header, values]) => values.map((value) => header + value))
    if (all.length > MAX_REVOKED)
      return yield* refuse("ValueError", `headers: ${all.length} stamps, expected at most ${MAX_REVOKED}`)
    yield* named("headers", all)
    yield* mergeStamps(worker, wanted)
    if (!terminate) return ok(`headers ${pythonRepr(headers)} flagged as revoked, but not terminated`)
    const ended = new Map<string, Set<string>>()
    for (const request of vitals.requests.values()) {
      for (const [header, values] of wanted) {
        const own = Object.hasOwn(request.stamps, header) ? request.stamps[header] : []
        const among = new Set(values)
        const same = (Array.isArray(own) ? own : [own]).map(stampText).filter((value) => among.has(value))
        if (same.length === 0) continue
        ended.set(header, new Set([...(ended.get(header) ?? []), ...same]))
        yield* end([request.id], signal)
      }
    }
    if (ended.size === 0) return ok(`headers ${pythonRepr(headers)} were not terminated`)
    const shown = [...ended].map(([header, values]) => `${pythonRepr(header)}: ${setRepr(values)}`).join(", ")
    return ok(`headers defaultdict(<class 'set'>, {${shown}}) revoked`)
  })

  const Signal = Schema.Union([Schema.String, Schema.Int])
  const Revoke = Schema.Struct({ task_id: Schema.NullOr(Some), terminate: nullish(Schema.Boolean), signal: nullish(Signal) })
  const Terminate = Schema.Struct({ task_id: Schema.NullOr(Some), signal: Schema.NullOr(Signal) })
  const Stamped = Schema.Struct({
    headers: Schema.Union([Schema.Array(Schema.String), Stamps]),
    terminate: nullish(Schema.Boolean),
    signal: nullish(Signal)
  })

  return [
    command("revoke", ["task_id"], Revoke, ({ signal, task_id, terminate }) =>
      revoke(list(task_id), terminate === true, signal ?? null)
    ),
    command("terminate", ["signal", "task_id"], Terminate, ({ signal, task_id }) => revoke(list(task_id), true, signal)),
    command("revoke_by_stamped_headers", ["headers"], Stamped, ({ headers, signal, terminate }) =>
      Effect.gen(function* () {
        const named = yield* signalOf(signal)
        return yield* revokeStamped(isList(headers) ? yield* pairs(headers) : headers, terminate === true, named)
      })
    )
  ]
}

const isList = (value: ReadonlyArray<string> | typeof Stamps.Type): value is ReadonlyArray<string> => Array.isArray(value)
