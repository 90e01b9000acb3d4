import * as Ledger from "../../services/Ledger.ts"
import * as NanoDollars from "../../services/NanoDollars.ts"
import { type Found, headersOf } from "../../services/QueueInspector.ts"
import { isFinal } from "../../services/ResultStore.ts"
import type { LifeEvent, Lived } from "../../services/TaskLives.ts"
import * as Text from "../../wire/Text.ts"
import { errorOf } from "./client.ts"
import type { Facts } from "./whyFacts.ts"

/** One task's life in words. */

export interface Line {
  /** Unix milliseconds. */
  readonly at: number
  /** Empty where no worker did it. */
  readonly worker: string
  readonly says: string
}
export interface Story {
  readonly task: string | null
  /** How it stands, in a few words. */
  readonly state: string
  readonly lines: ReadonlyArray<Line>
  /** What is known beside, under its name. */
  readonly facts: ReadonlyArray<readonly [name: string, says: string]>
}

/** A time that has passed, with as many digits as a person needs. */
export const duration = (ms: number): string => {
  if (ms < 1000) return `${Math.round(ms)} ms`
  const seconds = ms / 1000
  if (seconds < 10) return `${seconds.toFixed(1)} s`
  if (seconds < 120) return `${Math.round(seconds)} s`
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} days`
}

const endOf = (why: string | undefined) => (why === undefined || why === "" ? "" : `: ${why}`)

const crashes = {
  none: "its message went back to the queue: the worker had not acknowledged it",
  alone: "the worker is gone, and its message went back to the queue: it held no other, so this counts as a crash of the task",
  company: "the worker is gone, and its message went back to the queue: it held others too, so the task will run alone next"
} as const

/** Why a message is parked, where the bare word would not say it. */
const waits: Readonly<Record<string, string>> = {
  "not due": "it is not due yet (ETA)",
  "rate limit": "its turn under the rate limit has not come",
  "no room at fal": "fal works on as many requests as FAL_MAX_CONCURRENT allows",
  "fal is down": "nothing is submitted while fal is down",
  "the broker is away": "the limits of the fleet could not be asked",
  "fal busy": "fal has named a time to come again",
  budget: "its budget has no money left",
  "already running": "the same task runs already",
  "rests after crashes": "it rests, as workers died over it and its picture is paid"
}

const saysOf = (event: LifeEvent): string => {
  switch (event._tag) {
    case "Intended":
      return event.resubmits === 0
        ? `wrote down that it asks fal for a picture (${event.endpoint})`
        : `wrote down that it asks fal once more, as the request before was lost (${event.endpoint})`
    case "Submitted":
      return `fal accepted it as request ${event.requestId}`
    case "Resumed":
      return `waits for request ${event.requestId} again: nothing is bought twice`
    case "Unknown":
      return `fal does not know request ${event.requestId}`
    case "PictureMade": {
      const { inferenceMs, tookMs } = event
      // As the metric fal_queue_seconds counts it: where nobody looked for a while, that is in it too.
      const rest = duration(Math.max(0, tookMs - (inferenceMs ?? 0)))
      const parts =
        inferenceMs === undefined ? "" : `: ${duration(inferenceMs)} of work, ${rest} in its queue and until we saw it`
      return `${event.flagged ? "fal made the picture and flagged it" : "fal made the picture"} in ${duration(tookMs)}${parts}`
    }
    case "PictureStored":
      return `stored the picture's ${event.bytes} bytes as ${event.name}`
    case "Withdrawn":
      return "the request has cost nothing"
    case "Closed":
      return "the request ended without a picture"
    case "Parked":
      return `parked it for ${duration(event.seconds * 1000)}: ${waits[event.reason] ?? event.reason}${endOf(event.detail)}`
    case "Retried":
      return `failed for now (${event.reason}), to be tried again in ${duration(event.seconds * 1000)}${
        event.counted ? "" : ", not counted as a retry"
      }${endOf(event.error)}`
    case "HandedBack":
      return `handed it back (${event.reason})${endOf(event.detail)}`
    case "Lost":
      return crashes[event.crash]
    case "Buried":
      return `put it among the dead letters (${event.reason})${endOf(event.error)}`
    case "Redriven":
      return "the dead letter was put back on its queue"
    case "Dropped":
      return "the dead letter was dropped"
    case "Ended":
      return `${event.status}${endOf(event.why)}${event.rowId === undefined ? "" : `, saved as row ${event.rowId}`}`
  }
}

