import { assert } from "@effect/vitest"
import { Effect, Result } from "effect"
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib"
import { contentOf, LONGEST_ANSWER } from "../../src/layers/fal/content.ts"
import type { Answered, Exchange } from "../../src/layers/fal/exchange.ts"
import * as verdict from "../../src/layers/fal/verdict.ts"
import * as PythonJson from "../../src/wire/PythonJson.ts"
import type { Dice } from "../simulation/Dice.ts"
import { isPrintable } from "./checks.ts"
import { Hostile } from "./Hostile.ts"

const base = "https://queue.fal.run/fal-ai/flux/requests/764cabcf"
const bodies: ReadonlyArray<unknown> = [
  { request_id: "764cabcf", response_url: base, status_url: `${base}/status`, cancel_url: `${base}/cancel`, queue_position: 0 },
  { status: "IN_QUEUE", request_id: "764cabcf", queue_position: 2, response_url: base },
  { status: "IN_PROGRESS", request_id: "764cabcf", logs: null },
  { status: "COMPLETED", request_id: "764cabcf", metrics: { inference_time: 3.7 } },
  {
    images: [{ url: "https://v3.fal.media/files/x.jpg", width: 768, height: 1024, content_type: "image/jpeg" }],
    timings: { inference: 3.1 },
    seed: 1234,
    has_nsfw_concepts: [false],
    prompt: "p"
  },
  { detail: [{ loc: ["body", "prompt"], msg: "field required", type: "missing", input: "x" }] },
  { detail: "User is locked. Reason: Exhausted balance.", error_type: "x" },
  { status: "CANCELLATION_REQUESTED" },
  { status: "ALREADY_COMPLETED" }
]
const statuses = [
  200, 200, 200, 201, 202, 204, 301, 303, 307, 400, 401, 402, 403, 404, 405, 408, 410, 422, 422, 429, 499, 500, 502, 503, 504, 599
]
const headers = [
  "x-fal-request-id",
  "x-fal-error-type",
  "x-fal-billable-units",
  "x-fal-needs-retry",
  "x-fal-retryable",
  "retry-after",
  "content-type",
  "location"
]

/** An answer as fal, a proxy or a mistake may give it: it is read as something, and costs no more than it is. */
export const answersTarget = Effect.fnUntraced(function* (dice: Dice) {
  const hostile = new Hostile(dice)
  const body = dice.pick(bodies)
  const value = dice.chance(0.2) ? body : hostile.mutated(body)
  const json = PythonJson.stringify(value) ?? ""
  const text = dice.chance(0.15) ? hostile.garbled(json) : json
  const given = new Map(
    headers.filter(() => dice.chance(0.2)).map((name) => [name, dice.pick([hostile.text(), "1", "90", "true"])])
  )
  const answer: Answered = {
    _tag: "Answered",
    status: dice.pick(statuses),
    header: (name) => given.get(name),
    text,
    cut: dice.chance(0.1)
  }
  const exchange: Exchange = dice.pick<Exchange>([
    answer,
    answer,
    answer,
    { _tag: "Lost", detail: "answer lost", begun: answer },
    { _tag: "Lost", detail: "answer lost" },
    { _tag: "NotSent", detail: "cannot connect" }
  ])
  const verdicts: ReadonlyArray<verdict.Verdict<unknown>> = [
    verdict.submitted(exchange, "fal-ai/flux/dev", dice.pick([undefined, "http://127.0.0.1:9/x"])),
    verdict.progress(exchange, "fal-ai/flux/dev"),
    verdict.result(exchange, "fal-ai/flux/dev"),
    verdict.cancelled(exchange, "fal-ai/flux/dev"),
    verdict.probed(exchange, "fal-ai/flux/dev")
  ]
  for (const one of verdicts) {
    if (Result.isSuccess(one)) continue
    const { detail } = one.failure as { readonly detail?: unknown } // where there is one
    if (detail === undefined) continue
    assert.isString(detail)
    assert.isTrue(isPrintable(detail), `half a character in ${JSON.stringify(String(detail).slice(-40))}`)
    assert.isBelow(String(detail).length, 2000)
  }
  const [submitted, , result] = verdicts
  if (submitted !== undefined && Result.isSuccess(submitted)) assert.isFalse(exchange._tag === "NotSent")
  if (result !== undefined && Result.isSuccess(result)) {
    const { url } = result.success as { readonly url: string } // a picture
    assert.isTrue(isPrintable(url))
  }
  const encoding = dice.pick(["gzip", "deflate", "br", "gzip, br", "zstd", "x", "identity", hostile.text()])
  const bytes = Buffer.from(text)
  const packed = dice.pick([() => bytes, () => gzipSync(bytes), () => deflateSync(bytes), () => brotliCompressSync(bytes)])()
  if (dice.chance(0.3) && packed.length > 0) packed[dice.between(0, packed.length - 1)] = dice.between(0, 255)
  const content = yield* Effect.promise(() => contentOf(packed, encoding))
  assert.isAtMost(content.text.length, Math.max(LONGEST_ANSWER, packed.length))
})
