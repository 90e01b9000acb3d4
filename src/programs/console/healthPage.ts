import { Effect } from "effect"
import { diagnose, type Row } from "../commands/diagnosis.ts"
import { surveyHere } from "../commands/survey.ts"
import { html } from "./html.ts"
import { notice, table } from "./shell.ts"
import { page } from "./visit.ts"

/** The migrations that the database has not had yet: layers know them. */
export type Pending = Effect.Effect<ReadonlyArray<string>, unknown>

const STATES = { ok: ["approved", "ok"], note: ["note", "look"], bad: ["rejected", "bad"] } as const
const state = (row: Row) => {
  const [kind, word] = STATES[row.state]
  return html`<span class="badge ${kind}">${word}</span>`
}

/** Everything that `model-generator health` asks, in its words. */
export const route = (pending: Pending) =>
  page("/health", "viewer", () =>
    Effect.gen(function* () {
      const rows = diagnose(yield* surveyHere(pending))
      const bad = rows.filter((row) => row.state === "bad").map(({ what }) => what)
      return {
        title: "Health",
        here: "/health",
        wide: true,
        // It asks every dependency, so not for each task that moves.
        live: { about: ["work"] as const, every: 10_000 },
        body: html`<h1>Health</h1>
          ${bad.length === 0 ? notice("good", "Healthy.") : notice("bad", `Not healthy: ${bad.join(", ")}.`)}
          ${table(
            "Health",
            ["State", "What", "How it is"],
            rows.map((row) => [
              state(row),
              row.what,
              html`${row.says}${row.advice !== "" && html`<br /><span class="soft">→ ${row.advice}</span>`}`
            ]),
            rows.map(({ what }) => what)
          )}`
      }
    })
  )