const workerOf = (event: LifeEvent) => ("by" in event ? event.by : event._tag === "Lost" ? (event.worker ?? "(unknown)") : "")

/** A parked message that was held only for a moment needs no line for its claim. */
const MOMENT = 1000

/** After these nobody holds the message: what comes next is of another attempt. */
const ends: ReadonlySet<LifeEvent["_tag"]> = new Set([
  "Parked",
  "Retried",
  "HandedBack",
  "Lost",
  "Buried",
  "Redriven",
  "Dropped",
  "Ended"
])

/** What an event says, and when its message was first seen and taken, which the event alone tells. */
const linesOf = ({ event, from, missing, times, to }: Lived) => {
  const worker = workerOf(event)
  const says = times === 1 ? saysOf(event) : `${times} times, the last ${duration(to - from)} later: ${saysOf(event)}`
  const lines: Array<Line> = []
  const before: Array<Line> = []
  if (missing > 0) lines.push({ at: from, worker: "", says: `(${missing} events before this are left out)` })
  if ("heldMs" in event && times === 1 && (event._tag !== "Parked" || event.heldMs > MOMENT)) {
    const taken = from - event.heldMs
    const { waitedMs } = event
    if (waitedMs !== undefined && waitedMs > 0)
      before.push({ at: taken - waitedMs, worker: "", says: "was first seen waiting in its queue" })
    before.push({ at: taken, worker, says: "took it" })
  }
  lines.push({ at: from, worker, says })
  return { before, lines }
}

/** The lines of a life in order: that a message was taken is told at its end, and belongs before all that its worker did. */
const inOrder = (life: ReadonlyArray<Lived>): ReadonlyArray<Line> => {
  const all: Array<Line> = []
  /** Where the attempt begins that the next event belongs to. */
  let start = 0
  for (const lived of life) {
    const { before, lines } = linesOf(lived)
    for (const line of before) {
      const later = all.findIndex(({ at }, n) => n >= start && at >= line.at)
      all.splice(later === -1 ? all.length : later, 0, line)
      start++
    }
    all.push(...lines)
    if (ends.has(lived.event._tag)) start = all.length
  }
  return all
}

const placeOf = ({ queue, where }: Found, time: (at: number) => string) => {
  switch (where._tag) {
    case "Waiting":
      return `waits in ${queue}, ${where.before === 0 ? "first in line" : `${where.before} before it`}`
    case "Held":
      return `held by ${where.worker ?? "a worker that is not known here (one of Celery's, or one that is gone)"}`
    case "Parked":
      return `parked until ${time(where.due)}`
  }
}

const stateOf = ({ generation, letters, life, messages, result }: Facts): string => {
  const ended = life.findLast(({ event }) => event._tag === "Ended")?.event
  if (letters.length > 0) return "a dead letter"
  if (messages.some(({ where }) => where._tag === "Held")) return "running"
  if (messages.some(({ where }) => where._tag === "Waiting")) return "waits in its queue"
  if (messages.length > 0) return "parked"
  if (result !== undefined && isFinal(result.status)) return result.status
  if (ended?._tag === "Ended") return `${ended.status}, its result is not kept any more`
  if (result !== undefined) return `${result.status}, but its message is nowhere`
  return generation === undefined ? "its message is nowhere" : "its message is nowhere, and it may have paid"
}

const valueOf = (result: Facts["result"], name: string): unknown => {
  const value = result?.result
  return typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? Object.entries(value).find(([key]) => key === name)?.[1]
    : undefined
}

/** Where the figure comes from. */
const sources: Readonly<Record<string, string>> = {
  units: "by the units that fal says it charges",
  estimate: "an estimate from the list price",
  billed: "as fal has billed it"
}
const costOf = ({ cost, result }: Facts): { readonly usd: number; readonly source: string } | undefined => {
  const [usd, source] = [valueOf(result, "cost_usd"), valueOf(result, "cost_source")]
  if (result?.status === "SUCCESS" && typeof usd === "number") return { usd, source: String(source) }
  return cost === undefined ? undefined : { usd: NanoDollars.toUsd(cost.amount), source: cost.source }
}

