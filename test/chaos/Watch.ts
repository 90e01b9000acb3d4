/** What one worker is about, read off its wires: never from what it says of itself. */
import { createHash } from "node:crypto"
import { claim } from "../../src/layers/redis/scripts/claim.ts"
import { findEntry } from "../../src/layers/redis/scripts/findEntry.ts"
import { replaceEntry } from "../../src/layers/redis/scripts/replaceEntry.ts"
import { retry } from "../../src/layers/redis/scripts/retry.ts"
import { endHold } from "../../src/layers/redis/scripts/endHold.ts"

/** The steps of a task's life, named by what the worker has just done when it is stopped there. */
export const steps = [
  "claimed",
  "intended",
  "submitted, not journalled",
  "journalled",
  "ended at fal",
  "fetched, not journalled",
  "generated",
  "stored, not journalled",
  "stored",
  "inserted, not committed",
  "saved",
  "result stored",
  "acknowledged",
  "acknowledged, the next claimed",
  "retry stored",
  "retry scheduled"
] as const
export type Step = (typeof steps)[number]
/** Steps of a worker that has a media store. */
const keeping: ReadonlySet<Step> = new Set(["stored, not journalled", "stored"])
export const stepsOf = (keepsPictures: boolean) => steps.filter((step) => keepsPictures || !keeping.has(step))
export type Server = "redis" | "postgres" | "fal"

/** A script is sent in full when a connection uses it for the first time, and then by its digest. */
const runs = ({ lua }: { readonly lua: string }) => {
  const digest = createHash("sha1").update(lua).digest("hex")
  return (request: string) => request.includes(digest) || request.includes(lua)
}
const [claims, settles, retries] = [runs(claim), runs(endHold), runs(retry)]
const [finds, writes] = [runs(findEntry), runs(replaceEntry)]
const journalled = /model-generator\.journal:(\S+)/

/** The id of the task that a claim answers with. */
const nextIn = (answer: string) => /"id": ?"([^"]+)"/.exec(answer)?.[1]

export interface Glimpse {
  readonly step: Step | undefined
  /** To be called when the request is carried. */
  readonly carried?: () => void
  readonly answered?: (answer: string) => void
}

export class Watch {
  /** The task in hand. */
  task: string | undefined
  /** Its submit is out, and that Redis knows fal's answer has not been seen: a death now makes it uncertain. */
  asking = false
  /** An earlier submit of it is uncertain: one more would be the last. */
  doubtful = false
  private lastEnd: Step | undefined
  /** The journal says that the picture of the task in hand is in the media store. */
  private stored = false
  /** The journal has been asked about the task in hand. */
  private found = false

  /** The worker is dead. */
  reset(): void {
    this.take(undefined)
    this.lastEnd = undefined
  }

  private take(task: string | undefined): void {
    if (task === this.task) return
    this.task = task
    this.asking = false
    this.doubtful = false
    this.stored = false
  }

  /** What this request says of the worker that makes it. Each task's requests come one after the other. */
  see(server: Server, request: string): Glimpse {
    switch (server) {
      case "redis":
        return this.seeRedis(request)
      case "postgres":
        if (request.includes("pg_advisory_xact_lock")) return { step: this.stored ? "stored" : "generated" }
        return { step: request.includes("COMMIT") ? "inserted, not committed" : undefined }
      case "fal":
        if (request.startsWith("POST ")) {
          return {
            step: "intended",
            carried: () => (this.asking = true),
            answered: (answer) => {
              if (!answer.startsWith("HTTP/1.1 200")) this.asking = false // refused, so nothing was bought
            }
          }
        }
        if (/^GET \S+\/requests\/[^/ ]+\/status/.test(request)) {
          this.asking = false // to look after a request is to have it in the journal: no excuse is left
          return { step: "journalled" }
        }
        if (request.startsWith("GET /media/")) return { step: "generated" }
        return { step: request.startsWith("GET ") ? "ended at fal" : undefined }
    }
  }

  private seeRedis(request: string): Glimpse {
    if (this.lastEnd === "acknowledged, the next claimed" && !settles(request)) {
      this.lastEnd = undefined
      return { ...this.seeNext(request), step: "acknowledged, the next claimed" }
    }
    return this.seeNext(request)
  }

  private seeNext(request: string): Glimpse {
    if (finds(request)) {
      // Each write begins with a look of its own: only the first one says that a task was taken up.
      // Unless the claim's answer came in two pieces, of which only the first was seen.
      if (this.found && this.task !== undefined) return { step: undefined }
      return {
        step: "claimed",
        carried: () => {
          this.found = true
          this.take(journalled.exec(request)?.[1])
        },
        answered: (answer) => {
          this.doubtful = answer.includes('"Intended"')
          this.stored = answer.includes('"media"')
        }
      }
    }
    if (writes(request)) {
      if (request.includes('"media"')) return { step: "stored, not journalled", carried: () => (this.stored = true) }
      if (request.includes('"Generated"')) return { step: "fetched, not journalled" }
      if (!this.asking || !request.includes('"Submitted"')) return { step: undefined }
      return {
        step: "submitted, not journalled",
        answered: (answer) => {
          if (answer.startsWith("$7\r\nwritten\r\n")) this.asking = false
        }
      }
    }
    const tellsSuccess = /celery-task-meta-\S+\r\n.*"status": ?"SUCCESS"/s.test(request)
    if (settles(request)) {
      // Where one server keeps queue and results, the same request stores the result.
      const step = tellsSuccess ? "saved" : "result stored"
      const answered = (answer: string) => {
        const next = nextIn(answer)
        if (next === undefined) return
        this.take(next)
        this.found = false
        this.lastEnd = "acknowledged, the next claimed"
      }
      return { step, carried: () => this.end("acknowledged"), answered }
    }
    if (tellsSuccess) return { step: "saved" }
    if (retries(request)) return { step: "retry stored", carried: () => this.end("retry scheduled") }
    if (claims(request)) {
      const step = this.lastEnd
      return {
        step,
        carried: () => {
          this.lastEnd = undefined
          this.found = false
        },
        answered: (answer) => this.take(nextIn(answer) ?? this.task)
      }
    }
    return { step: undefined }
  }

  private end(how: Step): void {
    this.take(undefined)
    this.lastEnd = how
  }
}
