import { Clock, Context, Effect, Latch, Layer, Option } from "effect"
import { Bills, BillsError } from "../../services/Bills.ts"
import type { ProviderRequest } from "../../services/Catalogue.ts"
import {
  AcceptedWithoutId,
  AccountProblem,
  Busy,
  Generator,
  GeneratorError,
  Refused,
  type Ticket,
  Uncertain,
  Unknown,
  Unreachable
} from "../../services/Generator.ts"
import { type Execution, isOver, type Job, type LedgerRow, resultOf, rowOf, untilOver } from "../fal/Execution.ts"
import * as FalCatalogue from "../fal/FalCatalogue.ts"

/**
 * How a submit goes. Accepted and executed: `"lost"` (its answer is lost), `"silent"` (never answered), `"unnamed"` (no request
 * id in the answer), and `answered` after some milliseconds. Not executed: `"dropped"` (lost on the way, which nobody can know),
 * `"away"` (not reached), `"forbidden"` (the endpoint refuses), and `busyFor`, which names the seconds to wait.
 */
export type Submission =
  | "accepted"
  | "lost"
  | "silent"
  | "dropped"
  | "busy"
  | "away"
  | "locked"
  | "forbidden"
  | "unnamed"
  | { readonly busyFor: number }
  | { readonly answered: number }
  | { readonly refused: string; readonly after?: number }
/** How a status or result request fails. */
export type Trouble = "unreachable" | "unknown" | "locked"
/** A stream that says nothing for ever, one that is refused, and one that says at once that the request has ended. */
export type Streaming = "silent" | "refused" | "lies"

type Operation = "submit" | "progress" | "awaitEnd" | "result" | "cancel" | "probe"

/** The other side of the in-process generator: what will happen, and what has. What is not scripted goes well. */
export class GeneratorScript extends Context.Service<
  GeneratorScript,
  {
    readonly submits: (...next: ReadonlyArray<Submission>) => Effect.Effect<void>
    readonly jobs: (...next: ReadonlyArray<Job>) => Effect.Effect<void>
    readonly looks: (...next: ReadonlyArray<Trouble>) => Effect.Effect<void>
    readonly streams: (...next: ReadonlyArray<Streaming>) => Effect.Effect<void>
    /** All later cancels are ignored: the job runs to its end. */
    readonly ignoreCancels: Effect.Effect<void>
    /** From now on no request id is known any more. */
    readonly forget: Effect.Effect<void>
    /** One execution for each accepted submit, whether or not its caller got the answer. */
    readonly ledger: Effect.Effect<ReadonlyArray<LedgerRow>>
    readonly calls: Effect.Effect<Readonly<Record<Operation, number>>>
    /** How many status streams are open. */
    readonly listening: Effect.Effect<number>
    /** The bills of this account: whether there is a key to read them with, how late charges come (milliseconds), what is wrong. */
    readonly bills: { isReadable: boolean; late: number; trouble: string | undefined }
  }
>()("model-generator/layers/GeneratorScript") {}

const USUAL: Job = { ends: "picture", after: 1800 }
const fail = (reason: GeneratorError["reason"]) => Effect.fail(new GeneratorError({ reason }))
const locked = (endpoint: string) =>
  fail(new AccountProblem({ status: 403, detail: "User is locked. Reason: Exhausted balance.", scope: "account", endpoint }))
const forbidden = (endpoint: string) =>
  fail(new AccountProblem({ status: 403, detail: "Access denied to this endpoint", scope: "endpoint", endpoint }))

