import { Duration, Effect, Fiber, Predicate } from "effect"
import { isSqlError, type SqlError } from "effect/sql/SqlError"
import type { DatabaseOperation } from "../../services/Metrics.ts"
import { LibraryError } from "../../services/ModelLibrary.ts"
import { counting } from "../counting.ts"

const OWN_AUTHORITY = "name the authority that signed the server's certificate: DATABASE_URL …&sslrootcert=/path/ca.pem"

/** What an operator can do about a SQLSTATE or a connection error code of Node, so that the same statement succeeds. */
const adviceOn: Readonly<Record<string, string>> = {
  "28P01": "look at the user and the password in DATABASE_URL",
  "28000": "look at the user in DATABASE_URL, at pg_hba.conf, and whether the server wants TLS: ?sslmode=require",
  "3D000": "look at the database in DATABASE_URL", // no such database
  DEPTH_ZERO_SELF_SIGNED_CERT: OWN_AUTHORITY,
  SELF_SIGNED_CERT_IN_CHAIN: OWN_AUTHORITY,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: OWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: OWN_AUTHORITY,
  ERR_TLS_CERT_ALTNAME_INVALID: "the certificate is another name's: sslmode=verify-ca accepts it",
  "42P01": "run: model-generator migrate", // no such table
  "42703": "run: model-generator migrate", // no such column
  "42501": 'run: model-generator migrate, as the owner of the table, then GRANT: deploy/RUNBOOK.md, "The table"' // no such right
}

/**
 * The SQLSTATEs that are the statement's own fault: a value that does not fit (22) or passes a limit of the server's (54), a
 * broken constraint (23), of a view (44) or of a trigger (P0), a mistake in the SQL (21, 42). All else passes, if only after an
 * operator's hand: an outage, a restart, full disks, a missing table, a wrong password.
 */
const isOurFault = (code: string) => /^(21|22|23|42|44|54|P0)/.test(code) && !(code in adviceOn)

const textOf = (value: unknown, key: "code" | "message" | "detail") =>
  Predicate.hasProperty(value, key) && typeof value[key] === "string" && value[key] !== "" ? value[key] : undefined

/** PostgreSQL's own words. `SqlError`'s message is always "Query failed"; the words are in the message of its reason's cause. */
const fromSql = (operation: string, { reason }: SqlError): LibraryError => {
  const code = textOf(reason.cause, "code")
  const said = textOf(reason.cause, "message") ?? reason.message ?? reason._tag
  const advice = adviceOn[code ?? ""] === undefined ? "" : ` (${adviceOn[code ?? ""]})`
  // A code of five characters is a SQLSTATE; ECONNREFUSED and its like are Node's.
  const retryable = code?.length === 5 ? !isOurFault(code) : reason.isRetryable
  return new LibraryError({ operation, detail: `${said}${code === undefined ? "" : ` [${code}]`}${advice}`, retryable })
}

/** The SQL error that a failure is, or that a migration's failure wraps. */
const sqlErrorOf = (failure: unknown): SqlError | undefined =>
  isSqlError(failure) ? failure : Predicate.hasProperty(failure, "cause") && isSqlError(failure.cause) ? failure.cause : undefined

/** Any failure of work on the database as a `LibraryError`. One that is already stays as it is. */
export const toLibraryError =
  (operation: string) =>
  (error: unknown): LibraryError => {
    if (error instanceof LibraryError) return error
    const sql = sqlErrorOf(error)
    if (sql !== undefined) return fromSql(operation, sql)
    return new LibraryError({ operation, detail: error instanceof Error ? error.message : String(error), retryable: false })
  }

const count = (operation: DatabaseOperation, error: string) =>
  Effect.flatMap(counting, (count) => count("database_errors_total", { operation, error }))

/** Any failure, counted by its SQLSTATE or Node's code for it. */
const failed = (operation: DatabaseOperation) => (error: unknown) => {
  const sql = sqlErrorOf(error)
  const kind = sql === undefined ? "other" : (textOf(sql.reason.cause, "code") ?? sql.reason._tag)
  return Effect.andThen(count(operation, kind), Effect.fail(toLibraryError(operation)(error)))
}

/** A transaction whose connection is lost cannot be rolled back either, and Effect reports that as a defect: so do migrations. */
const lostMidway = (defect: unknown) => (sqlErrorOf(defect) === undefined ? Effect.die(defect) : Effect.fail(defect))

/** The failure of what has not ended within its limit. */
export const tooLate = (operation: DatabaseOperation, limit: Duration.Duration) => () =>
  Effect.andThen(
    count(operation, "no answer"),
    Effect.fail(new LibraryError({ operation, detail: `no answer within ${Duration.format(limit)}`, retryable: true }))
  )

/**
 * A call with a time limit. After it the call is cancelled in the background: a frozen server or a lost network path confirms
 * nothing, and the BEGIN of a transaction cannot be interrupted.
 */
export const guard =
  (operation: DatabaseOperation, limit: Duration.Duration) =>
  <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<A, LibraryError, R> =>
    Effect.flatMap(
      Effect.forkDetach(work.pipe(Effect.catchDefect(lostMidway), Effect.catch(failed(operation))), { startImmediately: true }),
      (fiber) =>
        Fiber.join(fiber).pipe(
          Effect.timeoutOrElse({ duration: limit, orElse: tooLate(operation, limit) }),
          Effect.ensuring(Effect.sync(() => fiber.interruptUnsafe()))
        )
    )
