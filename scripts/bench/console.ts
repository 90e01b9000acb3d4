/**
 * What the console takes, after `npm run build`, on Linux with redis-server, PostgreSQL and PgBouncer:
 *
 *     node scripts/bench/console.ts rows 1000000     # how long pages take over so many rows
 *     node scripts/bench/console.ts live             # how soon ten workers are seen, and what a worker does meanwhile
 *     node scripts/bench/console.ts throughput 3     # what it does while three people look
 *
 * It starts servers of its own on this machine, prints what it has measured, and leaves nothing behind.
 */
import { execFile, execFileSync } from "node:child_process"
import { rmSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { promisify } from "node:util"
import * as PostgresServer from "../../test/servers/Postgres.ts"
import { freePort, pathOf, temporaryFolder } from "../../test/servers/Process.ts"
import * as RedisServer from "../../test/servers/Redis.ts"
import { Redis } from "ioredis"
import { randomUUID } from "node:crypto"
import { encode } from "../../src/programs/celery/NewMessage.ts"
import { end, family, proportionalMemory, start } from "./processes.ts"
import { startSimulator } from "./simulator.ts"

const root = join(import.meta.dirname, "..", "..")
const program = join(root, "dist", "model-generator.mjs")
const [what = "rows", many = "1000000"] = process.argv.slice(2)
const ROWS = Number(many)
const PASSWORD = "correct horse battery"

const folder = temporaryFolder("bench-console")
process.on("exit", () => rmSync(folder, { recursive: true, force: true }))
const redis = await RedisServer.start()
const postgres = await PostgresServer.start(join(root, ".venv"), { shared_buffers: "256MB" })
const simulator = await startSimulator()
const port = await freePort()
const at = (port: number, name: string) => `postgresql://${postgres.user}:${postgres.password}@${postgres.host}:${port}/${name}`
const execute = promisify(execFile)
const sql = (text: string, name = "models") =>
  execute(pathOf("psql"), ["-qAtX", "-v", "ON_ERROR_STOP=1", "-c", text, at(postgres.port, name)])
const env = {
  CELERY_BROKER_URL: `redis://${redis.host}:${redis.port}/4`,
  CELERY_RESULT_BACKEND: `redis://${redis.host}:${redis.port}/5`,
  DATABASE_URL: at(postgres.pooledPort, "models"),
  FAL_KEY: "bench:key",
  FAL_BASE_URL: simulator.url,
  CONSOLE_PORT: String(port),
  CONSOLE_USERS: join(folder, "users"),
  LOG_LEVEL: "error",
  MALLOC_ARENA_MAX: "1"
}
const run = (args: ReadonlyArray<string>, input = "") =>
  execFileSync(process.execPath, [program, ...args], { env: { ...process.env, ...env }, input })
const say = (what: string, figure: string) => console.log(`${what.padEnd(74)} ${figure}`)

await sql("CREATE DATABASE models", "postgres")
run(["migrate"])
run(["console", "user", "add", "olga", "--role", "operator"], `${PASSWORD}\n`)

const console_ = await start([process.execPath, program, "console"], root, env)
const base = `http://127.0.0.1:${port}`
for (let left = 100; ; left--) {
  if ((await fetch(`${base}/icon.svg`, { signal: AbortSignal.timeout(1000) }).catch(() => undefined))?.ok === true) break
  if (left === 0) throw new Error("the console does not answer")
  await sleep(100)
}
await sleep(3000)
say("memory at rest (PSS)", `${proportionalMemory(family(console_)).toFixed(0)} MB`)

const signed = await fetch(`${base}/sign-in`, {
  method: "POST",
  redirect: "manual",
  headers: { "sec-fetch-site": "same-origin" },
  body: new URLSearchParams({ name: "olga", password: PASSWORD })
})
const cookie = signed.headers.getSetCookie()[0]!.split(";")[0]!
/** Rows as the worker writes them, one a minute, over all combinations. */
const fill = () =>
  sql(`
  INSERT INTO model_library (template_id, version, image_url, thumbnail_url, gender, age_range, body_type, pose, style, prompt, metadata,
    fal_request_id, processing_time_ms, created_at)
  SELECT concat_ws('_', gender, age, replace(body, '-', ''), replace(pose, ' ', '-'), style), n / 288 + 1,
    'https://media.example/' || md5(n::text) || '.jpg', 'https://media.example/' || md5('t' || n) || '.webp',
    gender, age, body, pose, style,
    'Fashion model, ' || gender || ', ' || age || ' years old, body type: ' || body || ', pose: ' || pose || ', style: ' || style ||
      ' photo, full body shot, neutral white/gray background, professional studio lighting, high quality, 8k, detailed, clean composition',
    jsonb_build_object('width', 768, 'height', 1024, 'phash', substr(md5(n::text), 1, 16), 'cost_usd', 0.025,
      'sha256', md5(n::text) || md5('b' || n), 'thumbhash', encode(decode(md5(n::text), 'hex'), 'base64')),
    'request-' || n, 2000, now() - make_interval(mins => ${ROWS} - n)
  FROM (SELECT n, (ARRAY['male','female'])[n % 2 + 1] gender, (ARRAY['20-30','30-40','40-50'])[n / 2 % 3 + 1] age,
      (ARRAY['slim','average','athletic','plus-size'])[n / 6 % 4 + 1] body,
      (ARRAY['front standing','side','walking','sitting'])[n / 24 % 4 + 1] pose,
      (ARRAY['professional','casual','editorial'])[n / 96 % 3 + 1] style
    FROM generate_series(1, ${ROWS}) n) values`)
const decide = (which: string) =>
  sql(`
    INSERT INTO model_review (id, model_id, verdict, who)
    SELECT gen_random_uuid(), id, CASE WHEN hashtext(id::text) % 5 = 0 THEN 'rejected' ELSE 'approved' END, 'anna'
    FROM model_library model WHERE ${which} AND NOT EXISTS (SELECT 1 FROM model_review WHERE model_id = model.id)`)
const ready = async () => {
  await sql("VACUUM ANALYZE model_library")
  await sql("VACUUM ANALYZE model_review")
}

/** The median of five, and the first, in which the server has read nothing yet. */
const page = async (what: string, path: string) => {
  const took: Array<number> = []
  for (let n = 0; n < 6; n++) {
    const before = performance.now()
    const answer = await fetch(base + path, { headers: { cookie } })
    const text = await answer.text()
    took.push(performance.now() - before)
    if (answer.status !== 200)
      throw new Error(`${path}: ${answer.status} ${text.slice(text.indexOf("notice"), text.indexOf("notice") + 300)}`)
  }
  const [first, ...others] = took
  say(`${what}  ${path}`, `${others.toSorted((one, other) => one - other)[2]!.toFixed(0)} ms (first ${first!.toFixed(0)})`)
}
const pages = async (when: string) => {
  console.log(`${when}:`)
  await page("  library", "/library")
  await page("  one combination", "/library?gender=female&age_range=30-40&body_type=slim&pose=side&style=casual")
  await page("  a word", "/library?q=editorial")
  await page("  a word that no row has", "/library?q=nowhere")
  await page("  approved", "/library?verdict=approved")
  await page("  rejected", "/library?verdict=rejected")
  await page("  review", "/review")
  await page("  matrix", "/matrix")
}
const rows = async () => {
  await fill()
  await ready()
  await pages(`${ROWS} rows, none decided`)
  await decide("hashtext(id::text) % 10 <> 0")
  await ready()
  await pages("nine of ten decided")
  await decide("created_at > now() - make_interval(mins => " + (ROWS - 100) + ")")
  await ready()
  await pages("all decided but the oldest hundred")
  say("memory after that (PSS)", `${proportionalMemory(family(console_)).toFixed(0)} MB`)
}

/** Counts what the console says of these topics, as a browser hears it, and fetches the page each time, as the script does. */
const follow = async (about: string, path: string | undefined) => {
  const stop = new AbortController()
  const answer = await fetch(`${base}/events?about=${about}`, { headers: { cookie }, signal: stop.signal })
  const heard: Array<() => void> = []
  let events = 0
  const reading = (async () => {
    let busy = false
    for await (const text of answer.body!.pipeThrough(new TextDecoderStream())) {
      if (!/^data:/m.test(text) || text.includes("event: alive")) continue
      events++
      for (const one of heard.splice(0)) one()
      if (path === undefined || busy) continue
      busy = true
      void fetch(base + path, { headers: { cookie } })
        .then((page) => page.text())
        .finally(() => setTimeout(() => (busy = false), 900))
    }
  })().catch(() => undefined)
  return {
    next: () => new Promise<void>((resolve) => heard.push(resolve)),
    events: () => events,
    stop: async () => {
      stop.abort()
      await reading
    }
  }
}
type Followed = Awaited<ReturnType<typeof follow>>

const broker = new Redis(env.CELERY_BROKER_URL)
const FIVE = { gender: "female", age_range: "25-35", body_type: "average", pose: "front standing", style: "professional" }
const messages = (task: string, count: number, kwargs: Readonly<Record<string, string>> = {}) =>
  Array.from({ length: count }, () => {
    const id = randomUUID()
    return encode({ id, task, args: [], kwargs, queue: "generator_queue", tag: randomUUID(), replyTo: "" }, "bench").raw
  })
const until = async (done: () => Promise<boolean>) => {
  while (!(await done())) await sleep(20)
}
const worker = (name: string, over: Readonly<Record<string, string>> = {}) =>
  start([process.execPath, program, "worker"], root, { ...env, WORKER_NAME: name, METRICS_PORT: "0", ...over })

/** From when a message is in the queue, where one of ten workers takes it, to when the page's event is here. */
const soon = async (workers: number, samples: number) => {
  const all = await Promise.all(
    Array.from({ length: workers }, async (_, n) => worker(`bench-${n}@here`, { METRICS_PORT: String(await freePort()) }))
  )
  await until(async () => (await broker.hlen("model-generator.workers")) === workers)
  await sleep(6000)
  await simulator.pictureTakes(1)
  const followed = await follow("work", undefined)
  await followed.next()
  const took: Array<number> = []
  for (let n = 0; n < samples; n++) {
    await sleep(500 + Math.random() * 800)
    const heard = followed.next()
    const before = performance.now()
    // One that takes a while: of a task that costs nothing and has ended between two looks, the next beat of its worker tells.
    await broker.lpush("generator_queue", ...messages("generate_model", 1, FIVE))
    await heard
    took.push(performance.now() - before)
  }
  await followed.stop()
  for (const one of all) await end(one)
  await broker.flushdb()
  took.sort((one, other) => one - other)
  say(
    `from the queue to the page's event, ${workers} workers, ${samples} samples`,
    `median ${took[samples >> 1]!.toFixed(0)} ms, most ${took.at(-1)!.toFixed(0)} ms`
  )
}

/** Tasks a second of one worker with a backlog that cost nothing but the worker itself. */
const throughput = async (count: number) => {
  await broker.lpush("generator_queue", ...messages("celery.backend_cleanup", count))
  const before = performance.now()
  await until(async () => (await broker.llen("generator_queue")) === 0 && (await broker.hlen("unacked")) === 0)
  return count / ((performance.now() - before) / 1000)
}
const unhindered = async (viewers: number, rounds: number, count: number) => {
  const one = await worker("bench@here", { METRICS_PORT: String(await freePort()), WORKER_MAX_TASKS_PER_CHILD: "1000000" })
  await throughput(count)
  const rates: Record<"closed" | "open", Array<number>> = { closed: [], open: [] }
  let events = 0
  for (let n = 0; n < rounds * 2; n++) {
    const isOpen = n % 2 === 1
    const all: ReadonlyArray<Followed> = isOpen
      ? await Promise.all(Array.from({ length: viewers }, () => follow("work", "/work")))
      : []
    rates[isOpen ? "open" : "closed"].push(await throughput(count))
    for (const followed of all) {
      events += followed.events()
      await followed.stop()
    }
  }
  await end(one)
  const median = (all: Array<number>) => all.toSorted((one, other) => one - other)[all.length >> 1]!
  say(`tasks a second of a worker, nobody looks, ${rounds} rounds of ${count}`, median(rates.closed).toFixed(0))
  say(`  ${viewers} people look at the page of work (${events} events)`, median(rates.open).toFixed(0))
}
const live = async () => {
  if (what === "live") await soon(10, 60)
  await unhindered(Number(process.argv[3] ?? 1), 9, 4000)
  say("memory after that (PSS)", `${proportionalMemory(family(console_)).toFixed(0)} MB`)
}

await (what === "rows" ? rows() : live())
broker.disconnect()
await simulator.stop()
await end(console_)
await postgres.remove()
await redis.remove()
process.exit(0)
