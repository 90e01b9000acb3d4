/** What stock Celery wrote, as it was captured (test/fixtures/celery/README.md). */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import * as PythonJson from "../../../src/wire/PythonJson.ts"

export const versions = ["5.2.6", "5.3.6", "5.6.3"] as const

/** The files hold Python's NaN and Infinity, so they need the reader they test; its own tests do not rest on them. */
export const fixture = <Items>(name: string): Items =>
  (
    PythonJson.parse(readFileSync(join(import.meta.dirname, "..", "..", "fixtures", "celery", `${name}.json`), "utf8")) as {
      items: Items
    }
  ).items // captured once, of a known form

export interface Captured {
  readonly name: string
  readonly how: string
  readonly redis: Readonly<Record<string, { readonly type: string; readonly items_head_to_tail?: ReadonlyArray<string> }>>
  readonly body_decoded: ReadonlyArray<unknown>
}

/** Every task message of a version with the Python call that sent it. */
export const messages = (version: (typeof versions)[number]) =>
  fixture<ReadonlyArray<Captured>>(`messages-${version}`).flatMap(({ body_decoded, how, name, redis }) =>
    Object.entries(redis)
      .filter(([key, { type }]) => type === "list" && !key.startsWith("celery-task"))
      .flatMap(([list, { items_head_to_tail }]) =>
        (items_head_to_tail ?? []).map((raw, at) => ({ name, how, list, raw, at, bodies: body_decoded }))
      )
  )

export interface CapturedResult {
  readonly name: string
  readonly how: string
  readonly published: ReadonlyArray<{ readonly channel: string; readonly data: string }>
}

export interface Document {
  readonly status: string
  readonly result: unknown
  readonly traceback: unknown
  readonly children: unknown
  readonly date_done: unknown
  readonly task_id: string
}

/** Every state document of a version, in the order it was published. */
export const documents = (version: (typeof versions)[number]) =>
  fixture<ReadonlyArray<CapturedResult>>(`results-${version}`).flatMap(
    ({ how, name, published }) =>
      published
        .filter(({ channel }) => channel.startsWith("celery-task-meta-"))
        .map(({ data }) => ({ name, how, document: PythonJson.parse(data) as Document })) // a result document, by its channel
  )
