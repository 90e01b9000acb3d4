import { Effect, Layer, Option } from "effect"
import { type Model, ModelLibrary } from "../services/ModelLibrary.ts"

export const layer = Layer.sync(ModelLibrary, () => {
  const rows: Array<Model> = []
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
        const row = { ...model, metadata, id, version: free ? model.version : Math.max(0, ...versions) + 1 }
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
    ping: Effect.void
  })
})
