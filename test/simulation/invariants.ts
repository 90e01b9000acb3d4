import { Option } from "effect"
import type { LedgerRow } from "../../src/layers/fal/Execution.ts"
import { read } from "../../src/layers/lifeText.ts"
import { isFinal, type TaskResult } from "../../src/services/ResultStore.ts"
import type { Clients, Sent } from "./Clients.ts"
import { type Cluster, QUEUES, settings } from "./Cluster.ts"
import { isForgotten } from "./allowance.ts"
import { DAY } from "./budget.ts"
import { costOf } from "../../src/services/Catalogue.ts"
import { format, type NanoDollars, sum, zero } from "../../src/services/NanoDollars.ts"
import { wrongInLedger } from "./books.ts"
import { type Answer, idOf, type Records } from "./Records.ts"

/** How long an intent without a request id must have rested before it is made again (milliseconds). */
const GRACE = 60_000
/** How much older than its date an intent may be when it is acted upon. */
const LATEST = 20_000
/** Within this a worker that nothing hinders looks at a request that has ended, and brings in what came of it. */
const COLLECTED = 20_000
/** Within this a worker that nothing hinders has written down what a submit was answered (milliseconds). */
const SETTLED = 10_000
/** Nobody gives a request up for less trouble than lasts so long. */
const PATIENT = 5000
/** What is left of the hard limit after the soft one, for what can still be saved. */
const RESCUE = (Number(settings.TASK_TIME_LIMIT) - Number(settings.TASK_SOFT_TIME_LIMIT)) * 1000

const RETRIES = Number(settings.TASK_MAX_RETRIES)

interface Letter {
  readonly raw: string
  readonly reason: string
}

/** By `kombu.deadLetter`, or what is no message and was put aside as it is. */
const letterOf = (text: string): Letter =>
  text.startsWith("{") ? (JSON.parse(text) as Letter) : { raw: text, reason: "unreadable" }

export interface Verdict {
  readonly lost: number
  readonly savedTwice: number
  readonly paidTwice: number
  /** Each with the name of the invariant in front. */
  readonly violations: ReadonlyArray<string>
}

const billed = ({ outcome }: LedgerRow) => outcome === "picture" || outcome === "flagged"

