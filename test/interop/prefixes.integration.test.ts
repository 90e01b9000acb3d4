import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { describeWith } from "../servers/index.ts"
import { eventually, message } from "../support.ts"
import { celery, startCelery } from "./celeryCommand.ts"
import { five } from "./pictures.ts"
import { askPython, makeStage } from "./stage.ts"

/** Celery's transport options, and what they are in our settings. */
const tenants = {
  celery53: {
    broker: { global_keyprefix: "app:", fanout_prefix: "/fans-{db}.", fanout_patterns: true },
    result: { global_keyprefix: "res" },
    ours: {
      BROKER_GLOBAL_KEYPREFIX: "app:",
      BROKER_FANOUT_PREFIX: "/fans-{db}.",
      RESULT_GLOBAL_KEYPREFIX: "res"
    },
    results: "res_celery-task"
  },
  celery56: {
    broker: { global_keyprefix: "app:", fanout_prefix: false, fanout_patterns: false },
    result: { global_keyprefix: "res:" },
    ours: {
      BROKER_GLOBAL_KEYPREFIX: "app:",
      BROKER_FANOUT_PREFIX: "false",
      BROKER_FANOUT_PATTERNS: "false",
      RESULT_GLOBAL_KEYPREFIX: "res:"
    },
    results: "res:celery-task"
  }
} as const

for (const client of ["celery53", "celery56"] as const) {
  describeWith(["redis", "postgres", client], `under the prefixes of a Celery app (${client})`, (servers) => {
    const { python } = servers[client]
    const tenant = tenants[client]
    const onStage = Effect.gen(function* () {
      const stage = yield* makeStage(servers)
      const environment = { BROKER_OPTIONS: JSON.stringify(tenant.broker), RESULT_OPTIONS: JSON.stringify(tenant.result) }
      return { ...stage, celery: environment }
    })
    type Stage = Effect.Success<typeof onStage>
    const result = (stage: Stage, id: string) =>
      Effect.map(
        Effect.promise(() => stage.raw.backend.get(`${tenant.results}-meta-${id}`)),
        (text) => (text === null ? undefined : (JSON.parse(text) as { status: string; result: { by?: string } })) // generate_model's
      )
    const final = (stage: Stage, id: string) =>
      eventually(`${id} has ended`, result(stage, id), (document) => document?.status === "SUCCESS")
    const push = (stage: Stage, id: string) =>
      Effect.promise(() =>
        stage.raw.broker.lpush("app:generator_queue", message({ id, task: "generate_model", kwargs: five }).raw)
      )

    it.live(
      "its client gets results, its commands see our worker and its events, and neither sees the fleet without a prefix",
      () =>
        Effect.gen(function* () {
          const stage = yield* onStage
          const plain = { broker: stage.broker, backend: stage.backend }
          yield* stage.start({ ...tenant.ours, WORKER_SEND_TASK_EVENTS: "true" })
          yield* stage.start({ WORKER_NAME: "celery@plain" })
          const dump = yield* startCelery(python, stage, ["events", "--dump"])
          yield* eventually("it listens", dump.printed, (text) => text.includes("heartbeat"))

          const ping = yield* celery(python, stage, "inspect", "ping")
          assert.strictEqual(ping.out.trim(), "->  celery@stage: OK\n        pong\n\n1 node online.")
          const others = yield* celery(python, plain, "inspect", "ping")
          assert.strictEqual(others.out.trim(), "->  celery@plain: OK\n        pong\n\n1 node online.")

          const conf = { broker_transport_options: tenant.broker, result_backend_transport_options: tenant.result }
          const [chained, batch] = yield* askPython(
            python,
            stage,
            [
              {
                chain: [
                  { task: "generate_model", kwargs: five },
                  { task: "edit_model", kwargs: { prompt: "in a red suit" } }
                ]
              },
              { task: "batch_generate", kwargs: { count: 2 } }
            ],
            { conf }
          )
          assert.strictEqual(chained?.["state"], "SUCCESS", JSON.stringify(chained))
          const { group_id: group } = batch!["value"] as { group_id: string } // a batch_generate
          const [restored] = yield* askPython(python, stage, [{ restore: group }], { conf })
          assert.strictEqual((restored!["value"] as ReadonlyArray<unknown>).length, 2) // generate_model each

          const events = yield* eventually("it has seen the task's life", dump.printed, (text) => text.includes("succeeded"))
          assert.include(events, "celery@stage")
          assert.notInclude(events, "celery@plain")
          const keys = yield* Effect.promise(async () => ({
            broker: (await stage.raw.broker.keys("*")).filter((key) => !key.startsWith("app:")),
            backend: (await stage.raw.backend.keys("*")).filter((key) => !key.startsWith(tenant.results))
          }))
          // The plain worker's own; it has been sent nothing.
          assert.deepStrictEqual(
            keys.broker.filter((key) => !/^(_kombu|model-generator\.(leases|steady|workers)$)/.test(key)),
            []
          )
          assert.deepStrictEqual(keys.backend, [])
        }),
      90_000
    )

    it.live(
      "a stock worker and ours restore each other's lost messages",
      () =>
        Effect.gen(function* () {
          const stage = yield* onStage
          const startStock = (seconds: string) =>
            Effect.gen(function* () {
              const args = ["worker", "-n", "stock@host", "-c", "1", "-l", "INFO"]
              const env = { C_FORCE_ROOT: "1", VISIBILITY: "3", SECONDS_A_TASK: seconds }
              const stock = yield* startCelery(python, stage, args, env)
              yield* eventually("the stock worker is ready", stock.printed, (log) => / ready\./.test(log))
              return stock
            })
          const stock = yield* startStock("120")
          yield* push(stage, "theirs")
          yield* eventually("stock runs it", stock.printed, (log) => log.includes("generate_model[theirs] received"))
          yield* stock.signal("SIGKILL")
          const ours = yield* stage.start({ ...tenant.ours, VISIBILITY_TIMEOUT: "3" })
          assert.isUndefined((yield* final(stage, "theirs"))?.result.by)

          yield* stage.fal.setFaults({ route: "submit", kind: "job-stuck" })
          yield* push(stage, "ours")
          yield* eventually("ours runs it", stage.fal.ledger, (rows) => rows.length === 2)
          yield* ours.signal("SIGKILL")
          yield* ours.exited
          yield* Effect.sleep("4 seconds") // the visibility timeout
          yield* startStock("0")
          assert.strictEqual((yield* final(stage, "ours"))?.result.by, "stock")
        }),
      90_000
    )
  })
}
