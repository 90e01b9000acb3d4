/** vitest runs this once before all test files, and what it returns once after them. */
import { mkdtempSync, rmSync } from "node:fs"
import { join } from "node:path"
import type { TestProject } from "vitest/node"
import type { Missing } from "./index.ts"
import * as Kubernetes from "./Kubernetes.ts"
import * as Postgres from "./Postgres.ts"
import * as Python from "./Python.ts"
import * as Redis from "./Redis.ts"
import { which } from "./Process.ts"
import * as Seaweed from "./Seaweed.ts"

const root = join(import.meta.dirname, "..", "..")
const cache = join(root, ".venv")

export default async function setup(project: TestProject) {
  if (process.env["TESTS"] === "fast") {
    const missing = { missing: "a server, which --fast leaves out" }
    project.provide("servers", {
      redis: missing,
      postgres: missing,
      celery53: missing,
      celery56: missing,
      celery57: missing,
      client: missing,
      flower: missing,
      c2pa: missing,
      seaweed: missing,
      kubernetes: missing,
      promtool: missing,
      jq: missing,
      chromium: missing
    })
    project.provide("builds", "")
    return
  }
  const removals: Array<() => Promise<void>> = []
  const builds = mkdtempSync(join(root, "node_modules", ".model-generator-"))
  project.provide("builds", builds)
  removals.push(async () => rmSync(builds, { recursive: true, force: true }))
  const removeAll = () => Promise.all(removals.map((remove) => remove()))

  const serve = async <A, S extends A & { readonly remove: () => Promise<void> }>(
    missing: string | undefined,
    start: () => Promise<S>,
    address: (server: S) => A
  ): Promise<A | Missing> => {
    if (missing !== undefined) return { missing }
    const server = await start()
    removals.push(server.remove)
    return address(server) // a plain object: it is sent to the processes that run the tests
  }

  /** Each test has a database to itself. */
  const startRedis = () => Redis.start({ databases: 4096 })
  const installed = (name: string) => {
    const program = which(name)
    return program === undefined ? { missing: `${name} is not installed` } : { program }
  }
  const programs = { chromium: installed("chromium"), promtool: installed("promtool"), jq: installed("jq") }
  const starting = [
    serve<Redis.RedisAddress, Redis.RedisServer>(Redis.missing(), startRedis, ({ host, port }) => ({ host, port })),
    serve<Postgres.PostgresAddress, Postgres.PostgresServer>(
      Postgres.missing(),
      () => Postgres.start(cache),
      ({ host, user, password, port, pooledPort }) => ({ host, user, password, port, pooledPort })
    ),
    Python.ensure("celery53", cache, Python.environments.celery53),
    Python.ensure("celery56", cache, Python.environments.celery56),
    Python.ensure("celery57", cache, Python.environments.celery57),
    Python.ensure("client", cache, Python.environments.client),
    Python.ensure("flower", cache, Python.environments.flower),
    Python.ensure("c2pa", cache, Python.environments.c2pa),
    Kubernetes.ensure(cache),
    Seaweed.ensure(cache) // started by the suites that need it: no other waits for it
  ] as const // a tuple, so that each result keeps its type
  try {
    const [redis, postgres, celery53, celery56, celery57, client, flower, c2pa, kubernetes, seaweed] = await Promise.all(starting)
    const pythons = { celery53, celery56, celery57, client, flower, c2pa }
    project.provide("servers", { redis, postgres, ...pythons, kubernetes, seaweed, ...programs })
  } catch (error) {
    await Promise.allSettled(starting)
    await removeAll()
    throw error
  }
  return removeAll
}
