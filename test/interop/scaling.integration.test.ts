/** The rule by which KEDA scales the workers, asked by promtool of what two real workers have reported. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawnSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import * as kombu from "../../src/wire/kombu.ts"
import { describeWith } from "../servers/index.ts"
import { temporaryFolder } from "../servers/Process.ts"
import { eventually, message, uniqueId } from "../support.ts"
import { at, chart, pick } from "../deploy/chart.ts"
import { makeStage } from "./stage.ts"

const SLOTS = 2
/** What the rule reads. */
const METRICS = /^(model_generator_(?:queue_messages|messages_unacknowledged|messages_scheduled|broker_up))(?:\{(.*)\})? (\S+)$/gm

type Scrape = ReadonlyMap<string, string>
/** Each series, as Prometheus names it, with its value. */
const parse = (body: string, instance: string): Scrape =>
  new Map(
    [...body.matchAll(METRICS)].map(([, name, labels = "", value]) => [
      `${name}{${labels}${labels === "" ? "" : ","}job="model-generator",instance="${instance}"}`,
      value ?? ""
    ])
  )
const numberOf = (scrape: Scrape, pattern: RegExp) =>
  [...scrape].reduce((sum, [series, value]) => (pattern.test(series) ? sum + Number(value) : sum), 0)

describeWith(["kubernetes", "promtool", "redis", "postgres"], "KEDA's rule", ({ kubernetes, postgres, promtool, redis }) => {
  const query = () => {
    const values = { workers: { slots: SLOTS }, fal: { concurrency: 8 }, scaling: { enabled: true, maxReplicas: 4 } }
    const { scaled } = chart(kubernetes).render({ scaled: values })
    return String(at(pick(scaled, "ScaledObject"), "spec.triggers.0.metadata.query"))
  }

  /** What the rule says at each of these scrapes, taken one minute after the other; undefined is no answer. */
  const promtoolSays = (expr: string, scrapes: ReadonlyArray<Scrape>, expected: ReadonlyArray<number | undefined>) => {
    const names = [...new Set(scrapes.flatMap((scrape) => [...scrape.keys()]))]
    const file = join(temporaryFolder("scaling"), "scaling.test.yml")
    const test = {
      interval: "1m",
      input_series: names.map((series) => ({
        series,
        // A gap of a minute is bridged by Prometheus for five; `stale` ends a series as the end of a target does.
        values: scrapes.map((scrape) => scrape.get(series) ?? "stale").join(" ")
      })),
      promql_expr_test: expected.map((value, minute) => ({
        expr,
        eval_time: `${minute}m`,
        exp_samples: value === undefined ? [] : [{ labels: "{}", value }]
      }))
    }
    writeFileSync(file, JSON.stringify({ evaluation_interval: "1m", tests: [test] }))
    const { status, stderr, stdout } = spawnSync(promtool.program, ["test", "rules", file], { encoding: "utf8" })
    return { status, output: stdout + stderr }
  }

  it.live(
    "counts what waits on all four lists and what runs, not what is scheduled, and has no answer when no worker has one",
    () =>
      Effect.gen(function* () {
        const stage = yield* makeStage({ redis, postgres }, { pictureSeconds: 2 })
        const workers = yield* Effect.forEach(["one", "two"], (name) =>
          stage.start({ WORKER_NAME: `celery@${name}`, WORKER_CONCURRENCY: String(SLOTS) })
        )
        const scrape = Effect.map(
          Effect.forEach(workers, ({ port }, index) =>
            Effect.promise(async () => {
              const reply = await fetch(`http://127.0.0.1:${port}/metrics`)
              return parse(await reply.text(), `worker-${index}`)
            })
          ),
          (all): Scrape => new Map(all.flatMap((one) => [...one]))
        )
        const waiting = (one: Scrape) => numberOf(one, /queue_messages.*worker-0/)
        const taken = (one: Scrape) => numberOf(one, /unacknowledged.*worker-0/) - numberOf(one, /scheduled.*worker-0/)
        const send = (priority: number, task: Parameters<typeof message>[0]) =>
          Effect.promise(() =>
            stage.raw.broker.lpush(kombu.list("generator_queue", priority), message({ priority, ...task }).raw)
          )
        const picture = () => ({
          id: uniqueId("scaling"),
          task: "generate_model",
          kwargs: { gender: "female", age_range: "20-30", body_type: "slim", pose: "side", style: "casual", save: false }
        })

        const idle = yield* scrape
        yield* send(0, { ...picture(), eta: "2100-01-01T00:00:00+00:00" })
        // Ten pictures: four run, six wait, on three lists that a scaler of one list would not see.
        for (const priority of [0, 0, 3, 3, 6, 6, 6, 9, 9, 9]) yield* send(priority, picture())
        const busy = yield* eventually("four run", scrape, (one) => waiting(one) === 6 && taken(one) === 4)
        assert.strictEqual(numberOf(busy, /queue_messages.*priority="0".*worker-0/), 0)
        const last = yield* eventually("the last are taken", scrape, (one) => waiting(one) === 0 && taken(one) > 0, 30)
        const done = yield* eventually("all is done", scrape, (one) => waiting(one) + taken(one) === 0, 30)
        assert.strictEqual(numberOf(done, /scheduled.*worker-0/), 1)

        // A worker that lost the broker reports what it saw last; both lost it; none is left.
        const lost = new Map([...busy, ...done].map(([series, value]) => [series, /broker_up/.test(series) ? "0" : value]))
        const old = new Map([...busy, ...[...done].filter(([series]) => /worker-1/.test(series))])
        const oneLost = new Map([...old].map(([series, value]) => [series, /broker_up.*worker-0/.test(series) ? "0" : value]))
        const expr = query()
        const scrapes = [idle, busy, last, done, oneLost, lost, new Map<string, string>()]
        const expected = [0, 10, taken(last), 0, 0, undefined, undefined]
        const { output, status } = promtoolSays(expr, scrapes, expected)
        assert.strictEqual(status, 0, output)

        // The judge sees a wrong number.
        assert.notStrictEqual(promtoolSays(expr, scrapes, [0, 9, ...expected.slice(2)]).status, 0)
      }),
    60_000
  )
})
