import { Clock, Effect } from "effect"
import { Metrics } from "../../services/Metrics.ts"
import { isNews, Vitals } from "../../services/Vitals.ts"
import { tryAgain } from "../generation/tasks/libraryCircuit.ts"
import type { Self } from "../runtime/Supervisor.ts"
import { forgetOld, withoutWork } from "../task/obstacles.ts"

const isCalm = ({ insisting, journalAway, library, obstacles }: Vitals["Service"]) =>
  obstacles.size === 0 && insisting.size === 0 && journalAway === undefined && library.closed === ""

/**
 * While something is closed that tasks need, looks each second whether it still is and whether that leaves this worker any work,
 * and says so when it changes: in the log, as an event and in the metrics. Otherwise it sleeps.
 */
export const watch = (told: (why: string) => Effect.Effect<void>) => (self: Self) =>
  Effect.gen(function* () {
    const metrics = yield* Metrics
    const vitals = yield* Vitals
    let said = ""
    yield* self.doing("nothing is closed")
    while (true) {
      yield* vitals.noticed.await
      yield* tryAgain
      const now = yield* Clock.currentTimeMillis
      forgetOld(vitals, now)
      const why = withoutWork(vitals, now)
      if (why !== said) {
        if (why === "") {
          vitals.logged.delete("waiting")
          yield* Effect.logInfo("tasks can run again")
        } else if (isNews(vitals, "waiting", now))
          yield* Effect.logError("tasks can only wait now: no further task is claimed for a while", { why })
        if (said === "") yield* metrics.count("pauses_total", { reason: "closed" })
        if (vitals.paused === "") yield* metrics.set("consuming", {}, why === "" ? 1 : 0)
        yield* told(why)
        yield* self.doing(why === "" ? "nothing is closed" : why)
        said = why
      }
      if (why !== "") yield* metrics.count("paused_seconds_total", { reason: "closed" }, 1)
      if (why === "" && isCalm(vitals)) yield* vitals.noticed.close
      yield* Effect.sleep("1 second")
    }
  })
