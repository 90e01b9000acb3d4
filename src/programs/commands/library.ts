import { Console, Effect, FileSystem, Option, Stream } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { MediaStore, type Store } from "../../services/MediaStore.ts"
import { everything, type Listed, ModelLibrary } from "../../services/ModelLibrary.ts"
import { combinations, templateIdOf } from "../generation/tasks/Parameters.ts"
import { adopt as adopting } from "../media/adopt.ts"
import { audit as auditing, type Health } from "../media/audit.ts"
import { garbage } from "../media/collectGarbage.ts"
import { rowsOf } from "../media/pages.ts"
import { type AtProvider, filesOf, recall as recalling } from "../media/recall.ts"
import { print } from "./client.ts"
import { csvLine } from "./csv.ts"
import * as Display from "./Display.ts"
import * as flags from "./flags.ts"
import { gallery as page } from "./gallery.ts"
import { exportCommand } from "./libraryExport.ts"
import { placeOf, rows as rowsOfSelection, selection } from "./librarySelection.ts"
import { Failed, inJson } from "./outcome.ts"

/** The store, where there is one. */
const theStore = Effect.filterOrFail(
  MediaStore,
  (store): store is Store => store.kind !== "unset",
  () => new Failed({ message: "MEDIA_STORE is not set" })
)

const columns = ["id", "template_id", "version", "created_at", "place", "image_url"] as const
const shown = (row: Listed, place: string) => ({
  id: row.id,
  template_id: row.templateId,
  version: row.version,
  created_at: new Date(row.createdAt).toISOString(),
  place,
  image_url: row.imageUrl,
  thumbnail_url: row.thumbnailUrl,
  gender: row.gender,
  age_range: row.ageRange,
  body_type: row.bodyType,
  pose: row.pose,
  style: row.style
})
const list = Command.make(
  "list",
  {
    ...selection,
    limit: Flag.Int("limit").pipe(Flag.withDescription("At most so many rows (100)"), Flag.withDefault(100)),
    csv: Flag.Boolean("csv").pipe(Flag.withDescription("One line of CSV for each row"), Flag.withDefault(false)),
    json: flags.json
  },
  ({ csv, json, limit, ...input }) =>
    Effect.gen(function* () {
      const place = yield* placeOf
      const rows = (yield* Stream.runCollect(Stream.take(rowsOfSelection(input), Math.max(0, limit)))).map((row) =>
        shown(row, place(row))
      )
      if (json) return yield* print(rows)
      if (csv) {
        const names = Object.keys(rows[0] ?? { id: "" })
        yield* Console.log(csvLine(names))
        for (const row of rows) yield* Console.log(csvLine(Object.values(row)))
        return
      }
      if (rows.length === 0) return yield* Console.log("no such rows")
      const table = rows.map((row) => columns.map((name) => String(row[name])))
      yield* Console.log(Display.table(yield* Display.paint, [...columns], table))
    }).pipe(inJson(json, print))
).pipe(Command.withDescription("The library's rows, the newest first, and where the picture of each is"))

const show = Command.make(
  "show",
  { which: Argument.String("which").pipe(Argument.withDescription("A row's id, or a template id for its newest version")) },
  ({ which }) =>
    Effect.gen(function* () {
      const library = yield* ModelLibrary
      const byId = yield* library.find({ id: which })
      const row = Option.isSome(byId) ? byId : yield* library.find({ templateId: which, version: null })
      if (Option.isNone(row)) return yield* new Failed({ message: `no row has the id or the template id ${which}` })
      yield* print({ ...row.value })
    })
).pipe(Command.withDescription("One row in full, as JSON"))

const healths = ["alive", "dying", "dead", "unknown"] as const satisfies ReadonlyArray<Health>

const audit = Command.make("audit", { ...selection, json: flags.json }, ({ json, ...input }) =>
  Effect.gen(function* () {
    const counts = { alive: 0, dying: 0, dead: 0, unknown: 0 }
    const others: Array<{ readonly id: string; readonly health: Health; readonly image_url: string; readonly why: string }> = []
    const told = () => healths.map((health) => `${counts[health]} ${health}`).join(", ")
    yield* Effect.scoped(
      Effect.gen(function* () {
        const display = yield* Display.make(() => [told()])
        yield* Stream.runForEach(auditing(rowsOfSelection(input)), ({ health, row, why }) => {
          counts[health]++
          if (health === "alive") return Effect.void
          others.push({ id: row.id, health, image_url: row.imageUrl, why })
          return json ? Effect.void : display.line(`${row.id}: ${health}: ${why}`)
        })
      })
    )
    yield* json ? print({ ...counts, others }) : Console.log(told())
    if (counts.dead > 0) return yield* new Failed({ message: "some pictures are dead" })
  }).pipe(inJson(json, print))
).pipe(Command.withDescription("Read the picture of each row: alive, dying (fal's keep ends), dead, or unknown"))

