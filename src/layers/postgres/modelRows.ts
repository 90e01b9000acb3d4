import type { SqlClient } from "effect/sql/SqlClient"
import type { Selection } from "../../services/ModelLibrary.ts"

/** How rows of `model_library` are read, whoever reads them. */

// A table made by hand may hold what ours would not write: no version (the column allows NULL), metadata that is no object.
export const VERSION = "coalesce(version, 1)"
export const COLUMNS = `
  id::text AS id, template_id AS "templateId", ${VERSION} AS version, image_url AS "imageUrl", thumbnail_url AS "thumbnailUrl",
  gender, age_range AS "ageRange", body_type AS "bodyType", pose, style, prompt,
  CASE WHEN jsonb_typeof(metadata) = 'object' THEN metadata END AS metadata,
  fal_request_id AS "falRequestId", processing_time_ms AS "processingTimeMs"`

// A table made by hand may have rows without a date: they are older than all others.
export const SAVED_AT = "coalesce(created_at, 'epoch'::timestamptz)"
export const CREATED_AT = `(extract(epoch FROM ${SAVED_AT}) * 1000)::float8 AS "createdAt"`

export const isUuid = (text: string) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)

/** The condition that a selection is. */
export const selecting = (sql: SqlClient) => {
  const savedAt = sql.literal(SAVED_AT)
  const moment = (milliseconds: number) => sql`to_timestamp(${milliseconds / 1000}::float8)`
  return ({ ageRange, before, bodyType, gender, pose, since, style, templateId, version }: Selection) =>
    sql.and([
      sql`TRUE`,
      ...(templateId === null ? [] : [sql`template_id = ${templateId}`]),
      ...(version === null ? [] : [sql`${sql.literal(VERSION)} = ${version}`]),
      ...(since === null ? [] : [sql`${savedAt} >= ${moment(since)}`]),
      ...(before === null ? [] : [sql`${savedAt} < ${moment(before)}`]),
      ...(
        [
          ["gender", gender],
          ["age_range", ageRange],
          ["body_type", bodyType],
          ["pose", pose],
          ["style", style]
        ] as const
      ).flatMap(([column, values]) => (values === null ? [] : [sql.in(column, values)]))
    ])
}
