import { Effect } from "effect"
import { Audit } from "../../services/Audit.ts"
import { html } from "./html.ts"
import { minute, notice, table } from "./shell.ts"
import { page } from "./visit.ts"

const PAGE = 100

const isId = (text: string) => /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/.test(text)

/** What people have done, the newest first. */
export const route = page("/audit", "operator", ({ query }) =>
  Effect.gen(function* () {
    const audit = yield* Audit
    const from = query.get("before")
    const before = from !== null && /^\d{1,15}$/.test(from) ? Number(from) : null
    const entries = yield* audit.list(before, PAGE + 1)
    const shown = entries.slice(0, PAGE)
    return {
      title: "Audit",
      here: "/audit",
      body: html`<h1>Audit</h1>
        <p class="soft">What people have done here, the newest first. Rows are added, and never changed.</p>
        ${
          shown.length === 0
            ? notice("note", "There are no more.")
            : table(
                "What people have done",
                ["When", "Who", "What", "To what", "More"],
                shown.map(({ action, at, detail, subject, who }) => [
                  minute(at),
                  who,
                  action,
                  isId(subject) && ["approved", "rejected", "undecided", "had it made again"].includes(action)
                    ? html`<a href="/pictures/${subject}">${subject}</a>`
                    : subject,
                  Object.entries(detail)
                    .map(([key, value]) => `${key}: ${typeof value === "string" ? value : JSON.stringify(value)}`)
                    .join(", ")
                ])
              )
        }
        <nav class="pages" aria-label="Pages">
          ${before !== null && html`<a href="/audit">Newest</a>`}
          ${entries.length > PAGE && html`<a rel="next" href="/audit?before=${shown.at(-1)?.seq}">Older</a>`}
        </nav>`
    }
  })
)