/** What must be true once all has come to its end: over fal's ledger, the rows, the results and what lies at the broker. */
export const check = (cluster: Cluster, clients: Clients): Verdict => {
  const { broker, records } = cluster
  const violations = [...records.violations]
  const ledger = cluster.run(cluster.script.ledger)
  const documentOf = (id: string) => Option.getOrUndefined(cluster.run(cluster.results.get(id)))
  const requestsOf = (seed: number | undefined) => ledger.filter((row) => row.input["seed"] === seed)
  const rows = [...records.rows.values()]

  // Every task ends.
  /** Its success may not be told, as there is one under its id already; but what is to follow it follows. */
  const wentWell = ({ reuses, seed }: Sent) =>
    reuses !== undefined &&
    !records.astray.has(reuses) &&
    (records.stored.get(reuses) ?? []).some(
      ({ result, status }) =>
        status === "SUCCESS" &&
        requestsOf(seed).some(({ requestId }) => requestId === (result as { readonly fal_request_id?: string }).fal_request_id) // our own tasks' form
    )
  const isExpected = ({ after = [], afterFailure, afterReuse, id, kind, reuses }: Sent) => {
    if (reuses !== undefined) return false
    if (afterReuse !== undefined) return clients.sent.some((sent) => sent.id === afterReuse && wentWell(sent))
    if (afterFailure !== undefined && documentOf(afterFailure)?.status !== "FAILURE") return false
    const before = after.map(documentOf)
    if (before.some((document) => document?.status !== "SUCCESS")) return false
    // A batch sends no more than the library lacks, and tells what it sent.
    return kind !== "child" || JSON.stringify(before[0]?.result).includes(id)
  }
  const unfinished = clients.sent.filter((sent) => isExpected(sent) && !isFinal(documentOf(sent.id)?.status ?? ""))
  // What only Redis knew it may forget: that is counted, and no worker's fault.
  const isAstray = ({ group, id, kind, parts = [] }: Sent) =>
    (kind === "child" && records.unsent.has(id)) ||
    [id, ...parts, ...(group === undefined ? [] : [group])].some((one) => records.astray.has(one))
  // What has been put aside with its reason is not lost either.
  const letters = QUEUES.flatMap((queue) => broker.lists.get(`${queue}.dead`) ?? []).map(letterOf)
  const buried = new Set(letters.map(({ raw }) => idOf(raw)))
  const lost = unfinished.filter((sent) => !isAstray(sent) && !buried.has(sent.id))
  cluster.count("tasks that Redis forgot", unfinished.filter(isAstray).length)
  for (const { id } of lost) violations.push(`lost: ${id} has not ended (${documentOf(id)?.status ?? "nothing stored"})`)

  // Its life says how a task has ended that bought a picture. A stock worker tells nothing, nor does who ends a task whose claim a
  // failover has forgotten.
  for (const id of cluster.events.has("failovers") ? [] : broker.lives.ids()) {
    const events = read(broker.lives.of(id)).map(({ event }) => event._tag)
    const ended = events.includes("Ended") || events.includes("Buried")
    if (!ended && events.includes("PictureMade") && isFinal(documentOf(id)?.status ?? "") && !records.endedByStock.has(id))
      violations.push(`untold end: ${id} is ${documentOf(id)?.status}, and its life ends with ${events.at(-1)}`)
  }

  // A success stays.
  for (const [id, documents] of records.stored)
    if (documents.some(({ status }) => status === "SUCCESS") && documentOf(id)?.status !== "SUCCESS")
      violations.push(`success overwritten: ${id} is ${documentOf(id)?.status}`)

  // Nothing is paid twice.
  let paidTwice = 0
  const repaid = new Set<string>()
  for (const sent of clients.sent) {
    const { id, notBefore = 0, reuses = id, seed } = sent
    if (seed === undefined) continue
    const requests = requestsOf(seed)
    if (requests.some(({ acceptedAt }) => acceptedAt < notBefore - cluster.unequal))
      violations.push(`too early: ${id} ran before its eta`)
    const written = records.intents.get(reuses) ?? []
    for (const [at, { acceptedAt }] of requests.entries())
      if (written.filter((intent) => intent.at <= acceptedAt).length <= at)
        violations.push(`submitted without an intent: ${id}, request ${at + 1}`)
    const paid = requests.filter(billed)
    let resubmits = 0
    for (const [at, row] of paid.slice(1).entries()) {
      const before = paid[at]!
      if (isForgotten(sent, before, row, records)) {
        cluster.count("payments that a failover cost")
        repaid.add(id)
        continue
      }
      const known = records.attached.has(before.requestId)
      // From intent to intent: a process that stood still between its intent and its POST makes that however late.
      const intents = written.filter(({ at }) => at <= row.acceptedAt)
      const again = intents.findLast(({ resubmits }) => resubmits > 0)
      const first = intents.findLast(({ at, resubmits }) => resubmits === 0 && at <= (again?.at ?? row.acceptedAt))
      const wrong = 2 * cluster.unequal
      const soon = again === undefined || first === undefined || again.dated - first.dated < GRACE - wrong
      // By the broker's own time, in case they were dated wrongly.
      const early = soon || again.at - first.at < GRACE - LATEST - wrong
      const answer = records.answered.get(before.requestId)
      const told = answer?.by.alive === true && answer.by.troubledAt < answer.at
      const uncounted = intents.every(({ resubmits }) => resubmits === 0)
      const often = resubmits++ > 0
      const findable = cluster.hasBills && again !== undefined
      if (often || known || told || early || uncounted || findable) {
        paidTwice++
        const reasons = [
          often && "more than once",
          known && "its request was known",
          told && "its answer had come",
          early && "at once",
          uncounted && "uncounted",
          findable && "though fal's bills could be read"
        ]
        violations.push(`paid twice: ${id} (${reasons.filter(Boolean).join(", ")})`)
      }
    }
  }

  // No day costs more than its money. Redis forgets what is spent too, and a worker of an older version asks for no money.
  const isKept = cluster.remembers && cluster.unequal === 0 && !cluster.isMixed
  const days = new Map<number, NanoDollars>()
  for (const { acceptedAt, endpoint, input, units } of ledger) {
    const buyers = clients.sent.filter(({ seed }) => seed === input["seed"]).map(({ id, reuses = id }) => reuses)
    const intents = buyers.flatMap((id) => records.intents.get(id) ?? []).filter(({ at }) => at <= acceptedAt)
    const day = Math.floor(Math.max(...intents.map(({ at }) => at)) / (DAY * 1000))
    const price = Option.getOrThrow(cluster.catalogue.priceOf(endpoint))
    days.set(day, sum([days.get(day) ?? zero, costOf(price, input, units).amount]))
  }
  for (const cost of days.values())
    if (isKept && cluster.budget !== null && cost > cluster.budget)
      violations.push(`over budget: $${format(cost)} in a day of $${format(cluster.budget)}`)
  // Money stays reserved for nothing but a request of which nobody has seen the end.
  for (const id of cluster.money.reservations.keys()) {
    const { entry } = cluster.run(cluster.journal.find(id))
    const isOpen = Option.exists(entry, ({ _tag }) => _tag === "Intended" || _tag === "Submitted")
    const hasEnded = !isOpen || documentOf(id)?.status === "SUCCESS"
    if (hasEnded && cluster.remembers && !cluster.isMixed && !records.evicted.has(id) && !records.endedByStock.has(id))
      violations.push(`still reserved: ${id}`)
  }

  // What a client hears is true.
  for (const sent of clients.sent) {
    const document = documentOf(sent.id)
    if (document === undefined || !isFinal(document.status) || !isExpected(sent)) continue
    if (records.endedByStock.has(sent.id)) continue
    const why = objection(sent, document, requestsOf(sent.seed), cluster, repaid.has(sent.id))
    if (why !== undefined) violations.push(`untrue result: ${sent.id} ${why}`)
  }

  // Other arguments are another task.
  for (const { id, reuses, sentAt = 0 } of clients.sent) {
    if (reuses === undefined || cluster.isMixed || records.endedByStock.has(reuses) || records.astray.has(reuses)) continue
    if (clients.sent.some((sent) => sent.id === reuses && sent.revoked === true)) continue
    if (records.redelivered.has(reuses) || records.intents.get(reuses)?.some(({ at }) => at >= sentAt) === true) continue
    violations.push(`not run: ${id}, sent as ${reuses}`)
  }

  // Nothing is saved twice.
  let savedTwice = 0
  for (const [at, row] of rows.entries()) {
    if (rows.slice(0, at).some((other) => other.falRequestId === row.falRequestId)) {
      savedTwice++
      violations.push(`saved twice: ${row.falRequestId}`)
    }
    if (rows.slice(0, at).some((other) => other.templateId === row.templateId && other.version === row.version))
      violations.push(`version twice: ${row.templateId} ${row.version}`)
    if (!ledger.some(({ outcome, requestId }) => requestId === row.falRequestId && outcome === "picture"))
      violations.push(`not a picture: row of ${row.falRequestId}`)
  }

  // The ledger has what fal accepted.
  violations.push(...wrongInLedger(cluster, clients, ledger))

  // Sent once by whoever sends it.
  for (const [id, times] of records.sent) if (times > 1) violations.push(`sent twice: ${id} ${times} times`)

  // Nothing is left.
  for (const [key, list] of broker.lists)
    if (!key.endsWith(".dead") && list.length > 0) violations.push(`left behind: ${list.length} in ${key}`)
  for (const { boot, due, tag } of broker.unacknowledged.values())
    violations.push(`left behind: ${tag} ${due === undefined ? `held by ${boot}` : "scheduled"}`)
  // What was killed keeps its lease until that runs out, which a clock that is set back makes late.
  const wasKilled = (boot: string) => cluster.processes.some((process) => process.boot === boot && !process.alive)
  for (const [boot, until] of broker.leases)
    if (until > cluster.redis.now && !(cluster.unequal > 0 && wasKilled(boot)))
      violations.push(`left behind: the lease of ${boot}`)
  for (const { boot, gaveUp } of cluster.processes)
    if (gaveUp !== undefined && !String(gaveUp).includes("NameTaken")) violations.push(`gave up: ${boot}: ${String(gaveUp)}`)
  for (const process of cluster.processes)
    if (process.running)
      violations.push(`does not stop: ${process.boot}, asked ${cluster.time.now - process.stoppingSince!} ms ago`)

  // Dead letters have their reasons.
  const unreadable = letters.filter(({ reason }) => reason === "unreadable").length
  const crashed = letters.filter(({ reason }) => reason === "crashed its worker").length
  if (unreadable !== clients.unreadable) violations.push(`dead letters: ${unreadable} unreadable of ${clients.unreadable}`)
  const copies = (id: string) => clients.sent.find((sent) => sent.id === id)?.copies ?? 1
  const often = [...records.lost].reduce((sum, [id, times]) => sum + (times >= 3 ? copies(id) : 0), 0)
  if (crashed > often) violations.push(`dead letters: ${crashed} crashed, where ${often} did`)
  for (const { raw, reason } of letters) {
    const id = idOf(raw) ?? "?"
    if (reason === "unreadable" || reason === "crashed its worker") continue
    if (!cluster.unstorable.has(id)) violations.push(`dead letters: ${id}, ${reason}`)
  }
  /** How many workers may die over a task: more once its request may have been made, any number once it was. */
  const most = (id: string) => {
    if (requestsOf(clients.sent.find((sent) => sent.id === id)?.seed).length > 0) return Infinity
    return copies(id) * (records.intents.has(id) ? 6 : 3)
  }
  for (const [id, times] of records.lost)
    if (times > most(id)) violations.push(`crashes not counted: ${id} took ${times} workers`)

  return { lost: lost.length, savedTwice, paidTwice, violations }
}

