/**
 * `npm test`: every test under test/, or those whose file name contains an argument. Suites whose servers are not installed are
 * skipped, and named at the end together with the one line that installs what they need; under CI a skip is a failure.
 * `npm test -- --fast` runs what needs no server, no second process and no long run of chance: the quick answer while one works.
 */
import { chmodSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { TestModule } from "vitest/node"

const INSTALL =
  "sudo apt-get install -y redis-server postgresql pgbouncer python3-venv libimage-exiftool-perl chromium prometheus jq"

const fast = process.argv.includes("--fast")
if (fast) process.env["TESTS"] = "fast" // vitest.config.ts and globalSetup.ts read it
if (!process.stdout.isTTY) process.env["NO_COLOR"] ??= "1" // read when vitest is loaded, which is why it is loaded after this
// The tests, and every process that they start, have a temporary folder of their own: whatever they leave goes with it.
const temporary = mkdtempSync(join(tmpdir(), "model-generator-tests-"))
chmodSync(temporary, 0o711) // a server that runs as another user goes through it
process.env["TMPDIR"] = temporary
process.once("exit", () => rmSync(temporary, { recursive: true, force: true }))
const { parseCLI, startVitest } = await import("vitest/node")

const { filter, options } = parseCLI(["vitest", "run", ...process.argv.slice(2).filter((argument) => argument !== "--fast")])
const vitest = await startVitest("test", filter, { ...options, watch: false })
const modules = vitest.state.getTestModules()
await vitest.close() // the servers end here

const tests = (state: "passed" | "failed" | "skipped") => modules.flatMap((module) => [...module.children.allTests(state)])
/** A file that could not be loaded, or a hook that failed, has no test that says so. */
const brokenSuites = (module: TestModule) => [module, ...module.children.allSuites()].filter((suite) => suite.errors().length > 0)

const passed = tests("passed").length
const counted = tests("failed").length + modules.flatMap(brokenSuites).length + vitest.state.getUnhandledErrors().length
// The exit code also tells of what has no test to its name: servers that did not start, no file found.
const failed = counted === 0 && (process.exitCode ?? 0) !== 0 ? 1 : counted
// Tests that a name filter (-t) leaves out are skipped too, on purpose.
const skipped = options.testNamePattern === undefined && !fast ? tests("skipped") : []

const out: Array<string> = []
if (skipped.length > 0) {
  out.push("", "Skipped:", ...new Set(skipped.map((test) => `  ${test.module.relativeModuleId}: ${test.fullName}`)))
  if (skipped.some((test) => test.name.startsWith("needs "))) out.push("", "To run them too:", `  ${INSTALL}`)
}
const second = tests("passed").filter((test) => test.diagnostic()?.flaky === true)
if (second.length > 0) {
  out.push("", "Failed at first and passed when tried again; a promise that holds only sometimes is to be mended:")
  for (const test of second) {
    const [line = ""] = test.result().errors?.[0]?.message.split("\n") ?? []
    out.push(`  ${test.module.relativeModuleId}: ${test.fullName}`, `    ${line.slice(0, 300)}`)
  }
}
/** A test of one function is over at once, and fails nearer to the cause than one of a whole worker. */
const simplest = tests("failed").toSorted((one, other) => (one.diagnostic()?.duration ?? 0) - (other.diagnostic()?.duration ?? 0))
if (simplest.length > 3) {
  out.push("", `Begin with these of the ${simplest.length} tests that failed, which were over first:`)
  for (const test of simplest.slice(0, 3)) {
    const [line = ""] = test.result().errors?.[0]?.message.split("\n") ?? []
    out.push(`  ${test.module.relativeModuleId}: ${test.fullName}`, `    ${line.slice(0, 300)}`)
  }
}
const strict = process.env.CI === "true" && skipped.length > 0
if (strict) out.push("", "CI=true: a skipped test is a failure.")
out.push("", `${passed} passed, ${failed} failed, ${skipped.length} skipped`, "")
process.stdout.write(out.join("\n"))

process.exit(failed > 0 || strict ? 1 : 0)
