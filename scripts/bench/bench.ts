/**
 * `npm run bench`: our worker, stock Celery, BullMQ and the floor in turn, several rounds on one machine.
 * Linux only (processes are measured in /proc). Needs redis-server, PostgreSQL, PgBouncer and python3-venv, like the tests.
 *
 *     npm run bench                      the usual rows, 3 rounds; writes docs/bench/ and README's table
 *     npm run bench -- --full            the long rows too
 *     npm run bench -- --quick           one short round, written nowhere
 *     npm run bench -- --only rest,eta   some rows, written nowhere; --rounds N
 *     npm run bench -- --against REF     another commit of ours and this one, A B A B
 *     npm run bench -- --readme          README's table again, from the last JSON
 */
import { createHash } from "node:crypto"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { cpus, loadavg, totalmem } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { parseArgs } from "node:util"
import * as against from "./against.ts"
import { bullmq, celery, type Contender, floor, ours } from "./contenders.ts"
import { last } from "./last.ts"
import { busyDuring } from "./processes.ts"
import { comparison, type Report, type Round, section, shownWith, table, withSection } from "./report.ts"
import { few, type Row, rowsOf, usual } from "./rows.ts"
import { root, type Stage, setUp } from "./stage.ts"
import type { Conditions } from "./statistics.ts"

const { values: flags } = parseArgs({
  options: {
    full: { type: "boolean", default: false },
    quick: { type: "boolean", default: false },
    readme: { type: "boolean", default: false },
    only: { type: "string" },
    rounds: { type: "string" },
    against: { type: "string" },
    out: { type: "string" }
  }
})

const say = (text: string) => process.stderr.write(`${text}\n`)
const README = join(root, "README.md")
const writeReadme = () => {
  const report = last()
  if (report === undefined) throw new Error("no run has left a JSON under docs/bench/")
  writeFileSync(README, withSection(readFileSync(README, "utf8"), section(report)))
}

/** Milliseconds that one fixed loop takes: it is slow only when the machine is. */
const calibrate = () => {
  const begun = performance.now()
  let text = "model-generator"
  for (let n = 0; n < 150_000; n++) text = createHash("sha256").update(text).digest("hex")
  return performance.now() - begun
}

const machine = () => {
  const cores = cpus()
  return `${cores.length} cores of ${cores[0]?.model ?? "an unknown processor"}, ${Math.round(totalmem() / 2 ** 30)} GB`
}

const rowsWanted = () => {
  const rows = rowsOf(flags.quick ? few : usual)
  const only = flags.only?.split(",")
  const unknown = only?.filter((id) => !rows.some((row) => row.id === id)) ?? []
  if (unknown.length > 0) throw new Error(`no rows: ${unknown.join(", ")}; there are ${rows.map(({ id }) => id).join(", ")}`)
  return rows.filter(({ id, long }) => (only === undefined ? flags.full || long !== true : only.includes(id)))
}

const leftOut = new Set<string>()
const reasonOf = (error: unknown) => (error instanceof Error ? error.message : String(error)).split("\n")[0]!

const measure = async (stage: Stage, row: Row, contender: Contender) => {
  await stage.clear()
  try {
    const found = await row.measure(stage, contender)
    const shown = Object.entries(found).map(([id, value]) => `${id} ${value.toPrecision(3)}`)
    say(`  ${row.id}, ${contender.name}: ${shown.join(" · ")}`)
    return found
  } catch (error) {
    leftOut.add(`${row.id} of ${contender.name} (${reasonOf(error)})`)
    say(`  ${row.id}, ${contender.name}: not measured: ${reasonOf(error)}`)
    return {}
  }
}

/** Measures each row on all contenders, one after the other. Another contender goes first in each round. */
const playRound = async (
  stage: Stage,
  rows: ReadonlyArray<Row>,
  contenders: ReadonlyArray<Contender>,
  number: number
): Promise<Round> => {
  const first = number % contenders.length
  const order = [...contenders.slice(first), ...contenders.slice(0, first)]
  const load = loadavg()[0]!
  const othersBusy = await busyDuring(() => sleep(1000))
  const before = calibrate()
  const values: Record<string, Record<string, number>> = {}
  for (const row of rows) {
    for (const contender of order.filter(({ kind }) => row.of.includes(kind))) {
      for (const [id, value] of Object.entries(await measure(stage, row, contender))) (values[id] ??= {})[contender.id] = value
    }
  }
  const conditions: Conditions = { load, othersBusy, calibration: [before, calibrate()] }
  return { ...conditions, values }
}

const withBullmq = (stage: Stage) => {
  try {
    return [bullmq(stage)]
  } catch (error) {
    leftOut.add(`BullMQ (npm could not install it: ${reasonOf(error)})`)
    return []
  }
}

const run = async () => {
  const rows = rowsWanted()
  const rounds = Number(flags.rounds ?? (flags.against !== undefined ? 5 : flags.quick ? 1 : 3))
  const other = flags.against === undefined ? undefined : against.checkOut(flags.against)
  const commit = against.here()
  const bundle = against.build(root)
  const stage = await setUp()
  try {
    const contenders =
      other === undefined
        ? [
            ours(stage, bundle, "ours", "model-generator"),
            celery(stage, "early"),
            celery(stage, "late"),
            ...withBullmq(stage),
            floor(stage)
          ]
        : [ours(stage, bundle, "new", commit), ours(stage, other.bundle, "old", other.commit)]
    calibrate() // the first one is compiled on the way
    const played: Array<Round> = []
    for (let number = 0; number < rounds; number++) {
      say(`round ${number + 1} of ${rounds}`)
      played.push(await playRound(stage, rows, contenders, number))
    }
    const measured = new Set(played.flatMap(({ values }) => Object.keys(values)))
    const report: Report = {
      date: new Date().toISOString(),
      commit,
      machine: machine(),
      versions: await stage.versions(),
      contenders: contenders.map(({ id, name }) => ({ id, name })),
      figures: rows.flatMap(({ figures }) => figures).filter(({ id }) => measured.has(id)),
      rounds: played,
      leftOut: [...leftOut]
    }
    return report
  } finally {
    await stage.tearDown()
  }
}

if (flags.readme) {
  writeReadme()
} else {
  const report = await run()
  const shown = flags.against === undefined ? table(report) : comparison(report)
  process.stdout.write(`${shownWith(report, shown)}\n`)
  const whole = !flags.quick && flags.only === undefined && flags.against === undefined
  const file =
    flags.out ?? (whole ? join(root, "docs", "bench", `${report.date.slice(0, 19).replaceAll(":", "")}.json`) : undefined)
  if (file !== undefined) {
    mkdirSync(join(file, ".."), { recursive: true })
    writeFileSync(file, `${JSON.stringify(report, null, 1)}\n`)
    if (whole && flags.out === undefined) writeReadme()
  }
}
