import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { rmSync } from "node:fs"
import * as ResultStoreRedis from "../../src/layers/redis/ResultStoreRedis.ts"
import { explain } from "../../src/programs/explain.ts"
import { ResultStore } from "../../src/services/ResultStore.ts"
import { describeWith, ownRedisWith } from "../servers/index.ts"
import { freePort } from "../servers/Process.ts"
import { certificates, missing } from "../servers/tls.ts"
import { settings } from "../support.ts"

const signed = Effect.acquireRelease(Effect.sync(certificates), ({ folder }) =>
  Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

/** What becomes of a question to Redis: "" when it is answered. */
const ask = (url: string) =>
  Effect.flatMap(ResultStore, ({ ping }) => ping).pipe(
    Effect.provide(ResultStoreRedis.layer.pipe(Layer.provide(settings({ CELERY_RESULT_BACKEND: url })), Layer.orDie)),
    Effect.match({ onSuccess: () => "", onFailure: explain })
  )

if (missing() === undefined)
  describeWith(["redis"], "Redis over TLS", () => {
    it.live(
      "is checked as the URL's parameters say, and what is wrong is said with what to do",
      () =>
        Effect.gen(function* () {
          const { ca, certificate, key } = yield* signed
          const port = yield* Effect.promise(freePort)
          const server = yield* ownRedisWith({
            more: {
              "tls-port": String(port),
              "tls-cert-file": certificate,
              "tls-key-file": key,
              "tls-ca-cert-file": ca,
              "tls-auth-clients": "no"
            }
          })
          const at = (host: string, query: string) => ask(`rediss://${host}:${port}/4?${query}`)
          assert.strictEqual(yield* at("localhost", `ssl_ca_certs=${ca}`), "")
          assert.strictEqual(yield* at("localhost", `ssl_ca_certs=${ca}&ssl_cert_reqs=required&ssl_check_hostname=true`), "")
          assert.strictEqual(yield* at("127.0.0.1", `ssl_ca_certs=${ca}&ssl_check_hostname=false`), "")
          assert.strictEqual(yield* at("127.0.0.1", "ssl_cert_reqs=none"), "")
          assert.match(yield* at("127.0.0.1", `ssl_ca_certs=${ca}`), /ssl_check_hostname=false/)
          assert.match(yield* at("localhost", ""), /ssl_ca_certs=/)
          assert.match(yield* at("localhost", "ssl_cert_reqs=optional"), /ssl_ca_certs=/)
          assert.match(yield* ask(`rediss://${server.host}:${server.port}/4`), /does the server speak TLS there\?/)
          assert.match(yield* ask(`redis://localhost:${port}/4`), /does it want TLS \(rediss:\/\/\)/)
        }),
      30_000
    )
  })
