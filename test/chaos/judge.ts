/** What became of the tasks, by fal's ledger, the database's rows, what Python reads and the keys left: never by our own word. */
import type { LedgerRow } from "../../src/programs/fal-simulator/World.ts"

export interface Sent {
  readonly id: string
  readonly template: string
  readonly seed: number
}

export interface Row {
  readonly id: string
  readonly template_id: string
  readonly fal_request_id: string
  readonly image_url: string
}

/** What Python's `AsyncResult` says. */
export interface Answer {
  readonly state: string
  readonly value?: Readonly<Record<string, unknown>>
  readonly raised?: string
  readonly args?: ReadonlyArray<string>
}

export interface Evidence {
  readonly sent: ReadonlyArray<Sent>
  readonly ledger: ReadonlyArray<LedgerRow>
  readonly rows: ReadonlyArray<Row>
  readonly answers: ReadonlyMap<string, Answer>
  /** Tasks one of whose submits was taken by fal and its answer lost by our doing: at most one more is then as promised. */
  readonly uncertain: ReadonlySet<string>
  /** And not before so many seconds. */
  readonly grace: number
}

export interface Verdict {
  readonly lost: ReadonlyArray<string>
  readonly savedTwice: ReadonlyArray<string>
  readonly paidTwice: ReadonlyArray<string>
  readonly resubmitted: ReadonlyArray<string>
  readonly wrong: ReadonlyArray<string>
}

const groupBy = <A>(all: ReadonlyArray<A>, key: (one: A) => string | number) => {
  const groups = new Map<string | number, Array<A>>()
  for (const one of all) groups.set(key(one), [...(groups.get(key(one)) ?? []), one])
  return groups
}

export const judge = ({ answers, grace, ledger, rows, sent, uncertain }: Evidence): Verdict => {
  const paid = groupBy(
    ledger.filter(({ units }) => units > 0),
    ({ seed }) => seed
  )
  const saved = groupBy(rows, ({ template_id }) => template_id)
  const verdict = { lost: [], savedTwice: [], paidTwice: [], resubmitted: [], wrong: [] } as Record<keyof Verdict, Array<string>>
  for (const { id, seed, template } of sent) {
    const answer = answers.get(id)
    const bought = paid.get(seed) ?? []
    const kept = saved.get(template) ?? []
    const about = `${id} (seed ${seed}): ${JSON.stringify({ answer, bought: bought.length, kept: kept.length })}`

    if (answer?.state !== "SUCCESS" || kept.length === 0) verdict.lost.push(about)
    if (kept.length > 1) verdict.savedTwice.push(about)
    const [first, second, ...more] = bought.map(({ acceptedAt }) => acceptedAt)
    if (first !== undefined && second !== undefined) {
      const asPromised = uncertain.has(id) && more.length === 0 && second - first >= grace * 1000
      verdict[asPromised ? "resubmitted" : "paidTwice"].push(about)
    }
    if (answer?.state !== "SUCCESS") continue
    const value = answer.value ?? {}
    const right =
      bought.some(({ requestId }) => requestId === value["fal_request_id"]) &&
      kept.some(
        (row) => row.fal_request_id === value["fal_request_id"] && row.id === value["id"] && row.image_url === value["image_url"]
      )
    if (!right || value["seed"] !== seed || value["template_id"] !== template || value["version"] !== 1) verdict.wrong.push(about)
  }
  const known = { seeds: new Set(sent.map(({ seed }) => seed)), templates: new Set(sent.map(({ template }) => template)) }
  for (const { requestId, seed } of ledger) if (!known.seeds.has(seed)) verdict.wrong.push(`nobody asked for ${requestId}`)
  for (const { id, template_id } of rows) if (!known.templates.has(template_id)) verdict.wrong.push(`nobody asked for row ${id}`)
  return verdict
}
