// npm runs this at the end of `npm ci` and `npm install`. An npm that is itself run by an old Node (Debian's and Ubuntu's own
// is) leaves out, without a word, the native packages whose `engines` exclude that Node. The Node they are made for has just
// been installed on Linux x64, and is the one that runs this script: npm once more, run by it, puts them in.
"use strict"
const { spawnSync } = require("child_process")
const { installed, missing, wrongNode } = require("./parts.cjs")

const root = process.cwd()
const env = process.env
const MARK = "MODEL_GENERATOR_INSTALL"
const PATIENCE_MS = 10 * 60 * 1000

const isSet = (name) => env[`npm_config_${name}`] === "true"
const asked = env.npm_command === "run-script" || env.npm_command === "run"
const omitsOptional = (env.npm_config_omit || "").split(/[\s,]+/).includes("optional")
const agent = env.npm_config_user_agent || ""

const say = (text) => process.stderr.write(`model-generator: ${text}\n`)
const fail = (text) => {
  say(text)
  process.exit(1)
}

const complete = () => {
  const names = installed(root)
  const gone = missing(root, names)
  if (gone.length === 0) return
  if (omitsOptional) return asked ? fail(`npm is told to omit optional packages; type: npm ci --include=optional`) : undefined
  const wrong = wrongNode(root)
  if (wrong !== undefined) return fail(`not installed: ${gone.join(", ")}. ${wrong}: install that, then type: npm ci`)
  const ran = /node\/(\S+)/.exec(agent)
  say(
    `${gone.length} native packages were left out${ran === null ? "" : ` by npm, which ran on Node ${ran[1]}`}; ` +
      `installing them with Node ${process.version}`
  )
  spawnSync(process.execPath, [env.npm_execpath, "install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: root,
    stdio: "inherit",
    timeout: PATIENCE_MS,
    env: Object.assign(
      // Debian's Node trusts the authorities that the system trusts (a company's proxy may be one); others have to be told.
      { NODE_USE_SYSTEM_CA: "1", NODE_NO_WARNINGS: "1" },
      env,
      { [MARK]: "1" }
    )
  })
  const left = missing(root, names)
  if (left.length > 0)
    fail(`still not installed: ${left.join(", ")}. When npm's registry can be reached, type: npm run postinstall`)
}

// The second npm runs this script too, and has nothing to add. Other package managers lay node_modules out differently.
if (env[MARK] === undefined && agent.startsWith("npm/") && !isSet("package_lock_only") && !isSet("dry_run")) complete()
