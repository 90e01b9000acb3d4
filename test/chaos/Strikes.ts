/** Stops a worker exactly where it was decided to, and keeps the books that the judge needs. */
import { Deferred, Effect } from "effect"
import type { Seen } from "../servers/wire.ts"
import type { Glimpse, Step } from "./Watch.ts"
import type { Worker } from "./Worker.ts"

export interface Strike {
  /** As `kill -9`; by losing the answer to what it asks next; by SIGSTOP. */
  readonly how: "kill" | "lose" | "freeze"
  readonly step: Step
}

/** The task is no longer in its hands, so that its end there is not held against the task. */
const afterwards: ReadonlySet<Step> = new Set(["acknowledged", "retry scheduled"])
const paying: ReadonlySet<Step> = new Set(["intended", "submitted, not journalled"])

export class Strikes {
  readonly done = { kill: new Map<Step, number>(), lose: new Map<Step, number>(), freeze: new Map<Step, number>() }
  /** Tasks whose submit fal took and whose answer we kept from Redis: one more submit of each is as promised. */
  readonly uncertain = new Set<string>()
  private readonly blows = new Map<string, number>()
  private armed: { readonly strike: Strike; readonly struck: Deferred.Deferred<Worker> } | undefined
  private readonly log: (line: string) => void

  constructor(log: (line: string) => void) {
    this.log = log
  }

  /** Waits for the first worker that comes to this step, and strikes. */
  readonly arm = (strike: Strike) =>
    Effect.suspend(() => {
      const struck = Deferred.makeUnsafe<Worker>()
      this.armed = { strike, struck }
      return Effect.ensuring(
        Deferred.await(struck),
        Effect.sync(() => (this.armed = undefined))
      )
    })

  /** Three deaths are the end of a task, and so is a second lost submit; both are promised, and would hide what is not. */
  spares({ watch }: Worker, step?: Step): boolean {
    const worn = watch.task !== undefined && (this.blows.get(watch.task) ?? 0) >= 2
    if (step === undefined) return worn || watch.doubtful
    return (worn && !afterwards.has(step)) || (watch.doubtful && paying.has(step))
  }

  kill(worker: Worker): void {
    this.blow(worker)
    worker.kill()
  }

  private blow({ watch }: Worker): void {
    if (watch.task === undefined) return
    this.blows.set(watch.task, (this.blows.get(watch.task) ?? 0) + 1)
    if (watch.asking) this.uncertain.add(watch.task)
  }

  /** What becomes of a request with which a worker would leave a step behind. */
  readonly look = (worker: Worker, { step }: Glimpse): Seen["fate"] => {
    const { armed } = this
    if (armed === undefined || step !== armed.strike.step || worker.frozen || this.spares(worker, step)) return "carry"
    this.armed = undefined
    Deferred.doneUnsafe(armed.struck, Effect.succeed(worker))
    const { how } = armed.strike
    const { task } = worker.watch
    this.log(`${how} ${worker.name}: ${step} ${task ?? ""}`)
    this.done[how].set(step, (this.done[how].get(step) ?? 0) + 1)
    switch (how) {
      case "kill":
        this.kill(worker)
        return "drop"
      case "lose":
        if (step === "intended" && task !== undefined) this.uncertain.add(task)
        return "lose"
      case "freeze":
        this.blow(worker)
        worker.freeze()
        return "carry"
    }
  }
}
