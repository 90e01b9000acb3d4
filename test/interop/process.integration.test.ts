import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import { describeWith } from "../servers/index.ts"
import { freePort, temporaryFolder } from "../servers/Process.ts"
import { eventually, timed, uniqueId } from "../support.ts"
import { ask, inFlight, paidAndSaved, type Stage } from "./pictures.ts"
import { makeStage, nothing, startProgram } from "./stage.ts"

const paidAndSavedOnce = Effect.fnUntraced(function* (stage: Stage) {
  yield* paidAndSaved(stage, 1)
  assert.deepStrictEqual(yield* stage.left, nothing)
})

describeWith(["redis", "postgres"], "a worker process", (servers) => {
  it.live(
    "killed in the middle of a picture and started again under its name resumes it at once: paid once, saved once",
    () =>
      Effect.gen(function* () {
        const stage = yield* makeStage(servers, { pictureSeconds: 3 })
        const first = yield* stage.start()
        const id = yield* inFlight(stage)
        yield* first.signal("SIGKILL")
        yield* first.exited
        assert.deepInclude(yield* stage.left, { unacked: 1, indexed: 1 }) // where stock Celery would find it
        const before = Date.now()
        yield* stage.start()
        const { result, status } = yield* stage.final(id).pipe(Effect.map((document) => document!))
        assert.strictEqual(status, "SUCCESS", JSON.stringify(result))
        assert.isBelow(Date.now() - before, 15_000) // far less than a lease
        yield* paidAndSavedOnce(stage)
      }),
    timed(60_000)
  )

  it.live(
    "killed in the middle of a picture is survived by another, which resumes it within 45 s: paid once, saved once",
    () =>
      Effect.gen(function* () {
        const stage = yield* makeStage(servers, { pictureSeconds: 3 })
        const first = yield* stage.start()
        const id = yield* inFlight(stage)
        yield* first.signal("SIGKILL")
        yield* first.exited
        const killed = Date.now()
        yield* stage.start({ WORKER_NAME: "celery@other" })
        yield* Effect.sleep("15 seconds") // a lease lasts 25 to 30 s from here
        assert.isUndefined(yield* stage.result(id))
        assert.deepInclude(yield* stage.left, { unacked: 1 })
        yield* Effect.sleep(killed + 26_000 - Date.now())
        const document = yield* eventually("resumed", stage.result(id), (one) => one !== undefined)
        assert.strictEqual(document!.status, "SUCCESS")
        assert.isBelow(Date.now() - killed, 45_000)
        yield* paidAndSavedOnce(stage)
      }),
    timed(90_000)
  )

  it.live(
    "told to stop finishes the picture in hand and exits 0, taking nothing new",
    () =>
      Effect.gen(function* () {
        const stage = yield* makeStage(servers, { pictureSeconds: 2 })
        const worker = yield* stage.start()
        const id = yield* inFlight(stage)
        yield* worker.signal("SIGTERM")
        yield* Effect.sleep("300 millis")
        yield* stage.push(ask("later"))
        assert.deepStrictEqual(yield* worker.exited, { code: 0, signal: null })
        assert.strictEqual((yield* stage.result(id))!.status, "SUCCESS")
        assert.deepStrictEqual(yield* stage.left, { ...nothing, queued: 1 })
        assert.deepStrictEqual([(yield* stage.fal.ledger).length, (yield* stage.models).length], [1, 1])
      }),
    60_000
  )

  for (const signals of [["SIGTERM", "SIGTERM"], ["SIGQUIT"]] as const) {
    it.live(
      `told to stop by ${signals.join(" and ")} hands the picture back at once, exits 0, and another resumes it`,
      () =>
        Effect.gen(function* () {
          const stage = yield* makeStage(servers, { pictureSeconds: 8 })
          const worker = yield* stage.start()
          const id = yield* inFlight(stage)
          const before = Date.now()
          for (const signal of signals) {
            yield* worker.signal(signal)
            yield* Effect.sleep("200 millis")
          }
          assert.deepStrictEqual(yield* worker.exited, { code: 0, signal: null })
          assert.isBelow(Date.now() - before, 5000)
          assert.isUndefined(yield* stage.result(id))
          assert.deepStrictEqual(yield* stage.left, { ...nothing, queued: 1 })
          yield* stage.start({ WORKER_NAME: "celery@other" })
          assert.strictEqual((yield* stage.final(id))!.status, "SUCCESS")
          yield* paidAndSavedOnce(stage)
        }),
      timed(60_000)
    )
  }

  it.live(
    "whose event loop is blocked is ended by its watchdog, and its task is resumed: paid once, saved once",
    () =>
      Effect.gen(function* () {
        const stage = yield* makeStage(servers, { pictureSeconds: 4 })
        const switchFile = join(temporaryFolder("block"), "block-now")
        const worker = yield* stage.start({ WATCHDOG_LIMIT: "1", BLOCK_WHEN: switchFile }, [
          "--import",
          join(import.meta.dirname, "blockWhenTold.ts")
        ])
        const id = yield* inFlight(stage)
        writeFileSync(switchFile, "")
        const { signal } = yield* worker.exited
        assert.strictEqual(signal, "SIGKILL")
        assert.include(yield* worker.output, "event loop blocked")
        yield* stage.start()
        assert.strictEqual((yield* stage.final(id))!.status, "SUCCESS")
        yield* paidAndSavedOnce(stage)
      }),
    60_000
  )

  it.live(
    "with wrong settings says all of it in one message, shows no secret, and exits 2",
    () =>
      Effect.gen(function* () {
        const program = yield* startProgram(["worker"], {
          CELERY_BROKER_URL: "http://:hunter2@redis",
          DATABASE_URL: "mysql://user:hunter2@host/db",
          FAL_KEY: "",
          WORKER_CONCURRENCY: "many",
          METRICS_PORT: "123456",
          LOG_FORMAT: "json"
        })
        const { code } = yield* program.exited
        const text = yield* program.output
        assert.strictEqual(code, 2, text)
        for (const name of [
          "CELERY_BROKER_URL",
          "CELERY_RESULT_BACKEND",
          "DATABASE_URL",
          "FAL_KEY",
          "WORKER_CONCURRENCY",
          "METRICS_PORT"
        ])
          assert.strictEqual(text.split(name).length - 1, 1, `${name} in ${text}`)
        assert.notInclude(text, "hunter2")
        assert.notMatch(text, /\n\s+at /) // no stack
      }),
    30_000
  )

  it.live(
    "whose port is taken says so and ends before it takes a task",
    () =>
      Effect.gen(function* () {
        const stage = yield* makeStage(servers)
        const port = yield* Effect.promise(freePort)
        yield* Effect.acquireRelease(
          Effect.callback<ReturnType<typeof createServer>>((resume) => {
            const server = createServer().listen(port, "127.0.0.1", () => resume(Effect.succeed(server)))
          }),
          (server) => Effect.sync(() => server.close())
        )
        yield* stage.push(ask("untouched"))
        const program = yield* startProgram(["worker"], { ...stage.env, METRICS_PORT: String(port) })
        const { code } = yield* program.exited
        assert.strictEqual(code, 1, yield* program.output)
        assert.match(yield* program.output, new RegExp(`${port}`))
        assert.deepStrictEqual(yield* stage.left, { ...nothing, queued: 1 })
      }),
    30_000
  )

  it.live(
    "under the name of one that is alive elsewhere takes nothing",
    () =>
      Effect.gen(function* () {
        const stage = yield* makeStage(servers, { pictureSeconds: 0.2 })
        yield* stage.start()
        const second = yield* stage.start()
        yield* eventually("it says why", second.output, (text) => text.includes("is alive on this broker"))
        const { body, status } = yield* second.health
        assert.strictEqual(status, 503)
        assert.match(String(body["why"]), /another worker called celery@stage is alive .* another WORKER_NAME/)
        const id = uniqueId("one")
        yield* stage.push(ask(id))
        assert.strictEqual((yield* stage.final(id))!.status, "SUCCESS")
        yield* paidAndSavedOnce(stage)
      }),
    60_000
  )
})
