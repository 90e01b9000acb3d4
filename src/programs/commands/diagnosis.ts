import { Option, Result } from "effect"
import { clockFinding } from "../worker/clockSkew.ts"
import { bad, type Finding, note, ok } from "../../services/Preconditions.ts"
import type { Standing } from "../../services/Budget.ts"
import { dollars } from "../../services/NanoDollars.ts"
import type { Closed } from "../../services/Endpoints.ts"
import type { QueueStatus } from "../../services/QueueInspector.ts"
import { FAL_KEEPS } from "../../services/ModelLibrary.ts"
import type { Answer } from "./asking.ts"
import type { Survey } from "./survey.ts"

/** One row of `health`. `bad` makes the whole unhealthy; `note` asks a person to look at it when there is time. */
export type Row = Finding

const answered = (what: string, answer: Answer<unknown>, advice: string): Row =>
  Result.match(answer.said, {
    onSuccess: () => ok(what, `answers in ${answer.ms} ms`),
    // A database without our table says itself what to run.
    onFailure: (error) => bad(what, error, error.includes("(run: ") ? "" : advice)
  })

export const ago = (seconds: number): string =>
  seconds < 120
    ? `${Math.round(seconds)} s`
    : seconds < 7200
      ? `${Math.round(seconds / 60)} min`
      : `${Math.round(seconds / 3600)} h`

const workerRow = (worker: QueueStatus["workers"][number]): Row => {
  const doing = worker.doing === "" ? "waiting for a task" : `doing ${worker.doing}`
  const slots = worker.slots === undefined ? "" : ` for ${worker.slots} ${worker.slots === 1 ? "slot" : "slots"}`
  const about = `on ${worker.host}, last beat ${ago(worker.beatSecondsAgo)} ago, holds ${worker.holds}${slots}, ${worker.processed} tasks done, ${doing}`
  if (!worker.alive)
    return note(worker.name, `gone: ${about}`, "what it held goes back to the queue by itself once another worker is alive")
  if (!worker.consuming)
    return bad(
      worker.name,
      `takes nothing: ${about}`,
      "a worker that is paused or not ready goes on by itself when the cause is gone"
    )
  return ok(worker.name, about)
}

const OLD_SECONDS = 600
const queueRows = (status: QueueStatus): ReadonlyArray<Row> =>
  status.queues.flatMap((queue) => {
    const ready = queue.ready["0"] + queue.ready["3"] + queue.ready["6"] + queue.ready["9"]
    const by = Object.entries(queue.ready).flatMap(([priority, count]) =>
      priority !== "0" && count > 0 ? [`${count} at priority ${priority}`] : []
    )
    const oldest = Option.match(queue.oldestSeconds, { onNone: () => "", onSome: (seconds) => `, the first for ${ago(seconds)}` })
    const says = `${ready} waiting${by.length > 0 ? ` (${by.join(", ")})` : ""}${oldest}`
    const mine = status.workers.filter((worker) => worker.alive && worker.queues.includes(queue.queue))
    const idle = mine.filter((worker) => !worker.consuming)
    return [
      mine.length > idle.length
        ? Option.exists(queue.oldestSeconds, (seconds) => seconds > OLD_SECONDS)
          ? note(queue.queue, says, "more work than the workers can do, or fal is slow: look at /metrics")
          : ok(queue.queue, says)
        : idle.length > 0
          ? bad(
              queue.queue,
              `${says}; ${idle.length === 1 ? "its worker takes" : `its ${idle.length} workers take`} nothing: ${idle[0]?.name} is ${idle[0]?.doing}`,
              "nobody needs to start one: what it says is to be mended, then it goes on by itself"
            )
          : bad(
              queue.queue,
              `${says}; no live worker consumes it`,
              "start a worker: model-generator worker (or docker compose up -d)"
            ),
      ...(queue.dead > 0
        ? [note(`${queue.queue}.dead`, `${queue.dead} dead letters`, "look at them: model-generator dead list")]
        : [ok(`${queue.queue}.dead`, "no dead letters")])
    ]
  })

/** fal answers a free question also for an account that may buy nothing; the workers that were refused know better. */
const falRow = (answer: Answer<unknown>, status: QueueStatus | undefined): Row => {
  const row = answered("fal", answer, "look at FAL_KEY, FAL_MODEL, the account's balance, and fal's status page")
  const refused = status?.workers.find((worker) => worker.alive && /^paused: .*fal|^paused: .*account/i.test(worker.doing))
  return row.state !== "ok" || refused === undefined
    ? row
    : bad("fal", `${row.says}, but ${refused.name} is ${refused.doing}`, "look at the account's balance and what FAL_KEY may use")
}

