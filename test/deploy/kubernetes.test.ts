/** The Helm chart in `deploy/kubernetes`. */
import { assert, beforeAll, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import manifest from "../../package.json" with { type: "json" }
import * as Settings from "../../src/services/Settings.ts"
import { describeWith } from "../servers/index.ts"
import { at, chart, folder, type Manifest, pick } from "./chart.ts"

const read = (name: string) => readFileSync(join(folder, name), "utf8")

/** Everything that can be turned on. */
const EVERYTHING = {
  fal: { concurrency: 64 },
  workers: { slots: 16, nodeSelector: { disk: "none" }, tolerations: [{ operator: "Exists" }], podAnnotations: { a: "b" } },
  image: { repository: "registry.example.com/model-generator", tag: "1.2.3", pullSecrets: ["registry"] },
  settings: {
    MEDIA_STORE: "file:///var/lib/model-generator/media",
    CELERY_BROKER_URL: "rediss://redis:6380/4?ssl_ca_certs=/run/authorities/ca.pem",
    RESULT_EXPIRES: 100_000_000,
    TASK_TRACK_STARTED: true,
    CONSOLE_PROXY_HEADER: "Remote-User",
    CONSOLE_PROXY_ADDRESS: "127.0.0.1"
  },
  media: { existingClaim: "pictures" },
  signing: { existingSecret: "c2pa" },
  authorities: { existingConfigMap: "authorities" },
  scaling: { enabled: true, minReplicas: 1, maxReplicas: 4, prometheus: { authenticationRef: "prometheus" } },
  migrate: { existingSecret: "owner" },
  console: {
    enabled: true,
    existingSecret: "console",
    targetPort: 4180,
    sidecars: [{ name: "proxy", image: "proxy:1", ports: [{ containerPort: 4180 }] }]
  },
  networkPolicy: {
    consoleFrom: [{ podSelector: { matchLabels: { app: "ingress" } } }],
    moreEgress: [{ to: [{ ipBlock: { cidr: "10.2.0.0/16" } }], ports: [{ protocol: "TCP", port: 9000 }] }]
  }
}

const VALUES = {
  usual: {},
  everything: EVERYTHING,
  hasty: { workers: { shutdownGrace: 30 } },
  patient: { workers: { shutdownGrace: 600 } },
  exact: { fal: { concurrency: 32 }, workers: { replicas: 2, slots: 16 } },
  closed: { console: { enabled: true, existingSecret: "console" } }
} as const

const podOf = (workload: Manifest) => at(workload, "spec.template.spec")
const containersOf = (workload: Manifest) =>
  ["initContainers", "containers"].flatMap((kind) => {
    const all = at(podOf(workload), kind)
    return Array.isArray(all) ? (all as ReadonlyArray<Manifest>) : [] // the API's schema says that they are objects
  })

describeWith(["kubernetes"], "the Helm chart", ({ kubernetes }) => {
  const { judge, lint, refuse, render } = chart(kubernetes)
  let manifests: ReturnType<typeof render<typeof VALUES>>
  beforeAll(() => {
    manifests = render(VALUES)
  })

  it("passes helm lint as it is, and with everything turned on", () => {
    for (const values of [{}, EVERYTHING]) {
      const { output, status } = lint(values)
      assert.strictEqual(status, 0, output)
      assert.notMatch(output, /\[(WARNING|ERROR)\]/)
    }
  })

  it("is made of what the APIs of Kubernetes and KEDA know, field by field", () => {
    const kinds = (manifests: ReadonlyArray<Manifest>) => manifests.map(({ kind }) => String(kind)).sort()
    assert.deepStrictEqual(kinds(manifests.usual), [
      "ConfigMap",
      "Job",
      "NetworkPolicy",
      "NetworkPolicy",
      "PodDisruptionBudget",
      "Service",
      "StatefulSet"
    ])
    assert.deepStrictEqual(
      kinds(manifests.everything).filter((kind) => !kinds(manifests.usual).includes(kind)),
      ["Deployment", "ScaledObject"]
    )
    // `render` has judged them. What it judges by sees a field that does not exist, at any depth.
    const [budget, scaled] = judge(
      "{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: a}, spec: {maxUnavailible: 1}}",
      "{apiVersion: keda.sh/v1alpha1, kind: ScaledObject, metadata: {name: a}, spec: {scaleTargetRef: {name: a}, minReplicas: 1, triggers: [{type: prometheus, metadata: {}, metric: a}]}}"
    )
    assert.match(budget!.problems.at(-1)!, /Kubernetes 1\.37: PodDisruptionBudget spec: .*maxUnavailible/)
    assert.deepStrictEqual(scaled!.problems, [
      "ScaledObject.spec.minReplicas is unknown",
      "ScaledObject.spec.triggers[0].metric is unknown"
    ])
  })

  it("has the version of the program", () => {
    assert.match(read("Chart.yaml"), new RegExp(`^appVersion: ${manifest.version.replaceAll(".", "\\.")}$`, "m"))
    assert.strictEqual(
      at(podOf(pick(manifests.usual, "StatefulSet")), "containers.0.image"),
      `model-generator:${manifest.version}`
    )
  })

  it("waits longer for a worker's end than the worker takes for it", () => {
    for (const [name, grace, wait] of [
      ["usual", "110", 120],
      ["hasty", "30", 40],
      ["patient", "600", 610]
    ] as const) {
      assert.strictEqual(at(podOf(pick(manifests[name], "StatefulSet")), "terminationGracePeriodSeconds"), wait)
      assert.strictEqual(at(pick(manifests[name], "ConfigMap"), "data.SHUTDOWN_GRACE"), grace)
    }
  })

  it("gives each worker the name of its pod, which a StatefulSet keeps, and checks its health as the image does", () => {
    const workers = pick(manifests.usual, "StatefulSet")
    assert.strictEqual(at(pick(manifests.usual, "ConfigMap"), "data.WORKER_NAME"), "celery@%h")
    assert.strictEqual(at(workers, "spec.serviceName"), at(pick(manifests.usual, "Service"), "metadata.name"))
    assert.deepStrictEqual(at(podOf(workers), "containers.0.readinessProbe.exec.command"), [
      "model-generator",
      "health",
      "--self"
    ])
    const dockerfile = readFileSync(join(folder, "..", "..", "Dockerfile"), "utf8")
    assert.include(dockerfile, 'CMD ["model-generator", "health", "--self"]')
  })

  it("runs every container under the restricted standard, with no token of the cluster", () => {
    const workloads = manifests.everything.filter(({ kind }) => ["StatefulSet", "Deployment", "Job"].includes(String(kind)))
    assert.lengthOf(workloads, 3)
    for (const workload of workloads) {
      const pod = podOf(workload)
      assert.strictEqual(at(pod, "automountServiceAccountToken"), false)
      assert.strictEqual(at(pod, "securityContext.runAsNonRoot"), true)
      assert.strictEqual(at(pod, "securityContext.runAsUser"), 10001)
      assert.strictEqual(at(pod, "securityContext.seccompProfile.type"), "RuntimeDefault")
      for (const container of containersOf(workload)) {
        if (container["name"] === "proxy") continue // not ours
        assert.deepStrictEqual(container["securityContext"], {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ["ALL"] }
        })
        assert.isDefined(at(container, "resources.limits.memory"), String(container["name"]))
      }
    }
  })

  it("bounds workers times slots by fal's limit, in one number", () => {
    const why = refuse({ fal: { concurrency: 31 }, workers: { replicas: 2, slots: 16 } })
    assert.match(
      why,
      /2 workers of 16 slots would have 32 requests at fal at once, and fal\.concurrency allows 31: .*workers\.replicas/
    )
    const scaling = { enabled: true, maxReplicas: 3 }
    assert.match(
      refuse({ fal: { concurrency: 32 }, workers: { replicas: 1, slots: 16 }, scaling }),
      /3 workers of .*scaling\.maxReplicas/
    )
    assert.match(refuse({ scaling: { enabled: true, minReplicas: 2, maxReplicas: 1 } }), /minReplicas \(2\) is more than/)
    const { exact } = manifests
    assert.strictEqual(at(pick(exact, "StatefulSet"), "spec.replicas"), 2)
    assert.strictEqual(at(pick(exact, "ConfigMap"), "data.WORKER_CONCURRENCY"), "16")
    assert.strictEqual(at(pick(exact, "ConfigMap"), "data.FAL_MAX_CONCURRENT"), "32")
  })

  it("leaves the number of workers to KEDA where it scales", () => {
    assert.isUndefined(at(pick(manifests.everything, "StatefulSet"), "spec.replicas"))
    const scaled = pick(manifests.everything, "ScaledObject")
    assert.strictEqual(at(scaled, "spec.scaleTargetRef.name"), at(pick(manifests.everything, "StatefulSet"), "metadata.name"))
    assert.strictEqual(at(scaled, "spec.maxReplicaCount"), 4)
    assert.strictEqual(at(scaled, "spec.triggers.0.metricType"), "AverageValue")
    assert.strictEqual(at(scaled, "spec.triggers.0.metadata.threshold"), "16")
    assert.strictEqual(at(scaled, "spec.triggers.0.metadata.ignoreNullValues"), "false")
    assert.match(refuse({ scaling: { enabled: true, minReplicas: 0 } }), /minReplicas/)
  })

  it("takes secrets from a Secret that is there, and has none of its own", () => {
    for (const kind of ["StatefulSet", "Deployment"])
      assert.deepStrictEqual(
        at(
          podOf(pick(manifests.everything, kind, kind === "Deployment" ? "models-model-generator-console" : undefined)),
          "containers.0.envFrom"
        ),
        [{ secretRef: { name: "model-generator" } }, { configMapRef: { name: "models-model-generator" } }]
      )
    assert.match(refuse({ settings: { FAL_KEY: "key:secret" } }), /FAL_KEY/)
    assert.match(refuse({ settings: { CELERY_BROKER_URL: "redis://:secret@redis:6379/4" } }), /CELERY_BROKER_URL/)
    const job = pick(manifests.everything, "Job", "models-model-generator-migrate")
    assert.deepStrictEqual(at(podOf(job), "containers.0.env.0.valueFrom.secretKeyRef"), { name: "owner", key: "DATABASE_URL" })
    assert.propertyVal(at(job, "metadata.annotations"), "helm.sh/hook", "pre-install,pre-upgrade")
  })

  it("knows every setting that is no secret, refuses the others, and keeps numbers as they are written", () => {
    const schema: unknown = JSON.parse(read("values.schema.json"))
    const known = Object.keys(at(schema, "properties.settings.properties") as object) // an object by its schema
    const secret = /^(FAL_KEY|FAL_ADMIN_KEY|DATABASE_URL|AWS_.*|.*PASSWORD)$/
    // The chart has values of its own for them.
    const decided =
      /^(WORKER_NAME|WORKER_CONCURRENCY|WORKER_AUTOSCALE|FAL_MAX_CONCURRENT|SHUTDOWN_GRACE|METRICS_.*|CONSOLE_(HOST|PORT|USERS)|C2PA_.*)$/
    assert.sameMembers(
      known,
      Settings.names.filter((name) => !secret.test(name) && !decided.test(name))
    )
    assert.match(refuse({ settings: { FAL_MODLE: "x" } }), /FAL_MODLE/)
    assert.match(refuse({ worker: { replicas: 1 } }), /worker/)
    const data = at(pick(manifests.everything, "ConfigMap"), "data")
    assert.strictEqual(at(data, "RESULT_EXPIRES"), "100000000")
    assert.strictEqual(at(data, "TASK_TRACK_STARTED"), "true")
    assert.strictEqual(at(data, "WORKER_MAX_MEMORY_PER_CHILD"), "786432")
  })

  it("closes every pod's network but for what is named, and the console to all", () => {
    const policies = manifests.usual.filter(({ kind }) => kind === "NetworkPolicy")
    for (const policy of policies) assert.deepStrictEqual(at(policy, "spec.policyTypes"), ["Ingress", "Egress"])
    const worker = pick(manifests.usual, "NetworkPolicy", "models-model-generator-worker")
    const ports = (at(worker, "spec.egress") as ReadonlyArray<unknown>).map((rule) => at(rule, "ports.0.port")) // a list by the API's schema
    assert.deepStrictEqual(ports, [53, 6379, 6432, 443])
    const migrate = pick(manifests.usual, "NetworkPolicy", "models-model-generator-migrate")
    assert.deepStrictEqual(
      (at(migrate, "spec.egress") as ReadonlyArray<unknown>).map((rule) => at(rule, "ports.0.port")),
      [53, 6432]
    )
    const { closed } = manifests
    assert.deepStrictEqual(at(pick(closed, "NetworkPolicy", "models-model-generator-console"), "spec.ingress"), [])
    assert.strictEqual(at(pick(closed, "Service", "models-model-generator-console"), "spec.type"), "ClusterIP")
    assert.match(refuse({ console: { enabled: true } }), /nobody could sign in/)
  })
})
