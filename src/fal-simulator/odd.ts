import { Schema } from "effect"

type Body = Schema.JsonObject
type Json = Schema.Json
const isBody = Schema.is(Schema.JsonObject)
interface Form {
  readonly says: string
  readonly of: (body: Body) => Json
}

const images = ({ images }: Body): ReadonlyArray<Body> => (Array.isArray(images) ? images.filter(isBody) : [])
const withImages = (body: Body, change: (image: Body) => Json): Body => ({ ...body, images: images(body).map(change) })
const image = (body: Body): Json => images(body)[0] ?? null
const url = (body: Body): Json => images(body)[0]?.["url"] ?? null
const without = (body: Body, ...names: ReadonlyArray<string>): Body =>
  Object.fromEntries(Object.entries(body).filter(([name]) => !names.includes(name)))

/** Forms of an answer that fal's endpoints use or might: of a result where nothing else is said. */
export const odd = {
  "width-fraction": { says: "sides that are not whole", of: (body) => withImages(body, (image) => ({ ...image, width: 768.5 })) },
  "width-text": { says: "sides in quotes", of: (body) => withImages(body, (image) => ({ ...image, width: "768" })) },
  "seed-text": { says: "the seed in quotes", of: (body) => ({ ...body, seed: String(body["seed"]) }) },
  "seed-huge": { says: "a seed that no double holds", of: (body) => ({ ...body, seed: 2 ** 60 }) },
  "flag-bare": { says: "one flag instead of a list, not raised", of: (body) => ({ ...body, has_nsfw_concepts: false }) },
  "flag-bare-raised": { says: "one flag instead of a list, raised", of: (body) => ({ ...body, has_nsfw_concepts: true }) },
  "flag-text": { says: "flags in quotes, not raised", of: (body) => ({ ...body, has_nsfw_concepts: ["false"] }) },
  "flag-text-raised": { says: "flags in quotes, raised", of: (body) => ({ ...body, has_nsfw_concepts: ["True"] }) },
  "flag-score": { says: "a score of 0.02 instead of a flag", of: (body) => ({ ...body, has_nsfw_concepts: [0.02] }) },
  "flag-score-raised": { says: "a score of 0.98 instead of a flag", of: (body) => ({ ...body, has_nsfw_concepts: [0.98] }) },
  "flag-unknown": {
    says: "a flag in a form that nobody knows",
    of: (body) => ({ ...body, has_nsfw_concepts: [{ verdict: "explicit" }] })
  },
  "flag-in-image": {
    says: "the flag in the picture's own object, raised",
    of: (body) => withImages(without(body, "has_nsfw_concepts"), (image) => ({ ...image, nsfw: true }))
  },
  "one-image": { says: "`image` instead of `images`", of: (body) => ({ ...without(body, "images"), image: image(body) }) },
  "images-text": { says: "addresses instead of objects", of: (body) => withImages(body, (image) => image["url"] ?? null) },
  "images-single": { says: "one object where the list should be", of: (body) => ({ ...body, images: image(body) }) },
  "images-null-first": { says: "a null before the picture", of: (body) => ({ ...body, images: [null, image(body)] }) },
  "in-data": { says: "all of it inside `data`", of: (body) => ({ data: body }) },
  "in-payload": { says: "as a webhook has it, inside `payload`", of: (body) => ({ status: "OK", payload: body, error: null }) },
  "in-output": { says: "`output` with the picture's object", of: (body) => ({ output: image(body) }) },
  "output-text": { says: "`output` with the picture's address", of: (body) => ({ output: [url(body)] }) },
  nulls: {
    says: "null in all fields but the picture's address",
    of: (body) => ({
      images: [{ url: url(body), width: null, height: null, content_type: null }],
      seed: null,
      has_nsfw_concepts: null
    })
  },
  "no-images": { says: "an empty list of pictures", of: (body) => ({ ...body, images: [] }) },
  "address-unusable": {
    says: "an address that is none",
    of: (body) => withImages(body, (image) => ({ ...image, url: "/tmp/out.png" }))
  },
  "no-form": { says: "an object without a picture in it", of: () => ({ answer: 42, note: "done" }) },
  "deep-flag": {
    says: "a flag under a thousand lists",
    of: (body) => ({ ...body, has_nsfw_concepts: Array.from({ length: 1000 }).reduce<Json>((inner) => [inner], false) })
  },
  "error-inside": {
    says: "an error under the status of a success",
    of: () => ({ detail: "Runner disconnected", error_type: "runner_disconnected" })
  },
  "still-running": { says: "a status where the result should be", of: () => ({ status: "IN_PROGRESS" }) },
  "status-unknown": { says: "a status in a word that nobody knows", of: (body) => ({ ...body, status: "WARMING_UP" }) },
  "status-small": {
    says: "a status in small letters",
    of: (body) => ({ ...body, status: String(body["status"]).toLowerCase() })
  },
  "status-missing": { says: "no status where it should be", of: (body) => without(body, "status") },
  "status-numbers": {
    says: "a status with its numbers in quotes",
    of: (body) => ({ ...body, queue_position: "3", metrics: { inference_time: "2.5" } })
  },
  "id-number": { says: "a number as the request id of a submit", of: (body) => ({ ...body, request_id: 12_345 }) },
  "id-long": { says: "a request id of 300 characters, and no other", of: () => ({ request_id: "x".repeat(300) }) },
  "words-long": {
    says: "an error whose words end in the middle of an emoji at 500",
    of: () => ({ detail: `${"x".repeat(498)}\u{1f600}${"y".repeat(100)}` })
  },
  "words-object": {
    says: "an error's words inside an object",
    of: () => ({ error: { type: "server_error", message: "out of order" } })
  },
  "cancel-ended": {
    says: "ALREADY_COMPLETED as a cancel's answer, under any status",
    of: () => ({ status: "ALREADY_COMPLETED" })
  }
} as const satisfies Readonly<Record<string, Form>>
export type Odd = keyof typeof odd

const forms: ReadonlyMap<string, Form> = new Map(Object.entries(odd))
export const inForm = (type: string | undefined, body: Body): Json => forms.get(type ?? "")?.of(body) ?? body
