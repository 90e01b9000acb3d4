import { Clock, Context, Effect, Layer } from "effect"
import { Audit, type Deed, type Entry } from "../../services/Audit.ts"
import { LibraryError } from "../../services/LibraryError.ts"
import { Ledger } from "../../services/Ledger.ts"
import { everything, type Listed, ModelLibrary } from "../../services/ModelLibrary.ts"
import { type Decision, type Filter, Overtaken, type Reviewed, Reviews } from "../../services/Reviews.ts"

const make = Effect.gen(function* () {
  const library = yield* ModelLibrary
  const ledger = yield* Ledger
  const decisions: Array<Decision> = []
  const entries: Array<Entry> = []
  const record = (deed: Deed) =>
    Effect.map(Clock.currentTimeMillis, (at) => void entries.push({ ...deed, seq: entries.length + 1, at }))
  const lastOf = (modelId: string) => decisions.findLast((one) => one.modelId === modelId) ?? null
  const verdictOf = (modelId: string) => lastOf(modelId)?.verdict ?? "undecided"

  const madeBy = (model: string | null) =>
    model === null
      ? Effect.succeed(() => true)
      : Effect.map(ledger.list({ since: null, until: null }, null, 1_000_000), (rows) => {
          const requests = new Set(rows.flatMap((row) => (row.model === model ? [row.requestId] : [])))
          return (row: Listed) => requests.has(row.falRequestId)
        })
  const says = (row: Listed, { text, verdict }: Filter) => {
    const all = `${row.templateId} ${row.prompt ?? ""}`.toLowerCase()
    return (
      (verdict === null || verdictOf(row.id) === verdict) &&
      (text ?? "").split(/\s+/).every((word) => all.includes(word.toLowerCase()))
    )
  }
  const listed = Effect.fnUntraced(function* (which: Filter) {
    const isOfModel = yield* madeBy(which.model)
    const rows = yield* library.list(which, null, 1_000_000)
    return rows.filter((row) => says(row, which) && isOfModel(row))
  })

  const reviews = Reviews.of({
    decide: Effect.fnUntraced(function* ({ seen, ...decision }) {
      if (![decision.id, decision.modelId].every((id) => /^[\da-f-]{36}$/i.test(id)))
        return yield* new LibraryError({ operation: "decide", detail: "an id is not a UUID", retryable: false })
      const same = decisions.find(({ id }) => id === decision.id)
      if (same !== undefined) return same
      const last = lastOf(decision.modelId)
      if ((last?.id ?? null) !== seen) return yield* new Overtaken({ last })
      const made = { ...decision, at: yield* Clock.currentTimeMillis }
      decisions.push(made)
      const { modelId, reason, verdict, who } = made
      yield* record({ who, action: verdict, subject: modelId, detail: reason === null ? {} : { reason } })
      return made
    }),
    ofModel: (modelId) => Effect.sync(() => decisions.filter((one) => one.modelId === modelId).toReversed()),
    list: Effect.fnUntraced(function* (which, after, limit) {
      const rows = (yield* listed(which)).map((row): Reviewed => ({
        ...row,
        cursor: `${row.createdAt}_${row.id}`,
        decision: lastOf(row.id)
      }))
      const from = after === null ? 0 : rows.findIndex(({ cursor }) => cursor === after) + 1
      return after !== null && from === 0 ? [] : rows.slice(from, from + limit)
    }),
    approved: Effect.fnUntraced(function* (period) {
      const paid = new Set((yield* ledger.list(period, null, 1_000_000)).map(({ requestId }) => requestId))
      const rows = yield* library.list(everything, null, 1_000_000)
      return rows.filter((row) => paid.has(row.falRequestId) && verdictOf(row.id) === "approved").length
    }),
    state: Effect.map(library.list(everything, null, 1), ([newest]) => `${decisions.length} ${newest?.createdAt} ${newest?.id}`),
    tally: Effect.fnUntraced(function* (templateIds) {
      const rows = (yield* library.list(everything, null, 1_000_000)).filter((row) => templateIds.includes(row.templateId))
      return [...Map.groupBy(rows, (row) => row.templateId)].map(([templateId, same]) => {
        const count = (verdict: string) => same.filter((row) => verdictOf(row.id) === verdict).length
        return { templateId, approved: count("approved"), rejected: count("rejected"), undecided: count("undecided") }
      })
    })
  })
  const audit = Audit.of({
    record,
    list: (before, limit) =>
      Effect.sync(() =>
        entries
          .filter(({ seq }) => before === null || seq < before)
          .toReversed()
          .slice(0, limit)
      )
  })
  return Context.make(Reviews, reviews).pipe(Context.add(Audit, audit))
})

/** Both, because a decision and its row of the audit are one step. */
export const layer = Layer.effectContext(make)