const generator = Layer.effectContext(
  Effect.sync(() => {
    const executions = new Map<string, Execution>()
    const submissions: Array<Submission> = []
    const jobs: Array<Job> = []
    const troubles: Array<Trouble> = []
    const streams: Array<Streaming> = []
    const calls = { submit: 0, progress: 0, awaitEnd: 0, result: 0, cancel: 0, probe: 0 }
    let listening = 0
    let ignoring = false
    let known = true

    const accept = Effect.fnUntraced(function* ({ endpoint, input }: ProviderRequest) {
      const requestId = `00000000-0000-4000-8000-${String(executions.size + 1).padStart(12, "0")}`
      const acceptedAt = yield* Clock.currentTimeMillis
      executions.set(requestId, {
        requestId,
        endpoint,
        input,
        acceptedAt,
        job: jobs.shift() ?? USUAL,
        cancelledAt: undefined,
        cancelled: Latch.makeUnsafe()
      })
      return { endpoint, requestId }
    })

    const look = Effect.fnUntraced(function* (operation: "progress" | "result", { endpoint, requestId }: Ticket) {
      calls[operation]++
      const trouble = troubles.shift()
      if (trouble === "unreachable") return yield* fail(new Unreachable({ detail: "scripted" }))
      if (trouble === "locked") return yield* locked(endpoint)
      const execution = known && trouble === undefined ? executions.get(requestId) : undefined
      return execution ?? (yield* fail(new Unknown({ detail: "Request not found" })))
    })

    const service = Generator.of({
      submit: Effect.fn("Generator.submit")(function* ({ endpoint, input }) {
        calls.submit++
        const submission = submissions.shift() ?? "accepted"
        if (submission === "away") return yield* fail(new Unreachable({ detail: "cannot connect (ECONNREFUSED)" }))
        if (submission === "dropped") return yield* fail(new Uncertain({ detail: "answer lost" }))
        if (submission === "busy") return yield* fail(new Busy({ detail: "Concurrent requests limit reached" }))
        if (submission === "locked") return yield* locked(endpoint)
        if (submission === "forbidden") return yield* forbidden(endpoint)
        if (typeof submission === "object" && "refused" in submission) {
          yield* Effect.sleep(submission.after ?? 0)
          return yield* fail(new Refused({ status: 422, detail: submission.refused, billableUnits: 0 }))
        }
        if (typeof submission === "object" && "busyFor" in submission)
          return yield* fail(new Busy({ detail: "Too many requests", retryAfter: submission.busyFor }))
        const ticket = yield* accept({ endpoint, input })
        if (submission === "unnamed") return yield* fail(new AcceptedWithoutId({ detail: "HTTP 200 without a request id" }))
        if (submission === "lost") return yield* fail(new Uncertain({ detail: "answer lost" }))
        if (typeof submission === "object") yield* Effect.sleep(submission.answered)
        return submission === "silent" ? yield* Effect.never : ticket
      }),
      progress: Effect.fn("Generator.progress")(function* (ticket) {
        const execution = yield* look("progress", ticket)
        if (isOver(execution, yield* Clock.currentTimeMillis)) return { _tag: "Ended", inferenceSeconds: null } as const
        return execution.job.ends === "never" ? ({ _tag: "Queued", position: 0 } as const) : ({ _tag: "Running" } as const)
      }),
      awaitEnd: Effect.fn("Generator.awaitEnd")(function* ({ requestId }) {
        calls.awaitEnd++
        const streaming = streams.shift()
        const execution = known ? executions.get(requestId) : undefined
        if (streaming === "refused" || execution === undefined) return Option.none()
        if (streaming === "lies") return Option.some({ inferenceSeconds: 0 })
        listening++
        const end = streaming === "silent" ? Effect.never : untilOver(execution)
        yield* Effect.ensuring(
          end,
          Effect.sync(() => listening--)
        )
        return Option.some({ inferenceSeconds: null })
      }),
      result: Effect.fn("Generator.result")(function* (ticket) {
        return yield* resultOf(yield* look("result", ticket), yield* Clock.currentTimeMillis)
      }),
      cancel: Effect.fn("Generator.cancel")(function* ({ requestId }) {
        calls.cancel++
        const now = yield* Clock.currentTimeMillis
        const execution = known ? executions.get(requestId) : undefined
        if (execution === undefined) return "unknown"
        if (isOver(execution, now)) return "ended"
        if (ignoring) return "asked"
        execution.cancelledAt = now
        execution.cancelled.openUnsafe()
        return "asked"
      }),
      probe: Effect.suspend(() => {
        calls.probe++
        return troubles[0] === "locked"
          ? Effect.andThen(
              Effect.sync(() => troubles.shift()),
              locked("")
            )
          : Effect.void
      })
    })

    const bills = { isReadable: false, late: 0, trouble: undefined as string | undefined } // a script may set it
    /** What can be read now; the charge of a request bears the time at which it ended. */
    const charged = Effect.gen(function* () {
      if (!bills.isReadable) return yield* new BillsError({ detail: "FAL_ADMIN_KEY is not set" })
      if (bills.trouble !== undefined) return yield* new BillsError({ detail: bills.trouble })
      const now = yield* Clock.currentTimeMillis
      return [...executions.values()]
        .map((execution) => rowOf(execution, now))
        .filter(({ endedAt, units }) => units > 0 && endedAt + bills.late <= now)
    })
    const reading = Bills.of({
      get isReadable() {
        return bills.isReadable
      },
      between: (from, to) =>
        Effect.map(charged, (rows) =>
          rows
            .filter(({ endedAt }) => endedAt >= from && endedAt < to)
            .map(({ endedAt, endpoint, requestId, units }) => ({ requestId, endpoint, at: endedAt, units, cost: null }))
        ),
      made: (_, requestId) =>
        Effect.flatMap(charged, (rows) => {
          const { prompt, seed } = rows.find((row) => row.requestId === requestId)?.input ?? {}
          return Effect.succeed({
            seed: typeof seed === "number" ? seed : null,
            prompt: typeof prompt === "string" ? prompt : null
          })
        })
    })

    return Context.make(Generator, service).pipe(
      Context.add(Bills, reading),
      Context.add(
        GeneratorScript,
        GeneratorScript.of({
          submits: (...next) => Effect.sync(() => void submissions.push(...next)),
          jobs: (...next) => Effect.sync(() => void jobs.push(...next)),
          looks: (...next) => Effect.sync(() => void troubles.push(...next)),
          streams: (...next) => Effect.sync(() => void streams.push(...next)),
          ignoreCancels: Effect.sync(() => void (ignoring = true)),
          forget: Effect.sync(() => void (known = false)),
          ledger: Effect.map(Clock.currentTimeMillis, (now) =>
            [...executions.values()].map((execution) => rowOf(execution, now))
          ),
          calls: Effect.sync(() => ({ ...calls })),
          listening: Effect.sync(() => listening),
          bills
        })
      )
    )
  })
)

/** fal in this process, for tests: time is the `Clock`'s, and all of it can be scripted. */
export const layer = Layer.merge(generator, FalCatalogue.layer)
