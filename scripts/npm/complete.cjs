// npm runs this at the end of `npm ci` and `npm install`. If an old Node runs npm (as on Debian 12 and Ubuntu 24.04), npm silently
// leaves out the native packages whose `engines` exclude that Node. On Linux x64 npm has just installed the right Node, and that
// Node runs this script. So it runs npm a second time, which installs them.
"use strict"
const { spawnSync } = require("child_process")
const { NODE, installAll, installed, missing, omitsOptional, wrongNode } = require("./parts.cjs")

const root = process.cwd()
const env = process.env
const MARK = "MODEL_GENERATOR_INSTALL"
const PATIENCE_MS = 10 * 60 * 1000

const isSet = (name) => env[`npm_config_${name}`] === "true"
/** Somebody typed `npm run postinstall`: this is not the end of an installation. */
const typed = (env.npm_command || "").startsWith("run")
const agent = env.npm_config_user_agent || ""

const say = (text) => process.stderr.write(`model-generator: ${text}\n`)
const fail = (text) => {
  say(text)
  process.exit(1)
}

/** npm's second run. It says itself why it could not install something. */
const npmAgain = () =>
  spawnSync(process.execPath, [env.npm_execpath, "install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: root,
    stdio: "inherit",
    timeout: PATIENCE_MS,
    env: Object.assign(
      // Debian's Node trusts the authorities that the system trusts, one of a company's proxy too. Other builds must be told to.
      { NODE_USE_SYSTEM_CA: "1", NODE_NO_WARNINGS: "1" },
      env,
      { [MARK]: "1" }
    )
  })

const complete = () => {
  const names = installed(root)
  const gone = missing(root, names)
  if (gone.length === 0 || (omitsOptional && !typed)) return
  const wrong = missing(root, [NODE]).length > 0 ? "" : wrongNode(root)
  if (omitsOptional || wrong === "") return fail(`not installed: ${gone.join(", ")}; type: ${installAll()}`)
  if (wrong !== undefined)
    return fail(`not installed: ${gone.join(", ")}. ${wrong}: install that Node, then type: ${installAll()}`)
  const by = /node\/(\S+)/.exec(agent)
  say(`npm${by === null ? "" : `, run by Node ${by[1]},`} left out ${gone.join(", ")}; Node ${process.version} installs them`)
  npmAgain()
  const left = missing(root, names)
  if (left.length > 0) fail(`not installed: ${left.join(", ")}; with npm's registry in reach, type: npm run postinstall`)
}

// The second npm runs this script too; then there is nothing left to do. Other package managers lay node_modules out differently.
if (env[MARK] === undefined && agent.startsWith("npm/") && !isSet("package_lock_only") && !isSet("dry_run")) complete()
