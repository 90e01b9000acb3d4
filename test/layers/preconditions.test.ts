import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { Redis } from "ioredis"
import { globSync, readFileSync } from "node:fs"
import { join } from "node:path"
import * as Migrations from "../../src/layers/postgres/Migrations.ts"
import { databaseFindings } from "../../src/layers/postgres/databasePreconditions.ts"
import { redisFindings } from "../../src/layers/redis/redisPreconditions.ts"
import { brokerNeeds, resultNeeds } from "../../src/layers/redis/rights.ts"
import { backend, broker } from "../../src/layers/redis/where.ts"
import type { Finding } from "../../src/services/Preconditions.ts"
import { describeWith, freshDatabase, ownRedisWith } from "../servers/index.ts"
import { settings } from "../support.ts"
import { connected } from "./databases.ts"

const raw = (url: string) =>
  Effect.acquireRelease(
    Effect.sync(() => new Redis(url)),
    (redis) => Effect.sync(() => redis.disconnect())
  )

/** What the two Redis databases of a worker are like. */
const look = Effect.fnUntraced(function* (url: (db: number) => string) {
  const urls = settings({ CELERY_BROKER_URL: url(4), CELERY_RESULT_BACKEND: url(5) })
  const [atBroker, atBackend] = yield* Effect.all([broker, backend]).pipe(Effect.provide(urls))
  const seen = new Set<string>()
  const needs = brokerNeeds(["generator_queue"], "/4.celery.pidbox", "/4.celeryev/worker.heartbeat")
  return [
    ...(yield* redisFindings(atBroker, needs, seen, atBackend)),
    ...(yield* redisFindings(atBackend, resultNeeds(""), seen))
  ]
})
const states = (findings: ReadonlyArray<Finding>): Record<string, string> =>
  Object.fromEntries(findings.map(({ state, what }) => [what, state]))
const says = (findings: ReadonlyArray<Finding>, what: string) => findings.find((finding) => finding.what === what)?.says ?? ""

const fine = {
  "broker memory": "ok",
  "broker on disk": "ok",
  "broker replicas": "ok",
  "broker rights": "ok",
  "broker wake-up": "ok",
  "results step": "ok",
  "results rights": "ok"
}

describeWith(["redis"], "what is looked at of Redis", () => {
  it.live("is well where it is as it should be, and leaves nothing behind", () =>
    Effect.gen(function* () {
      const server = yield* ownRedisWith({})
      assert.deepStrictEqual(states(yield* look(server.url)), fine)
      const redis = yield* raw(server.url(4))
      assert.deepStrictEqual(yield* Effect.promise(() => redis.keys("*")), [])
    })
  )

  it.live("shows what may throw away messages, with the command that mends it", () =>
    Effect.gen(function* () {
      const server = yield* ownRedisWith({
        more: { maxmemory: "100mb", "maxmemory-policy": "volatile-lru", appendonly: "no", save: "3600 1" }
      })
      const findings = yield* look(server.url)
      assert.deepStrictEqual(states(findings), { ...fine, "broker memory": "note", "broker on disk": "note" })
      assert.match(says(findings, "broker memory"), /volatile-lru: over 100 MB/)
      assert.match(says(findings, "broker on disk"), /snapshots alone \(save 3600 1\)/)
      for (const { advice, state } of findings) assert.strictEqual(advice !== "", state !== "ok")
    })
  )

  it.live("names the commands, keys and channels that a user lacks, of a server that answers no CONFIG, INFO or ACL too", () =>
    Effect.gen(function* () {
      const server = yield* ownRedisWith({})
      const admin = yield* raw(server.url(0))
      const user = (...rights: ReadonlyArray<string>) =>
        Effect.promise(() => admin.call("ACL", "SETUSER", "app", "reset", "on", ">word", ...rights))
      const url = (db: number) => `redis://app:word@${server.host}:${server.port}/${db}`
      const managed = ["+@all", "-config", "-info", "-acl", "-@dangerous"]

      yield* user("~*", "&*", ...managed)
      const told = yield* look(url)
      assert.deepStrictEqual(states(told), {
        "broker server": "ok",
        "broker rights": "ok",
        "broker wake-up": "ok",
        "results step": "ok",
        "results server": "ok",
        "results rights": "ok"
      })
      assert.match(says(told, "broker server"), /does not tell/)

      yield* user("~*", "&*", ...managed, "-exists", "-zadd", "-psubscribe", "-client|tracking")
      const commands = yield* look(url)
      assert.match(says(commands, "broker rights"), /user app lacks the commands EXISTS ZADD PSUBSCRIBE$/)
      assert.match(says(commands, "broker wake-up"), /asks for messages ten times a second$/)
      assert.match(says(commands, "results rights"), /user app lacks the commands ZADD$/)

      yield* user("~generator_queue*", "&celery-task-meta-*", ...managed)
      const narrow = yield* look(url)
      assert.match(says(narrow, "broker rights"), /lacks the keys unacked .* and the channels \/4\.celery\.pidbox/)
      assert.match(says(narrow, "results rights"), /lacks the keys celery-task-meta-id celery-taskset-meta-id$/)

      yield* user("~*", "&*", "+@all", "-multi")
      assert.match(says(yield* look(url), "broker rights"), /lacks the command MULTI$/)
      const four = yield* raw(server.url(4))
      assert.deepStrictEqual(yield* Effect.promise(() => four.keys("*")), [])
    })
  )

  it.live("tells whether one step stores a result and acknowledges, or two do", () =>
    Effect.gen(function* () {
      const server = yield* ownRedisWith({})
      const findings = (results: string) =>
        Effect.gen(function* () {
          const urls = settings({ CELERY_BROKER_URL: server.url(4), CELERY_RESULT_BACKEND: results })
          const [atBroker, atBackend] = yield* Effect.all([broker, backend]).pipe(Effect.provide(urls))
          return says(yield* redisFindings(atBroker, brokerNeeds([], "", ""), new Set(), atBackend), "results step")
        })
      assert.strictEqual(yield* findings(server.url(5)), "stored in the step that acknowledges")
      assert.match(yield* findings(server.url(5).replace("127.0.0.1", "localhost")), /^stored before a task is acknowledged/)
      assert.match(yield* findings(server.url(99)), /^a script may not SELECT here/) // there are 16
    })
  )

  it.live("is a replica that takes no writes", () =>
    Effect.gen(function* () {
      const master = yield* ownRedisWith({})
      const replica = yield* ownRedisWith({ more: { replicaof: `${master.host} ${master.port}` } })
      const findings = yield* look(replica.url)
      assert.strictEqual(states(findings)["broker replicas"], "bad")
    })
  )
})