const paidOf = (row: Ledger.Booked) => {
  const { caller, outcome, requestId } = row
  const [cost, source] = [Ledger.costOf(row), Ledger.sourceOf(row)]
  const price = cost === null ? "an unknown price" : `${NanoDollars.dollars(cost)}, ${sources[source ?? ""] ?? source}`
  return `${price}: ${outcome}, ${requestId ?? "a request whose id is not known"}, for ${caller}`
}

export const tell = (facts: Facts, time: (at: number) => string): Story => {
  const { generation, letters, messages, paid, result, row } = facts
  const named: Array<readonly [string, string]> = messages.map((found) => ["message", placeOf(found, time)])
  for (const letter of letters)
    named.push(["dead letter", `${letter.id} (${letter.reason})${endOf(letter.error)}: model-generator dead show ${letter.id}`])
  if (result !== undefined) {
    const { message, type } =
      result.status === "FAILURE" || result.status === "RETRY" ? errorOf(result) : { message: "", type: "" }
    named.push(["result", `${result.status}${type === "" ? "" : `: ${type}: ${message}`}`])
  } else named.push(["result", "none stored"])
  if (generation?._tag === "Unreadable") named.push(["request", "the journal's entry cannot be read"])
  else if (generation !== undefined) {
    const id = "requestId" in generation ? generation.requestId : "no request id known"
    named.push(["request", `${id} to ${generation.endpoint}, ${generation._tag} in the journal`])
  }
  if (row !== undefined) named.push(["row", `${row.templateId} version ${row.version} in model_library (${row.id})`])
  else if (valueOf(result, "saved") === false) named.push(["row", "none: the task asked for none (save=false)"])
  const cost = costOf(facts)
  const isLost = generation !== undefined && "resubmits" in generation && generation.resubmits > 0
  if (isLost && !paid.some(({ outcome }) => outcome === "uncertain"))
    named.push(["", "the request before it was lost, and may be paid as well: look for it in fal's history"])
  // Once its task has ended, no request keeps money reserved.
  if (messages.length > 0 && generation !== undefined && "price" in generation && generation._tag !== "Generated")
    named.push(["reserved", `${NanoDollars.dollars(generation.price)} of its budget, until the outcome is known`])
  for (const row of paid) named.push(["paid", paidOf(row)])
  if (cost !== undefined && paid.length === 0) named.push(["cost", `$${cost.usd}, ${sources[cost.source] ?? cost.source}`])
  const ended = facts.life.findLast(({ event }) => event._tag === "Ended")?.event
  const headers = messages.map(headersOf).find((one) => typeof one["task"] === "string")
  return {
    task: Text.nonEmptyOf(headers?.["task"]) ?? letters[0]?.task ?? (ended?._tag === "Ended" ? ended.task : undefined) ?? null,
    state: stateOf(facts),
    lines: inOrder(facts.life),
    facts: named
  }
}

/** For a script. */
export const inJson = (facts: Facts, story: Story) => {
  const time = (at: number) => new Date(at).toISOString()
  return {
    task_id: facts.taskId,
    task: story.task,
    state: story.state,
    events: facts.life.map(({ event: { _tag, ...more }, from, missing, times, to }) => ({
      what: _tag,
      at: time(from),
      ...(times === 1 ? {} : { times, last: time(to) }),
      ...(missing === 0 ? {} : { left_out_before: missing }),
      ...more
    })),
    story: story.lines.map(({ at, says, worker }) => ({ at: time(at), worker: worker === "" ? null : worker, says })),
    messages: facts.messages.map(({ queue, where: { _tag, ...more } }) => ({
      where: _tag,
      queue,
      ...more,
      ...("due" in more ? { due: time(more.due) } : {})
    })),
    dead_letters: facts.letters,
    result: facts.result ?? null,
    request: facts.generation ?? null,
    row: facts.row ?? null,
    paid: facts.paid.map((row) => ({ ...row, at: time(row.at) })),
    cost: costOf(facts) ?? null,
    not_reached: facts.notReached
  }
}
