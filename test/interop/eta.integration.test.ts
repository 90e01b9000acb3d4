import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { readFileSync } from "node:fs"
import { iso } from "../../src/programs/celery/Time.ts"
import { describeWith } from "../servers/index.ts"
import { eventually, message, uniqueId } from "../support.ts"
import { makeStage } from "./stage.ts"

const MANY = 50_000
const megabytes = (pid: number) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) / 1024

describeWith(["redis", "postgres"], "tasks with an ETA", (servers) => {
  it.live(
    `${MANY} of them cost the worker less than 20 MB, and a task without one still runs at once`,
    () =>
      Effect.gen(function* () {
        const stage = yield* makeStage(servers)
        // Eight at a time, for it is what is kept that counts.
        const worker = yield* stage.start({ LOG_LEVEL: "warn", WORKER_CONCURRENCY: "8" })
        // Warm first: the same work without anything to keep.
        const held = Effect.promise(() => stage.raw.broker.zcard("model-generator.scheduled"))
        const later = iso(Date.now() + 3_600_000)
        const send = (count: number) =>
          Effect.promise(async () => {
            for (let sent = 0; sent < count; sent += 1000) {
              const raws = Array.from({ length: 1000 }, () => message({ id: uniqueId("eta"), eta: later }).raw)
              await stage.raw.broker.lpush("generator_queue", ...raws)
            }
          })
        yield* send(5000)
        yield* eventually("warm", Effect.delay(held, "200 millis"), (count) => count === 5000)
        const before = megabytes(worker.pid)
        yield* send(MANY)
        yield* eventually("all are kept", Effect.delay(held, "1 second"), (count) => count === 5000 + MANY)
        assert.isBelow(megabytes(worker.pid) - before, 20)

        const now = message({ id: uniqueId("now") })
        yield* stage.push(now)
        const id = String((JSON.parse(now.raw) as { headers: { id: string } }).headers.id) // written above
        assert.strictEqual((yield* stage.final(id))?.status, "SUCCESS")
        assert.strictEqual(yield* held, 5000 + MANY, "none ran early")
      }),
    600_000
  )
})
