/** The Helm chart, rendered, and judged by the schemas of the APIs that would take its manifests. */
import { assert } from "@effect/vitest"
import { Schema } from "effect"
import { spawnSync } from "node:child_process"
import { join } from "node:path"
import type { Resources } from "../servers/index.ts"

export const folder = join(import.meta.dirname, "..", "..", "deploy", "kubernetes")

/** The oldest Kubernetes that the chart is for, and newer ones. */
const VERSIONS = ["1.29", "1.33", "1.37"]

const Judged = Schema.Struct({
  documents: Schema.Array(Schema.Record(Schema.String, Schema.Unknown)),
  problems: Schema.Array(Schema.String)
})
const AllJudged = Schema.fromJsonString(Schema.Array(Judged))
export type Manifest = Readonly<Record<string, unknown>>

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null
/** What stands in a manifest at a path such as `spec.template.spec.containers.0.args`. */
export const at = (manifest: unknown, path: string): unknown =>
  path.split(".").reduce<unknown>((value, key) => (isRecord(value) ? value[key] : undefined), manifest)

export const chart = ({ helm, python }: Resources["kubernetes"]) => {
  const run = (args: ReadonlyArray<string>, values: object) =>
    spawnSync(helm, [...args, "--values", "-"], { encoding: "utf8", input: JSON.stringify(values) })
  /** What the APIs say of these texts. Asked once for all: the schemas take a second to load. */
  const judge = (...texts: ReadonlyArray<string>) => {
    const script = join(import.meta.dirname, "judge_manifests.py")
    const { status, stderr, stdout } = spawnSync(python, [script, ...VERSIONS], {
      encoding: "utf8",
      input: JSON.stringify(texts),
      maxBuffer: 1 << 26
    })
    assert.strictEqual(status, 0, stderr)
    return Schema.decodeSync(AllJudged)(stdout)
  }
  return {
    judge,
    lint: (values: object) => {
      const { status, stderr, stdout } = run(["lint", "--strict", folder], values)
      return { status, output: stdout + stderr }
    },
    /** The manifests for each of these values. All are valid for every version of the API. */
    render: <const V extends Readonly<Record<string, object>>>(all: V) => {
      const texts = Object.values(all).map((values) => {
        const { status, stderr, stdout } = run(["template", "models", folder, "--namespace", "pictures"], values)
        assert.strictEqual(status, 0, stderr)
        return stdout
      })
      const judged = judge(...texts)
      const problems = judged.flatMap(({ problems }) => problems)
      assert.deepStrictEqual(problems, [])
      // One list of manifests for each name, in their order.
      return Object.fromEntries(Object.keys(all).map((name, at) => [name, judged[at]?.documents ?? []])) as {
        readonly [K in keyof V]: ReadonlyArray<Manifest>
      }
    },
    /** Why Helm does not render it. */
    refuse: (values: object) => {
      const { status, stderr } = run(["template", "models", folder], values)
      assert.notStrictEqual(status, 0)
      return stderr
    }
  }
}

export const pick = (manifests: ReadonlyArray<Manifest>, kind: string, name = "models-model-generator"): Manifest => {
  const found = manifests.find((manifest) => manifest["kind"] === kind && at(manifest, "metadata.name") === name)
  assert.isDefined(found, `${kind} ${name}`)
  return found
}
