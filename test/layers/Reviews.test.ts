import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { randomUUID } from "node:crypto"
import * as ModelLibraryMemory from "../../src/layers/memory/ModelLibraryMemory.ts"
import * as ReviewsMemory from "../../src/layers/memory/ReviewsMemory.ts"
import * as AuditSql from "../../src/layers/postgres/AuditSql.ts"
import * as LedgerSql from "../../src/layers/postgres/LedgerSql.ts"
import * as Migrations from "../../src/layers/postgres/Migrations.ts"
import * as ModelLibrarySql from "../../src/layers/postgres/ModelLibrarySql.ts"
import * as ReviewsSql from "../../src/layers/postgres/ReviewsSql.ts"
import { ModelLibrary } from "../../src/services/ModelLibrary.ts"
import { anything, Reviews } from "../../src/services/Reviews.ts"
import { aModel } from "../contracts/modelLibrary.ts"
import { reviewsContract } from "../contracts/reviews.ts"
import { describeWith, freshDatabase } from "../servers/index.ts"
import { connected, embedded, pooled } from "./databases.ts"

const layers = Layer.mergeAll(ModelLibrarySql.layer, LedgerSql.layer, ReviewsSql.layer, AuditSql.layer)
const all = <A extends SqlClient, E>(database: Layer.Layer<A, E>) =>
  layers.pipe(Layer.provideMerge(Layer.effectDiscard(Migrations.migrate)), Layer.provideMerge(database))

reviewsContract("ReviewsMemory", ReviewsMemory.layer.pipe(Layer.provideMerge(ModelLibraryMemory.layer)))
reviewsContract("ReviewsSql on PGlite", all(embedded))

describeWith(["postgres"], "ReviewsSql on PostgreSQL through PgBouncer", ({ postgres }) => {
  reviewsContract("ReviewsSql", all(pooled(postgres)))

  it.live("needs the rights to add and to read, and the App Server reads what is approved from the view alone", () =>
    Effect.gen(function* () {
      const { directUrl, url } = yield* freshDatabase(postgres)
      yield* Effect.provide(Migrations.migrate, connected(url))
      const may = (statement: string) =>
        Effect.flatMap(SqlClient, (sql) => sql.unsafe(statement)).pipe(Effect.provide(Layer.fresh(connected(directUrl))))
      yield* may("REVOKE ALL ON model_library, model_ledger, model_review, model_audit FROM worker")
      // Not on `model_verdict`: its owner, who is the same role here, writes it for whoever adds a decision.
      yield* may("GRANT SELECT, INSERT ON model_library, model_ledger, model_review, model_audit TO worker")
      yield* Effect.gen(function* () {
        const { decide, list } = yield* Reviews
        const { save } = yield* ModelLibrary
        const [good, bad] = [yield* save(aModel()), yield* save(aModel())]
        const approved = () => may("SELECT id::text AS id FROM model_library_approved")
        assert.deepStrictEqual(yield* approved(), [])
        const first = yield* decide({
          id: randomUUID(),
          modelId: bad.id,
          verdict: "approved",
          reason: null,
          who: "a",
          seen: null
        })
        yield* decide({ id: randomUUID(), modelId: bad.id, verdict: "rejected", reason: null, who: "a", seen: first.id })
        yield* decide({ id: randomUUID(), modelId: good.id, verdict: "approved", reason: null, who: "a", seen: null })
        assert.deepStrictEqual(yield* approved(), [{ id: good.id }])
        assert.lengthOf(yield* list(anything, null, 10), 2)
      }).pipe(Effect.provide(layers.pipe(Layer.provide(connected(url)))))
    })
  )
})
