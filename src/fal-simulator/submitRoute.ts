import { Effect, Option, Random, Schema } from "effect"
import { randomUUID } from "node:crypto"
import * as Endpoints from "./knownEndpoints.ts"
import { isJobFault } from "./Fault.ts"
import * as JobErrors from "./jobErrors.ts"
import * as Figure from "./picture/Figure.ts"
import { type Source, sourceAt } from "./picture/source.ts"
import type { Execution } from "./Queue.ts"
import { type Asked, detail, json, type Reply } from "./HttpReply.ts"
import type { World } from "./World.ts"

const readBody = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.JsonObject))
const Lifecycle = Schema.fromJsonString(Schema.Struct({ expiration_duration_seconds: Schema.Finite }))
const readLifecycle = Schema.decodeUnknownOption(Lifecycle)

/** fal's safety checker sees the picture; ours can only read. */
const indecent = /\b(nsfw|nude|naked)\b/i

export const urlsOf = (base: string, { app, requestId }: Execution) => {
  const response_url = `${base}/${app}/requests/${encodeURIComponent(requestId)}`
  return { response_url, status_url: `${response_url}/status`, cancel_url: `${response_url}/cancel` }
}

/**
 * Takes whatever it is sent: fal looks at an input only when its job runs. Each accepted POST is an execution of its own,
 * whatever the client makes of the answer.
 */
export const submit = Effect.fnUntraced(function* (world: World, endpoint: string, asked: Asked) {
  const { settings } = world
  if (settings.locked) return detail(403, "User is locked. Reason: Exhausted balance.")
  if (!Object.hasOwn(Endpoints.endpoints, endpoint)) return detail(404, `Application '${endpoint}' not found`)
  const timeout = asked.header("x-fal-request-timeout")
  if (timeout !== "" && !(Number(timeout) > 0)) {
    return json(400, { detail: "Invalid request timeout", error_type: "bad_request" }, { "x-fal-error-type": "bad_request" })
  }
  const input = Option.getOrElse(readBody(asked.body.toString("utf8")), (): Schema.JsonObject => ({}))
  const problems = Endpoints.problemsOf(endpoint, input)
  if (settings.strict && problems.length > 0) return json(422, JobErrors.invalid(problems).body, { "x-fal-billable-units": "0" })

  const now = yield* world.now
  const fault = world.faults.take("submit", asked.url.pathname, isJobFault)
  const seed = typeof input["seed"] === "number" ? input["seed"] : yield* Random.nextIntBetween(0, 2_147_483_647)
  const spread = 1 + settings.variation * (2 * (yield* Random.next) - 1)
  const requestId = fault?.kind === "job-named" ? (fault.type ?? "1") : randomUUID()
  const base = `http://${asked.header("host")}`
  const editing = Endpoints.endpoints[endpoint]?.editing === true
  const lifetime = Option.match(readLifecycle(asked.header("x-fal-object-lifecycle-preference")), {
    onNone: () => settings.mediaSeconds,
    onSome: ({ expiration_duration_seconds }) => expiration_duration_seconds
  })
  let source: Source | undefined

  const end = (): JobErrors.Ending => {
    if (fault?.kind === "job-error") {
      const failed = JobErrors.failed(fault.type ?? "internal_error")
      return { ...failed, status: fault.status ?? failed.status }
    }
    if (fault?.kind === "job-forgotten") return JobErrors.forgotten(fault.type ?? "internal_error")
    if (fault?.kind === "job-late") return JobErrors.notStartedInTime
    if (problems.length > 0) return JobErrors.invalid(problems)
    if (source?._tag === "Unreadable") {
      return JobErrors.invalid([
        { loc: ["body", "image_url"], msg: source.msg, type: source.type, input: input["image_url"] ?? null }
      ])
    }
    const prompt = String(input["prompt"])
    const drawn = source === undefined ? Figure.fromPrompt(prompt, seed) : Figure.edited(source.figure, prompt, seed)
    const flagged = fault?.kind === "job-flagged" || (indecent.test(prompt) && input["enable_safety_checker"] !== false)
    const [width, height] = source === undefined ? (Endpoints.sizeOf(input) ?? [1024, 768]) : [source.width, source.height]
    const format = input["output_format"] === "png" ? "png" : "jpeg"
    const count = Endpoints.countOf(input)
    const images = Array.from({ length: count }, (_, n) => {
      const name = `${requestId}/${n}.${format === "png" ? "png" : "jpg"}`
      world.media.set(name, {
        figure: flagged ? "black" : n === 0 ? drawn : Figure.fromPrompt(prompt, seed + n),
        width,
        height,
        format,
        goneAt: (execution.endedAt ?? now) + lifetime * 1000,
        lost: fault?.kind === "job-lost-media" ? (fault.status ?? 404) : undefined
      })
      return { url: `${base}/media/${name}`, width, height, content_type: `image/${format}` }
    })
    return {
      status: 200,
      body: {
        images,
        seed,
        has_nsfw_concepts: images.map(() => flagged),
        prompt,
        timings: { inference: execution.takes / 1000 }
      },
      headers: {},
      units: Endpoints.unitsOf(endpoint, width, height, count),
      outcome: flagged ? "flagged" : "picture"
    }
  }
  const execution: Execution = {
    requestId,
    endpoint,
    app: fault?.kind === "job-elsewhere" ? `elsewhere/${endpoint}` : Endpoints.appOf(endpoint),
    input,
    seed,
    low: asked.header("x-fal-queue-priority") === "low",
    storeIo: asked.header("x-fal-store-io") !== "0",
    acceptedAt: now,
    startBy: timeout === "" ? Infinity : now + Number(timeout) * 1000,
    takes: fault?.kind === "job-slow" ? (fault.ms ?? 60_000) : settings.pictureSeconds * 1000 * spread,
    stuck: fault?.kind === "job-stuck",
    ignoresCancel: fault?.kind === "job-ignores-cancel",
    mediaBase: base,
    ready: !editing || problems.length > 0,
    end,
    startedAt: null,
    endedAt: null,
    ending: null,
    deleted: false
  }
  if (!execution.ready) {
    // fal downloads when the job starts; here it begins at once, which only shows when a URL dies while the job waits.
    world.background(
      Effect.map(sourceAt(String(input["image_url"])), (found) => {
        source = found
        execution.ready = true
      })
    )
  }
  world.queue.accept(execution, now)
  const reply: Reply = json(
    200,
    {
      status: "IN_QUEUE",
      request_id: requestId,
      queue_position: world.queue.position(execution),
      logs: null,
      metrics: {},
      ...urlsOf(base, execution)
    },
    { "x-fal-request-id": encodeURIComponent(requestId) }
  )
  return reply
})
