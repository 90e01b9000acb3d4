/** Answers of fal's that nobody has thought of: bodies of the usual kinds, bent and broken by chance, under any status. */
import { assert } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import type { Answered } from "../../src/layers/fal/exchange.ts"
import * as Verdict from "../../src/layers/fal/verdict.ts"
import { GeneratorError, Picture, Ticket } from "../../src/services/Generator.ts"
import type { Dice } from "../simulation/Dice.ts"

const id = "019d9e0b-6eb0-7920-827a-868d042ec76e"
const request = `https://queue.fal.run/fal-ai/flux/requests/${id}`
const urls = { status_url: `${request}/status`, response_url: request, cancel_url: `${request}/cancel` }
const usual: ReadonlyArray<unknown> = [
  { status: "IN_QUEUE", request_id: id, queue_position: 0, logs: null, metrics: {}, ...urls },
  { status: "IN_PROGRESS", request_id: id, logs: [{ message: "12/28" }], ...urls },
  { status: "COMPLETED", request_id: id, metrics: { inference_time: 3.42 }, ...urls },
  { status: "COMPLETED", request_id: id, error: "Runner disconnected", error_type: "runner_disconnected", ...urls },
  {
    images: [{ url: "https://v3b.fal.media/files/b/x/abc.jpg", width: 768, height: 1024, content_type: "image/jpeg" }],
    seed: 731_904_221,
    has_nsfw_concepts: [false],
    prompt: "studio portrait",
    timings: { inference: 3.1 }
  },
  { detail: [{ loc: ["body", "prompt"], msg: "Field required", type: "missing", input: {} }] },
  { detail: "Request timed out", error_type: "request_timeout" },
  { detail: "Request is still in progress" },
  { status: "ALREADY_COMPLETED" }
]

const deep = (depth: number): unknown => {
  let value: unknown = true
  for (let n = 0; n < depth; n++) value = n % 2 === 0 ? [value] : { data: value }
  return value
}
const strange = (dice: Dice): unknown =>
  dice.pick<() => unknown>([
    () => null,
    () => true,
    () => false,
    () => "",
    () => 0,
    () => -1,
    () => 1.5,
    () => 2 ** 60,
    () => 1e308,
    () => [],
    () => ({}),
    () => "false",
    () => "\uD83D",
    () => "a\u0000b",
    () => "..",
    () => "//other.example/requests/1",
    () => "https://other.example/requests/1",
    () => "x".repeat(dice.between(90, 2000)),
    () => `${"x".repeat(498)}\u{1f600}`,
    () => deep(dice.between(1, 3000)),
    () => dice.pick(usual)
  ])()

/** Another value somewhere in it. */
const bend = (dice: Dice, value: unknown): unknown => {
  if (dice.chance(0.3) || typeof value !== "object" || value === null) return strange(dice)
  if (Array.isArray(value)) {
    const at = dice.between(0, value.length)
    return [...value.slice(0, at), bend(dice, value[at]), ...value.slice(at + 1)]
  }
  const entries = Object.entries(value)
  const [name, inner] = dice.pick(entries.length === 0 ? [["data", null] as [string, unknown]] : entries)
  if (dice.chance(0.2)) return Object.fromEntries(entries.filter(([other]) => other !== name))
  if (dice.chance(0.15)) return { [dice.pick(["data", "output", "payload", "result", "x"])]: value }
  return { ...value, [dice.chance(0.1) ? dice.pick(["image", "nsfw", "error", "message"]) : name]: bend(dice, inner) }
}
const break_ = (dice: Dice, text: string): string => {
  const at = dice.between(0, text.length)
  return dice.pick([
    () => text,
    () => text,
    () => text,
    () => text.slice(0, at),
    () => `${text.slice(0, at)}\u0000${text.slice(at + 1)}`,
    () => `${text}${text}`,
    () => "<html><h1>502 Bad Gateway</h1></html>",
    () => ""
  ])()
}

const values: Readonly<Record<string, ReadonlyArray<string>>> = {
  "x-fal-request-id": [id, id, "", "a/b", "x".repeat(300)],
  "x-fal-billable-units": ["1", "0", "0.79", "-1", "many", "", "1e400"],
  "x-fal-error-type": ["runner_disconnected", "client_cancelled", "x".repeat(5000)],
  "x-fal-needs-retry": ["1", "0", "maybe"],
  "retry-after": ["90", "0", "-5", "1e9", "soon", "Thu, 01 Jan 1970 00:01:30 GMT"],
  date: ["Thu, 01 Jan 1970 00:00:00 GMT", "yesterday"],
  location: ["https://other.example/", "::", ""],
  "content-type": ["application/json", "text/html", ""]
}
const statuses = [
  200, 200, 200, 200, 201, 202, 204, 301, 303, 307, 400, 401, 403, 404, 408, 409, 422, 429, 499, 500, 502, 503, 504
]

