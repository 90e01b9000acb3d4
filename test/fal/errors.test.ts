/** fal's answers, by the rows of docs/fal.md: what a worker makes of each, and what the simulator's ledger says of it. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import type { Fault } from "../../src/fal-simulator/Fault.ts"
import { simulate } from "../../src/fal-simulator/simulate.ts"
import { pausedBy } from "../../src/programs/task/obstacles.ts"
import { KEY } from "../layers/falOver.ts"
import { empty, five } from "../programs/world.ts"
import { freePort, type Stage, stage, stageAt } from "./stage.ts"

interface Row {
  /** The row of docs/fal.md, and what of it. */
  readonly row: string
  /** What is done to fal. */
  readonly faults: ReadonlyArray<Fault>
  /** "picture", or the type of the failure. */
  readonly ends: string
  /** The outcome of each accepted POST. Of these, pictures and black ones are billed. */
  readonly ledger: Array<string>
  /** POSTs, where some were not accepted. */
  readonly posts?: number
  /** Until it has ended. */
  readonly seconds?: number
}

const promise = ({ ends, faults, ledger, posts, row, seconds }: Row) => {
  const what = faults
    .map(({ kind, route, status, times, type }) =>
      [route, kind, type, status, times === undefined || times > 8 ? undefined : `${times} times`].filter(Boolean).join(" ")
    )
    .join(", ")
  it.effect(`${row}: ${what} → ${ends === "picture" ? "one picture" : ends}, ${ledger.length} executed`, () =>
    Effect.gen(function* () {
      const { counts, failure, journal, outcomes, paid, pass, rows, send, simulator, start, success } = yield* stage()
      yield* simulator.setFaults(...faults)
      yield* start()
      const id = yield* send({ kwargs: { ...five, seed: 11 } })
      yield* pass(seconds ?? 20)
      if (ends === "picture") assert.strictEqual((yield* success(id))["seed"], 11)
      else assert.strictEqual((yield* failure(id)).type, ends)
      assert.deepStrictEqual(yield* outcomes, [...ledger])
      assert.strictEqual(yield* paid, ledger.filter((outcome) => outcome === "picture" || outcome === "flagged").length)
      assert.strictEqual((yield* simulator.calls).submit, posts ?? ledger.length, "POSTs")
      assert.strictEqual((yield* rows()).length, ends === "picture" ? 1 : 0)
      assert.deepStrictEqual(yield* counts, empty)
      assert.strictEqual(yield* journal.inFlight, 0)
      yield* pass(120, 10)
      assert.deepStrictEqual(yield* outcomes, [...ledger], "and no more later")
    })
  )
}

const job = (type: string, status?: number): Fault => ({
  route: "submit",
  kind: "job-error",
  type,
  ...(status === undefined ? {} : { status })
})
const resubmitted = (row: string, ...types: ReadonlyArray<Fault>) => {
  for (const fault of types)
    promise({ row, faults: [fault], ends: "picture", ledger: [fault.type ?? "", "picture"], seconds: 20 })
}

