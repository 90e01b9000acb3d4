import { Duration, Effect } from "effect"
import * as Migrator from "effect/sql/Migrator"
import { SqlClient } from "effect/sql/SqlClient"
import { LibraryError } from "../../services/ModelLibrary.ts"
import { guard } from "./failure.ts"

const TABLE = "model_generator_migrations"

/** Creating an index waits for writers that hold the table, and everybody else waits behind it: so not for long. */
const waitBriefly = Effect.flatMap(SqlClient, (sql) => sql`SELECT set_config('lock_timeout', '10s', true)`)

/** The table as the App Server's developers know it. Made by hand before, it is left as it is. */
const modelLibrary = Effect.gen(function* () {
  const sql = yield* SqlClient
  yield* waitBriefly
  yield* sql`
    CREATE TABLE IF NOT EXISTS model_library (
      id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
      template_id VARCHAR(100) NOT NULL, version INTEGER DEFAULT 1,
      image_url TEXT NOT NULL, thumbnail_url TEXT,
      gender VARCHAR(20), age_range VARCHAR(20), body_type VARCHAR(20), pose VARCHAR(50), style VARCHAR(50),
      prompt TEXT, metadata JSONB, fal_request_id VARCHAR(100), processing_time_ms INTEGER,
      created_at TIMESTAMPTZ DEFAULT NOW(), UNIQUE(template_id, version))`
  yield* sql`CREATE INDEX IF NOT EXISTS idx_model_library_gender ON model_library(gender)`
  yield* sql`CREATE INDEX IF NOT EXISTS idx_model_library_style ON model_library(style)`
})

/**
 * One row for each request to fal. A library may have rows that were saved twice before this index existed. We may not delete
 * them, and they are no reason to stop a worker: the log names them, and the index begins after the newest of them.
 */
const oneRowPerRequest = Effect.gen(function* () {
  const sql = yield* SqlClient
  yield* waitBriefly
  yield* sql`LOCK TABLE model_library IN SHARE MODE` // no row comes between looking and indexing
  const twice = yield* sql<{ readonly request: string; readonly newest: string | null }>`
    SELECT fal_request_id AS request, (max(max(created_at)) OVER ())::text AS newest FROM model_library
    WHERE fal_request_id IS NOT NULL GROUP BY fal_request_id HAVING count(*) > 1 ORDER BY fal_request_id`
  const after = twice[0]?.newest ?? undefined
  if (twice.length > 0) {
    const some = twice.slice(0, 10).map(({ request }) => request)
    yield* Effect.logWarning(
      `model_library has more than one row for ${twice.length} fal requests (${some.join(", ")}${twice.length > 10 ? ", ..." : ""}); ` +
        "they stay, new rows are checked"
    )
  }
  yield* sql`
    CREATE UNIQUE INDEX IF NOT EXISTS idx_model_library_fal_request_id ON model_library(fal_request_id)
    WHERE fal_request_id IS NOT NULL ${after === undefined ? sql.literal("") : sql.literal(`AND created_at > '${after}'::timestamptz`)}`
})

/** What each paid request cost, beside the pictures: rows are added, and never changed. */
const ledger = Effect.gen(function* () {
  const sql = yield* SqlClient
  yield* waitBriefly
  yield* sql`
    CREATE TABLE IF NOT EXISTS model_ledger (
      task_id TEXT NOT NULL, attempt TEXT NOT NULL, root_id TEXT NOT NULL, caller TEXT NOT NULL, model TEXT NOT NULL,
      fal_request_id TEXT, units DOUBLE PRECISION, price_nano_usd BIGINT, cost_nano_usd BIGINT, cost_source TEXT,
      outcome TEXT NOT NULL, requested_at TIMESTAMPTZ NOT NULL, recorded_at TIMESTAMPTZ NOT NULL DEFAULT now(),
      PRIMARY KEY (task_id, attempt))`
  yield* sql`CREATE INDEX IF NOT EXISTS idx_model_ledger_requested_at ON model_ledger(requested_at)`
})

/**
 * What people decide of pictures and do at the console. Rows are added, and never changed: the last decision of a picture holds.
 * A picture's row may be deleted and its decisions stay. The index on the library is that of its listing, the newest first.
 */
const reviews = Effect.gen(function* () {
  const sql = yield* SqlClient
  yield* waitBriefly
  yield* sql`
    CREATE TABLE IF NOT EXISTS model_review (
      seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id UUID NOT NULL UNIQUE, model_id UUID NOT NULL,
      verdict TEXT NOT NULL CHECK (verdict IN ('approved', 'rejected', 'undecided')), reason TEXT, who TEXT NOT NULL,
      decided_at TIMESTAMPTZ NOT NULL DEFAULT now())`
  yield* sql`CREATE INDEX IF NOT EXISTS idx_model_review_last ON model_review(model_id, seq DESC)`
  yield* sql`
    CREATE TABLE IF NOT EXISTS model_audit (
      seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, who TEXT NOT NULL, action TEXT NOT NULL, subject TEXT NOT NULL,
      detail JSONB NOT NULL, done_at TIMESTAMPTZ NOT NULL DEFAULT now())`
  yield* sql`
    CREATE OR REPLACE VIEW model_library_approved AS
      SELECT model.* FROM model_library model
      WHERE (SELECT verdict FROM model_review WHERE model_id = model.id ORDER BY seq DESC LIMIT 1) = 'approved'`
  yield* sql`
    CREATE INDEX IF NOT EXISTS idx_model_library_newest
    ON model_library((coalesce(created_at, 'epoch'::timestamptz)) DESC, id DESC)`
  yield* sql`CREATE INDEX IF NOT EXISTS idx_model_ledger_fal_request_id ON model_ledger(fal_request_id)`
})

