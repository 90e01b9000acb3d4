import { assert, beforeEach, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll } from "vitest"
import manifest from "../package.json" with { type: "json" }
import lock from "../package-lock.json" with { type: "json" }
import { bundle } from "./servers/bundle.ts"
import { temporaryFolder } from "./servers/Process.ts"

const scripts = join(import.meta.dirname, "..", "scripts", "npm")
const folder = temporaryFolder("install")
const root = join(folder, "checkout")
const file = (name: string) => join(root, name)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const native = { version: "1.0.0", optional: true, os: [process.platform], cpu: [process.arch] }
const packages: Readonly<Record<string, object>> = {
  "node_modules/picture": {
    optionalDependencies: { "@picture/here": "1.0.0", "@picture/elsewhere": "1.0.0", "@picture/alpine": "1.0.0" }
  },
  "node_modules/@picture/here": { ...native, dependencies: { "@picture/library": "1.0.0" } },
  "node_modules/@picture/library": native,
  "node_modules/@picture/elsewhere": { ...native, os: [`!${process.platform}`] },
  "node_modules/@picture/alpine": { ...native, libc: ["musl"] },
  "node_modules/tests": { dependencies: { bundler: "2.0.0" } },
  "node_modules/bundler": { optionalDependencies: { "@bundler/here": "1.0.0" } },
  "node_modules/@bundler/here": native,
  // another version than the one above, for `tests` alone
  "node_modules/tests/node_modules/bundler": { optionalDependencies: { "@bundler/here": "2.0.0" } },
  "node_modules/tests/node_modules/@bundler/here": native
}
const there = (name: string) => {
  mkdirSync(file(name), { recursive: true })
  writeFileSync(file(`${name}/package.json`), "{}")
}
const gone = (name: string) => rmSync(file(name), { recursive: true })

/** Stands in for npm: writes down how it was run and puts in what `brings` names. */
const fakeNpm = (...brings: ReadonlyArray<string>) =>
  writeFileSync(
    file("npm-cli.js"),
    `const fs = require("fs")
    fs.appendFileSync("ran", JSON.stringify({ args: process.argv.slice(2), node: process.execPath, ca: process.env.NODE_USE_SYSTEM_CA }) + "\\n")
    for (const name of ${JSON.stringify(brings)}) { fs.mkdirSync(name, { recursive: true }); fs.writeFileSync(name + "/package.json", "{}") }
    const again = require("child_process").spawnSync(process.execPath, [${JSON.stringify(join(scripts, "complete.cjs"))}], { stdio: "inherit" })
    process.exitCode = again.status`
  )
const runs = () => (existsSync(file("ran")) ? readFileSync(file("ran"), "utf8").trim().split("\n") : [])

beforeEach(() => {
  rmSync(root, { recursive: true, force: true })
  mkdirSync(root, { recursive: true })
  writeFileSync(
    file("package.json"),
    JSON.stringify({
      engines: manifest.engines,
      dependencies: { picture: "1.0.0" },
      devDependencies: { tests: "1.0.0", bundler: "1.0.0" }
    })
  )
  writeFileSync(file("package-lock.json"), JSON.stringify({ lockfileVersion: 3, packages }))
  for (const name of Object.keys(packages).filter((name) => !/elsewhere|alpine/.test(name))) there(name)
  writeFileSync(
    file("as-node-18.cjs"),
    "Object.defineProperty(process, 'version', { value: 'v18.20.4' });" +
      "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '18.20.4' } })"
  )
  fakeNpm()
})

const npmCi = {
  npm_config_user_agent: "npm/9.2.0 node/v18.20.4 linux x64 workspaces/false",
  npm_command: "ci",
  npm_execpath: "npm-cli.js"
}
const typed = { npm_command: "run-script" }
const run = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>> = {}) => {
  const { status, stderr, stdout } = spawnSync(process.execPath, args, { cwd: root, env, encoding: "utf8" })
  return { status, stdout, lines: stderr.split("\n").filter((line) => line !== "") }
}
const complete = (env: Readonly<Record<string, string>> = {}) => run([join(scripts, "complete.cjs")], { ...npmCi, ...env })
const ready = (...names: ReadonlyArray<string>) => run([join(scripts, "ready.cjs"), ...names])

