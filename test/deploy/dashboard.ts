/** The expressions of the dashboard, as Prometheus gets them. */
import { Schema } from "effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"

const Dashboard = Schema.Struct({
  annotations: Schema.Struct({ list: Schema.Array(Schema.Struct({ expr: Schema.String })) }),
  panels: Schema.Array(Schema.Struct({ targets: Schema.optionalKey(Schema.Array(Schema.Struct({ expr: Schema.String }))) }))
})

const { annotations, panels } = Schema.decodeSync(Schema.fromJsonString(Dashboard))(
  readFileSync(join(import.meta.dirname, "../../deploy/grafana/model-generator.json"), "utf8")
)

export const expressions: ReadonlyArray<string> = [...annotations.list, ...panels.flatMap(({ targets }) => targets ?? [])].map(
  // Grafana puts four times the scrape interval there.
  ({ expr }) => expr.replaceAll("$__rate_interval", "1m")
)
