import { Duration, Effect } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { bad, type Finding, note, ok } from "../../services/Preconditions.ts"
import { guard } from "./failure.ts"

/** The table's columns and the types that what we write fits into. `character varying(n)` fits where it is as long, or `text`. */
const EXPECTED = {
  id: "uuid",
  template_id: "character varying(100)",
  version: "integer",
  image_url: "text",
  thumbnail_url: "text",
  gender: "character varying(20)",
  age_range: "character varying(20)",
  body_type: "character varying(20)",
  pose: "character varying(50)",
  style: "character varying(50)",
  prompt: "text",
  metadata: "jsonb",
  fal_request_id: "character varying(100)",
  processing_time_ms: "integer",
  created_at: "timestamp with time zone"
} as const

interface Column {
  readonly name: string
  readonly type: string
  readonly required: boolean
  readonly filled: boolean
  readonly writable: boolean
}

const length = (type: string) => {
  const limited = /^character varying\((\d+)\)$/.exec(type)?.[1]
  if (limited !== undefined) return Number(limited)
  return type === "text" || type === "character varying" ? Number.POSITIVE_INFINITY : 0
}
const fits = (type: string, expected: string) =>
  type === expected ||
  (length(expected) > 0 && length(type) >= length(expected)) ||
  (expected.startsWith("timestamp") && type.startsWith("timestamp"))

const MIGRATE = "run: model-generator migrate"

/** Problems that a row of ours would meet in this table. None when there is no table: the first query for a row reports that. */
export const diagnose = (
  columns: ReadonlyArray<Column>,
  rights: { readonly select: boolean; readonly insert: boolean },
  user: string
): ReadonlyArray<Finding> => {
  const found = new Map(columns.map((column) => [column.name, column]))
  const missing = Object.entries(EXPECTED).filter(([name]) => !found.has(name))
  const wrong = Object.entries(EXPECTED).flatMap(([name, expected]) => {
    const column = found.get(name)
    return column === undefined || fits(column.type, expected) ? [] : [`${name} is ${column.type}, not ${expected}`]
  })
  const demanding = columns.filter((column) => column.required && !column.filled && !Object.hasOwn(EXPECTED, column.name))
  const lacking = [...(rights.select ? [] : ["SELECT"]), ...(rights.insert ? [] : ["INSERT"])]
  const table =
    missing.length > 0
      ? bad(
          "table",
          `model_library has no ${missing.map(([name, type]) => `${name} ${type}`).join(", ")}`,
          "ALTER TABLE model_library ADD COLUMN, as said here"
        )
      : demanding.length > 0
        ? bad(
            "table",
            `model_library refuses every row of ours: ${demanding.map(({ name }) => name).join(", ")} NOT NULL without a default`,
            "give the columns a default, or drop NOT NULL"
          )
        : wrong.length > 0
          ? note(
              "table",
              `model_library may refuse a row: ${wrong.join("; ")}`,
              "ALTER TABLE model_library ALTER COLUMN … TYPE …, with the view model_library_approved put aside meanwhile"
            )
          : ok("table", "model_library has all columns")
  return [
    table,
    lacking.length === 0
      ? ok("database rights", `user ${user} may read and write model_library`)
      : bad(
          "database rights",
          `user ${user} may not ${lacking.join(" and ")} on model_library`,
          `GRANT SELECT, INSERT ON model_library TO ${user}`
        )
  ]
}

/** What the ledger beside it lacks. Without it no picture can be saved, as its row is part of the save. */
export const diagnoseLedger = (
  rights: { readonly there: boolean; readonly select: boolean; readonly insert: boolean },
  user: string
): Finding => {
  if (!rights.there) return bad("ledger", "there is no model_ledger", MIGRATE)
  const lacking = [...(rights.select ? [] : ["SELECT"]), ...(rights.insert ? [] : ["INSERT"])]
  return lacking.length === 0
    ? ok("ledger", `user ${user} may read and add to model_ledger`)
    : bad(
        "ledger",
        `user ${user} may not ${lacking.join(" and ")} on model_ledger`,
        `GRANT SELECT, INSERT ON model_ledger TO ${user}`
      )
}

export const databaseFindings = Effect.gen(function* () {
  const sql = yield* SqlClient
  const columns = yield* sql<Column>`
    SELECT attname::text AS name, format_type(atttypid, atttypmod) AS type, attnotnull AS required,
      (atthasdef OR attidentity <> '') AS filled, has_column_privilege(attrelid, attnum, 'INSERT') AS writable
    FROM pg_attribute WHERE attrelid = to_regclass('model_library') AND attnum > 0 AND NOT attisdropped ORDER BY attnum`
  if (columns.length === 0) return [bad("table", "there is no model_library", MIGRATE)]
  interface Rights {
    readonly name: string
    readonly select: boolean
    readonly insert: boolean
    readonly there: boolean
    readonly ledgerSelect: boolean | null
    readonly ledgerInsert: boolean | null
  }
  const [rights] = yield* sql<Rights>`
    SELECT current_user::text AS name, has_any_column_privilege('model_library', 'SELECT') AS "select",
      has_any_column_privilege('model_library', 'INSERT') AS "insert", to_regclass('model_ledger') IS NOT NULL AS there,
      has_any_column_privilege(to_regclass('model_ledger'), 'SELECT') AS "ledgerSelect",
      has_any_column_privilege(to_regclass('model_ledger'), 'INSERT') AS "ledgerInsert"`
  const user = rights?.name ?? ""
  const ledger = { there: rights?.there ?? true, select: rights?.ledgerSelect ?? true, insert: rights?.ledgerInsert ?? true }
  return [
    ...diagnose(columns, { select: rights?.select ?? true, insert: rights?.insert ?? true }, user),
    diagnoseLedger(ledger, user)
  ]
}).pipe(guard("preconditions", Duration.seconds(4)), Effect.withSpan("Preconditions.database"))
