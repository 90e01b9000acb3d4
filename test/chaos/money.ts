/**
 * A budget under fire: three real workers of eight slots, killed again and again, and a cap that is raised twice. Then what was
 * bought by fal's own ledger, and whether our books say the same.
 */
import { Clock, Effect, Random } from "effect"
import { execFile } from "node:child_process"
import { randomUUID } from "node:crypto"
import { appendFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { alone, makeArena } from "./arena.ts"
import { judge, type Sent } from "./judge.ts"
import { supervised, type Worker } from "./Worker.ts"

export interface Options {
  readonly python: string
  readonly seed: string
  readonly tasks: number
  readonly kills: number
}

/** What one picture costs, in dollars. */
const PRICE = 0.025
/** How many pictures there is money for, one after the other. */
const CAPS = [40, 160, 100_000] as const
const GRACE = 15
/** Nobody buys any more when fal has heard of nothing new for so long: a parked task asks for money each 30 s (milliseconds). */
const STILL = 40_000
const PATIENCE = 300_000

const run = promisify(execFile)

export const money = Effect.fnUntraced(function* (options: Options) {
  const arena = yield* makeArena(options.python, yield* alone, undefined, ["--concurrency", "24"])
  const began = yield* Clock.currentTimeMillis
  const log = (line: string) =>
    appendFileSync(join(arena.folder, "storm.log"), `${((Date.now() - began) / 1000).toFixed(1)} ${line}\n`)

  /** Seeds whose submit is out and whose request id has not been seen in use: a death now makes them uncertain. */
  const asking = new Map<Worker, Set<number>>()
  const uncertain = new Set<number>()
  const watch = (worker: Worker, request: string) => {
    const open = asking.get(worker) ?? new Set()
    asking.set(worker, open)
    const seed = /"seed": ?(\d+)/.exec(request)?.[1]
    if (seed !== undefined) open.add(Number(seed))
    return "carry" as const
  }
  const env = (ports: Parameters<typeof arena.worker.env>[0], name: string) => ({
    ...arena.worker.env(ports),
    WORKER_NAME: name,
    WORKER_CONCURRENCY: "8",
    TASK_RETRY_BACKOFF: "0.2",
    TASK_RETRY_BACKOFF_MAX: "1",
    FAL_UNCERTAIN_GRACE: String(GRACE),
    FAL_MAX_RESUBMITS: "10",
    BUDGET_DAY: String(CAPS[0] * PRICE),
    LOG_FORMAT: "json"
  })
  const workers = yield* Effect.forEach(["celery@one", "celery@two", "celery@three"], (name) =>
    supervised({
      name,
      command: arena.worker.command,
      targets: arena.worker.targets,
      env: (ports) => env(ports, name),
      log: join(arena.folder, `${name}.log`),
      look: (worker, _glimpse, server, request) => (server === "fal" ? watch(worker, request) : "carry")
    })
  )
  /** A command of ours, as an operator gives it. */
  const command = (...args: ReadonlyArray<string>) =>
    Effect.promise(async () => {
      const [program = "", ...words] = arena.worker.command.slice(0, -1)
      const own = { ...env(arena.worker.targets, "celery@operator"), FAL_ADMIN_KEY: "test:admin", PATH: process.env["PATH"] }
      const { stdout } = await run(program, [...words, ...args, "--json"], { env: own, maxBuffer: 64 << 20 })
      return JSON.parse(stdout) as Readonly<Record<string, unknown>> // the command's own
    })

  const sent: ReadonlyArray<Sent> = Array.from({ length: options.tasks }, (_, at) => ({
    id: randomUUID(),
    template: `chaos_${at + 1}`,
    seed: at + 1
  }))
  for (let at = 0; at < sent.length; at += 50) yield* arena.send(sent.slice(at, at + 50))

  let killed = 0
  const kill = Effect.gen(function* () {
    for (;;) {
      yield* Effect.sleep(yield* Random.nextBetween(700, 2500))
      const worker = yield* Random.choice(workers)
      if (!worker.alive) continue
      log(`kill ${worker.name}`)
      for (const seed of asking.get(worker) ?? []) uncertain.add(seed)
      asking.delete(worker)
      worker.kill()
      killed++
      return
    }
  })
  const bought = Effect.map(arena.ledger, (rows) => rows.filter(({ units }) => units > 0).length)
  /** Until fal has had nothing to do for a while, or all tasks have ended. */
  const settled = Effect.gen(function* () {
    const deadline = (yield* Clock.currentTimeMillis) + PATIENCE
    let [last, since] = [-1, 0]
    for (;;) {
      const now = yield* Clock.currentTimeMillis
      const { length } = yield* arena.ledger
      if (length !== last) [last, since] = [length, now]
      if (now > deadline || (yield* arena.open) === 0 || now - since > STILL) return
      yield* Effect.sleep("250 millis")
    }
  })
  const phases: Array<{ readonly cap: number; readonly bought: number; readonly open: number }> = []
  const rage = Effect.gen(function* () {
    for (const [at, cap] of CAPS.entries()) {
      if (at > 0) yield* command("budget", "set", "day", String(cap * PRICE))
      for (let blow = 0; blow < options.kills / CAPS.length; blow++) yield* kill
      yield* settled
      phases.push({ cap, bought: yield* bought, open: yield* arena.open })
      log(`cap ${cap}: ${phases.at(-1)!.bought} bought`)
    }
  })
  yield* Random.withSeed(rage, options.seed)

  const deadline = (yield* Clock.currentTimeMillis) + PATIENCE
  while ((yield* arena.open) + (yield* arena.owed) > 0 && (yield* Clock.currentTimeMillis) < deadline)
    yield* Effect.sleep("500 millis")
  const [ledger, rows, answers, books] = [yield* arena.ledger, yield* arena.rows, yield* arena.read(sent), yield* arena.books]
  const budget = yield* command("budget", "show")
  const reconciled = yield* command("reconcile")
  const again = yield* command("reconcile")
  const verdict = judge({
    sent,
    ledger,
    rows,
    answers,
    books,
    uncertain: new Set(sent.flatMap(({ id, seed }) => (uncertain.has(seed) ? [id] : []))),
    grace: GRACE
  })
  const lost = books.filter(({ fal_request_id }) => fal_request_id === null).length
  return {
    folder: arena.folder,
    verdict,
    unasked: workers.flatMap(({ unasked }) => unasked),
    phases,
    reserved: Number(budget["reserved_usd"]),
    reconciled: reconciled["counts"] as Readonly<Record<string, number>>, // the command's own
    unbilled: Number(again["new_bills"]),
    counts: {
      tasks: sent.length,
      "workers killed": killed,
      ...Object.fromEntries(phases.map((phase) => [`bought at a cap of ${phase.cap}`, phase.bought])),
      "lost answers": lost,
      "reserved at rest, $": Number(budget["reserved_usd"]),
      "fal's bill, $": Math.round(ledger.reduce((sum, { simulatedCost }) => sum + simulatedCost * 1e9, 0)) / 1e9,
      "in our ledger after reconcile, $": Number(reconciled["total_usd"]),
      lost: verdict.lost.length,
      "saved twice": verdict.savedTwice.length,
      "paid twice": verdict.paidTwice.length,
      "uncertain resubmits": verdict.resubmitted.length,
      "wrong results": verdict.wrong.length,
      misbooked: verdict.misbooked.length,
      seconds: Math.round(((yield* Clock.currentTimeMillis) - began) / 1000)
    }
  }
})
type Outcome = Effect.Success<ReturnType<typeof money>>

/** Everything that must not be, in words; empty when every promise was kept. */
export const broken = ({ phases, reconciled, reserved, unasked, unbilled, verdict }: Outcome): ReadonlyArray<string> => [
  ...(["lost", "savedTwice", "paidTwice", "wrong", "misbooked"] as const).flatMap((what) =>
    verdict[what].map((about) => `${what}: ${about}`)
  ),
  ...phases.flatMap(({ bought, cap }) => (bought > cap ? [`${bought} pictures bought at a cap of ${cap}`] : [])),
  ...phases.slice(0, -1).flatMap(({ cap, open }) => (open > 0 ? [] : [`nothing waited at a cap of ${cap}`])),
  ...(reserved > 0 ? [`$${reserved} reserved at rest`] : []),
  ...["differs", "not billed"].flatMap((finding) =>
    (reconciled[finding] ?? 0) > 0 ? [`reconcile: ${reconciled[finding]} ${finding}`] : []
  ),
  ...(unbilled > 0 ? [`reconcile kept ${unbilled} bills again`] : []),
  ...unasked.map((end) => `nobody killed it: ${end}`)
]
