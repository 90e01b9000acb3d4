import { Effect } from "effect"
import { HttpServerResponse } from "effect/http"
import { isName, MediaStore } from "../../services/MediaStore.ts"
import type { Model } from "../../services/ModelLibrary.ts"
import type { Decision } from "../../services/Reviews.ts"
import { addressOf, type Content, html } from "./html.ts"
import { placeholder } from "./placeholder.ts"
import { look, parameter, refuse } from "./visit.ts"

/** Where a browser finds the pictures of rows. A folder's are served by the console itself; others have an address of their own. */
export const addresses = Effect.map(MediaStore, (store) => (address: string) => {
  const name = store.kind === "directory" ? store.nameIn(address) : undefined
  return name === undefined ? addressOf(address) : `/media/${name}`
})
export type Addresses = Effect.Success<typeof addresses>

const types: Readonly<Record<string, string>> = { jpg: "image/jpeg", png: "image/png", webp: "image/webp" }

/** The files of a store that is a folder. Their names are the hashes of their bytes, so a browser may keep them. */
export const route = look("/media/:name", "viewer", () =>
  Effect.gen(function* () {
    const store = yield* MediaStore
    const name = yield* parameter("name")
    const contentType = types[name.slice(name.lastIndexOf(".") + 1)]
    if (store.kind !== "directory" || !isName(name) || contentType === undefined)
      return yield* refuse(404, "There is no such file.")
    const bytes = yield* Effect.catchIf(
      store.get(name),
      ({ reason }) => reason === "missing",
      () => refuse(404, "There is no such file.")
    )
    return HttpServerResponse.uint8Array(bytes, {
      contentType,
      headers: { "cache-control": "private, max-age=31536000, immutable" }
    })
  })
)

export const titleOf = ({ ageRange, gender, templateId }: Pick<Model, "ageRange" | "gender" | "templateId">) =>
  [gender, ageRange].filter((value) => value !== null && value !== "").join(", ") || templateId
export const aboutOf = ({ bodyType, pose, style }: Pick<Model, "bodyType" | "pose" | "style">) =>
  [bodyType, pose, style].filter((value) => value !== null && value !== "").join(" · ")

/** Whether the picture is upright as most are, or what its file says. */
const shape = ({ metadata }: Pick<Model, "metadata">) => {
  const [width, height] = [metadata?.["width"], metadata?.["height"]]
  return typeof width === "number" && typeof height === "number" ? { width, height } : { width: 768, height: 1024 }
}

/** A picture over its placeholder. Anything that is no address of a picture is a word instead. */
export const image = (row: Model, address: string | undefined, options: { readonly lazy: boolean }): Content => {
  const blurred = placeholder(row.metadata?.["thumbhash"])
  const { height, width } = shape(row)
  return html`<span class="picture"
    >${blurred !== undefined && html`<img class="blurred" src="${blurred}" alt="" width="${width}" height="${height}" />`}${
      address === undefined
        ? html`<span class="missing">no address of a picture</span>`
        : html`<img
            class="sharp"
            src="${address}"
            alt="${[titleOf(row), aboutOf(row)].filter(Boolean).join(", ")}"
            width="${width}"
            height="${height}"
            decoding="async"
            ${options.lazy && html` loading="lazy"`}
          />`
    }</span
  >`
}

const marks = { approved: "✓", rejected: "✕", undecided: "" } as const
export const badge = (decision: Decision | null): Content =>
  decision !== null &&
  decision.verdict !== "undecided" &&
  html`<span class="badge ${decision.verdict}"
    ><span aria-hidden="true">${marks[decision.verdict]}</span> ${decision.verdict}</span
  >`
