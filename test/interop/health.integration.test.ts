import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { connect } from "node:net"
import { program } from "../programs/commands/program.ts"
import { describeWith, ownPostgres, ownRedis } from "../servers/index.ts"
import { eventually, timed } from "../support.ts"
import { makeStage } from "./stage.ts"

const { run } = program()

/** A port that answers no greeting at all, as a host that is switched off or behind a firewall that drops. */
const blackHole = Effect.gen(function* () {
  const listener =
    "require('net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, function () { console.log(this.address().port) })"
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => spawn(process.execPath, ["-e", listener], { stdio: ["ignore", "pipe", "inherit"] })),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )
  const port = yield* Effect.promise(
    () => new Promise<number>((resolve) => child.stdout.once("data", (text) => resolve(Number(text))))
  )
  child.kill("SIGSTOP") // nobody accepts: once the backlog is full the kernel drops what comes
  const call = Effect.acquireRelease(
    Effect.sync(() => connect(port, "127.0.0.1").on("error", () => {})),
    (socket) => Effect.sync(() => socket.destroy())
  )
  yield* Effect.all([call, call, call, call])
  const last = yield* call
  yield* Effect.sleep("300 millis")
  assert.isTrue(last.connecting, "the hole answers")
  return port
})

describeWith(["redis", "postgres"], "health, however dead what it asks is", () => {
  it.live(
    "answers within 5 s, and blames what is frozen and nothing else",
    () =>
      Effect.gen(function* () {
        const redis = yield* ownRedis
        const postgres = yield* ownPostgres
        const stage = yield* makeStage({ redis, postgres })
        const worker = yield* stage.start()
        const ask = (env: Readonly<Record<string, string>>) => run(["health", "--json"], env)
        yield* eventually("all is well", ask(stage.env), ({ code }) => code === 0)
        const failing = Effect.fnUntraced(function* (env: Readonly<Record<string, string>>) {
          const start = (yield* run(["--version"])).ms // which is the machine's, as busy as it is now, not ours
          const { code, ms, stdout } = yield* ask(env)
          assert.strictEqual(code, 1)
          assert.isBelow(ms - start, 5000)
          const { checks, problems } = JSON.parse(stdout) as {
            checks: Record<string, { ok: boolean }>
            problems: ReadonlyArray<{ what: string; says: string; advice: string }>
          }
          for (const { advice, says, what } of problems) assert.isTrue(advice !== "" || /not known/.test(says), what)
          return Object.keys(checks).filter((name) => checks[name]?.ok === false)
        })
        const frozen = (pid: number, then: ReturnType<typeof failing>) =>
          Effect.acquireUseRelease(
            Effect.sync(() => process.kill(pid, "SIGSTOP")),
            () => then,
            () => Effect.sync(() => process.kill(pid, "SIGCONT"))
          )
        const { pgbouncer } = postgres
        assert.deepStrictEqual(yield* frozen(pgbouncer.pid(), failing(stage.env)), ["database", "migrations"])
        assert.deepStrictEqual(yield* frozen(redis.pid(), failing(stage.env)), ["broker", "results"])
        const both = frozen(redis.pid(), frozen(pgbouncer.pid(), failing({ ...stage.env, FAL_BASE_URL: "http://127.0.0.1:9" })))
        assert.deepStrictEqual(yield* both, ["broker", "results", "database", "migrations", "fal"])

        const hole = yield* blackHole
        const away = (url: string) => url.replace(/:\d+\//, `:${hole}/`)
        const { CELERY_BROKER_URL, CELERY_RESULT_BACKEND, DATABASE_URL } = stage.env
        assert.deepStrictEqual(yield* failing({ ...stage.env, CELERY_BROKER_URL: away(CELERY_BROKER_URL) }), ["broker"])
        assert.deepStrictEqual(
          yield* failing({
            CELERY_BROKER_URL: away(CELERY_BROKER_URL),
            CELERY_RESULT_BACKEND: away(CELERY_RESULT_BACKEND),
            DATABASE_URL: away(DATABASE_URL),
            FAL_KEY: "test:key",
            FAL_BASE_URL: `http://127.0.0.1:${hole}`
          }),
          ["broker", "results", "database", "migrations", "fal"]
        )
        yield* eventually("the worker is well again", worker.health, ({ status }) => status === 200)
      }),
    timed(120_000)
  )
})
