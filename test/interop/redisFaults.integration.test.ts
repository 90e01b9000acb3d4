import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { Redis } from "ioredis"
import { describeWith, ownRedis } from "../servers/index.ts"
import { proxy } from "../servers/Proxy.ts"
import { eventually, message, timed, uniqueId } from "../support.ts"
import { ask, inFlight, paidAndSaved, type Stage } from "./pictures.ts"
import { makeStage, nothing } from "./stage.ts"

const push = Effect.fnUntraced(function* (stage: Stage) {
  const id = uniqueId("fault")
  yield* stage.push(message({ id }))
  return id
})

/** Three tasks, and how long the last of them took. */
const consumes = Effect.fnUntraced(function* (stage: Stage) {
  const since = Date.now()
  const ids = yield* Effect.forEach([1, 2, 3], () => push(stage))
  for (const id of ids) assert.strictEqual((yield* stage.final(id))?.status, "SUCCESS")
  return Date.now() - since
})

/** A stage whose worker reaches Redis by proxies, one for the broker and one for the results. */
const makeProxied = Effect.fnUntraced(function* (servers: Parameters<typeof makeStage>[0], pictureSeconds = 0.3) {
  const stage = yield* makeStage(servers, { pictureSeconds })
  const broker = yield* proxy(servers.redis.port)
  const backend = yield* proxy(servers.redis.port)
  const by = (port: number, url: string) => {
    const changed = new URL(url)
    changed.port = String(port)
    return changed.href
  }
  const env = {
    CELERY_BROKER_URL: by(broker.port, stage.broker.url),
    CELERY_RESULT_BACKEND: by(backend.port, stage.backend.url)
  }
  return { stage, broker, backend, start: stage.start(env) }
})

describeWith(["redis", "postgres"], "the way to Redis", (servers) => {
  it.live(
    "half open (the other end is gone and says nothing): the worker makes it anew and consumes within 5 s",
    () =>
      Effect.gen(function* () {
        const { backend, broker, stage, start } = yield* makeProxied(servers)
        const worker = yield* start
        yield* consumes(stage)
        for (const part of [broker, backend]) {
          yield* part.halfOpen
          assert.isBelow(yield* consumes(stage), 5_000)
        }
        yield* eventually("nothing is left", stage.left, (left) => JSON.stringify(left) === JSON.stringify(nothing))
        assert.strictEqual((yield* worker.health).status, 200)
        assert.notInclude(yield* worker.output, "crashed")
      }),
    timed(60_000)
  )

  it.live(
    "cut in the middle of answers, again and again: nothing is lost, nothing is done twice, and it consumes within 5 s",
    () =>
      Effect.gen(function* () {
        const { backend, broker, stage, start } = yield* makeProxied(servers)
        const worker = yield* start
        const first = yield* inFlight(stage)
        const left = yield* Effect.all([broker.cutAnswers(25), backend.cutAnswers(5)])
        const ids = [first, uniqueId("cut"), uniqueId("cut")]
        for (const id of ids.slice(1)) yield* stage.push(ask(id))
        yield* eventually(
          "cut",
          Effect.sync(() => left.map((count) => count())),
          (counts) => counts.every((count) => count === 0)
        )
        assert.isBelow(yield* consumes(stage), 5_000)
        for (const id of ids) assert.strictEqual((yield* stage.final(id))?.status, "SUCCESS")
        yield* paidAndSaved(stage, 3)
        assert.notInclude(yield* worker.output, "crashed")
      }),
    timed(60_000)
  )

  it.live(
    "silent for long: unhealthy within 30 s, saying why; then the result of a picture made meanwhile is stored, and it consumes within 5 s",
    () =>
      Effect.gen(function* () {
        const { backend, broker, stage, start } = yield* makeProxied(servers, 2)
        const worker = yield* start
        const id = yield* inFlight(stage)
        yield* Effect.all([broker.silence, backend.silence])
        const since = Date.now()
        const health = yield* Effect.gen(function* () {
          while (true) {
            const reply = yield* worker.health
            if (reply.status === 503 || Date.now() - since > 35_000) return reply
            yield* Effect.sleep("500 millis")
          }
        })
        assert.strictEqual(health.status, 503)
        assert.isBelow(Date.now() - since, 31_000)
        assert.match(
          String(health.body["why"]),
          /no lease for 3[0-2] s|no answer from the broker|the journal cannot be read|cannot \w+/
        )
        yield* Effect.all([broker.heal, backend.heal])
        assert.isBelow(yield* consumes(stage), 5_000)
        assert.strictEqual((yield* stage.final(id))?.status, "SUCCESS")
        yield* paidAndSaved(stage, 1)
        yield* eventually("healthy again", worker.health, ({ status }) => status === 200) // with its next beat
      }),
    timed(90_000)
  )

  it.live(
    "to the results alone is gone: the task stays unacknowledged until its result is stored",
    () =>
      Effect.gen(function* () {
        const { backend, stage, start } = yield* makeProxied(servers)
        yield* start
        const id = yield* inFlight(stage)
        yield* backend.silence
        yield* eventually("it is saved", stage.models, (rows) => rows.length === 1)
        yield* Effect.sleep("7 seconds")
        assert.isUndefined(yield* stage.result(id))
        assert.deepInclude(yield* stage.left, { unacked: 1, indexed: 1 })
        yield* backend.heal
        assert.strictEqual((yield* stage.final(id))?.status, "SUCCESS")
        yield* paidAndSaved(stage, 1)
      }),
    60_000
  )

  it.live(
    "leads to a master that has become a replica (READONLY): it connects anew, to where the address leads now, within 5 s",
    () =>
      Effect.gen(function* () {
        const old = yield* ownRedis
        const { backend, broker, stage, start } = yield* makeProxied({ ...servers, redis: old })
        const worker = yield* start
        yield* consumes(stage)
        const next = yield* ownRedis
        const [atOld, atNext] = [new Redis(old.port), new Redis(next.port)]
        yield* Effect.addFinalizer(() => Effect.sync(() => [atOld, atNext].forEach((client) => client.disconnect())))
        yield* Effect.promise(async () => {
          await atNext.replicaof("127.0.0.1", old.port)
          while (!(await atNext.info("replication")).includes("master_link_status:up"))
            await new Promise((resolve) => setTimeout(resolve, 50))
          await atNext.replicaof("NO", "ONE")
          await atOld.replicaof("127.0.0.1", next.port)
        })
        // The name or the address leads to the new master; connections that are open stay where they are.
        yield* Effect.all([broker.moveTo(next.port), backend.moveTo(next.port)])
        const moved = {
          ...stage,
          raw: { broker: new Redis(`redis://127.0.0.1:${next.port}/${stage.broker.db}`), backend: stage.raw.backend }
        }
        yield* Effect.addFinalizer(() => Effect.sync(() => moved.raw.broker.disconnect()))
        const id = uniqueId("moved")
        const since = Date.now()
        const { queue, raw } = message({ id })
        yield* Effect.promise(() => moved.raw.broker.lpush(queue, raw))
        // The old one is the replica of the new, so the result shows there too.
        assert.strictEqual((yield* stage.final(id))?.status, "SUCCESS")
        assert.isBelow(Date.now() - since, 5_000)
        assert.strictEqual((yield* worker.health).status, 200)
      }),
    timed(60_000)
  )
})
