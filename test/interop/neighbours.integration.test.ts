import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { describeWith } from "../servers/index.ts"
import { eventually, message } from "../support.ts"
import { celery, startStock } from "./celeryCommand.ts"
import { five } from "./pictures.ts"
import { makeStage, nothing } from "./stage.ts"

const generate = (id: string) => message({ id, task: "generate_model", kwargs: five })

describeWith(["redis", "postgres", "celery53"], "a stock worker beside ours on one queue", (servers) => {
  const { python } = servers.celery53
  type Stage = Effect.Success<ReturnType<typeof makeStage>>
  const by = (stage: Stage, id: string) => Effect.map(stage.result(id), (document) => document?.result["by"] ?? "ours")
  const troubles = (log: string) => log.split("\n").filter((line) => /ERROR|CRITICAL|Traceback|missed heartbeat|drift/.test(line))

  it.live(
    "meets it by mingle and gossip without a word of complaint, shares the work, and knows what the other knows",
    () =>
      Effect.gen(function* () {
        const stage = yield* makeStage(servers)
        const ours = yield* stage.start()
        yield* celery(python, stage, "control", "revoke", "gone")
        const stock = yield* startStock(python, stage)
        assert.match(yield* stock.printed, /mingle: sync with 1 nodes/)
        const revoked = yield* celery(python, stage, "inspect", "revoked", "-d", "stock@host")
        assert.include(revoked.out, "* gone")
        // Who takes a task is chance, and a busy machine may leave eight of them to one.
        const who = new Set<unknown>()
        for (let round = 0; round < 10 && who.size < 2; round++) {
          const ids = Array.from({ length: 8 }, (_, n) => `shared-${round}-${n}`)
          for (const id of ids) yield* stage.push(generate(id))
          for (const id of ids) assert.strictEqual((yield* stage.final(id))?.status, "SUCCESS")
          for (const id of ids) who.add(yield* by(stage, id))
        }
        assert.sameMembers([...who], ["stock", "ours"])
        yield* Effect.sleep("6 seconds") // gossip looks every five
        const status = yield* celery(python, stage, "status")
        assert.include(status.out, "2 nodes online.")
        yield* ours.signal("SIGTERM")
        assert.deepStrictEqual(yield* ours.exited, { code: 0, signal: null })
        yield* Effect.sleep("6 seconds")
        assert.deepStrictEqual(troubles(yield* stock.printed), [])
      }),
    90_000
  )

  it.live(
    "the message that a killed stock worker held is restored by ours",
    () =>
      Effect.gen(function* () {
        const stage = yield* makeStage(servers)
        const stock = yield* startStock(python, stage, { SECONDS_A_TASK: "120", VISIBILITY: "3" })
        yield* stage.push(generate("held"))
        yield* eventually("stock runs it", stock.printed, (log) => log.includes("generate_model[held] received"))
        yield* stock.signal("SIGKILL")
        yield* stage.start({ VISIBILITY_TIMEOUT: "3" })
        assert.strictEqual((yield* stage.final("held"))?.status, "SUCCESS")
        assert.strictEqual(yield* by(stage, "held"), "ours")
        assert.deepStrictEqual(yield* stage.left, nothing)
      }),
    60_000
  )

  it.live(
    "the message that our killed worker held is restored by a stock one, and ours alone keeps what it still holds",
    () =>
      Effect.gen(function* () {
        const stage = yield* makeStage(servers, { pictureSeconds: 14 })
        const ours = yield* stage.start({ VISIBILITY_TIMEOUT: "8" })
        yield* stage.push(generate("long"))
        yield* eventually("ours runs it", stage.fal.ledger, (rows) => rows.length === 1)
        yield* Effect.sleep("9 seconds") // longer than the visibility timeout, so only a refreshed score keeps it ours
        const watcher = yield* startStock(python, stage, { VISIBILITY: "8" }) // a stock worker restores when it starts
        assert.strictEqual((yield* stage.final("long"))?.status, "SUCCESS")
        assert.strictEqual(yield* by(stage, "long"), "ours")
        assert.notInclude(yield* watcher.printed, "long")
        // Killed, it would lose a message that comes within its BRPOP: that is stock's own hole.
        yield* Effect.sync(() => process.kill(watcher.pid, "SIGTERM"))
        yield* watcher.ended

        yield* stage.push(generate("lost"))
        yield* eventually("ours runs it", stage.fal.ledger, (rows) => rows.length === 2)
        yield* ours.signal("SIGKILL")
        yield* ours.exited
        yield* Effect.sleep("9 seconds")
        yield* startStock(python, stage, { VISIBILITY: "8" })
        assert.strictEqual((yield* stage.final("lost"))?.status, "SUCCESS")
        assert.strictEqual(yield* by(stage, "lost"), "stock")
        yield* eventually("nothing is left", stage.left, (left) => left.queued === 0 && left.unacked === 0)
      }),
    120_000
  )
})
