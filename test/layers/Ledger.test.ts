import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import * as LedgerSql from "../../src/layers/postgres/LedgerSql.ts"
import * as Migrations from "../../src/layers/postgres/Migrations.ts"
import * as ModelLibraryMemory from "../../src/layers/memory/ModelLibraryMemory.ts"
import * as ModelLibrarySql from "../../src/layers/postgres/ModelLibrarySql.ts"
import { Ledger } from "../../src/services/Ledger.ts"
import { everything, ModelLibrary } from "../../src/services/ModelLibrary.ts"
import { aRow, ledgerContract } from "../contracts/ledger.ts"
import { aModel } from "../contracts/modelLibrary.ts"
import { describeWith, freshDatabase } from "../servers/index.ts"
import { connected, embedded, pooled } from "./databases.ts"

const both = <A extends SqlClient, E>(database: Layer.Layer<A, E>) =>
  Layer.mergeAll(ModelLibrarySql.layer, LedgerSql.layer).pipe(
    Layer.provideMerge(Layer.effectDiscard(Migrations.migrate)),
    Layer.provideMerge(database)
  )

ledgerContract("LedgerMemory", ModelLibraryMemory.layer)
ledgerContract("LedgerSql on PGlite", both(embedded))

describeWith(["postgres"], "LedgerSql on PostgreSQL through PgBouncer", ({ postgres }) => {
  ledgerContract("LedgerSql", both(pooled(postgres)))

  it.live("needs the rights to add and to read, and no other; without them no picture is saved, and none is rehearsed", () =>
    Effect.gen(function* () {
      const { directUrl, url } = yield* freshDatabase(postgres)
      yield* Effect.provide(Migrations.migrate, connected(url))
      const may = (statement: string) =>
        Effect.flatMap(SqlClient, (sql) => sql.unsafe(statement)).pipe(Effect.provide(Layer.fresh(connected(directUrl))))
      yield* may("REVOKE ALL ON model_library, model_ledger, model_ledger_bills FROM worker")
      yield* may("GRANT SELECT, INSERT ON model_library, model_ledger, model_ledger_bills TO worker")
      yield* Effect.gen(function* () {
        const { list, record, totals } = yield* Ledger
        const { rehearse, save } = yield* ModelLibrary
        const [row, paid] = [aRow(), aRow({ at: 1 })]
        yield* record([row])
        yield* record([row])
        yield* save(aModel(), [paid])
        yield* rehearse
        assert.deepStrictEqual(yield* list({ since: null, until: null }, null, 10), [row, paid])
        assert.lengthOf(yield* totals("day", { since: null, until: null }), 1)
        yield* may("REVOKE INSERT ON model_ledger FROM worker")
        const error = yield* Effect.flip(save(aModel(), [aRow()]))
        assert.isTrue(error.retryable)
        assert.match((yield* Effect.flip(rehearse)).message, /model_ledger/)
        assert.lengthOf(yield* (yield* ModelLibrary).list(everything, null, 10), 1)
      }).pipe(Effect.provide(Layer.mergeAll(ModelLibrarySql.layer, LedgerSql.layer).pipe(Layer.provide(connected(url)))))
    })
  )
})
