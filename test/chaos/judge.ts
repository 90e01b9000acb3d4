/** What became of the tasks, by fal's ledger, the database's rows, what Python reads and the keys left: never by our own word. */
import type { LedgerRow } from "../../src/fal-simulator/World.ts"

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
  readonly thumbnail_url?: string | null
  /** Where the picture was at fal. */
  readonly source_url?: string | null
}

/** What Python's `AsyncResult` says. */
export interface Answer {
  readonly state: string
  readonly value?: Readonly<Record<string, unknown>>
  readonly raised?: string
  readonly args?: ReadonlyArray<string>
}

/** A row of the ledger. */
export interface Book {
  readonly task_id: string
  readonly fal_request_id: string | null
  readonly outcome: string
  readonly units: number | null
  /** Nano-dollars. */
  readonly cost: number | null
}

export interface Evidence {
  readonly sent: ReadonlyArray<Sent>
  readonly ledger: ReadonlyArray<LedgerRow>
  readonly rows: ReadonlyArray<Row>
  /** What our ledger says was paid; undefined where it is not judged. */
  readonly books?: ReadonlyArray<Book>
  readonly answers: ReadonlyMap<string, Answer>
  /** Tasks one of whose submits was taken by fal and its answer lost by our doing: at most one more is then as promised. */
  readonly uncertain: ReadonlySet<string>
  /** And not before so many seconds. */
  readonly grace: number
  /** What Redis had answered for and a promoted replica did not have. */
  readonly forgotten?: Forgotten
}

export interface Forgotten {
  /** Tasks whose request to fal stood in the journal, once for each time that it was forgotten. */
  readonly requests: ReadonlyArray<string>
  /** Tasks whose result, or whose message, was nowhere any more. */
  readonly ends: ReadonlySet<string>
}

export interface Verdict {
  readonly lost: ReadonlyArray<string>
  readonly savedTwice: ReadonlyArray<string>
  readonly paidTwice: ReadonlyArray<string>
  readonly resubmitted: ReadonlyArray<string>
  /** Paid once more because their request had been forgotten: what a failover costs. */
  readonly repaid: ReadonlyArray<string>
  /** Without an end, because that had been forgotten. */
  readonly forgotten: ReadonlyArray<string>
  readonly wrong: ReadonlyArray<string>
  /** Where our ledger is not the simulator's bill. */
  readonly misbooked: ReadonlyArray<string>
}

const groupBy = <A>(all: ReadonlyArray<A>, key: (one: A) => string | number) => {
  const groups = new Map<string | number, Array<A>>()
  for (const one of all) groups.set(key(one), [...(groups.get(key(one)) ?? []), one])
  return groups
}

const none: Forgotten = { requests: [], ends: new Set() }

/** The grace counts from the intent, and fal counts from the POST, which follows at once (milliseconds, on a busy machine). */
const INTENT_TO_POST = 500

/** Nano-dollars of the simulator's dollars. */
const nano = (dollars: number) => Math.round(dollars * 1e9)

/**
 * Each request that the simulator bills is booked once, to the nano-dollar: by its id, or as one whose answer was lost. Nothing
 * else is, but for requests of which nobody could know whether fal had taken them.
 */
const misbooked = (
  books: ReadonlyArray<Book>,
  ledger: ReadonlyArray<LedgerRow>,
  rows: ReadonlyArray<Row>,
  sent: ReadonlyArray<Sent>
) => {
  const wrong: Array<string> = []
  const requests = new Map(ledger.map((request) => [request.requestId, request]))
  const saved = new Set(rows.map(({ fal_request_id }) => fal_request_id))
  for (const { id, seed } of sent) {
    const own = books.filter(({ task_id }) => task_id === id)
    const named = new Set(own.map(({ fal_request_id }) => fal_request_id))
    const unnamed = ledger.filter((request) => request.seed === seed && request.units > 0 && !named.has(request.requestId))
    const lost = own.filter(({ fal_request_id }) => fal_request_id === null)
    if (unnamed.length > lost.length)
      wrong.push(`${id}: ${unnamed.map(({ requestId }) => requestId).join(", ")} billed, and ${lost.length} booked as lost`)
  }
  for (const { cost, fal_request_id: id, outcome, task_id, units } of books) {
    if (id === null) continue
    const about = `${task_id}: ${id} (${outcome})`
    const request = requests.get(id)
    if (books.filter((other) => other.fal_request_id === id).length > 1) wrong.push(`${about} twice`)
    if (request === undefined) wrong.push(`${about}, which fal does not know`)
    else if (units !== null && (units !== request.units || cost !== nano(request.simulatedCost)))
      wrong.push(`${about}: ${units} units, ${cost} nano-dollars; billed ${request.units}, ${nano(request.simulatedCost)}`)
    if (saved.has(id) !== (outcome === "used")) wrong.push(`${about}, which was ${saved.has(id) ? "" : "not "}saved`)
  }
  return wrong
}

export const judge = ({ answers, books, forgotten = none, grace, ledger, rows, sent, uncertain }: Evidence): Verdict => {
  const paid = groupBy(
    ledger.filter(({ units }) => units > 0),
    ({ seed }) => seed
  )
  const saved = groupBy(rows, ({ template_id }) => template_id)
  const verdict: Record<keyof Verdict, Array<string>> = {
    lost: [],
    savedTwice: [],
    paidTwice: [],
    resubmitted: [],
    repaid: [],
    forgotten: [],
    wrong: [],
    misbooked: books === undefined ? [] : misbooked(books, ledger, rows, sent)
  }
  for (const { id, seed, template } of sent) {
    const answer = answers.get(id)
    const bought = paid.get(seed) ?? []
    const kept = saved.get(template) ?? []
    const about = `${id} (seed ${seed}): ${JSON.stringify({ answer, bought: bought.length, kept: kept.length })}`

    const again = forgotten.requests.filter((one) => one === id).length
    if (answer?.state !== "SUCCESS" || kept.length === 0) {
      verdict[forgotten.ends.has(id) && answer?.state === "PENDING" ? "forgotten" : "lost"].push(about)
    }
    if (kept.length > 1 + Math.min(again, bought.length - 1)) verdict.savedTwice.push(about)
    const [first, second, ...more] = bought.map(({ acceptedAt }) => acceptedAt)
    if (second !== undefined && bought.length - 1 <= again) verdict.repaid.push(about)
    else if (first !== undefined && second !== undefined) {
      const asPromised = uncertain.has(id) && more.length === 0 && second - first >= grace * 1000 - INTENT_TO_POST
      verdict[asPromised ? "resubmitted" : "paidTwice"].push(about)
    }
    if (answer?.state !== "SUCCESS") continue
    const value = answer.value ?? {}
    const right =
      bought.some(({ requestId }) => requestId === value["fal_request_id"]) &&
      kept.some(
        (row) => row.fal_request_id === value["fal_request_id"] && row.id === value["id"] && row.image_url === value["image_url"]
      )
    const version = again === 0 ? value["version"] === 1 : Number(value["version"]) <= 1 + again
    if (!right || value["seed"] !== seed || value["template_id"] !== template || !version) verdict.wrong.push(about)
  }
  const known = { seeds: new Set(sent.map(({ seed }) => seed)), templates: new Set(sent.map(({ template }) => template)) }
  for (const { requestId, seed } of ledger) if (!known.seeds.has(seed)) verdict.wrong.push(`nobody asked for ${requestId}`)
  for (const { id, template_id } of rows) if (!known.templates.has(template_id)) verdict.wrong.push(`nobody asked for row ${id}`)
  return verdict
}