/** What is wrong with what a client heard of its task. */
const objection = (
  sent: Sent,
  document: TaskResult,
  requests: ReadonlyArray<LedgerRow>,
  cluster: Cluster,
  repaid: boolean
): string | undefined => {
  const { records } = cluster
  const rows = [...records.rows.values()].filter((row) => requests.some(({ requestId }) => requestId === row.falRequestId))
  const wasted = requests.filter(({ outcome, requestId }) => outcome === "picture" && records.isKnown(requestId))
  if (document.status === "REVOKED") {
    if (sent.revoked === true) return undefined
    if (sent.expires === undefined) return "was not revoked by anybody"
    const end = Date.parse(`${document.date_done}Z`)
    if (requests.some((row) => billed(row) && records.isKnown(row.requestId, end - cluster.unequal))) return "expired though paid"
    return sent.expires > end + cluster.unequal ? "was revoked before it expired" : undefined
  }
  if (document.status === "SUCCESS") {
    if (sent.fails?.length === 1 && sent.kind !== "version") return "cannot have gone well"
    if (sent.seed === undefined) return undefined
    const told = document.result as {
      readonly id: string | null
      readonly fal_request_id: string
      readonly version: number | null
    } // our own tasks' form
    if (!requests.some(({ outcome, requestId }) => requestId === told.fal_request_id && outcome === "picture"))
      return `tells of ${told.fal_request_id}, which is no picture of its own`
    if (sent.saves !== true) return told.id === null && rows.length === 0 ? undefined : "was saved"
    if (repaid && rows.length > 0) return undefined
    if (rows.length !== 1) return `has ${rows.length} rows`
    const [row] = rows
    return row!.id === told.id && row!.version === told.version && row!.falRequestId === told.fal_request_id
      ? undefined
      : "differs from its row"
  }
  const { exc_message, exc_type } = document.result as { readonly exc_type: string; readonly exc_message: ReadonlyArray<string> } // by our Reply
  if (sent.fails?.includes(exc_type) === true) return undefined
  const some = (...outcomes: ReadonlyArray<string>) => requests.some(({ outcome }) => outcomes.includes(outcome))
  const tries = 1 + (records.retries.get(sent.id) ?? 0)
  const reason = `failed without cause: ${exc_type} ${exc_message.join(" ")}`
  switch (exc_type) {
    case "ContentRefused":
      return some("refused") || exc_message[0] === "simulated" ? undefined : reason
    case "PictureFlagged":
      return some("flagged") ? undefined : reason
    case "WorkerLostError":
      if (wasted.length > 0) return `${reason} (and wasted a picture)`
      return (records.lost.get(sent.id) ?? 0) >= 3 ? undefined : reason
    case "LibraryError":
    case "GenerationError":
      if (exc_message[0]?.includes("was lost 2 times") === true) {
        const intents = records.intents.get(sent.id) ?? []
        // Who dies or is cut off after the answer cannot write down what it was.
        const isHindered = ({ at, by }: Answer) =>
          !by.alive || by.hindrances.some(({ from, to }) => to >= at && from <= at + SETTLED)
        // Nor can who stood still until another had made the request again.
        const isSuperseded = ({ at, by }: Answer) =>
          intents.some((other) => other.by !== by && other.at <= at && intents.some((own) => own.by === by && own.at < other.at))
        const answers = (records.answers.get(sent.seed ?? 0) ?? []).filter(
          (answer) => !isHindered(answer) && !isSuperseded(answer)
        )
        return intents.length - answers.length >= 2 ? undefined : `${reason}, though fal had answered`
      }
      if (some("cancelled")) return undefined
      if (tries > RETRIES) return wasted.length > 0 ? `${reason} (and wasted a picture)` : undefined
      return reason
    case "SoftTimeLimitExceeded":
    case "TimeLimitExceeded": {
      const isHard = exc_type === "TimeLimitExceeded"
      const end = Date.parse(`${document.date_done}Z`)
      // What fal makes after the hard limit, though it was asked to stop, nobody could have brought in.
      const inTime = wasted.filter(({ endedAt }) => !isHard || endedAt <= end)
      return inTime.some((row) => !wasHindered(row, end, isHard ? 0 : PATIENT, records))
        ? `${reason} (and wasted a picture)`
        : undefined
    }
    default:
      return reason
  }
}

/**
 * Whether those who looked after it were kept from bringing in this picture before its task was given up: something came
 * between them and it for so long at least, and left them no time in which it could be done.
 */
const wasHindered = ({ endedAt, requestId }: LedgerRow, givenUpAt: number, least: number, { lookers }: Records): boolean => {
  // One that ended later still was not to be cancelled.
  const from = Math.min(endedAt, givenUpAt - RESCUE)
  const hindrances = [...(lookers.get(requestId) ?? [])]
    .flatMap((process) => process.hindrances)
    .filter((hindrance) => hindrance.what !== "postgres" && hindrance.to >= from && hindrance.from <= givenUpAt)
    .toSorted((one, other) => one.from - other.from)
  let free = from
  for (const hindrance of hindrances) {
    if (hindrance.from - free >= COLLECTED) return false
    free = Math.max(free, hindrance.to)
  }
  const [first] = hindrances
  return first !== undefined && free - first.from >= least && givenUpAt - free < COLLECTED
}
