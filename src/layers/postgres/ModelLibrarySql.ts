import { Duration, Effect, Layer, Option, RcMap, Schema, Semaphore } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { randomUUID } from "node:crypto"
import {
  AT_FAL,
  LibraryError,
  Listed,
  Model,
  ModelLibrary,
  type NewModel,
  sample,
  type Selection
} from "../../services/ModelLibrary.ts"
import * as Ledger from "../../services/Ledger.ts"
import { guard, tooLate } from "./failure.ts"
import { insertion } from "./LedgerSql.ts"
import { COLUMNS, CREATED_AT, isUuid, SAVED_AT, selecting, VERSION } from "./modelRows.ts"
import { reading } from "./reading.ts"
import { storable, storableJson } from "./storable.ts"

const QUERY_LIMIT = Duration.seconds(10)
const REHEARSAL_LIMIT = Duration.seconds(5)
const PING_LIMIT = Duration.millis(800) // a health check answers within a second

/** Advisory locks share one space in a database; this number is ours. */
const LOCK_SPACE = 0x6d6f6465

/**
 * The last version that the column can hold. A template that has it already, by hand, continues with the smallest free version.
 */
const LAST_VERSION = 2_147_483_647

/** A request id as the column holds it. fal's ids are UUIDs; a longer id still names its picture by its first 100 characters. */
const requestKey = (requestId: string) => storable(requestId).slice(0, 100)

/** Ends a transaction so that nothing of it stays. */
class TakenBack extends Schema.TaggedError<TakenBack>()("TakenBack", {}) {}

const orNull = (text: string | null) => (text === null ? null : storable(text))

const toModels = reading(Model, "a row of model_library")
const toListed = reading(Listed, "a row of model_library")

