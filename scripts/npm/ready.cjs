// `node scripts/npm/ready.cjs PACKAGE...` begins every npm script. If Node is the wrong version, or one of these packages or its native
// part is not installed, it prints one line that says what to do and exits 1.
"use strict"
const { NODE, installAll, missing, wrongNode } = require("./parts.cjs")

const root = process.cwd()
const names = process.argv.slice(2)

const problem = () => {
  const wrong = wrongNode(root)
  const whole = wrong === undefined ? names : [...names, NODE]
  const gone = missing(root, whole)
  if (gone.length === 0) return wrong
  // If nothing is installed yet, `npm ci` is needed; for native parts that npm left out, `npm run postinstall` is enough.
  const type = gone.some((name) => whole.includes(name)) ? installAll() : "npm run postinstall"
  return `model-generator: not installed: ${gone.join(", ")}; type: ${type}`
}

const text = problem()
if (text !== undefined) {
  process.stderr.write(`${text}\n`)
  process.exit(1)
}
