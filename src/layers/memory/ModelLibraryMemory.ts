import { Effect, Layer, Option } from "effect"
import { type Model, ModelLibrary } from "../services/ModelLibrary.ts"

/** What PostgreSQL's INTEGER can hold. */
const LAST_VERSION = 2_147_483_647

export const layer = Layer.sync(ModelLibrary, () => {
  const rows: Array<Model> = []
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
  return ModelLibrary.of({
    save: (model) =>
      Effect.sync(() => {
        const saved = rows.find((row) => row.falRequestId === model.falRequestId)
        if (saved !== undefined) return saved
        const versions = versionsOf(model.templateId)
        const free = model.version !== null && !versions.includes(model.version)
        const id = `00000000-0000-4000-8000-${String(rows.length + 1).padStart(12, "0")}`
        const metadata = JSON.parse(JSON.stringify(model.metadata)) as typeof model.metadata // as JSONB has it: no -0
        const row = { ...model, metadata, id, version: free ? model.version : nextFree(versions) }
        rows.push(row)
        return row
      }),
    find: (which) =>
      Effect.sync(() => {
        if ("id" in which) return Option.fromNullishOr(rows.find((row) => row.id === which.id.toLowerCase()))
        const version = which.version ?? Math.max(...versionsOf(which.templateId))
        return Option.fromNullishOr(rows.find((row) => row.templateId === which.templateId && row.version === version))
      }),
    having: (templateIds) => Effect.sync(() => new Set(templateIds.filter((templateId) => versionsOf(templateId).length > 0))),
    rehearse: Effect.void,
    ping: Effect.void
  })
})