describe("the rights that are looked at", () => {
  it("are those of every command that a script of ours calls", () => {
    const root = join(import.meta.dirname, "..", "..", "src", "layers")
    const called = globSync("**/*.ts", { cwd: root }).flatMap((file) =>
      [...readFileSync(join(root, file), "utf8").matchAll(/redis\.p?call\('([A-Z]+)'/g)].map(([, name]) => name!)
    )
    const { commands } = brokerNeeds([], "", "")
    assert.isAbove(called.length, 20)
    assert.deepStrictEqual(
      [...new Set(called)].filter((name) => !commands.includes(name)),
      ["SELECT"] // looked at beside: where a script may not, two steps do what one does
    )
  })
})

describeWith(["postgres"], "what is looked at of the table", ({ postgres }) => {
  const after = (change: string) =>
    Effect.gen(function* () {
      const { directUrl, url } = yield* freshDatabase(postgres)
      yield* Effect.provide(Migrations.migrate, connected(url))
      if (change !== "")
        yield* Effect.flatMap(SqlClient.SqlClient, (sql) =>
          // It uses every column: a hand that changes one puts it aside first.
          Effect.andThen(sql`DROP VIEW model_library_approved`, sql.unsafe(change))
        ).pipe(Effect.provide(connected(directUrl)))
      return yield* Effect.provide(databaseFindings, connected(url))
    })

  it.live("is well as migrate makes it", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(states(yield* after("")), { table: "ok", "database rights": "ok", ledger: "ok" })
    })
  )

  const changes: ReadonlyArray<readonly [change: string, what: string, state: string, says: RegExp]> = [
    ["DROP TABLE model_library", "table", "bad", /no model_library/],
    ["ALTER TABLE model_library DROP COLUMN metadata", "table", "bad", /has no metadata jsonb/],
    ["ALTER TABLE model_library ADD COLUMN tenant text NOT NULL", "table", "bad", /tenant NOT NULL/],
    ["ALTER TABLE model_library ADD COLUMN tenant text NOT NULL DEFAULT ''", "table", "ok", /all columns/],
    ["ALTER TABLE model_library ALTER COLUMN gender TYPE varchar(6)", "table", "note", /gender is character varying\(6\)/],
    ["ALTER TABLE model_library ALTER COLUMN gender TYPE text", "table", "ok", /all columns/],
    ["REVOKE INSERT ON model_library FROM worker", "database rights", "bad", /user worker may not INSERT/],
    ["SELECT 1", "ledger", "ok", /may read and add to model_ledger/],
    ["DROP TABLE model_ledger", "ledger", "bad", /no model_ledger/],
    ["REVOKE SELECT, INSERT ON model_ledger FROM worker", "ledger", "bad", /may not SELECT and INSERT on model_ledger/]
  ]
  for (const [change, what, state, words] of changes)
    it.live(`is ${state} after ${change}`, () =>
      Effect.gen(function* () {
        const findings = yield* after(change)
        assert.strictEqual(states(findings)[what], state)
        assert.match(says(findings, what), words)
      })
    )
})
