import { Array as Arr, Duration, Effect, Layer, Schema } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { Booked, type Grouping, Ledger, type Period, type Row, Total } from "../../services/Ledger.ts"
import { guard } from "./failure.ts"
import { reading } from "./reading.ts"
import { storable } from "./storable.ts"

const RECORD_LIMIT = Duration.seconds(5)
const QUERY_LIMIT = Duration.seconds(30)

const COLUMNS = `
  task_id AS "taskId", attempt, root_id AS "rootId", caller, model, fal_request_id AS "requestId", l.units,
  price_nano_usd::float8 AS price, l.cost_nano_usd::float8 AS cost, cost_source AS source, outcome,
  (extract(epoch FROM requested_at) * 1000)::float8 AS at, b.cost_nano_usd::float8 AS billed`
const FROM = "model_ledger l LEFT JOIN model_ledger_bills b USING (fal_request_id)"

const textOrNull = (text: string | null) => (text === null ? null : storable(text))

/** The statement that writes these rows, each unless it is there. It has no end of its own: it may stand within another. */
export const insertion = (sql: SqlClient, rows: ReadonlyArray<Row>) => {
  const values = rows.map(
    (
      row
    ) => sql`(${storable(row.taskId)}, ${row.attempt}, ${storable(row.rootId)}, ${storable(row.caller)}, ${storable(row.model)},
      ${textOrNull(row.requestId)}, ${row.units}::float8, ${row.price}::float8::bigint, ${row.cost}::float8::bigint, ${row.source},
      ${row.outcome}, to_timestamp(${row.at / 1000}::float8))`
  )
  return sql`INSERT INTO model_ledger (task_id, attempt, root_id, caller, model, fal_request_id, units, price_nano_usd, cost_nano_usd,
    cost_source, outcome, requested_at) VALUES ${sql.csv(values)} ON CONFLICT DO NOTHING`
}

const toRows = reading(Booked, "a row of model_ledger")
const toIds = reading(Schema.Struct({ requestId: Schema.String }), "a row of model_ledger")
const toTotals = reading(Total, "a row of model_ledger")

const KEYS: Readonly<Record<Grouping, string>> = {
  day: "to_char(requested_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')",
  month: "to_char(requested_at AT TIME ZONE 'UTC', 'YYYY-MM')",
  caller: "caller",
  model: "model",
  outcome: "outcome"
}

const momentOf = (sql: SqlClient) => (milliseconds: number) => sql`to_timestamp(${milliseconds / 1000}::float8)`
/** The condition that a period is. */
export const withinPeriod = (sql: SqlClient) => {
  const moment = momentOf(sql)
  return ({ since, until }: Period) =>
    sql.and([
      sql`TRUE`,
      ...(since === null ? [] : [sql`requested_at >= ${moment(since)}`]),
      ...(until === null ? [] : [sql`requested_at < ${moment(until)}`])
    ])
}

/** How many bills one statement writes. */
const BILLS = 500

/** `model_ledger` beside `model_library`. It asks for the rights to INSERT and to SELECT, and for no other. */
export const layer = Layer.effect(
  Ledger,
  Effect.gen(function* () {
    const sql = yield* SqlClient
    const moment = momentOf(sql)
    const within = withinPeriod(sql)
    return Ledger.of({
      record: Effect.fn("Ledger.record")((rows) =>
        rows.length === 0 ? Effect.void : insertion(sql, rows).pipe(Effect.asVoid, guard("record", RECORD_LIMIT))
      ),
      bill: Effect.fn("Ledger.bill")((bills) =>
        Effect.forEach(
          Arr.chunksOf(bills, BILLS),
          (some) => {
            const values = some.map(
              ({ at, cost, requestId, units }) =>
                sql`(${storable(requestId)}, ${units}::float8, ${cost}::float8::bigint, ${moment(at)})`
            )
            return sql`INSERT INTO model_ledger_bills (fal_request_id, units, cost_nano_usd, billed_at)
              VALUES ${sql.csv(values)} ON CONFLICT DO NOTHING`.pipe(guard("record", QUERY_LIMIT))
          },
          { discard: true }
        )
      ),
      ofTask: Effect.fn("Ledger.ofTask")((taskId) =>
        sql`SELECT ${sql.literal(COLUMNS)} FROM ${sql.literal(FROM)} WHERE task_id = ${storable(taskId)}
          ORDER BY requested_at, attempt COLLATE "C" LIMIT 100`.pipe(Effect.flatMap(toRows), guard("list", QUERY_LIMIT))
      ),
      ofRequest: Effect.fn("Ledger.ofRequest")((requestId) =>
        sql`SELECT ${sql.literal(COLUMNS)} FROM ${sql.literal(FROM)} WHERE fal_request_id = ${storable(requestId)}
          ORDER BY requested_at, task_id COLLATE "C", attempt COLLATE "C" LIMIT 100`.pipe(
          Effect.flatMap(toRows),
          guard("list", QUERY_LIMIT)
        )
      ),
      claimed: Effect.fn("Ledger.claimed")((requestIds) =>
        sql`SELECT DISTINCT fal_request_id AS "requestId" FROM model_ledger
          WHERE fal_request_id = ANY(${requestIds.map(storable)}::text[])`.pipe(
          Effect.flatMap(toIds),
          Effect.map((rows) => new Set(rows.map(({ requestId }) => requestId))),
          guard("list", QUERY_LIMIT)
        )
      ),
      totals: Effect.fn("Ledger.totals")((by, period) =>
        sql`
          SELECT ${sql.literal(KEYS[by])} COLLATE "C" AS key, count(*)::int AS requests,
            coalesce(sum(coalesce(b.cost_nano_usd, l.cost_nano_usd)), 0)::float8 AS cost,
            coalesce(sum(l.cost_nano_usd) FILTER (WHERE cost_source = 'estimate' AND b.cost_nano_usd IS NULL), 0)::float8 AS estimated,
            (count(*) FILTER (WHERE coalesce(b.cost_nano_usd, l.cost_nano_usd) IS NULL))::int AS unpriced
          FROM ${sql.literal(FROM)} WHERE ${within(period)} GROUP BY 1 ORDER BY 1`.pipe(
          Effect.flatMap(toTotals),
          guard("totals", QUERY_LIMIT)
        )
      ),
      list: Effect.fn("Ledger.list")((period, after, limit) => {
        const behind =
          after === null
            ? sql`TRUE`
            : sql`(requested_at, task_id COLLATE "C", attempt COLLATE "C") > (${moment(after.at)}, ${after.taskId}, ${after.attempt})`
        return sql`SELECT ${sql.literal(COLUMNS)} FROM ${sql.literal(FROM)} WHERE ${within(period)} AND ${behind}
          ORDER BY requested_at, task_id COLLATE "C", attempt COLLATE "C" LIMIT ${limit}::int`.pipe(
          Effect.flatMap(toRows),
          guard("list", QUERY_LIMIT)
        )
      })
    })
  })
)
