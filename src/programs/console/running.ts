import { Effect } from "effect"
import { type Found, headersOf, type QueueStatus } from "../../services/QueueInspector.ts"
import * as Text from "../../wire/Text.ts"
import { AtFal } from "./AtFal.ts"
import { linked } from "./links.ts"
import { notice, table } from "./shell.ts"

/** The tasks that workers hold, each in a slot of its own, and how far what they have asked fal for is. */
export const running = Effect.fn("console.running")(function* (found: ReadonlyArray<Found>, workers: QueueStatus["workers"]) {
  const atFal = yield* AtFal
  const held = found.flatMap((one) => (one.where._tag === "Held" ? [{ one, worker: one.where.worker }] : []))
  const states = yield* atFal.of(held.map(({ one }) => one.taskId))
  const order = new Map(workers.map(({ name }, at) => [name, at]))
  const place = (worker: string | null) => order.get(worker ?? "") ?? order.size
  const rows = held.toSorted((one, other) => place(one.worker) - place(other.worker))
  return rows.length === 0
    ? notice("note", "No worker holds a task.")
    : table(
        "Running",
        ["Worker", "Task", "Name", "Caller", "At fal"],
        rows.map(({ one, worker }) => {
          const headers = headersOf(one)
          return [
            worker ?? "one that is not known here",
            linked(one.taskId),
            Text.textOf(headers["task"]),
            Text.textOf(headers["x-caller"]) ?? Text.textOf(headers["origin"]),
            states.get(one.taskId)
          ]
        }),
        rows.map(({ one }) => one.taskId)
      )
})