/** `model_library` in any PostgreSQL the `SqlClient` reaches, through PgBouncer's transaction mode too. */
export const layer = Layer.effect(
  ModelLibrary,
  Effect.gen(function* () {
    const sql = yield* SqlClient
    const columns = sql.literal(COLUMNS)
    const versionColumn = sql.literal(VERSION)

    const byRequest = (requestId: string) =>
      sql`SELECT ${columns} FROM model_library WHERE fal_request_id = ${requestKey(requestId)} ORDER BY created_at, id LIMIT 1`

    /** Writes the picture's row, and those of the ledger in the same statement. */
    const insert = (model: NewModel, paid: ReadonlyArray<Ledger.Row>) => {
      const sameTemplate = sql`FROM model_library WHERE template_id = ${model.templateId}`
      const nextFree = sql`(SELECT CASE WHEN coalesce(max(${versionColumn}), 0) < ${LAST_VERSION}::int
        THEN greatest(max(${versionColumn}), 0) + 1
        ELSE (SELECT min(before.v) + 1
          FROM (SELECT 0 AS v UNION ALL SELECT ${versionColumn} ${sameTemplate} AND ${versionColumn} BETWEEN 1 AND ${LAST_VERSION}::int - 1) before
          WHERE NOT EXISTS (SELECT 1 ${sameTemplate} AND ${versionColumn} = before.v + 1)) END ${sameTemplate})`
      const version =
        model.version === null
          ? nextFree
          : sql`CASE WHEN EXISTS (SELECT 1 ${sameTemplate} AND ${versionColumn} = ${model.version})
                THEN ${nextFree} ELSE ${model.version}::int END`
      const metadata = model.metadata === null ? null : JSON.stringify(storableJson(model.metadata))
      return sql`
        ${paid.length === 0 ? sql.literal("") : sql`WITH paid AS (${insertion(sql, paid)})`}
        INSERT INTO model_library (id, template_id, version, image_url, thumbnail_url, gender, age_range, body_type, pose, style,
          prompt, metadata, fal_request_id, processing_time_ms)
        VALUES (gen_random_uuid(), ${model.templateId}, ${version}, ${storable(model.imageUrl)}, ${orNull(model.thumbnailUrl)},
          ${orNull(model.gender)}, ${orNull(model.ageRange)}, ${orNull(model.bodyType)}, ${orNull(model.pose)}, ${orNull(model.style)},
          ${orNull(model.prompt)}, ${metadata}::text::jsonb, ${requestKey(model.falRequestId)}, ${model.processingTimeMs})
        RETURNING ${columns}`
    }

    const savedAt = sql.literal(SAVED_AT)
    const selected = selecting(sql)

    /** Savers in this process wait for each other here, so that one of them at most waits for the lock with a connection. */
    const turns = yield* RcMap.make({ lookup: (_templateId: string) => Semaphore.make(1) })
    /**
     * Savers of one template take turns: the lock ends with the transaction, and each statement after it sees what the turn
     * before has committed. A saver that freezes within its turn is cut off by the server.
     */
    const takeTurn = (templateId: string) =>
      sql`SELECT set_config('idle_in_transaction_session_timeout', '15s', true),
          pg_advisory_xact_lock(${LOCK_SPACE}::int, hashtext(${templateId}))::text`

    const saveInTurn = Effect.fnUntraced(function* (model: NewModel, paid: ReadonlyArray<Ledger.Row>) {
      yield* takeTurn(model.templateId)
      const saved = yield* byRequest(model.falRequestId)
      if (saved.length === 0) return yield* insert(model, paid)
      // A worker that knows no ledger may have saved it.
      if (paid.length > 0) yield* insertion(sql, paid)
      return saved
    }, sql.withTransaction)
    /**
     * A save that was given up, for example because the network path is gone, has had its turn: the next save does not wait for
     * its connection to close.
     */
    const inTurn = <A>(templateId: string, save: Effect.Effect<A, LibraryError>) =>
      Effect.scoped(Effect.flatMap(RcMap.get(turns, templateId), (turn) => turn.withPermit(save))).pipe(
        Effect.timeoutOrElse({ duration: QUERY_LIMIT, orElse: tooLate("save", QUERY_LIMIT) })
      )

    return ModelLibrary.of({
      save: Effect.fn("ModelLibrary.save")(function* (model: NewModel, paid: ReadonlyArray<Ledger.Row> = []) {
        const saving = saveInTurn(model, paid).pipe(
          // Another process saved without taking turns. Its row is there now, so the next attempt sees it.
          Effect.retry({ while: (error) => error.reason._tag === "UniqueViolation", times: 5 }),
          Effect.flatMap(toModels),
          guard("save", QUERY_LIMIT)
        )
        const [row] = yield* inTurn(model.templateId, saving)
        return row! // an insert that returns no row has failed
      }),

      find: Effect.fn("ModelLibrary.find")(function* (which) {
        if ("id" in which && !isUuid(which.id)) return Option.none()
        const condition =
          "id" in which
            ? sql`id = ${which.id}::uuid`
            : "falRequestId" in which
              ? sql`fal_request_id = ${which.falRequestId}`
              : which.version === null
                ? sql`template_id = ${which.templateId}`
                : sql`template_id = ${which.templateId} AND ${versionColumn} = ${which.version}`
        const rows = sql`SELECT ${columns} FROM model_library WHERE ${condition} ORDER BY ${versionColumn} DESC LIMIT 1`
        return Option.fromNullishOr((yield* rows.pipe(Effect.flatMap(toModels), guard("find", QUERY_LIMIT)))[0])
      }),

      having: Effect.fn("ModelLibrary.having")(function* (templateIds: ReadonlyArray<string>) {
        if (templateIds.length === 0) return new Set<string>()
        const rows = yield* sql<{ readonly id: string }>`
          SELECT DISTINCT template_id AS id FROM model_library WHERE ${sql.in("template_id", templateIds)}`.pipe(
          guard("having", QUERY_LIMIT)
        )
        return new Set(rows.map(({ id }) => id))
      }),

      list: Effect.fn("ModelLibrary.list")(function* (which: Selection, after: string | null, limit: number) {
        if (after !== null && !isUuid(after)) return []
        const behind =
          after === null
            ? sql`TRUE`
            : sql`(${savedAt}, id) < (SELECT ${savedAt}, id FROM model_library WHERE id = ${after}::uuid)`
        return yield* sql`
          SELECT ${columns}, ${sql.literal(CREATED_AT)} FROM model_library
          WHERE ${selected(which)} AND ${behind} ORDER BY ${savedAt} DESC, id DESC LIMIT ${limit}::int`.pipe(
          Effect.flatMap(toListed),
          guard("list", QUERY_LIMIT)
        )
      }),

      replacePicture: Effect.fn("ModelLibrary.replacePicture")(function* (row, by) {
        const metadata = by.metadata === null ? null : JSON.stringify(storableJson(by.metadata))
        const changed = yield* sql`
          UPDATE model_library SET image_url = ${storable(by.imageUrl)}, thumbnail_url = ${orNull(by.thumbnailUrl)},
            metadata = ${metadata}::text::jsonb
          WHERE id = ${row.id}::uuid AND image_url = ${row.imageUrl} RETURNING id`.pipe(guard("replace", QUERY_LIMIT))
        return changed.length === 1
      }),

      remove: Effect.fn("ModelLibrary.remove")(function* (id: string) {
        if (!isUuid(id)) return false
        const removed = yield* sql`DELETE FROM model_library WHERE id = ${id}::uuid RETURNING id`.pipe(
          guard("remove", QUERY_LIMIT)
        )
        return removed.length === 1
      }),

      atFalSince: Effect.fn("ModelLibrary.atFalSince")(function* (seconds: number) {
        const [row] = yield* sql<{ readonly count: number }>`
          SELECT count(*)::int AS count FROM model_library
          WHERE created_at < now() - make_interval(secs => ${seconds}) AND image_url ~* ${AT_FAL}`.pipe(
          guard("at fal", QUERY_LIMIT)
        )
        return row?.count ?? 0
      }),

      rehearse: Effect.suspend(() => {
        const unique = randomUUID()
        return sql.withTransaction(Effect.andThen(insert(sample(unique), [Ledger.sample(unique)]), Effect.fail(new TakenBack())))
      }).pipe(
        Effect.catchTag("TakenBack", () => Effect.void),
        guard("rehearse", REHEARSAL_LIMIT),
        Effect.withSpan("ModelLibrary.rehearse")
      ),

      // Asks for the table, not just for a connection: without it no picture can be saved.
      ping: sql`SELECT 1 FROM model_library LIMIT 1`.pipe(
        Effect.asVoid,
        guard("ping", PING_LIMIT),
        Effect.withSpan("ModelLibrary.ping")
      )
    })
  })
)
