import { Duration, Effect, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { Audit, type Deed, Entry } from "../../services/Audit.ts"
import { guard } from "./failure.ts"
import { reading } from "./reading.ts"
import { storable, storableJson } from "./storable.ts"

const LIMIT = Duration.seconds(5)

/** The statement that adds a deed, for those who add it in one step with something else. */
export const insertion = (sql: SqlClient, { action, detail, subject, who }: Deed) =>
  sql`INSERT INTO model_audit (who, action, subject, detail)
    VALUES (${storable(who)}, ${action}, ${storable(subject)}, ${JSON.stringify(storableJson(detail))}::text::jsonb)`

const toEntries = reading(Entry, "a row of model_audit")

/** `model_audit` beside `model_library`. It asks for the rights to INSERT and to SELECT, and for no other. */
export const layer = Layer.effect(
  Audit,
  Effect.gen(function* () {
    const sql = yield* SqlClient
    return Audit.of({
      record: Effect.fn("Audit.record")((deed) => insertion(sql, deed).pipe(Effect.asVoid, guard("audit", LIMIT))),
      list: Effect.fn("Audit.list")((before, limit) =>
        sql`
          SELECT seq::float8 AS seq, who, action, subject, detail, (extract(epoch FROM done_at) * 1000)::float8 AS at FROM model_audit
          WHERE ${before === null ? sql`TRUE` : sql`seq < ${before}::bigint`} ORDER BY seq DESC LIMIT ${limit}::int`.pipe(
          Effect.flatMap(toEntries),
          guard("audit", LIMIT)
        )
      )
    })
  })
)
