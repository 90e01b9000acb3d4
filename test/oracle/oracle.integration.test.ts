import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describeWith } from "../servers/index.ts"
import { compare, leftWaiting, view } from "./compare.ts"
import { explained } from "./explained.ts"
import { generate, makeSide, QUEUE } from "./side.ts"

// One seed, so that a run of the same code is the same run; others by hand: ORACLE_SEED=$RANDOM npm test oracle
const seed = Number(process.env["ORACLE_SEED"] ?? 42)
const SLOTS = 6

/** What the results say: as by default, or with `result_extended` and `task_track_started`. */
type Telling = "little" | "all"

const ourSide = (telling: Telling) =>
  makeSide(
    (url) => ({
      command: process.execPath,
      args: [join(import.meta.dirname, "worker.ts")],
      env: {
        CELERY_BROKER_URL: url(0),
        CELERY_RESULT_BACKEND: url(1),
        DATABASE_URL: "postgresql://nobody@localhost/nothing",
        FAL_KEY: "test:key",
        WORKER_NAME: "celery@oracle",
        WORKER_CONCURRENCY: String(SLOTS),
        WORKER_SEND_TASK_EVENTS: "true",
        TASK_RETRY_BACKOFF: "0.1",
        TASK_RETRY_BACKOFF_MAX: "0.2",
        RESULT_EXTENDED: String(telling === "all"),
        TASK_TRACK_STARTED: String(telling === "all"),
        LOG_FORMAT: "json"
      }
    }),
    " ready"
  )

const stockSide = (python: string, telling: Telling) =>
  makeSide(
    (url) => ({
      command: python,
      args: ["-m", "celery", "-A", "app", "worker", "-Q", QUEUE, "-c", String(SLOTS), "-n", "celery@oracle", "-l", "INFO", "-E"],
      env: { BROKER: url(0), BACKEND: url(1), TELLING: telling, PYTHONUNBUFFERED: "1" }
    }),
    " ready."
  )

it("every difference that is explained has its reason in docs/differences.md, and no other", () => {
  const text = readFileSync(join(import.meta.dirname, "..", "..", "docs", "differences.md"), "utf8")
  const headings = [...text.matchAll(/^### (.*)$/gm)].map(([, heading]) => heading)
  assert.deepStrictEqual(headings.sort(), explained.map(({ name }) => name).sort())
})

for (const [environment, version, telling, usual] of [
  ["celery53", "5.3", "little", 400],
  ["celery56", "5.6", "little", 150],
  ["celery53", "5.3", "all", 150],
  ["celery56", "5.6", "all", 100],
  ["celery57", "5.7", "little", 120]
] as const) {
  describeWith(["redis", environment], `stock Celery ${version} and our worker, telling ${telling}`, (servers) => {
    it.live(
      "make the same of the same messages, but for what is explained",
      () =>
        Effect.gen(function* () {
          const { python } = servers[environment]
          const count = Number(process.env["ORACLE_COUNT"] ?? usual)
          const [stock, ours] = yield* Effect.all([stockSide(python, telling), ourSide(telling)], { concurrency: 2 })
          const cases = yield* generate(python, seed, count)
          const [theirs, mine] = yield* Effect.all([stock.run(cases), ours.run(cases)], { concurrency: 2 })
          assert.deepStrictEqual(leftWaiting(cases, mine.seen), [])
          const differences = compare(view(cases, theirs.seen), view(cases, mine.seen))

          const counts = new Map<string, number>()
          const open = differences.filter((difference) => {
            const why = explained.find((one) => (one.of ?? [version]).includes(version) && one.covers(difference))
            if (why !== undefined) counts.set(why.name, (counts.get(why.name) ?? 0) + 1)
            return why === undefined
          })
          const report = process.env["ORACLE_REPORT"]
          if (report !== undefined) {
            const write = (name: string, value: unknown) =>
              writeFileSync(
                `${report}-${version}-${telling}-${name}`,
                typeof value === "string"
                  ? value
                  : JSON.stringify(
                      value,
                      (_, v: unknown) => (typeof v === "bigint" ? String(v) : v === undefined ? "absent" : v),
                      1
                    )
              )
            write("open.json", open)
            write("stock.log", theirs.log)
            write("ours.log", mine.log)
          }
          console.log(
            [
              `oracle ${version}, telling ${telling}: ${cases.reduce((sum, { pushed }) => sum + pushed.length, 0)} messages of ${count} cases, ` +
                `seed ${seed}, ${open.length} unexplained differences, ${counts.size} kinds explained (see docs/differences.md)`,
              ...[...counts].map(([name, times]) => `  ${String(times).padStart(4)} ${name}`)
            ].join("\n")
          )
          assert.deepStrictEqual(
            open.slice(0, 20).map(({ at, ours, stock, task }) => ({ task, at, stock, ours })),
            []
          )
        }),
      120_000
    )
  })
}