const answerOf = (dice: Dice): Answered => {
  let body = dice.pick(usual)
  for (let n = dice.between(0, 4); n > 0; n--) body = bend(dice, body)
  const headers = new Map(Object.entries(values).flatMap(([name, some]) => (dice.chance(0.5) ? [[name, dice.pick(some)]] : [])))
  return {
    _tag: "Answered",
    status: dice.pick(statuses),
    header: (name) => headers.get(name),
    text: break_(dice, JSON.stringify(body) ?? ""),
    cut: dice.chance(0.05)
  }
}

/** As the journal keeps it and finds it again. */
const isPicture = (value: unknown) => Schema.is(Picture)(JSON.parse(JSON.stringify(value)))
const isTicket = (value: unknown) => Schema.is(Ticket)(JSON.parse(JSON.stringify(value)))
const isError = Schema.is(GeneratorError)

/** What is wrong with how one answer was read; nothing when all is well. */
const wrongs = (answer: Answered): ReadonlyArray<string> => {
  const wrong: Array<string> = []
  const expect = (holds: boolean, what: string) => holds || wrong.push(what)
  const ok = answer.status >= 200 && answer.status < 300
  const endpoint = "fal-ai/flux/dev"
  const reasonOf = <A>(name: string, verdict: Verdict.Verdict<A>) => {
    if (Result.isSuccess(verdict)) return "ok"
    const { _tag, detail } = verdict.failure
    expect(detail.isWellFormed() && detail.length <= 700, `${name}: its words`)
    expect(isError(new GeneratorError({ reason: verdict.failure })), `${name}: an error that its schema refuses`)
    return _tag
  }

  const submitted = Verdict.submitted(answer, endpoint, "http://127.0.0.1:9220/base")
  const taken = reasonOf("submit", submitted)
  expect(ok === ["ok", "AcceptedWithoutId"].includes(taken), `submit ${answer.status} is ${taken}`)
  expect(["ok", "AcceptedWithoutId", "AccountProblem", "Busy", "Refused", "Uncertain"].includes(taken), `submit is ${taken}`)
  if (taken === "Busy" || taken === "AccountProblem" || taken === "Refused")
    expect(answer.status < 500 && answer.status !== 408, `submit ${answer.status} counts as not taken`)
  if (Result.isSuccess(submitted)) {
    const { paths, requestId } = submitted.success
    expect(isTicket(submitted.success), "a ticket that its schema refuses")
    expect(/^\P{C}{1,100}$/u.test(requestId), `the request id ${requestId}`)
    for (const path of Object.values(paths ?? {})) expect(path.startsWith("/"), `the path ${path}`)
  }

  const resulted = Verdict.result(answer, endpoint)
  const result = reasonOf("result", resulted)
  const signed = answer.header("x-fal-request-id") !== undefined
  expect(ok || result !== "ok", `result ${answer.status} is a picture`)
  if (ok && signed && answer.status !== 202 && !/"IN_(QUEUE|PROGRESS)"/i.test(answer.text))
    expect(result !== "Unreachable", "a signed success would be read for ever")
  if (Result.isSuccess(resulted)) {
    const picture = resulted.success
    expect(isPicture(picture), "a picture that its schema refuses")
    expect(/^(https?:|data:image\/)/i.test(picture.url) && picture.url.isWellFormed(), `the address ${picture.url}`)
    expect(!/[\s\p{C}]/u.test(picture.url), "an address that no column holds")
    if (/"has_nsfw_concepts":(true|\[true\]|"true")/.test(answer.text)) expect(picture.flagged, "a raised flag was not seen")
  }

  expect(
    !["Busy", "Uncertain", "AcceptedWithoutId"].includes(reasonOf("progress", Verdict.progress(answer, endpoint))),
    "progress"
  )
  const told = Verdict.told(answer)
  expect(told === undefined || /completed/i.test(answer.text), "a stream is heard to say what it does not say")
  expect((told?.inferenceSeconds ?? 0) >= 0, "a time before its beginning")
  reasonOf("cancel", Verdict.cancelled(answer, endpoint))
  reasonOf("probe", Verdict.probed(answer, endpoint))
  return wrong
}

/** No answer is read as what it cannot be: an acceptance as free, a refusal as a picture, a success as trouble on the way. */
export const verdictsTarget = (dice: Dice) => Effect.sync(() => assert.deepStrictEqual(wrongs(answerOf(dice)), []))