/** What fal has billed, by request. It stands beside the ledger, whose rows are never changed. */
const bills = Effect.gen(function* () {
  const sql = yield* SqlClient
  yield* waitBriefly
  yield* sql`
    CREATE TABLE IF NOT EXISTS model_ledger_bills (
      fal_request_id TEXT PRIMARY KEY, units DOUBLE PRECISION, cost_nano_usd BIGINT NOT NULL,
      billed_at TIMESTAMPTZ NOT NULL, recorded_at TIMESTAMPTZ NOT NULL DEFAULT now())`
})

/**
 * The decision that holds of each picture, so that a listing, the matrix and the view need not look for the last of its decisions.
 * The database keeps it by itself: whoever may add a decision needs no other right. A picture without a row is undecided. `saved_at`
 * is the picture's own time, by which listings are in order. The index of the library's listing has the column that its expression is
 * made of, without which PostgreSQL reads every row that it passes.
 */
const verdicts = Effect.gen(function* () {
  const sql = yield* SqlClient
  yield* waitBriefly
  yield* sql`
    CREATE TABLE IF NOT EXISTS model_verdict (
      model_id UUID PRIMARY KEY, verdict TEXT NOT NULL CHECK (verdict IN ('approved', 'rejected')), saved_at TIMESTAMPTZ NOT NULL)`
  yield* sql`
    CREATE OR REPLACE FUNCTION model_verdict_holds() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    BEGIN
      IF NEW.verdict = 'undecided' THEN DELETE FROM model_verdict WHERE model_id = NEW.model_id;
      ELSE
        INSERT INTO model_verdict (model_id, verdict, saved_at)
        VALUES (NEW.model_id, NEW.verdict,
          coalesce((SELECT created_at FROM model_library WHERE id = NEW.model_id), 'epoch'::timestamptz))
        ON CONFLICT (model_id) DO UPDATE SET verdict = excluded.verdict;
      END IF;
      RETURN NULL;
    END $$`
  yield* sql`LOCK TABLE model_review IN SHARE ROW EXCLUSIVE MODE` // no decision comes between the trigger and those before it
  yield* sql`DROP TRIGGER IF EXISTS model_verdict_holds ON model_review`
  yield* sql`
    CREATE TRIGGER model_verdict_holds AFTER INSERT ON model_review FOR EACH ROW EXECUTE FUNCTION model_verdict_holds()`
  yield* sql`
    INSERT INTO model_verdict (model_id, verdict, saved_at)
    SELECT model_id, verdict, coalesce(created_at, 'epoch'::timestamptz)
    FROM (SELECT DISTINCT ON (model_id) model_id, verdict FROM model_review ORDER BY model_id, seq DESC) last
    LEFT JOIN model_library ON id = model_id WHERE verdict <> 'undecided'
    ON CONFLICT DO NOTHING`
  yield* sql`
    CREATE INDEX IF NOT EXISTS idx_model_verdict_newest ON model_verdict(verdict, saved_at DESC, model_id DESC)`
  yield* sql`
    CREATE OR REPLACE VIEW model_library_approved AS
      SELECT model.* FROM model_library model
      WHERE EXISTS (SELECT 1 FROM model_verdict WHERE model_id = model.id AND verdict = 'approved')`
  yield* sql`
    CREATE INDEX IF NOT EXISTS idx_model_library_listing
    ON model_library((coalesce(created_at, 'epoch'::timestamptz)) DESC, id DESC) INCLUDE (created_at)`
  yield* sql`DROP INDEX IF EXISTS idx_model_library_newest`
})

// Names are for ever: a database remembers which it has had.
const loader = Migrator.fromRecord({
  "0001_model_library": modelLibrary,
  "0002_one_row_per_request": oneRowPerRequest,
  "0003_ledger": ledger,
  "0004_reviews": reviews,
  "0005_bills": bills,
  "0006_verdicts": verdicts
})

const run = Migrator.make({})({ loader, table: TABLE })

/**
 * Brings the database up to date, all of it or nothing, and returns what was done: `[]` when there was nothing to do. Workers may
 * run it at the same time and through PgBouncer; one does the work, the others wait for it.
 */
export const migrate: Effect.Effect<ReadonlyArray<readonly [id: number, name: string]>, LibraryError, SqlClient> = run.pipe(
  guard("migrate", Duration.seconds(60)),
  Effect.withSpan("Migrations.migrate")
)

/** The migrations this program has and the database has not had yet. Changes nothing. */
export const pending: Effect.Effect<ReadonlyArray<string>, LibraryError, SqlClient> = Effect.gen(function* () {
  const sql = yield* SqlClient
  const known = yield* loader
  const [table] = yield* sql<{ readonly there: boolean }>`SELECT to_regclass(${TABLE}) IS NOT NULL AS there`
  const done = table?.there === true ? yield* sql<{ readonly id: number }>`SELECT migration_id AS id FROM ${sql(TABLE)}` : []
  const latest = Math.max(0, ...done.map(({ id }) => id))
  return known.filter(([id]) => id > latest).map(([id, name]) => `${String(id).padStart(4, "0")}_${name}`)
}).pipe(guard("migrate", Duration.seconds(10)), Effect.withSpan("Migrations.pending"))