describe.concurrent("what no task can help stops what needs it, and every task is kept", () => {
  interface Account {
    readonly row: string
    readonly env?: Readonly<Record<string, string>>
    readonly spoil: (stage: Stage) => Effect.Effect<void>
    readonly mend: (stage: Stage) => Effect.Effect<void>
    readonly says: RegExp
    /** The whole worker pauses; else the endpoint's tasks are parked, and the worker looks for others. */
    readonly whole: boolean
  }
  const cases: ReadonlyArray<Account> = [
    {
      row: "S9 bad or missing key, 401",
      spoil: ({ simulator }) => simulator.configure({ keyRevoked: true }),
      mend: ({ simulator }) => simulator.configure({ keyRevoked: false }),
      says: /fal account: fal answered 401/,
      whole: true
    },
    {
      row: "S9 locked account, 403",
      spoil: ({ simulator }) => simulator.configure({ locked: true }),
      mend: ({ simulator }) => simulator.configure({ locked: false }),
      says: /fal account: fal answered 403: User is locked\. Reason: Exhausted balance/,
      whole: true
    },
    {
      row: "S10 key lacks permission or model not allowed, 403 (told from a locked account by its words)",
      spoil: ({ simulator }) => simulator.setFaults({ route: "submit", kind: "error", status: 403, times: 1000 }),
      mend: ({ simulator }) => simulator.clearFaults,
      says: /each task waits for what is closed: fal-ai\/flux\/dev \(fal answered 403/,
      whole: false
    }
  ]
  for (const { mend, row, says, spoil, whole } of cases) {
    it.effect(`${row}: nothing paid, nothing failed, said in health and metrics; goes on by itself when it is mended`, () =>
      Effect.gen(function* () {
        const on = yield* stage()
        yield* spoil(on)
        const { vitals } = yield* on.start()
        const ids = [yield* on.send(), yield* on.send()]
        const paused = Effect.map(Clock.currentTimeMillis, (now) => pausedBy(vitals, now))
        yield* on.pass(6)
        assert.match(yield* paused, says)
        yield* on.pass(600, 5)
        assert.match(yield* paused, says)
        assert.strictEqual(yield* on.metric("consuming"), 0)
        assert.isAbove((yield* on.metric(`paused_seconds_total{reason="${whole ? "fal account" : "closed"}"}`))!, 300)
        assert.deepStrictEqual(yield* on.counts, { ...empty, [whole ? "queued" : "scheduled"]: 2 })
        for (const id of ids) assert.isUndefined(yield* on.result(id))
        assert.isEmpty(yield* on.outcomes)
        assert.isAtMost((yield* on.simulator.calls).submit, 6, "it does not hammer")
        yield* mend(on)
        yield* on.pass(310, 5)
        yield* on.pass(20)
        for (const id of ids) yield* on.success(id)
        assert.strictEqual(yield* paused, "")
        assert.strictEqual(yield* on.metric("consuming"), 1)
        assert.deepStrictEqual(yield* on.outcomes, ["picture", "picture"])
        assert.deepStrictEqual(yield* on.counts, empty)
      })
    )
  }

  it.effect("S10 unknown app, 404: nothing paid, and a worker with the right name makes what was kept", () =>
    Effect.gen(function* () {
      const on = yield* stage()
      const misnamed = yield* on.start({ env: { FAL_MODEL: "fal-ai/nothing", FAL_UNPRICED_MODELS: "fal-ai/nothing" } })
      const id = yield* on.send()
      yield* on.pass(6)
      assert.match(
        pausedBy(misnamed.vitals, yield* Clock.currentTimeMillis),
        /fal-ai\/nothing \(fal answered 404: Application 'fal-ai\/nothing' not found/
      )
      assert.deepStrictEqual(yield* on.counts, { ...empty, scheduled: 1 })
      yield* misnamed.stop
      yield* on.pass(2)
      yield* on.start()
      yield* on.pass(20)
      yield* on.success(id)
      assert.deepStrictEqual(yield* on.outcomes, ["picture"])
    })
  )
})

describe.concurrent("W6 unknown or expired request id, 404: it may have been paid, and is treated like a lost submit", () => {
  const lost = (name: string, env: Record<string, string>, ends: string, ledger: ReadonlyArray<string>) =>
    it.effect(name, () =>
      Effect.gen(function* () {
        const { failure, metric, outcomes, pass, rows, send, simulator, start, success } = yield* stage({}, env)
        yield* start()
        const id = yield* send()
        yield* pass(1)
        yield* simulator.jump(3700)
        yield* pass(59)
        assert.strictEqual((yield* outcomes).length, 1)
        yield* pass(150, 2)
        if (ends === "picture") yield* success(id)
        else assert.strictEqual((yield* failure(id)).type, ends)
        assert.deepStrictEqual(yield* outcomes, [...ledger])
        assert.strictEqual((yield* rows()).length, ends === "picture" ? 1 : 0)
        const how = ends === "picture" ? "resubmitted" : "failed"
        assert.strictEqual(yield* metric(`generations_uncertain_ended_total{how="${how}"}`), 1)
      })
    )
  lost("W6 made again once after the grace", {}, "picture", ["picture", "picture"])
  lost("W6 FAL_UNCERTAIN=fail: never again", { FAL_UNCERTAIN: "fail" }, "GenerationError", ["picture"])

  promise({
    row: "W5 unknown for a moment (status flapping 404 → 200)",
    faults: [{ route: "status", kind: "not-found", times: 3 }],
    ends: "picture",
    ledger: ["picture"]
  })
})

describe.concurrent("fal will not make it, and is not asked again", () => {
  const edits = [
    ["file_download_error", "/media/nobody/0.jpg", /Failed to download the file/],
    ["image_load_error", "/_sim/settings", /Failed to load the image/]
  ] as const
  for (const [type, path, says] of edits) {
    it.effect(`R10 validation, 422 ${type}: FAILURE in fal's words, nothing billed`, () =>
      Effect.gen(function* () {
        const { counts, failure, outcomes, paid, pass, send, simulator, start } = yield* stage()
        yield* start()
        const model = { template_id: "t", image_url: `${simulator.url}${path}` }
        const id = yield* send({ task: "edit_model", kwargs: { model, prompt: "a red coat" } })
        yield* pass(20)
        const failed = yield* failure(id)
        assert.strictEqual(failed.type, "ContentRefused")
        assert.match(failed.message, says)
        assert.deepStrictEqual([yield* outcomes, yield* paid, yield* counts], [[type], 0, empty])
      })
    )
  }
  const refused = (row: string, type: string) => promise({ row, faults: [job(type)], ends: "ContentRefused", ledger: [type] })
  refused("R10 content_policy_violation, 422", "content_policy_violation")
  refused("R10 no_media_generated, 422", "no_media_generated")
  promise({
    row: "R3 black picture, 200: billed, never stored",
    faults: [{ route: "submit", kind: "job-flagged" }],
    ends: "PictureFlagged",
    ledger: ["flagged"]
  })
})

describe.concurrent("how a job or its submit can end otherwise", () => {
  promise({
    row: "S8 rate or concurrency, 429 at submit",
    faults: [{ route: "submit", kind: "busy", times: 2 }],
    ends: "picture",
    ledger: ["picture"],
    posts: 3
  })
  promise({
    row: "R12 request_timeout of the user's, 504: the id is dead",
    faults: [{ route: "submit", kind: "job-late" }],
    ends: "picture",
    ledger: ["request_timeout", "picture"]
  })
  resubmitted("R12 request_timeout, startup_timeout, 504", job("request_timeout"), job("startup_timeout"))
  resubmitted(
    "R12 runner trouble, 503",
    ...["scheduling_failure", "connection_timeout", "connection_refused", "connection_error", "disconnected"].map((type) =>
      job(`runner_${type}`)
    )
  )
  resubmitted("R12 runner_incomplete_response, 502", job("runner_incomplete_response"))
  resubmitted("R12 runner_server_error, internal_error, 500", job("runner_server_error"), job("internal_error"))
  resubmitted(
    "R13 the model's own faults",
    job("internal_server_error"),
    job("internal_server_error", 500),
    job("generation_timeout"),
    job("downstream_service_error"),
    job("downstream_service_error", 400),
    job("downstream_service_unavailable", 500)
  )
  promise({
    row: "R12 and R13 are bounded by TASK_MAX_RETRIES",
    faults: [{ ...job("internal_error"), times: 99 }],
    ends: "GenerationError",
    ledger: Array.from({ length: 6 }, () => "internal_error"),
    seconds: 120
  })
  for (const type of ["client_cancelled", "client_disconnected"])
    promise({ row: "R14 terminal, 499", faults: [job(type)], ends: "GenerationError", ledger: [type] })
})

describe.concurrent("reading, and asking wrongly", () => {
  promise({
    row: "S12 bad_request, 400 at submit",
    faults: [{ route: "submit", kind: "error", status: 400, times: 9 }],
    ends: "ContentRefused",
    ledger: [],
    posts: 1
  })
  promise({
    row: "R7 result read too early, 400",
    faults: [{ route: "result", kind: "early", times: 3 }],
    ends: "picture",
    ledger: ["picture"]
  })

  it.effect("C2 ALREADY_COMPLETED, 400 at cancel: the picture is read and used", () =>
    Effect.gen(function* () {
      const { outcomes, pass, send, simulator, start, success } = yield* stage()
      // It ends after 15 s, and nobody has seen it when the limit comes: the first look hangs for 10 s and the next one too.
      yield* simulator.setFaults({ route: "submit", kind: "job-slow", ms: 15_000 }, { route: "status", kind: "hang", times: 2 })
      yield* start({ env: { TASK_SOFT_TIME_LIMIT: "20" } })
      const id = yield* send()
      yield* pass(40)
      yield* success(id)
      assert.strictEqual((yield* simulator.calls).cancel, 1)
      assert.deepStrictEqual(yield* outcomes, ["picture"])
    })
  )
  it.effect("C3 NOT_FOUND, 404 at cancel: the soft limit's FAILURE, and no other submit", () =>
    Effect.gen(function* () {
      const { failure, outcomes, pass, send, simulator, start } = yield* stage()
      yield* simulator.setFaults(
        { route: "submit", kind: "job-stuck" },
        { route: "cancel", kind: "not-found", times: 9 },
        { route: "status", kind: "not-found", times: 99, skip: 14 }
      )
      yield* start({ env: { TASK_SOFT_TIME_LIMIT: "20" } })
      const id = yield* send()
      yield* pass(60)
      assert.strictEqual((yield* failure(id)).type, "SoftTimeLimitExceeded")
      assert.strictEqual((yield* simulator.calls).submit, 1)
      assert.strictEqual((yield* outcomes).length, 1)
    })
  )

  const gets: ReadonlyArray<Omit<Fault, "route">> = [
    { kind: "gateway", status: 502 },
    { kind: "gateway", status: 503 },
    { kind: "gateway", status: 504 },
    { kind: "gateway", status: 500 },
    { kind: "error", status: 500 },
    { kind: "error", status: 429 },
    { kind: "html" },
    { kind: "reset" },
    { kind: "accept-then-truncate" }
  ]
  for (const fault of gets)
    promise({
      row: "W8 and R15 gateway 5xx or HTML on GET",
      faults: [
        { ...fault, route: "status", times: 3 },
        { ...fault, route: "result", times: 3 }
      ],
      ends: "picture",
      ledger: ["picture"],
      seconds: 30
    })
  for (const route of ["status", "result"] as const)
    promise({
      row: "W8 and R15 no answer to a GET is given up after 10 s",
      faults: [{ route, kind: "hang", times: 2 }],
      ends: "picture",
      ledger: ["picture"],
      seconds: 40
    })
  promise({
    row: "W8 and R15 a fal that cannot be read for long: the same id, however long it takes",
    faults: [
      { route: "status", kind: "gateway", times: 40 },
      { route: "result", kind: "gateway", times: 20 }
    ],
    ends: "picture",
    ledger: ["picture"],
    seconds: 400
  })
})

describe.concurrent("the answer to a submit is lost, so that it may be paid already", () => {
  const taken: ReadonlyArray<Omit<Fault, "route">> = [
    { kind: "accept-then-gateway", status: 502 },
    { kind: "accept-then-gateway", status: 503 },
    { kind: "accept-then-gateway", status: 504 },
    { kind: "accept-then-reset" },
    { kind: "accept-then-hang" },
    { kind: "accept-then-gateway", status: 500 }
  ]
  const notTaken: ReadonlyArray<Omit<Fault, "route">> = [
    { kind: "gateway", status: 502 },
    { kind: "reset" },
    { kind: "hang" },
    { kind: "error", status: 408 },
    { kind: "error", status: 500 }
  ]
  const row = ({ kind, status }: Omit<Fault, "route">) =>
    status === 500
      ? "S7 plain 500 on POST"
      : kind.endsWith("hang")
        ? "S6 timeout on POST, after 30 s"
        : "S6 and S7 gateway 5xx or reset on POST"
  for (const fault of [...taken, ...notTaken]) {
    const executed: ReadonlyArray<string> = taken.includes(fault) ? ["picture"] : []
    promise({
      row: row(fault),
      faults: [{ ...fault, route: "submit" }],
      ends: "picture",
      ledger: [...executed, "picture"],
      posts: 2,
      seconds: 130
    })
    it.effect(`${row(fault)}: submit ${fault.kind} ${fault.status ?? ""}, FAL_UNCERTAIN=fail → FAILURE, one POST ever`, () =>
      Effect.gen(function* () {
        const { failure, metric, outcomes, pass, send, simulator, start } = yield* stage({}, { FAL_UNCERTAIN: "fail" })
        yield* simulator.setFaults({ ...fault, route: "submit" })
        yield* start()
        const id = yield* send()
        yield* pass(40)
        assert.strictEqual(yield* metric("generations_uncertain_total"), 1)
        yield* pass(100, 5)
        assert.match((yield* failure(id)).message, /lost once/)
        assert.strictEqual((yield* simulator.calls).submit, 1)
        assert.deepStrictEqual(yield* outcomes, [...executed])
      })
    )
  }
  promise({
    row: "S2 accepted, and the answer broke off after its first line: its header names the request",
    faults: [{ route: "submit", kind: "accept-then-truncate" }],
    ends: "picture",
    ledger: ["picture"]
  })
  promise({
    row: "S3 accepted, and nothing in the answer names the request: never made again",
    faults: [{ route: "submit", kind: "accept-then-html" }],
    ends: "GenerationError",
    ledger: ["picture"]
  })
  promise({
    row: "S14 lost again and again",
    faults: [{ route: "submit", kind: "accept-then-reset", times: 9 }],
    ends: "GenerationError",
    ledger: ["picture", "picture"],
    seconds: 260
  })
})

describe.concurrent("connection refused or DNS failure on POST: nothing was sent", () => {
  it.effect("S5 connection refused: sent again until fal is there, and paid once", () =>
    Effect.gen(function* () {
      const port = yield* freePort
      const { counts, pass, result, send, start, success } = yield* stageAt(`http://127.0.0.1:${port}`)
      yield* start()
      const id = yield* send()
      yield* pass(10)
      assert.strictEqual((yield* result(id))!.status, "RETRY")
      const simulator = yield* simulate({ port, key: KEY })
      yield* pass(60)
      yield* success(id)
      assert.deepStrictEqual(
        (yield* simulator.ledger).map(({ outcome }) => outcome),
        ["picture"]
      )
      assert.deepStrictEqual(yield* counts, empty)
    })
  )
  it.effect("S5 DNS failure: retried, and never uncertain", () =>
    Effect.gen(function* () {
      // A label of more than 63 characters: the resolver knows by itself that there is no such name, and asks nobody.
      const { metric, pass, result, send, start } = yield* stageAt(`http://${"x".repeat(64)}.invalid`)
      yield* start()
      const id = yield* send()
      yield* pass(10)
      assert.strictEqual((yield* result(id))!.status, "RETRY")
      assert.isUndefined(yield* metric("generations_uncertain_total"))
    })
  )
})

describe.concurrent("media download 403, 404, 5xx: already paid", () => {
  for (const status of [403, 404, 500])
    promise({
      row: "M1 a picture that cannot be downloaded is never bought again (the worker passes its URL on)",
      faults: [{ route: "submit", kind: "job-lost-media", status }],
      ends: "picture",
      ledger: ["picture"]
    })
})