describe("the end of npm ci", () => {
  it("adds nothing where everything is installed", () => {
    assert.deepStrictEqual(complete(), { status: 0, stdout: "", lines: [] })
    assert.deepStrictEqual(runs(), [])
  })

  it("has npm install once more, by the Node of this project, what an old one left out", () => {
    gone("node_modules/@picture/here")
    gone("node_modules/tests/node_modules/@bundler/here")
    fakeNpm("node_modules/@picture/here", "node_modules/tests/node_modules/@bundler/here")
    const { lines, status } = complete()
    assert.strictEqual(status, 0)
    assert.strictEqual(lines.length, 1)
    assert.include(lines[0], "npm, run by Node v18.20.4, left out @picture/here, @bundler/here")
    assert.deepStrictEqual(
      runs().map((line) => JSON.parse(line)),
      [
        {
          args: ["install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error"],
          node: process.execPath,
          ca: "1"
        }
      ]
    )
  })

  it("fails with what to type when npm cannot bring it, and tries only once", () => {
    gone("node_modules/@picture/here")
    const { lines, status } = complete()
    assert.strictEqual(status, 1)
    assert.strictEqual(
      lines.at(-1),
      "model-generator: not installed: @picture/here; with npm's registry in reach, type: npm run postinstall"
    )
    assert.strictEqual(runs().length, 1)
  })

  it("misses nothing that npm was told to omit", () => {
    gone("node_modules/tests")
    gone("node_modules/bundler")
    gone("node_modules/@bundler/here")
    assert.deepStrictEqual(complete({ npm_config_omit: "dev" }).lines, [])
    gone("node_modules/@picture/here")
    assert.deepStrictEqual(complete({ npm_config_omit: "dev\n\noptional" }), { status: 0, stdout: "", lines: [] })
    assert.deepStrictEqual(complete({ npm_config_omit: "dev\n\noptional", ...typed }).lines, [
      "model-generator: not installed: @picture/here; type: npm ci --include=dev --include=optional"
    ])
    assert.deepStrictEqual(runs(), [])
  })

  it("asks for the right Node where none came with npm ci", () => {
    gone("node_modules/@picture/here")
    const { lines, status } = run(["--require", file("as-node-18.cjs"), join(scripts, "complete.cjs")], npmCi)
    assert.strictEqual(status, 1)
    assert.deepStrictEqual(lines, [
      "model-generator: not installed: @picture/here. model-generator needs Node 22.19 or a later 22, and this is v18.20.4: install that Node, then type: npm ci"
    ])
  })

  it("leaves other package managers, trial runs and lock files alone", () => {
    gone("node_modules/@picture/here")
    for (const env of [
      { npm_config_user_agent: "pnpm/9.0.0 npm/? node/v22.23.3" },
      { npm_config_dry_run: "true" },
      { npm_config_package_lock_only: "true" }
    ])
      assert.deepStrictEqual(complete(env), { status: 0, stdout: "", lines: [] })
    assert.deepStrictEqual(runs(), [])
  })
})

describe("the start of an npm script", () => {
  it("says nothing when all it needs is there", () => {
    gone("node_modules/@bundler/here")
    assert.deepStrictEqual(ready("picture", "tests"), { status: 0, stdout: "", lines: [] })
  })

  it("names a package that is not there, and says what to type", () => {
    gone("node_modules/tests")
    assert.deepStrictEqual(ready("picture", "tests").lines, ["model-generator: not installed: tests; type: npm ci"])
  })

  it("names native parts that are not there, and says what to type", () => {
    gone("node_modules/@picture/library")
    gone("node_modules/tests/node_modules/@bundler/here")
    const { lines, status } = ready("picture", "tests")
    assert.strictEqual(status, 1)
    assert.deepStrictEqual(lines, ["model-generator: not installed: @picture/library, @bundler/here; type: npm run postinstall"])
  })

  it("says which Node is needed", () => {
    const { lines, status } = run(["--require", file("as-node-18.cjs"), join(scripts, "ready.cjs"), "picture"])
    assert.strictEqual(status, 1)
    assert.deepStrictEqual(lines, ["model-generator needs Node 22.19 or a later 22, and this is v18.20.4"])
  })

  const others = new Set(["postinstall", "check:fresh"]) // the end of npm ci itself, and what runs in containers
  for (const [name, script] of Object.entries(manifest.scripts).filter(
    ([name, script]) => !others.has(name) && !script.startsWith("npm run ")
  ))
    it(`checks what npm run ${name} needs`, () => {
      const needs = /^node scripts\/npm\/ready\.cjs ((?:[^ &]+ )*)&& /.exec(script)
      assert.isNotNull(needs, script)
      for (const needed of needs![1]!.split(" ").filter((word) => word !== ""))
        assert.property(lock.packages, `node_modules/${needed}`)
    })
})

