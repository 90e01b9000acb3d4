import { Clock, Context, Effect, Layer, Option } from "effect"
import { Ledger } from "../../services/Ledger.ts"
import { make as makeLedger } from "./ledger.ts"
import { AT_FAL, type Model, ModelLibrary } from "../../services/ModelLibrary.ts"

/** The largest INTEGER of PostgreSQL. */
const LAST_VERSION = 2_147_483_647

const make = () => {
  const { add, ledger } = makeLedger()
  const rows: Array<Model> = []
  /** When each was saved (Unix milliseconds). */
  const savedAt: Array<number> = []
  let ids = 0
  /** The one after the last, or where the column ends, the smallest that is free. */
  const nextFree = (versions: ReadonlyArray<number>) => {
    const last = Math.max(0, ...versions)
    if (last < LAST_VERSION) return last + 1
    const taken = new Set(versions)
    let free = 1
    while (taken.has(free)) free++
    return free
  }
  const versionsOf = (templateId: string) => rows.filter((row) => row.templateId === templateId).map((row) => row.version)
  const library = ModelLibrary.of({
    save: (model, paid = []) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        add(paid)
        const saved = rows.find((row) => row.falRequestId === model.falRequestId)
        if (saved !== undefined) return saved
        const versions = versionsOf(model.templateId)
        const free = model.version !== null && !versions.includes(model.version)
        const id = `00000000-0000-4000-8000-${String(++ids).padStart(12, "0")}`
        const metadata = JSON.parse(JSON.stringify(model.metadata)) as typeof model.metadata // as JSONB has it: no -0
        const row = { ...model, metadata, id, version: free ? model.version : nextFree(versions) }
        rows.push(row)
        savedAt.push(now)
        return row
      }),
    find: (which) =>
      Effect.sync(() => {
        if ("falRequestId" in which) return Option.fromNullishOr(rows.find((row) => row.falRequestId === which.falRequestId))
        if ("id" in which) return Option.fromNullishOr(rows.find((row) => row.id === which.id.toLowerCase()))
        const version = which.version ?? Math.max(...versionsOf(which.templateId))
        return Option.fromNullishOr(rows.find((row) => row.templateId === which.templateId && row.version === version))
      }),
    having: (templateIds) => Effect.sync(() => new Set(templateIds.filter((templateId) => versionsOf(templateId).length > 0))),
    list: (which, after, limit) =>
      Effect.sync(() => {
        const fits = (row: Model & { readonly createdAt: number }) =>
          (which.version === null || which.version === row.version) &&
          (which.since === null || row.createdAt >= which.since) &&
          (which.before === null || row.createdAt < which.before) &&
          (which.templateId === null || which.templateId === row.templateId) &&
          (["gender", "ageRange", "bodyType", "pose", "style"] as const).every(
            (key) => which[key] === null || (row[key] !== null && which[key].includes(row[key]))
          )
        const from = after === null ? rows.length : rows.findIndex(({ id }) => id === after)
        return rows
          .slice(0, Math.max(0, from))
          .map((row, at) => ({ ...row, createdAt: savedAt[at]! }))
          .filter(fits)
          .toReversed()
          .slice(0, limit)
      }),
    replacePicture: ({ id, imageUrl }, by) =>
      Effect.sync(() => {
        const at = rows.findIndex((row) => row.id === id && row.imageUrl === imageUrl)
        if (at !== -1) rows[at] = { ...rows[at]!, ...by }
        return at !== -1
      }),
    remove: (id) =>
      Effect.sync(() => {
        const at = rows.findIndex((row) => row.id === id.toLowerCase())
        if (at === -1) return false
        rows.splice(at, 1)
        savedAt.splice(at, 1)
        return true
      }),
    atFalSince: (seconds) =>
      Effect.map(
        Clock.currentTimeMillis,
        (now) =>
          rows.filter(({ imageUrl }, at) => new RegExp(AT_FAL, "i").test(imageUrl) && savedAt[at]! < now - seconds * 1000).length
      ),
    rehearse: Effect.void,
    ping: Effect.void
  })
  return Context.make(ModelLibrary, library).pipe(Context.add(Ledger, ledger))
}

/** Both, because a picture's row and the ledger's are one step. */
export const layer = Layer.effectContext(Effect.sync(make))
