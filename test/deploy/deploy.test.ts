import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawnSync } from "node:child_process"
import { readdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import * as DotEnv from "../../src/layers/process/DotEnv.ts"
import { definitions } from "../../src/services/Metrics.ts"
import * as Settings from "../../src/services/Settings.ts"
import { expressions } from "./dashboard.ts"
import { exposition } from "./exposition.ts"

const root = join(import.meta.dirname, "..", "..")
const read = (path: string) => readFileSync(join(root, path), "utf8")
const names = (text: string, pattern: RegExp) => [...new Set([...text.matchAll(pattern)].map(([, name]) => name!))]

describe(".env.example", () => {
  const example = read(".env.example")
  /** As if everything that is commented out were not. */
  const all = names(example, /^(?:# )?([A-Z][A-Z\d_]+)=/gm)

  it("explains every setting, and none that there is not", () => {
    const others = ["ALLOW_READABLE_ENV", "PRIVATE_ADDRESS", "MODEL_GENERATOR_VERSION"]
    assert.sameMembers(all, [...Settings.names, ...others])
  })

  it("has words before each setting or group of settings", () => {
    let explained = false
    for (const line of example.split("\n")) {
      if (line === "") explained = false
      else if (/^(# )?[A-Z][A-Z\d_]+=/.test(line)) assert.isTrue(explained, `nothing explains ${line}`)
      else if (line.startsWith("# ")) explained = true
    }
  })

  it("can be read, and leaves open only what must be filled in", () => {
    const { problems, values } = DotEnv.parse(example)
    assert.deepStrictEqual(problems, [])
    assert.deepStrictEqual(
      Object.keys(values).filter((name) => values[name] === ""),
      ["FAL_KEY", "REDIS_PASSWORD"]
    )
  })
})

describe("docker-compose.yml", () => {
  const compose = read("docker-compose.yml")
  for (const line of [
    "container_name: generator-worker-1",
    "container_name: generator-worker-2",
    "restart: unless-stopped",
    "env_file: .env",
    "stop_grace_period: 120s",
    "limits: { memory: 1536M,",
    "reservations: { memory: 512M }",
    "image: prom/node-exporter:v1.7.0",
    '"/:/host:ro,rslave"',
    "read_only: true",
    "cap_drop: [ALL]",
    "no-new-privileges:true"
  ])
    it(`says ${line}`, () => assert.include(compose, line))

  it("publishes nothing on every address", () => {
    for (const ports of names(compose, /^ {4}ports: \[(.*)\]$/gm)) assert.match(ports, /^"\$\{PRIVATE_ADDRESS:-10\.1\.0\.5\}:/)
  })

  it("builds each image once, here and for trials", () => {
    for (const file of [compose, read("deploy/compose.trial.yml")])
      assert.isAtMost([...file.matchAll(/^ {4}build: .*(?:\.|!override \{ context: \.\. \})$/gm)].length, 2)
    assert.strictEqual([...compose.matchAll(/build:/g)].length, 1)
  })
})

it("the image starts under an init, as a worker, with a health check and without root", () => {
  const dockerfile = read("Dockerfile")
  const last = dockerfile.slice(dockerfile.lastIndexOf("\nFROM "))
  assert.include(last, 'ENTRYPOINT ["tini", "--", "model-generator"]')
  assert.include(last, 'CMD ["worker"]')
  assert.include(last, 'CMD ["model-generator", "health", "--self"]')
  assert.match(last, /USER 10001/)
  assert.notMatch(dockerfile, /^# *syntax=/m)
})

/** The words that a label of a metric may hold; undefined where the label is open. */
const wordsOf = (name: string, label: string): ReadonlyArray<string> | undefined => {
  const all: Readonly<Record<string, { readonly labels: Readonly<Record<string, unknown>> }>> = {
    ...definitions.counters,
    ...definitions.gauges,
    ...definitions.histograms
  }
  const words = all[name]?.labels[label]
  return Array.isArray(words) ? words : undefined
}
/** What an expression asks a label to hold though no word of that label is it. Patterns are words between bars. */
const misspelt = (expr: string) =>
  [...expr.matchAll(/\bmodel_generator_(\w+)\{([^}]*)\}/g)].flatMap(([, name, matchers]) =>
    [...matchers!.matchAll(/(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"/g)].flatMap(([, label, operator, value]) => {
      const known = wordsOf(name!, label!)
      const asked = operator!.endsWith("~") ? value!.split("|") : [value!]
      return known === undefined ? [] : asked.filter((word) => !known.includes(word))
    })
  )

describe("alerts", () => {
  const rules = read("deploy/prometheus/rules.yml")
  const alerts = names(rules, /- alert: (\w+)/g)
  const rulesAsked = names(rules, /expr: (?:\|\n)?((?:.+|\n {10})+)/g)
  const series = names(read("deploy/prometheus/rules.test.yml"), /series: '(.*)'/g)

  it("each has its place in the runbook, a link to it, and a test", () => {
    assert.isAbove(alerts.length, 15)
    const runbook = read("deploy/RUNBOOK.md")
    const tests = read("deploy/prometheus/rules.test.yml")
    for (const alert of alerts) {
      assert.include(runbook, `\n### ${alert}\n`)
      assert.include(rules, `deploy/RUNBOOK.md#${alert.toLowerCase()}`)
      assert.match(tests, new RegExp(`alertname: ${alert}\\n\\s+exp_alerts:`), `no test sees ${alert}`)
    }
  })

  it.effect("rules, their tests and the dashboard know no metric and no label that there is not", () =>
    Effect.gen(function* () {
      const { body } = yield* exposition
      const labels = new Map<string, Set<string>>()
      for (const [, name, given = ""] of body.matchAll(/^(\w+)(?:\{(.*)\})? /gm))
        labels.set(name!, new Set([...(labels.get(name!) ?? []), ...names(given, /(\w+)=/g)]))
      // What Prometheus and its configuration add.
      const everywhere = ["instance", "job", "host"]
      assert.isAbove(rulesAsked.length, 20)
      for (const expr of [...rulesAsked, ...series, ...expressions]) {
        const metrics = [...expr.matchAll(/\b((?:model_generator|process|nodejs)_\w+)(?:\{([^}]*)\})?/g)]
        for (const [, name, matchers = ""] of metrics) {
          assert.isTrue(labels.has(name!), `${name} in ${expr}`)
          for (const label of names(matchers, /(\w+)\s*[=!]/g))
            assert.isTrue(labels.get(name!)!.has(label) || everywhere.includes(label), `${label} of ${name} in ${expr}`)
        }
        if (metrics.length === 0) continue
        for (const label of names(expr, /by \(([^)]*)\)/g).flatMap((list) => list.split(/,\s*/)))
          assert.isTrue(
            [...everywhere, ""].includes(label) || metrics.every(([, name]) => labels.get(name!)!.has(label)),
            `by ${label} in ${expr}`
          )
      }
    })
  )

  it("rules, their tests and the dashboard ask for no word that a label never holds", () => {
    for (const expr of [...rulesAsked, ...series, ...expressions]) assert.deepStrictEqual(misspelt(expr), [], expr)
    const wrong = rules.replaceAll("|soft limit|", "|soft limits|").replace('use="wasted"', 'use="waste"')
    assert.deepStrictEqual([...new Set(misspelt(wrong))], ["soft limits", "waste"])
    assert.deepStrictEqual(misspelt('model_generator_fal_requests_total{operation="submit", outcome!~"ok|Busi"}'), ["Busi"])
    assert.deepStrictEqual(misspelt('model_generator_tasks_total{task="anything", outcome="failed"}'), [])
  })
})

it("the runbook's table has every metric, with its type, labels and meaning", () => {
  const rows = read("deploy/RUNBOOK.md")
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim())
    )
  for (const [kind, all] of Object.entries(definitions))
    for (const [name, { help, labels }] of Object.entries(all))
      assert.deepInclude(rows, [
        `\`${name}\``,
        kind.slice(0, -1),
        Object.keys(labels)
          .map((label) => `\`${label}\``)
          .join(", "),
        help
      ])
})

it("the runbook has every row that health can show", () => {
  const [, section = ""] = read("deploy/RUNBOOK.md").split("## What health shows")
  const known = names(section.split("\n## ")[0]!, /`([^`]+)`/g)
  const sources = [
    "src/programs/commands/diagnosis.ts",
    "src/programs/worker/clockSkew.ts",
    "src/layers/redis/redisPreconditions.ts",
    "src/layers/postgres/databasePreconditions.ts"
  ].map(read)
  const shown = sources.flatMap((source) => [
    ...names(source, /\b(?:ok|note|bad|answered)\(\s*"([^"]+)"/g),
    ...names(source, /\bname = "([^"]+)"/g),
    ...names(source, /`\$\{what\} ([\w -]+)`/g).flatMap((rest) => [`broker ${rest}`, `results ${rest}`])
  ])
  assert.isAbove(shown.length, 25)
  for (const row of shown) assert.include(known, row)
})

it("scripts can be run, and say what is wrong use", () => {
  for (const script of ["health-check", "generate-batch", "test-task", "check-deploy", "rehearse"])
    assert.notStrictEqual(statSync(join(root, `scripts/${script}.sh`)).mode & 0o111, 0, script)
  const { status } = spawnSync("bash", [join(root, "scripts/health-check.sh"), "--nonsense"])
  assert.strictEqual(status, 2)
})

it("nothing here names this machine", () => {
  for (const file of readdirSync(join(root, "deploy"), { recursive: true, withFileTypes: true }))
    if (file.isFile()) assert.notInclude(readFileSync(join(file.parentPath, file.name), "utf8"), root, file.name)
})