describe("the bundle under another Node", () => {
  const under = async (version: string) => {
    const pretend =
      `Object.defineProperty(process, "version", { value: "v${version}" });` +
      `Object.defineProperty(process, "versions", { value: { ...process.versions, node: "${version}" } })`
    return run([`--import=data:text/javascript,${encodeURIComponent(pretend)}`, await bundle(), "--version"])
  }

  for (const version of ["18.20.4", "20.20.2", "22.18.0", "24.21.0"])
    it(`says in one line that it is not for Node ${version}`, async () => {
      const { lines, status, stdout } = await under(version)
      assert.strictEqual(status, 1)
      assert.strictEqual(stdout, "")
      assert.strictEqual(lines.length, 1)
      assert.include(lines[0], `model-generator needs Node 22.19 or a later 22, and this is v${version}`)
    })

  it("runs under a later 22", async () => {
    assert.strictEqual((await under("22.99.0")).status, 0)
  })

  it("shows Nodes that cannot read it a line with the reason", async () => {
    const [hashbang, first] = readFileSync(await bundle(), "utf8").split("\n", 2)
    assert.strictEqual(hashbang, "#!/usr/bin/env node")
    assert.strictEqual(first, `(class{static{}}) // model-generator needs Node ${manifest.engines.node}`)
  })

  // A name that a module of an older Node lacks ends the program before it can say anything: `import * as` such a module.
  it("imports by name nothing that came after Node 18", async () => {
    const named = readFileSync(await bundle(), "utf8").matchAll(/import\{([^}]+)\}from"node:([a-z/_]+)"/g)
    const names = [...named].flatMap(([, names, module]) => names!.split(",").map((name) => `${module}.${name.split(" as ")[0]}`))
    assert.isAbove(names.length, 20)
    assert.deepStrictEqual(
      names.filter((name) => afterNode18.has(name)),
      []
    )
  })
})

const afterNode18 = new Set(
  (
    "crypto.hash dns.resolveTlsa fs.glob fs.globSync fs.openAsBlob fs/promises.glob http.CloseEvent http.MessageEvent " +
    "http.WebSocket module.constants module.enableCompileCache module.findPackageJSON module.flushCompileCache " +
    "module.getCompileCacheDir module.getSourceMapsSupport module.registerHooks module.setSourceMapsSupport " +
    "module.stripTypeScriptTypes path.matchesGlob process.availableMemory process.execve process.finalization " +
    "process.getBuiltinModule process.loadEnvFile process.ref process.threadCpuUsage process.unref sqlite.DatabaseSync " +
    "stream.duplexPair timers.promises tls.getCACertificates tls.setDefaultCACertificates url.fileURLToPathBuffer util.diff " +
    "util.getCallSite util.getCallSites util.getSystemErrorMessage util.parseEnv util.setTraceSigInt util.styleText " +
    "util/types.isFloat16Array v8.getCppHeapStatistics v8.isStringOneByteRepresentation v8.queryObjects vm.constants " +
    "worker_threads.isInternalThread worker_threads.isMarkedAsUntransferable worker_threads.markAsUncloneable " +
    "worker_threads.postMessageToThread worker_threads.threadName zlib.ZstdCompress zlib.ZstdDecompress zlib.crc32 " +
    "zlib.createZstdCompress zlib.createZstdDecompress zlib.zstdCompress zlib.zstdCompressSync zlib.zstdDecompress " +
    "zlib.zstdDecompressSync"
  ).split(" ")
)
