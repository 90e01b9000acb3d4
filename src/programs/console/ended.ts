import { Effect } from "effect"
import { type LifeEvent, type Latest, TaskLives } from "../../services/TaskLives.ts"
import * as Text from "../../wire/Text.ts"
import { html } from "./html.ts"
import { linked } from "./links.ts"
import { minute, notice, table } from "./shell.ts"

/** So many lives are looked at for the last ends. */
const LOOKED_AT = 100
/** So many ends stand on the page. */
const MOST = 30

type End = Extract<LifeEvent, { readonly _tag: "Ended" | "Buried" }>
const isEnd = (event: LifeEvent): event is End => event._tag === "Ended" || event._tag === "Buried"

const state = (end: End) =>
  end._tag === "Buried"
    ? html`<span class="badge rejected">dead letter</span>`
    : html`<span class="badge ${end.status === "SUCCESS" ? "approved" : "rejected"}">${end.status}</span>`
const why = (end: End) => (end._tag === "Buried" ? [end.reason, end.error].filter((words) => words !== "").join(": ") : end.why)

const row = ({ last: { to }, taskId }: Latest, end: End) => [
  minute(to),
  linked(taskId),
  end._tag === "Ended" ? end.task : null,
  state(end),
  Text.shorten(why(end) ?? "", 200),
  end.by
]

/** The tasks that have ended last, as far as their lives are kept. `failed`: only those that have not gone well. */
export const ended = Effect.fn("console.ended")(function* (failed: boolean) {
  const lives = yield* TaskLives
  const ends = (yield* lives.recent(LOOKED_AT)).flatMap((one) => {
    const { event } = one.last
    return isEnd(event) && !(failed && event._tag === "Ended" && event.status === "SUCCESS") ? [{ one, event }] : []
  })
  const shown = ends.slice(0, MOST)
  return shown.length === 0
    ? notice("note", "None is known. Of a task that pays nothing and goes well no life is kept.")
    : table(
        "Ended",
        ["When", "Task", "Name", "State", "Why", "Worker"],
        shown.map(({ event, one }) => row(one, event)),
        shown.map(({ one }) => one.taskId)
      )
})
