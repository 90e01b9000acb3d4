import { Duration, Effect, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { LibraryError } from "../../services/LibraryError.ts"
import { Decision, type Filter, type NewDecision, Overtaken, Reviewed, Reviews, Tally } from "../../services/Reviews.ts"
import { insertion } from "./AuditSql.ts"
import { guard } from "./failure.ts"
import { withinPeriod } from "./LedgerSql.ts"
import { COLUMNS, CREATED_AT, isUuid, SAVED_AT, selecting } from "./modelRows.ts"
import { reading } from "./reading.ts"
import { storable } from "./storable.ts"

const LIMIT = Duration.seconds(10)

/** Advisory locks share one space in a database; this number is ours. */
const LOCK_SPACE = 0x72657669

const toDecisions = reading(Decision, "a row of a review")
const toReviewed = reading(Reviewed, "a row of a review")
const toTallies = reading(Tally, "a row of a review")

const DECISION = `id::text AS id, model_id::text AS "modelId", verdict, reason, who,
  (extract(epoch FROM decided_at) * 1000)::float8 AS at`

/** The decision of each row that holds, as JSON. */
const LAST = `LEFT JOIN LATERAL (
  SELECT json_build_object('id', id, 'modelId', model_id, 'verdict', verdict, 'reason', reason, 'who', who,
    'at', (extract(epoch FROM decided_at) * 1000)::float8) AS decision
  FROM model_review WHERE model_id = model_library.id ORDER BY seq DESC LIMIT 1) last ON TRUE`

/** Where a row stands among the others: its time in microseconds, which is as exact as the column, and its id. */
const CURSOR = `(extract(epoch FROM ${SAVED_AT}) * 1000000)::bigint::text || '_' || id`
const cursorOf = (text: string) => {
  const [, micros = "", id = ""] = /^(-?\d{1,18})_([\da-f-]{36})$/i.exec(text) ?? []
  return isUuid(id) ? { micros, id } : undefined
}

/**
 * `model_review` beside `model_library`, and `model_verdict`, in which the database keeps what holds. It asks for the rights to INSERT and to SELECT, and for no
 * other.
 */
export const layer = Layer.effect(
  Reviews,
  Effect.gen(function* () {
    const sql = yield* SqlClient
    const selected = selecting(sql)
    const columns = sql.literal(DECISION)
    const within = withinPeriod(sql)

    const insert = Effect.fnUntraced(function* ({ id, modelId, reason, seen, verdict, who }: NewDecision) {
      // Two who decide on one picture take turns: the second sees what the first has committed.
      yield* sql`SELECT pg_advisory_xact_lock(${LOCK_SPACE}::int, hashtext(${modelId}))::text`
      const [same] = yield* toDecisions(yield* sql`SELECT ${columns} FROM model_review WHERE id = ${id}::uuid`)
      if (same !== undefined) return same
      const [last] = yield* toDecisions(
        yield* sql`SELECT ${columns} FROM model_review WHERE model_id = ${modelId}::uuid ORDER BY seq DESC LIMIT 1`
      )
      if ((last?.id ?? null) !== seen) return yield* new Overtaken({ last: last ?? null })
      const [made] = yield* toDecisions(
        yield* sql`INSERT INTO model_review (id, model_id, verdict, reason, who)
          VALUES (${id}::uuid, ${modelId}::uuid, ${verdict}, ${reason === null ? null : storable(reason)}, ${storable(who)})
          RETURNING ${columns}`
      )
      yield* insertion(sql, { who, action: verdict, subject: modelId, detail: reason === null ? {} : { reason } })
      return made! // an insert that returns no row has failed
    }, sql.withTransaction)

    /** All that a filter asks of a row of the library but the verdict. */
    const asked = (which: Filter) =>
      sql.and([
        selected(which),
        ...(which.model === null
          ? []
          : [
              sql`EXISTS (SELECT 1 FROM model_ledger paid WHERE paid.fal_request_id = model_library.fal_request_id AND paid.model = ${which.model})`
            ]),
        ...(which.text === null
          ? []
          : which.text
              .split(/\s+/)
              .filter((word) => word !== "")
              .map((word) => sql`strpos(lower(template_id || ' ' || coalesce(prompt, '')), lower(${storable(word)})) > 0`))
      ])

    /**
     * The rows that fit, in the order of an index, from behind a place in it: of the library, or of the verdicts for what is approved
     * or rejected.
     */
    const found = (which: Filter, from: ReturnType<typeof cursorOf>, limit: number) => {
      const { verdict } = which
      const isDecided = verdict === "approved" || verdict === "rejected"
      const [time, id] = isDecided ? [sql`saved_at`, sql`model_id`] : [sql.literal(SAVED_AT), sql`id`]
      const behind =
        from === undefined
          ? sql`TRUE`
          : sql`(${time}, ${id}) < ('epoch'::timestamptz + ${from.micros}::text::bigint * interval '1 microsecond', ${from.id}::uuid)`
      const place = sql`${behind} ORDER BY ${time} DESC, ${id} DESC LIMIT ${limit}::int`
      return isDecided
        ? sql`SELECT model_library.* FROM model_verdict JOIN model_library ON id = model_id
            WHERE verdict = ${verdict} AND ${asked(which)} AND ${place}`
        : verdict === "undecided"
          ? sql`SELECT * FROM model_library
              WHERE NOT EXISTS (SELECT 1 FROM model_verdict WHERE model_id = id) AND ${asked(which)} AND ${place}`
          : sql`SELECT * FROM model_library WHERE ${asked(which)} AND ${place}`
    }

    return Reviews.of({
      decide: Effect.fn("Reviews.decide")(function* (decision) {
        if (!isUuid(decision.id) || !isUuid(decision.modelId))
          return yield* new LibraryError({ operation: "decide", detail: "an id is not a UUID", retryable: false })
        // What `guard` fails with is about the database; that somebody else was first is not.
        const tried = yield* insert({ ...decision, modelId: decision.modelId.toLowerCase() }).pipe(
          Effect.catchTag("Overtaken", Effect.succeed),
          guard("decide", LIMIT)
        )
        return tried instanceof Overtaken ? yield* tried : tried
      }),
      ofModel: Effect.fn("Reviews.ofModel")((modelId) =>
        isUuid(modelId)
          ? sql`SELECT ${columns} FROM model_review WHERE model_id = ${modelId}::uuid ORDER BY seq DESC LIMIT 100`.pipe(
              Effect.flatMap(toDecisions),
              guard("list", LIMIT)
            )
          : Effect.succeed([])
      ),
      list: Effect.fn("Reviews.list")(function* (which, after, limit) {
        const from = after === null ? undefined : cursorOf(after)
        if (after !== null && from === undefined) return []
        return yield* sql`
          SELECT ${sql.literal(COLUMNS)}, ${sql.literal(CREATED_AT)}, ${sql.literal(CURSOR)} AS cursor, decision
          FROM (${found(which, from, limit)}) model_library ${sql.literal(LAST)}
          ORDER BY ${sql.literal(SAVED_AT)} DESC, id DESC`.pipe(Effect.flatMap(toReviewed), guard("list", LIMIT))
      }),
      approved: Effect.fn("Reviews.approved")((paid) =>
        sql<{ readonly count: number }>`
          SELECT count(*)::int AS count FROM model_library JOIN model_verdict ON model_id = id
          WHERE verdict = 'approved' AND fal_request_id IN (SELECT fal_request_id FROM model_ledger WHERE ${within(paid)})`.pipe(
          Effect.map(([row]) => row?.count ?? 0),
          guard("totals", LIMIT)
        )
      ),
      state: sql<{ readonly state: string }>`
        SELECT concat_ws(' ', (SELECT max(seq) FROM model_review),
          (SELECT ${sql.literal(CURSOR)} FROM model_library ORDER BY ${sql.literal(SAVED_AT)} DESC, id DESC LIMIT 1)) AS state`.pipe(
        Effect.map(([row]) => row?.state ?? ""),
        guard("list", LIMIT),
        Effect.withSpan("Reviews.state")
      ),
      tally: Effect.fn("Reviews.tally")((templateIds) =>
        templateIds.length === 0
          ? Effect.succeed([])
          : sql`
              SELECT template_id AS "templateId", (count(*) FILTER (WHERE verdict = 'approved'))::int AS approved,
                (count(*) FILTER (WHERE verdict = 'rejected'))::int AS rejected,
                (count(*) FILTER (WHERE verdict IS NULL))::int AS undecided
              FROM model_library LEFT JOIN model_verdict ON model_id = id
              WHERE ${sql.in("template_id", templateIds)} GROUP BY template_id`.pipe(
              Effect.flatMap(toTallies),
              guard("totals", LIMIT)
            )
      )
    })
  })
)