const matrix = Command.make("matrix", { json: flags.json }, ({ json }) =>
  Effect.gen(function* () {
    const versions = new Map<string, number>()
    yield* Stream.runForEach(rowsOf(everything), ({ templateId }) =>
      Effect.sync(() => void versions.set(templateId, (versions.get(templateId) ?? 0) + 1))
    )
    const cells = combinations.map((five) => ({ ...five, versions: versions.get(templateIdOf(five)) ?? 0 }))
    const have = cells.filter((cell) => cell.versions > 0).length
    if (json) return yield* print({ cells: cells.length, have, matrix: cells })
    const rows = Map.groupBy(cells, ({ age_range, body_type, gender }) => `${gender} ${age_range} ${body_type}`)
    const columns = [...(rows.values().next().value ?? [])].map(
      ({ pose, style }) => `${pose[0]}${pose.at(-1)} ${style.slice(0, 4)}`
    )
    const lines = [...rows].map(([name, all]) => [
      name,
      ...all.map((cell) => (cell.versions === 0 ? "·" : String(cell.versions)))
    ])
    yield* Console.log(Display.table(yield* Display.paint, ["versions of each", ...columns], lines))
    yield* Console.log(`${have} of ${cells.length} presets have a picture`)
  }).pipe(inJson(json, print))
).pipe(Command.withDescription("The 288 presets, and how many versions each has"))

/** More pictures than these make a page that no browser likes. */
const MOST_SHOWN = 5000

const gallery = Command.make(
  "gallery",
  {
    file: Argument.String("file").pipe(Argument.withDescription("The HTML file to write")),
    ...selection,
    limit: Flag.Int("limit").pipe(Flag.withDescription("At most so many pictures (1000)"), Flag.withDefault(1000))
  },
  ({ file, limit, ...input }) =>
    Effect.gen(function* () {
      const store = yield* MediaStore
      const rows = yield* Stream.runCollect(Stream.take(rowsOfSelection(input), Math.min(MOST_SHOWN, Math.max(0, limit))))
      const exhibits = yield* Effect.forEach(rows, (row) =>
        Effect.gen(function* () {
          const address = row.thumbnailUrl ?? row.imageUrl
          const name = store.kind === "unset" ? undefined : store.nameIn(address)
          const bytes = store.kind === "unset" || name === undefined ? Option.none() : yield* Effect.option(store.get(name))
          return {
            title: [row.gender, row.ageRange].filter((text) => text !== null).join(", "),
            about: [row.bodyType, row.pose, row.style].filter((text) => text !== null).join(", "),
            name: `${row.templateId} v${row.version}`,
            data: Option.isSome(bytes) ? `data:image/webp;base64,${Buffer.from(bytes.value).toString("base64")}` : address,
            opens: row.imageUrl,
            prompt: row.prompt ?? "",
            editedFrom: null
          }
        })
      )
      const fs = yield* FileSystem.FileSystem
      const html = page(
        "Model library",
        `${exhibits.length} pictures, the newest first`,
        "model-generator library gallery",
        exhibits
      )
      yield* Effect.mapError(
        fs.writeFileString(file, html),
        (error) => new Failed({ message: `the gallery could not be written: ${error.message}` })
      )
      yield* Console.log(`${exhibits.length} pictures in ${file}`)
    })
).pipe(Command.withDescription("Write a page of pictures that needs nothing but itself: thumbnails of the store are in it"))

const adopt = Command.make("adopt", { ...selection, json: flags.json }, ({ json, ...input }) =>
  Effect.gen(function* () {
    const store = yield* theStore
    const counts = { adopted: 0, ours: 0, changed: 0, gone: 0, failed: 0 }
    const failures: Array<{ readonly id: string; readonly image_url: string; readonly why: string }> = []
    yield* Effect.scoped(
      Effect.gen(function* () {
        const display = yield* Display.make(() => [
          `${counts.adopted} copied, ${counts.ours} in the store already, ${counts.gone} gone, ${counts.failed} failed`
        ])
        yield* Stream.runForEach(adopting(store, rowsOfSelection(input)), (outcome) => {
          if (outcome._tag !== "Failed") {
            counts[outcome._tag === "Adopted" ? "adopted" : outcome._tag === "Ours" ? "ours" : "changed"]++
            return Effect.void
          }
          counts[outcome.gone ? "gone" : "failed"]++
          failures.push({ id: outcome.row.id, image_url: outcome.row.imageUrl, why: outcome.why })
          return json ? Effect.void : display.line(`${outcome.row.id}: ${outcome.why}`)
        })
      })
    )
    yield* json
      ? print({ ...counts, failures })
      : Console.log(
          `${counts.adopted} copied, ${counts.ours} in the store already, ${counts.gone} gone, ${counts.failed} failed` +
            (counts.changed === 0 ? "" : `, ${counts.changed} changed by somebody else`)
        )
    if (counts.failed > 0) return yield* new Failed({ message: "some pictures could not be had now: run it again" })
  }).pipe(inJson(json, print))
).pipe(
  Command.withDescription(
    "Copy the pictures of rows of before MEDIA_STORE was set into the store. May be broken off and run again; needs UPDATE on the table"
  )
)

