// `node scripts/npm/ready.cjs PACKAGE...` begins every npm script: it ends with one line, and exit 1, when the script would fail
// because it is run by a wrong Node or because a package, or a native part of one, is not installed.
"use strict"
const { NODE, installAll, missing, wrongNode } = require("./parts.cjs")

const root = process.cwd()
const names = process.argv.slice(2)

const problem = () => {
  const wrong = wrongNode(root)
  const whole = wrong === undefined ? names : [...names, NODE]
  const gone = missing(root, whole)
  if (gone.length === 0) return wrong
  // What was never installed needs all of npm's work; native parts that npm left out are put in beside the rest.
  const type = gone.some((name) => whole.includes(name)) ? installAll() : "npm run postinstall"
  return `model-generator: not installed: ${gone.join(", ")}; type: ${type}`
}

const text = problem()
if (text !== undefined) {
  process.stderr.write(`${text}\n`)
  process.exit(1)
}
