/**
 * Every expression of the dashboard as a recording rule, for `promtool check rules`: Grafana only says that one is wrong when a
 * person looks at it.
 */
import { expressions } from "./dashboard.ts"

const rules = expressions.map((expr, n) => ({ record: `dashboard:expression:${n}`, expr }))
// YAML is a superset of JSON.
process.stdout.write(JSON.stringify({ groups: [{ name: "dashboard", rules }] }))