const gc = Command.make(
  "gc",
  {
    delete: Flag.Boolean("delete").pipe(Flag.withDescription("Delete them (default: only show them)"), Flag.withDefault(false)),
    json: flags.json
  },
  ({ delete: remove, json }) =>
    Effect.gen(function* () {
      const store = yield* theStore
      const files = yield* garbage(store)
      const bytes = files.reduce((sum, { size }) => sum + size, 0)
      if (remove) yield* Effect.forEach(files, ({ name }) => store.remove(name), { discard: true })
      if (json) return yield* print({ deleted: remove, count: files.length, bytes, files: files.map(({ name }) => name) })
      for (const { name, size } of files) yield* Console.log(`${name}  ${size} bytes`)
      const what = `${files.length} files that no row names and that are older than a day, ${bytes} bytes`
      yield* Console.log(remove ? `deleted: ${what}` : `${what}${files.length === 0 ? "" : "; --delete deletes them"}`)
    }).pipe(inJson(json, print))
).pipe(Command.withDescription("Files of the store that no row names"))

const toldOf = (atFal: AtProvider): string => {
  switch (atFal._tag) {
    case "no request":
      return "the row names no request at fal"
    case "no key":
      return `what fal keeps of request ${atFal.requestId} stays there: FAL_ADMIN_KEY is not set`
    case "not known":
      return `fal has nothing of request ${atFal.requestId} any more`
    case "deleted":
      return [
        `fal has deleted what it kept of request ${atFal.requestId}`,
        ...atFal.left.map(({ address, why }) => `but not ${address}: ${why}`)
      ].join("\n")
    case "failed":
      return `fal may still have request ${atFal.requestId}: ${atFal.why}`
  }
}
/** A script must see that fal still has something. This command cannot try again: the row is gone. */
const unlessKept = (atFal: AtProvider | undefined) =>
  atFal?._tag === "failed" || (atFal?._tag === "deleted" && atFal.left.length > 0)
    ? Effect.fail(new Failed({ message: `recalled, but fal has not deleted all of request ${atFal.requestId}` }))
    : Effect.void

const recall = Command.make(
  "recall",
  {
    id: Argument.String("id").pipe(Argument.withDescription("The row's id")),
    yes: Flag.Boolean("yes").pipe(
      Flag.withDescription("Do it. Without this flag the command only shows what it would delete"),
      Flag.withoutNegation,
      Flag.withDefault(false)
    ),
    json: flags.json
  },
  ({ id, json, yes }) =>
    Effect.gen(function* () {
      const store = yield* theStore
      const library = yield* ModelLibrary
      const row = yield* library.find({ id })
      if (Option.isNone(row)) return yield* new Failed({ message: `no row has the id ${id}` })
      const atFal: AtProvider | undefined = yes ? yield* recalling(store, row.value) : undefined
      const { imageUrl, templateId, version } = row.value
      const files = filesOf(store, row.value)
      if (json) {
        const left = atFal?._tag === "deleted" ? atFal.left : []
        const source = row.value.falRequestId
        yield* print({ recalled: yes, id, template_id: templateId, version, files, source, fal: atFal?._tag ?? null, left })
        return yield* unlessKept(atFal)
      }
      const what = `${templateId} v${version}: the row and ${files.length} files`
      yield* Console.log(yes ? `deleted for good: ${what}` : `${what} would be deleted for good; --yes does it`)
      if (files.length === 0) yield* Console.log(`its picture is not in the store: ${imageUrl}`)
      if (atFal !== undefined) yield* Console.log(toldOf(atFal))
      yield* unlessKept(atFal)
    }).pipe(inJson(json, print))
).pipe(
  Command.withDescription(
    "Delete a picture for good: its row, its files, which no worker stores again, and with FAL_ADMIN_KEY fal's copy. Needs DELETE on the table"
  )
)

/** The commands for the library's pictures. */
export const library = Command.make("library").pipe(
  Command.withDescription("The library's rows, and where their pictures are"),
  Command.withSubcommands([list, show, gallery, exportCommand, matrix, audit, adopt, recall, gc]),
  Command.withExamples([
    { command: "model-generator library list --style editorial --limit 20", description: "The newest pictures of a style" },
    { command: "model-generator library gallery models.html", description: "A page to look at, also on a phone" },
    { command: "model-generator library export pictures --newer-than 7d", description: "The pictures of this week as files" },
    { command: "model-generator library adopt", description: "Copy old pictures from fal before fal deletes them" },
    { command: "model-generator library gc", description: "What could be deleted from the store" }
  ])
)
