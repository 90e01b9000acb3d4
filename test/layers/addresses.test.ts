import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { rmSync, writeFileSync } from "node:fs"
import { networkInterfaces } from "node:os"
import { join } from "node:path"
import * as Migrations from "../../src/layers/postgres/Migrations.ts"
import * as ModelLibrarySql from "../../src/layers/postgres/ModelLibrarySql.ts"
import * as ResultStoreRedis from "../../src/layers/redis/ResultStoreRedis.ts"
import { explain } from "../../src/programs/explain.ts"
import { ModelLibrary } from "../../src/services/ModelLibrary.ts"
import { ResultStore } from "../../src/services/ResultStore.ts"
import { describeWith, freshDatabase, ownPostgresWith, ownRedisWith } from "../servers/index.ts"
import { freePort, pathOf, start, temporaryFolder } from "../servers/Process.ts"
import { certificates, missing } from "../servers/tls.ts"
import { settings } from "../support.ts"
import { connected } from "./databases.ts"

/** What becomes of a question to Redis: "" when it is answered. */
const askRedis = (url: string, more: Readonly<Record<string, string>> = {}) =>
  Effect.flatMap(ResultStore, ({ ping }) => ping).pipe(
    Effect.provide(ResultStoreRedis.layer.pipe(Layer.provide(settings({ CELERY_RESULT_BACKEND: url, ...more })), Layer.orDie)),
    Effect.match({ onSuccess: () => "", onFailure: explain })
  )
const askDatabase = (url: string) =>
  Effect.flatMap(ModelLibrary, ({ ping }) => ping).pipe(
    Effect.provide(ModelLibrarySql.layer.pipe(Layer.provide(connected(url)))),
    Effect.match({ onSuccess: () => "", onFailure: explain })
  )

const folder = (name: string) =>
  Effect.acquireRelease(
    Effect.sync(() => temporaryFolder(name)),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  )
const hasV6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === "::1"))

describeWith(["redis"], "Redis is reached", () => {
  it.live.runIf(hasV6)("at an IPv6 address", () =>
    Effect.gen(function* () {
      const { port } = yield* ownRedisWith({ more: { bind: "127.0.0.1 ::1" } })
      assert.strictEqual(yield* askRedis(`redis://[::1]:${port}/4`), "")
    })
  )

  it.live("by a unix socket, and with a password that holds a %", () =>
    Effect.gen(function* () {
      const path = join(yield* folder("socket"), "redis.sock")
      const { host, port } = yield* ownRedisWith({ more: { unixsocket: path, requirepass: "100%" } })
      assert.strictEqual(yield* askRedis(`redis+socket://:100%@${path}?virtual_host=4`), "")
      assert.strictEqual(yield* askRedis(`redis://:100%@${host}:${port}/4`), "")
      assert.strictEqual(yield* askRedis(`redis://${host}:${port}/4`, { REDIS_PASSWORD: "100%" }), "")
      assert.match(yield* askRedis(`redis+socket://:200%@${path}?virtual_host=4`), /WRONGPASS/)
    })
  )

  it.live("through sentinels that want a password of their own", () =>
    Effect.gen(function* () {
      const { port } = yield* ownRedisWith({ more: { requirepass: "the-masters" } })
      const sentinel = yield* Effect.acquireRelease(
        Effect.promise(async () => {
          const home = temporaryFolder("sentinel")
          const own = await freePort()
          const lines = [
            `port ${own}`,
            `dir ${home}`,
            "requirepass the-sentinels",
            `sentinel monitor mymaster 127.0.0.1 ${port} 1`,
            "sentinel auth-pass mymaster the-masters"
          ]
          writeFileSync(join(home, "sentinel.conf"), `${lines.join("\n")}\n`)
          const command = [pathOf("redis-server"), join(home, "sentinel.conf"), "--sentinel"]
          return { port: own, ...(await start({ command, folder: home, ready: /\+monitor master/, stopSignal: "KILL" })) }
        }),
        (server) => Effect.promise(() => server.remove())
      )
      const url = `sentinel://:the-masters@127.0.0.1:${sentinel.port},127.0.0.1:1/4`
      assert.strictEqual(yield* askRedis(url, { REDIS_SENTINEL_PASSWORD: "the-sentinels" }), "")
      assert.notStrictEqual(yield* askRedis(url), "")
    })
  )
})

describeWith(["postgres"], "PostgreSQL that refuses is told in one line with what to look at", ({ postgres }) => {
  it.live("a wrong password, and a database that is not there", () =>
    Effect.gen(function* () {
      const { directUrl, url } = yield* freshDatabase(postgres)
      for (const [wrong, says] of [
        [directUrl.replace(postgres.password, "hunter2"), /password authentication failed.*28P01.*DATABASE_URL/],
        [url.replace(postgres.password, "hunter2"), /password authentication failed|SASL authentication failed/],
        [directUrl.replace(/\/[^/]*$/, "/nowhere"), /"nowhere" does not exist.*3D000.*DATABASE_URL/],
        [url.replace(/\/[^/]*$/, "/nowhere"), /nowhere/]
      ] as const) {
        const said = yield* askDatabase(wrong)
        assert.match(said, says)
        assert.notMatch(said, /hunter2|\n/)
      }
    })
  )
})

if (missing() === undefined)
  describeWith(["postgres"], "PostgreSQL over TLS", () => {
    it.live(
      "is checked as psql checks it",
      () =>
        Effect.gen(function* () {
          const { ca, certificate, key } = yield* Effect.acquireRelease(Effect.sync(certificates), ({ folder }) =>
            Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
          )
          const server = yield* ownPostgresWith({ ssl: "on", ssl_cert_file: certificate, ssl_key_file: key })
          const { directUrl } = yield* freshDatabase(server)
          yield* Effect.provide(Migrations.migrate, connected(directUrl))
          const ask = (host: string, query: string) => askDatabase(`${directUrl.replace("127.0.0.1", host)}?${query}`)
          assert.strictEqual(yield* ask("localhost", "sslmode=disable"), "")
          assert.strictEqual(yield* ask("127.0.0.1", "sslmode=require"), "")
          assert.strictEqual(yield* ask("127.0.0.1", `sslmode=require&sslrootcert=${ca}`), "")
          assert.strictEqual(yield* ask("127.0.0.1", `sslmode=verify-ca&sslrootcert=${ca}`), "")
          assert.strictEqual(yield* ask("localhost", `sslmode=verify-full&sslrootcert=${ca}`), "")
          assert.match(yield* ask("127.0.0.1", `sslmode=verify-full&sslrootcert=${ca}`), /sslmode=verify-ca/)
          assert.match(yield* ask("localhost", "sslmode=verify-full"), /sslrootcert=/)
          assert.match(yield* ask("localhost", "sslmode=verify-ca"), /sslrootcert=/)
        }),
      60_000
    )
  })