const closedRow = ({ endpoint, reason, seconds, why }: Closed): Row => {
  const says = `nothing is submitted to it for ${ago(seconds)}: ${why}`
  return reason === "refused"
    ? bad(endpoint, says, "look at the account's balance and at what FAL_KEY may use; one task tries it again then")
    : note(endpoint, says, "fal named that time itself; tasks go on by themselves")
}

const DAYS = FAL_KEEPS / 86_400
/** Nothing is said while it is not known: what the database does not answer is said elsewhere. */
const overdueRows = (count: number): ReadonlyArray<Row> =>
  count === 0
    ? []
    : [
        note(
          "pictures",
          `${count} ${count === 1 ? "row is" : "rows are"} older than the ${DAYS} days for which fal keeps a picture by default`,
          "open some: those that fal has deleted are lost; copy the others, or let your fal account keep them longer"
        )
      ]

const mediaRows = (answer: Survey["media"]): ReadonlyArray<Row> =>
  Result.isSuccess(answer.said) && answer.said.success === "unset"
    ? []
    : [
        answered(
          "media store",
          answer,
          "is it there, has it room, and may we write to it? Look at MEDIA_STORE and its credentials"
        )
      ]

const TELLS = 0.8
/** What is nearly used up, or was. It makes nothing unhealthy: tasks wait, as they were meant to. */
const budgetRow = (standing: Standing): ReadonlyArray<Row> => {
  const { ends, limit, span, subject, used } = standing
  if (limit === null || used < TELLS * limit) return []
  const name = subject === "all" ? `budget of the ${span}` : `budget of the ${span}, ${subject}`
  const says = `${dollars(used)} of ${dollars(limit)} used, until ${new Date(ends * 1000).toISOString().slice(0, 16)} UTC`
  return [
    note(name, says, `what finds no money waits for the next ${span}; to raise it: model-generator budget set ${span} DOLLARS`)
  ]
}

/** The survey in rows, each bad one with what to do about it. */
export const diagnose = (survey: Survey): ReadonlyArray<Row> => {
  const status = Result.getOrUndefined(survey.queue.said)
  const database = Result.isSuccess(survey.database.said)
  const pending = Result.getOrElse(survey.migrations.said, () => [])
  return [
    answered("Redis broker", survey.broker, "is Redis up and reachable from here? Look at CELERY_BROKER_URL, REDIS_PASSWORD"),
    answered(
      "Redis results",
      survey.results,
      "is Redis up and reachable from here? Look at CELERY_RESULT_BACKEND, REDIS_PASSWORD"
    ),
    answered("PostgreSQL", survey.database, "are PostgreSQL and PgBouncer up and reachable from here? Look at DATABASE_URL"),
    ...(database && Result.isFailure(survey.saving.said)
      ? [
          bad(
            "saving",
            survey.saving.said.failure,
            "no picture is bought while its row would be refused: change the table, or its rights"
          )
        ]
      : []),
    Result.isFailure(survey.migrations.said)
      ? database
        ? bad("migrations", survey.migrations.said.failure, "may the database user read the schema?")
        : note("migrations", "not known while PostgreSQL does not answer", "")
      : pending.length === 0
        ? ok("migrations", "none pending")
        : bad("migrations", `pending: ${pending.join(", ")}`, "run: model-generator migrate"),
    ...mediaRows(survey.media),
    ...overdueRows(Result.getOrElse(survey.overdue.said, () => 0)),
    falRow(survey.fal, status),
    ...Result.getOrElse(survey.closed.said, () => []).map(closedRow),
    ...Result.getOrElse(survey.budget.said, () => []).flatMap(budgetRow),
    ...Result.getOrElse(survey.preconditions.said, () => []),
    ...(status === undefined
      ? [bad("queue", "not known while the broker does not answer", "first the broker")]
      : [
          ...queueRows(status),
          clockFinding(status.clockAheadSeconds),
          ok("scheduled", `${status.scheduled} for later, ${status.unacknowledged} unacknowledged in all`),
          ...(status.workers.length === 0
            ? [bad("workers", "none has reported (stock Celery workers do not)", "start one: model-generator worker")]
            : status.workers.map(workerRow))
        ])
  ]
}
